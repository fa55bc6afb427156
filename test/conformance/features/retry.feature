Feature: Retries
  catch.retry: how often, how long between, and what comes after.

  Scenario: A retry runs the whole list again from its input
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-retry-runs-the-whole-list-again-from-its-input, version: '1.0.0' }
    do:
      - safe:
          try: [ { add: { set: { n: '${ .n + 1 }' } } }, { ask: { call: http, with: { method: get, endpoint: 'http://conformance.test/flaky/whole-list/503/2' }, output: { as: '{ asked: .asked, n: $input.n }' } } } ]
          catch: { errors: { with: { status: 503 } }, retry: { delay: PT0.01S, limit: { attempt: { count: 5 } } } }
    """
    And given the workflow input is:
    """yaml
    n: 1
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    asked: 3
    n: 2
    """
    And add should run 3 times

  Scenario: count is the number of retries
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: count-is-the-number-of-retries, version: '1.0.0' }
    do:
      - safe: { try: [ { ask: { call: http, with: { method: get, endpoint: 'http://conformance.test/flaky/count/503/9' } } } ], catch: { retry: { limit: { attempt: { count: 2 } } } } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    type: https://open-workflow-specification.org/spec/1.0.0/errors/communication
    status: 503
    instance: /do/0/safe/try/0/ask
    """
    And "/flaky/count/503/9" should have been called 3 times

  Scenario: Only what the catch wants is retried
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: only-what-the-catch-wants-is-retried, version: '1.0.0' }
    do:
      - safe: { try: [ { ask: { call: http, with: { method: get, endpoint: 'http://conformance.test/flaky/filtered/500/9' } } } ], catch: { errors: { with: { status: 503 } }, retry: { limit: { attempt: { count: 5 } } } } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    status: 500
    """
    And "/flaky/filtered/500/9" should have been called 1 time

  Scenario: A constant backoff is the default
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-constant-backoff-is-the-default, version: '1.0.0' }
    do:
      - safe: { try: [ { ask: { call: http, with: { method: get, endpoint: 'http://conformance.test/flaky/constant/503/3' } } } ], catch: { retry: { delay: PT0.02S, limit: { attempt: { count: 3 } } } } }
    """
    When the workflow is executed
    Then the workflow should complete
    And safe should be retried after 20, 20, 20 milliseconds

  Scenario: A linear backoff grows by the delay
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-linear-backoff-grows-by-the-delay, version: '1.0.0' }
    do:
      - safe: { try: [ { ask: { call: http, with: { method: get, endpoint: 'http://conformance.test/flaky/linear/503/3' } } } ], catch: { retry: { delay: { milliseconds: 10 }, backoff: { linear: {} }, limit: { attempt: { count: 3 } } } } }
    """
    When the workflow is executed
    Then the workflow should complete
    And safe should be retried after 10, 20, 30 milliseconds

  @A-08
  Scenario: An exponential backoff begins with the delay and doubles
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: an-exponential-backoff-begins-with-the-delay-and-doubles, version: '1.0.0' }
    do:
      - safe: { try: [ { ask: { call: http, with: { method: get, endpoint: 'http://conformance.test/flaky/exponential/503/4' } } } ], catch: { retry: { delay: PT0.01S, backoff: { exponential: {} }, limit: { attempt: { count: 4 } } } } }
    """
    When the workflow is executed
    Then the workflow should complete
    And safe should be retried after 10, 20, 40, 80 milliseconds

  Scenario: Without a delay it is retried at once
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: without-a-delay-it-is-retried-at-once, version: '1.0.0' }
    do:
      - safe: { try: [ { ask: { call: http, with: { method: get, endpoint: 'http://conformance.test/flaky/at-once/503/2' } } } ], catch: { retry: { limit: { attempt: { count: 3 } } } } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    asked: 3
    """
    And safe should be retried after 0, 0 milliseconds

  Scenario: A policy may have a name
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-policy-may-have-a-name, version: '1.0.0' }
    use:
      retries: { patient: { delay: PT0.01S, backoff: { constant: {} }, limit: { attempt: { count: 2 } } } }
    do:
      - safe: { try: [ { ask: { call: http, with: { method: get, endpoint: 'http://conformance.test/flaky/named/503/2' } } } ], catch: { retry: patient } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    asked: 3
    """

  Scenario: when of a policy stops the retries
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: when-of-a-policy-stops-the-retries, version: '1.0.0' }
    do:
      - safe: { try: [ { ask: { call: http, with: { method: get, endpoint: 'http://conformance.test/flaky/policy-when/502/9' } } } ], catch: { retry: { when: '.status == 503', limit: { attempt: { count: 5 } } } } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    status: 502
    """
    And "/flaky/policy-when/502/9" should have been called 1 time

  Scenario: exceptWhen of a policy stops the retries
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: exceptwhen-of-a-policy-stops-the-retries, version: '1.0.0' }
    do:
      - safe: { try: [ { ask: { call: http, with: { method: get, endpoint: 'http://conformance.test/flaky/policy-except/502/9' } } } ], catch: { as: e, retry: { exceptWhen: '$e.status == 502', limit: { attempt: { count: 5 } } } } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    status: 502
    """
    And "/flaky/policy-except/502/9" should have been called 1 time

  @A-05
  Scenario: The handler runs when the retries are used up, and only then
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: the-handler-runs-when-the-retries-are-used-up-and-only-then, version: '1.0.0' }
    do:
      - safe:
          try: [ { ask: { call: http, with: { method: get, endpoint: 'http://conformance.test/flaky/then-do/503/9' } } } ]
          catch: { retry: { limit: { attempt: { count: 2 } } }, do: [ { give: { set: { up: '${ $error.status }' } } } ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    up: 503
    """
    And give should run 1 time
    And "/flaky/then-do/503/9" should have been called 3 times

  @A-05
  Scenario: The handler does not run when a retry succeeds
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: the-handler-does-not-run-when-a-retry-succeeds, version: '1.0.0' }
    do:
      - safe:
          try: [ { ask: { call: http, with: { method: get, endpoint: 'http://conformance.test/flaky/no-do/503/1' } } } ]
          catch: { retry: { limit: { attempt: { count: 2 } } }, do: [ { give: { set: { up: true } } } ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    asked: 2
    """
    And give should not run

  @A-07
  Scenario: limit.attempt.duration is the time of one attempt
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: limit-attempt-duration-is-the-time-of-one-attempt, version: '1.0.0' }
    do:
      - safe:
          try: [ { hang: { call: http, with: { method: get, endpoint: 'http://conformance.test/never' } } } ]
          catch: { retry: { limit: { attempt: { count: 2, duration: PT0.05S } } }, do: [ { tell: { set: { status: '${ $error.status }', type: '${ $error.type | split("/") | last }' } } } ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    status: 408
    type: timeout
    """
    And hang should run 3 times

  Scenario: limit.duration ends the retries as a whole
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: limit-duration-ends-the-retries-as-a-whole, version: '1.0.0' }
    do:
      - safe:
          try: [ { ask: { call: http, with: { method: get, endpoint: 'http://conformance.test/flaky/total/503/9' } } } ]
          catch: { retry: { delay: PT1H, limit: { duration: PT0.02S } }, do: [ { give: { set: { up: true } } } ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    up: true
    """
    And "/flaky/total/503/9" should have been called 1 time

  Scenario: A try in a try has retries of its own
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-try-in-a-try-has-retries-of-its-own, version: '1.0.0' }
    do:
      - outer:
          try:
            - inner:
                try: [ { ask: { call: http, with: { method: get, endpoint: 'http://conformance.test/flaky/nested/503/3' } } } ]
                catch: { retry: { limit: { attempt: { count: 1 } } } }
          catch: { retry: { limit: { attempt: { count: 1 } } } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    asked: 4
    """
    And inner should run 2 times
