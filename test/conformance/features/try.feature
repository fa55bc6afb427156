Feature: Errors caught
  try and catch: which errors, what becomes of them, and retries.

  Scenario: A try without errors gives the output of its list
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-try-without-errors-gives-the-output-of-its-list, version: '1.0.0' }
    do:
      - safe: { try: [ { one: { set: { a: 1 } } } ], catch: { do: [ { never: { set: { never: true } } } ] } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    a: 1
    """
    And never should not run

  Scenario: A catch without anything catches everything and goes on with the input of the try
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: a-catch-without-anything-catches-everything-and-goes-on-with, version: '1.0.0' }
    do:
      - safe: { try: [ { one: { set: { a: 1 } } }, { no: { raise: { error: { type: 'https://example.com/no', status: 418, title: No, detail: not today } } } } ], catch: {} }
    """
    And given the workflow input is:
    """yaml
    in: 1
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    in: 1
    """

  Scenario: The error is in the variable error, or in what as names
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: the-error-is-in-the-variable-error-or-in-what-as-names, version: '1.0.0' }
    do:
      - safe: { try: [ { no: { raise: { error: { type: 'https://example.com/no', status: 418, title: No, detail: not today } } } } ], catch: { do: [ { tell: { set: { first: '${ $error }' } } } ] } }
      - again: { input: { from: .first }, try: [ { no: { raise: { error: '${ . }' } } } ], catch: { as: problem, do: [ { tell: { set: { second: '${ $problem.title }', first: '${ . }' } } } ] } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    second: No
    first: { type: https://example.com/no, status: 418, title: No, detail: not today, instance: /do/0/safe/try/0/no }
    """

  Scenario: All members that errors.with gives must be equal
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: all-members-that-errors-with-gives-must-be-equal, version: '1.0.0' }
    do:
      - outer:
          try:
            - inner:
                try: [ { no: { raise: { error: { type: 'https://example.com/no', status: 418, title: No, detail: not today } } } } ]
                catch: { errors: { with: { status: 418, title: Other } }, do: [ { wrong: { set: { wrong: true } } } ] }
          catch: { errors: { with: { status: 418, title: No, detail: not today, type: 'https://example.com/no', instance: /do/0/outer/try/0/inner/try/0/no } }, do: [ { right: { set: { right: true } } } ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    right: true
    """
    And wrong should not run

  Scenario: Standard error types mean the same in each of their spellings
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: standard-error-types-mean-the-same-in-each-of-their-spelling, version: '1.0.0' }
    do:
      - one: { try: [ { no: { set: '${ .a.b }' } } ], catch: { errors: { with: { type: 'https://serverlessworkflow.io/spec/1.0.0/errors/expression' } }, do: [ { a: { set: { n: 1 } } } ] } }
      - two: { try: [ { no: { set: '${ .n.b }' } } ], catch: { errors: { with: { type: 'https://open-workflow-specification.org/spec/1.0.0/errors/expression' } }, do: [ { b: { set: { n: 2 } } } ] } }
      - three: { try: [ { no: { set: '${ .n.b }' } } ], catch: { errors: { with: { type: 'https://serverlessworkflow.io/dsl/errors/types/expression' } }, do: [ { c: { set: { n: 3 } } } ] } }
      - four: { try: [ { no: { set: '${ .n.b }' } } ], catch: { errors: { with: { type: 'https://open-workflow-specification.org/dsl/errors/types/expression' } }, do: [ { d: { set: { n: '${ .n + 1 }' } } } ] } }
    """
    And given the workflow input is:
    """yaml
    a: text
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    n: 4
    """

  Scenario: when and exceptWhen see the error as the dot and as the variable
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: when-and-exceptwhen-see-the-error-as-the-dot-and-as-the-vari, version: '1.0.0' }
    do:
      - one:
          try: [ { no: { raise: { error: { type: 'https://example.com/no', status: 418, title: No, detail: not today } } } } ]
          catch: { when: '.status == 418 and $error.title == "No"', do: [ { a: { set: { when: true } } } ] }
      - two:
          try:
            - inner:
                try: [ { no: { raise: { error: { type: 'https://example.com/no', status: 418, title: No, detail: not today } } } } ]
                catch: { as: e, exceptWhen: '$e.status == .status', do: [ { wrong: { set: { wrong: true } } } ] }
          catch: { do: [ { b: { set: { exceptWhen: true } } } ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    exceptWhen: true
    """
    And a should run 1 time
    And wrong should not run

  Scenario: exceptWhen is asked before when
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: exceptwhen-is-asked-before-when, version: '1.0.0' }
    do:
      - outer:
          try:
            - inner:
                try: [ { no: { raise: { error: { type: 'https://example.com/no', status: 418, title: No, detail: not today } } } } ]
                catch: { when: 'true', exceptWhen: 'true', do: [ { wrong: { set: { wrong: true } } } ] }
          catch: {}
    """
    When the workflow is executed
    Then the workflow should complete
    And wrong should not run

  Scenario: An error that no catch wants goes outward to one that does
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: an-error-that-no-catch-wants-goes-outward-to-one-that-does, version: '1.0.0' }
    do:
      - outer:
          try:
            - group:
                do:
                  - inner:
                      try: [ { no: { raise: { error: { type: 'https://example.com/no', status: 418, title: No, detail: not today } } } } ]
                      catch: { errors: { with: { status: 500 } } }
          catch: { do: [ { tell: { set: { from: '${ $error.instance }' } } } ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    from: /do/0/outer/try/0/group/do/0/inner/try/0/no
    """
    And inner should fault
    And group should fault

  @A-06
  Scenario: The handler gets the input of the try, as input.from made it
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: the-handler-gets-the-input-of-the-try-as-input-from-made-it, version: '1.0.0' }
    do:
      - safe:
          input: { from: .inner }
          try: [ { one: { set: { gone: true } } }, { no: { raise: { error: { type: 'https://example.com/no', status: 418, title: No, detail: not today } } } } ]
          catch: { do: [ { tell: { set: { got: '${ . }' } } } ] }
    """
    And given the workflow input is:
    """yaml
    inner: { n: 1 }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    got: { n: 1 }
    """

  Scenario: An error in the handler goes outward
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: an-error-in-the-handler-goes-outward, version: '1.0.0' }
    do:
      - safe:
          try: [ { no: { raise: { error: { type: 'https://example.com/no', status: 418, title: No, detail: not today } } } } ]
          catch: { do: [ { worse: { raise: { error: { type: 'https://example.com/worse', status: 500 } } } } ] }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    type: https://example.com/worse
    status: 500
    instance: /do/0/safe/catch/do/0/worse
    """

  Scenario: then of a catch says what comes after the handler
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: then-of-a-catch-says-what-comes-after-the-handler, version: '1.0.0' }
    do:
      - safe:
          try: [ { no: { raise: { error: { type: 'https://example.com/no', status: 418, title: No, detail: not today } } } } ]
          catch: { do: [ { tell: { set: { told: true } } } ], then: last }
      - never: { set: { never: true } }
      - last: { set: { last: '${ .told }' } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    last: true
    """
    And never should not run

  Scenario: then of a catch is not followed without an error
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: then-of-a-catch-is-not-followed-without-an-error, version: '1.0.0' }
    do:
      - safe: { try: [ { one: { set: { a: 1 } } } ], catch: { then: last } }
      - next: { set: { next: '${ .a }' }, then: end }
      - last: { set: { last: true } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    next: 1
    """

  Scenario: Handlers nest
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: handlers-nest, version: '1.0.0' }
    do:
      - outer:
          try: [ { no: { raise: { error: { type: 'https://example.com/no', status: 418, title: No, detail: not today } } } } ]
          catch:
            as: first
            do:
              - inner:
                  try: [ { worse: { raise: { error: { type: 'https://example.com/worse', status: 500 } } } } ]
                  catch: { as: second, do: [ { tell: { set: { both: '${ [$first.status, $second.status] }' } } } ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    both: [ 418, 500 ]
    """

  @A-09
  Scenario: What a failed attempt exported is kept
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: conformance, name: what-a-failed-attempt-exported-is-kept, version: '1.0.0' }
    do:
      - safe:
          try: [ { one: { set: { n: 1 }, export: { as: '{ tries: (($context.tries // 0) + 1) }' } } }, { no: { if: '$context.tries < 3', raise: { error: { type: 'https://example.com/no', status: 418, title: No, detail: not today } } } } ]
          catch: { retry: { limit: { attempt: { count: 5 } } } }
      - show: { set: '${ $context }' }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    tries: 3
    """
    And one should run 3 times
