Feature: People
  call: userTask, a function of the engine: someone is asked, and the workflow waits for the answer.

  Scenario: The workflow waits until somebody answers
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: the-workflow-waits-until-somebody-answers, version: '1.0.0' }
    do:
      - ask: { call: userTask, with: { key: approve, assignedTo: ann, title: Approve } }
      - done: { set: { approved: '${ .approved }', by: '${ .completedBy }', at: '${ .completedAt | type }' } }
    """
    When the workflow is executed
    Then the workflow should be waiting for "approve"
    When ann answers "approve" with:
    """yaml
    approved: true
    """
    Then the workflow should complete with output:
    """yaml
    approved: true
    by: ann
    at: string
    """
    And ask should complete
    And done should run after ask

  Scenario: An answer that is no object is in value
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: an-answer-that-is-no-object-is-in-value, version: '1.0.0' }
    do:
      - ask: { call: userTask, with: { key: number } }
      - done: { set: '${ .value }' }
    """
    When the workflow is executed
    And bob answers "number" with:
    """yaml
    42
    """
    Then the workflow should complete with output:
    """yaml
    42
    """

  Scenario: Keys may be computed, and questions asked one after the other
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: keys-may-be-computed-and-questions-asked-one-after-the-other, version: '1.0.0' }
    do:
      - loop:
          for: { each: who, in: '["ann", "bob"]' }
          do: [ { ask: { call: userTask, with: { key: '${ "ask-" + $who }' }, output: { as: '($input // []) + [.said]' } } } ]
    """
    When the workflow is executed
    Then the workflow should be waiting for "ask-ann"
    When ann answers "ask-ann" with:
    """yaml
    said: a
    """
    Then the workflow should be waiting for "ask-bob"
    When bob answers "ask-bob" with:
    """yaml
    said: b
    """
    Then the workflow should complete with output:
    """yaml
    [ a, b ]
    """

  Scenario: The answer decides the way
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: the-answer-decides-the-way, version: '1.0.0' }
    do:
      - ask: { call: userTask, with: { key: decide } }
      - choose:
          switch:
            - yes: { when: .approved, then: pay }
            - no: { then: refuse }
      - pay: { set: { paid: true }, then: end }
      - refuse: { set: { refused: true } }
    """
    When the workflow is executed
    And ann answers "decide" with:
    """yaml
    approved: false
    """
    Then the workflow should complete with output:
    """yaml
    refused: true
    """
    And pay should not run

  Scenario: A question whose time is over is handled, and its answer comes too late
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-question-whose-time-is-over-is-handled-and-its-answer-come, version: '1.0.0' }
    do:
      - safe:
          try: [ { ask: { call: userTask, with: { key: ask }, timeout: { after: PT0.05S } } } ]
          catch: { errors: { with: { status: 408 } }, do: [ { remind: { call: userTask, with: { key: again } } } ] }
      - done: { set: { said: '${ .said }' } }
    """
    When the workflow is executed
    Then the workflow should be waiting for "again"
    When ann answers "again" with:
    """yaml
    said: at last
    """
    Then the workflow should complete with output:
    """yaml
    said: at last
    """

  Scenario: An answer must fit the form
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: an-answer-must-fit-the-form, version: '1.0.0' }
    do:
      - ask:
          call: userTask
          with: { key: decide, form: { schema: { type: object, required: [ approved ], properties: { approved: { type: boolean } } } } }
      - done: { set: { approved: '${ .approved }' } }
    """
    When the workflow is executed
    Then ann should not be able to answer "decide", because "'/approved' must be a boolean, not a string", with:
    """yaml
    approved: 'yes'
    """
    And the workflow should be waiting for "decide"
    When ann answers "decide" with:
    """yaml
    approved: true
    """
    Then the workflow should complete with output:
    """yaml
    approved: true
    """

  Scenario: What becomes of an answer must fit the task's output
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: what-becomes-of-an-answer-must-fit, version: '1.0.0' }
    do:
      - ask: { call: userTask, with: { key: number }, output: { as: .value, schema: { document: { minimum: 10 } } } }
    """
    When the workflow is executed
    Then bob should not be able to answer "number", because "the output must be at least 10, not 9", with:
    """yaml
    9
    """
    When bob answers "number" with:
    """yaml
    10
    """
    Then the workflow should complete with output:
    """yaml
    10
    """
