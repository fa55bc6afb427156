Feature: Functions
  use.functions: tasks that are called by name.

  Scenario: A function is called with its arguments
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-function-is-called-with-its-arguments, version: '1.0.0' }
    use:
      functions:
        add: { set: { sum: '${ .a + .b }' } }
    do:
      - one: { call: add, with: { a: 1, b: '${ .n }' } }
    """
    And given the workflow input is:
    """yaml
    n: 2
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    sum: 3
    """

  Scenario: A function may be a call
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-function-may-be-a-call, version: '1.0.0' }
    use:
      functions:
        pet: { call: http, with: { method: get, endpoint: 'http://conformance.test/echo/{id}' }, output: { as: .path } }
    do:
      - one: { call: pet, with: { id: 7 } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    /echo/7
    """

  Scenario: A function may be a list, and functions may call each other
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-function-may-be-a-list-and-functions-may-call-each-other, version: '1.0.0' }
    use:
      functions:
        twice: { set: '${ .n * 2 }' }
        both:
          do:
            - first: { call: twice, with: { n: '${ .n }' } }
            - second: { call: twice, with: { n: '${ . }' } }
    do:
      - one: { call: both, with: { n: 3 } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    12
    """

  Scenario: The caller's filters and the function's own both apply
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: the-caller-s-filters-and-the-function-s-own-both-apply, version: '1.0.0' }
    use:
      functions:
        add: { set: '${ .a + 1 }', output: { as: '{ inner: . }' } }
    do:
      - one: { input: { from: .n }, call: add, with: { a: '${ . }' }, output: { as: '. + { outer: $input }' } }
    """
    And given the workflow input is:
    """yaml
    n: 1
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    inner: 2
    outer: 1
    """

  Scenario: A function does not see its caller's variables
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-function-does-not-see-its-caller-s-variables, version: '1.0.0' }
    use:
      functions:
        look: { set: { seen: '${ $item }' } }
    do:
      - loop: { for: { in: '[1]' }, do: [ { one: { call: look } } ] }
    """
    When the workflow is executed
    Then the definition should be refused, naming "$item"

  @A-24
  Scenario: The context is shared with the functions
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: the-context-is-shared-with-the-functions, version: '1.0.0' }
    use:
      functions:
        note: { set: { n: '${ $context.n + 1 }' }, export: { as: '{ n: .n }' } }
    do:
      - start: { set: { n: 1 }, export: { as: . } }
      - one: { call: note }
      - two: { call: note }
      - show: { set: '${ $context }' }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    n: 3
    """

  Scenario: An error in a function is caught where it was called
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: an-error-in-a-function-is-caught-where-it-was-called, version: '1.0.0' }
    use:
      functions:
        no: { raise: { error: { type: 'https://example.com/no', status: 418 } } }
    do:
      - safe: { try: [ { one: { call: no } } ], catch: { do: [ { tell: { set: { status: '${ $error.status }', at: '${ $error.instance }' } } } ] } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    status: 418
    at: /use/functions/no
    """

  Scenario: A function that calls itself without end fails
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-function-that-calls-itself-without-end-fails, version: '1.0.0' }
    use:
      functions:
        again: { do: [ { more: { call: again } } ] }
    do:
      - one: { call: again }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    type: https://open-workflow-specification.org/spec/1.0.0/errors/runtime
    """
