Feature: Values
  set: what becomes of an object and of an expression.

  Scenario: set replaces the data
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: set-replaces-the-data, version: '1.0.0' }
    do:
      - one: { set: { b: 2 } }
    """
    And given the workflow input is:
    """yaml
    a: 1
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    b: 2
    """

  Scenario: Expressions stand at any depth, and keep their types
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: expressions-stand-at-any-depth-and-keep-their-types, version: '1.0.0' }
    do:
      - one: { set: { list: [ 1, '${ .n }', { deep: '${ .n > 1 }' } ], text: '${ "\(.n)" }', none: ~, yes: yes, empty: {} } }
    """
    And given the workflow input is:
    """yaml
    n: 2
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    list: [ 1, 2, { deep: true } ]
    text: '2'
    none: ~
    'yes': 'yes'
    empty: {}
    """

  Scenario: set may be one expression, of any type
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: set-may-be-one-expression-of-any-type, version: '1.0.0' }
    do:
      - one: { set: '${ [ .[] | . * 2 ] }' }
    """
    And given the workflow input is:
    """yaml
    [ 1, 2 ]
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    [ 2, 4 ]
    """

  Scenario: Keys are never expressions
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: keys-are-never-expressions, version: '1.0.0' }
    do:
      - one: { set: { '${ .a }': 1 } }
    """
    And given the workflow input is:
    """yaml
    a: b
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    '${ .a }': 1
    """

  Scenario: Durations and times in data stay text
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: durations-and-times-in-data-stay-text, version: '1.0.0' }
    do:
      - one: { set: { wait: PT1H, on: 2026-01-02, ratio: 1.50 } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    wait: PT1H
    'on': '2026-01-02'
    ratio: 1.5
    """

  Scenario: An empty object is refused
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: an-empty-object-is-refused, version: '1.0.0' }
    do:
      - one: { set: {} }
    """
    When the workflow is executed
    Then the definition should be refused, naming "set"
