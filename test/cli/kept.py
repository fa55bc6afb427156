#!/usr/bin/env python3
"""kept.py - stores that released programs have made (test/data/stores, scripts/keep-stores) are opened by this one: brought up to its
schema, read, driven to the end of everything in them, backed up and restored."""
import json
import os
import re
import shutil
import sqlite3
import threading

from harness import ROOT, Room, case, main, until
from kept_flows import Shop, flow
from web import serve

KEPT = os.path.join(ROOT, "test", "data", "stores")
# They are old: nothing in them is too old to be shown.
SETTINGS = {"Workflow:Cleanup:CompletedWorkflowRetention": "36000.00:00:00", "Workflow:Cleanup:ExecutionLogRetention": "36000.00:00:00",
            "Jobs:Lease": "00:00:01"}
Room.settings = {"PAWL_EGRESS_ALLOW": "loopback"}


def stores():
    names = sorted(os.listdir(KEPT))
    assert names, "no store is kept"
    for name in names:
        with open(os.path.join(KEPT, name, "expected.json"), encoding="utf-8") as file:
            yield name, json.load(file)


def take(room, name):
    """A store's name in the room: nothing of what was kept is ever written to."""
    shutil.copy(os.path.join(KEPT, name, "store.db"), f"{room.path}/{name}.db")
    os.chmod(f"{room.path}/{name}.db", 0o600)
    return name + ".db"


def spelt_out(found):
    """IN, as what stores of schema 1 were made with, in the words that it is written with now."""
    column, no, values = found.groups()
    return (" AND " if no else " OR ").join(f"{column} {'<>' if no else '='} {value}" for value in values.split(", "))


def schema(path):
    """Each table, index, trigger and view, without comments and blanks; columns that a later schema has added stand at the end."""
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        rows = db.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'").fetchall()
    finally:
        db.close()
    plain = {name: re.sub(r"\s+", " ", re.sub(r"--[^\n]*", "", sql)).replace(" )", ")") for name, sql in rows}
    return {name: re.sub(r"(\w+) (NOT )?IN \(('[^)]*)\)", spelt_out, sql) for name, sql in plain.items()}


def looked_at(room, db, expected):
    """What only looks shows every instance, with its status and a log without a gap."""
    listed = room.pawl("ls", "--db", db, "--json", "--limit", "1000").exits(0).json()["instances"]
    found = {one["key"]: {"id": one["id"], "status": one["status"]} for one in listed if one.get("key")}
    assert found == expected["instances"], (found, expected["instances"])
    for key, one in expected["instances"].items():
        shown = room.pawl("show", one["id"], "--db", db, "--json").exits(0).json()
        assert shown["status"] == one["status"], (key, shown)
        steps = [json.loads(line) for line in room.pawl("log", one["id"], "--db", db, "--json").exits(0).out.splitlines()]
        assert [step["sequence"] for step in steps] == list(range(1, shown["token"] + 1)), (key, shown["token"])


@case("a kept store is brought up to this schema, which is that of a new one, and shows everything that was in it")
def _(room):
    room.file("hello.yaml", flow("hello", "do:\n  - a: {set: {a: 1}}\n"))
    room.pawl("deploy", "hello.yaml", "--db", "new.db").exits(0)
    current = room.pawl("migrate", "--db", "new.db", "--json").exits(0).json()["to"]
    for name, expected in stores():
        db = take(room, name)
        if expected["schema"] < current:
            room.pawl("ls", "--db", db).exits(3).complains(f"schema {expected['schema']} is older", "pawl migrate")
        moved = room.pawl("migrate", "--db", db, "--json").exits(0).json()
        assert moved == {"from": expected["schema"], "to": current}, moved
        assert schema(f"{room.path}/{db}") == schema(f"{room.path}/new.db"), name
        room.pawl("check", "--db", db).exits(0)
        looked_at(room, db, expected)
        room.pawl("incidents", "--db", db).exits(0).says(expected["instances"]["incident"]["id"])
        room.pawl("schedules", "--db", db).exits(0).says("kept/yearly")
        room.pawl("bulk", "list", "--db", db).exits(0).says("skip", "done")
        room.pawl("breakers", "--db", db).exits(0).says("http://other.example")
        room.pawl("token", "list", "--db", db).exits(0).says("reader")


@case("a backup of a kept store is restored as one of this schema")
def _(room):
    for name, expected in stores():
        db = take(room, name)
        room.pawl("backup", name + ".bak", "--db", db).exits(0)
        room.pawl("restore", name + ".bak", "--db", "r-" + db).exits(0)
        assert room.pawl("migrate", "--db", "r-" + db, "--json").exits(0).json()["from"] > 0
        assert schema(f"{room.path}/r-{db}")["past_generation"]
        looked_at(room, "r-" + db, expected)


# ---- everything goes on to its end

def nothing(web, one):
    pass


def answer(*keys, actor="bob"):
    return lambda web, one: [web.room.pawl("complete", one, key, "--data", '{"yes": true}', "--actor", actor, "--db", web.db).exits(0) for key in keys]


def act(action, **members):
    return lambda web, one: web.post(f"/v1/instances/{one}/{action}", members).gives(200)


def in_turn(*actions):
    def all_of(web, one):
        for action in actions:
            action(web, one)
    return all_of


def end_timer(web, one):
    (wait,) = web.get(f"/v1/instances/{one}").gives(200).json["waits"]
    web.post(f"/v1/instances/{one}/bookmarks/{wait['key']}/resume", {"kind": "timer"}).gives(200)


def send(web, _):
    web.room.pawl("send", "order.paid", "--subject", "o-1", "--data", '{"amount": 7}', "--db", web.db).exits(0).says("delivered to 1 listener")


def answer_child(web, one):
    (child,) = web.get(f"/v1/instances?parent={one}").gives(200).json["instances"]
    answer("answer")(web, child["id"])


def judge(web, one):
    until(lambda: web.get(f"/v1/instances/{one}").gives(200).json["status"] == "faulted", "the incident")
    web.post(f"/v1/instances/{one}/retry", {}).gives(200)


# By business key: what is done, and where that leads.
ENDS = {
    "answered": (nothing, "completed"), "asked": (answer("answer"), "completed"), "asleep": (end_timer, "completed"),
    "cancelled": (nothing, "cancelled"), "caught": (end_timer, "completed"), "claimed": (answer("answer", actor="ann"), "completed"),
    "compensated": (nothing, "compensated"), "compensating": (nothing, "compensated"), "completed": (nothing, "completed"),
    "edited": (act("goto", task="/do/1/after"), "completed"), "for-workers": (nothing, "completed"), "given-up": (nothing, "faulted"),
    "in-bulk": (nothing, "completed"), "in-flight": (nothing, "completed"), "incident": (act("skip"), "completed"),
    "large": (answer("answer"), "completed"), "later": (act("cancel"), "cancelled"), "leased": (nothing, "completed"),
    "listening": (send, "completed"), "next-attempt": (act("retry"), "completed"), "overdue": (nothing, "completed"),
    "suspended": (in_turn(act("continue"), answer("answer")), "completed"), "to-judge": (judge, "completed"),
    "undoable": (act("compensate"), "compensated"), "wide": (answer(*(f"k{n}" for n in range(9))), "completed"),
    "with-child": (answer_child, "completed"),
}


def work(web, stop):
    """A worker, until there is nothing left to do."""
    while not stop.is_set():
        for job in web.post("/v1/jobs/poll", {"functions": ["paint"], "waitMs": 200, "leaseMs": 60000}).gives(200).json["jobs"]:
            web.post("/v1/jobs/complete", {"token": job["token"], "result": {"painted": True}})


def driven(room, db, expected, shop, keys):
    """Serves the store until everything in it has ended as it should; `keys`: those of calls in flight, which go out again as they were."""
    web = serve(room, db=db, env=shop.settings, settings=SETTINGS)
    web.db = db
    stop = threading.Event()
    worker = threading.Thread(target=work, args=(web, stop), daemon=True)
    worker.start()
    assert set(expected["instances"]) <= set(ENDS), "this store holds what is not known here"
    for key, one in expected["instances"].items():
        ENDS[key][0](web, one["id"])
    for key, one in expected["instances"].items():
        until(lambda: web.get(f"/v1/instances/{one['id']}").gives(200).json["status"] == ENDS[key][1], f"{key}: {ENDS[key][1]}")
    stop.set()
    worker.join(60)
    assert web.get("/v1/instances/" + expected["instances"]["large"]["id"] + "/output").gives(200).json == {"lines": 1000}
    web.deploy(flow("shipped", "do:\n  - hear: {listen: {to: {one: {with: {type: order.shipped}}}}}\n"))
    late = web.start("kept/shipped")["id"]  # a message that was kept is there still
    until(lambda: web.get(f"/v1/instances/{late}").gives(200).json["status"] == "completed", "the message that was kept")
    assert set(keys) <= {request.key for request in shop.requests}, (keys, [request.key for request in shop.requests])
    assert web.stop().code == 0
    room.pawl("check", "--db", db).exits(0)


def in_flight(room, db):
    store = sqlite3.connect(f"{room.path}/{db}")
    try:
        return [key for key, in store.execute("SELECT key FROM external_call WHERE state = 'pending'")]
    finally:
        store.close()


@case("everything in a kept store goes on to its end, and calls in flight go out again under their keys")
def _(room):
    for name, expected in stores():
        db = take(room, name)
        keys = in_flight(room, db)
        assert len(keys) >= 3, keys
        with Shop(well=True) as shop:
            driven(room, db, expected, shop, keys)


@case("and so it does when it was restored from a backup")
def _(room):
    for name, expected in stores():
        db = take(room, name)
        keys = in_flight(room, db)
        room.pawl("backup", name + ".bak", "--db", db).exits(0)
        room.pawl("restore", name + ".bak", "--db", db, "--replace").exits(0)
        with Shop(well=True) as shop:
            driven(room, db, expected, shop, keys)


if __name__ == "__main__":
    main()
