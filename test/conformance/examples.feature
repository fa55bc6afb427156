Feature: Examples
  The example workflows of the language's own repository. Those within this release run against the services they name; the
  others must be refused when they are checked, for what is said here.

  Scenario Outline: <example>: refused because of `<what>`
    Given the example "<example>"
    Then it is refused because of "<what>"

    Examples:
      | example                                              | what                      |
      | accumulate-room-readings.yaml                        | call: openapi             |
      | authentication-oauth2-secret.yaml                    | use.secrets               |
      | authentication-oauth2.yaml                           | authentication.oauth2     |
      | authentication-oidc-secret.yaml                      | use.secrets               |
      | authentication-oidc.yaml                             | authentication.oidc       |
      | authentication-reusable.yaml                         | use.authentications       |
      | call-asyncapi-publish.yaml                           | call: asyncapi            |
      | call-asyncapi-subscribe-consume-amount.yaml          | call: asyncapi            |
      | call-asyncapi-subscribe-consume-forever-foreach.yaml | call: asyncapi            |
      | call-asyncapi-subscribe-consume-until.yaml           | call: asyncapi            |
      | call-asyncapi-subscribe-consume-while.yaml           | call: asyncapi            |
      | call-custom-function-cataloged.yaml                  | call: <URL of a function> |
      | call-grpc.yaml                                       | call: grpc                |
      | call-mcp.yaml                                        | call: mcp                 |
      | call-openapi-redirect.yaml                           | call: openapi             |
      | call-openapi.yaml                                    | call: openapi             |
      | mock-service-extension.yaml                          | use.extensions            |
      | run-container-cleanup-always.yaml                    | run: container            |
      | run-container-cleanup-eventually.yaml                | run: container            |
      | run-container-stdin-and-arguments.yaml               | run: container            |
      | run-container-with-name.yaml                         | run: container            |
      | run-container-with-pull-policy.yaml                  | run: container            |
      | run-container.yaml                                   | run: container            |
      | run-return-all.yaml                                  | run: container            |
      | run-return-code.yaml                                 | run: container            |
      | run-return-none.yaml                                 | run: container            |
      | run-return-stderr.yaml                               | run: container            |
      | run-script-with-stdin-and-arguments.yaml             | run: script               |
      | run-shell-stdin-and-arguments.yaml                   | run: shell                |

  Scenario: authentication-bearer-uri-format.yaml: runs: the service sees the token
    Given the example "authentication-bearer-uri-format.yaml"
    And given the workflow input is:
    """yaml
    petId: 401
    token: conformance
    """
    When the workflow is executed
    Then the workflow output should have a 'id' property with value:
    """yaml
    401
    """

  Scenario: authentication-bearer.yaml: runs: completes with the pet
    Given the example "authentication-bearer.yaml"
    And given the workflow input is:
    """yaml
    token: conformance
    """
    When the workflow is executed
    Then the workflow output should have a 'id' property with value:
    """yaml
    1
    """

  Scenario: call-custom-function-inline.yaml: runs: completes with the pet
    Given the example "call-custom-function-inline.yaml"
    When the workflow is executed
    Then the workflow output should have a 'id' property with value:
    """yaml
    69
    """

  Scenario: call-http-endpoint-interpolation-shorthand.yaml: runs: completes with the pet
    Given the example "call-http-endpoint-interpolation-shorthand.yaml"
    And given the workflow input is:
    """yaml
    petId: 2
    """
    When the workflow is executed
    Then the workflow output should have a 'id' property with value:
    """yaml
    2
    """

  Scenario: call-http-endpoint-interpolation.yaml: runs: completes with the pet
    Given the example "call-http-endpoint-interpolation.yaml"
    And given the workflow input is:
    """yaml
    petId: 3
    """
    When the workflow is executed
    Then the workflow output should have a 'id' property with value:
    """yaml
    3
    """

  Scenario: call-http-query-headers-expressions.yaml: runs: completes with what was searched for
    Given the example "call-http-query-headers-expressions.yaml"
    And given the workflow input is:
    """yaml
    searchQuery: luke
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    count: 1
    results: [ { name: Luke Skywalker, homeworld: "https://swapi.dev/api/planets/1/" } ]
    """

  Scenario: call-http-query-headers-expressions.yaml: refuses an input that has no search
    Given the example "call-http-query-headers-expressions.yaml"
    When the workflow is executed
    Then the workflow should not start, because "the input must be an object, not null"

  Scenario: call-http-query-parameters.yaml: runs: completes with what was searched for
    Given the example "call-http-query-parameters.yaml"
    And given the workflow input is:
    """yaml
    searchQuery: luke
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    count: 1
    results: [ { name: Luke Skywalker, homeworld: "https://swapi.dev/api/planets/1/" } ]
    """

  Scenario: call-http-query-parameters.yaml: refuses a search that is no text
    Given the example "call-http-query-parameters.yaml"
    And given the workflow input is:
    """yaml
    searchQuery: 5
    """
    When the workflow is executed
    Then the workflow should not start, because "'/searchQuery' must be a string, not 5"

  Scenario: call-http-redirect.yaml: runs: completes with what was searched for
    Given the example "call-http-redirect.yaml"
    And given the workflow input is:
    """yaml
    searchQuery: luke
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    count: 1
    results: [ { name: Luke Skywalker, homeworld: "https://swapi.dev/api/planets/1/" } ]
    """

  Scenario: conditional-task.yaml: runs: an adult may bet, for `then` of a skipped task is not followed
    Given the example "conditional-task.yaml"
    And given the workflow input is:
    """yaml
    customer: { age: 30 }
    bet: 1
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    accepted: true
    bet: .bet
    """

  Scenario: conditional-task.yaml: runs: a minor is refused
    Given the example "conditional-task.yaml"
    And given the workflow input is:
    """yaml
    customer: { age: 17 }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    type: https://superbet-casinos.com/customer/access-forbidden
    status: 400
    title: Access Forbidden
    instance: /do/0/raiseErrorIfUnderage
    """

  Scenario: do-multiple.yaml: runs: both in order
    Given the example "do-multiple.yaml"
    And given the workflow input is:
    """yaml
    petId: 2
    """
    When the workflow is executed
    Then the workflow output should have a 'status' property with value:
    """yaml
    sold
    """
    And buyPet should run after getPet

  Scenario: do-single.yaml: runs: completes with the pet
    Given the example "do-single.yaml"
    And given the workflow input is:
    """yaml
    petId: 1
    """
    When the workflow is executed
    Then the workflow output should have a 'id' property with value:
    """yaml
    1
    """

  Scenario: emit.yaml: runs: the output is the event
    Given the example "emit.yaml"
    When the workflow is executed
    Then the workflow output should have properties 'id', 'specversion', 'time', 'source', 'type', 'data'
    And the workflow output should have a 'data.items' property containing 1 item

  Scenario: for-inline-array.yaml: runs: three colors
    Given the example "for-inline-array.yaml"
    When the workflow is executed
    Then the workflow output should have a 'processed' property containing 3 items

  Scenario: for.yaml: runs: hears the check-up, and faults: the output of a listen is an array
    Given the example "for.yaml"
    And given the workflow input is:
    """yaml
    pets: [ { id: 1 } ]
    vet: ann
    """
    When the workflow is executed
    Then the workflow should be waiting for "waitForCheckup-2"
    When the event is published:
    """yaml
    type: com.fake.petclinic.pets.checkup.completed.v2
    data: { pets: [] }
    """
    Then the workflow should fault with error:
    """yaml
    type: https://serverlessworkflow.io/spec/1.0.0/errors/expression
    status: 400
    """

  Scenario: fork.yaml: runs: the first answer wins
    Given the example "fork.yaml"
    And given the workflow input is:
    """yaml
    patient: { fullName: Ada }
    room: { number: 7 }
    """
    When the workflow is executed
    Then the workflow output should have properties 'alerted'

  Scenario: listen-to-all read-envelope.yaml: runs: both measurements, as envelopes
    Given the example "listen-to-all read-envelope.yaml"
    When the workflow is executed
    And the event is published:
    """yaml
    type: com.fake-hospital.vitals.measurements.temperature
    data: { temperature: 37 }
    """
    And the event is published:
    """yaml
    type: com.fake-hospital.vitals.measurements.bpm
    data: { bpm: 40 }
    """
    Then the workflow should be waiting for "callDoctor-1"
    When the event is published:
    """yaml
    type: com.fake-hospital.vitals.measurements.temperature
    data: { temperature: 39 }
    """
    Then the workflow should complete

  Scenario: listen-to-all.yaml: runs: both measurements, each beyond its limit
    Given the example "listen-to-all.yaml"
    When the workflow is executed
    And the event is published:
    """yaml
    type: com.fake-hospital.vitals.measurements.temperature
    data: { temperature: 37 }
    """
    And the event is published:
    """yaml
    type: com.fake-hospital.vitals.measurements.bpm
    data: { bpm: 40 }
    """
    Then the workflow should be waiting for "callDoctor-1"
    When the event is published:
    """yaml
    type: com.fake-hospital.vitals.measurements.temperature
    data: { temperature: 39 }
    """
    Then the workflow should complete with output:
    """yaml
    [ { bpm: 40 }, { temperature: 39 } ]
    """

  Scenario: listen-to-any-filter.yaml: runs: the first measurement beyond its limit
    Given the example "listen-to-any-filter.yaml"
    When the workflow is executed
    And the event is published:
    """yaml
    type: com.fake-hospital.vitals.measurements.bpm
    data: { bpm: 80 }
    """
    Then the workflow should be waiting for "callDoctor-1"
    When the event is published:
    """yaml
    type: com.fake-hospital.vitals.measurements.bpm
    data: { bpm: 101 }
    """
    Then the workflow should complete with output:
    """yaml
    [ { bpm: 101 } ]
    """

  Scenario: listen-to-any-forever-foreach.yaml: runs: posts each message, and goes on listening
    Given the example "listen-to-any-forever-foreach.yaml"
    And given the workflow input is:
    """yaml
    roomId: 7
    """
    When the workflow is executed
    Then the workflow should be waiting for "listenToGossips-1"
    When the event is published:
    """yaml
    { type: gossip, data: psst }
    """
    And the event is published:
    """yaml
    { type: gossip, data: really }
    """
    Then the workflow should be waiting for "listenToGossips-1"
    And postToChatApi should run 2 times

  Scenario: listen-to-any-until-condition.yaml: runs: ends with the fourth message
    Given the example "listen-to-any-until-condition.yaml"
    When the workflow is executed
    And the event is published:
    """yaml
    { type: a, data: 1 }
    """
    And the event is published:
    """yaml
    { type: b, data: 2 }
    """
    And the event is published:
    """yaml
    { type: c, data: 3 }
    """
    Then the workflow should be waiting for "callDoctor-1"
    When the event is published:
    """yaml
    { type: d, data: 4 }
    """
    Then the workflow should complete with output:
    """yaml
    [ 1, 2, 3, 4 ]
    """

  Scenario: listen-to-any-until-consumed.yaml: runs: until the patient has left
    Given the example "listen-to-any-until-consumed.yaml"
    When the workflow is executed
    And the event is published:
    """yaml
    type: com.fake-hospital.vitals.measurements.temperature
    data: { temperature: 39 }
    """
    And the event is published:
    """yaml
    type: com.fake-hospital.vitals.measurements.temperature
    data: { temperature: 37 }
    """
    And the event is published:
    """yaml
    type: com.fake-hospital.vitals.measurements.bpm
    data: { bpm: 50 }
    """
    Then the workflow should be waiting for "callDoctor-1"
    When the event is published:
    """yaml
    type: com.fake-hospital.patient.checked-out
    """
    Then the workflow should complete with output:
    """yaml
    [ { temperature: 39 }, { bpm: 50 } ]
    """

  Scenario: listen-to-any.yaml: runs: any message
    Given the example "listen-to-any.yaml"
    When the workflow is executed
    Then the workflow should be waiting for "callDoctor-1"
    When the event is published:
    """yaml
    { type: whatever, data: 1 }
    """
    Then the workflow should complete with output:
    """yaml
    [ 1 ]
    """

  Scenario: listen-to-one.yaml: runs: calls once the race has started; no array has a {carId}
    Given the example "listen-to-one.yaml"
    When the workflow is executed
    Then the workflow should be waiting for "waitForStartup-1"
    When the event is published:
    """yaml
    type: com.virtual-wf-powered-race.events.race.started.v1
    data: { carId: 7 }
    """
    Then the workflow should complete with output:
    """yaml
    path: /api/v4/cars//start
    """

  Scenario: raise-inline.yaml: runs: faults with its error
    Given the example "raise-inline.yaml"
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    type: https://serverlessworkflow.io/errors/not-implemented
    status: 500
    title: Not Implemented
    detail: The workflow 'raise-not-implemented:0.1.0' is a work in progress and cannot be run yet
    instance: /do/0/notImplemented
    """

  Scenario: raise-reusable.yaml: runs: faults with its error
    Given the example "raise-reusable.yaml"
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    type: https://serverlessworkflow.io/errors/not-implemented
    status: 500
    title: Not Implemented
    detail: The workflow 'raise-not-implemented:0.1.0' is a work in progress and cannot be run yet
    instance: /do/0/notImplemented
    """

  Scenario: schedule-cron.yaml: runs: is due at midnight
    Given the example "schedule-cron.yaml"
    When the workflow is deployed
    Then its schedule should be due at 'T00:00:00.000Z'

  Scenario: schedule-event-driven.yaml: runs: waits for its messages
    Given the example "schedule-event-driven.yaml"
    When the workflow is deployed
    Then its schedule should wait for messages

  Scenario: set-expression.yaml: runs: waits for its messages
    Given the example "set-expression.yaml"
    When the workflow is deployed
    Then its schedule should wait for messages

  Scenario: set.yaml: runs: waits for its messages
    Given the example "set.yaml"
    When the workflow is deployed
    Then its schedule should wait for messages

  Scenario: star-wars-homeworld.yaml: runs: completes with the planet
    Given the example "star-wars-homeworld.yaml"
    And given the workflow input is:
    """yaml
    id: 1
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    name: Tatooine
    """

  Scenario: star-wars-homeworld.yaml: refuses an id below 1
    Given the example "star-wars-homeworld.yaml"
    And given the workflow input is:
    """yaml
    id: 0
    """
    When the workflow is executed
    Then the workflow should not start, because "'/id' must be at least 1, not 0"

  Scenario: switch-then-string.yaml: runs: a case that matches
    Given the example "switch-then-string.yaml"
    And given the workflow input is:
    """yaml
    orderType: physical
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    inventory: clear
    items: 1
    address: Elmer St
    """

  Scenario: switch-then-string.yaml: runs: the default case
    Given the example "switch-then-string.yaml"
    And given the workflow input is:
    """yaml
    orderType: other
    """
    When the workflow is executed
    Then the workflow should complete
    And handleUnknownOrderType should run last

  Scenario: run-subflow.yaml: runs: the input is text, for it has no ${ }
    Given the example "run-subflow.yaml"
    And another workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: test, name: register-customer, version: 0.1.0 }
    do: [ { done: { set: { registered: '${ .customer }' } } } ]
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    registered: .user
    """

  Scenario: try-catch-retry-inline.yaml: runs: nothing to retry
    Given the example "try-catch-retry-inline.yaml"
    And given the workflow input is:
    """yaml
    petId: 1
    """
    When the workflow is executed
    Then the workflow output should have a 'id' property with value:
    """yaml
    1
    """

  Scenario: try-catch-retry-inline.yaml: runs: only a 503 is retried
    Given the example "try-catch-retry-inline.yaml"
    And given the workflow input is:
    """yaml
    petId: nobody
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    type: https://open-workflow-specification.org/spec/1.0.0/errors/communication
    status: 404
    """

  Scenario: try-catch-retry-reusable.yaml: runs: nothing to retry
    Given the example "try-catch-retry-reusable.yaml"
    And given the workflow input is:
    """yaml
    petId: 2
    """
    When the workflow is executed
    Then the workflow output should have a 'id' property with value:
    """yaml
    2
    """

  Scenario: try-catch-then-directive.yaml: runs: catch.then goes to its task
    Given the example "try-catch-then-directive.yaml"
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    status: failed
    """
    And continueProcessing should not run

  Scenario: try-catch-then.yaml: runs: the handler, and what follows is skipped
    Given the example "try-catch-then.yaml"
    And given the workflow input is:
    """yaml
    petId: nobody
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    error: $error
    """
    And notifySupport should run before setError
    And buyPet should not run

  Scenario: try-catch.yaml: runs: the error is caught, the input goes on
    Given the example "try-catch.yaml"
    And given the workflow input is:
    """yaml
    petId: nobody
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    petId: nobody
    """

  Scenario: wait-duration-inline.yaml: runs: waits for its time
    Given the example "wait-duration-inline.yaml"
    When the workflow is started
    Then wait30Seconds should wait until 30 seconds after it began

  Scenario: wait-duration-iso8601.yaml: runs: waits for its time
    Given the example "wait-duration-iso8601.yaml"
    When the workflow is started
    Then wait30Seconds should wait until 30 seconds after it began

  Scenario: conditional-task.yaml: runs in loose mode: the service gets the bet
    Given the example "conditional-task.yaml" in loose mode
    And given the workflow input is:
    """yaml
    customer: { age: 30 }
    bet: { amount: 5 }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    accepted: true
    bet: { amount: 5 }
    """

  Scenario: try-catch-then.yaml: runs in loose mode: the error is the one that was caught
    Given the example "try-catch-then.yaml" in loose mode
    And given the workflow input is:
    """yaml
    petId: nobody
    """
    When the workflow is executed
    Then the workflow output should have a 'error.status' property with value:
    """yaml
    404
    """
    And the workflow output should have properties 'error.type', 'error.title', 'error.instance'
    And buyPet should not run
