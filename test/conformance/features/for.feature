Feature: Loops
  for: each, in, at, while; and what goes from one iteration to the next.

  Scenario: By default the variables are item and index
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: by-default-the-variables-are-item-and-index, version: '1.0.0' }
    do:
      - loop: { for: { in: .list }, do: [ { add: { set: { seen: '${ (.seen // []) + [[$item, $index]] }' } } } ] }
    """
    And given the workflow input is:
    """yaml
    list: [ a, b ]
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    seen: [ [ a, 0 ], [ b, 1 ] ]
    """
    And add should run 2 times

  Scenario: each and at name the variables
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: each-and-at-name-the-variables, version: '1.0.0' }
    do:
      - loop: { for: { each: pet, at: place, in: .list }, do: [ { add: { set: '${ { sum: ((.sum // "") + $pet + ($place | tostring)) } }' } } ] }
    """
    And given the workflow input is:
    """yaml
    list: [ a, b ]
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    sum: a0b1
    """

  Scenario: Each iteration gets the output of the one before
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: each-iteration-gets-the-output-of-the-one-before, version: '1.0.0' }
    do:
      - loop: { for: { in: '[1, 2, 3]' }, do: [ { add: { set: '${ . * 2 + $item }' } } ] }
    """
    And given the workflow input is:
    """yaml
    1
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    19
    """

  Scenario: Without items the input goes on
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: without-items-the-input-goes-on, version: '1.0.0' }
    do:
      - loop: { for: { in: '[]' }, do: [ { never: { set: { never: true } } } ] }
    """
    And given the workflow input is:
    """yaml
    kept: true
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    kept: true
    """
    And never should not run

  Scenario: in is evaluated once
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: in-is-evaluated-once, version: '1.0.0' }
    do:
      - loop: { for: { in: .list }, do: [ { grow: { set: { list: '${ .list + [$item] }' } } } ] }
    """
    And given the workflow input is:
    """yaml
    list: [ 1, 2 ]
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    list: [ 1, 2, 1, 2 ]
    """

  Scenario: in may be an array of objects in the document
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: in-may-be-an-array-of-objects-in-the-document, version: '1.0.0' }
    do:
      - loop: { for: { in: [ { n: 1 }, { n: 2 } ] }, do: [ { add: { set: { sum: '${ .sum + $item.n }' } } } ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    sum: 3
    """

  Scenario: while is asked before each iteration, with the data that enters it
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: while-is-asked-before-each-iteration-with-the-data-that-ente, version: '1.0.0' }
    do:
      - loop: { for: { in: '[1, 2, 3, 4]' }, while: '.sum < 3', do: [ { add: { set: { sum: '${ .sum + $item }' } } } ] }
    """
    And given the workflow input is:
    """yaml
    sum: 0
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    sum: 3
    """
    And add should run 2 times

  Scenario: while sees the variables of the iteration
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: while-sees-the-variables-of-the-iteration, version: '1.0.0' }
    do:
      - loop: { for: { each: x, at: i, in: '[5, 6, 7]' }, while: '$x < 7 and $i < 5', do: [ { add: { set: { last: '${ $x }' } } } ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    last: 6
    """

  @A-14
  Scenario: null is an empty list
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: null-is-an-empty-list, version: '1.0.0' }
    do:
      - loop: { for: { in: .nothing }, do: [ { never: { set: { never: true } } } ] }
    """
    And given the workflow input is:
    """yaml
    kept: true
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    kept: true
    """

  @A-14
  Scenario: Anything else but an array is an error
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: anything-else-but-an-array-is-an-error, version: '1.0.0' }
    do:
      - loop: { for: { in: .n }, do: [ { never: { set: { never: true } } } ] }
    """
    And given the workflow input is:
    """yaml
    n: 3
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    type: https://open-workflow-specification.org/spec/1.0.0/errors/expression
    status: 400
    instance: /do/0/loop
    """

  @A-13
  Scenario: exit in the body ends the iteration, not the loop
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: exit-in-the-body-ends-the-iteration-not-the-loop, version: '1.0.0' }
    do:
      - loop:
          for: { in: '[1, 2, 3]' }
          do:
            - odd: { if: '$item == 2', set: { sum: '${ .sum }' }, then: exit }
            - add: { set: { sum: '${ .sum + $item }' } }
    """
    And given the workflow input is:
    """yaml
    sum: 0
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    sum: 4
    """
    And add should run 2 times

  Scenario: end in the body ends the workflow
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: end-in-the-body-ends-the-workflow, version: '1.0.0' }
    do:
      - loop: { for: { in: '[1, 2, 3]' }, do: [ { one: { set: { n: '${ $item }' }, then: end } } ] }
      - never: { set: { never: true } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    n: 1
    """

  Scenario: Loops nest, and the inner variable hides the outer
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: loops-nest-and-the-inner-variable-hides-the-outer, version: '1.0.0' }
    do:
      - outer:
          for: { in: '[1, 2]' }
          do:
            - inner: { for: { in: '["a", "b"]', at: i }, do: [ { add: { set: { seen: '${ (.seen // []) + [[$item, $i, $index]] }' } } } ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    seen: [ [ a, 0, 0 ], [ b, 1, 0 ], [ a, 0, 1 ], [ b, 1, 1 ] ]
    """

  Scenario: A call in a loop is made once per item
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-call-in-a-loop-is-made-once-per-item, version: '1.0.0' }
    do:
      - loop:
          for: { in: '["a", "b", "c"]' }
          do: [ { ask: { call: http, with: { method: get, endpoint: 'http://conformance.test/echo', query: { q: '${ $item }' } }, output: { as: .query.q } } } ]
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    c
    """
    And ask should run 3 times

  Scenario: An error in the body fails the loop
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: an-error-in-the-body-fails-the-loop, version: '1.0.0' }
    do:
      - loop:
          for: { in: '[1, 2, 3]' }
          do: [ { no: { if: '$item == 2', raise: { error: { type: 'https://example.com/no', status: 418 } } } } ]
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    type: https://example.com/no
    status: 418
    instance: /do/0/loop/do/0/no
    """
