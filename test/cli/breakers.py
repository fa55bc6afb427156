#!/usr/bin/env python3
"""breakers.py - circuit breakers from outside: what they hold, who sees it, who forces them, and what a kill leaves of it.

No case waits for a time: a break lasts for an hour, or is over by the time anybody looks."""
import signal

from harness import case, main, until
from service import Service
from web import serve

DB = ("--db", "s.db")
HOUR = {"WorkflowResilience__CircuitBreaker__BreakDuration": "1h", "WorkflowResilience__CircuitBreaker__SamplingDuration": "1h"}
SHORT = {"WorkflowResilience__CircuitBreaker__BreakDuration": "10ms", "WorkflowResilience__CircuitBreaker__SamplingDuration": "1h"}


def start(web, count):
    return [web.start("t/charge", input={"n": n})["id"] for n in range(count)]


def breakers(room, *words):
    return room.pawl("breakers", *words, *DB, "--json").exits(0).json()["breakers"]


def one(room, *words):
    (found,) = breakers(room, *words)
    return found


def waiting(room, count):
    return until(lambda: [b for b in breakers(room) if b.get("waiting") == count], f"{count} calls that wait")[0]


def broken(room, env=None, more=""):
    """A service whose breaker has opened, for it failed ten times; ten instances have faulted of it."""
    service = Service()
    service.answer = 500
    web = serve(room, db="s.db", env=env or HOUR)
    web.deploy(service.workflow(more=more))
    start(web, 10)
    until(lambda: web.get("/v1/instances/count").json["statuses"].get("faulted") == 10, "ten that faulted")
    assert service.count == 10
    return service, web


@case("a breaker opens by failures: from then on nothing reaches the service, and what waits says for what")
def _(room):
    service, web = broken(room)
    found = one(room)
    assert (found["service"], found["state"], found["sent"], found["failed"], found["waiting"]) == (service.name, "open", 10, 10, 0), found
    assert found["changedBy"] == "system" and found["openUntil"] > found["changedAt"] and found["reason"] and found["lastError"], found
    assert "forced" not in found, found
    room.pawl("breakers", *DB).exits(0).says("SERVICE", service.name, " open ", found["openUntil"], found["reason"][:40])
    ids = start(web, 5)
    waiting(room, 5)
    assert service.count == 10
    (wait,) = web.get("/v1/instances/" + ids[0]).json["waits"]
    assert (wait["kind"], wait["service"], wait["where"]) == ("call", service.name, "held"), wait
    assert wait["breaker"] == {"state": "open", "until": found["openUntil"]}, wait
    room.pawl("show", ids[0], *DB).exits(0).says(f"held by the breaker of {service.name}, which is open until {found['openUntil']}")
    incident = room.pawl("incidents", "--limit", "1", *DB, "--json").json()["incidents"][0]
    told = room.pawl("incident", incident["id"], *DB, "--json").exits(0).json()["breaker"]
    assert (told["service"], told["state"], told["openUntil"]) == (service.name, "open", found["openUntil"]), told
    assert service.count == 10


@case("killed and started again, it is as open as it was, and lets go what waited when it is told to")
def _(room):
    service, web = broken(room)
    start(web, 5)
    before = waiting(room, 5)
    web.process.send_signal(signal.SIGKILL)
    web.process.wait()
    room.pawl("breakers", *DB).exits(0).says(service.name, " open ", before["openUntil"])  # without an owner: what is stored
    web = serve(room, db="s.db", env=HOUR)
    after = waiting(room, 5)
    assert [after[m] for m in ("state", "openUntil", "changedAt", "reason")] == [
        before[m] for m in ("state", "openUntil", "changedAt", "reason")], (before, after)
    assert service.count == 10
    service.answer = 200
    room.pawl("breaker", "auto", service.name, "--actor", "ann", *DB).exits(0).says(service.name, " closed ")
    until(lambda: web.get("/v1/instances/count").json["statuses"].get("completed") == 5, "five completed")
    assert service.count == 15 and len(set(service.keys)) == 15, "each with its own key, once"
    assert one(room, "--all")["changedBy"] == "ann"


@case("a probe is one call, whatever waits; its failure opens again, its success lets all go")
def _(room):
    service, web = broken(room, env=SHORT)
    service.answer = "hang"
    start(web, 8)
    until(lambda: service.count == 11, "a probe")
    found = waiting(room, 7)
    assert (found["state"], found["active"]) == ("half-open", 1), found
    room.pawl("breakers", *DB).exits(0).says("half-open")
    assert service.count == 11
    service.let_go()
    until(lambda: web.get("/v1/instances/count").json["statuses"].get("completed") == 8, "eight completed")
    assert service.count == 18 and len(set(service.keys)) == 18
    found = one(room, "--all")
    assert (found["state"], found["waiting"]) == ("closed", 0), found
    assert breakers(room) == []


@case("killed while the probe is on its way, the next process sends one, with the same key if it is the same call")
def _(room):
    service, web = broken(room, env=SHORT)
    service.answer = "hang"
    start(web, 3)
    until(lambda: service.count == 11, "a probe")
    until(lambda: one(room)["state"] == "half-open", "a half-open breaker")
    web.process.send_signal(signal.SIGKILL)
    web.process.wait()
    assert one(room)["state"] == "half-open"
    web = serve(room, db="s.db", env=SHORT)
    until(lambda: service.count == 12, "another probe")
    waiting(room, 2)
    assert service.count == 12
    service.let_go()
    until(lambda: web.get("/v1/instances/count").json["statuses"].get("completed") == 3, "three completed")
    assert service.count == 14 and len(set(service.keys)) == 13, service.keys


@case("forced open nothing goes, and nothing has to fail first; closed all goes, whatever fails")
def _(room):
    service = Service()
    web = serve(room, db="s.db", env=SHORT)
    web.deploy(service.workflow())
    room.pawl("breaker", "open", service.name, "--reason", "they move house", "--actor", "ann", *DB).exits(0).says("forced open", "they move house")
    start(web, 20)
    found = waiting(room, 20)
    assert (found["state"], found["forced"], found["reason"], found["changedBy"]) == ("open", "open", "they move house", "ann"), found
    assert "openUntil" not in found and service.count == 0, found
    web.process.send_signal(signal.SIGKILL)
    web.process.wait()
    web = serve(room, db="s.db", env=SHORT)
    waiting(room, 20)
    assert service.count == 0
    service.answer = 500
    room.pawl("breaker", "close", service.name, *DB).exits(0).says("forced closed")
    until(lambda: web.get("/v1/instances/count").json["statuses"] == {"faulted": 20}, "twenty that faulted")
    assert service.count == 20, "no breaker has held one of them"
    found = one(room)
    assert (found["state"], found["forced"]) == ("closed", "closed"), found
    room.pawl("breaker", "auto", service.name, *DB).exits(0).says(" closed ")
    assert breakers(room) == []


@case("a task may be told at once that the breaker is open, and may give it a name")
def _(room):
    more = ", metadata: {pawl: {resilience: {circuitBreaker: {name: payments, onOpen: fail}}}}"
    service, web = broken(room, more=more)
    assert one(room)["service"] == "payments"
    (identity,) = start(web, 1)
    shown = web.get(f"/v1/instances/{identity}?wait=30s").gives(200).json
    assert shown["status"] == "faulted" and shown["incident"]["class"] == "circuit-open", shown
    assert "payments" in shown["incident"]["recommendedAction"], shown
    assert service.count == 10
    (call,) = room.pawl("calls", identity, *DB, "--json").exits(0).json()["calls"]
    assert call["service"] == "payments" and call["state"] == "failed", call
    assert one(room)["refused"] == 1
    service.answer = 200
    room.pawl("breaker", "auto", "payments", *DB).exits(0)
    room.pawl("retry", identity, "--until", "end", *DB).exits(0).says("completed")


@case("the breaker of one service holds nothing of another")
def _(room):
    service, web = broken(room)
    other = Service()
    web.deploy(other.workflow("other"))
    start(web, 3)
    waiting(room, 3)
    for n in range(20):
        web.start("t/other", input={"n": n})
    until(lambda: web.get("/v1/instances/count").json["statuses"].get("completed") == 20, "twenty completed")
    assert (service.count, other.count) == (10, 20)
    assert [(b["service"], b["state"]) for b in breakers(room, "--all")] == sorted([(service.name, "open"), (other.name, "closed")])


@case("without an owner the row is written all the same, and what cannot be is refused")
def _(room):
    room.pawl("breakers", *DB).exits(3)
    room.file("nothing.yaml", "document: {dsl: 1.0.3, namespace: t, name: nothing, version: 1.0.0}\ndo: [{a: {set: {n: 1}}}]\n")
    room.pawl("run", "nothing.yaml", *DB).exits(0)
    room.pawl("breakers", *DB).exits(0).prints("").complains("none is open")
    room.pawl("breakers", "--all", *DB).exits(0).prints("").complains("no service was called")
    for word in ("close", "auto"):
        room.pawl("breaker", word, "http://x:80", *DB).exits(2).complains("no call ever went to a service 'http://x:80'")
    room.pawl("breaker", "shut", "http://x:80", *DB).exits(2).complains("open, close or auto")
    room.pawl("breaker", "open", "", *DB).exits(2).complains("service")
    room.pawl("breaker", "open", "x" * 2000, *DB).exits(2).complains("1024")
    room.pawl("breaker", "open", "http://x:80", *DB).exits(0).says("forced open")
    room.pawl("breakers", *DB).exits(0).says("http://x:80", "forced open")
    found = one(room)
    assert "waiting" not in found and "calls" not in found, found
    for word in ("close", "auto", "auto"):
        room.pawl("breaker", word, "http://x:80", *DB).exits(0)
    assert breakers(room) == [] and one(room, "--all")["state"] == "closed"


if __name__ == "__main__":
    main()
