#!/usr/bin/env python3
"""resilience.py - a real server whose services fail: who waits for which of them, what it holds, what an operator does."""
import os
import signal
import sqlite3

from harness import Room, case, main, until
from outside import HOLD, Outside
from web import serve

Room.settings = {"PAWL_EGRESS_ALLOW": "loopback"}
FAST = {"WorkflowResilience:ExternalCall:BaseDelay": "00:00:00.001", "WorkflowResilience:ExternalCall:MaxDelay": "00:00:00.001"}
BREAKER = {**FAST, "WorkflowResilience:ExternalCall:MaxRetryAttempts": 1000,
           "WorkflowResilience:CircuitBreaker:FailureThreshold": 3, "WorkflowResilience:CircuitBreaker:MinimumThroughput": 3}


def calls(web, name, url, more=""):
    web.deploy(f"""document: {{dsl: 1.0.3, namespace: t, name: {name}, version: 1.0.0}}
do: [{{pay: {{call: http, with: {{method: post, endpoint: '{url}', body: {{n: 1}}}}{more}}}}}]
""")


def status(web, one):
    return web.get("/v1/instances/" + one).gives(200).json["status"]


def ends(web, one, query="?wait=60s"):
    return web.get(f"/v1/instances/{one}{query}").gives(200).json


def breakers(web):
    return {one["service"]: one for one in web.get("/v1/breakers?all=true").gives(200).json["breakers"]}


def kill(web):
    web.process.send_signal(signal.SIGKILL)
    assert web.process.wait(60) == -signal.SIGKILL


def sockets(pid):
    """Of the process: those that are connected to a port of a service would be among them."""
    count = 0
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            count += os.readlink(f"/proc/{pid}/fd/{name}").startswith("socket:")
        except FileNotFoundError:
            pass
    return count


@case("a start that is not authorized, not valid or not possible leaves no instance and is not tried")
def _(room):
    web = serve(room, settings={"Server:Authentication": True})
    tokens = {}
    for role in ("admin", "viewer"):
        made = room.pawl("token", "create", role, "--role", role, "--db", "pawl.db", "--json").exits(0).json()
        tokens[role] = made["token"]
    admin, viewer = web.by(tokens["admin"]), web.by(tokens["viewer"])
    admin.deploy("document: {dsl: 1.0.3, namespace: t, name: strict, version: 1.0.0}\n"
                 "input: {schema: {document: {type: object, required: [n]}}}\ndo: [{done: {set: {ok: true}}}]\n")
    viewer.post("/v1/instances", {"name": "t/strict", "input": {"n": 1}}).gives(403)
    web.post("/v1/instances", {"name": "t/strict", "input": {"n": 1}}).gives(401)
    admin.post("/v1/instances", {"name": "t/strict", "input": {"m": 1}}).gives(400)
    admin.post("/v1/instances", {"name": "t/none", "input": {}}).gives(404)
    assert admin.get("/v1/instances").gives(200).json["instances"] == []


@case("a dead service keeps no other from its work, is not asked while its breaker is open, and is forced by an operator")
def _(room):
    with Outside([503] * 3) as dead, Outside() as good:
        web = serve(room, settings={**BREAKER, "WorkflowResilience:CircuitBreaker:BreakDuration": "01:00:00",
                                    "WorkflowResilience:Bulkhead:MaxConcurrent": 1})
        calls(web, "a", dead.url("/a"))
        calls(web, "b", good.url("/b"))
        stuck = [web.start("t/a")["id"] for _ in range(30)]
        until(lambda: dead.name in breakers(web) and breakers(web)[dead.name]["state"] == "open", "an open breaker")
        until(lambda: breakers(web)[dead.name]["waiting"] == 30, "those who wait")
        others = [web.start("t/b")["id"] for _ in range(30)]
        assert [ends(web, one)["status"] for one in others] == ["completed"] * 30
        assert len(dead.requests) == 3 and len(good.requests) == 30, (len(dead.requests), len(good.requests))
        kill(web)
        web = serve(room, settings={**BREAKER, "WorkflowResilience:CircuitBreaker:BreakDuration": "01:00:00"})
        until(lambda: breakers(web).get(dead.name, {}).get("waiting") == 30, "those who wait, after a kill")
        assert breakers(web)[dead.name]["state"] == "open" and len(dead.requests) == 3
        told = room.pawl("breaker", "auto", dead.name, "--reason", "mended", "--db", "pawl.db", "--json").exits(0).json()
        assert told["state"] == "closed" and told["reason"] == "mended", told
        assert [ends(web, one)["status"] for one in stuck] == ["completed"] * 30
        assert len(dead.requests) == 33


@case("a breaker lets one probe go at its time, and the others behind it")
def _(room):
    with Outside([503] * 5) as service:
        web = serve(room, settings={**BREAKER, "WorkflowResilience:CircuitBreaker:BreakDuration": "00:00:00.1",
                                    "WorkflowResilience:Bulkhead:MaxConcurrent": 1})
        calls(web, "a", service.url("/a"))
        waiting = [web.start("t/a")["id"] for _ in range(10)]
        assert [ends(web, one)["status"] for one in waiting] == ["completed"] * 10
        # three failures, two probes that failed, and each once
        assert len(service.requests) == 5 + 10, len(service.requests)
        assert breakers(web)[service.name]["state"] == "closed"
        assert len({request.key for request in service.requests}) == 10


@case("time-outs give their sockets back")
def _(room):
    with Outside([HOLD] * 40) as service:
        web = serve(room, settings={**FAST, "WorkflowResilience:ExternalCall:MaxRetryAttempts": 0,
                                    "WorkflowResilience:Timeout:ExternalHttpCall": "00:00:01",
                                    "WorkflowResilience:CircuitBreaker:MinimumThroughput": 1000})
        calls(web, "a", service.url("/a"))
        before = sockets(web.process.pid)
        ids = [web.start("t/a")["id"] for _ in range(40)]
        service.wait(40)
        ended = [ends(web, one) for one in ids]
        assert {(one["status"], one["error"]["status"]) for one in ended} == {("faulted", 504)}, ended[0]
        until(lambda: sockets(web.process.pid) <= before, "the end of sockets")
        assert breakers(web)[service.name]["active"] == 0


@case("counters and delays survive a kill, and the same key is sent")
def _(room):
    hours = {"WorkflowResilience:ExternalCall:MaxDelay": "10:00:00"}
    with Outside([503, (503, None, {"Retry-After": "7200"})]) as service:
        web = serve(room, settings=hours)
        calls(web, "a", service.url("/a"), ", metadata: {pawl: {resilience: {retry: {delay: {hours: 1}, limit: {attempt: {count: 2}}}}}}")
        one = web.start("t/a")["id"]
        until(lambda: status(web, one) == "waiting" and "wakeAt" in web.get("/v1/instances/" + one).json, "a retry that waits")
        wake = web.get("/v1/instances/" + one).json["wakeAt"]
        for attempt in (2, 3):
            kill(web)
            web = serve(room, settings=hours)
            shown = web.get("/v1/instances/" + one).gives(200).json
            assert shown["status"] == "waiting" and shown["wakeAt"] == wake, shown
            assert len(service.requests) == attempt - 1
            web.post(f"/v1/instances/{one}/retry", {"reason": "now"}).gives(200)
            service.wait(attempt)
            if attempt == 2:
                wake = until(lambda: [one_of.get("wakeAt") for one_of in [web.get("/v1/instances/" + one).json]
                                      if one_of.get("wakeAt") not in (None, wake)], "the next delay")[0]
        assert ends(web, one)["status"] == "completed"
        assert len({request.key for request in service.requests}) == 1
        kill(web)
        store = sqlite3.connect(f"file:{room.path}/pawl.db?mode=ro", uri=True)
        assert store.execute("SELECT attempt, state FROM external_call").fetchall() == [(3, "completed")]
        store.close()


@case("an incident is listed, looked at, tried again, given up and cancelled, with who and why in the log")
def _(room):
    with Outside([404, 404, 404]) as service:
        web = serve(room)
        calls(web, "a", service.url("/a"))
        ids = [web.start("t/a")["id"] for _ in range(3)]
        for one in ids:
            assert ends(web, one)["status"] == "faulted"
        listed = room.pawl("incidents", "--json", "--db", "pawl.db").exits(0).json()["incidents"]
        assert {one["instance"] for one in listed} == set(ids) and all(one["open"] for one in listed), listed
        human = room.pawl("incidents", "--db", "pawl.db").exits(0)
        assert all(one in human.out for one in ids), human.told()
        about = room.pawl("incident", ids[0], "--db", "pawl.db").exits(0)
        about.says("404", service.url("/a"), f"pawl retry {ids[0]}", f"pawl fail {ids[0]}")
        room.pawl("retry", ids[0], "--reason", "there now", "--actor", "ann", "--db", "pawl.db").exits(0)
        assert ends(web, ids[0])["status"] == "completed"
        room.pawl("fail", ids[1], "--reason", "too late", "--actor", "ann", "--db", "pawl.db").exits(0)
        room.pawl("cancel", ids[2], "--reason", "no more", "--actor", "ann", "--db", "pawl.db").exits(0)
        assert [status(web, one) for one in ids] == ["completed", "faulted", "cancelled"]
        assert room.pawl("incidents", "--json", "--db", "pawl.db").exits(0).json()["incidents"] == []
        over = room.pawl("incidents", "--all", "--json", "--db", "pawl.db").exits(0).json()["incidents"]
        assert {(one["instance"], one["resolution"], one["resolvedBy"]) for one in over} == {
            (ids[0], "retried", "ann"), (ids[1], "failed", "ann"), (ids[2], "cancelled", "ann")}, over
        for one, why in zip(ids, ("there now", "too late", "no more")):
            log = web.get(f"/v1/instances/{one}/log").gives(200).json["steps"]
            assert any(step["actor"] == "ann" and any(entry.get("reason") == why for entry in step["entries"]) for step in log), log
        again = room.pawl("retry", ids[1], "--db", "pawl.db")
        assert again.code == 2 and "has faulted" in again.err, again.told()


if __name__ == "__main__":
    main()
