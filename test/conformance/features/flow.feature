Feature: Order
  Which task runs next: if, then, exit, end, switch.

  Scenario: A false condition skips a task, and its input goes on
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-false-condition-skips-a-task-and-its-input-goes-on, version: '1.0.0' }
    do:
      - one: { if: '.n > 5', set: { n: 100 }, output: { as: '.x' }, export: { as: '.y' } }
      - two: { set: { n: '${ .n + 1 }', context: '${ $context }' } }
    """
    And given the workflow input is:
    """yaml
    n: 1
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    n: 2
    context: ~
    """
    And one should not run

  Scenario: A condition sees the raw input, and null and false are false
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-condition-sees-the-raw-input-and-null-and-false-are-false, version: '1.0.0' }
    do:
      - raw: { if: '.inner == 1', input: { from: .inner }, set: '${ { inner: ., count: 1 } }' }
      - none: { if: .nothing, set: { count: 2 } }
      - zero: { if: '0', set: { count: '${ .count + 10 }' } }
    """
    And given the workflow input is:
    """yaml
    inner: 1
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    count: 11
    """
    And raw should run before zero
    And none should not run

  @A-10
  Scenario: The then of a skipped task is not followed
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: the-then-of-a-skipped-task-is-not-followed, version: '1.0.0' }
    do:
      - one: { if: 'false', set: { a: 1 }, then: end }
      - two: { set: { b: 2 } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    b: 2
    """
    And one should not run

  Scenario: A task may go forward and back by name
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-task-may-go-forward-and-back-by-name, version: '1.0.0' }
    do:
      - count: { set: { n: '${ .n + 1 }' } }
      - again:
          switch:
            - more: { when: '.n < 3', then: count }
            - enough: { then: last }
      - never: { set: { never: true } }
      - last: { set: { result: '${ .n }' } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    result: 3
    """
    And count should run 3 times
    And never should not run
    And last should run last

  Scenario: exit at the top ends the workflow
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: exit-at-the-top-ends-the-workflow, version: '1.0.0' }
    do:
      - one: { set: { a: 1 }, then: exit }
      - two: { set: { b: 2 } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    a: 1
    """
    And two should not run

  Scenario: exit in a list completes that list only
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: exit-in-a-list-completes-that-list-only, version: '1.0.0' }
    do:
      - group:
          do:
            - one: { set: { a: 1 }, then: exit }
            - two: { set: { b: 2 } }
      - three: { set: { c: '${ .a }' } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    c: 1
    """
    And two should not run

  Scenario: end in a nested list ends the workflow
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: end-in-a-nested-list-ends-the-workflow, version: '1.0.0' }
    do:
      - group:
          do:
            - one: { set: { a: 1 }, then: end }
      - two: { set: { b: 2 } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    a: 1
    """
    And two should not run

  @A-11
  Scenario: end goes outward through the filters of the scopes around it
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: end-goes-outward-through-the-filters-of-the-scopes-around-it, version: '1.0.0' }
    do:
      - outer:
          do:
            - inner:
                do:
                  - one: { set: { a: 1 }, then: end }
                output: { as: '{ inner: . }' }
                then: never
            - never: { set: { never: true } }
          output: { as: '{ outer: . }' }
          export: { as: '{ kept: .outer }' }
      - two: { set: { b: 2 } }
    output: { as: '. + $context' }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    outer: { inner: { a: 1 } }
    kept: { inner: { a: 1 } }
    """
    And never should not run

  Scenario: then: end of a task ends the workflow with its output
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: then-end-of-a-task-ends-the-workflow-with-its-output, version: '1.0.0' }
    do:
      - one: { set: { a: 1 }, output: { as: '[.a]' }, then: end }
      - two: { set: { b: 2 } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    [ 1 ]
    """

  Scenario: The first case that matches decides, in the order of the document
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: the-first-case-that-matches-decides-in-the-order-of-the-docu, version: '1.0.0' }
    do:
      - choose:
          switch:
            - a: { when: '.n > 1', then: first }
            - b: { when: '.n > 0', then: second }
      - first: { set: { took: first }, then: end }
      - second: { set: { took: second }, then: end }
    """
    And given the workflow input is:
    """yaml
    n: 2
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    took: first
    """

  Scenario: The default case counts only when no other matches, wherever it stands
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: the-default-case-counts-only-when-no-other-matches-wherever, version: '1.0.0' }
    do:
      - choose:
          switch:
            - otherwise: { then: first }
            - b: { when: '.n > 0', then: second }
      - first: { set: { took: default }, then: end }
      - second: { set: { took: b }, then: end }
    """
    And given the workflow input is:
    """yaml
    n: 2
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    took: b
    """

  Scenario: A case may exit the list or end the workflow
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-case-may-exit-the-list-or-end-the-workflow, version: '1.0.0' }
    do:
      - group:
          do:
            - leave: { switch: [ { any: { then: exit } } ] }
            - never: { set: { never: true } }
      - stop: { switch: [ { any: { then: end } } ] }
      - later: { set: { later: true } }
    """
    And given the workflow input is:
    """yaml
    n: 1
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    n: 1
    """
    And never should not run
    And later should not run

  Scenario: A switch without a match and without a default continues
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-switch-without-a-match-and-without-a-default-continues, version: '1.0.0' }
    do:
      - choose: { switch: [ { a: { when: 'false', then: end } } ] }
      - next: { set: { next: true } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    next: true
    """

  Scenario: A failing condition faults the task
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-failing-condition-faults-the-task, version: '1.0.0' }
    do:
      - one: { if: '.a.b', set: { a: 1 } }
    """
    And given the workflow input is:
    """yaml
    a: text
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    type: https://open-workflow-specification.org/spec/1.0.0/errors/expression
    status: 400
    instance: /do/0/one
    """

  Scenario: Going to a task of another list is refused
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: going-to-a-task-of-another-list-is-refused, version: '1.0.0' }
    do:
      - group: { do: [ { inner: { set: { a: 1 }, then: outer } } ] }
      - outer: { set: { b: 2 } }
    """
    When the workflow is executed
    Then the definition should be refused, naming "outer"

  Scenario: Two tasks of one name in a list are refused
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: two-tasks-of-one-name-in-a-list-are-refused, version: '1.0.0' }
    do:
      - same: { set: { a: 1 } }
      - same: { set: { b: 2 } }
    """
    When the workflow is executed
    Then the definition should be refused, naming "same"

  @A-12
  Scenario: A task named like a directive is refused
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-task-named-like-a-directive-is-refused, version: '1.0.0' }
    do:
      - exit: { set: { a: 1 } }
    """
    When the workflow is executed
    Then the definition should be refused, naming "exit"

  Scenario: A cancelled workflow is cancelled with what it waits for
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-cancelled-workflow-is-cancelled-with-what-it-waits-for, version: '1.0.0' }
    do:
      - group: { do: [ { ask: { call: userTask, with: { key: ask } } } ] }
      - never: { set: { never: true } }
    """
    When the workflow is executed
    And the workflow is cancelled
    Then the workflow should cancel
    And ask should cancel
    And group should cancel
    And never should not run

  Scenario: Names may need escaping in references
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: names-may-need-escaping-in-references, version: '1.0.0' }
    do:
      - a/b~c: { do: [ { look: { set: { reference: '${ $task.reference }' } } } ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    reference: /do/0/a~1b~0c/do/0/look
    """
    And a/b~c should complete
