"""kept_flows.py - what is in a store that is kept as test data: scripts/keep-stores makes it with a released program, and kept.py opens
it with every later one. What is here may be added to, and never changed: stores of before have it.

Calls go to http://shop.example, which PAWL_EGRESS_MAP leads to a service of the test."""

from outside import HOLD, Outside

HEAD = "document: {{dsl: 1.0.3, namespace: kept, name: {name}, version: 1.0.0}}\n"


def flow(name, text):
    return HEAD.format(name=name) + text


FLOWS = [
    flow("hello", "do:\n  - greet: {set: {text: '${ \"hi \" + (.name // \"you\") }', n: '${ .n }'}}\n"),
    flow("ask", "do:\n  - ask: {call: userTask, with: {key: answer, title: well?, candidates: {users: [ann, bob], groups: [clerks]}, priority: 3}}\n"
                "  - keep: {set: {by: '${ .by // null }'}}\n"),
    flow("bad", "do:\n  - no: {raise: {error: {type: https://example.com/no, status: 418, title: no}}}\n  - after: {set: {went: on}}\n"),
    flow("nap", "do:\n  - nap: {wait: {days: 36500}}\n  - done: {set: {done: true}}\n"),
    flow("blink", "do:\n  - nap: {wait: {seconds: 5}}\n  - done: {set: {done: true}}\n"),
    flow("hear", "do:\n  - hear: {listen: {to: {one: {with: {type: order.paid, subject: '${ $input.order }'}}}}}\n  - sum: {set: {amount: '${ .[0].amount }'}}\n"),
    flow("call", "do:\n  - pay: {call: http, with: {method: post, endpoint: 'http://shop.example/hold', body: {n: 12345678901234567890}}}\n"),
    flow("judge", "do:\n  - pay: {call: http, with: {method: post, endpoint: 'http://shop.example/hold', body: {n: 1}},"
                  " metadata: {pawl: {resilience: {onUnknownOutcome: ask}}}}\n"),
    flow("again", "do:\n  - pay: {call: http, with: {method: post, endpoint: 'http://shop.example/busy', body: {n: 1}},"
                  " metadata: {pawl: {resilience: {retry: {limit: {attempt: {count: 9}}, delay: {days: 3650}}}}}}\n"),
    flow("work", "do:\n  - paint: {call: paint, with: {colour: red}}\n"),
    flow("parent", "do:\n  - child: {run: {workflow: {namespace: kept, name: ask, version: 1.0.0}}}\n  - done: {set: {child: '${ . }'}}\n"),
    flow("wide", "do:\n  - all:\n      fork:\n        branches:\n" + "".join(
        f"          - b{n}: {{do: [{{ask: {{call: userTask, with: {{key: k{n}, title: well?}}}}}}]}}\n" for n in range(9))),
    flow("large", "do:\n  - ask: {call: userTask, with: {key: answer, title: well?}, output: {as: '$input'}}\n  - sum: {set: {lines: '${ .lines | length }'}}\n"),
    flow("tries", "do:\n  - all:\n      try:\n        - pay: {call: http, with: {method: get, endpoint: 'http://shop.example/busy'},"
                  " metadata: {pawl: {resilience: {retry: {limit: {attempt: {count: 0}}}}}}}\n"
                  "      catch: {retry: {delay: {days: 3650}, limit: {attempt: {count: 3}}}}\n"),
    """document:
  dsl: 1.0.3
  namespace: kept
  name: trip
  version: 1.0.0
  metadata: {pawl: {compensation: {on: []}}}
use:
  functions:
    giveBack: {call: http, with: {method: post, endpoint: '${ "http://shop.example" + .path }', body: {}}}
do:
  - flight:
      call: http
      with: {method: post, endpoint: 'http://shop.example/flights', body: {}}
      metadata: {pawl: {compensate: {call: giveBack, with: {path: '${ $input.back }'}}}}
      output: {as: $input}
  - told: {emit: {event: {with: {source: 'https://kept.example', type: trip.booked, data: {n: 1}}}}}
""",
    """document:
  dsl: 1.0.3
  namespace: kept
  name: yearly
  version: 1.0.0
schedule: {cron: '0 0 29 2 *'}
do:
  - tick: {set: {tick: true}}
""",
]


class Shop(Outside):
    """Holds what is for /hold, is busy at /busy, and does the rest; `well`: does all of it."""

    def __init__(self, well=False):
        super().__init__()
        self.well = well

    def take(self, request):
        with self.lock:
            self.requests.append(request)
        if not self.well and request.path.startswith("/hold"):
            return HOLD
        return 503 if not self.well and request.path.startswith("/busy") else (200, {"ok": True})

    @property
    def settings(self):
        return {"PAWL_EGRESS_ALLOW": "loopback", "PAWL_EGRESS_MAP": f"http://shop.example=127.0.0.1:{self.server_port}",
                "WorkflowResilience__Faults__Table__external-call__server-error": "retry"}
