#!/usr/bin/env python3
"""rewind.py - an instance goes on from an earlier step, or another one begins there; what was done outside is named."""
import json

from harness import case, main, until
from openapi import Checked
from service import Service
from web import serve

DB = ("--db", "s.db")
ORDER = """
document: {dsl: 1.0.3, namespace: t, name: order, version: 1.0.0}
do:
  - price: {set: {price: '${ .n * 2 }'}}
  - charge: {call: http, with: {method: post, endpoint: 'URL/charge', body: {sum: '${ .price }'}}, output: {as: '$input'}}
  - ask: {call: userTask, with: {key: ask, title: Right?}}
  - ship: {call: http, with: {method: post, endpoint: 'URL/ship', body: {}}, output: {as: '${ {shipped: true} }'}}
"""


class Shop:
    """An order that waits at `ask`, behind one call."""

    def __init__(self, room):
        self.room, self.service = room, Service()
        room.file("order.yaml", ORDER.replace("URL", self.service.url))
        room.pawl("run", "order.yaml", "--input", '{"n": 5}', *DB).exits(4)
        (one,) = room.pawl("ls", *DB, "--json").exits(0).json()["instances"]
        self.id = one["id"]

    def shown(self, identity=None):
        return self.room.pawl("show", identity or self.id, *DB, "--json").exits(0).json()

    def visit(self, task):
        """The visit in which the task was begun first."""
        log = self.room.pawl("log", self.id, *DB, "--json").exits(0).out
        return next(entry["visit"] for line in log.splitlines() for entry in json.loads(line)["entries"] if entry.get("task") == task)


@case("before a visit with another input: what was done since is named, and what is done again has a new key")
def _(room):
    shop = Shop(room)
    visit = str(shop.visit("/do/1/charge"))
    before = shop.shown()
    dry = room.pawl("rewind", shop.id, "--visit", visit, "--input", '{"price": 7}', "--dry-run", *DB).exits(0)
    dry.says("nothing is done", "would call", f"  POST {shop.service.url}/charge at /do/1/charge", "would close", "user-action ask",
             "was done outside since, and would not be undone", "/charge")
    assert shop.shown() == before and shop.service.count == 1
    done = room.pawl("rewind", shop.id, "--visit", visit, "--input", '{"price": 7}', "--reason", "wrong price", "--actor", "ann", *DB).exits(4)
    done.says("was done outside since, and is not undone", "/charge", f"{shop.id} waiting")
    assert shop.service.bodies == [{"sum": 10}, {"sum": 7}] and len(set(shop.service.keys)) == 2, shop.service.bodies
    room.pawl("log", shop.id, *DB).exits(0).says("by=ann", "reason=wrong price", f"/do/1/charge  visit={visit} ")
    room.pawl("complete", shop.id, shop.shown()["waits"][0]["key"], "--data", "{}", "--until", "end", *DB).exits(0)
    assert shop.shown()["output"] == {"shipped": True}
    kinds = [(effect["kind"], effect["state"], effect["task"]) for effect in room.pawl("effects", shop.id, *DB, "--json").exits(0).json()["effects"]]
    assert [kind for kind in kinds if kind[0] == "call"] == [("call", "done", "/do/1/charge")] * 2 + [("call", "done", "/do/3/ship")], kinds


@case("an instance that has ended goes on from a step, and its effects are listed in pages")
def _(room):
    shop = Shop(room)
    room.pawl("complete", shop.id, "ask", "--data", "{}", "--until", "end", *DB).exits(0)
    room.pawl("rewind", shop.id, "--step", "2", "--json", *DB).exits(4)
    assert shop.shown()["status"] == "waiting" and shop.service.paths == ["/charge", "/ship"], shop.service.paths
    table = room.pawl("effects", shop.id, *DB).exits(0).out
    assert table.splitlines()[0].split() == ["STEP", "AT", "KIND", "STATE", "TASK", "WHAT"] and "/do/3/ship" in table, table
    first = room.pawl("effects", shop.id, "--limit", "1", *DB).exits(0)
    first.complains(f"there are more: pawl effects {shop.id} --behind ")
    behind = first.err.split("--behind ")[1].split()[0]
    assert "/do/3/ship" in room.pawl("effects", shop.id, "--behind", behind, *DB).exits(0).out
    room.pawl("effects", shop.id, "--behind", "99", *DB).exits(0).prints("").complains("pawl effects: none")


@case("a step or a visit that is not there is refused, and nothing is changed")
def _(room):
    shop = Shop(room)
    for words in (["rewind", "--step", "1"], ["fork", "--step", "1"], ["fork", "--step", "1", "--dry-run"], ["effects"]):
        room.pawl(*words, "0" * 26, *DB).exits(2).prints("").complains(f"pawl {words[0]}: ", "0" * 26)
    before = shop.shown()
    for place in (["--step", "99"], ["--visit", "99"]):
        for words in (["rewind"], ["fork"], ["rewind", "--dry-run"], ["fork", "--dry-run"]):
            room.pawl(*words, shop.id, *place, *DB).exits(2).complains("99")
    assert shop.shown() == before and len(room.pawl("ls", *DB, "--json").json()["instances"]) == 1


@case("a fork is a new instance that begins there; the other stays as it is")
def _(room):
    shop = Shop(room)
    before = shop.shown()
    room.pawl("fork", shop.id, "--step", "2", "--dry-run", *DB).exits(0).says("nothing is done")
    made = room.pawl("fork", shop.id, "--step", "2", "--key", "again", "--label", "of=it", "--json", *DB).exits(4).json()
    assert made["id"] != shop.id and made["from"] == shop.id and made["step"] == 2, made
    assert (made["key"], made["labels"], made["status"]) == ("again", {"of": "it"}, "waiting"), made
    assert shop.shown() == before and shop.service.count == 1
    room.pawl("complete", made["id"], made["waits"][0]["key"], "--data", "{}", "--until", "end", *DB).exits(0)
    assert shop.shown()["status"] == "waiting" and shop.shown(made["id"])["output"] == {"shipped": True}


@case("over HTTP it is the same, as the document says, with keys that make a repetition harmless")
def _(room):
    shop = Shop(room)
    web = serve(room, db="s.db")
    c = Checked(web)
    effects = c.call("listEffects", 200, query="?limit=1", id=shop.id).json["effects"]
    assert [(effect["kind"], effect["task"]) for effect in effects] == [("call", "/do/1/charge")], effects
    c.call("listEffects", 400, query="?behind=x", id=shop.id)
    visit = shop.visit("/do/1/charge")
    dry = c.call("rewind", 200, {"visit": visit, "dryRun": True}, id=shop.id).json
    assert dry["dryRun"] is True and [one["task"] for one in dry["done"]] == ["/do/1/charge"], dry
    assert shop.shown()["token"] == dry["token"]
    dry = c.call("fork", 200, {"visit": visit, "dryRun": True}, id=shop.id).json
    assert dry["dryRun"] is True, dry
    c.call("fork", 412, {"step": 2}, headers={"If-Match": '"99"'}, id=shop.id).problem(412, "stale-token")
    made = c.call("fork", 201, {"step": 2, "key": "k", "reason": "try it"}, headers={"Idempotency-Key": "f"}, id=shop.id)
    one = made.json["id"]
    assert made.headers["Location"] == "/v1/instances/" + one and made.json["from"] == shop.id, made.told()
    again = c.call("fork", 201, {"step": 2, "key": "k", "reason": "try it"}, headers={"Idempotency-Key": "f"}, id=shop.id)
    assert again.json["id"] == one and len(web.get("/v1/instances").json["instances"]) == 2
    assert c.call("fork", 201, {"step": 2, "key": "k"}, id=shop.id).json["id"] == one
    c.call("fork", 409, {"step": 1, "key": "k"}, id=shop.id).problem(409, "business-key-used")
    c.call("rewind", 412, body := {"visit": visit, "input": {"price": 1}}, headers={"If-Match": '"99"'}, id=shop.id)
    c.call("rewind", 404, {"visit": 99}, id=shop.id)
    first = c.call("rewind", 200, body, headers={"Idempotency-Key": "r"}, id=shop.id).json
    assert [effect["task"] for effect in first["done"]] == ["/do/1/charge"], first
    until(lambda: shop.service.count == 2, "the call")
    assert c.call("rewind", 200, body, headers={"Idempotency-Key": "r"}, id=shop.id).json["token"] == first["token"]
    key = until(lambda: c.call("getInstance", 200, id=shop.id).json["waits"][0].get("key"), "the question")
    assert shop.service.bodies == [{"sum": 10}, {"sum": 1}], shop.service.bodies
    shop.service.answers["/ship"] = 500
    web.post(f"/v1/instances/{shop.id}/bookmarks/{key}/resume", {"data": {}}).gives(200)
    incident = until(lambda: web.get("/v1/incidents").json["incidents"], "an incident")[0]["id"]
    c.call("rewindIncident", 200, {"visit": visit, "dryRun": True}, id=incident)
    ship = [effect for effect in c.call("listEffects", 200, id=shop.id).json["effects"] if effect["task"] == "/do/3/ship"]
    assert [effect["state"] for effect in ship] == ["failed"], ship
    told = c.call("rewindIncident", 200, {"visit": visit, "reason": "once more"}, id=incident).json
    assert "/do/3/ship" in [effect["task"] for effect in told["done"]], told
    c.call("rewindIncident", 409, {"visit": visit}, id=incident).problem(409, "no-incident")
    assert c.call("getIncident", 200, id=incident).json["resolution"] == "rewound"


if __name__ == "__main__":
    main()
