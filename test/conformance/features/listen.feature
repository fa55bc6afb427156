Feature: Listen
  listen: the workflow waits for messages (CloudEvents), of which filters say what they must be like.

  Scenario: One message ends it, and the output is an array
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: one-message-ends-it-and-the-output-is-an-array, version: '1.0.0' }
    do:
      - paid: { listen: { to: { one: { with: { type: order.paid } } } } }
    """
    When the workflow is executed
    Then the workflow should be waiting for "paid-1"
    When the event is published:
    """yaml
    { type: order.sent, data: 1 }
    """
    Then the workflow should be waiting for "paid-1"
    When the event is published:
    """yaml
    { type: order.paid, data: { amount: 7 } }
    """
    Then the workflow should complete with output:
    """yaml
    [ { amount: 7 } ]
    """
    And paid should complete

  Scenario: Any of several filters, and no filter at all
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: any-of-several-filters-and-no-filter-at-all, version: '1.0.0' }
    do:
      - first: { listen: { to: { any: [ { with: { type: a } }, { with: { type: b } } ] } } }
      - second: { listen: { to: { any: [] } }, input: { from: '.[0]' }, output: { as: '[$input, .[0]]' } }
    """
    When the workflow is executed
    And the event is published:
    """yaml
    { type: b, data: 1 }
    """
    Then the workflow should be waiting for "second-2"
    When the event is published:
    """yaml
    { type: whatever, data: 2 }
    """
    Then the workflow should complete with output:
    """yaml
    [ 1, 2 ]
    """

  Scenario: All filters, in the order of arrival
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: all-filters-in-the-order-of-arrival, version: '1.0.0' }
    do:
      - both: { listen: { to: { all: [ { with: { type: a } }, { with: { type: b } } ] } } }
    """
    When the workflow is executed
    And the event is published:
    """yaml
    { type: b, data: 1 }
    """
    Then the workflow should be waiting for "both-1"
    When the event is published:
    """yaml
    { type: a, data: 2 }
    """
    Then the workflow should complete with output:
    """yaml
    [ 1, 2 ]
    """

  @A-29
  Scenario: A message satisfies only the first open filter of all
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-message-satisfies-only-the-first-open-filter-of-all, version: '1.0.0' }
    do:
      - both: { listen: { to: { all: [ { with: { type: a } }, { with: { type: a } } ] } } }
    """
    When the workflow is executed
    And the event is published:
    """yaml
    { type: a, data: 1 }
    """
    Then the workflow should be waiting for "both-1"
    When the event is published:
    """yaml
    { type: a, data: 2 }
    """
    Then the workflow should complete with output:
    """yaml
    [ 1, 2 ]
    """

  @A-25
  Scenario: Text is a pattern only from caret to dollar
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: text-is-a-pattern-only-from-caret-to-dollar, version: '1.0.0' }
    do:
      - literal: { listen: { to: { one: { with: { type: t, subject: a.c } } } } }
      - pattern: { listen: { to: { one: { with: { type: t, subject: ^b.c$ } } } } }
    """
    When the workflow is executed
    And the event is published:
    """yaml
    { type: t, subject: abc, data: 1 }
    """
    Then the workflow should be waiting for "literal-1"
    When the event is published:
    """yaml
    { type: t, subject: a.c, data: 2 }
    """
    Then the workflow should be waiting for "pattern-2"
    When the event is published:
    """yaml
    { type: t, subject: bxcx, data: 3 }
    """
    Then the workflow should be waiting for "pattern-2"
    When the event is published:
    """yaml
    { type: t, subject: bxc, data: 4 }
    """
    Then the workflow should complete with output:
    """yaml
    [ 4 ]
    """

  @A-26
  Scenario: In an attribute's expression the dot is its value
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: in-an-attribute-s-expression-the-dot-is-its-value, version: '1.0.0' }
    do:
      - hot: { listen: { to: { one: { with: { type: t, data: '${ .degrees > 38 }' } } } } }
    """
    When the workflow is executed
    And the event is published:
    """yaml
    { type: t, data: { degrees: 38 } }
    """
    Then the workflow should be waiting for "hot-1"
    When the event is published:
    """yaml
    { type: t, data: text }
    """
    Then the workflow should be waiting for "hot-1"
    When the event is published:
    """yaml
    { type: t, data: { degrees: 39 } }
    """
    Then the workflow should complete with output:
    """yaml
    [ { degrees: 39 } ]
    """

  Scenario: An expression without the dot is what is expected
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: an-expression-without-the-dot-is-what-is-expected, version: '1.0.0' }
    do:
      - begin: { set: { order: o-1 } }
      - mine: { listen: { to: { one: { with: { type: t, subject: '${ $input.order }' } } } } }
    """
    When the workflow is executed
    And the event is published:
    """yaml
    { type: t, subject: o-2, data: 1 }
    """
    Then the workflow should be waiting for "mine-2"
    When the event is published:
    """yaml
    { type: t, subject: o-1, data: 2 }
    """
    Then the workflow should complete with output:
    """yaml
    [ 2 ]
    """

  Scenario: A correlation with an expectation finds its instance
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-correlation-with-an-expectation-finds-its-instance, version: '1.0.0' }
    do:
      - begin: { set: { order: 7 } }
      - mine: { listen: { to: { one: { with: { type: t }, correlate: { order: { from: .data.order, expect: '${ .order }' } } } } } }
    """
    When the workflow is executed
    And the event is published:
    """yaml
    { type: t, data: { order: 8 } }
    """
    Then the workflow should be waiting for "mine-2"
    When the event is published:
    """yaml
    { type: t, data: { order: 7.0, ok: true } }
    """
    Then the workflow should complete with output:
    """yaml
    [ { order: 7.0, ok: true } ]
    """

  Scenario: Without an expectation the first value seen is expected of the others
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: without-an-expectation-the-first-value-seen-is-expected-of-the, version: '1.0.0' }
    do:
      - both:
          listen:
            to:
              all:
                - { with: { type: temperature }, correlate: { room: { from: .data.room } } }
                - { with: { type: humidity }, correlate: { room: { from: .data.room } } }
    """
    When the workflow is executed
    And the event is published:
    """yaml
    { type: humidity, data: { room: r1 } }
    """
    And the event is published:
    """yaml
    { type: temperature, data: { room: r2 } }
    """
    Then the workflow should be waiting for "both-1"
    When the event is published:
    """yaml
    { type: temperature, data: { room: r1, n: 1 } }
    """
    Then the workflow should complete with output:
    """yaml
    [ { room: r1 }, { room: r1, n: 1 } ]
    """

  @A-28
  Scenario: A correlation key belongs to one listen
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-correlation-key-belongs-to-one-listen, version: '1.0.0' }
    do:
      - rounds:
          for: { each: n, in: '[1, 2]' }
          do:
            - next: { listen: { to: { one: { with: { type: t }, correlate: { key: { from: .data } } } } } }
    """
    When the workflow is executed
    And the event is published:
    """yaml
    { type: t, data: 1 }
    """
    And the event is published:
    """yaml
    { type: t, data: 2 }
    """
    Then the workflow should complete with output:
    """yaml
    [ 2 ]
    """

  Scenario: Until is asked after each message
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: until-is-asked-after-each-message, version: '1.0.0' }
    do:
      - three: { listen: { to: { any: [ { with: { type: t } } ], until: length == 3 } } }
    """
    When the workflow is executed
    And the event is published:
    """yaml
    { type: t, data: 1 }
    """
    And the event is published:
    """yaml
    { type: t, data: 2 }
    """
    Then the workflow should be waiting for "three-1"
    When the event is published:
    """yaml
    { type: t, data: 3 }
    """
    Then the workflow should complete with output:
    """yaml
    [ 1, 2, 3 ]
    """

  Scenario: Until other messages, which are no part of the output
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: until-other-messages-which-are-no-part-of-the-output, version: '1.0.0' }
    do:
      - visit:
          listen:
            to:
              any: [ { with: { type: measured } } ]
              until: { all: [ { with: { type: paid } }, { with: { type: left } } ] }
    """
    When the workflow is executed
    And the event is published:
    """yaml
    { type: measured, data: 1 }
    """
    And the event is published:
    """yaml
    { type: left }
    """
    And the event is published:
    """yaml
    { type: measured, data: 2 }
    """
    Then the workflow should be waiting for "visit-1"
    When the event is published:
    """yaml
    { type: paid }
    """
    Then the workflow should complete with output:
    """yaml
    [ 1, 2 ]
    """

  @A-39
  Scenario: Read data, envelope and raw
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: read-data-envelope-and-raw, version: '1.0.0' }
    do:
      - data: { listen: { to: { any: [] }, read: data } }
      - envelope: { listen: { to: { any: [] }, read: envelope }, output: { as: '$input + [.[0] | {type, subject, data}]' } }
      - raw: { listen: { to: { any: [] }, read: raw }, output: { as: $input + . } }
      - bytes: { listen: { to: { any: [] }, read: raw }, output: { as: $input + . } }
    """
    When the workflow is executed
    And the event is published:
    """yaml
    { type: a, data: { n: 1 } }
    """
    And the event is published:
    """yaml
    { type: b, subject: s, data: 2 }
    """
    And the event is published:
    """yaml
    { type: c, data: { n: 3 } }
    """
    And the event is published:
    """yaml
    { type: d, data_base64: AAEC }
    """
    Then the workflow should complete with output:
    """yaml
    [ { n: 1 }, { type: b, subject: s, data: 2 }, { n: 3 }, AAEC ]
    """

  Scenario: What is done with each message, one after the other
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: what-is-done-with-each-message-one-after-the-other, version: '1.0.0' }
    do:
      - each:
          listen: { to: { any: [ { with: { type: t } } ], until: length == 3 } }
          foreach:
            item: order
            at: number
            do:
              - double: { set: { twice: '${ $order * 2 }', number: '${ $number }' } }
    """
    When the workflow is executed
    And the event is published:
    """yaml
    { type: t, data: 10 }
    """
    And the event is published:
    """yaml
    { type: t, data: 20 }
    """
    And the event is published:
    """yaml
    { type: t, data: 30 }
    """
    Then the workflow should complete with output:
    """yaml
    - { twice: 20, number: 0 }
    - { twice: 40, number: 1 }
    - { twice: 60, number: 2 }
    """
    And double should run 3 times

  @A-32
  Scenario: What foreach puts out is shaped after its tasks
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: what-foreach-puts-out-is-shaped-after-its-tasks, version: '1.0.0' }
    do:
      - each:
          listen: { to: { any: [ { with: { type: t } } ], until: length == 2 } }
          foreach:
            do: [ { plus: { set: '${ { n: ($item + 1) } }' } } ]
            output: { as: .n }
            export: { as: '($context // 0) + $output' }
          output: { as: '{ all: ., sum: $context }' }
    """
    When the workflow is executed
    And the event is published:
    """yaml
    { type: t, data: 1 }
    """
    And the event is published:
    """yaml
    { type: t, data: 2 }
    """
    Then the workflow output should have a 'all' property with value:
    """yaml
    [ 2, 3 ]
    """

  Scenario: Messages wait while one is worked on
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: messages-wait-while-one-is-worked-on, version: '1.0.0' }
    do:
      - each:
          listen: { to: { any: [ { with: { type: t } } ], until: length == 2 } }
          foreach: { do: [ { ask: { call: userTask, with: { key: '${ "ask-\($item)" }' }, output: { as: .said } } } ] }
    """
    When the workflow is executed
    And the event is published:
    """yaml
    { type: t, data: 1 }
    """
    And the event is published:
    """yaml
    { type: t, data: 2 }
    """
    Then the workflow should be waiting for "ask-1"
    When ann answers "ask-1" with:
    """yaml
    said: a
    """
    Then the workflow should be waiting for "ask-2"
    When bob answers "ask-2" with:
    """yaml
    said: b
    """
    Then the workflow should complete with output:
    """yaml
    [ a, b ]
    """

  @A-37
  Scenario: A message from before the listen is heard if nobody else has had it
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-message-from-before-the-listen-is-heard-if-nobody-else-has-ha, version: '1.0.0' }
    do:
      - ask: { call: userTask, with: { key: go } }
      - early: { listen: { to: { one: { with: { type: t } } } } }
    """
    When the workflow is executed
    And the event is published:
    """yaml
    { type: t, data: 1 }
    """
    And ann answers "go" with:
    """yaml
    yes
    """
    Then the workflow should complete with output:
    """yaml
    [ 1 ]
    """

  @A-38
  Scenario: A message goes to everybody who listens
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-message-goes-to-everybody-who-listens, version: '1.0.0' }
    do:
      - both:
          fork:
            branches:
              - left: { listen: { to: { one: { with: { type: t } } } } }
              - right: { listen: { to: { one: { with: { type: t } } } } }
    """
    When the workflow is executed
    And the event is published:
    """yaml
    { type: t, data: 1 }
    """
    Then the workflow should complete with output:
    """yaml
    [ [ 1 ], [ 1 ] ]
    """

  Scenario: The same message again has no effect
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: the-same-message-again-has-no-effect, version: '1.0.0' }
    do:
      - two: { listen: { to: { any: [ { with: { type: t } } ], until: length == 2 } } }
    """
    When the workflow is executed
    And the event is published:
    """yaml
    { id: m1, source: /s, type: t, data: 1 }
    """
    And the event is published:
    """yaml
    { id: m1, source: /s, type: t, data: 2 }
    """
    Then the workflow should be waiting for "two-1"
    When the event is published:
    """yaml
    { id: m1, source: /other, type: t, data: 3 }
    """
    Then the workflow should complete with output:
    """yaml
    [ 1, 3 ]
    """

  Scenario: Who loses a race hears nothing more
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: who-loses-a-race-hears-nothing-more, version: '1.0.0' }
    do:
      - race:
          fork:
            compete: true
            branches:
              - left: { listen: { to: { one: { with: { type: l } } } } }
              - right: { listen: { to: { one: { with: { type: r } } } } }
      - then: { listen: { to: { any: [] } }, output: { as: '$input + .' } }
    """
    When the workflow is executed
    And the event is published:
    """yaml
    { type: r, data: 1 }
    """
    Then left should cancel
    When the event is published:
    """yaml
    { type: l, data: 2 }
    """
    Then the workflow should complete with output:
    """yaml
    [ 1, 2 ]
    """

  Scenario: A value that cannot be expected is an error of the task
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-value-that-cannot-be-expected-is-an-error-of-the-task, version: '1.0.0' }
    do:
      - safe:
          try:
            - mine: { listen: { to: { one: { with: { type: t, subject: '${ $input.order }' } } } } }
          catch: { as: e, do: [ { told: { set: { status: '${ $e.status }', title: '${ $e.title }' } } } ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { status: 400, title: nothing is expected }
    """

  Scenario: A loop over lists that end hears what came between
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-loop-over-lists-that-end-hears-what-came-between, version: '1.0.0' }
    do:
      - rounds:
          for: { each: n, in: '[1, 2, 3]' }
          do: [ { next: { listen: { to: { one: { with: { type: t } } } }, output: { as: '($input // []) + .' } } } ]
    """
    When the workflow is executed
    And the events are published:
    """yaml
    [ { type: t, data: 1 }, { type: t, data: 2 }, { type: t, data: 3 } ]
    """
    Then the workflow should complete with output:
    """yaml
    [ 1, 2, 3 ]
    """
