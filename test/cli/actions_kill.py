#!/usr/bin/env python3
"""The server is killed in the middle of what an operator does about an incident, and in the middle of a compensation, and
started again: each action has its effect once, and everything is undone once, in order. At some points; with
PAWL_TEST_LONG at every one, again and again."""
from harness import case, main, until
from killed import KEY, entries, kill_at_every_point, once
from service import Service

FAULT = """
document: { dsl: '1.0.3', namespace: t, name: fault, version: '1.0.0' }
do:
  - before: { set: { n: 1 }, export: { as: '${ {by: "ann"} }' } }
  - no: { raise: { error: { type: 'http://e/x', status: 418, title: No } } }
  - last: { set: { at: '${ . }', by: '${ $context.by }' } }
"""
PART = """
document: { dsl: '1.0.3', namespace: t, name: part, version: '1.0.0' }
do:
  - x: { call: http, with: { method: post, endpoint: 'URL/x' },
         metadata: { pawl: { compensate: { call: http, with: { method: post, endpoint: 'URL/undo-x' } } } } }
"""
TRIP = """
document: { dsl: '1.0.3', namespace: t, name: trip, version: '1.0.0' }
do:
  - a: { call: http, with: { method: post, endpoint: 'URL/a' },
         metadata: { pawl: { compensate: { call: http, with: { method: post, endpoint: 'URL/undo-a' } } } } }
  - part: { run: { workflow: { namespace: t, name: part, version: '1.0.0' } } }
  - all:
      fork:
        branches:
          - b: { call: http, with: { method: post, endpoint: 'URL/b' },
                 metadata: { pawl: { compensate: { call: http, with: { method: post, endpoint: 'URL/undo-b' } } } } }
          - c: { call: http, with: { method: post, endpoint: 'URL/c' },
                 metadata: { pawl: { compensate: { call: http, with: { method: post, endpoint: 'URL/undo-c' } } } } }
  - stop: { call: userTask, with: { key: stop } }
"""


def faulted(web):
    web.deploy(FAULT)
    one = web.start("t/fault")["id"]
    until(lambda: web.get("/v1/incidents").json["incidents"], "an incident")
    return one


def act(room, path, body, kind, sample, output=None):
    request, told = once(path, {"reason": "x", **body}, kind)

    def effect(web, one):
        if output is not None and web.get(f"/v1/instances/{one}/output?wait=30s").gives(200).json != output:
            return False
        return told(web, one)

    kill_at_every_point(room, faulted, request, effect, sample)


@case("killed anywhere in the middle, a retry with another input has its effect once")
def _(room):
    act(room, "retry", {"input": {"n": 2}}, "instance.retried", ["engine-after-commit"])


@case("killed anywhere in the middle, a skip with an output has its effect once")
def _(room):
    act(room, "skip", {"output": {"n": 3}}, "instance.skipped", ["engine-before-commit"], {"at": {"n": 3}, "by": "ann"})


@case("killed anywhere in the middle, another task is gone to once")
def _(room):
    act(room, "goto", {"task": "/do/2/last", "input": 4}, "instance.moved", ["engine-before-answer"], {"at": 4, "by": "ann"})


@case("killed anywhere in the middle, an earlier step is gone back to once")
def _(room):
    request, effect = once("rewind", {"reason": "x", "visit": 2}, "instance.rewound")
    kill_at_every_point(room, faulted, request, effect, ["engine-after-commit"])


@case("killed anywhere in the middle, data are edited once")
def _(room):
    patch = [{"op": "add", "path": "/context/n", "value": 1}, {"op": "remove", "path": "/context/by"}]

    def effect(web, one):
        return entries(web, one, "instance.edited") == 1 and web.get("/v1/instances/" + one).json["data"]["context"] == {"n": 1}

    request, _ = once("edit", {"reason": "x", "patch": patch}, "instance.edited")
    kill_at_every_point(room, faulted, request, effect, ["engine-after-commit"])


@case("killed anywhere in the middle, a compensation ends, and everything is undone once and in order")
def _(room):
    service = Service()

    def done(web):
        for text in (PART, TRIP):
            web.deploy(text.replace("URL", service.url))
        one = web.start("t/trip")["id"]
        until(lambda: web.get("/v1/instances/" + one).json["waits"] and
              web.get("/v1/instances/" + one).json["waits"][0]["kind"] == "user-action", "all that is done")
        return one

    def request(web, one):
        answer = web.post(f"/v1/instances/{one}/compensate", {"reason": "x"}, headers=KEY).gives(200)
        web.get(f"/v1/instances/{one}?wait=30s").gives(200)
        return answer

    def effect(web, one):
        assert web.get("/v1/instances/" + one).json["status"] == "compensated"
        plan = web.get(f"/v1/instances/{one}/compensation").gives(200).json
        assert plan["left"] == 0 and [step["state"] for step in plan["steps"]] == 4 * ["done"], plan
        assert entries(web, one, "compensation.started") == entries(web, one, "compensation.completed") == 1
        # whatever was asked for again, after whatever kill, was the same effect
        undone = list(dict.fromkeys((path, key) for path, key in zip(service.paths, service.keys) if path.startswith("/undo")))
        paths = [path for path, _ in undone]
        assert sorted(paths[:2]) == ["/undo-b", "/undo-c"] and paths[2:] == ["/undo-x", "/undo-a"], undone
        return True

    kill_at_every_point(room, done, request, effect, ["engine-after-commit", "engine-after-act", "engine-after-letter"])


if __name__ == "__main__":
    main()
