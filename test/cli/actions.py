#!/usr/bin/env python3
"""actions.py - what an operator does about an incident: the commands, on a store of their own; each once for real and once dry; what
is not there, what is in doubt, ctrl-C. Edits are in edits.py, arguments in action_arguments.py."""
import signal

from harness import case, main, until
from shop import DB, Shop
from web import serve

NONE = "0" * 26


@case("retry with another input sends that, and keeps to the schema of the task")
def _(room):
    shop = Shop(room)
    identity = shop.order()
    shop.refused(identity, (["retry", identity, "--input", '{"n": "five"}'], "/n"))
    shop.service.answer = 200
    done = room.pawl("retry", identity, "--input", '{"n": 7}', "--reason", "a typing error", "--actor", "ann", *DB).exits(0)
    done.says(f"{identity} completed", '"note": "taken"')
    assert shop.service.bodies == [{"n": 5}, {"n": 7}], shop.service.bodies
    (entry,) = shop.entries(identity, "instance.retried")
    assert (entry["by"], entry["reason"], entry["input"]) == ("ann", "a typing error", {"n": 7}), entry
    assert shop.incident(identity)["resolution"] == "retried"


@case("skip goes on with the output that is given, or as a false `if` does")
def _(room):
    shop = Shop(room)
    for words, last in ((("--output", '{"receipt": "R-1"}'), {"paid": {"receipt": "R-1"}}), ((), {"n": 5})):
        identity = shop.order(name=f"order{len(words)}")
        shop.refused(identity, (["skip", identity, "--output", "17"], "/paid"))
        room.pawl("skip", identity, *words, "--actor", "ann", "--reason", "in cash", *DB).exits(0).says(f"{identity} completed")
        assert shop.shown(identity)["output"]["last"] == last, shop.shown(identity)
        (entry,) = shop.entries(identity, "instance.skipped")
        assert (entry["by"], entry["reason"], entry.get("output")) == ("ann", "in cash", {"receipt": "R-1"} if words else None), entry
        assert shop.incident(identity)["resolution"] == "skipped"
    assert shop.service.count == 2


@case("goto goes on at another task, with its own input or that of what has failed")
def _(room):
    shop = Shop(room)
    for words, by_hand in (((), {"n": 5}), (("--input", '"by telephone"'), "by telephone")):
        identity = shop.order(name=f"order{len(words)}")
        shop.refused(identity, *((["goto", identity, bad], why) for bad, why in (
            ("/do/9/no", "/do/9/no"), ("do", "do"), ("", "task"), ("/do/1/charge/with", "/do/1/charge/with"))))
        room.pawl("goto", identity, "/do/3/hand", *words, "--actor", "ann", "--reason", "it is down", *DB).exits(0)
        assert shop.shown(identity)["output"] == {"byHand": by_hand}, shop.shown(identity)
        (entry,) = shop.entries(identity, "instance.moved")
        assert (entry["by"], entry["reason"], entry["from"], entry["to"]) == ("ann", "it is down", "/do/1/charge", "/do/3/hand"), entry
        assert shop.incident(identity)["resolution"] == "moved"
    assert shop.service.count == 2


@case("a dry run changes nothing, and says what would be: the difference, what is called, opened and closed")
def _(room):
    shop = Shop(room)
    identity = shop.order()
    retry, edit, goto, skip, fail, cancel, refused = shop.unmoved(
        identity, ["retry", identity, "--input", '{"n": 7}', "--dry-run"],
        ["edit", identity, "--set", "/context/note=1", "--set", "/context/more=[2]", "--dry-run"],
        ["goto", identity, "/do/3/hand", "--dry-run"], ["skip", identity, "--dry-run", "--json"],
        ["fail", identity, "--dry-run"], ["cancel", identity, "--dry-run"], ["skip", identity, "--output", "17", "--dry-run"])
    retry.exits(0).says(f"{identity} would be waiting; nothing is done",
                        '- /status "faulted"\n+ /status "waiting"\n- /incident true\n+ /incident false\n- /data/input {"n":5}\n',
                        "would call", f"  POST {shop.service.url}/charge at /do/1/charge")
    edit.exits(0).says('- /data/context/note "taken"\n+ /data/context/note 1\n', "+ /data/context/more [2]\n")
    goto.exits(0).says(f"{identity} would be completed", '+ /status "completed"')
    told = skip.exits(0).json()
    assert (told["id"], told["dryRun"], told["status"], told["token"]) == (identity, True, "completed", shop.shown(identity)["token"]), told
    assert {"op": "replace", "path": "/status", "value": "completed"} in told["diff"], told
    assert [entry["type"] for entry in told["entries"]][0] == "instance.skipped", told
    fail.exits(0).says(f"{identity} would be faulted; nothing is done")
    cancel.exits(0).says(f"{identity} would be cancelled; nothing is done")
    refused.exits(2).complains("/paid")


@case("a call that may have had its effect is left behind, or asked for otherwise, only by who says that he knows")
def _(room):
    shop = Shop(room)
    shop.service.answer = "drop"
    identity = shop.order()
    shop.refused(identity, *((words + dry, "--confirm") for dry in ([], ["--dry-run"]) for words in (
        ["skip", identity], ["goto", identity, "/do/3/hand"], ["retry", identity, "--input", '{"n": 6}'])))
    room.pawl("skip", identity, "--confirm", "--dry-run", *DB).exits(0)
    shop.service.answer = 200
    room.pawl("retry", identity, "--input", '{"n": 6}', "--confirm", *DB).exits(0).says("completed")
    assert shop.service.bodies == [{"n": 5}, {"n": 6}] and len(set(shop.service.keys)) == 2, shop.service.keys
    shop.service.answer = "drop"
    identity = shop.order(name="other")
    shop.service.answer = 200
    room.pawl("retry", identity, *DB).exits(0).says("completed")
    assert len(set(shop.service.keys[-2:])) == 1, shop.service.keys


@case("show and incident name what can be done, with words that can be typed")
def _(room):
    shop = Shop(room)
    identity = shop.order()
    one = shop.incident(identity)["id"]
    for command in ("show", "incident"):
        text = room.pawl(command, identity, *DB).exits(0).out
        ways = text.split("what can be done\n")[1].split("\n\n")[0].splitlines()
        assert [line.split()[1] for line in ways] == ["retry", "skip", "goto", "edit", "fail", "cancel"], text
        assert all(f" {one} " in line and " --db s.db  # " in line for line in ways), text
    room.pawl("show", identity, *DB).exits(0).says('\ndata\n{\n  "context": {\n    "note": "taken"')
    room.pawl("fail", identity, *DB).exits(0)
    for command in ("show", "incident"):
        assert "what can be done" not in room.pawl(command, identity, *DB).exits(0).out


@case("what is no such instance or incident, or has none, is told as that, by every command")
def _(room):
    shop = Shop(room)
    identity = shop.order()
    one = shop.incident(identity)["id"]
    actions = [["retry"], ["skip"], ["goto", "/do/3/hand"], ["edit", "--set", "/context/note=1"], ["fail"]]
    for word, *more in actions + [["compensate"], ["compensate", "--plan"]]:
        room.pawl(word, NONE, *more, *DB).exits(2).prints("").complains(f"pawl {word}: ", NONE)
    room.pawl("skip", "x", *DB).exits(2).complains("'x'")
    room.pawl("skip", identity, "--db", "none.db").exits(3).complains("none.db")
    shop.service.answer = 200
    room.pawl("retry", one, *DB).exits(0)
    shop.refused(identity, *(([word, identity, *more], f"pawl {word}: ") for word, *more in actions),
                 *(([word, one, *more], "is over") for word, *more in actions))


@case("ctrl-C ends the waiting and nothing else: what was asked for is committed, and goes on")
def _(room):
    shop = Shop(room)
    for words in (["retry"], ["goto", "/do/1/charge"]):
        identity = shop.order(name=words[0])
        shop.service.answer, count = "hang", shop.service.count
        process = room.start(words[0], identity, *words[1:], "--until", "end", *DB)
        until(lambda c=count: shop.service.count > c, "a request")
        process.send_signal(signal.SIGINT)
        done = room.finish(process).exits(130)
        done.complains("it is committed; what is left to do is done when the store is opened next")
        assert shop.incident(identity)["open"] is False
        shop.service.let_go()
        room.pawl("continue", identity, "--until", "end", *DB).exits(0).says("completed")
        shop.service.gate.clear()
        shop.service.answer = 500


@case("beside its owner, and over a server, each does the same; the token of a change is looked at")
def _(room):
    shop = Shop(room)
    identities = {}
    for word in ("skip", "goto", "edit"):
        identities[word] = shop.order(name=word)
    server = serve(room, db="s.db")
    where = ("--server", f"http://127.0.0.1:{server.port}")
    for way in (DB, where):
        done = room.pawl("edit", identities["edit"], "--set", "/context/note=\"x\"", "--if-token", "99", *way).exits(2)
        assert "99" in done.err, done.told()
        room.pawl("retry", identities["edit"], "--dry-run", *way).exits(0).says("would call")
    room.pawl("edit", identities["edit"], "--set", "/context/note=2", *where).exits(0)
    room.pawl("edit", identities["edit"], "--set", "/input/n=3", "--idempotency-key", "k", *DB).exits(0)
    room.pawl("edit", identities["edit"], "--set", "/input/n=3", "--idempotency-key", "k", *DB).exits(0)
    room.pawl("edit", identities["edit"], "--set", "/input/n=4", "--idempotency-key", "k", *DB).exits(2).complains("another request")
    assert shop.shown(identities["edit"])["data"] == {"context": {"note": 2, "items": [1, 2]}, "input": {"n": 3}}
    room.pawl("skip", identities["skip"], *where).exits(0).says("completed")
    room.pawl("goto", identities["goto"], "/do/3/hand", *where).exits(0).says("completed")
    room.pawl("goto", identities["goto"], "/do/3/hand", "--actor", "ann", *where).exits(2).complains("--actor")
    assert server.stop().code == 0


if __name__ == "__main__":
    main()
