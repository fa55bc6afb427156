Feature: Subflows
  run: workflow: a workflow runs others as instances of their own.

  Scenario: The output of the child is that of the task
    Given another workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: add, version: '1.0.0' }
    do: [ { sum: { set: { sum: '${ .a + .b }' } } } ]
    """
    And a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: the-output-of-the-child, version: '1.0.0' }
    do:
      - one: { run: { workflow: { namespace: conformance, name: add, version: '1.0.0', input: { a: 1, b: '${ .n }' } } } }
      - two: { set: { doubled: '${ .sum * 2 }' } }
    """
    And given the workflow input is:
    """yaml
    n: 2
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    doubled: 6
    """
    And one should complete with output:
    """yaml
    sum: 3
    """
    And the workflow should have started 1 other

  Scenario: Without an input the child gets the task's
    Given another workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: mirror, version: '1.0.0' }
    do: []
    """
    And a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: without-an-input, version: '1.0.0' }
    do:
      - one:
          input: { from: .inner }
          run: { workflow: { namespace: conformance, name: mirror, version: latest } }
    """
    And given the workflow input is:
    """yaml
    inner: [ 1.50 ]
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    [ 1.50 ]
    """

  Scenario: The caller's filters and the child's own both apply
    Given another workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: filtered, version: '1.0.0' }
    input: { from: .x }
    do: [ { one: { set: { y: '${ . + 1 }' } } } ]
    output: { as: .y }
    """
    And a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: both-filters, version: '1.0.0' }
    do:
      - one:
          run: { workflow: { namespace: conformance, name: filtered, version: latest, input: { x: 1 } } }
          output: { as: '{ got: . }' }
          export: { as: '${ .got }' }
      - two: { set: { context: '${ $context }', data: '${ . }' } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    context: 2
    data: { got: 2 }
    """

  Scenario: The child does not see the parent's context
    Given another workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: looks, version: '1.0.0' }
    do: [ { one: { set: { seen: '${ $context }' } } } ]
    """
    And a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: no-context, version: '1.0.0' }
    do:
      - keep: { set: { a: 1 }, export: { as: '{ secret: 1 }' } }
      - one: { run: { workflow: { namespace: conformance, name: looks, version: latest } } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    seen: null
    """

  Scenario: Latest is the newest published version
    Given another workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: versioned, version: '1.10.0' }
    do: [ { one: { set: { v: 110 } } } ]
    """
    And another workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: versioned, version: '1.9.0' }
    do: [ { one: { set: { v: 19 } } } ]
    """
    And a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: latest, version: '1.0.0' }
    do:
      - newest: { run: { workflow: { namespace: conformance, name: versioned, version: latest } }, export: { as: .v } }
      - named: { run: { workflow: { namespace: conformance, name: versioned, version: 1.9.0 } } }
      - both: { set: { newest: '${ $context }', named: '${ .v }' } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    newest: 110
    named: 19
    """

  Scenario: An error of the child is the task's, with its place before the child's
    Given another workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: broken, version: '1.0.0' }
    do: [ { boom: { raise: { error: { type: 'https://example.com/boom', status: 418, title: Boom } } } } ]
    """
    And a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: an-error-of-the-child, version: '1.0.0' }
    do:
      - one: { run: { workflow: { namespace: conformance, name: broken, version: latest } } }
      - two: { set: { x: 1 } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    type: https://example.com/boom
    status: 418
    title: Boom
    instance: /do/0/one/do/0/boom
    """
    And two should not run

  Scenario: An error of the child is caught by its type
    Given another workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: broken, version: '1.0.0' }
    do: [ { boom: { raise: { error: { type: 'https://example.com/boom', status: 418 } } } } ]
    """
    And a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-caught-error, version: '1.0.0' }
    do:
      - safe:
          try: [ { one: { run: { workflow: { namespace: conformance, name: broken, version: latest } } } } ]
          catch: { errors: { with: { type: 'https://example.com/boom' } }, as: e, do: [ { say: { set: { was: '${ $e.status }' } } } ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    was: 418
    """

  Scenario: A retry starts another child
    Given another workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: flaky, version: '1.0.0' }
    do: [ { get: { call: http, with: { method: get, endpoint: 'http://conformance.test/flaky/subflow/503/2' } } } ]
    """
    And a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-retry-starts-another-child, version: '1.0.0' }
    do:
      - safe:
          try: [ { one: { run: { workflow: { namespace: conformance, name: flaky, version: latest } } } } ]
          catch: { retry: { delay: { milliseconds: 10 }, limit: { attempt: { count: 5 } } } }
    """
    When the workflow is executed
    Then the workflow should complete
    And one should run 3 times
    And the workflow should have started 3 others

  Scenario: A workflow that is not there is an error of the task
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: not-there, version: '1.0.0' }
    do:
      - one: { run: { workflow: { namespace: conformance, name: nobody, version: latest } } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    type: https://open-workflow-specification.org/spec/1.0.0/errors/configuration
    status: 400
    instance: /do/0/one
    """
    And the workflow should have started 0 others

  Scenario: Await false goes on with the input
    Given another workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: aside, version: '1.0.0' }
    do: [ { get: { call: http, with: { method: get, endpoint: 'http://conformance.test/echo/aside' } } } ]
    """
    And a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: await-false, version: '1.0.0' }
    do:
      - one:
          run: { workflow: { namespace: conformance, name: aside, version: latest, input: { x: 1 } }, await: false }
          output: { as: '{ was: . }' }
    """
    And given the workflow input is:
    """yaml
    n: 2
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    was: { n: 2 }
    """
    And the workflow should have started 1 other

  Scenario: A loop starts a child for each item, one after the other
    Given another workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: plus, version: '1.0.0' }
    do: [ { one: { set: { sum: '${ .sum + .x }' } } } ]
    """
    And a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-loop-of-children, version: '1.0.0' }
    do:
      - zero: { set: { sum: 0 } }
      - all:
          for: { each: x, in: '[1, 2, 3]' }
          do:
            - one:
                run: { workflow: { namespace: conformance, name: plus, version: latest, input: { sum: '${ .sum }', x: '${ $x }' } } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    sum: 6
    """
    And the workflow should have started 3 others

  Scenario: Children run side by side in a fork
    Given another workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: square, version: '1.0.0' }
    do: [ { nap: { wait: { milliseconds: 5 } } }, { one: { set: '${ .x * .x }' } } ]
    """
    And a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: side-by-side, version: '1.0.0' }
    do:
      - all:
          fork:
            branches:
              - a: { run: { workflow: { namespace: conformance, name: square, version: latest, input: { x: 2 } } } }
              - b: { run: { workflow: { namespace: conformance, name: square, version: latest, input: { x: 3 } } } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    [ 4, 9 ]
    """

  Scenario: The child of a branch that has lost is cancelled
    Given another workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: slow, version: '1.0.0' }
    do: [ { nap: { wait: PT1H } } ]
    """
    And a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-lost-race, version: '1.0.0' }
    do:
      - race:
          fork:
            compete: true
            branches:
              - slow: { run: { workflow: { namespace: conformance, name: slow, version: latest } } }
              - fast: { wait: { milliseconds: 5 } }
    """
    When the workflow is executed
    Then the workflow should complete
    And slow should cancel
    And the others should be cancelled

  Scenario: The timeout of the task cancels the child
    Given another workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: slow, version: '1.0.0' }
    do: [ { nap: { wait: PT1H } } ]
    """
    And a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-timeout-of-the-child, version: '1.0.0' }
    do:
      - safe:
          try:
            - one:
                run: { workflow: { namespace: conformance, name: slow, version: latest } }
                timeout: { after: { milliseconds: 5 } }
          catch: { errors: { with: { status: 408 } } }
    """
    When the workflow is executed
    Then the workflow should complete
    And the others should be cancelled

  Scenario: A cancelled workflow cancels the child that it waits for
    Given another workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: slow, version: '1.0.0' }
    do: [ { ask: { call: userTask, with: { key: k } } } ]
    """
    And a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-cancelled-parent, version: '1.0.0' }
    do: [ { one: { run: { workflow: { namespace: conformance, name: slow, version: latest } } } } ]
    """
    When the workflow is executed
    And the workflow is cancelled
    Then the workflow should cancel
    And the others should be cancelled

  Scenario: A workflow may not run itself for ever
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: endless, version: '1.0.0' }
    do: [ { again: { run: { workflow: { namespace: conformance, name: endless, version: latest } } } } ]
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    type: https://open-workflow-specification.org/spec/1.0.0/errors/configuration
    status: 400
    """

  Scenario: A container is refused by name
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-container, version: '1.0.0' }
    do: [ { one: { run: { container: { image: x } } } } ]
    """
    When the workflow is executed
    Then the definition should be refused, naming "run: container"

  Scenario: A child needs a namespace, a name and a version
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: nothing-named, version: '1.0.0' }
    do: [ { one: { run: { workflow: { namespace: conformance, name: x } } } } ]
    """
    When the workflow is executed
    Then the definition should be refused, naming "'version' is missing"
