#!/usr/bin/env python3
"""children.py - workflows that run others, from the command line: what `run` waits for, `ls --parent`, `show`, and the
example that does it."""
import os

from harness import ROOT, case, main, until

LEAF = """document: {dsl: 1.0.3, namespace: t, name: leaf, version: 1.0.0}
do:
  - ask: {call: userTask, with: {key: k, title: Well}}
"""
PARENT = """document: {dsl: 1.0.3, namespace: t, name: parent, version: 1.0.0}
do:
  - sub: {run: {workflow: {namespace: t, name: leaf, version: latest}}, output: {as: '{yes: .yes}'}}
"""


def deployed(room, *names):
    for name, text in (("leaf.yaml", LEAF), ("parent.yaml", PARENT)):
        room.file(name, text)
    for name in names:
        room.pawl("deploy", name, "--db", "s.db").exits(0)


def children(room, parent):
    return room.pawl("ls", "--db", "s.db", "--json", "--parent", parent).exits(0).json()["instances"]


@case("run drives the children that are waited for, and says what the instance waits for")
def _(room):
    deployed(room, "leaf.yaml")
    done = room.pawl("run", "parent.yaml", "--db", "s.db", "--id", "p").exits(4)
    instances = room.pawl("ls", "--db", "s.db", "--json").exits(0).json()["instances"]
    assert [one["name"] for one in instances] == ["leaf", "parent"], instances
    child, parent = instances[0]["id"], instances[1]["id"]
    done.complains("child at /do/0/sub, workflow t/leaf", f"look at it with: pawl show {child} --db s.db")
    assert [one["id"] for one in children(room, parent)] == [child]
    assert children(room, child) == []
    assert instances[0]["parent"] == parent and "parent" not in instances[1]
    room.pawl("show", child, "--db", "s.db").exits(0).says(f"parent       {parent}", f"correlation  {parent}")
    room.pawl("show", parent, "--db", "s.db").exits(0).says(f"look at it with: pawl show {child} --db s.db")
    room.pawl("resume", child, "--key", "k", "--data", '{"yes": 1}', "--db", "s.db").exits(0)
    assert room.pawl("show", parent, "--db", "s.db", "--json").exits(0).json()["output"] == {"yes": 1}


@case("a child that cannot be started says why")
def _(room):
    deployed(room, "parent.yaml")
    done = room.pawl("start", "parent", "--db", "s.db", "--until", "end").exits(1)
    done.complains("the workflow cannot be started", "there is no workflow 't/leaf'")


@case("cancel of a parent cancels its child")
def _(room):
    deployed(room, "leaf.yaml", "parent.yaml")
    parent = room.pawl("start", "parent", "--db", "s.db", "--json").exits(4).json()["id"]
    child = children(room, parent)[0]
    assert child["status"] == "waiting"
    room.pawl("cancel", parent, "--db", "s.db").exits(0)
    assert children(room, parent)[0]["status"] == "cancelled"


@case("ls says when an instance has no children")
def _(room):
    deployed(room, "leaf.yaml")
    room.pawl("ls", "--db", "s.db", "--parent", "nobody").exits(0).complains("no instances")


@case("the example of a trip runs")
def _(room):
    files = [os.path.join(ROOT, "examples", name) for name in ("hello.yaml", "approval.yaml", "trip.yaml")]
    for file in files:
        room.pawl("deploy", file, "--db", "s.db").exits(0)
    done = room.pawl("run", files[2], "--db", "s.db", "--input", '{"name": "Ada", "trip": "Lisbon", "cost": 0}').exits(0)
    done.prints('{\n  "message": "Lisbon is booked, Ada."\n}\n')
    trip = room.pawl("start", "trip", "--db", "s.db", "--json", "--input", '{"name": "Bo", "trip": "Rome", "cost": 9}')
    trip = trip.exits(4).json()["id"]
    approval, hello = sorted(children(room, trip), key=lambda one: one["name"])
    assert (approval["name"], hello["name"]) == ("approval", "hello")
    assert hello["output"] == {"greeting": "Hello, Bo!"}
    room.pawl("resume", approval["id"], "--key", "decision", "--data", '{"approved": false}', "--db", "s.db").exits(0)

    def ended():
        shown = room.pawl("show", trip, "--db", "s.db", "--json").exits(0).json()
        return shown if shown["status"] != "waiting" and "endedAt" in shown else None

    shown = until(ended, "the end of the parent")  # which a server drives beside
    assert shown["output"] == {"message": "Rome is declined, Bo."}, shown


if __name__ == "__main__":
    main()
