#!/usr/bin/env python3
"""outbox.py - events that are published, from outside: to a service, a file and a real NATS server, killed in the middle."""
import http.server
import json
import os
import signal
import threading
from collections import defaultdict

from harness import case, main, until
from nats import NatsServer
from web import serve

DB = ("--db", "s.db")
EVENTS = 10000
INSTANCES = 100

# Each instance sends a page of numbered events.
TICKS = """
document: { dsl: 1.0.3, namespace: t, name: ticks, version: 1.0.0 }
do:
- each:
    for: { each: n, in: '[range(.count)]' }
    do:
    - say: { emit: { event: { with: { type: tick, source: urn:ticks, data: { n: '${ $n }' } } } }, output: { as: $input } }
"""
ONE = """
document: { dsl: 1.0.3, namespace: %s, name: one, version: 1.0.0 }
do:
- say: { emit: { event: { with: { type: '${ .type }', source: urn:one, data: '${ . }' } } } }
"""
FAST = {"WorkflowResilience:Retry:BaseDelay": "1ms", "WorkflowResilience:Retry:MaxDelay": "20ms"}


class Hook:
    """A service that is posted to: what it answers, by the type of the event, and what it has taken, in order."""

    def __init__(self):
        self.answers, self.seen, self.headers = {}, [], []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.seen.append(event)
                outer.headers.append(dict(self.headers))
                self.send_response(outer.answers.get(event["type"], 204))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        class Threads(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass  # who called is gone

        self.server = Threads(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/in"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def types(self):
        return [event["type"] for event in self.seen]


def sink(name, kind, **members):
    return {f"Outbox:Sinks:{name}:{key}": value for key, value in {"Type": kind, **members}.items()}


def start(web, type, namespace="t", **more):
    return web.start(f"{namespace}/one", input={"type": type, **more})["id"]


def lines(room, name):
    with open(os.path.join(room.path, name), encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def sinks(room):
    return {one["name"]: one for one in room.pawl("sinks", *DB, "--json").exits(0).json()["sinks"]}


def letters(room, *words):
    return room.pawl("deadletter", "list", *words, *DB, "--json").exits(0).json()["letters"]


def published(room, **pending):
    """Until so many wait at each sink, and no more."""
    return until(lambda: (found := sinks(room)) and all(found[name]["pending"] == count for name, count in pending.items()) and found,
                 f"{pending} pending")


def told(room, **members):
    """Until each sink says so of itself: which it does behind the commit that it tells of."""
    return until(lambda: (found := sinks(room)) and all(found[name][key] == value for name, its in members.items()
                                                        for key, value in its.items()) and found, f"{members}")


# ---------------------------------------------------------------- where they go

@case("a service and a file get the events that their patterns fit, with the place of each in its instance")
def _(room):
    hook = Hook()
    web = serve(room, db="s.db", settings={**FAST, **sink("hooks", "http", Url=hook.url, Types="order.*,invoice.paid", Secret="whsec"),
                                           **sink("file", "file", Path="events.ndjson", Sources="urn:*")})
    web.deploy(ONE % "t")
    ids = [start(web, type) for type in ("order.placed", "invoice.paid", "invoice.sent")]
    published(room, hooks=0, file=0)
    until(lambda: len(hook.seen) == 2, "two events")
    assert sorted(hook.types()) == ["invoice.paid", "order.placed"], hook.types()
    placed = next(event for event in hook.seen if event["type"] == "order.placed")
    assert (placed["specversion"], placed["source"], placed["pawlinstance"], placed["pawlsequence"], placed["data"]) == (
        "1.0", "urn:one", ids[0], 1, {"type": "order.placed"}), placed
    assert placed["id"] and placed["pawlordinal"] > 0 and "pawlrequeued" not in placed, placed
    assert hook.headers[0]["Content-Type"] == "application/cloudevents+json; charset=utf-8", hook.headers[0]
    assert hook.headers[0]["Pawl-Signature"].startswith("t="), hook.headers[0]
    assert sorted(event["type"] for event in lines(room, "events.ndjson")) == ["invoice.paid", "invoice.sent", "order.placed"]
    told(room, hooks={"published": 2}, file={"published": 3})
    found = web.get("/v1/sinks").gives(200).json["sinks"]
    assert [(one["name"], one["type"], one["state"], one["pending"], one["dead"], one["published"]) for one in found] == [
        ("file", "file", "up", 0, 0, 3), ("hooks", "http", "up", 0, 0, 2)], found
    assert [one["target"] for one in found] == ["events.ndjson", hook.url], found
    room.pawl("sinks", *DB).exits(0).says("SINK", "hooks", "http " + hook.url, "up")


@case("without a sink nothing is kept for one; an event of before is not published to one that is set up later")
def _(room):
    web = serve(room, db="s.db")
    web.deploy(ONE % "t")
    start(web, "early")
    assert web.get("/v1/sinks").gives(200).json == {"sinks": []}
    room.pawl("sinks", *DB).exits(0).prints("").complains("none is set up")
    web.stop()
    web = serve(room, db="s.db", settings=sink("file", "file", Path="events.ndjson", Sources="urn:*"))
    start(web, "late")
    published(room, file=0)
    assert [event["type"] for event in lines(room, "events.ndjson")] == ["late"]


@case("publishing that is switched off keeps the events for who publishes next")
def _(room):
    to_file = sink("file", "file", Path="events.ndjson", Sources="urn:*")
    web = serve(room, db="s.db", settings={**to_file, "Workflow:OutboxProcessing:Enabled": False})
    web.deploy(ONE % "t")
    start(web, "a")
    start(web, "b")
    assert [(one["name"], one["pending"]) for one in web.get("/v1/sinks").gives(200).json["sinks"]] == [("file", 2)]
    assert not room.exists("events.ndjson")
    web.stop()
    serve(room, db="s.db", settings=to_file)
    published(room, file=0)
    assert [event["type"] for event in lines(room, "events.ndjson")] == ["a", "b"]


@case("a sink that cannot work is refused before the server listens")
def _(room):
    for code, settings, message in (
            (3, sink("a", "http"), "sink 'a': its url is not given: where events are posted"),
            (3, sink("a", "http", Url="ftp://h/"), "sink 'a': url 'ftp://h/' is no absolute http or https URL"),
            (3, sink("a", "file", Path="no/such/folder/e.ndjson"), "sink 'a': 'no/such/folder/e.ndjson-lock' cannot be opened: No such file or directory"),
            (2, {"Outbox:Sinks:a:Url": "http://h/"}, "Outbox:Sinks:a:Url: is nothing without the sink's Type: http, file or nats")):
        words = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
        room.pawl("serve", *words, "--listen", "127.0.0.1:0", *DB).exits(code).complains(message)


# ---------------------------------------------------------------- dead letters

@case("what a service refuses is a dead letter: listed, shown, requeued under its id, and taken then")
def _(room):
    hook = Hook()
    hook.answers["bad"] = 422
    web = serve(room, db="s.db", settings={**FAST, **sink("hooks", "http", Url=hook.url, Sources="urn:*")})
    web.deploy(ONE % "t")
    good, bad = start(web, "good"), start(web, "bad", secret="s3cret")
    (letter,) = until(lambda: letters(room), "a dead letter")
    assert (letter["sink"], letter["instance"], letter["type"], letter["state"], letter["attempts"], letter["error"], letter["requeued"]) == (
        "hooks", bad, "bad", "dead", 1, "answered 422", False), letter
    until(lambda: good in [event["pawlinstance"] for event in hook.seen], "the good one")
    room.pawl("deadletter", "list", *DB).exits(0).says("EVENT", letter["event"], "hooks", "dead", "answered 422")
    room.pawl("deadletter", "show", letter["event"], *DB).exits(0).says("answered 422", "s3cret", bad)
    shown = web.get("/v1/deadletters/" + letter["event"]).gives(200).json
    assert shown["payload"]["data"] == {"type": "bad", "secret": "s3cret"}, shown
    assert web.get("/v1/deadletters?type=good").gives(200).json == {"letters": []}
    assert [one["event"] for one in web.get("/v1/deadletters?sink=hooks&namespace=t").gives(200).json["letters"]] == [letter["event"]]
    hook.answers.clear()
    room.pawl("deadletter", "requeue", letter["event"], "--reason", "mended", "--actor", "ann", *DB).exits(0).prints("1 event requeued\n")
    until(lambda: hook.types().count("bad") == 2, "the event again")
    first, second = [event for event in hook.seen if event["type"] == "bad"]
    assert second == {**first, "pawlrequeued": True}, second
    published(room, hooks=0)
    assert letters(room) == []
    room.pawl("deadletter", "requeue", letter["event"], *DB).exits(2)


@case("dead letters are requeued and discarded by filter, over the API, and each is told who did it")
def _(room):
    hook = Hook()
    hook.answers.update({"a": 400, "b": 400})
    web = serve(room, db="s.db", settings={**FAST, **sink("hooks", "http", Url=hook.url, Sources="urn:*")})
    web.deploy(ONE % "t")
    web.deploy(ONE % "u")
    for namespace in "tu":
        for type in "aab":
            start(web, type, namespace=namespace)
    until(lambda: len(letters(room)) == 6, "six dead letters")
    page = web.get("/v1/deadletters?limit=4").gives(200).json
    rest = web.get("/v1/deadletters?limit=4&after=" + page["next"]).gives(200).json
    assert len({one["event"] for one in page["letters"] + rest["letters"]}) == 6 and "next" not in rest, (page, rest)
    web.post("/v1/deadletters/discard", {}).problem(400, "invalid")
    assert web.post("/v1/deadletters/discard", {"type": "a", "namespaces": ["u"], "reason": "old"}).gives(200).json == {"changed": 2}
    gone = [one for one in web.get("/v1/deadletters?all=true").gives(200).json["letters"] if one["state"] == "discarded"]
    assert [(one["namespace"], one["type"], one["reason"]) for one in gone] == [("u", "a", "old")] * 2, gone
    room.pawl("deadletter", "discard", *DB).exits(2).complains("which ones?")
    assert web.post(f"/v1/deadletters/{letters(room)[0]['event']}/discard", {"reason": "one"}).gives(200).json == {"changed": 1}
    hook.answers.clear()
    room.pawl("deadletter", "requeue", "--all", *DB).exits(0).prints("3 events requeued\n")
    until(lambda: len(hook.seen) == 9, "three events again")
    assert published(room, hooks=0)["hooks"]["dead"] == 0
    web.get("/v1/deadletters/nothing").problem(404, "no-such-dead-letter")
    web.post("/v1/deadletters/nothing/requeue").problem(404, "no-such-dead-letter")


@case("a sink that is away makes no dead letters of all: they wait, and are there when it is back")
def _(room):
    hook = Hook()
    hook.answers.update({f"t{n}": 503 for n in range(20)})
    web = serve(room, db="s.db", settings={**FAST, **sink("hooks", "http", Url=hook.url, Sources="urn:*"),
                                           "Workflow:OutboxProcessing:MaxRetryAttempts": 1000})
    web.deploy(ONE % "t")
    for n in range(20):
        start(web, f"t{n}")
    until(lambda: sinks(room)["hooks"]["state"] == "failing", "a failing sink")
    found = sinks(room)["hooks"]
    assert (found["pending"], found["lastError"]) == (20, "answered 503"), found
    room.pawl("sinks", *DB).exits(0).complains("hooks: answered 503")
    hook.answers.clear()
    told(room, hooks={"pending": 0, "state": "up"})
    assert {event["type"] for event in hook.seen} == {f"t{n}" for n in range(20)}
    assert letters(room, "--all") == []


# ---------------------------------------------------------------- killed in the middle

def ticks_of(events):
    """The numbers of each instance, in the order of the events, repetitions left out."""
    found, seen = defaultdict(list), set()
    for event in events:
        if event["id"] not in seen:
            found[event["pawlinstance"]].append(event["data"]["n"])
        seen.add(event["id"])
    return found


def send_all(web, each):
    return {web.start("t/ticks", input={"count": each})["id"] for _ in range(INSTANCES)}


@case("10,000 events to a NATS server that is killed in the middle, from a server that is killed, too: each is there, once, in order")
def _(room):
    nats = NatsServer(room)
    nats.stream("E", ["pawl.>"])
    settings = {**FAST, "WorkflowResilience:Retry:MaxDelay": "100ms", "Workflow:OutboxProcessing:BatchSize": 200,
                "Workflow:OutboxProcessing:MaxRetryAttempts": 1000, **sink("nats", "nats", Url=nats.url, Types="tick")}
    web = serve(room, db="s.db", settings=settings)
    web.deploy(TICKS)
    ids = send_all(web, EVENTS // INSTANCES)
    until(lambda: nats.count("E") > EVENTS // 10, "a tenth of the events")
    nats.kill()
    until(lambda: sinks(room)["nats"]["state"] == "failing", "a failing sink")
    nats.start()
    until(lambda: nats.count("E") > EVENTS // 3, "a third of the events")
    web.process.send_signal(signal.SIGKILL)
    web.process.wait()
    assert nats.count("E") < EVENTS
    serve(room, db="s.db", settings=settings)
    published(room, nats=0)
    events = nats.messages("E")
    assert len(events) == EVENTS == len({event["id"] for event in events}), len(events)
    found = ticks_of(events)
    assert set(found) == ids
    assert all(numbers == list(range(EVENTS // INSTANCES)) for numbers in found.values())
    assert letters(room, "--all") == []


@case("a file that is written when the server is killed has each event at least once, in order, and no half line")
def _(room):
    settings = {**FAST, "Workflow:OutboxProcessing:BatchSize": 20, **sink("file", "file", Path="events.ndjson", Types="tick")}
    web = serve(room, db="s.db", settings=settings)
    web.deploy(TICKS)
    ids = {web.start("t/ticks", input={"count": 100})["id"] for _ in range(20)}
    until(lambda: os.path.getsize(os.path.join(room.path, "events.ndjson")) > 20000, "a part of the events")
    web.process.send_signal(signal.SIGKILL)
    web.process.wait()
    serve(room, db="s.db", settings=settings)
    published(room, file=0)
    found = ticks_of(lines(room, "events.ndjson"))
    assert set(found) == ids
    assert all(numbers == list(range(100)) for numbers in found.values())


if __name__ == "__main__":
    main()
