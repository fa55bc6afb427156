#!/usr/bin/env python3
"""examples.py - the examples that call a service, as their files say that they are run."""
import json
import os
import urllib.request

from harness import ROOT, Room, case, main, until

Room.settings = {}  # as a user has it: the examples bring their own
CONFIG = ("--config", os.path.join(ROOT, "examples", "pawl.conf"))


def example(name):
    return os.path.join(ROOT, "examples", name)


class Service:
    def __init__(self, room, program, *options):
        room.start(example(program), "--port-file", "port", *options, program="python3")
        port = os.path.join(room.path, "port")
        until(lambda: os.path.exists(port), f"the port of {program}")
        with open(port, encoding="utf-8") as file:
            self.url = f"http://127.0.0.1:{file.read().strip()}"

    def ask(self, path, post=False):
        with urllib.request.urlopen(urllib.request.Request(self.url + path, data=b"" if post else None), timeout=60) as answer:
            return json.load(answer)


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


if __name__ == "__main__":
    main()
