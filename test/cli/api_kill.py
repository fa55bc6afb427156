#!/usr/bin/env python3
"""The server is killed in the middle of every command that changes something, at each point that the command passes, and
started again; the client repeats its request, as clients do. The command has its effect once."""
from harness import case, main, until
from killed import KEY, entries, kill_at_every_point, once
HELLO = """
document: { dsl: '1.0.3', namespace: t, name: hello, version: '1.0.0' }
do: [ { greet: { set: { hello: "${ .who }" } } } ]
"""
ASK = """
document: { dsl: '1.0.3', namespace: t, name: ask, version: '1.0.0' }
do: [ { ask: { call: userTask, with: { key: decision, title: Yes or no? } } } ]
"""
HEAR = """
document: { dsl: '1.0.3', namespace: t, name: hear, version: '1.0.0' }
do: [ { hear: { listen: { to: { one: { with: { type: com.example.order } } } } } } ]
"""
WORK = """
document: { dsl: '1.0.3', namespace: t, name: work, version: '1.0.0' }
do: [ { work: { call: paint, with: {} } } ]
"""
FAULT = """
document: { dsl: '1.0.3', namespace: t, name: fault, version: '1.0.0' }
do: [ { no: { raise: { error: { type: 'http://e/x', status: 418, title: No } } } } ]
"""
EVENT = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "com.example.order", "data": {"n": 1}}


def ask(web):
    web.deploy(ASK)
    one = web.start("t/ask")["id"]
    until(lambda: web.get("/v1/instances/" + one).json["status"] == "waiting", "a task")
    return one


def suspended(web):
    one = ask(web)
    web.post(f"/v1/instances/{one}/suspend").gives(200)
    return one


def ended(web):
    one = ask(web)
    web.post(f"/v1/instances/{one}/cancel").gives(200)
    return one


def hear(web):
    web.deploy(HEAR)
    one = web.start("t/hear")["id"]
    until(lambda: web.get("/v1/instances/" + one).json["status"] == "waiting", "a listener")
    return one


def work(web):
    web.deploy(WORK)
    one = web.start("t/work")["id"]
    job = web.post("/v1/jobs/poll", {"functions": ["paint"], "waitMs": 30000}).gives(200).json["jobs"][0]
    return one, job["token"]


def faulted(web):
    web.deploy(FAULT)
    one = web.start("t/fault")["id"]
    until(lambda: web.get("/v1/incidents").json["incidents"], "an incident")
    return one


def one_instance(web, _):
    page = web.get("/v1/instances").gives(200).json["instances"]
    return [one["status"] for one in page] == ["completed"]


# command: what must be there before, the request, and whether its effect is there once
COMMANDS = {
    "deploy": (lambda web: None, lambda web, _: web.post("/v1/definitions", HELLO, kind="application/yaml", headers=KEY),
               lambda web, _: len(web.get("/v1/definitions").json["definitions"]) == 1),
    "start": (lambda web: web.deploy(HELLO), lambda web, _: web.post("/v1/instances?wait=30s", {"name": "t/hello"}, headers=KEY).gives(201), one_instance),
    "start by key": (lambda web: web.deploy(HELLO), lambda web, _: web.post("/v1/instances?wait=30s", {"name": "t/hello", "key": "k"}), one_instance),
    "cancel": (ask, *once("cancel", {"reason": "x"}, "instance.cancelled")),
    "suspend": (ask, *once("suspend", {"reason": "x"}, "instance.suspended")),
    "continue": (suspended, *once("continue", {}, "instance.resumed")),
    "retry": (faulted, *once("retry", {"reason": "x"}, "instance.retried")),
    "fail": (faulted, *once("fail", {"reason": "x"}, "instance.failed")),
    "retry an incident": (faulted, lambda web, one: web.post(f"/v1/incidents/{one}-1/retry", {"reason": "x"}, headers=KEY).gives(200),
                          lambda web, one: entries(web, one, "instance.retried") == 1),
    "force a breaker": (lambda web: None, lambda web, _: web.post("/v1/breakers", {"service": "http://x:80", "force": "open"}, headers=KEY).gives(200),
                        lambda web, _: [b["forced"] for b in web.get("/v1/breakers").json["breakers"]] == ["open"]),
    "resume": (ask, *once("bookmarks/decision/resume", {"data": {"n": 1}}, "bookmark.consumed")),
    "claim": (ask, *once("bookmarks/decision/claim", {"leaseMs": 600000}, "bookmark.claimed")),
    "comment": (ask, lambda web, one: web.post(f"/v1/tasks/{one}/decision/comments", {"text": "why?"}, headers=KEY).gives(200),
                lambda web, one: entries(web, one, "bookmark.commented") == 1),
    "delegate": (ask, lambda web, one: web.post(f"/v1/tasks/{one}/decision/delegate", {"to": "bob"}, headers=KEY).gives(200),
                 lambda web, one: entries(web, one, "bookmark.delegated") == 1),
    "complete": (ask, lambda web, one: web.post(f"/v1/tasks/{one}/decision/complete", {"data": {"n": 1}}, headers=KEY).gives(200),
                 lambda web, one: entries(web, one, "bookmark.consumed") == 1),
    "delete": (ended, lambda web, one: web.delete("/v1/instances/" + one, headers=KEY),
               lambda web, one: web.get("/v1/instances/" + one).status == 404),
    "publish": (hear, lambda web, one: web.post("/v1/events", EVENT, kind="application/cloudevents+json", headers=KEY).gives(200),
                lambda web, one: web.get(f"/v1/instances/{one}/output?wait=30s").gives(200).json == [{"n": 1}]),
    "complete a job": (work, lambda web, made: web.post("/v1/jobs/complete", {"token": made[1], "result": {"n": 1}}, headers=KEY).gives(200),
                       lambda web, made: web.get(f"/v1/instances/{made[0]}/output?wait=30s").gives(200).json == {"n": 1}
                       and entries(web, made[0], "job.answered") == 1),
    "fail a job": (work, lambda web, made: web.post("/v1/jobs/fail", {"token": made[1], "title": "no"}, headers=KEY).gives(200),
                   lambda web, made: web.get(f"/v1/instances/{made[0]}?wait=30s").gives(200).json["error"]["title"] == "no"),
}


@case("killed anywhere in the middle, deploy has its effect once when it is repeated")
def _(room):
    kill_at_every_point(room, *COMMANDS["deploy"])


@case("killed anywhere in the middle, start has its effect once when it is repeated")
def _(room):
    kill_at_every_point(room, *COMMANDS["start"])


@case("killed anywhere in the middle, start by key has its effect once when it is repeated")
def _(room):
    kill_at_every_point(room, *COMMANDS["start by key"])


@case("killed anywhere in the middle, cancel has its effect once when it is repeated")
def _(room):
    kill_at_every_point(room, *COMMANDS["cancel"])


@case("killed anywhere in the middle, suspend has its effect once when it is repeated")
def _(room):
    kill_at_every_point(room, *COMMANDS["suspend"])


@case("killed anywhere in the middle, continue has its effect once when it is repeated")
def _(room):
    kill_at_every_point(room, *COMMANDS["continue"])


@case("killed anywhere in the middle, retry has its effect once when it is repeated")
def _(room):
    kill_at_every_point(room, *COMMANDS["retry"])


@case("killed anywhere in the middle, fail has its effect once when it is repeated")
def _(room):
    kill_at_every_point(room, *COMMANDS["fail"])


@case("killed anywhere in the middle, a retry of an incident has its effect once when it is repeated")
def _(room):
    kill_at_every_point(room, *COMMANDS["retry an incident"])


@case("killed anywhere in the middle, a breaker is forced once it is told again")
def _(room):
    kill_at_every_point(room, *COMMANDS["force a breaker"])


@case("killed anywhere in the middle, resume has its effect once when it is repeated")
def _(room):
    kill_at_every_point(room, *COMMANDS["resume"])


@case("killed anywhere in the middle, claim has its effect once when it is repeated")
def _(room):
    kill_at_every_point(room, *COMMANDS["claim"])


@case("killed anywhere in the middle, comment has its effect once when it is repeated")
def _(room):
    kill_at_every_point(room, *COMMANDS["comment"])


@case("killed anywhere in the middle, delegate has its effect once when it is repeated")
def _(room):
    kill_at_every_point(room, *COMMANDS["delegate"])


@case("killed anywhere in the middle, complete has its effect once when it is repeated")
def _(room):
    kill_at_every_point(room, *COMMANDS["complete"])


@case("killed anywhere in the middle, delete has its effect once when it is repeated")
def _(room):
    kill_at_every_point(room, *COMMANDS["delete"])


@case("killed anywhere in the middle, publish has its effect once when it is repeated")
def _(room):
    kill_at_every_point(room, *COMMANDS["publish"])


@case("killed anywhere in the middle, complete a job has its effect once when it is repeated")
def _(room):
    kill_at_every_point(room, *COMMANDS["complete a job"])


@case("killed anywhere in the middle, fail a job has its effect once when it is repeated")
def _(room):
    kill_at_every_point(room, *COMMANDS["fail a job"])


if __name__ == "__main__":
    main()
