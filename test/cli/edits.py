#!/usr/bin/env python3
"""edits.py - `pawl edit`: data become other ones, or all of it stays as it was; and what is too large for any action."""
import json

from harness import case, main
from shop import DB, Shop


@case("edit changes data, by single values or a whole patch, and leaves the incident open")
def _(room):
    shop = Shop(room)
    identity = shop.order()
    assert shop.shown(identity)["data"] == {"context": {"note": "taken", "items": [1, 2]}, "input": {"n": 5}}, shop.shown(identity)
    room.pawl("edit", identity, "--set", "/input/n=8", "--set", "/context/items/1=20", "--set", "/context/items/-=3",
              "--set", '/context/by="a=b/c"', "--reason", "count again", "--actor", "ann", *DB).exits(0).says(f"{identity} faulted", "incident")
    data = {"context": {"note": "taken", "items": [1, 20, 3], "by": "a=b/c"}, "input": {"n": 8}}
    assert shop.shown(identity)["data"] == data and shop.incident(identity)["open"] is True, shop.shown(identity)
    room.file("patch.json", '[{"op": "test", "path": "/input/n", "value": 8}, {"op": "remove", "path": "/context/by"},'
              ' {"op": "replace", "path": "/context/note", "value": "edited"}]')
    room.pawl("edit", identity, "--patch", "@patch.json", *DB).exits(0)
    room.file("items.json", "[7]")
    room.pawl("edit", identity, "--set", "/context/items=@items.json", "--no-wait", *DB).exits(0)
    first, *_ = shop.entries(identity, "instance.edited")
    assert (first["by"], first["reason"], len(first["patch"])) == ("ann", "count again", 4), first
    shop.service.answer = 200
    room.pawl("retry", identity, *DB).exits(0)
    assert shop.shown(identity)["output"] == {"last": {"paid": {"done": True}}, "note": "edited", "items": [7]}, shop.shown(identity)
    assert shop.service.bodies == [{"n": 5}, {"n": 8}], shop.service.bodies


@case("what cannot be edited is refused, and all of it stays as it was")
def _(room):
    shop = Shop(room)
    identity = shop.order()
    shop.refused(identity, *((["edit", identity, "--patch", patch], why) for patch, why in (
                       ('[{"op": "remove", "path": "/context/none"}]', "/context/none"),
                       ('[{"op": "add", "path": "/context/ok", "value": 1}, {"op": "test", "path": "/input/n", "value": 6}]', "/input/n"),
                       ('[{"op": "add", "path": "/output", "value": 1}]', "output"), ('[{"op": "remove", "path": "/context"}]', "context"),
                       ('[{"op": "replace", "path": "/input/n", "value": "x"}]', "number"), ('[{"op": "put", "path": "/context"}]', "put"),
                       ('[{"path": "/context"}]', "op"), ("[1]", "object"), ('[{"op": "add", "path": "context", "value": 1}]', "context"))))


@case("what is too large is refused, by its size, and all of it stays as it was")
def _(room):
    shop = Shop(room)
    identity = shop.order()
    room.file("big.json", '"' + "x" * (16 << 20) + '"')
    room.file("many.json", json.dumps([{"op": "add", "path": "/context/n", "value": n} for n in range(10001)]))
    shop.refused(identity, (["retry", identity, "--input", "@big.json"], "at most 16777216"), (["edit", identity, "--set", "/context/n=@big.json"], "at most 16777216"),
                 (["edit", identity, "--patch", "@many.json"], "10000"), (["fail", identity, "--reason", "x" * 5000], "4096"))


if __name__ == "__main__":
    main()
