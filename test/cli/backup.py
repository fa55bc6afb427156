#!/usr/bin/env python3
"""backup.py - a store is copied while a server owns it, and restored: what was in flight, what is done again, and under which keys."""
import json
import os
import signal
import threading

from harness import RETRIED, Room, case, main, until
from outside import HOLD, Outside
from web import serve

Room.settings = {**RETRIED, "WorkflowResilience__ExternalCall__MaxDelay": "1ms"}

ASK = """document: {dsl: 1.0.3, namespace: t, name: ask, version: 1.0.0}
do:
  - ask: {call: userTask, with: {key: answer, title: well?}}
"""


def order(outside, resilience=""):
    metadata = f", metadata: {{pawl: {{resilience: {{{resilience}}}}}}}" if resilience else ""
    return f"""document: {{dsl: 1.0.3, namespace: t, name: order, version: 1.0.0}}
do:
  - reserve: {{call: http, with: {{method: post, endpoint: '{outside.url("/reserve")}', body: {{n: '${{ .n }}'}}}}{metadata}}}
  - charge: {{call: http, with: {{method: post, endpoint: '{outside.url("/charge")}', body: {{}}}}{metadata}}}
"""


def kill(web):
    web.process.send_signal(signal.SIGKILL)
    assert web.process.wait(60) == -signal.SIGKILL


def keys(requests, path):
    return sorted(request.key for request in requests if request.path == path)


@case("calls in flight are sent again under their keys by the restored store, and what came after under new ones")
def _(room):
    with Outside([HOLD] * 3) as outside:
        web = serve(room)
        web.deploy(order(outside))
        ids = [web.start("t/order", input={"n": n})["id"] for n in range(3)]
        outside.wait(3)
        done = room.pawl("backup", "b.db", "--db", "pawl.db").exits(0).silent()
        assert done.out.startswith("backed up into b.db: 3 instances, "), done.told()
        outside.go.set()  # the old store goes on, and pays
        for one in ids:
            assert web.get(f"/v1/instances/{one}?wait=30s").gives(200).json["status"] == "completed"
        kill(web)
        before = list(outside.requests)
        assert len(before) == 6 and len(set(request.key for request in before)) == 6

        room.pawl("restore", "b.db", "--db", "new.db").exits(0).silent()
        web = serve(room, db="new.db")
        for one in ids:
            assert web.get(f"/v1/instances/{one}?wait=30s").gives(200).json["status"] == "completed"
        assert web.stop().code == 0
        again = outside.requests[6:]
        assert len(again) == 6, len(again)
        assert keys(again, "/reserve") == keys(before, "/reserve")  # the service can tell that it has had them
        assert sorted(r.body for r in again if r.path == "/reserve") == sorted(r.body for r in before if r.path == "/reserve")
        assert not set(keys(again, "/charge")) & set(keys(before, "/charge"))  # this one it cannot
        assert len(set(keys(again, "/charge"))) == 3
        room.pawl("check", "--db", "new.db").exits(0)


@case("a call in flight whose task asks for a judgement is not sent by the restored store")
def _(room):
    with Outside([HOLD]) as outside:
        web = serve(room)
        web.deploy(order(outside, "onUnknownOutcome: ask"))
        one = web.start("t/order", input={"n": 1})["id"]
        outside.wait(1)
        room.pawl("backup", "b.db", "--db", "pawl.db").exits(0)
        kill(web)
        room.pawl("restore", "b.db", "--db", "pawl.db", "--replace").exits(0)
        web = serve(room)
        until(lambda: web.get(f"/v1/instances/{one}").gives(200).json["status"] == "faulted", "the incident")
        assert len(outside.requests) == 1
        room.pawl("incidents", "--db", "pawl.db").exits(0).says(one)
        web.post(f"/v1/instances/{one}/retry", {}).gives(200)  # the same bytes under the same key, though the store is another
        assert web.get(f"/v1/instances/{one}?wait=30s").gives(200).json["status"] == "completed"
        assert len(set(keys(outside.requests, "/reserve"))) == 1 and len(keys(outside.requests, "/reserve")) == 2
        # the log of before and after the restore is one: it gives every state
        web.post(f"/v1/instances/{one}/rewind", {"step": 1, "dryRun": True}).gives(200)
        assert web.stop().code == 0


@case("a call between two attempts goes on with its key, and its count")
def _(room):
    with Outside([503, HOLD]) as outside:
        web = serve(room)
        web.deploy(order(outside))
        one = web.start("t/order", input={"n": 1})["id"]
        outside.wait(2)
        room.pawl("backup", "b.db", "--db", "pawl.db").exits(0)
        kill(web)
        room.pawl("restore", "b.db", "--db", "new.db").exits(0)
        web = serve(room, db="new.db")
        assert web.get(f"/v1/instances/{one}?wait=30s").gives(200).json["status"] == "completed"
        assert len(set(keys(outside.requests, "/reserve"))) == 1 and len(keys(outside.requests, "/reserve")) == 3
        calls = web.get(f"/v1/instances/{one}/calls").gives(200).json["calls"]
        assert [call["attempts"] for call in calls] == [2, 1], calls
        assert web.stop().code == 0


@case("a job's token of before is refused, and its instance can be gone back over the restore")
def _(room):
    web = serve(room)
    web.deploy("""document: { dsl: '1.0.3', namespace: t, name: work, version: '1.0.0' }
do: [ { first: { set: { n: 1 } } }, { work: { call: paint, with: { colour: red } } } ]
""")
    one = web.start("t/work")["id"]
    poll = {"functions": ["paint"], "waitMs": 30000, "leaseMs": 1000}
    job = web.post("/v1/jobs/poll", poll).gives(200).json["jobs"][0]
    room.pawl("backup", "b.db", "--db", "pawl.db").exits(0)
    kill(web)
    room.pawl("restore", "b.db", "--db", "pawl.db", "--replace").exits(0)
    web = serve(room)
    web.post("/v1/jobs/complete", {"token": job["token"], "result": 1}).problem(400, "token-not-valid")
    web.post(f"/v1/instances/{one}/rewind", {"step": 1, "confirm": True}).gives(200)
    work = web.get(f"/v1/instances/{one}").gives(200).json
    assert work["status"] == "waiting", work
    assert web.stop().code == 0


@case("backups beside a server that works are whole, each with more than the one before")
def _(room):
    web = serve(room)
    web.deploy(ASK)
    stop = threading.Event()

    def start():
        while not stop.is_set():
            web.start("t/ask")

    threads = [threading.Thread(target=start, daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    had = []
    for n in range(3):
        done = room.pawl("backup", f"b{n}.db", "--db", "pawl.db", "--json").exits(0).json()
        assert done["file"] == f"b{n}.db" and done["bytes"] == os.path.getsize(f"{room.path}/b{n}.db"), done
        had.append(done["instances"])
        listed = room.pawl("check", "--db", f"b{n}.db", "--json").exits(0).json()
        assert listed["instances"] == done["instances"] and listed["generation"] == done["generation"], listed
        until(lambda: len(room.pawl("ls", "--db", "pawl.db", "--json", "--limit", "1000").json()["instances"]) > had[-1], "more")
    stop.set()
    for thread in threads:
        thread.join(60)
    assert had == sorted(set(had)), had
    assert web.stop().code == 0
    assert sorted(name for name in os.listdir(room.path) if name.startswith("b")) == ["b0.db", "b1.db", "b2.db"]


@case("what is refused says why, and changes nothing")
def _(room):
    room.file("ask.yaml", ASK)
    room.pawl("run", "ask.yaml", "--db", "s.db", "--id", "k").exits(4)
    room.pawl("backup", "b.db", "--db", "s.db").exits(0)
    room.pawl("backup", "b.db", "--db", "s.db").exits(2).complains("'b.db' is there already: give the backup another name")
    room.pawl("backup", "no/b.db", "--db", "s.db").exits(3).complains("make it first")
    room.pawl("backup", "c.db", "--db", "none.db").exits(2).complains("there is no store 'none.db'")
    room.pawl("backup", "c.db", "--db", "memory:").exits(2).complains("nothing to back up")
    room.pawl("restore", "b.db", "--db", "s.db").exits(2).complains("'s.db' is there already", "--replace")
    room.pawl("restore", "b.db", "--db", "b.db", "--replace").exits(2).complains("from itself")
    room.pawl("ls", "--db", "b.db").exits(0).says("t/ask")
    room.pawl("run", "ask.yaml", "--db", "b.db").exits(3).complains("is a backup", "pawl restore")
    web = serve(room, db="s.db")
    room.pawl("restore", "b.db", "--db", "s.db", "--replace").exits(3).complains(f"owned by process {web.process.pid}")
    assert web.stop().code == 0
    with open(f"{room.path}/b.db", "r+b") as file:
        file.seek(3 * 4096)
        file.write(b"\xa5" * 20 * 4096)
    room.pawl("restore", "b.db", "--db", "s.db", "--replace").exits(3).complains("damaged", "b.db")
    room.pawl("check", "--db", "b.db").exits(3).complains("damaged")
    done = room.pawl("check", "--db", "b.db", "--json").exits(3)
    assert json.loads(done.err)["error"]["code"] == "corrupt", done.told()
    room.pawl("check", "--db", "s.db").exits(0).says("nothing is wrong with s.db: 1 instance, ")
    assert not [name for name in os.listdir(room.path) if name.startswith("c") or "restore" in name]


if __name__ == "__main__":
    main()
