#!/usr/bin/env python3
"""incidents.py - what has gone wrong, and what is done about it: the commands, on a store, beside its owner, after its death."""
import json
import os
import re
import signal
import sqlite3

from harness import case, main, until
from service import Service
from web import serve

DB = ("--db", "s.db")
WAY_OUT = re.compile(r"`(pawl \w+ \w+)`")


def only_id(room, *where):
    (instance,) = room.pawl("ls", *(where or DB), "--json").exits(0).json()["instances"]
    return instance["id"]


def fault(room, service, *where, name="charge", more="", text="1"):
    """An instance that has faulted, because the service does not work."""
    room.file(f"{name}.yaml", service.workflow(name, more=more))
    room.pawl("run", f"{name}.yaml", "--input", '{"n": ' + text + '}', *(where or DB)).exits(1)
    return room.pawl("ls", "--name", name, "--json", *(where or DB)).exits(0).json()["instances"][0]["id"]


def listed(room, *words):
    return room.pawl("incidents", *words, "--json").exits(0).json()["incidents"]


@case("what a service breaks is an incident with advice, and is mended by a retry with the same key")
def _(room):
    service = Service()
    service.answer = 500
    identity = fault(room, service)
    (one,) = listed(room, *DB)
    assert one["instance"] == identity and re.fullmatch(identity + r"-\d+", one["id"]), one
    assert (one["namespace"], one["name"], one["version"], one["status"]) == ("t", "charge", "1.0.0", "faulted"), one
    assert (one["task"], one["type"], one["class"], one["attempts"], one["decision"]) == (
        "/do/0/charge", "external-call-fault", "server-error", 1, "incident"), one
    assert one["open"] is True and one["error"]["status"] == 500 and "resolution" not in one, one
    advice = one["recommendedAction"]
    assert service.name in advice and "'charge'" in advice, advice
    assert WAY_OUT.findall(advice) == [f"pawl {word} {identity}" for word in ("incident", "retry", "fail", "cancel")], advice
    room.pawl("incidents", *DB).exits(0).says("INCIDENT", one["id"], "open", "t/charge", "/do/0/charge", "server-error")
    for command in ("show", "incident"):
        room.pawl(command, identity, *DB).exits(0).says(one["id"], advice)
    room.pawl("retry", identity, *DB).exits(1).says(f"{identity} faulted", "incident").complains('"status": 500')
    service.answer = 200
    done = room.pawl("retry", identity, "--reason", "it is back", *DB).exits(0)
    done.says(f"{identity} completed", '"done": true')
    assert service.count == 3 and len(set(service.keys)) == 1 and service.bodies == [{"n": 1}] * 3, (service.keys, service.bodies)
    room.pawl("incidents", *DB).exits(0).prints("").complains("pawl incidents: none")
    newest, oldest = listed(room, "--all", *DB)
    assert oldest["id"] == one["id"] and [(i["open"], i["resolution"]) for i in (newest, oldest)] == [(False, "retried")] * 2, newest
    assert newest["resolvedBy"] and newest["resolvedAt"] >= newest["createdAt"] >= oldest["createdAt"], newest
    room.pawl("log", identity, *DB).exits(0).says("instance.retried", "reason=it is back")


@case("who does it stands in the log and in the incident")
def _(room):
    service = Service()
    service.answer = 500
    for command, entry in (("retry", "instance.retried"), ("fail", "instance.failed")):
        identity = fault(room, service, name=command)
        room.pawl(command, identity, "--actor", "ann", "--reason", "because", *DB)
        room.pawl("log", identity, *DB).exits(0).says(entry, "by=ann reason=because")
        (one,) = [i for i in listed(room, "--all", "--instance", identity, *DB) if "resolution" in i]
        assert one["resolvedBy"] == "ann", one


@case("one of them is shown with the task, its input, its calls and its error")
def _(room):
    service = Service()
    service.answer = 503
    identity = fault(room, service)
    one = room.pawl("incident", identity, *DB, "--json").exits(0).json()
    assert one["definition"]["with"]["endpoint"] == service.url + "/charge" and one["input"] == {"n": 1} and one["token"] == 2, one
    (call,) = one["calls"]
    assert call == {**call, "task": "/do/0/charge", "state": "failed", "kind": "http", "method": "POST", "endpoint": service.url + "/charge",
                    "service": service.name, "idempotencyKey": service.keys[0], "attempts": 1, "status": 503}, call
    assert room.pawl("incident", one["id"], *DB, "--json").exits(0).json() == one
    assert room.pawl("calls", identity, *DB, "--json").exits(0).json()["calls"] == [call]
    room.pawl("incident", one["id"], *DB).exits(0).says("class        server-error", "calls", "503", "input of the task", "definition of the task")
    room.pawl("calls", identity, *DB).exits(0).says("POST " + service.url + "/charge", "failed", "503")


@case("fail gives it up for good, cancel ends it, and until then it cannot be deleted")
def _(room):
    service = Service()
    service.answer = 500
    given_up, cancelled = fault(room, service), fault(room, service, name="other")
    for identity in (given_up, cancelled):
        room.pawl("delete", identity, *DB).exits(2).complains("open incident", "fail", "cancel")
    room.pawl("fail", given_up, "--reason", "by telephone", *DB).exits(0).silent().prints(f"{given_up} faulted\n")
    room.pawl("fail", given_up, *DB).exits(0)
    room.pawl("retry", given_up, *DB).exits(2).complains("has faulted")
    room.pawl("cancel", cancelled, "--reason", "no more", *DB).exits(0).says("cancelled")
    assert {i["instance"]: i["resolution"] for i in listed(room, "--all", *DB)} == {given_up: "failed", cancelled: "cancelled"}
    room.pawl("log", given_up, *DB).exits(0).says("instance.failed", "reason=by telephone")
    assert service.count == 2
    for identity in (given_up, cancelled):
        room.pawl("delete", identity, *DB).exits(0)
    assert listed(room, "--all", *DB) == []


@case("an incident's id means this one: what is over is not retried, failed or cancelled a second time")
def _(room):
    service = Service()
    service.answer = 500
    identity = fault(room, service)
    first = listed(room, *DB)[0]["id"]
    room.pawl("retry", first, *DB).exits(1)
    second = listed(room, *DB)[0]["id"]
    assert first != second
    for command in ("retry", "fail", "cancel"):
        room.pawl(command, first, *DB).exits(2).complains(f"{first} is over", "retried by", f"nothing to {command}")
    assert listed(room, *DB)[0]["id"] == second and service.count == 2
    room.pawl("fail", second, *DB).exits(0)
    room.pawl("fail", second, *DB).exits(0)
    room.pawl("cancel", second, *DB).exits(2).complains("failed by")
    for none in (identity + "-99", identity + "-", identity + "-x", identity + "-01", identity + "-1e9", "0" * 26, "0" * 26 + "-2", "x", identity[:-1]):
        for command in ("incident", "retry", "fail", "cancel"):
            room.pawl(command, none, *DB).exits(2).complains(none[:26])
    room.pawl("calls", "0" * 26, *DB).exits(2).complains("no instance")


@case("what did not fault has no incident, and there is nothing to retry")
def _(room):
    service = Service()
    room.file("good.yaml", service.workflow("good"))
    room.pawl("run", "good.yaml", "--input", '{"n": 1}', *DB).exits(0)
    identity = only_id(room)
    room.pawl("incident", identity, *DB).exits(2).complains("no incident")
    for command in ("retry", "fail"):
        room.pawl(command, identity, *DB).exits(2)
    assert service.count == 1


@case("the list is filtered, and read in pages")
def _(room):
    service = Service()
    service.answer = 500
    for i in range(3):
        fault(room, service, name=f"charge{i}")
    room.file("bad.yaml", "document: {dsl: 1.0.3, namespace: u, name: bad, version: 1.0.0}\n"
              "do:\n  - no: {raise: {error: {type: 'http://e/x', status: 418, title: No}}}\n")
    room.pawl("run", "bad.yaml", *DB).exits(1)
    names = [i["name"] for i in listed(room, *DB)]
    assert names == ["bad", "charge2", "charge1", "charge0"], names

    def chosen(*words):
        return [i["name"] for i in listed(room, *words, *DB)]

    assert chosen("--name", "charge1") == ["charge1"] and chosen("--name", "t/charge1") == ["charge1"] and chosen("--name", "u/charge1") == []
    assert chosen("--namespace", "u") == ["bad"] and chosen("--type", "activity-fault") == ["bad"]
    assert chosen("--class", "server-error") == ["charge2", "charge1", "charge0"] and chosen("--class", "business") == ["bad"]
    assert chosen("--task", "/do/0/no") == ["bad"] and chosen("--task", "/do/0") == []
    instance = listed(room, "--name", "bad", *DB)[0]["instance"]
    assert chosen("--instance", instance) == ["bad"]
    done = room.pawl("incidents", "--limit", "3", *DB).exits(0)
    after = re.search(r"--after (\S+)", done.err)[1].strip("'")
    assert [i["name"] for i in room.pawl("incidents", "--after", after, *DB, "--json").exits(0).json()["incidents"]] == ["charge0"]
    room.pawl("incidents", "--type", "bad-fault", *DB).exits(2).complains("startup-fault")
    room.pawl("incidents", "--class", "sad", *DB).exits(2).complains("timeout")
    room.pawl("incidents", "--after", "x", *DB).exits(2)


@case("the nth incident within the time suspends the instance, and continue tries it again")
def _(room):
    service = Service()
    service.answer = 500
    env = {"WorkflowResilience__Faults__SuspendAfter": "2"}
    room.file("charge.yaml", service.workflow())
    room.pawl("run", "charge.yaml", "--input", '{"n": 1}', *DB, env=env).exits(1)
    identity = only_id(room)
    room.pawl("retry", identity, *DB, env=env).exits(4).says(f"{identity} suspended", "incident")
    (one,) = listed(room, *DB)
    assert (one["decision"], one["status"]) == ("suspend", "suspended"), one
    room.pawl("delete", identity, *DB).exits(2)
    room.pawl("show", identity, *DB).exits(0).says(one["id"], one["recommendedAction"], "pawl continue")
    service.answer = 200
    room.pawl("continue", identity, "--actor", "ann", *DB, env=env).exits(0).says("completed")
    newest = listed(room, "--all", *DB)[0]
    assert (newest["resolution"], newest["resolvedBy"]) == ("continued", "ann"), newest
    assert service.count == 3 and len(set(service.keys)) == 1


@case("a call that waits for its next attempt says so, and makes it at once when it is asked to")
def _(room):
    service = Service()
    service.answer = 500
    env = {"WorkflowResilience__Faults__Table__external-call__server-error": "retry",
           "WorkflowResilience__ExternalCall__MaxRetryAttempts": "3", "WorkflowResilience__ExternalCall__BaseDelay": "1h",
           "WorkflowResilience__ExternalCall__MaxDelay": "2h"}
    web = serve(room, db="s.db", env=env)
    web.deploy(service.workflow())
    identity = web.start("t/charge", input={"n": 1})["id"]

    def waits():
        (wait,) = web.get("/v1/instances/" + identity).json["waits"]
        return wait if "dueAt" in wait and wait.get("attempt", 0) == service.count + 1 else None

    until(lambda: service.count == 1 and waits(), "a wait")
    for attempt in (2, 3):
        room.pawl("retry", identity, "--no-wait", *DB).exits(0)
        until(lambda n=attempt: service.count == n and waits(), f"attempt {attempt}")
    service.answer = 200
    room.pawl("retry", identity, "--until", "end", *DB).exits(0).says("completed")
    assert len(set(service.keys)) == 1 and service.count == 4
    assert listed(room, "--all", *DB) == []


@case("while a request is on its way it is in progress, and an answer that nobody knows of is asked for")
def _(room):
    service = Service()
    service.answer = "hang"
    web = serve(room, db="s.db")
    web.deploy(service.workflow(more=", metadata: {pawl: {resilience: {onUnknownOutcome: ask}}}"))
    identity = web.start("t/charge", input={"n": 1})["id"]
    until(lambda: service.count == 1, "a request")
    (call,) = room.pawl("calls", identity, *DB, "--json").exits(0).json()["calls"]
    assert call["state"] == "in-progress" and call["service"] == service.name and "endedAt" not in call, call
    room.pawl("show", identity, *DB).exits(0).says("call at /do/0/charge", ", sent")
    web.process.send_signal(signal.SIGKILL)
    web.process.wait()
    (call,) = room.pawl("calls", identity, *DB, "--json").exits(0).json()["calls"]
    assert call["state"] == "pending", call
    serve(room, db="s.db")
    one = until(lambda: listed(room, *DB), "an incident")[0]
    assert one["class"] == "unknown-outcome" and service.name in one["recommendedAction"], one
    (call,) = room.pawl("calls", identity, *DB, "--json").exits(0).json()["calls"]
    assert call["state"] == "unknown", call
    assert service.count == 1
    service.let_go()
    room.pawl("retry", one["id"], "--until", "end", *DB).exits(0).says("completed")
    assert service.count == 2 and len(set(service.keys)) == 1 and service.bodies == [{"n": 1}] * 2


@case("killed and started again, the incident is as it was, and so is what becomes of it")
def _(room):
    service = Service()
    service.answer = 500
    web = serve(room, db="s.db")
    web.deploy(service.workflow())
    identity = web.start("t/charge", input={"n": 1})["id"]
    one = until(lambda: listed(room, *DB), "an incident")[0]
    for turn in range(3):
        web.process.send_signal(signal.SIGKILL)
        web.process.wait()
        web = serve(room, db="s.db")
        assert listed(room, *DB) == [one] and service.count == turn + 1
        web.post(f"/v1/incidents/{one['id']}/retry", {"reason": f"turn {turn}"}).gives(200)
        one = until(lambda old=one: [i for i in listed(room, *DB) if i["id"] != old["id"]], "the next")[0]
        assert service.count == turn + 2
    assert len(set(service.keys)) == 1
    room.pawl("fail", identity, *DB).exits(0)
    web.process.send_signal(signal.SIGKILL)
    web.process.wait()
    serve(room, db="s.db")
    assert listed(room, *DB) == [] and [i["resolution"] for i in listed(room, "--all", *DB)] == ["failed"] + 3 * ["retried"]
    room.pawl("retry", identity, *DB).exits(2)
    room.pawl("delete", identity, *DB).exits(0)


@case("text of a service or a definition does not drive the terminal")
def _(room):
    room.file("bad.yaml", json.dumps({
        "document": {"dsl": "1.0.3", "namespace": "t", "name": "bad", "version": "1.0.0"},
        "do": [{"n\x1b[2Jo": {"raise": {"error": {"type": "http://e/x", "status": 418, "title": "\x1b[31mNo", "detail": "\x07"}}}}]}))
    room.pawl("run", "bad.yaml", *DB).exits(1)
    identity = only_id(room)
    for words in (["incidents"], ["incident", identity], ["show", identity], ["calls", identity]):
        done = room.pawl(*words, *DB).exits(0)
        for text in (done.out, done.err):
            assert "\x1b" not in text and "\x07" not in text, done.told()


@case("without an owner, beside one and over a server it is the same")
def _(room):
    service = Service()
    service.answer = 500
    identity = fault(room, service)
    alone = room.pawl("incident", identity, *DB).exits(0)
    server = serve(room, db="s.db")
    where = ("--server", f"http://127.0.0.1:{server.port}")
    assert room.pawl("incident", identity, *DB).exits(0).out == alone.out
    assert room.pawl("incident", identity, *where).exits(0).out == alone.out.replace(" --db s.db", " " + " ".join(where))
    assert room.pawl("incidents", *where).exits(0).out == room.pawl("incidents", *DB).exits(0).out
    service.answer = 200
    room.pawl("retry", identity, "--until", "end", *where).exits(0).says("completed")
    assert server.stop().code == 0


@case("what is damaged in the store is trouble, and no mistake of who asks")
def _(room):
    room.file("bad.yaml", "document: {dsl: 1.0.3, namespace: t, name: bad, version: 1.0.0}\ndo: [{a: {set: '${ error }'}}]\n")
    room.pawl("run", "bad.yaml", *DB).exits(1)
    with sqlite3.connect(os.path.join(room.path, "s.db")) as store:
        assert store.execute("UPDATE fault SET error = '{'").rowcount == 1
    room.pawl("incidents", *DB).exits(3).complains("stored error: JSON line 1")
    with sqlite3.connect(os.path.join(room.path, "s.db")) as store:
        assert store.execute("UPDATE instance SET labels = '['").rowcount == 1
    room.pawl("ls", *DB).exits(3).complains("stored labels: JSON line 1")


if __name__ == "__main__":
    main()
