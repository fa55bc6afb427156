#!/usr/bin/env python3
"""doctor.py - `pawl doctor`, `pawl health` and `pawl why` from outside: with nobody who owns the store, by its owner's socket, by HTTP.

Rows are changed by hand, as no engine would ever change them."""
import os
import sqlite3

from harness import case, main
from web import serve

ASK = """document: {dsl: 1.0.0, namespace: t, name: ask, version: 1.0.0}
do:
  - ask: {call: userTask, with: {title: Approve, assignedTo: ann}}
"""
DB = ("--db", "s.db")


def by_hand(room, sql, *values):
    with sqlite3.connect(os.path.join(room.path, "s.db"), timeout=30) as db:
        db.execute(sql, values)
    db.close()


def waiting(room):
    room.file("ask.yaml", ASK)
    room.pawl("deploy", "ask.yaml", *DB).exits(0)
    return room.pawl("start", "t/ask", *DB, "--json").exits(4).json()["id"]


@case("a store in which all is well has no findings, and says how much was looked at")
def _(room):
    waiting(room)
    done = room.pawl("doctor", *DB).exits(0).says("nothing is wrong: ", " rows looked at")
    answer = room.pawl("doctor", *DB, "--json").exits(0).json()
    assert answer["findings"] == [] and answer["checked"]["asleep"] == 1 and answer["at"], answer
    assert "more" not in answer and "partial" not in answer, answer
    assert done.err == "", done.err


@case("what nothing will wake is found, with its cause and its remedy, and the exit code says so")
def _(room):
    found = waiting(room)
    by_hand(room, "UPDATE bookmark SET ended_ms = 1 WHERE instance = ?", found)
    by_hand(room, "UPDATE instance SET updated_ms = updated_ms - 3600000, created_ms = created_ms - 3600000")
    room.pawl("doctor", *DB).exits(1).says(f"error asleep {found}: it waits, and nothing is there that could move it", "  since ", "  cause ",
                                           "  remedy  `pawl rewind`")
    (finding,) = room.pawl("doctor", *DB, "--json").exits(1).json()["findings"]
    assert (finding["kind"], finding["level"], finding["instance"]) == ("asleep", "error", found), finding
    assert finding["what"] and finding["since"] and finding["cause"] and finding["remedy"], finding
    web = serve(room, db="s.db")
    (told,) = web.get("/v1/audit").json["findings"]
    assert told == finding, (told, finding)
    (told,) = room.pawl("doctor", "--server", f"http://{web.host}:{web.port}", "--json").exits(1).json()["findings"]
    assert told == finding, (told, finding)
    assert web.get("/v1/audit?last=true").json["findings"] == []  # the auditor's first round is a minute away
    room.pawl("doctor", *DB, "--last").exits(0)


@case("without an owner, what is due says that nobody drives the store")
def _(room):
    waiting(room)
    by_hand(room, "UPDATE instance SET wake_at = 1000, updated_ms = 1000, created_ms = 1000")
    (finding,) = room.pawl("doctor", *DB, "--json").exits(1).json()["findings"]
    assert finding["kind"] == "overdue" and "instance" not in finding and finding["since"] == "1970-01-01T00:00:01.000Z", finding
    assert finding["cause"] == "no process drives this store, or its owner does not get on", finding


@case("why tells on one screen why, what moves it, who and since when; of none it says that there is none")
def _(room):
    found = waiting(room)
    done = room.pawl("why", found, *DB).exits(0).says(f"{found}  t/ask 1.0.0  waiting", "  why     a person is to answer 'Approve'",
                                                     f"  moves   an answer: pawl complete {found} ask-1", "  by      ann", "  since   ")
    assert len(done.out.splitlines()) == 5, done.out
    answer = room.pawl("why", found, *DB, "--json").exits(0).json()
    assert answer["waits"][0]["by"] == "ann" and answer["findings"] == [], answer
    room.pawl("why", "0" * 26, *DB).exits(2).complains("there is no instance")
    web = serve(room, db="s.db")
    assert web.get(f"/v1/instances/{found}/why").json == answer
    assert web.get(f"/v1/instances/{'0' * 26}/why").status == 404


@case("health shows each part: of an owner its services, of a file what is stored")
def _(room):
    waiting(room)
    answer = room.pawl("health", *DB, "--json").exits(0).json()
    assert (answer["status"], answer["components"], answer["findings"]) == ("up", [], 0), answer
    assert answer["store"]["bytes"] > 100000 and answer["disk"]["freeBytes"] > 0, answer
    web = serve(room, db="s.db")
    answer = web.get("/health").json
    assert {part["name"] for part in answer["components"]} == {"outbox", "timers", "cleanup", "audit", "disk", "messages", "bulk"}, answer
    assert {part["status"] for part in answer["components"]} <= {"up", "disabled"}, answer
    assert answer["disk"]["status"] == "ok", answer
    room.pawl("health", *DB).exits(0).says("status    up", "COMPONENT", "timers", "findings  0")


if __name__ == "__main__":
    main()
