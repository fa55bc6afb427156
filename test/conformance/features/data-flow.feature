Feature: Data flow
  What a task sees, what it leaves, and how the context travels.

  Scenario: Without any filter a task gets the output of the one before
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: plain, version: '1.0.0' }
    do:
      - first: { set: { n: 1 } }
      - second: { set: { n: '${ .n + 1 }' } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    n: 2
    """

  Scenario: The workflow's own input and output are filtered
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: outer, version: '1.0.0' }
    input: { from: .order }
    do:
      - add: { set: { total: '${ .price * .count }', kept: '${ $workflow.input.note }' } }
    output: { as: '{ sum: .total, kept }' }
    """
    And given the workflow input is:
    """yaml
    order: { price: 3, count: 4 }
    note: raw
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    sum: 12
    kept: raw
    """

  Scenario: Without an input the data is null
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: no-input, version: '1.0.0' }
    do:
      - look: { set: { type: '${ type }' } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    type: 'null'
    """

  Scenario: An empty list of tasks passes the input on
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: nothing, version: '1.0.0' }
    do: []
    """
    And given the workflow input is:
    """yaml
    [ 1, { a: ~ } ]
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    [ 1, { a: null } ]
    """

  Scenario: input.from makes $input and the dot, and $task.input stays raw
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: input-from, version: '1.0.0' }
    do:
      - pick:
          input: { from: .inner }
          set: { dot: '${ . }', input: '${ $input }', raw: '${ $task.input }', name: '${ $task.name }' }
    """
    And given the workflow input is:
    """yaml
    inner: 7
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    dot: 7
    input: 7
    raw: { inner: 7 }
    name: pick
    """

  Scenario: input.from may be an object some of whose leaves are expressions
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: input-object, version: '1.0.0' }
    do:
      - pick:
          input: { from: { a: '${ .x }', b: .x, c: [ 1, '${ .x + 1 }' ] } }
          set: '${ . }'
    """
    And given the workflow input is:
    """yaml
    x: 5
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    a: 5
    b: .x
    c: [ 1, 6 ]
    """

  Scenario: output.as sees the raw output, and $input
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: output-as, version: '1.0.0' }
    do:
      - make:
          set: { made: true }
          output: { as: '{ out: ., was: $input }' }
    """
    And given the workflow input is:
    """yaml
    before: 1
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    out: { made: true }
    was: { before: 1 }
    """

  Scenario: export.as sees the transformed output, and replaces the context
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: export-as, version: '1.0.0' }
    do:
      - first:
          set: { a: 1 }
          output: { as: .a }
          export: { as: '{ first: ., same: ($output == .) }' }
      - second:
          set: { b: 2 }
          export: { as: '{ second: .b }' }
      - show: { set: '${ $context }' }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    second: 2
    """

  Scenario: A context is built up by adding to the one before
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: export-add, version: '1.0.0' }
    do:
      - first: { set: { a: 1 }, export: { as: '$context + .' } }
      - second: { set: { b: 2 }, export: { as: '$context + .' } }
      - show: { set: '${ $context }' }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    a: 1
    b: 2
    """

  @A-03
  Scenario: At the start the context is null
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: context-start, version: '1.0.0' }
    do:
      - look: { set: { context: '${ $context }', sum: '${ $context + { a: 1 } }' } }
    """
    And given the workflow input is:
    """yaml
    not: the context
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    context: ~
    sum: { a: 1 }
    """

  @A-02
  Scenario: An expression without output gives null, of many the first counts
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: outputs, version: '1.0.0' }
    do:
      - look:
          set: { none: '${ empty }', many: '${ .list[] }' }
          output: { as: '., 1, 2' }
      - nothing:
          if: empty
          set: { never: true }
    """
    And given the workflow input is:
    """yaml
    list: [ 5, 6, 7 ]
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    none: ~
    many: 5
    """
    And nothing should not run

  @A-04
  Scenario: Where only an expression makes sense the wrapper may be left out
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: bare, version: '1.0.0' }
    do:
      - bare:
          if: .n > 0
          input: { from: .n }
          set: { n: '${ . }' }
          output: { as: .n + 1 }
          export: { as: '{ kept: . }' }
      - wrapped:
          if: ${ . > 0 }
          input: { from: '${ . }' }
          set: '${ { n: ., kept: $context.kept } }'
          output: { as: '${ . }' }
    """
    And given the workflow input is:
    """yaml
    n: 1
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    n: 2
    kept: 2
    """

  @A-01
  Scenario: A string that is not one expression as a whole is text
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: embedded, version: '1.0.0' }
    do:
      - greet:
          set:
            embedded: 'Hello ${ .name }!'
            two: '${ .a } and ${ .b }'
            whole: '${ "Hello \(.name)!" }'
            braces: '${ "}${" + .name }'
    """
    And given the workflow input is:
    """yaml
    name: Ada
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    embedded: 'Hello ${ .name }!'
    two: '${ .a } and ${ .b }'
    whole: Hello Ada!
    braces: '}${Ada'
    """

  Scenario: An expression that arrives as data is never evaluated
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: injected, version: '1.0.0' }
    do:
      - first: { set: { a: '${ .text }' } }
      - second: { set: { b: '${ .a }', whole: '${ . }' } }
    """
    And given the workflow input is:
    """yaml
    text: '${ 1 + 1 }'
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    b: '${ 1 + 1 }'
    whole: { a: '${ 1 + 1 }' }
    """

  Scenario: An expression that fails is an error of its task
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: failing, version: '1.0.0' }
    do:
      - first: { set: { a: '${ .text + 1 }' } }
    """
    And given the workflow input is:
    """yaml
    text: one
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    type: https://open-workflow-specification.org/spec/1.0.0/errors/expression
    status: 400
    instance: /do/0/first
    """

  Scenario: A failing output.as fails its task, and a try around it catches that
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: failing-as, version: '1.0.0' }
    do:
      - safe:
          try:
            - first: { set: { a: 1 }, output: { as: '.a.b' } }
          catch:
            errors: { with: { status: 400 } }
            do:
              - tell: { set: { from: '${ $error.instance }' } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    from: /do/0/safe/try/0/first
    """

  Scenario: An argument that is not available is found before anything runs
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: unknown-argument, version: '1.0.0' }
    do:
      - first: { set: { a: '${ $output }' } }
    """
    When the workflow is executed
    Then the definition should be refused, naming "$output"

  Scenario: Filters of a do apply around its list
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: do-filters, version: '1.0.0' }
    do:
      - group:
          input: { from: '.n' }
          do:
            - one: { set: '${ . + 1 }' }
            - two: { set: '${ . * 10 }' }
          output: { as: '{ group: ., was: $input }' }
          export: { as: '.group' }
      - show: { set: '${ { last: ., context: $context } }' }
    """
    And given the workflow input is:
    """yaml
    n: 2
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    last: { group: 30, was: 2 }
    context: 30
    """

  Scenario: Filters of a for apply around all its iterations
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: for-filters, version: '1.0.0' }
    do:
      - loop:
          input: { from: '{ list: .items, sum: 0 }' }
          for: { in: .list }
          do:
            - add: { set: { sum: '${ .sum + $item }', list: null }, export: { as: '($context // []) + [.sum]' } }
          output: { as: '{ sum: .sum, of: ($input.list | length) }' }
      - show: { set: '${ . + { seen: $context } }' }
    """
    And given the workflow input is:
    """yaml
    items: [ 1, 2, 3 ]
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    sum: 6
    of: 3
    seen: [ 1, 3, 6 ]
    """

  Scenario: Filters of a fork apply around its branches
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: fork-filters, version: '1.0.0' }
    do:
      - both:
          input: { from: .n }
          fork:
            branches:
              - left: { set: '${ . + 1 }' }
              - right: { set: '${ . - 1 }', output: { as: '[.]' } }
          output: { as: '{ both: ., was: $input }' }
    """
    And given the workflow input is:
    """yaml
    n: 5
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    both: [ 6, [ 4 ] ]
    was: 5
    """

  Scenario: Filters of a try apply around the list that ended it
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: try-filters, version: '1.0.0' }
    do:
      - good:
          input: { from: .n }
          try:
            - one: { set: '${ . + 1 }' }
          catch: {}
          output: { as: '{ n: . }' }
      - bad:
          try:
            - no: { raise: { error: { type: 'https://example.com/no', status: 418 } } }
          catch:
            do:
              - yes: { set: '${ .n * 2 }' }
          output: { as: '{ n: ., was: $input }' }
    """
    And given the workflow input is:
    """yaml
    n: 1
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    n: 4
    was: { n: 2 }
    """

  Scenario: Filters of a switch, a wait and an emit apply to what passes through
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: pass-filters, version: '1.0.0' }
    do:
      - choose:
          input: { from: .n }
          switch: [ { any: { then: pause } } ]
          output: { as: '{ chosen: . }' }
      - pause:
          wait: PT0.01S
          output: { as: '. + { paused: true }' }
          export: { as: . }
      - tell:
          emit: { event: { with: { source: 'https://example.com', type: com.example.told, data: '${ . }' } } }
          output: { as: '{ event: .data, kept: $input, context: $context }' }
    """
    And given the workflow input is:
    """yaml
    n: 3
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    event: { chosen: 3, paused: true }
    kept: { chosen: 3, paused: true }
    context: { chosen: 3, paused: true }
    """

  Scenario: Filters of a call apply to what is asked and answered
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: call-filters, version: '1.0.0' }
    do:
      - ask:
          input: { from: .order }
          call: http
          with: { method: post, endpoint: 'http://conformance.test/echo', body: '${ . }' }
          output: { as: '{ sent: .body, was: $input }' }
          export: { as: .sent }
      - show: { set: '${ . + { context: $context } }' }
    """
    And given the workflow input is:
    """yaml
    order: { id: 9 }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    sent: { id: 9 }
    was: { id: 9 }
    context: { id: 9 }
    """

  Scenario: Descriptors tell of the workflow, the task and the runtime
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: descriptors, version: '1.2.3' }
    do:
      - group:
          do:
            - look:
                set:
                  name: ${ $workflow.definition.document.name }
                  version: ${ $workflow.definition.document.version }
                  id: ${ $workflow.id | type }
                  started: ${ $workflow.startedAt.epoch.milliseconds <= $task.startedAt.epoch.milliseconds }
                  reference: ${ $task.reference }
                  defined: ${ $task.definition.set.name }
                  runtime: ${ $runtime.name | type }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    name: descriptors
    version: 1.2.3
    id: string
    started: true
    reference: /do/0/group/do/0/look
    defined: ${ $workflow.definition.document.name }
    runtime: string
    """

  Scenario: Numbers and texts leave as they came
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: unchanged, version: '1.0.0' }
    do:
      - text: { set: { whole: '${ . }', as: '${ .big | tostring }' } }
    """
    And given the workflow input is:
    """yaml
    big: 9007199254740991
    text: "é \U0001F600 \t"
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    whole: { big: 9007199254740991, text: "é \U0001F600 \t" }
    as: '9007199254740991'
    """
