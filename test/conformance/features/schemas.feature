Feature: Schemas
  JSON Schemas of what comes in and goes out. What does not fit is an error of type validation, status 400.

  Scenario: An input that does not fit starts nothing
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: schema-of-the-input, version: '1.0.0' }
    input:
      schema:
        format: json
        document: { type: object, required: [ id ], properties: { id: { type: integer, minimum: 1 } } }
    do:
      - a: { set: { n: '${ .id }' } }
    """
    And given the workflow input is:
    """yaml
    id: 0
    """
    When the workflow is executed
    Then the workflow should not start, because "'/id' must be at least 1, not 0"

  Scenario: An input that fits is passed on as it came
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: schema-of-a-good-input, version: '1.0.0' }
    input: { schema: { document: { required: [ id ] } }, from: .id }
    do:
      - a: { set: { n: '${ . }', raw: '${ $workflow.input }' } }
    """
    And given the workflow input is:
    """yaml
    { id: 1.50, more: x }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    n: 1.5
    raw: { id: 1.5, more: x }
    """

  Scenario: A task's input is validated before it is transformed
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: schema-of-a-task-input, version: '1.0.0' }
    do:
      - a: { set: { list: [ 1 ] } }
      - b: { set: { n: 1 }, input: { from: .list, schema: { document: { type: array } } } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    type: https://open-workflow-specification.org/spec/1.0.0/errors/validation
    status: 400
    instance: /do/1/b
    """
    And b should fault

  Scenario: A task's output is validated behind its transformation, and the error may be caught
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: schema-of-a-task-output, version: '1.0.0' }
    do:
      - safe:
          try:
            - good: { set: { n: 1 }, output: { as: .n, schema: { document: { type: integer } } } }
            - bad: { set: { n: one }, output: { as: .n, schema: { document: { type: integer } } } }
          catch:
            errors: { with: { type: https://open-workflow-specification.org/spec/1.0.0/errors/validation } }
            do: [ { caught: { set: { detail: '${ $error.detail }', at: '${ $error.instance }' } } } ]
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    detail: the output must be an integer, not a string
    at: /do/0/safe/try/1/bad
    """
    And good should complete

  Scenario: A context that does not fit is not exported
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: schema-of-the-context, version: '1.0.0' }
    do:
      - safe:
          try:
            - first: { set: { n: 1 }, export: { as: '{ n: .n }', schema: { document: { properties: { n: { maximum: 1 } } } } } }
            - second: { set: { n: 2 }, export: { as: '{ n: .n }', schema: { document: { properties: { n: { maximum: 1 } } } } } }
          catch: { do: [ { caught: { set: '${ $context }' } } ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    n: 1
    """

  Scenario: The workflow's output must fit when it is transformed
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: schema-of-the-output, version: '1.0.0' }
    do:
      - a: { set: { n: 1 } }
    output: { as: .n, schema: { document: { type: string } } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    type: https://open-workflow-specification.org/spec/1.0.0/errors/validation
    status: 400
    """

  Scenario: A skipped task is not validated
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: schema-of-a-skipped-task, version: '1.0.0' }
    do:
      - a: { if: '${ false }', set: { n: 1 }, input: { schema: { document: false } } }
      - b: { set: { done: true } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    done: true
    """

  Scenario: A child whose input does not fit fails its task
    Given another workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: choosy, version: '1.0.0' }
    input: { schema: { document: { required: [ id ] } } }
    do: [ { a: { set: { ran: true } } } ]
    """
    And a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: schema-of-a-child, version: '1.0.0' }
    do:
      - safe:
          try: [ { sub: { run: { workflow: { namespace: conformance, name: choosy, version: 1.0.0, input: { n: 1 } } } } } ]
          catch: { errors: { with: { status: 400 } }, do: [ { caught: { set: { detail: '${ $error.detail }' } } } ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    detail: the input must have the member "id"
    """

  Scenario: A schema that is none is refused with the definition
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: no-schema, version: '1.0.0' }
    input: { schema: { document: { properties: { a: { type: text } } } } }
    do: []
    """
    When the workflow is executed
    Then the definition should be refused, naming "'/properties/a/type' must be one of"

  Scenario: References, conditions and what is left over
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: schema-of-much, version: '1.0.0' }
    input:
      schema:
        document:
          $defs:
            money: { type: number, multipleOf: 0.01, exclusiveMinimum: 0 }
          type: object
          properties: { amount: { $ref: '#/$defs/money' }, kind: { enum: [ card, cash ] } }
          required: [ amount, kind ]
          if: { properties: { kind: { const: card } } }
          then: { properties: { number: { pattern: '^[0-9]{4}$' } }, required: [ number ] }
          unevaluatedProperties: false
    do:
      - a: { set: { paid: '${ .amount }' } }
    """
    And given the workflow input is:
    """yaml
    { amount: 19.99, kind: card, number: '1234' }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    paid: 19.99
    """
