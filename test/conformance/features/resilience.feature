Feature: Resilience
  metadata.pawl.resilience of a call: attempts of one task. An engine that passes over the metadata makes one.

  Scenario: A call is tried again as its task says
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-call-is-tried-again-as-its-task-says, version: '1.0.0' }
    do:
      - ask:
          call: http
          with: { method: get, endpoint: 'http://conformance.test/flaky/tried-again/503/2' }
          metadata: { pawl: { resilience: { retry: { delay: PT0.01S, limit: { attempt: { count: 5 } } } } } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    asked: 3
    """
    And ask should run 1 time

  Scenario: Attempts that are used up are the error of the task
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: attempts-that-are-used-up-are-the-error-of-the-task, version: '1.0.0' }
    use:
      retries:
        twice: { delay: PT0.01S, limit: { attempt: { count: 2 } } }
    do:
      - ask:
          call: http
          with: { method: get, endpoint: 'http://conformance.test/flaky/used-up/503/9' }
          metadata: { pawl: { resilience: { retry: twice } } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    type: https://open-workflow-specification.org/spec/1.0.0/errors/communication
    status: 503
    instance: /do/0/ask
    """
    And "/flaky/used-up/503/9" should have been called 3 times

  Scenario: A try that catches the error goes first
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-try-that-catches-the-error-goes-first, version: '1.0.0' }
    do:
      - safe:
          try:
            - ask:
                call: http
                with: { method: get, endpoint: 'http://conformance.test/flaky/try-first/503/9' }
                metadata: { pawl: { resilience: { retry: { delay: PT0.01S, limit: { attempt: { count: 5 } } } } } }
          catch: { errors: { with: { status: 503 } }, do: [ { mend: { set: { mended: true } } } ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    mended: true
    """
    And "/flaky/try-first/503/9" should have been called 1 time

  Scenario: What a try does not catch is tried again
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: what-a-try-does-not-catch-is-tried-again, version: '1.0.0' }
    do:
      - safe:
          try:
            - ask:
                call: http
                with: { method: get, endpoint: 'http://conformance.test/flaky/not-caught/503/2' }
                metadata: { pawl: { resilience: { retry: { delay: PT0.01S, limit: { attempt: { count: 5 } } } } } }
          catch: { errors: { with: { status: 500 } }, do: [ { mend: { set: { mended: true } } } ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    asked: 3
    """
    And mend should not run

  Scenario: Only what its condition wants is tried again
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: only-what-its-condition-wants-is-tried-again, version: '1.0.0' }
    do:
      - ask:
          call: http
          with: { method: get, endpoint: 'http://conformance.test/flaky/condition/500/9' }
          metadata: { pawl: { resilience: { retry: { when: '${ .status == 503 }', delay: PT0.01S, limit: { attempt: { count: 5 } } } } } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    status: 500
    """
    And "/flaky/condition/500/9" should have been called 1 time

  Scenario: What the service refuses is not tried again
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: what-the-service-refuses-is-not-tried-again, version: '1.0.0' }
    do:
      - ask:
          call: http
          with: { method: get, endpoint: 'http://conformance.test/flaky/refused/404/9' }
          metadata: { pawl: { resilience: { retry: { delay: PT0.01S, limit: { attempt: { count: 5 } } } } } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    status: 404
    """
    And "/flaky/refused/404/9" should have been called 1 time

  Scenario: What a call of a function says holds for its body
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: what-a-call-of-a-function-says-holds-for-its-body, version: '1.0.0' }
    use:
      functions:
        look: { do: [ { ask: { call: http, with: { method: get, endpoint: 'http://conformance.test/flaky/function/503/2' } } } ] }
    do:
      - find:
          call: look
          metadata: { pawl: { resilience: { retry: { delay: PT0.01S, limit: { attempt: { count: 5 } } } } } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    asked: 3
    """
    And ask should run 1 time

  Scenario: In a competing fork a branch is out when no attempt is left
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: in-a-competing-fork-a-branch-is-out-when-no-attempt-is-left, version: '1.0.0' }
    do:
      - race:
          fork:
            compete: true
            branches:
              - ask:
                  call: http
                  with: { method: get, endpoint: 'http://conformance.test/flaky/race/503/2' }
                  metadata: { pawl: { resilience: { retry: { delay: PT0.01S, limit: { attempt: { count: 5 } } } } } }
              - nap: { wait: PT30S }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    asked: 3
    """

  Scenario: The timeout of the task is for all its attempts, and none follows it
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: the-timeout-of-the-task-is-for-all-its-attempts, version: '1.0.0' }
    do:
      - ask:
          call: http
          with: { method: get, endpoint: 'http://conformance.test/flaky/task-timeout/503/9' }
          timeout: { after: PT0.2S }
          metadata: { pawl: { resilience: { retry: { delay: PT60S, limit: { attempt: { count: 5 } } } } } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    type: https://open-workflow-specification.org/spec/1.0.0/errors/timeout
    status: 408
    """
    And "/flaky/task-timeout/503/9" should have been called 1 time

  Scenario: One attempt has a time of its own
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: one-attempt-has-a-time-of-its-own, version: '1.0.0' }
    do:
      - ask:
          call: http
          with: { method: get, endpoint: 'http://conformance.test/never/attempt' }
          metadata: { pawl: { resilience: { timeout: PT0.1S, retry: { delay: PT0.01S, limit: { attempt: { count: 1 } } } } } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    type: https://open-workflow-specification.org/spec/1.0.0/errors/communication
    status: 504
    """
    And "/never/attempt" should have been called 2 times

  Scenario: A call whose outcome nobody knows is an error where its task says so
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: an-unknown-outcome-is-an-error, version: '1.0.0' }
    do:
      - safe:
          try:
            - pay:
                call: http
                with: { method: get, endpoint: 'http://conformance.test/never/unknown' }
                metadata: { pawl: { resilience: { timeout: PT0.1S, onUnknownOutcome: fault } } }
          catch: { errors: { with: { status: 502 } }, do: [ { look: { set: { unknown: true } } } ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    unknown: true
    """
    And "/never/unknown" should have been called 1 time

  Scenario: A call whose outcome nobody knows is asked of a person where its task says so
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: an-unknown-outcome-is-asked-of-a-person, version: '1.0.0' }
    do:
      - safe:
          try:
            - pay:
                call: http
                with: { method: get, endpoint: 'http://conformance.test/never/asked' }
                metadata: { pawl: { resilience: { timeout: PT0.1S, onUnknownOutcome: ask } } }
          catch: { do: [ { look: { set: { unknown: true } } } ] }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    status: 502
    title: the outcome of the call is unknown
    """
    And "/never/asked" should have been called 1 time

  Scenario: What says something that is not known is refused
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: what-says-something-that-is-not-known-is-refused, version: '1.0.0' }
    do:
      - ask:
          call: http
          with: { method: get, endpoint: 'http://conformance.test/content/json' }
          metadata: { pawl: { resilience: { retries: 3 } } }
    """
    When the workflow is executed
    Then the definition should be refused, naming 'retries'
