#!/usr/bin/env python3
"""tokens.py - `pawl token`: who a server knows, what each role may do by the command, and what is said to the others."""
import json
import os
import sqlite3

from harness import case, main
from web import serve

ASK = """document: {dsl: 1.0.3, namespace: shop, name: ask, version: 1.0.0}
do:
  - ask:
      call: userTask
      with: {key: answer, title: well?}
"""
HELLO = """document: {dsl: 1.0.3, namespace: shop, name: hello, version: 1.0.0}
do:
  - greet: {set: {n: 1}}
"""


def url(server):
    return f"http://{server.host}:{server.port}"


def token(room, name, *roles, more=()):
    words = [word for role in roles for word in ("--role", role)]
    return room.pawl("token", "create", name, *words, *more, "--db", "pawl.db").exits(0).out.strip()


@case("a token is printed once, alone, and the store keeps a hash of it")
def _(room):
    done = room.pawl("token", "create", "ada", "--role", "operator@shop", "--role", "viewer", "--group", "sales", "--group", "staff",
                     "--expires", "90d", "--note", "her laptop", "--db", "s.db", "--actor", "root").exits(0)
    secret = done.out.strip()
    assert done.out == secret + "\n" and secret.startswith("pawl_") and len(secret) == 48, done.told()
    assert "shown once" in done.err and "ada" in done.err and secret not in done.err, done.told()
    made, = room.pawl("token", "list", "--json", "--db", "s.db").exits(0).json()["tokens"]
    assert made["name"] == "ada" and made["groups"] == ["sales", "staff"] and made["note"] == "her laptop", made
    assert made["roles"] == [{"role": "operator", "namespace": "shop"}, {"role": "viewer", "namespace": "*"}], made
    assert made["createdBy"] == "root" and made["expiresAt"] > made["createdAt"] and "revokedAt" not in made, made
    lines = room.pawl("token", "list", "--db", "s.db").exits(0).out.splitlines()
    assert lines[0].split() == ["ID", "NAME", "ROLES", "GROUPS", "CREATED", "VALID", "NOTE"], lines
    assert made["id"] in lines[1] and "operator@shop, viewer" in lines[1] and "sales, staff" in lines[1] and "until 2" in lines[1], lines
    for name in os.listdir(room.path):
        if name.startswith("s.db"):
            with open(os.path.join(room.path, name), "rb") as file:
                assert secret.encode() not in file.read(), name
    with sqlite3.connect(os.path.join(room.path, "s.db")) as store:
        assert store.execute("SELECT count(*) FROM principal").fetchone() == (1,)


@case("a revoked token is refused at once, and one that is over too")
def _(room):
    server = serve(room, "--auth")
    good, short = token(room, "ada", "viewer"), token(room, "bob", "viewer", more=("--expires", "50ms"))
    room.pawl("ls", "--server", url(server), "--token", good).exits(0)
    identity = [t for t in room.pawl("token", "list", "--json", "--db", "pawl.db").json()["tokens"] if t["name"] == "ada"][0]["id"]
    room.pawl("token", "revoke", identity, "--db", "pawl.db").exits(0).prints(f"{identity} is revoked\n")
    room.pawl("token", "revoke", identity, "--db", "pawl.db").exits(0)
    room.pawl("ls", "--server", url(server), "--token", good).exits(2).complains("does not take this token", "pawl token create")
    room.pawl("ls", "--server", url(server), "--token", short).exits(2).complains("does not take this token")
    room.pawl("ls", "--server", url(server)).exits(2).complains("who you are", "--token-file")
    room.pawl("ls", "--server", url(server), "--token", "pawl_" + "x" * 43).exits(2).complains("does not take this token")
    assert "revoked 2" in room.pawl("token", "list", "--db", "pawl.db").exits(0).out
    room.pawl("token", "revoke", "nosuch", "--db", "pawl.db").exits(2)


@case("each role may do by the command what it says, and the actor is the token's name")
def _(room):
    server = serve(room, "--auth")
    room.file("ask.yaml", ASK)
    secrets = {name: token(room, name, role) for name, role in (
        ("vera", "viewer"), ("stan", "starter"), ("olga", "operator"), ("adam", "admin"), ("wilma", "worker"))}

    def by(name, *words):
        room.file(name + ".token", secrets[name] + "\n")
        return room.pawl(*words, "--server", url(server), "--token-file", name + ".token")

    for name in ("vera", "stan", "wilma"):
        by(name, "deploy", "ask.yaml").exits(2).complains("role")
    by("olga", "deploy", "ask.yaml").exits(0)
    for name in ("vera", "wilma"):
        by(name, "start", "shop/ask").exits(2).complains("role")
    identity = by("stan", "start", "shop/ask", "--no-wait", "--json").exits(0).json()["id"]
    for name in ("vera", "stan", "olga", "adam"):
        assert by(name, "show", identity, "--json").exits(0).json()["id"] == identity
    for name in ("vera", "stan", "wilma"):
        by(name, "suspend", identity).exits(2).complains("role")
    by("olga", "suspend", identity).exits(0)
    by("olga", "continue", identity).exits(4)
    by("olga", "cancel", identity).exits(0)
    by("olga", "delete", identity).exits(2).complains("role")
    by("olga", "token", "list").exits(2).complains("role")
    assert len(by("adam", "token", "list", "--json").exits(0).json()["tokens"]) == 5
    log = [json.loads(line) for line in by("vera", "log", identity, "--json").exits(0).out.splitlines()]
    assert [step["actor"] for step in log] == ["stan", "olga", "olga", "olga"], log
    made = by("adam", "token", "create", "eve", "--role", "viewer", "--json").exits(0).json()
    assert made["token"].startswith("pawl_") and made["createdBy"] == "adam", made
    by("adam", "delete", identity).exits(0)


@case("a role in one namespace is none in another")
def _(room):
    server = serve(room, "--auth")
    room.file("ask.yaml", ASK)
    room.file("other.yaml", ASK.replace("namespace: shop", "namespace: bank"))
    admin, operator = token(room, "adam", "admin"), token(room, "olga", "operator@shop")
    to = ("--server", url(server), "--token")
    room.pawl("deploy", "other.yaml", *to, admin).exits(0)
    room.pawl("deploy", "ask.yaml", *to, operator).exits(0)
    room.pawl("deploy", "other.yaml", *to, operator).exits(2)
    theirs = room.pawl("start", "bank/ask", "--no-wait", "--json", *to, admin).exits(0).json()["id"]
    room.pawl("start", "bank/ask", *to, operator).exits(2)
    ours = room.pawl("start", "shop/ask", "--no-wait", "--json", *to, operator).exits(0).json()["id"]
    assert [i["id"] for i in room.pawl("ls", "--json", *to, operator).json()["instances"]] == [ours]
    assert room.pawl("ls", "--count", "--json", *to, operator).json()["total"] == 1
    room.pawl("show", theirs, *to, operator).exits(2).complains("no instance")
    room.pawl("cancel", theirs, *to, operator).exits(2).complains("no instance")


@case("words that are wrong are bad usage")
def _(room):
    for words, says in ((["create"], "NAME is missing"), (["create", "ada"], "--role is missing"), (["create", "ada", "--role", "@x"], "ROLE@NAMESPACE"),
                        (["create", "ada", "--role", "viewer@"], "ROLE@NAMESPACE"), (["revoke"], "ID is missing"),
                        (["list", "x"], "one argument too many"), (["make", "x"], "create, list or revoke"),
                        (["list", "--role", "viewer"], "for `pawl token create`"),
                        (["create", "ada", "--role", "viewer", "--expires", "soon"], "--expires")):
        room.pawl("token", *words, "--db", "s.db").exits(2).complains(says)
    room.file("hello.yaml", HELLO)
    room.pawl("deploy", "hello.yaml", "--db", "s.db").exits(0)
    room.pawl("token", "create", "ada", "--role", "king", "--db", "s.db").exits(2).complains("role 1 is viewer")
    room.pawl("token", "list", "--db", "s.db").exits(0).prints("").complains("there are none")


if __name__ == "__main__":
    main()
