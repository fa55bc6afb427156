Feature: Branches
  fork: joined, competing, failing; and what their exports do.

  Scenario: The output is the array of outputs in the order of the document
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: the-output-is-the-array-of-outputs-in-the-order-of-the-docum, version: '1.0.0' }
    do:
      - both:
          fork:
            branches:
              - slow: { do: [ { pause: { wait: PT0.05S } }, { say: { set: { n: '${ .n + 1 }' } } } ] }
              - fast: { set: { n: '${ .n + 2 }' } }
    """
    And given the workflow input is:
    """yaml
    n: 1
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    - { n: 2 }
    - { n: 3 }
    """
    And fast should run before say

  Scenario: A fork of one branch gives an array of one
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-fork-of-one-branch-gives-an-array-of-one, version: '1.0.0' }
    do:
      - one: { fork: { branches: [ { only: { set: { a: 1 } } } ] } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    [ { a: 1 } ]
    """

  Scenario: Branches wait side by side
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: branches-wait-side-by-side, version: '1.0.0' }
    do:
      - both:
          fork:
            branches:
              - ann: { call: userTask, with: { key: a } }
              - bob: { call: userTask, with: { key: b } }
          output: { as: 'map(.said)' }
    """
    When the workflow is executed
    Then the workflow should be waiting for "a"
    And the workflow should be waiting for "b"
    When bob answers "b" with:
    """yaml
    said: yes
    """
    And ann answers "a" with:
    """yaml
    said: no
    """
    Then the workflow should complete with output:
    """yaml
    [ no, yes ]
    """

  Scenario: An error in a branch fails the fork and cancels the others
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: an-error-in-a-branch-fails-the-fork-and-cancels-the-others, version: '1.0.0' }
    do:
      - both:
          fork:
            branches:
              - ask: { call: userTask, with: { key: ask } }
              - no: { raise: { error: { type: 'https://example.com/no', status: 418 } } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    type: https://example.com/no
    status: 418
    instance: /do/0/both/fork/branches/1/no
    """

  Scenario: An error of a branch that is caught around the fork cancels the others
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: an-error-of-a-branch-that-is-caught-around-the-fork-cancels, version: '1.0.0' }
    do:
      - safe:
          try:
            - both:
                fork:
                  branches:
                    - ask: { call: userTask, with: { key: ask } }
                    - no: { raise: { error: { type: 'https://example.com/no', status: 418 } } }
          catch: { do: [ { tell: { set: { status: '${ $error.status }' } } } ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    status: 418
    """
    And ask should cancel

  @A-16
  Scenario: Exports of branches apply to the one context, each to what is there then
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: exports-of-branches-apply-to-the-one-context-each-to-what-is, version: '1.0.0' }
    do:
      - both:
          fork:
            branches:
              - a: { set: { n: 1 }, export: { as: '$context + { a: 1 }' } }
              - b: { do: [ { pause: { wait: PT0.05S } }, { late: { set: { n: 2 }, export: { as: '$context + { b: 2 }' } } } ] }
      - show: { set: '${ $context }' }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    a: 1
    b: 2
    """

  @A-17
  Scenario: end in a branch cancels the others and ends the workflow
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: end-in-a-branch-cancels-the-others-and-ends-the-workflow, version: '1.0.0' }
    do:
      - both:
          fork:
            branches:
              - ask: { call: userTask, with: { key: ask } }
              - stop: { set: { stopped: true }, then: end }
      - never: { set: { never: true } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    stopped: true
    """
    And ask should cancel
    And never should not run

  Scenario: A competing fork gives the output of the branch that ends first
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-competing-fork-gives-the-output-of-the-branch-that-ends-fi, version: '1.0.0' }
    do:
      - race:
          fork:
            compete: true
            branches:
              - ask: { call: userTask, with: { key: ask } }
              - pause: { do: [ { sleep: { wait: PT0.02S } }, { say: { set: { won: pause } } } ] }
          output: { as: .won }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    pause
    """
    And ask should cancel

  Scenario: A person may win against a timer
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-person-may-win-against-a-timer, version: '1.0.0' }
    do:
      - race:
          fork:
            compete: true
            branches:
              - ask: { call: userTask, with: { key: ask } }
              - other: { call: userTask, with: { key: other } }
          output: { as: .said }
    """
    When the workflow is executed
    And ann answers "other" with:
    """yaml
    said: other
    """
    Then the workflow should complete with output:
    """yaml
    other
    """
    And ask should cancel

  @A-15
  Scenario: In a competing fork an error ends its branch, and another may win
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: in-a-competing-fork-an-error-ends-its-branch-and-another-may, version: '1.0.0' }
    do:
      - race:
          fork:
            compete: true
            branches:
              - no: { raise: { error: { type: 'https://example.com/no', status: 418 } } }
              - yes: { do: [ { pause: { wait: PT0.02S } }, { say: { set: { won: yes } } } ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    won: yes
    """
    And no should fault

  @A-15
  Scenario: When all competing branches fail, the last error goes on outward
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: when-all-competing-branches-fail-the-last-error-goes-on-outw, version: '1.0.0' }
    do:
      - race:
          fork:
            compete: true
            branches:
              - late: { do: [ { pause: { wait: PT0.05S } }, { no: { raise: { error: { type: 'https://example.com/late', status: 501 } } } } ] }
              - soon: { raise: { error: { type: 'https://example.com/soon', status: 502 } } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    type: https://example.com/late
    status: 501
    instance: /do/0/race/fork/branches/0/late/do/1/no
    """

  @A-16
  Scenario: Only the winner's exports apply
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: only-the-winner-s-exports-apply, version: '1.0.0' }
    do:
      - first: { set: { n: 0 }, export: { as: '{ from: 0 }' } }
      - race:
          fork:
            compete: true
            branches:
              - loser: { do: [ { early: { set: { n: 1 }, export: { as: '$context + { loser: true }' } } }, { ask: { call: userTask, with: { key: ask } } } ] }
              - winner: { do: [ { pause: { wait: PT0.02S } }, { say: { set: { n: 2 }, export: { as: '$context + { winner: .n }' } } } ] }
      - show: { set: '${ $context }' }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    from: 0
    winner: 2
    """

  Scenario: A competing fork cancels the requests of the losers
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-competing-fork-cancels-the-requests-of-the-losers, version: '1.0.0' }
    do:
      - race:
          fork:
            compete: true
            branches:
              - hang: { call: http, with: { method: get, endpoint: 'http://conformance.test/never' } }
              - good: { call: http, with: { method: get, endpoint: 'http://conformance.test/content/json' }, output: { as: .name } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    Rex
    """
    And hang should cancel
