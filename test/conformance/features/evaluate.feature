Feature: Loose mode
  evaluate.mode: loose: a value that can be an expression is one, and text where it cannot or fails.

  Scenario: A value without the wrapper is an expression
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-value-without-the-wrapper-is-an-expression, version: '1.0.0' }
    evaluate: { mode: loose }
    do:
      - one: { set: { customer: .customer, sum: .n + 1, wrapped: '${ .n }', text: two words } }
    """
    And given the workflow input is:
    """yaml
    customer: { name: Ada }
    n: 2
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    customer: { name: Ada }
    sum: 3
    wrapped: 2
    text: two words
    """

  Scenario: What is no text any more
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: what-is-no-text-any-more, version: '1.0.0' }
    evaluate: { mode: loose }
    do:
      - one: { set: { nothing: 'null', number: '42', clock: 'now', all: ., day: 2026-01-01 }, output: { as: '. + { clock: (.clock | type) }' } }
    """
    And given the workflow input is:
    """yaml
    n: 2
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    nothing: null
    number: 42
    clock: number
    all: { n: 2 }
    day: 2024
    """

  Scenario: The same values are text in strict mode
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: the-same-values-are-text-in-strict-mode, version: '1.0.0' }
    evaluate: { mode: strict, language: jq }
    do:
      - one: { set: { nothing: 'null', number: '42', clock: 'now', all: ., day: 2026-01-01 } }
    """
    And given the workflow input is:
    """yaml
    n: 2
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    nothing: "null"
    number: "42"
    clock: now
    all: .
    day: "2026-01-01"
    """

  Scenario: An expression that fails is the text itself
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: an-expression-that-fails-is-the-text-itself, version: '1.0.0' }
    evaluate: { mode: loose }
    do:
      - one: { set: { x: .n.x, y: error, z: .n } }
    """
    And given the workflow input is:
    """yaml
    n: 2
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    x: .n.x
    y: error
    z: 2
    """

  Scenario: What is wrapped still fails
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: what-is-wrapped-still-fails, version: '1.0.0' }
    evaluate: { mode: loose }
    do:
      - one: { set: { x: '${ .n.x }' } }
    """
    And given the workflow input is:
    """yaml
    n: 2
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    type: https://open-workflow-specification.org/spec/1.0.0/errors/expression
    status: 400
    """

  Scenario: A variable that is not there leaves the text
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-variable-that-is-not-there-leaves-the-text, version: '1.0.0' }
    evaluate: { mode: loose }
    input: { from: { a: $context, b: .n } }
    do:
      - one: { set: { a: .a, b: .b, c: $nobody } }
    """
    And given the workflow input is:
    """yaml
    n: 2
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    a: $context
    b: 2
    c: $nobody
    """

  Scenario: Variables of the scopes around are there
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: variables-of-the-scopes-around-are-there, version: '1.0.0' }
    evaluate: { mode: loose }
    do:
      - careful:
          try: [ { no: { raise: { error: { type: 'https://example.com/no', status: 503 } } } } ]
          catch: { as: problem, do: [ { tell: { set: { status: $problem.status } } } ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    status: 503
    """

  Scenario: Text that comes as data is never an expression
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: text-that-comes-as-data-is-never-an-expression, version: '1.0.0' }
    evaluate: { mode: loose }
    do:
      - one: { set: { x: .text } }
      - two: { set: { y: .x } }
    """
    And given the workflow input is:
    """yaml
    text: 1 + 1
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    y: 1 + 1
    """

  Scenario: A request is made of it
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-request-is-made-of-it, version: '1.0.0' }
    evaluate: { mode: loose }
    do:
      - ask: { call: http, with: { method: post, endpoint: .url, headers: { X-Number: .n }, query: { q: .n }, body: { order: .order } } }
      - tell: { set: { body: .body, query: .query, header: '${ .headers["x-number"] }' } }
    """
    And given the workflow input is:
    """yaml
    url: http://conformance.test/echo
    n: 2
    order: { id: 7 }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    body: { order: { id: 7 } }
    query: { q: "2" }
    header: "2"
    """

  Scenario: Another language than jq is refused
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: another-language-than-jq-is-refused, version: '1.0.0' }
    evaluate: { language: js, mode: loose }
    do: []
    """
    When the workflow is executed
    Then the definition should be refused, naming 'evaluate.language: js'
