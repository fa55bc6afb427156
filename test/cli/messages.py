#!/usr/bin/env python3
"""messages.py - `pawl send`: what becomes of a message, in words, as JSON, and here or at the owner."""
import json
import os

from harness import case, main, until

HEAD = "document: {dsl: 1.0.3, namespace: shop, name: %s, version: 1.0.0}\ndo:\n"
PAID = HEAD % "paid" + ("  - hear: {listen: {to: {one: {with: {type: order.paid, subject: '${ $input.order }'}}}}}\n"
                        "  - sum: {set: {amount: '${ .[0].amount }'}}\n")
DB = "sqlite:shop.db"


def deployed(room):
    room.file("paid.yaml", PAID)
    room.pawl("deploy", "paid.yaml", "--db", DB).exits(0)


def started(room, order):
    done = room.pawl("start", "shop/paid", "--db", DB, "--input", json.dumps({"order": order})).exits(4)
    done.says("external-message at /do/0/hear", "one order.paid", "send with: pawl send order.paid --data '{}'")
    return done.out.split()[0]


@case("a message leads who listens on, and says so")
def _(room):
    deployed(room)
    iid = started(room, "o-1")
    room.pawl("send", "order.paid", "--subject", "o-1", "--data", '{"amount": 19.90}', "--id", "p-1", "--db",
              DB).exits(0).prints("order.paid p-1: delivered to 1 listener\n").silent()
    shown = room.pawl("show", iid, "--db", DB, "--json").exits(0).json()
    assert shown["status"] == "completed" and shown["output"] == {"amount": 19.90}, shown
    log = room.pawl("log", iid, "--db", DB).exits(0)
    log.says("message.consumed", '"id":"p-1"')


@case("a message that nobody wants is kept, and goes to who listens later")
def _(room):
    deployed(room)
    room.pawl("send", "order.paid", "--subject", "o-2", "--data", '{"amount": 1}', "--id", "p-2", "--ttl", "1h", "--db",
              DB).exits(0).says("order.paid p-2: kept until ", "nobody listens for it yet")
    done = room.pawl("start", "shop/paid", "--db", DB, "--input", '{"order": "o-2"}').exits(0)
    assert " completed" in done.out, done.told()


@case("the same source and id again is a duplicate without effect")
def _(room):
    deployed(room)
    words = ["send", "x.y", "--id", "1", "--source", "/shop", "--db", DB]
    room.pawl(*words).exits(0).says("kept until")
    room.pawl(*words).exits(0).says("a duplicate, without effect")
    told = room.pawl(*words, "--json").exits(0).json()
    assert [told["messages"][0][k] for k in ("number", "duplicate", "state", "deliveries")] == [1, True, "kept", 0], told


@case("a file holds whole messages, one or many")
def _(room):
    deployed(room)
    event = {"specversion": "1.0", "id": "a", "source": "/s", "type": "t", "data": [1]}
    room.file("one.json", json.dumps(event))
    room.file("many.json", json.dumps([event, {**event, "id": "b"}]))
    room.pawl("send", "--event", "@one.json", "--db", DB).exits(0).says("t a: kept until")
    room.pawl("send", "--event", "many.json", "--batch", "--db", DB).exits(0).says("t a: a duplicate", "t b: kept")
    room.pawl("send", "--event", "-", "--db", DB, send=json.dumps({**event, "id": "c"}).encode()).exits(0).says("t c: kept")
    room.pawl("send", "--event", "many.json", "--db", DB).exits(2).complains("give --batch")
    room.pawl("send", "--event", "one.json", "--batch", "--db", DB).exits(2).complains("must be an array")


@case("what is no message is refused, and nothing is stored")
def _(room):
    deployed(room)
    event = {"specversion": "1.0", "id": "a", "source": "/s", "type": "t"}
    room.file("bad.json", json.dumps([event, {**event, "id": "b", "time": "noon"}]))
    room.pawl("send", "--event", "bad.json", "--batch", "--db", DB).exits(2).complains("message 2 of 2", "'time'")
    room.file("good.json", json.dumps(event))
    told = room.pawl("send", "--event", "good.json", "--json", "--db", DB).exits(0).json()
    assert told["messages"][0]["number"] == 1, told
    room.pawl("send", "--db", DB).exits(2).complains("TYPE is missing")
    room.pawl("send", "t", "--event", "good.json", "--db", DB).exits(2).complains("one argument too many")
    room.pawl("send", "--event", "good.json", "--subject", "x", "--db", DB).exits(2).complains("--subject contradicts")
    room.pawl("send", "t", "--batch", "--db", DB).exits(2).complains("--batch needs --event")
    room.pawl("send", "t", "--ttl", "soon", "--db", DB).exits(2).complains("--ttl", "24h")
    room.pawl("send", "t", "--ttl", "0s", "--db", DB).exits(2).complains("--ttl")
    room.pawl("send", "t", "--data", "{", "--db", DB).exits(2).complains("--data")
    room.pawl("send", "t", "--attribute", "Shop", "1", "--db", DB).exits(2).complains("'Shop' is no name of an attribute")
    room.pawl("send", "t", "--attribute", "id", "1", "--db", DB).exits(2).complains("--attribute id is given twice")
    room.pawl("send", "t", "--source", "a b", "--db", DB).exits(2).complains("'source' is no URI reference")


@case("attributes are text, booleans or whole numbers, and filters see them")
def _(room):
    room.file("shop.yaml", HEAD % "shop" +
               "  - hear: {listen: {to: {one: {with: {type: t, shop: 7, test: true, town: Rome}}}, read: envelope}}\n")
    room.pawl("deploy", "shop.yaml", "--db", DB).exits(0)
    room.pawl("start", "shop/shop", "--db", DB).exits(4)
    words = ["send", "t", "--attribute", "shop", "7", "--attribute", "town", "Rome", "--db", DB]
    room.pawl(*words, "--attribute", "test", "false").exits(0).says("kept")
    room.pawl(*words, "--attribute", "test", "true").exits(0).says("delivered to 1 listener")


@case("a message goes to the owner of the store, who does the rest")
def _(room):
    deployed(room)
    room.file("both.yaml", HEAD % "both" + "  - hear: {listen: {to: {one: {with: {type: go}}}}, timeout: {after: PT50S}}\n")
    owner = room.start("run", "both.yaml", "--db", DB)
    until(lambda: os.path.exists(os.path.join(room.path, "shop.db-sock")), "the owner's socket")
    until(lambda: "waiting" in room.pawl("ls", "--db", DB).out, "the listening instance")
    room.pawl("send", "go", "--data", "5", "--db", DB).exits(0).says("delivered to 1 listener")
    done = room.finish(owner).exits(0)
    assert "5" in done.out, done.told()


if __name__ == "__main__":
    main()
