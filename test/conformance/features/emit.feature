Feature: Events
  emit: the output is the event.

  Scenario: Id, time and version are filled in
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: id-time-and-version-are-filled-in, version: '1.0.0' }
    do:
      - tell: { emit: { event: { with: { source: 'https://example.com', type: com.example.told, data: { n: '${ .n }' } } } }, output: { as: '{ version: .specversion, source, type, data, id: (.id | type), time: (.time | type) }' } }
    """
    And given the workflow input is:
    """yaml
    n: 1
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    version: "1.0"
    source: https://example.com
    type: com.example.told
    data: { n: 1 }
    id: string
    time: string
    """

  Scenario: Without a source the workflow is the source
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: without-a-source-the-workflow-is-the-source, version: '1.0.0' }
    do:
      - tell: { emit: { event: { with: { type: com.example.told } } }, output: { as: .source } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    /conformance/without-a-source-the-workflow-is-the-source/1.0.0
    """

  Scenario: Given attributes stay, extension attributes too
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: given-attributes-stay-extension-attributes-too, version: '1.0.0' }
    do:
      - tell: { emit: { event: { with: { id: mine, source: 'https://example.com', type: com.example.told, subject: '${ .subject }', myext: x, time: '2026-01-02T03:04:05Z' } } } }
    """
    And given the workflow input is:
    """yaml
    subject: Ada
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    specversion: '1.0'
    id: mine
    source: https://example.com
    type: com.example.told
    subject: Ada
    myext: x
    time: '2026-01-02T03:04:05Z'
    """

  Scenario: Each event has an id of its own
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: each-event-has-an-id-of-its-own, version: '1.0.0' }
    do:
      - one: { emit: { event: { with: { type: com.example.told } } }, output: { as: '[.id]' } }
      - two: { emit: { event: { with: { type: com.example.told } } }, output: { as: '$input + [.id] | unique | length' } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    2
    """

  Scenario: The data may be kept beside the event
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: the-data-may-be-kept-beside-the-event, version: '1.0.0' }
    do:
      - tell: { emit: { event: { with: { type: com.example.told } } }, output: { as: $input } }
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

  Scenario: An event without a type is refused
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: an-event-without-a-type-is-refused, version: '1.0.0' }
    do:
      - tell: { emit: { event: { with: { source: 'https://example.com' } } } }
    """
    When the workflow is executed
    Then the definition should be refused, naming "type"
