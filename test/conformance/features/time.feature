Feature: Time
  wait, and timeouts of tasks and workflows.

  Scenario: A wait passes its input on
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-wait-passes-its-input-on, version: '1.0.0' }
    do:
      - pause: { wait: { milliseconds: 10 } }
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

  Scenario: A wait may be written in ISO 8601
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-wait-may-be-written-in-iso-8601, version: '1.0.0' }
    do:
      - pause: { wait: PT0.01S }
      - next: { set: { next: true } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    next: true
    """
    And next should run after pause

  Scenario: A wait may be computed
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-wait-may-be-computed, version: '1.0.0' }
    do:
      - pause: { wait: '${ "PT\(.seconds)S" }' }
    """
    And given the workflow input is:
    """yaml
    seconds: 0.01
    """
    When the workflow is executed
    Then the workflow should complete

  Scenario: What is no duration is an error of the task
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: what-is-no-duration-is-an-error-of-the-task, version: '1.0.0' }
    do:
      - pause: { wait: '${ .n }' }
    """
    And given the workflow input is:
    """yaml
    n: soon
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    type: https://open-workflow-specification.org/spec/1.0.0/errors/expression
    status: 400
    instance: /do/0/pause
    """

  @A-31
  Scenario: A month is one of the calendar, from when the wait began, in UTC
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-month-is-one-of-the-calendar-from-when-the-wait-began-in-u, version: '1.0.0' }
    do:
      - pause: { wait: P1M }
    """
    When the workflow is started
    Then pause should wait until 1 month after it began

  @A-31
  Scenario: A year is twelve months of the calendar
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-year-is-twelve-months-of-the-calendar, version: '1.0.0' }
    do:
      - pause: { wait: P1Y }
    """
    When the workflow is started
    Then pause should wait until 12 months after it began

  Scenario: A task that takes longer than its timeout fails with a timeout
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-task-that-takes-longer-than-its-timeout-fails-with-a-timeo, version: '1.0.0' }
    do:
      - ask: { call: userTask, with: { key: ask }, timeout: { after: PT0.05S } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    type: https://open-workflow-specification.org/spec/1.0.0/errors/timeout
    status: 408
    instance: /do/0/ask
    """

  Scenario: A timeout may be caught
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-timeout-may-be-caught, version: '1.0.0' }
    do:
      - safe:
          try: [ { ask: { call: userTask, with: { key: ask }, timeout: { after: { milliseconds: 50 } } } } ]
          catch: { errors: { with: { status: 408 } }, do: [ { tell: { set: { late: '${ $error.type | split("/") | last }' } } } ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    late: timeout
    """

  Scenario: A timeout of a scope ends what is inside it
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-timeout-of-a-scope-ends-what-is-inside-it, version: '1.0.0' }
    do:
      - safe:
          try:
            - group:
                do: [ { pause: { wait: PT1H } }, { never: { set: { never: true } } } ]
                timeout: { after: PT0.05S }
          catch: {}
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
    And pause should cancel
    And never should not run

  Scenario: A timeout counts over all retries
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-timeout-counts-over-all-retries, version: '1.0.0' }
    do:
      - outer:
          try:
            - inner:
                try: [ { no: { raise: { error: { type: 'https://example.com/no', status: 503 } } } } ]
                catch: { retry: { delay: PT1H } }
                timeout: { after: PT0.05S }
          catch: { do: [ { tell: { set: { status: '${ $error.status }' } } } ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    status: 408
    """
    And no should run 1 time

  Scenario: A timeout may have a name
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-timeout-may-have-a-name, version: '1.0.0' }
    use:
      timeouts: { short: { after: PT0.05S } }
    do:
      - ask: { call: userTask, with: { key: ask }, timeout: short }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    status: 408
    """

  Scenario: A task in time is not disturbed
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-task-in-time-is-not-disturbed, version: '1.0.0' }
    do:
      - pause: { wait: PT0.01S, timeout: { after: PT1H } }
      - next: { set: { next: true } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    next: true
    """

  Scenario: A workflow that takes longer than its timeout faults
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-workflow-that-takes-longer-than-its-timeout-faults, version: '1.0.0' }
    timeout: { after: PT0.05S }
    do:
      - ask: { call: userTask, with: { key: ask } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    type: https://open-workflow-specification.org/spec/1.0.0/errors/timeout
    status: 408
    """

  Scenario: A timeout gives a request up
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-timeout-gives-a-request-up, version: '1.0.0' }
    do:
      - hang: { call: http, with: { method: get, endpoint: 'http://conformance.test/never' }, timeout: { after: PT0.1S } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    status: 408
    instance: /do/0/hang
    """

  @A-19
  Scenario: The clock of a timeout runs on while the instance is suspended
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: the-clock-of-a-timeout-runs-on-while-the-instance-is-suspend, version: '1.0.0' }
    do:
      - ask: { call: userTask, with: { key: ask }, timeout: { after: PT1H } }
    """
    When the workflow is started
    Then ask should time out 3600 seconds after it began
    When the workflow is suspended
    Then ask should time out 3600 seconds after it began
    When the workflow is continued
    Then ask should time out 3600 seconds after it began
