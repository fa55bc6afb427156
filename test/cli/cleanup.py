#!/usr/bin/env python3
"""cleanup.py - what is old goes by the command, by a server, and through a kill in the middle; what went is in the exported files."""
import json
import os
import signal
import sqlite3
import time

from harness import Skip, case, main
from web import serve, with_tokens

DB = ("--db", "s.db")
WORK = """document: {dsl: 1.0.3, namespace: t, name: work, version: 1.0.0}
do:
  - a: {set: {x: 1}}
"""
MANY = """document: {dsl: 1.0.3, namespace: t, name: many, version: 1.0.0}
do:
  - each:
      for: {in: '[range(40)]'}
      do:
        - one: {run: {workflow: {namespace: t, name: work, version: 1.0.0}, await: false}}
"""
SOON = ("--set", "Workflow:Cleanup:CompletedWorkflowRetention=1ms")
ALL = (*SOON, "--set", "Workflow:Cleanup:ExecutionLogRetention=1ms")


def have_many(room):
    room.file("work.yaml", WORK)
    room.file("many.yaml", MANY)
    room.pawl("deploy", "work.yaml", *DB).exits(0)
    room.pawl("run", "many.yaml", *DB).exits(0)
    room.pawl("run", "work.yaml", *DB).exits(0)  # drives what is left
    time.sleep(0.005)  # older than a millisecond by the system's clock


def rows(room, sql):
    store = sqlite3.connect(f"file:{room.path}/s.db?mode=ro", uri=True)
    try:
        return store.execute(sql).fetchall()
    finally:
        store.close()


def exported(room):
    """Rows by table, of all files; a last line that was cut off in a crash is none."""
    found = {}
    for name in sorted(os.listdir(f"{room.path}/export")):
        with open(f"{room.path}/export/{name}", encoding="utf-8") as file:
            for line in file:
                if line.endswith("\n"):
                    row = json.loads(line)
                    found.setdefault(row["table"], []).append(row)
    return found


@case("a dry run counts, a run leaves the logs, and the log's own retention takes the rest")
def _(room):
    have_many(room)
    dry = room.pawl("cleanup", "--dry-run", "--json", *SOON, *DB).exits(0).silent().json()
    assert (dry["dryRun"], dry["instances"], dry["steps"], dry["exported"]) == (True, 42, 0, []), dry
    assert rows(room, "SELECT count(*) FROM instance WHERE cleaned_ms IS NOT NULL") == [(0,)]
    done = room.pawl("cleanup", *SOON, *DB).exits(0).silent()
    assert done.out.startswith("deleted:\n        42 instances\n"), done.told()
    assert rows(room, "SELECT count(*), count(cleaned_ms), sum(length(state)) FROM instance") == [(42, 42, 0)]
    one = rows(room, "SELECT id FROM instance WHERE name = 'work' LIMIT 1")[0][0]
    shown = room.pawl("show", one, *DB).exits(0).silent()
    assert "\ncleaned up   " in shown.out and ": only its log is left\n" in shown.out, shown.told()
    room.pawl("log", one, *DB).exits(0).silent()
    told = room.pawl("cancel", one, *DB).exits(2).prints("")
    assert f"instance '{one}' is completed, and was cleaned up at 20" in told.err, told.told()
    room.pawl("check", *DB).exits(0)
    room.pawl("cleanup", *ALL, *DB).exits(0).silent()
    assert rows(room, "SELECT (SELECT count(*) FROM instance), (SELECT count(*) FROM step), (SELECT count(*) FROM label)") == [(0, 0, 0)]
    room.pawl("check", *DB).exits(0)


@case("killed at any transaction it has deleted nothing that is not in the files, and goes on where it was")
def _(room):
    have_many(room)
    os.mkdir(f"{room.path}/export")
    words = ("cleanup", *ALL, "--set", f"Workflow:Cleanup:ExportPath={room.path}/export", "--set", "Workflow:Cleanup:BatchSize=7", *DB)
    kills = 0
    for point in ("store-before-clean:1", "store-after-clean:1", "store-before-clean:2", "store-after-clean:3", "store-before-clean:4"):
        told = room.pawl(*words, env={"PAWL_FAULT": point})
        kills += told.code == -signal.SIGKILL
        assert told.code in (0, -signal.SIGKILL), told.told()
        room.pawl("check", *DB).exits(0)
        files = exported(room)
        gone = {one for (one,) in rows(room, "SELECT id FROM instance WHERE cleaned_ms IS NOT NULL")}
        there = {one for (one,) in rows(room, "SELECT id FROM instance")}
        assert gone <= {row["id"] for row in files.get("instance", [])}
        steps = {(row["instance"], row["sequence"]) for row in files.get("step", [])}
        left = set(rows(room, "SELECT instance, sequence FROM step"))
        whole = rows(room, "SELECT count(*) FROM instance AS i WHERE cleaned_ms IS NULL"
                           " AND NOT EXISTS (SELECT 1 FROM outbox WHERE instance = i.id)")
        assert whole == [(0,)], whole  # of what is not a tombstone all is there
        assert len({one for one, _ in steps | left} | there) == 42
    if not kills:
        raise Skip("pawl is built without fault points")
    assert kills == 5, kills
    room.pawl(*words).exits(0).silent()
    assert rows(room, "SELECT count(*) FROM instance") == [(0,)]
    files = exported(room)
    assert len({row["id"] for row in files["instance"] if "cleaned_ms" not in row}) == 42
    assert {row["state"]["s"] for row in files["instance"] if "cleaned_ms" not in row} == {"completed"}
    assert len({row["instance"] for row in files["step"]}) == 42
    assert {table for table in files} == {"instance", "step", "outbox", "inbox"}, set(files)


@case("a server does it beside its work, for who may, and says what is gone")
def _(room):
    have_many(room)
    web = serve(room, db="s.db", settings={"Workflow:Cleanup:CompletedWorkflowRetention": "1ms",
                                           "Workflow:Cleanup:RunInterval": "1h"})
    dry = web.post("/v1/cleanup", {"dryRun": True}).gives(200).json
    assert (dry["dryRun"], dry["instances"], dry["stopped"]) == (True, 42, False), dry
    refused = room.pawl("cleanup", *SOON, *DB).exits(2).prints("")
    assert "--set: whoever owns the store does it, by its own settings" in refused.err, refused.told()
    done = room.pawl("cleanup", "--json", *DB).exits(0).silent().json()
    assert done["instances"] == 42, done
    one = web.get("/v1/instances?name=work&limit=1").gives(200).json["instances"][0]
    assert one["cleanedAt"] and one["status"] == "completed", one
    shown = web.get(f"/v1/instances/{one['id']}").gives(200).json
    assert shown["cleanedAt"] == one["cleanedAt"] and "waits" not in shown, shown
    web.get(f"/v1/instances/{one['id']}/log").gives(200)
    web.post(f"/v1/instances/{one['id']}/cancel").problem(410, "cleaned-up")
    web.delete(f"/v1/instances/{one['id']}").gives(204)
    web.get(f"/v1/instances/{one['id']}").problem(404, "no-such-instance")
    assert web.stop().code == 0


@case("only an administrator may have it done")
def _(room):
    web, tokens = with_tokens(room, {"root": ([("admin", "*")], []), "op": ([("operator", "*")], [])})
    web.by(tokens["op"]).post("/v1/cleanup", {"dryRun": True}).problem(403, "role-missing")
    web.by(tokens["root"]).post("/v1/cleanup", {}).gives(200)
    assert web.stop().code == 0


main()
