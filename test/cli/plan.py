#!/usr/bin/env python3
"""plan.py - what is undone: the plan before, meanwhile and after, by the command and over HTTP; what fails on the way."""
from harness import case, main, until
from openapi import Checked
from service import Service
from web import serve

DB = ("--db", "s.db")
TRIP = """
document: {dsl: 1.0.3, namespace: t, name: trip, version: 1.0.0, metadata: {pawl: {compensation: {on: []}}}}
do:
  - room:
      call: http
      with: {method: post, endpoint: 'URL/room', body: {n: '${ .n }'}}
      metadata: {pawl: {compensate: {call: http, with: {method: post, endpoint: 'URL/no-room', body: {n: '${ $input.n }'}}}}}
  - letter: {call: http, with: {method: post, endpoint: 'URL/letter', body: {}}}
  - seat:
      call: http
      with: {method: post, endpoint: 'URL/seat', body: {n: 2}}
      metadata: {pawl: {compensate: {call: http, with: {method: post, endpoint: 'URL/no-seat', body: {n: 2}},
                                     metadata: {pawl: {required: false}}}}}
  - car: {call: http, with: {method: post, endpoint: 'URL/car', body: {}}}
"""
ASKED = TRIP.replace("name: trip", "name: asked").replace("""compensate: {call: http, with: {method: post, endpoint: 'URL/no-room', body: {n: '${ $input.n }'}}}""",
                                                          "compensate: {call: userTask, with: {key: room, title: Give the room back}}")


class Agency:
    """A trip for which there is no car."""

    def __init__(self, room, text=TRIP):
        self.room, self.service = room, Service()
        self.service.answers["/car"] = 500
        room.file("trip.yaml", text.replace("URL", self.service.url))
        room.pawl("run", "trip.yaml", "--input", '{"n": 1}', *DB).exits(1)
        (one,) = room.pawl("ls", *DB, "--json").exits(0).json()["instances"]
        self.id, self.booked = one["id"], self.service.count
        assert self.service.paths == ["/room", "/letter", "/seat", "/car"], self.service.paths

    def plan(self, *words):
        return self.room.pawl("compensate", "--plan", self.id, *words, *DB).exits(0)

    def states(self):
        return [(step["task"], step["state"]) for step in self.plan("--json").json()["steps"]]

    def undone(self):
        return self.service.paths[self.booked:]


@case("the plan is shown before, in the order in which it runs, with what has no compensation; then it is carried out")
def _(room):
    trip = Agency(room)
    lines = trip.plan().out.splitlines()
    assert lines[0].split() == ["STEP", "STATE", "TASK", "REQUIRED", "ACTION", "COMPLETED", "NOTE"], lines
    assert lines[1].split()[:4] == ["2", "registered", "/do/2/seat", "no"] and lines[2].split()[:4] == ["1", "registered", "/do/0/room", "yes"], lines
    assert trip.service.url + "/no-seat" in lines[1] and lines[4] == "has no compensation" and lines[6].split()[0] == "/do/1/letter", lines
    trip.plan().complains(f"2 left to undo: pawl compensate {trip.id} --db s.db")
    first = trip.plan("--limit", "1")
    first.complains("there are more: pawl compensate --plan " + trip.id + " --after ")
    after = first.err.split("--after ")[1].split()[0].strip("'")
    assert "/do/0/room" in trip.plan("--after", after).out, after
    ways = room.pawl("show", trip.id, *DB).exits(0).out.split("what can be done\n")[1].split("\n\n")[0].splitlines()
    assert [line.split()[1] for line in ways] == ["retry", "skip", "goto", "edit", "compensate", "fail", "cancel"], ways
    room.pawl("show", trip.id, *DB).exits(0).says(f"steps that could be undone: 2, by pawl compensate --plan {trip.id} --db s.db")
    done = room.pawl("compensate", trip.id, "--dry-run", *DB).exits(0)
    done.says(f"{trip.id} would be compensating; nothing is done", '- /status "faulted"\n+ /status "compensating"\n')
    assert trip.undone() == [] and trip.states() == [("/do/2/seat", "registered"), ("/do/0/room", "registered")]
    room.pawl("compensate", trip.id, "--reason", "no car", "--actor", "ann", *DB).exits(0).silent().says(f"{trip.id} compensated\n")
    assert trip.undone() == ["/no-seat", "/no-room"] and trip.service.bodies[-2:] == [{"n": 2}, {"n": 1}], trip.service.bodies
    assert trip.states() == [("/do/2/seat", "done"), ("/do/0/room", "done")] and trip.plan("--json").json()["left"] == 0
    room.pawl("log", trip.id, *DB).exits(0).says("compensation.started", "by=ann", "reason=no car", "compensation.completed")
    room.pawl("compensate", trip.id, *DB).exits(0)
    room.pawl("retry", trip.id, *DB).exits(2)
    assert len(trip.undone()) == 2
    (incident,) = room.pawl("incidents", "--all", *DB, "--json").exits(0).json()["incidents"]
    assert incident["resolution"] == "compensating" and incident["resolvedBy"] == "ann", incident


@case("a required step that fails is an incident, which is retried or skipped; an optional one is told of")
def _(room):
    trip = Agency(room)
    trip.service.answers.update({"/no-seat": 500, "/no-room": 500})
    done = room.pawl("compensate", trip.id, *DB).exits(1)
    done.says("incident")
    assert trip.states() == [("/do/2/seat", "failed"), ("/do/0/room", "running")], trip.states()
    assert "left to undo" not in trip.plan().says("because of ", "failed").err
    ways = room.pawl("incident", trip.id, *DB).exits(0).out.split("what can be done\n")[1].split("\n\n")[0].splitlines()
    assert [line.split()[1] for line in ways] == ["retry", "skip", "edit", "fail", "cancel"], ways
    (incident,) = room.pawl("incidents", *DB, "--json").exits(0).json()["incidents"]
    assert incident["task"].startswith("/do/0/room"), incident
    room.pawl("retry", incident["id"], *DB).exits(1)
    (incident,) = room.pawl("incidents", *DB, "--json").exits(0).json()["incidents"]
    room.pawl("skip", incident["id"], "--reason", "by telephone", *DB).says("compensated")
    assert trip.states() == [("/do/2/seat", "failed"), ("/do/0/room", "skipped")], trip.states()
    assert trip.undone() == ["/no-seat", "/no-room", "/no-room"] and len(set(trip.service.keys[-2:])) == 1, trip.undone()


@case("while it is undone show has the plan, and the command ends with 4 as long as a person is waited for")
def _(room):
    trip = Agency(room, ASKED)
    room.pawl("compensate", trip.id, *DB).exits(4).says(f"{trip.id} compensating", "pawl complete")
    text = room.pawl("show", trip.id, *DB).exits(0).out
    assert text.count("\ncompensation\n") == 1 and "running" in text.split("\ncompensation\n")[1], text
    server = serve(room, db="s.db")
    where = ("--server", f"http://127.0.0.1:{server.port}")
    assert room.pawl("compensate", "--plan", trip.id, *where).exits(0).out == trip.plan().out
    room.pawl("complete", trip.id, "room", "--data", "{}", "--until", "end", *where).exits(1).says("compensated")
    assert trip.states() == [("/do/2/seat", "done"), ("/do/0/room", "done")]


@case("over HTTP it is the same, as the document says; and where nothing is left there is nothing to undo")
def _(room):
    trip = Agency(room)
    room.file("plain.yaml", "document: {dsl: 1.0.3, namespace: t, name: plain, version: 1.0.0}\ndo: [{a: {set: {x: 1}}}]\n")
    room.pawl("run", "plain.yaml", *DB).exits(0)
    plain = room.pawl("ls", "--name", "plain", *DB, "--json").exits(0).json()["instances"][0]["id"]
    room.pawl("compensate", plain, *DB).exits(2).complains("nothing")
    room.pawl("compensate", "--plan", plain, *DB).exits(0).prints("").complains("nothing that could be undone")
    web = serve(room, db="s.db")
    c = Checked(web)
    page = c.call("getCompensation", 200, query="?limit=1", id=trip.id).json
    assert [step["task"] for step in page["steps"]] == ["/do/2/seat"] and page["left"] == 2, page
    rest = c.call("getCompensation", 200, query="?after=" + page["next"], id=trip.id).json
    assert [step["task"] for step in rest["steps"]] == ["/do/0/room"] and "next" not in rest, rest
    assert [task["task"] for task in page["without"] + rest["without"]] == ["/do/1/letter"]
    c.call("getCompensation", 400, query="?after=x", id=trip.id)
    c.call("compensate", 409, id=plain).problem(409, "nothing-to-compensate")
    dry = c.call("compensateIncident", 200, {"dryRun": True}, id=c.call("getIncident", 200, id=trip.id).json["id"]).json
    assert dry["status"] == "compensating" and dry["undo"] == 2 and trip.undone() == [], dry
    c.call("compensate", 400, {"task": "/do/0/room"}, id=trip.id)
    c.call("compensateIncident", 200, {"reason": "no car"}, id=c.call("getIncident", 200, id=trip.id).json["id"])
    until(lambda: c.call("getInstance", 200, id=trip.id).json["status"] == "compensated", "its end")
    assert c.call("compensate", 200, id=trip.id).json["repeated"] is True
    assert trip.undone() == ["/no-seat", "/no-room"]
    steps = c.call("getCompensation", 200, id=trip.id).json["steps"]
    assert all(step["state"] == "done" and step["endedAt"] for step in steps), steps


if __name__ == "__main__":
    main()
