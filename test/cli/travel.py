#!/usr/bin/env python3
"""travel.py - the example of the manual for compensation: there is no car, and what was booked is given back; by a real process,
which is killed on the way, with SIGKILL."""
import json
import signal

from example import CONFIG, Service, example
from harness import Room, Skip, case, main

Room.settings = {}  # as a user has it: the example brings its own
DB = ("--db", "trips.db")
BOOKED = [("POST", "/flights", 201), ("POST", "/hotels", 201), ("POST", "/cars", 409)]
GIVEN_BACK = [("DELETE", "/hotels/hotel-1", 200), ("DELETE", "/flights/flight-1", 200)]


def trip(room, service, file=None):
    """A trip without a car: an incident."""
    room.pawl("run", file or example("travel.yaml"), *CONFIG, *DB,
              "--input", json.dumps({"trip": "Lisbon", "service": service.url})).exits(1)
    room.trip = room.pawl("ls", *DB, "--json").exits(0).json()["instances"][0]["id"]


def book(room, *options, file=None):
    service = Service(room, "travel.py", "--sold-out", "cars", *options)
    trip(room, service, file)
    return service


def compensate(room, *words, env=None):
    return room.pawl("compensate", room.trip, "--until", "end", *words, *DB, *CONFIG, env=env)


def requests(service):
    return [(line["method"], line["path"], line["status"]) for line in service.ask("/seen")]


def show(room):
    return room.pawl("show", room.trip, *DB, "--json").exits(0).json()


def plan(room):
    return room.pawl("compensate", "--plan", room.trip, *DB, "--json").exits(0).json()


def states(room):
    return [(step["task"], step["state"]) for step in plan(room)["steps"]]


def entries(room, kind):
    steps = [json.loads(line) for line in room.pawl("log", room.trip, *DB, "--json").exits(0).out.splitlines()]
    return [entry for step in steps for entry in step["entries"] if entry["type"] == kind]


@case("there is no car: the plan is shown, and carried out in reverse order, with keys of its own")
def _(room):
    service = book(room)
    incident, = room.pawl("incidents", *DB, "--json").exits(0).json()["incidents"]
    assert (incident["task"], incident["class"], incident["open"]) == ("/do/2/car", "client-error", True), incident
    assert f"`pawl compensate --plan {room.trip}`" in incident["recommendedAction"], incident
    shown = plan(room)
    assert [(step["ordinal"], step["task"], step["state"], step["required"], step["arguments"]) for step in shown["steps"]] == [
        (2, "/do/1/hotel", "registered", True, {"url": service.url + "/hotels/hotel-1"}),
        (1, "/do/0/flight", "registered", True, {"url": service.url + "/flights/flight-1"})], shown
    assert (shown["status"], shown["left"], shown["without"]) == ("faulted", 2, []), shown
    room.pawl("compensate", "--plan", room.trip, *DB).exits(0).says("/do/1/hotel", "/do/0/flight", "registered")
    compensate(room, "--reason", "no car").exits(0).says("compensated")
    assert requests(service) == BOOKED + GIVEN_BACK
    assert service.ask("/bookings") == {"flight-1": "cancelled", "hotel-1": "cancelled"}
    assert len({line["key"] for line in service.ask("/seen")}) == 5
    shown = show(room)
    assert (shown["status"], shown["error"]["status"]) == ("compensated", 409), shown
    assert states(room) == [("/do/1/hotel", "done"), ("/do/0/flight", "done")] and plan(room)["left"] == 0
    started, = entries(room, "compensation.started")
    assert (started["reason"], started["trigger"], started["registered"]) == ("no car", "request", 2), started
    completed, = entries(room, "compensation.completed")
    assert (completed["done"], completed["failed"], completed["skipped"]) == (2, 0, 0), completed
    incident, = room.pawl("incidents", "--all", *DB, "--json").exits(0).json()["incidents"]
    assert (incident["open"], incident["resolution"]) == (False, "compensating"), incident
    compensate(room).exits(0)  # once more: it is done
    assert len(service.ask("/seen")) == 5


@case("killed anywhere between two compensations and started again, each is done once, by its key")
def _(room):
    service = Service(room, "travel.py", "--sold-out", "cars")
    for turn, (point, sent) in enumerate((("http-before-send:2", 1), ("http-before-result:1", 1), ("http-before-result:2", 2)), 1):
        trip(room, service)
        before = len(service.ask("/seen"))
        if compensate(room, env={"PAWL_FAULT": point}).code != -signal.SIGKILL:
            raise Skip("this build has no fault points")
        given_back = [f"/hotels/hotel-{turn}", f"/flights/flight-{turn}"]
        assert [line["path"] for line in service.ask("/seen")[before:]] == given_back[:sent], (point, requests(service))
        assert show(room)["status"] == "compensating", point
        assert [state for _, state in states(room)].count("running") == 1, (point, states(room))
        compensate(room).exits(0)
        seen = service.ask("/seen")[before:]
        by_key = {line["key"]: line["path"] for line in seen}
        assert sorted(by_key.values(), reverse=True) == given_back, (point, seen)
        assert [line["path"] for line in seen] == sorted((line["path"] for line in seen), reverse=True), (point, seen)
        assert set(service.ask("/bookings").values()) == {"cancelled"}
        assert show(room)["status"] == "compensated"
        assert states(room) == [("/do/1/hotel", "done"), ("/do/0/flight", "done")], point
        assert len(entries(room, "compensation.completed")) == 1


@case("a hotel that cannot be given back is an incident that says what is left; it is skipped, and the rest goes on")
def _(room):
    service = book(room, "--final", "hotels")
    compensate(room).exits(1)
    assert requests(service)[3:] == [("DELETE", "/hotels/hotel-1", 409)]
    incident, = room.pawl("incidents", *DB, "--json").exits(0).json()["incidents"]
    assert incident["class"] == "client-error" and f"`pawl compensate --plan {room.trip}`" in incident["recommendedAction"], incident
    assert states(room) == [("/do/1/hotel", "running"), ("/do/0/flight", "registered")], states(room)
    room.pawl("skip", room.trip, "--reason", "too late", "--until", "end", *DB, *CONFIG).exits(1).says("compensated")
    assert states(room) == [("/do/1/hotel", "skipped"), ("/do/0/flight", "done")], states(room)
    assert service.ask("/bookings") == {"flight-1": "cancelled", "hotel-1": "booked"}
    assert show(room)["status"] == "compensated"


@case("with `on: [faulted]` nobody has to ask")
def _(room):
    with open(example("travel.yaml"), encoding="utf-8") as file:
        text = file.read()
    assert text.count("compensation: { on: [] }") == 1
    service = book(room, file=room.file("travel.yaml", text.replace("on: []", "on: [faulted]")))
    assert requests(service) == BOOKED + GIVEN_BACK
    assert show(room)["status"] == "compensated"
    assert room.pawl("incidents", *DB, "--json").exits(0).json()["incidents"] == []


@case("who is asked about the car answers that all is given back, and it is")
def _(room):
    with open(example("travel.yaml"), encoding="utf-8") as file:
        text = file.read()
    asks = text.replace("compensation: { on: [] }", "compensation: { on: [] }\n      onFault: { call: userTask, with: { key: what-now, title: '${ .error.title }' } }")
    service = book(room, file=room.file("travel.yaml", asks))
    task, = room.pawl("tasks", *DB, "--json").exits(0).json()["bookmarks"]
    assert (task["task"], task["key"], task["title"]) == ("/document/metadata/pawl/onFault", "what-now", "Conflict"), task
    answer = ("complete", room.trip, "what-now", "--until", "end", *DB, *CONFIG, "--data")
    room.pawl(*answer, '{"action": "wait"}').exits(2).complains("/action")
    room.pawl(*answer, '{"action": "compensate", "reason": "no car"}').exits(1).says("compensated")
    assert requests(service) == BOOKED + GIVEN_BACK
    started, = entries(room, "compensation.started")
    assert started["reason"] == "no car", started


@case("what was done by one version is undone as that version says")
def _(room):
    service = book(room)
    with open(example("travel.yaml"), encoding="utf-8") as file:
        text = file.read()
    other = text.replace("version: 1.0.0", "version: 1.1.0").replace("method: delete", "method: post")
    assert other != text
    room.pawl("deploy", room.file("travel.yaml", other), *DB).exits(0)
    compensate(room).exits(0)
    assert requests(service) == BOOKED + GIVEN_BACK


if __name__ == "__main__":
    main()
