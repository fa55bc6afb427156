#!/usr/bin/env python3
"""versions.py - versions of a definition side by side: which one starts, deprecate, archive, the list of them."""
from harness import case, main, until


def version(number, then="set: {v: '%s'}"):
    body = then % number if "%s" in then else then
    return (f"# the document as it was given: é\ndocument: {{dsl: 1.0.3, namespace: t, name: w, version: {number}}}\n"
            f"do:\n  - a: {{{body}}}\n")


ASK = "call: userTask, with: {key: k}, output: {as: '${ \"%s\" }'}"


def deploy(room, *numbers, then="set: {v: '%s'}"):
    for number in numbers:
        room.file(f"{number}.yaml", version(number, then))
        room.pawl("deploy", f"{number}.yaml", "--db", "s.db").exits(0)


def start(room, *words):
    return room.pawl("start", "w", "--db", "s.db", "--json", "--until", "end", *words)


def started(done):
    return done.exits(0).json()["version"]


@case("without a version the newest published one is started")
def _(room):
    deploy(room, "1.0.0", "1.10.0", "1.9.0")
    assert started(start(room)) == "1.10.0"
    assert started(start(room, "--version", "1.9.0")) == "1.9.0"
    room.pawl("deprecate", "w@1.10.0", "--db", "s.db").exits(0).prints("w 1.10.0 is deprecated\n").silent()
    assert started(start(room)) == "1.9.0"
    room.pawl("archive", "t/w@1.9.0", "--db", "s.db").exits(0).prints("t/w 1.9.0 is archived\n").silent()
    assert started(start(room)) == "1.0.0"
    room.pawl("archive", "w@1.9.0", "--undo", "--db", "s.db").exits(0).prints("w 1.9.0 is published\n")
    assert started(start(room)) == "1.9.0"


@case("a deprecated version is started by naming it, with a warning")
def _(room):
    deploy(room, "1.0.0")
    for _ in range(2):
        room.pawl("deprecate", "w@1.0.0", "--db", "s.db").exits(0)
    done = start(room, "--version", "1.0.0").complains("pawl start: warning: version 1.0.0 of 't/w' is deprecated")
    assert started(done) == "1.0.0"
    start(room).exits(2).complains("no version of 't/w' is published; 1.0.0 is deprecated, and starts only if it is named")
    room.pawl("run", "1.0.0.yaml", "--db", "s.db").exits(0).complains("pawl run: warning: version 1.0.0 of 't/w'")
    room.pawl("deprecate", "w@1.0.0", "--undo", "--db", "s.db").exits(0)
    assert started(start(room).silent()) == "1.0.0"


@case("an archived version cannot be started, and its instances go on")
def _(room):
    deploy(room, "1.0.0", then=ASK)
    key = ("--id", "one", "--version", "1.0.0")
    first = room.pawl("start", "w", "--db", "s.db", "--json", *key).exits(4).json()["id"]
    room.pawl("archive", "w@1.0.0", "--db", "s.db").exits(0)
    for words in (("--version", "1.0.0"), ("--id", "two", "--version", "1.0.0")):
        start(room, *words).exits(2).complains("version 1.0.0 of 't/w' is archived and cannot be started")
    start(room).exits(2).complains("no version of 't/w' is published; 1.0.0 is archived")
    # a start that is repeated finds its instance
    assert room.pawl("start", "w", "--db", "s.db", "--json", *key).exits(4).json()["id"] == first
    assert room.pawl("start", "w", "--db", "s.db", "--json", "--id", "one").exits(4).json()["id"] == first
    done = room.pawl("resume", first, "--key", "k", "--data", "{}", "--db", "s.db", "--json").exits(0).json()
    assert done["status"] == "completed" and done["version"] == "1.0.0" and done["output"] == "1.0.0", done


@case("a running instance stays on its own version")
def _(room):
    deploy(room, "1.0.0", then=ASK)
    first = room.pawl("start", "w", "--db", "s.db", "--json").exits(4).json()["id"]
    deploy(room, "2.0.0", then=ASK)
    second = room.pawl("start", "w", "--db", "s.db", "--json").exits(4).json()["id"]
    for name, number in ((first, "1.0.0"), (second, "2.0.0")):
        done = room.pawl("resume", name, "--key", "k", "--data", "{}", "--db", "s.db", "--json").exits(0).json()
        assert (done["version"], done["output"]) == (number, number), done


@case("other content over an existing version is refused, whatever its status")
def _(room):
    deploy(room, "1.0.0")
    room.file("other.yaml", version("1.0.0", "set: {other: 1}"))
    for status in (None, "deprecate", "archive"):
        if status:
            room.pawl(status, "w@1.0.0", "--db", "s.db").exits(0)
        room.pawl("deploy", "other.yaml", "--db", "s.db").exits(2).complains("published versions never change")
    room.pawl("deploy", "1.0.0.yaml", "--db", "s.db").exits(0).prints("t/w 1.0.0 was published before\n")


@case("definitions lists versions, status and living instances, by pages")
def _(room):
    deploy(room, "1.0.0", "1.10.0", then=ASK)
    deploy(room, "1.9.0")
    room.pawl("deprecate", "w@1.0.0", "--db", "s.db").exits(0)
    room.pawl("start", "w", "--db", "s.db", "--version", "1.0.0").exits(4)
    start(room, "--version", "1.9.0").exits(0)
    page = room.pawl("definitions", "--db", "s.db", "--json").exits(0).silent().json()
    assert list(page) == ["definitions"]
    assert [(one["version"], one["status"], one["instances"]) for one in page["definitions"]] == [
        ("1.10.0", "published", 0), ("1.9.0", "published", 0), ("1.0.0", "deprecated", 1)], page
    assert list(page["definitions"][0]) == ["namespace", "name", "version", "status", "digest", "level", "createdAt",
                                            "instances"]
    lines = room.pawl("definitions", "--db", "s.db").exits(0).out.splitlines()
    assert lines[0].split() == ["DEFINITION", "VERSION", "STATUS", "INSTANCES", "PUBLISHED"], lines
    assert lines[3].split()[:4] == ["t/w", "1.0.0", "deprecated", "1"], lines
    done = room.pawl("definitions", "--db", "s.db", "--limit", "2").exits(0).complains(
        "there are more: pawl definitions --after t/w/1.10.0 --db s.db")
    assert len(done.out.splitlines()) == 3, done.told()
    rest = room.pawl("definitions", "--db", "s.db", "--after", "t/w/1.10.0", "--json").exits(0).json()
    assert [one["version"] for one in rest["definitions"]] == ["1.9.0"], rest
    room.pawl("definitions", "--db", "s.db", "--name", "none").exits(0).complains("none are published").prints("")
    room.pawl("definitions", "--db", "s.db", "--after", "x").exits(2).complains("no cursor")


@case("definition prints the document as it was given")
def _(room):
    deploy(room, "1.0.0", "2.0.0")
    room.pawl("definition", "w", "--db", "s.db").exits(0).prints(version("2.0.0")).silent()
    room.pawl("definition", "t/w@1.0.0", "--db", "s.db").exits(0).prints(version("1.0.0"))
    room.pawl("archive", "w@2.0.0", "--db", "s.db").exits(0)
    room.pawl("definition", "w", "--db", "s.db").exits(0).prints(version("1.0.0"))
    found = room.pawl("definition", "w@2.0.0", "--db", "s.db", "--json").exits(0).json()
    assert found["status"] == "archived" and found["document"] == version("2.0.0"), found
    room.pawl("definition", "w@3.0.0", "--db", "s.db").exits(2).complains("has no version '3.0.0'")
    room.pawl("definition", "none", "--db", "s.db").exits(2).complains("no definition 'none'")


@case("a status without a version, or of one that is not there, is refused")
def _(room):
    deploy(room, "1.0.0")
    room.pawl("archive", "w", "--db", "s.db").exits(2).complains("which version? Write w@VERSION")
    room.pawl("archive", "w@", "--db", "s.db").exits(2).complains("which version?")
    room.pawl("deprecate", "w@2.0.0", "--db", "s.db").exits(2).complains("definition 'w' has no version '2.0.0'")
    room.pawl("deprecate", "x@1.0.0", "--db", "s.db").exits(2).complains("'x'")


@case("the owner of the store carries it out for others, and acts on it at once")
def _(room):
    deploy(room, "1.0.0")
    deploy(room, "2.0.0", then="wait: {seconds: 100}")
    owner = room.start("run", "2.0.0.yaml", "--db", "s.db", "--id", "owner")
    until(lambda: room.exists("s.db-sock") and room.pawl("ls", "--db", "s.db", "--json").json()["instances"]
          or owner.poll() is not None, "the owner")
    assert owner.poll() is None
    room.pawl("deprecate", "w@2.0.0", "--db", "s.db").exits(0).prints("w 2.0.0 is deprecated\n")
    assert started(start(room)) == "1.0.0"
    room.pawl("archive", "w@1.0.0", "--db", "s.db").exits(0)
    start(room, "--version", "1.0.0").exits(2).complains("is archived")
    done = room.pawl("start", "w", "--version", "2.0.0", "--db", "s.db", "--no-wait").exits(0)
    done.complains("warning: version 2.0.0 of 't/w' is deprecated")
    page = room.pawl("definitions", "--db", "s.db", "--json").exits(0).json()["definitions"]
    assert [(one["version"], one["status"], one["instances"]) for one in page] == [
        ("2.0.0", "deprecated", 2), ("1.0.0", "archived", 0)], page
    assert owner.poll() is None


if __name__ == "__main__":
    main()
