#!/usr/bin/env python3
"""bulk.py - one action on many incidents: counted, asked for, carried out page by page, killed, stopped, let go on, reported.

Instances are made by the hundred by one that starts them; what each got is read from the log in the store."""
import os
import pty
import select
import signal
import sqlite3
import time

from harness import Skip, case, main, until
from openapi import Checked
from web import serve, with_tokens

DB = ("--db", "s.db")
BAD = """document: {{dsl: 1.0.0, namespace: {namespace}, name: {name}, version: 1.0.0}}
do:
  - no: {{raise: {{error: {{type: 'http://e/x', status: 418, title: No}}}}}}
"""
MANY = """document: {{dsl: 1.0.0, namespace: {namespace}, name: many-{name}, version: 1.0.0}}
do:
  - each:
      for: {{in: '[range({count})]'}}
      do:
        - one: {{run: {{workflow: {{namespace: {namespace}, name: {name}, version: 1.0.0}}, await: false}}}}
"""


def have_faulted(room, count, name="bad", namespace="t"):
    room.file("bad.yaml", BAD.format(name=name, namespace=namespace))
    room.file("many.yaml", MANY.format(name=name, namespace=namespace, count=count))
    room.pawl("deploy", "bad.yaml", *DB).exits(0)
    room.pawl("run", "many.yaml", *DB).exits(0)
    assert fits(room, "--name", name) == count


def fits(room, *words):
    return room.pawl("bulk", "retry", *words, "--dry-run", "--json", *DB).exits(0).json()["counted"]


def one(room, identity, *where):
    return room.pawl("bulk", "show", identity, "--json", *(where or DB)).exits(0).json()


def only(room):
    (found,) = room.pawl("bulk", "list", "--json", *DB).exits(0).json()["bulks"]
    return found


def times_logged(room, entry):
    """How many instances have so many entries of a type: {times: instances}."""
    store = sqlite3.connect(f"file:{room.path}/s.db?mode=ro", uri=True)
    try:
        return dict(store.execute("SELECT times, count(*) FROM (SELECT count(*) AS times FROM execution_log"
                                  " WHERE entry ->> 'type' = ? GROUP BY instance) GROUP BY times", (entry,)))
    finally:
        store.close()


@case("it counts, is told to go on, does what it counted, and reports")
def _(room):
    have_faulted(room, 30)
    have_faulted(room, 3, "other")
    done = room.pawl("bulk", "fail", "--name", "t/bad", *DB).exits(2)
    done.prints("").complains("30 incidents fit: say --yes to fail them, or --dry-run to count only")
    room.pawl("bulk", "fail", "--name", "t/bad", "--dry-run", *DB).exits(0).prints("30 incidents fit\n").silent()
    room.pawl("bulk", "fail", "--name", "t/none", *DB).exits(0).prints("0 incidents fit\n").silent()
    assert fits(room) == 33
    done = room.pawl("bulk", "fail", "--name", "t/bad", "--yes", "--reason", "too late", "--actor", "kim", *DB).exits(0)
    done.says("state        done", "action       fail", "incidents    name=t/bad", "reason       too late", "started by   kim",
              "progress     30 of 30 done, 0 over before, 0 failed")
    done.complains("pawl bulk: 30 of 30 done")
    assert times_logged(room, "instance.failed") == {1: 30}
    assert fits(room) == 3
    incidents = room.pawl("incidents", "--all", "--name", "bad", "--limit", "1000", "--json", *DB).json()["incidents"]
    assert {(i["resolution"], i["resolvedBy"]) for i in incidents} == {("failed", "kim")} and len(incidents) == 30
    found = only(room)
    assert (found["state"], found["done"], found["actor"], found["filter"]) == ("done", 30, "kim", {"name": "t/bad"}), found
    room.pawl("bulk", "list", *DB).exits(0).says("OPERATION", found["id"], "done", "fail", "name=t/bad", "30/30")
    room.pawl("bulk", "stop", found["id"], *DB).exits(2).complains("is done")


@case("killed in the middle of hundreds it goes on with the next owner, and no instance gets it twice")
def _(room):
    have_faulted(room, 300)
    web = serve(room, db="s.db")
    started = room.pawl("bulk", "retry", "--yes", "--no-wait", "--json", *DB).exits(0).json()
    assert started["counted"] == 300, started
    until(lambda: web.get("/v1/bulk/" + started["id"]).json["done"] > 0, "the first page")
    web.process.send_signal(signal.SIGKILL)
    web.process.wait()
    before = one(room, started["id"])
    done = room.pawl("bulk", "show", started["id"], "--follow", "--json", *DB).exits(0).json()
    assert (done["state"], done["done"], done["skipped"], done["failed"], done["failures"]) == ("done", 300, 0, 0, []), (before, done)
    assert times_logged(room, "instance.retried") == {1: 300}
    assert fits(room) == 300  # they have faulted again, which is none of its business


@case("killed at each of its points, before and after an instance had it, it counts each once")
def _(room):
    have_faulted(room, 8)
    points = ("bulk-before-claim", "bulk-after-action:3", "bulk-after-action:8", "bulk-before-counts", "bulk-after-counts")
    killed = []
    for number, point in enumerate(points):
        told = room.pawl("bulk", "retry", "--yes", *DB, env={"PAWL_FAULT": point})
        killed.append(told.code == -signal.SIGKILL)
        newest = room.pawl("bulk", "list", "--limit", "1", "--json", *DB).exits(0).json()["bulks"][0]
        done = room.pawl("bulk", "show", newest["id"], "--follow", "--json", *DB).exits(0).json()
        assert (done["state"], done["counted"], done["done"], done["skipped"]) == ("done", 8, 8, 0), (point, done)
        assert times_logged(room, "instance.retried") == {number + 1: 8}, point
    if not any(killed):
        raise Skip("pawl is built without fault points")
    assert all(killed), list(zip(points, killed))


@case("stopped it ends behind its page, and continued it does the rest")
def _(room):
    have_faulted(room, 210)
    web = serve(room, db="s.db")
    api = Checked(web)
    started = api.call("startBulk", 200, {"action": "fail", "name": "bad"}).json
    stopped = api.call("stopBulk", 200, id=started["id"]).json
    assert stopped["stoppedBy"], stopped
    ended = until(lambda: (lambda b: b["state"] != "running" and b)(api.call("getBulk", 200, id=started["id"]).json), "its end")
    assert ended["state"] == "stopped" and ended["done"] in (0, 100, 200), ended
    assert fits(room, "--name", "bad") == 210 - ended["done"]
    room.pawl("bulk", "show", started["id"], *DB).exits(0).says("state        stopped", "stopped by ")
    room.pawl("bulk", "show", started["id"], "--follow", *DB).exits(4).says("stopped")
    assert api.call("continueBulk", 200, id=started["id"]).json["counted"] == 210
    done = room.pawl("bulk", "continue", started["id"], *DB)
    if done.code:  # it has ended before
        done.exits(2).complains("is done")
    room.pawl("bulk", "show", started["id"], "--follow", *DB).exits(0).says("210 of 210 done")
    assert "stoppedBy" not in one(room, started["id"]) and times_logged(room, "instance.failed") == {1: 210}
    api.call("stopBulk", 409, id=started["id"])


@case("what refuses is in the report and holds up nothing")
def _(room):
    have_faulted(room, 5)
    done = room.pawl("bulk", "goto", "--task", "/do/7/none", "--yes", *DB).exits(1)
    done.says("0 of 5 done, 0 over before, 5 failed", "INSTANCE", "CODE", "WHY", "/do/7/none")
    found = one(room, only(room)["id"])
    assert len({f["instance"] for f in found["failures"]}) == 5 and all(f["code"] and f["message"] for f in found["failures"]), found
    assert found["task"] == "/do/7/none" and fits(room) == 5


@case("at a terminal it asks, and shows its progress")
def _(room):
    have_faulted(room, 40)
    web = serve(room, db="s.db")

    def at_terminal(typed, *words):
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(room.path)
            os.execve(os.environ["PAWL"] if os.sep in os.environ.get("PAWL", "") else "pawl", ["pawl", *words], room.env)
        seen, end, sent = b"", time.monotonic() + 60, 0
        while time.monotonic() < end:
            if not select.select([terminal], [], [], 0.05)[0]:
                continue
            try:
                more = os.read(terminal, 4096)
            except OSError:
                break
            if not more:
                break
            seen += more
            if sent < len(typed) and typed[sent][0] in seen:
                os.write(terminal, typed[sent][1])
                sent += 1
        os.close(terminal)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), seen.decode()

    code, seen = at_terminal([(b"[y/N]", b"n\n")], "bulk", "fail", *DB)
    assert code == 2 and "fail 40 incidents? [y/N]" in seen and "nothing was done" in seen, seen
    assert room.pawl("bulk", "list", "--json", *DB).exits(0).json()["bulks"] == []
    code, seen = at_terminal([(b"[y/N]", b"y\n")], "bulk", "fail", *DB)
    assert code == 0 and "\r" in seen and "40 of 40 done" in seen, seen
    web.stop()


def catches_interrupts(process):
    with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
        caught = next(line for line in status if line.startswith("SigCgt:"))
    return int(caught.split()[1], 16) >> signal.SIGINT - 1 & 1


@case("ctrl-C ends the watching only, and says how to follow and to stop it")
def _(room):
    have_faulted(room, 200)
    web = serve(room, db="s.db")
    started = web.post("/v1/bulk", {"action": "fail"}).gives(200).json
    web.process.send_signal(signal.SIGSTOP)
    watching = room.start("bulk", "show", started["id"], "--follow", *DB)
    until(lambda: catches_interrupts(watching), "its handler")
    watching.send_signal(signal.SIGINT)
    web.process.send_signal(signal.SIGCONT)
    told = room.finish(watching).exits(130)
    told.complains("pawl bulk show " + started["id"] + " --follow --db s.db", "pawl bulk stop " + started["id"] + " --db s.db")
    done = room.pawl("bulk", "show", started["id"], "--follow", "--json", *DB).exits(0).json()
    assert done["done"] == 200, done


@case("what makes no sense is refused before anything is counted")
def _(room):
    have_faulted(room, 1)
    for words, part in ((("melt",), "'melt' is no bulk action"), (("list", "x"), "takes no ID"), (("show",), "which one?"),
                        (("fail", "x"), "takes no ID"), (("list", "--yes"), "'--yes' means nothing to `pawl bulk list`"),
                        (("fail", "--follow"), "'--follow' means nothing"), (("fail", "--input", "1"), "fail takes no input"),
                        (("goto",), "goto needs a task"), (("retry", "--label", "x"), "NAME=VALUE"),
                        (("retry", "--older", "soon"), "a time such as"), (("retry", "--type", "bad-luck"), "type is startup-fault"),
                        (("retry", "--input", "{"), "--input")):
        room.pawl("bulk", *words, *DB).exits(2).prints("").complains(part)
    room.pawl("bulk", "show", "nobody", *DB).exits(2).complains("no bulk operation 'nobody'")
    assert room.pawl("bulk", "list", *DB).exits(0).prints("").complains("none")


@case("over HTTP it is of who may: a role in a namespace reaches no other, nor an operation that does")
def _(room):
    for namespace in ("t", "u"):
        room.file("bad.yaml", BAD.format(name="bad", namespace=namespace))
        room.pawl("deploy", "bad.yaml", "--db", "pawl.db").exits(0)
    web, tokens = with_tokens(room, {"root": ([("admin", "*")], []), "tom": ([("operator", "t"), ("starter", "t")], []),
                                     "uwe": ([("viewer", "u")], [])})
    root, tom, uwe = (web.by(tokens[name]) for name in ("root", "tom", "uwe"))
    for namespace in ("t", "u"):
        root.start(namespace + "/bad")
    until(lambda: len(root.get("/v1/incidents").json["incidents"]) == 2, "two incidents")
    assert tom.post("/v1/bulk", {"action": "fail", "dryRun": True}).gives(200).json == {"counted": 1}
    assert tom.post("/v1/bulk", {"action": "fail", "namespaces": ["u"], "dryRun": True}).gives(200).json == {"counted": 0}
    uwe.post("/v1/bulk", {"action": "fail"}).problem(403, "role-missing")
    own = tom.post("/v1/bulk", {"action": "fail"}, headers={"Idempotency-Key": "k"}).gives(200).json
    assert own["actor"] == "tom" and own["filter"] == {"namespaces": ["t"]}, own
    assert tom.post("/v1/bulk", {"action": "fail"}, headers={"Idempotency-Key": "k"}).gives(200).json["id"] == own["id"]
    tom.post("/v1/bulk", {"action": "cancel"}, headers={"Idempotency-Key": "k"}).problem(409, "idempotency-key-reused")
    until(lambda: tom.get("/v1/bulk/" + own["id"]).gives(200).json["state"] == "done", "its end")
    every = root.post("/v1/bulk", {"action": "fail"}).gives(200).json
    assert every["counted"] == 1, every
    tom.get("/v1/bulk/" + every["id"]).problem(404, "no-such-bulk")
    tom.post("/v1/bulk/" + every["id"] + "/stop").problem(404, "no-such-bulk")
    uwe.get("/v1/bulk/" + own["id"]).problem(404, "no-such-bulk")
    assert [b["id"] for b in tom.get("/v1/bulk").gives(200).json["bulks"]] == [own["id"]]
    assert uwe.get("/v1/bulk").gives(200).json["bulks"] == []
    assert [b["id"] for b in root.get("/v1/bulk?limit=1").gives(200).json["bulks"]] == [every["id"]]
    root.get("/v1/bulk/nobody").problem(404, "no-such-bulk")
    root.post("/v1/bulk", {"action": "melt"}).problem(400, "invalid")
    root.post("/v1/bulk", {"action": "fail", "melt": 1}).problem(400, "invalid")


if __name__ == "__main__":
    main()
