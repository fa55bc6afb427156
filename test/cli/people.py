#!/usr/bin/env python3
"""people.py - tasks of people by the command: the inbox, claims, delegation, comments, answers; and bookmarks."""
import json
import threading

from harness import case, main
from web import serve

ASK = """document: {dsl: 1.0.3, namespace: shop, name: ask, version: 1.0.0}
do:
  - ask:
      call: userTask
      with:
        key: approve
        title: '${ "Order \\(.n)" }'
        candidates: {groups: [sales], users: [boss]}
        priority: '${ .priority // 0 }'
        form:
          schema: {type: object, required: [approved], properties: {approved: {type: boolean}}}
"""
OWN = """document: {dsl: 1.0.3, namespace: shop, name: own, version: 1.0.0}
do:
  - ask:
      call: userTask
      with: {key: mine, title: Yours alone, assignedTo: ada}
"""
HEAR = """document: {dsl: 1.0.3, namespace: shop, name: hear, version: 1.0.0}
do:
  - hear: {listen: {to: {one: {with: {type: paid}}}}}
"""
DB = ("--db", "s.db")


def url(server):
    return f"http://{server.host}:{server.port}"


def deployed(room, where=DB):
    for name, text in (("ask", ASK), ("own", OWN), ("hear", HEAR)):
        room.file(f"{name}.yaml", text)
        room.pawl("deploy", f"{name}.yaml", *where).exits(0)


def start(room, name, where=DB, **data):
    return room.pawl("start", f"shop/{name}", "--input", json.dumps(data), "--no-wait", "--json", *where).exits(0).json()["id"]


def inbox(room, *words, where=DB):
    return [(task["instance"], task["key"]) for task in room.pawl("tasks", *words, "--json", *where).exits(0).json()["bookmarks"]]


@case("tasks lists what a person may do, the most urgent first")
def _(room):
    deployed(room)
    low, high = start(room, "ask", n=1), start(room, "ask", n=2, priority=9)
    own = start(room, "own")
    assert inbox(room, "--person", "ada", "--group", "sales") == [(high, "approve"), (low, "approve"), (own, "mine")]
    assert inbox(room, "--person", "ada") == [(own, "mine")]
    assert inbox(room, "--person", "boss") == [(high, "approve"), (low, "approve")]
    assert inbox(room, "--person", "eve", "--group", "kitchen") == []
    assert sorted(inbox(room, "--all")) == sorted([(high, "approve"), (low, "approve"), (own, "mine")])
    assert inbox(room, "--person", "boss", "--instance", low) == [(low, "approve")]
    lines = room.pawl("tasks", "--person", "boss", *DB).exits(0).out.splitlines()
    assert lines[0].split() == ["INSTANCE", "KEY", "TITLE", "PRIORITY", "DUE", "ASSIGNED", "WORKFLOW"], lines
    assert lines[1].split() == [high, "approve", "Order", "2", "9", "-", "-", "shop/ask"], lines
    done = room.pawl("tasks", "--person", "boss", "--limit", "1", *DB).exits(0).complains("there are more: pawl tasks --after")
    assert len(done.out.splitlines()) == 2, done.told()
    room.pawl("tasks", "--person", "nobody", *DB).exits(0).prints("").complains("none")
    room.pawl("tasks", "--all", "--person", "ada", *DB).exits(2).complains("contradicts")


@case("complete answers a task, and the same answer again is harmless")
def _(room):
    deployed(room)
    one, two = start(room, "ask", n=1), start(room, "ask", n=2)
    room.pawl("complete", one, "approve", "--data", '{"approved": true}', "--actor", "boss", *DB).exits(0).prints(f"{one} approve is completed\n")
    room.pawl("complete", one, "approve", "--data", '{"approved": true}', "--actor", "boss", *DB).exits(0).says("was completed before, with the same data")
    room.pawl("complete", one, "approve", "--data", '{"approved": false}', *DB).exits(2).complains("answered")
    done = room.pawl("complete", two, "approve", "--data", '{"approved": false}', "--actor", "boss", "--until", "end", *DB).exits(0)
    done.says(f"{two} completed", '"approved": false', '"completedBy": "boss"')
    room.pawl("complete", two, "nosuch", *DB).exits(2)
    room.pawl("complete", "nosuch", "approve", *DB).exits(2).complains("no instance")
    room.pawl("complete", one, *DB).exits(2).complains("ID KEY is missing")


@case("data that does not fit the form is refused, and the task stays")
def _(room):
    deployed(room)
    one = start(room, "ask", n=1)
    room.pawl("complete", one, "approve", "--data", '{"approved": "perhaps"}', *DB).exits(2).complains("approved")
    room.pawl("complete", one, "approve", *DB).exits(2)
    room.pawl("complete", one, "approve", "--data", '{"approved": true}', *DB).exits(0)


@case("claim, release, delegate and comment: who has a task, and what the log says of it")
def _(room):
    deployed(room)
    one = start(room, "ask", n=1)
    room.pawl("claim", one, "approve", "--actor", "ada", *DB).exits(0).prints(f"{one} approve is claimed by ada\n")
    done = room.pawl("claim", one, "approve", "--actor", "ada", "--lease", "2h", *DB).exits(0)
    assert done.out.startswith(f"{one} approve is claimed by ada until 2"), done.told()
    assert "ada (claimed)" in room.pawl("tasks", "--all", *DB).exits(0).out
    room.pawl("claim", one, "approve", "--actor", "bob", *DB).exits(2).complains("ada")
    room.pawl("comment", one, "approve", "--text", "asked for the invoice", "--actor", "ada", *DB).exits(0).prints(f"{one} approve has a comment more\n")
    room.pawl("release", one, "approve", "--actor", "ada", *DB).exits(0).prints(f"{one} approve is released\n")
    room.pawl("delegate", one, "approve", "--to", "bob", "--actor", "ada", *DB).exits(0).prints(f"{one} approve is assigned to bob\n")
    assert inbox(room, "--person", "bob") == [(one, "approve")] and inbox(room, "--person", "ada", "--group", "sales") == []
    log = [entry for line in room.pawl("log", one, "--json", *DB).exits(0).out.splitlines() for entry in json.loads(line)["entries"]]
    types = [entry["type"] for entry in log if entry["type"].startswith("bookmark.")]
    assert types == ["bookmark.claimed", "bookmark.claimed", "bookmark.commented", "bookmark.released", "bookmark.delegated"], log
    assert [e["text"] for e in log if e["type"] == "bookmark.commented"] == ["asked for the invoice"], log
    room.pawl("delegate", one, "approve", *DB).exits(2).complains("--to NAME is missing")
    room.pawl("comment", one, "approve", *DB).exits(2).complains("--text TEXT is missing")


@case("over a server a person sees and does what is its own, and no more")
def _(room):
    server = serve(room, "--auth", db="s.db")
    secret = {name: room.pawl("token", "create", name, "--role", "worker@shop" if name == "will" else "viewer@shop", *groups, *DB).exits(0).out.strip() for name, groups in (
        ("ada", ("--group", "sales")), ("bob", ("--group", "sales")), ("eve", ()), ("will", ()))}
    deployed(room)
    one, own = start(room, "ask", n=1), start(room, "own")

    def where(name):
        return ("--server", url(server), "--token", secret[name])

    assert inbox(room, where=where("ada")) == [(one, "approve"), (own, "mine")] or inbox(room, where=where("ada")) == [(own, "mine"), (one, "approve")]
    assert inbox(room, where=where("bob")) == [(one, "approve")] and inbox(room, where=where("eve")) == []
    room.pawl("complete", own, "mine", *where("eve")).exits(2).complains("ada")
    room.pawl("claim", one, "approve", *where("eve")).exits(2)
    room.pawl("claim", one, "approve", *where("ada")).exits(0).says("claimed by ada")
    room.pawl("complete", one, "approve", "--data", '{"approved": true}', *where("bob")).exits(2).complains("ada")
    room.pawl("release", one, "approve", *where("bob")).exits(2)
    room.pawl("complete", one, "approve", "--data", '{"approved": true}', *where("ada")).exits(0).prints(f"{one} approve is completed\n")
    output = room.pawl("show", one, "--json", *DB).exits(0).json()["output"]
    assert output["approved"] is True and output["completedBy"] == "ada", output
    room.pawl("tasks", "--person", "ada", *where("will")).exits(2).complains("needs the role viewer")
    room.pawl("tasks", "--group", "sales", *where("eve")).exits(2).complains("--group")


@case("of two answers at once one wins, and the other hears of it")
def _(room):
    server = serve(room, db="s.db")
    deployed(room, ("--server", url(server)))
    for _ in range(5):
        one = start(room, "ask", ("--server", url(server)), n=1)
        done = [None, None]

        def answer(i):
            done[i] = room.pawl("complete", one, "approve", "--data", json.dumps({"approved": i == 0}), "--server", url(server))

        threads = [threading.Thread(target=answer, args=(i,)) for i in (0, 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(d.code for d in done) == [0, 2], [d.told() for d in done]
        winner = 0 if done[0].code == 0 else 1
        output = room.pawl("show", one, "--json", "--server", url(server)).json()["output"]
        assert output["approved"] is (winner == 0), output


@case("a token that is over refuses an answer, and an idempotency key repeats the first")
def _(room):
    deployed(room)
    one = start(room, "ask", n=1)
    answer = ["complete", one, "approve", "--data", '{"approved": true}', *DB]
    room.pawl(*answer, "--if-token", "77").exits(2).complains("not 77")
    first = room.pawl(*answer, "--idempotency-key", "k", "--json").exits(0).json()
    assert room.pawl(*answer, "--idempotency-key", "k", "--json").exits(0).json()["token"] == first["token"]


@case("bookmarks lists what instances wait for, by kind")
def _(room):
    deployed(room)
    one, own, hear = start(room, "ask", n=1), start(room, "own"), start(room, "hear")
    room.pawl("continue", hear, *DB).exits(4)

    def found(*words):
        return sorted((b["instance"], b["kind"]) for b in room.pawl("bookmarks", *words, "--json", *DB).exits(0).json()["bookmarks"])

    assert found() == sorted([(one, "user-action"), (own, "user-action"), (hear, "external-message")])
    assert found("--kind", "external-message") == [(hear, "external-message")]
    assert found("--name", "shop/own") == [(own, "user-action")]
    assert found("--namespace", "bank") == []
    lines = room.pawl("bookmarks", *DB).exits(0).out.splitlines()
    assert lines[0].split() == ["INSTANCE", "KEY", "KIND", "TASK", "DUE", "CREATED", "WORKFLOW"] and len(lines) == 4, lines
    room.pawl("bookmarks", "--kind", "dream", *DB).exits(2).complains("dream")


if __name__ == "__main__":
    main()
