#!/usr/bin/env python3
"""examples.py - the examples that call a service, as their files say that they are run."""
import json

from example import CONFIG, Service, example
from harness import Room, case, main, until
from web import serve

Room.settings = {}  # as a user has it: the examples bring their own


def booking(room, service, *more):
    return room.pawl("run", example("resilience.yaml"), "--db", "air.db", "--id", "trip-1",
                     "--input", json.dumps({"service": service.url, "seats": 2}), *more)


@case("a booking with an airline that is up is one request, and its breaker stays closed")
def _(room):
    service = Service(room, "flaky.py")
    done = booking(room, service, *CONFIG).exits(0)
    assert done.json() == {"booking": "b-1", "seats": 2, "price": 120}, done.told()
    assert [line["path"] for line in service.ask("/seen")] == ["/price", "/book"]
    assert room.pawl("incidents", "--db", "air.db", "--all", "--json").exits(0).json()["incidents"] == []


@case("an airline that is down ends as an incident, which is retried with the same key when it is mended")
def _(room):
    service = Service(room, "flaky.py", "--down")
    booking(room, service, *CONFIG).exits(1)
    seen = service.ask("/seen")
    book = [line for line in seen if line["path"] == "/book"]
    assert len(book) == 5 and len(seen) == 6, seen  # a first try and four retries; of the price one
    assert len({line["key"] for line in book}) == 1, seen

    incidents = room.pawl("incidents", "--db", "air.db", "--json").exits(0).json()["incidents"]
    assert len(incidents) == 1, incidents
    incident = incidents[0]
    assert (incident["task"], incident["type"], incident["class"], incident["attempts"], incident["decision"], incident["open"]) == (
        "/do/1/book", "external-call-fault", "server-error", 5, "incident", True), incident
    assert f"pawl retry {incident['instance']}" in incident["recommendedAction"], incident
    breaker, = room.pawl("breakers", "--db", "air.db", "--json").exits(0).json()["breakers"]
    assert (breaker["service"], breaker["state"]) == ("airline", "open"), breaker

    assert service.ask("/mend", post=True) == {"up": True}
    done = room.pawl("retry", incident["instance"], "--until", "end", "--db", "air.db", *CONFIG).exits(0)
    book = [line for line in service.ask("/seen") if line["path"] == "/book"]
    assert [line["status"] for line in book] == [503, 503, 503, 503, 503, 200], book
    assert len({line["key"] for line in book}) == 1, book
    shown = room.pawl("show", incident["instance"], "--db", "air.db", "--json").exits(0).json()
    assert shown["status"] == "completed" and shown["output"] == {"booking": "b-1", "seats": 2, "price": None}, done.told()
    assert room.pawl("incidents", "--db", "air.db", "--json").exits(0).json()["incidents"] == []
    over, = room.pawl("incidents", "--db", "air.db", "--all", "--json").exits(0).json()["incidents"]
    assert (over["open"], over["resolution"]) == (False, "retried"), over


@case("without the configuration nothing is sent to this machine, and the incident says what to set")
def _(room):
    service = Service(room, "flaky.py")
    booking(room, service).exits(1)
    assert service.ask("/seen") == []
    incident, = room.pawl("incidents", "--db", "air.db", "--json").exits(0).json()["incidents"]
    assert (incident["class"], incident["attempts"]) == ("forbidden-address", 1), incident
    assert "EgressAllow" in json.dumps(incident), incident


@case("the order of the first minute goes through, with its example configuration")
def _(room):
    service = Service(room, "payments.py", "--ledger", "ledger", "--fail-first", "/charge:2")
    done = room.pawl("run", example("order.yaml"), *CONFIG, "--input",
                     json.dumps({"order": "o-1", "service": service.url, "items": [{"sku": "pen", "price": 3, "count": 2}]})).exits(0)
    assert (done.json()["status"], done.json()["amount"], done.json()["charge"]) == ("charged", 6, "c-1"), done.told()
    assert service.ask("/totals") == {"/reserve": 1, "/charge": 1, "/ship": 1, "/release": 0, "/refund": 0, "/cancel": 0}


@case("the events of an order reach a service that checks their signature, and a file; one that is refused is a dead letter")
def _(room):
    service = Service(room, "hooks.py", "--secret", "change-me")
    config = ("--config", example("events.conf"), "--set", f"Outbox:Sinks:hooks:Url={service.url}/events")
    served = serve(room, *config, db="events.db")
    with open(example("events.yaml"), encoding="utf-8") as file:
        served.deploy(file.read())
    served.start("examples/events", input={"order": "o-7", "total": 42})
    served.start("examples/events", input={"order": "o-8", "total": 4200})
    until(lambda: len(service.ask("/seen")) == 3, "three events that are taken")
    assert sorted(one["type"] for one in service.ask("/seen")) == ["com.example.order.placed"] + ["com.example.order.shipped"] * 2
    dead, = until(lambda: room.pawl("deadletter", "list", "--db", "events.db", "--json").exits(0).json()["letters"], "a dead letter")
    assert (dead["sink"], dead["type"], dead["error"]) == ("hooks", "com.example.order.placed", 'answered 422: {"title": "too much"}'), dead
    until(lambda: {one["name"]: one["pending"] for one in served.get("/v1/sinks").json["sinks"]} == {"archive": 0, "hooks": 0}, "an empty outbox")
    with open(f"{room.path}/events.ndjson", encoding="utf-8") as file:
        kept = [json.loads(line)["type"] for line in file]
    assert len(kept) == 8, kept  # two started, two placed, two shipped, two completed


@case("a trip of which all can be had is booked, and nothing is given back")
def _(room):
    service = Service(room, "travel.py")
    done = room.pawl("run", example("travel.yaml"), *CONFIG, "--db", "trips.db", "--id", "trip-1", "--input",
                     json.dumps({"trip": "Lisbon", "service": service.url})).exits(0)
    assert done.json() == {"flight": "flight-1", "hotel": "hotel-1", "car": "car-1"}, done.told()
    assert service.ask("/bookings") == {"flight-1": "booked", "hotel-1": "booked", "car-1": "booked"}
    trip, = room.pawl("ls", "--db", "trips.db", "--json").exits(0).json()["instances"]
    steps = room.pawl("compensate", "--plan", trip["id"], "--db", "trips.db", "--json").exits(0).json()["steps"]
    assert [step["task"] for step in steps] == ["/do/2/car", "/do/1/hotel", "/do/0/flight"], steps


if __name__ == "__main__":
    main()
