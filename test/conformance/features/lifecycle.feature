Feature: Lifecycle events
  What becomes of an instance and its tasks, as CloudEvents in the order in which it happened. Those of tasks are off unless the
  definition asks for them, below metadata.pawl.

  Scenario: Without a word about it the instance tells of its start and its end
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: without-a-word-about-it-the-instance-tells-of-its-start-and, version: '1.0.0' }
    do:
      - one: { set: { x: 1 } }
      - two: { set: { x: 2 } }
    """
    When the workflow is executed
    Then the events should be:
    """
    workflow.started
    workflow.completed
    """
    And each event should have an id of its own
    And the event 'workflow.started' should have a 'data.definition' property with value:
    """yaml
    name: without-a-word-about-it-the-instance-tells-of-its-start-and
    namespace: conformance
    version: 1.0.0
    """
    And the event 'workflow.started' should have properties 'source', 'subject', 'time', 'data.name', 'data.startedAt'
    And the event 'workflow.completed' should have properties 'data.name', 'data.completedAt'
    And the event 'workflow.completed' should have a 'data.output' property with value:
    """yaml
    x: 2
    """

  Scenario: A definition may want to be told nothing
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-definition-may-want-to-be-told-nothing, version: '1.0.0', metadata: { pawl: { lifecycle: { workflow: none } } } }
    do:
      - one: { set: { x: 1 } }
    """
    When the workflow is executed
    Then the workflow should complete
    And there should be no events

  Scenario: Each task is created, started and completed, a scope behind what is in it
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: each-task-is-created-started-and-completed-a-scope-behind-wh, version: '1.0.0', metadata: { pawl: { lifecycle: { tasks: all } } } }
    do:
      - outer: { do: [ { inner: { set: { x: 1 } } } ] }
    """
    When the workflow is executed
    Then the events should be:
    """
    workflow.started
    task.created /do/0/outer
    task.started /do/0/outer
    task.created /do/0/outer/do/0/inner
    task.started /do/0/outer/do/0/inner
    task.completed /do/0/outer/do/0/inner
    task.completed /do/0/outer
    workflow.completed
    """
    And the event 'task.created /do/0/outer' should have properties 'data.workflow', 'data.createdAt', 'data.visit'
    And the event 'task.started /do/0/outer' should have properties 'data.workflow', 'data.startedAt'
    And the event 'task.completed /do/0/outer' should have properties 'data.workflow', 'data.completedAt'
    And the event 'task.completed /do/0/outer' should have no property 'data.output'
    And each event should have an id of its own

  Scenario: Only the kinds that are listed are told
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: only-the-kinds-that-are-listed-are-told, version: '1.0.0', metadata: { pawl: { lifecycle: { workflow: [ completed ], tasks: [ started ] } } } }
    do:
      - one: { set: { x: 1 } }
      - two: { set: { x: 2 } }
    """
    When the workflow is executed
    Then the events should be:
    """
    task.started /do/0/one
    task.started /do/1/two
    workflow.completed
    """

  Scenario: The output of tasks is told on request
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: the-output-of-tasks-is-told-on-request, version: '1.0.0', metadata: { pawl: { lifecycle: { tasks: [ completed ], output: true } } } }
    do:
      - one: { set: { x: 1 } }
    """
    When the workflow is executed
    Then the events should be:
    """
    workflow.started
    task.completed /do/0/one
    workflow.completed
    """
    And the event 'task.completed /do/0/one' should have a 'data.output' property with value:
    """yaml
    x: 1
    """
    And the event 'workflow.completed' should have a 'data.output' property with value:
    """yaml
    x: 1
    """

  Scenario: No output is told on request
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: no-output-is-told-on-request, version: '1.0.0', metadata: { pawl: { lifecycle: { tasks: [ completed ], output: false } } } }
    do:
      - one: { set: { secret: 1 } }
    """
    When the workflow is executed
    Then the events should be:
    """
    workflow.started
    task.completed /do/0/one
    workflow.completed
    """
    And the event 'task.completed /do/0/one' should have no property 'data.output'
    And the event 'workflow.completed' should have no property 'data.output'

  Scenario: A task that is skipped has no events
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-task-that-is-skipped-has-no-events, version: '1.0.0', metadata: { pawl: { lifecycle: { workflow: none, tasks: all } } } }
    do:
      - no: { if: .wanted, set: { x: 1 } }
      - yes: { set: { x: 2 } }
    """
    And given the workflow input is:
    """yaml
    wanted: false
    """
    When the workflow is executed
    Then the events should be:
    """
    task.created /do/1/yes
    task.started /do/1/yes
    task.completed /do/1/yes
    """

  Scenario: An error is told of each task up to the one that catches it
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: an-error-is-told-of-each-task-up-to-the-one-that-catches-it, version: '1.0.0', metadata: { pawl: { lifecycle: { workflow: none, tasks: [ faulted ] } } } }
    do:
      - careful:
          try: [ { scope: { do: [ { no: { raise: { error: { type: 'https://example.com/no', status: 503 } } } } ] } } ]
          catch: {}
    """
    When the workflow is executed
    Then the events should be:
    """
    task.faulted /do/0/careful/try/0/scope/do/0/no
    task.faulted /do/0/careful/try/0/scope
    """
    And the event 'task.faulted /do/0/careful/try/0/scope' should have an 'data.error' property with value:
    """yaml
    type: https://example.com/no
    status: 503
    instance: /do/0/careful/try/0/scope/do/0/no
    """
    And the event 'task.faulted /do/0/careful/try/0/scope' should have properties 'data.faultedAt'

  Scenario: An error that nobody catches is told of the task, then of the instance
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: an-error-that-nobody-catches-is-told-of-the-task-then-of-the, version: '1.0.0', metadata: { pawl: { lifecycle: { tasks: [ faulted ] } } } }
    do:
      - no: { raise: { error: { type: 'https://example.com/no', status: 503 } } }
    """
    When the workflow is executed
    Then the events should be:
    """
    workflow.started
    task.faulted /do/0/no
    workflow.faulted
    """
    And the event 'workflow.faulted' should have an 'data.error' property with value:
    """yaml
    type: https://example.com/no
    status: 503
    instance: /do/0/no
    """
    And the event 'workflow.faulted' should have properties 'data.faultedAt'

  Scenario: A retry is told when the next attempt begins
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-retry-is-told-when-the-next-attempt-begins, version: '1.0.0', metadata: { pawl: { lifecycle: { workflow: none, tasks: [ started, retried ] } } } }
    do:
      - careful:
          try: [ { no: { raise: { error: { type: 'https://example.com/no', status: 503 } } } } ]
          catch: { retry: { delay: PT0.01S, limit: { attempt: { count: 2 } } } }
    """
    When the workflow is executed
    Then the events should be:
    """
    task.started /do/0/careful
    task.started /do/0/careful/try/0/no
    task.retried /do/0/careful
    task.started /do/0/careful/try/0/no
    task.retried /do/0/careful
    task.started /do/0/careful/try/0/no
    """
    And the event 'task.retried /do/0/careful' should have properties 'data.workflow', 'data.retriedAt'

  Scenario: Tasks that are cancelled are told before their instance
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: tasks-that-are-cancelled-are-told-before-their-instance, version: '1.0.0', metadata: { pawl: { lifecycle: { workflow: [ cancelled ], tasks: [ cancelled ] } } } }
    do:
      - ask: { call: userTask, with: { key: ask } }
    """
    When the workflow is executed
    And the workflow is cancelled
    Then the workflow should cancel
    And the events should be:
    """
    task.cancelled /do/0/ask
    workflow.cancelled
    """
    And the event 'task.cancelled /do/0/ask' should have properties 'data.cancelledAt'
    And the event 'workflow.cancelled' should have properties 'data.cancelledAt'

  Scenario: The branch that loses is told to be cancelled
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: the-branch-that-loses-is-told-to-be-cancelled, version: '1.0.0', metadata: { pawl: { lifecycle: { workflow: none, tasks: [ completed, cancelled ] } } } }
    do:
      - race:
          fork:
            compete: true
            branches:
              - person: { call: userTask, with: { key: ask } }
              - quick: { set: { quick: true } }
    """
    When the workflow is executed
    Then the events should be:
    """
    task.completed /do/0/race/fork/branches/1/quick
    task.cancelled /do/0/race/fork/branches/0/person
    task.completed /do/0/race
    """

  @A-40
  Scenario: Only the instance is suspended, and its tasks follow
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: only-the-instance-is-suspended-and-its-tasks-follow, version: '1.0.0', metadata: { pawl: { lifecycle: { workflow: [ suspended, resumed ], tasks: [ suspended, resumed, completed ] } } } }
    do:
      - ask: { call: userTask, with: { key: ask } }
    """
    When the workflow is executed
    And the workflow is suspended
    Then the workflow should be suspended
    When Ada answers 'ask' with:
    """yaml
    agreed: true
    """
    Then the workflow should be suspended
    When the workflow is continued
    Then the workflow output should have a 'agreed' property with value:
    """yaml
    true
    """
    And the events should be:
    """
    workflow.suspended
    task.suspended /do/0/ask
    workflow.resumed
    task.resumed /do/0/ask
    task.completed /do/0/ask
    """
    And the event 'task.suspended /do/0/ask' should have properties 'data.suspendedAt'
    And the event 'workflow.resumed' should have properties 'data.resumedAt'

  Scenario: A kind that is none is refused
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-kind-that-is-none-is-refused, version: '1.0.0', metadata: { pawl: { lifecycle: { tasks: [ finished ] } } } }
    do: []
    """
    When the workflow is executed
    Then the definition should be refused, naming 'finished'
