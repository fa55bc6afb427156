Feature: Errors raised
  raise: inline, by name, again; and what an error is made of.

  Scenario: An inline error faults the workflow
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: an-inline-error-faults-the-workflow, version: '1.0.0' }
    do:
      - no: { raise: { error: { type: 'https://example.com/no', status: 418, title: No, detail: not today } } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    type: https://example.com/no
    status: 418
    title: No
    detail: not today
    instance: /do/0/no
    """
    And no should fault with error:
    """yaml
    type: https://example.com/no
    """

  Scenario: Title and detail may be expressions
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: title-and-detail-may-be-expressions, version: '1.0.0' }
    do:
      - no: { raise: { error: { type: 'https://example.com/no', status: 418, title: '${ "No, " + .name }', detail: '${ $workflow.definition.document.name }' } } }
    """
    And given the workflow input is:
    """yaml
    name: Ada
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    title: No, Ada
    detail: title-and-detail-may-be-expressions
    """

  Scenario: An error may be defined once and raised by name
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: an-error-may-be-defined-once-and-raised-by-name, version: '1.0.0' }
    use:
      errors: { teapot: { type: 'https://example.com/teapot', status: 418 } }
    do:
      - no: { raise: { error: teapot } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    type: https://example.com/teapot
    status: 418
    instance: /do/0/no
    """

  Scenario: A name that nobody defined is refused
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-name-that-nobody-defined-is-refused, version: '1.0.0' }
    do:
      - no: { raise: { error: teapot } }
    """
    When the workflow is executed
    Then the definition should be refused, naming "teapot"

  Scenario: A caught error may be raised again, and keeps where it came from
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-caught-error-may-be-raised-again-and-keeps-where-it-came-f, version: '1.0.0' }
    do:
      - safe:
          try: [ { no: { raise: { error: { type: 'https://example.com/no', status: 418, title: No } } } } ]
          catch: { do: [ { again: { raise: { error: '${ $error }' } } } ] }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    type: https://example.com/no
    status: 418
    title: No
    instance: /do/0/safe/try/0/no
    """

  Scenario: What comes after an error does not run
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: what-comes-after-an-error-does-not-run, version: '1.0.0' }
    do:
      - one: { set: { a: 1 } }
      - no: { raise: { error: { type: 'https://example.com/no', status: 418 } } }
      - never: { set: { never: true } }
    """
    When the workflow is executed
    Then the workflow should fault
    And one should run first
    And no should run last
    And never should not run

  Scenario: A standard error may be raised like any other
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-standard-error-may-be-raised-like-any-other, version: '1.0.0' }
    do:
      - safe:
          try: [ { no: { raise: { error: { type: 'https://open-workflow-specification.org/spec/1.0.0/errors/authorization', status: 403 } } } } ]
          catch: { errors: { with: { type: 'https://serverlessworkflow.io/spec/1.0.0/errors/authorization' } } }
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

  Scenario: An error without a status is refused
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: an-error-without-a-status-is-refused, version: '1.0.0' }
    do:
      - no: { raise: { error: { type: 'https://example.com/no' } } }
    """
    When the workflow is executed
    Then the definition should be refused, naming "status"
