Feature: HTTP calls
  call: http against the service of README.md.

  Scenario: Each method arrives as such
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: each-method-arrives-as-such, version: '1.0.0' }
    do:
      - loop:
          for: { each: method, in: '["get", "post", "put", "patch", "delete", "options"]' }
          do:
            - choose:
                switch:
                  - get: { when: '$method == "get"', then: get }
                  - post: { when: '$method == "post"', then: post }
                  - put: { when: '$method == "put"', then: put }
                  - patch: { when: '$method == "patch"', then: patch }
                  - delete: { when: '$method == "delete"', then: delete }
                  - options: { then: options }
            - get: { call: http, with: { method: get, endpoint: 'http://conformance.test/echo' }, output: { as: '$input + [.method]' }, then: exit }
            - post: { call: http, with: { method: post, endpoint: 'http://conformance.test/echo' }, output: { as: '$input + [.method]' }, then: exit }
            - put: { call: http, with: { method: put, endpoint: 'http://conformance.test/echo' }, output: { as: '$input + [.method]' }, then: exit }
            - patch: { call: http, with: { method: patch, endpoint: 'http://conformance.test/echo' }, output: { as: '$input + [.method]' }, then: exit }
            - delete: { call: http, with: { method: delete, endpoint: 'http://conformance.test/echo' }, output: { as: '$input + [.method]' }, then: exit }
            - options: { call: http, with: { method: options, endpoint: 'http://conformance.test/echo' }, output: { as: '$input + [.method]' }, then: exit }
    """
    And given the workflow input is:
    """yaml
    []
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    [ GET, POST, PUT, PATCH, DELETE, OPTIONS ]
    """

  Scenario: Headers are sent, also computed ones
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: headers-are-sent-also-computed-ones, version: '1.0.0' }
    do:
      - ask: { call: http, with: { method: get, endpoint: 'http://conformance.test/echo', headers: { X-Fixed: pens, X-Name: '${ .name }' } }, output: { as: '[.headers["x-fixed"], .headers["x-name"]]' } }
    """
    And given the workflow input is:
    """yaml
    name: Ada
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    [ pens, Ada ]
    """

  Scenario: Headers as a whole may be an expression
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: headers-as-a-whole-may-be-an-expression, version: '1.0.0' }
    do:
      - ask: { call: http, with: { method: get, endpoint: 'http://conformance.test/echo', headers: '${ { "X-A": .a } }' }, output: { as: '.headers["x-a"]' } }
    """
    And given the workflow input is:
    """yaml
    a: one
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    one
    """

  Scenario: Query parameters are added and encoded
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: query-parameters-are-added-and-encoded, version: '1.0.0' }
    do:
      - ask: { call: http, with: { method: get, endpoint: 'http://conformance.test/echo?first=1', query: { text: '${ .text }', fixed: 'a&b' } }, output: { as: .query } }
    """
    And given the workflow input is:
    """yaml
    text: one + two/é
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    first: "1"
    text: one + two/é
    fixed: a&b
    """

  Scenario: An object is sent as JSON
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: an-object-is-sent-as-json, version: '1.0.0' }
    do:
      - ask: { call: http, with: { method: post, endpoint: 'http://conformance.test/echo', body: { a: '${ .n }', b: [ x ] } }, output: { as: '{ body, type: .headers["content-type"] }' } }
    """
    And given the workflow input is:
    """yaml
    n: 1
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    body: { a: 1, b: [ x ] }
    type: application/json
    """

  Scenario: A string is sent as it is
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-string-is-sent-as-it-is, version: '1.0.0' }
    do:
      - ask: { call: http, with: { method: post, endpoint: 'http://conformance.test/echo', headers: { Content-Type: text/plain }, body: plain text }, output: { as: '{ body, type: .headers["content-type"] }' } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    body: plain text
    type: text/plain
    """

  Scenario: A body may be the whole data
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-body-may-be-the-whole-data, version: '1.0.0' }
    do:
      - ask: { call: http, with: { method: put, endpoint: 'http://conformance.test/echo', body: '${ . }' }, output: { as: .body } }
    """
    And given the workflow input is:
    """yaml
    [ 1, { a: b } ]
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    [ 1, { a: b } ]
    """

  Scenario: A URI template takes members of the input, encoded
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-uri-template-takes-members-of-the-input-encoded, version: '1.0.0' }
    do:
      - ask: { call: http, with: { method: get, endpoint: 'http://conformance.test/echo/{id}/{name}?q={q}&none={none}' }, output: { as: '{ path, query }' } }
    """
    And given the workflow input is:
    """yaml
    id: 7
    name: a b/c
    q: x&y
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    path: /echo/7/a%20b%2Fc
    query: { q: x&y, none: "" }
    """

  Scenario: A template of an object is an error
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-template-of-an-object-is-an-error, version: '1.0.0' }
    do:
      - ask: { call: http, with: { method: get, endpoint: 'http://conformance.test/echo/{id}' } }
    """
    And given the workflow input is:
    """yaml
    id: { a: 1 }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    type: https://open-workflow-specification.org/spec/1.0.0/errors/expression
    status: 400
    instance: /do/0/ask
    """

  Scenario: The endpoint may be an expression, or an object with a uri
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: the-endpoint-may-be-an-expression-or-an-object-with-a-uri, version: '1.0.0' }
    do:
      - one: { call: http, with: { method: get, endpoint: '${ .host + "/echo/one" }' }, output: { as: '$input + { one: .path }' } }
      - two: { call: http, with: { method: get, endpoint: { uri: 'http://conformance.test/echo/two' } }, output: { as: '{ one: $input.one, two: .path }' } }
    """
    And given the workflow input is:
    """yaml
    host: http://conformance.test
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    one: /echo/one
    two: /echo/two
    """

  @A-20
  Scenario: JSON is read by its type, also with parameters and suffix
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: json-is-read-by-its-type-also-with-parameters-and-suffix, version: '1.0.0' }
    do:
      - a: { call: http, with: { method: get, endpoint: 'http://conformance.test/content/json' }, export: { as: '[.]' } }
      - b: { call: http, with: { method: get, endpoint: 'http://conformance.test/content/json-charset' }, export: { as: '$context + [.]' } }
      - c: { call: http, with: { method: get, endpoint: 'http://conformance.test/content/problem' }, export: { as: '$context + [.]' } }
    output: { as: $context }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    - { name: Rex, age: 3 }
    - { name: Žofka }
    - { type: about:blank }
    """

  @A-20
  Scenario: Text is a string, anything else base64
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: text-is-a-string-anything-else-base64, version: '1.0.0' }
    do:
      - a: { call: http, with: { method: get, endpoint: 'http://conformance.test/content/text' }, export: { as: '[.]' } }
      - b: { call: http, with: { method: get, endpoint: 'http://conformance.test/content/html' }, export: { as: '$context + [.]' } }
      - c: { call: http, with: { method: get, endpoint: 'http://conformance.test/content/binary' }, export: { as: '$context + [.]' } }
      - d: { call: http, with: { method: get, endpoint: 'http://conformance.test/content/untyped' }, export: { as: '$context + [.]' } }
    output: { as: $context }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    - hello
    - <p>hello</p>
    - AAEC/w==
    - cmF3
    """

  Scenario: Broken JSON is a failure of the call
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: broken-json-is-a-failure-of-the-call, version: '1.0.0' }
    do:
      - ask: { call: http, with: { method: get, endpoint: 'http://conformance.test/content/broken' } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    type: https://open-workflow-specification.org/spec/1.0.0/errors/communication
    instance: /do/0/ask
    """

  Scenario: output: raw gives the bytes in base64
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: output-raw-gives-the-bytes-in-base64, version: '1.0.0' }
    do:
      - ask: { call: http, with: { method: get, endpoint: 'http://conformance.test/content/text', output: raw } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    aGVsbG8=
    """

  Scenario: output: response gives request, status, headers and content
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: output-response-gives-request-status-headers-and-content, version: '1.0.0' }
    do:
      - ask: { call: http, with: { method: get, endpoint: 'http://conformance.test/content/json', output: response }, output: { as: '{ method: .request.method, uri: .request.uri, statusCode, type: .headers["content-type"], content }' } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    method: GET
    uri: http://conformance.test/content/json
    statusCode: 200
    type: application/json
    content: { name: Rex, age: 3 }
    """

  Scenario: A 4xx is a communication error with its status
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-4xx-is-a-communication-error-with-its-status, version: '1.0.0' }
    do:
      - ask: { call: http, with: { method: get, endpoint: 'http://conformance.test/status/404' } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    type: https://open-workflow-specification.org/spec/1.0.0/errors/communication
    status: 404
    instance: /do/0/ask
    """

  Scenario: A 5xx is one too, and may be caught by its status
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-5xx-is-one-too-and-may-be-caught-by-its-status, version: '1.0.0' }
    do:
      - safe: { try: [ { ask: { call: http, with: { method: get, endpoint: 'http://conformance.test/status/502' } } } ], catch: { errors: { with: { type: 'https://open-workflow-specification.org/spec/1.0.0/errors/communication', status: 502 } }, do: [ { tell: { set: { caught: '${ $error.status }' } } } ] } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    caught: 502
    """

  Scenario: Statuses of success are not errors
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: statuses-of-success-are-not-errors, version: '1.0.0' }
    do:
      - made: { call: http, with: { method: get, endpoint: 'http://conformance.test/status/201' } }
      - accepted: { call: http, with: { method: get, endpoint: 'http://conformance.test/status/202', output: response }, output: { as: '.statusCode' } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    202
    """

  @A-21
  Scenario: Without redirect a 3xx is an error
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: without-redirect-a-3xx-is-an-error, version: '1.0.0' }
    do:
      - ask: { call: http, with: { method: get, endpoint: 'http://conformance.test/redirect/1' } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    type: https://open-workflow-specification.org/spec/1.0.0/errors/communication
    status: 302
    """

  @A-21
  Scenario: With redirect a chain of redirects is followed
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: with-redirect-a-chain-of-redirects-is-followed, version: '1.0.0' }
    do:
      - ask: { call: http, with: { method: get, endpoint: 'http://conformance.test/redirect/3', redirect: true }, output: { as: .name } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    Rex
    """

  @A-21
  Scenario: Too many redirects are an error
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: too-many-redirects-are-an-error, version: '1.0.0' }
    do:
      - ask: { call: http, with: { method: get, endpoint: 'http://conformance.test/redirect/11', redirect: true } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    type: https://open-workflow-specification.org/spec/1.0.0/errors/communication
    instance: /do/0/ask
    """

  Scenario: Basic authentication, right and wrong
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: basic-authentication-right-and-wrong, version: '1.0.0' }
    do:
      - right: { call: http, with: { method: get, endpoint: { uri: 'http://conformance.test/basic/ada/p%40ss', authentication: { basic: { username: ada, password: 'p@ss' } } } }, output: { as: '{ user }' } }
      - safe:
          try: [ { wrong: { call: http, with: { method: get, endpoint: { uri: 'http://conformance.test/basic/ada/other', authentication: { basic: { username: ada, password: no } } } } } } ]
          catch: { do: [ { tell: { set: { user: '${ .user }', wrong: '${ $error.status }' } } } ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    user: ada
    wrong: 401
    """

  Scenario: A bearer token may be an expression
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-bearer-token-may-be-an-expression, version: '1.0.0' }
    do:
      - ask: { call: http, with: { method: get, endpoint: { uri: 'http://conformance.test/bearer/{token}', authentication: { bearer: { token: '${ .token }' } } } } }
    """
    And given the workflow input is:
    """yaml
    token: abc
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    token: abc
    """

  Scenario: A service that cannot be reached is a communication error
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-service-that-cannot-be-reached-is-a-communication-error, version: '1.0.0' }
    do:
      - ask: { call: http, with: { method: get, endpoint: 'http://127.0.0.1:1/nobody' } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    type: https://open-workflow-specification.org/spec/1.0.0/errors/communication
    status: 500
    instance: /do/0/ask
    """

  Scenario: Calls over TLS
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: calls-over-tls, version: '1.0.0' }
    do:
      - ask: { call: http, with: { method: get, endpoint: 'https://conformance.test/content/json' } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    name: Rex
    age: 3
    """

  Scenario: A failed call is named by its place
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-failed-call-is-named-by-its-place, version: '1.0.0' }
    do:
      - group: { do: [ { loop: { for: { in: '[1]' }, do: [ { ask: { call: http, with: { method: get, endpoint: 'http://conformance.test/status/503' } } } ] } } ] }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    status: 503
    instance: /do/0/group/do/0/loop/do/0/ask
    """
    And ask should fault

  Scenario: A method that the language does not have is refused
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-method-that-the-language-does-not-have-is-refused, version: '1.0.0' }
    do:
      - ask: { call: http, with: { endpoint: 'http://conformance.test/echo' } }
    """
    When the workflow is executed
    Then the definition should be refused, naming "method"
