Feature: Schedules
  schedule: every, cron, after and on; and what document.metadata.pawl.schedule says of them.

  Scenario: A schedule of a rate starts instances with null as input
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-schedule-of-a-rate-starts-instances-with-null-as-input, version: '1.0.0' }
    schedule: { every: { milliseconds: 50 } }
    do: [ { done: { set: { input: '${ . }' } } } ]
    """
    When the workflow is deployed
    And its schedule has started 3 instances
    Then each of them should complete with output:
    """yaml
    input: null
    """

  Scenario: The first start of a rate comes when its duration has passed
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: the-first-start-of-a-rate-comes-when-its-duration-has-passed, version: '1.0.0' }
    schedule: { every: PT1H }
    do: [ { done: { set: { done: true } } } ]
    """
    When the workflow is deployed
    Then its schedule should be due 3600 seconds after it began

  Scenario: A rate may be an object of parts
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-rate-may-be-an-object-of-parts, version: '1.0.0' }
    schedule: { every: { hours: 2, seconds: 30 } }
    do: [ { done: { set: { done: true } } } ]
    """
    When the workflow is deployed
    Then its schedule should be due 7230 seconds after it began

  Scenario: The first start of a delay comes when its duration has passed
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: the-first-start-of-a-delay-comes-when-its-duration-has-passe, version: '1.0.0' }
    schedule: { after: P1D }
    do: [ { done: { set: { done: true } } } ]
    """
    When the workflow is deployed
    Then its schedule should be due 86400 seconds after it began

  @A-34
  Scenario: A delay counts from the end, whatever it was
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-delay-counts-from-the-end-whatever-it-was, version: '1.0.0' }
    schedule: { after: { milliseconds: 20 } }
    do: [ { fail: { raise: { error: { type: https://example.com/no, status: 500 } } } } ]
    """
    When the workflow is deployed
    And its schedule has started 3 instances
    Then each of them but the last should have faulted

  Scenario: A delay waits for the end
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-delay-waits-for-the-end, version: '1.0.0' }
    schedule: { after: { milliseconds: 20 } }
    do: [ { ask: { call: userTask, with: { key: go, title: Go on } } } ]
    """
    When the workflow is deployed
    And its schedule has started 1 instance
    And time passes
    Then no more instances should have been started

  Scenario: Times of cron are those of UTC
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: times-of-cron-are-those-of-utc, version: '1.0.0' }
    schedule: { cron: 30 6 * * * }
    do: [ { done: { set: { done: true } } } ]
    """
    When the workflow is deployed
    Then its schedule should be due at 'T06:30:00.000Z'

  Scenario: Times of cron are those of a time zone that is named
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: times-of-cron-are-those-of-a-time-zone-that-is-named, version: '1.0.0', metadata: { pawl: { schedule: { timeZone: Asia/Kolkata } } } }
    schedule: { cron: 0 9 * * * }
    do: [ { done: { set: { done: true } } } ]
    """
    When the workflow is deployed
    Then its schedule should be due at 'T03:30:00.000Z'

  Scenario: Months and days of cron have names
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: months-and-days-of-cron-have-names, version: '1.0.0' }
    schedule: { cron: 0 0 1 jan * }
    do: [ { done: { set: { done: true } } } ]
    """
    When the workflow is deployed
    Then its schedule should be due at '-01-01T00:00:00.000Z'

  Scenario: Times of cron have nicknames
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: times-of-cron-have-nicknames, version: '1.0.0' }
    schedule: { cron: '@yearly' }
    do: [ { done: { set: { done: true } } } ]
    """
    When the workflow is deployed
    Then its schedule should be due at '-01-01T00:00:00.000Z'

  Scenario: Cron counts no seconds
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: cron-counts-no-seconds, version: '1.0.0' }
    schedule: { cron: 0 0 9 * * * }
    do: [ { done: { set: { done: true } } } ]
    """
    When the workflow is executed
    Then the definition should be refused, naming 'there are no seconds'

  Scenario: A day of cron that never comes is refused
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-day-of-cron-that-never-comes-is-refused, version: '1.0.0' }
    schedule: { cron: 0 0 31 feb * }
    do: [ { done: { set: { done: true } } } ]
    """
    When the workflow is executed
    Then the definition should be refused, naming 'no such day'

  Scenario: A time zone that is not there is refused
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-time-zone-that-is-not-there-is-refused, version: '1.0.0', metadata: { pawl: { schedule: { timeZone: Mars/Olympus } } } }
    schedule: { cron: 0 9 * * * }
    do: [ { done: { set: { done: true } } } ]
    """
    When the workflow is executed
    Then the definition should be refused, naming 'Mars/Olympus'

  Scenario: A workflow has one schedule
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-workflow-has-one-schedule, version: '1.0.0' }
    schedule: { every: PT1H, after: PT1H }
    do: [ { done: { set: { done: true } } } ]
    """
    When the workflow is executed
    Then the definition should be refused, naming 'after'

  Scenario: A schedule says when
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-schedule-says-when, version: '1.0.0' }
    schedule: { read: data }
    do: [ { done: { set: { done: true } } } ]
    """
    When the workflow is executed
    Then the definition should be refused, naming 'every'

  Scenario: A schedule that takes no time is refused
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-schedule-that-takes-no-time-is-refused, version: '1.0.0' }
    schedule: { every: PT0S }
    do: [ { done: { set: { done: true } } } ]
    """
    When the workflow is executed
    Then the definition should be refused, naming 'longer than nothing'

  Scenario: A schedule on messages waits for them
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-schedule-on-messages-waits-for-them, version: '1.0.0' }
    schedule: { on: { any: [ { with: { type: a } }, { with: { type: b } } ] } }
    do: [ { done: { set: { done: true } } } ]
    """
    When the workflow is deployed
    Then its schedule should wait for messages

  Scenario: What overlaps is left out if it says so
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: what-overlaps-is-left-out-if-it-says-so, version: '1.0.0', metadata: { pawl: { schedule: { overlap: skip } } } }
    schedule: { every: { milliseconds: 50 } }
    do: [ { ask: { call: userTask, with: { key: go, title: Go on } } } ]
    """
    When the workflow is deployed
    And its schedule has started 1 instance
    And time passes
    Then no more instances should have been started

  Scenario: What is suspended starts nothing
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: what-is-suspended-starts-nothing, version: '1.0.0' }
    schedule: { every: { milliseconds: 50 } }
    do: [ { done: { set: { done: true } } } ]
    """
    When the workflow is deployed
    And its schedule has started 1 instance
    And its schedule is suspended
    And time passes
    Then no more instances should have been started

  Scenario: What is cancelled starts nothing any more
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: what-is-cancelled-starts-nothing-any-more, version: '1.0.0' }
    schedule: { every: PT1H }
    do: [ { done: { set: { done: true } } } ]
    """
    When the workflow is deployed
    And its schedule is cancelled
    And time passes
    Then there should be no schedule

  Scenario: The newest version has the schedule
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: the-newest-version-has-the-schedule, version: '1.0.0' }
    schedule: { every: PT1H }
    do: []
    """
    When the workflow is deployed
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: the-newest-version-has-the-schedule, version: '1.1.0' }
    schedule: { every: PT2H }
    do: []
    """
    When the workflow is deployed
    Then the only schedule should be that of version 1.1.0
    And its schedule should be due 7200 seconds after it began

  @A-27
  Scenario: Messages come with their envelope unless something else is said
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: messages-come-with-their-envelope, version: '1.0.0' }
    schedule: { on: { one: { with: { type: order.paid } } } }
    do: [ { done: { set: { id: '${ $workflow.input[0].id }', data: '${ $workflow.input[0].data }' } } } ]
    """
    When the workflow is deployed
    And the event is published:
    """yaml
    id: m1
    type: order.paid
    data: { order: 7 }
    """
    And its schedule has started 1 instance
    Then each of them should complete with output:
    """yaml
    id: m1
    data: { order: 7 }
    """

  Scenario: Messages come as data if it says so
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: messages-come-as-data, version: '1.0.0' }
    schedule: { on: { all: [ { with: { type: a } }, { with: { type: b } } ] }, read: data }
    do: [ { done: { set: { all: '${ . }' } } } ]
    """
    When the workflow is deployed
    And the event is published:
    """yaml
    type: a
    data: 1
    """
    And the event is published:
    """yaml
    type: b
    data: { two: 2 }
    """
    And its schedule has started 1 instance
    Then each of them should complete with output:
    """yaml
    all: [ 1, { two: 2 } ]
    """
    And its schedule should wait for messages
