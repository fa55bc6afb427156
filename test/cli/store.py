#!/usr/bin/env python3
"""store.py - commands on a store: what they print, the exit codes, several processes, trouble with the file."""
import json
import os
import re
import shutil
import signal
import sqlite3

from harness import ROOT, Skip, case, main, until

HELLO = """document: {dsl: 1.0.3, namespace: t, name: hello, version: 1.0.0}
do:
  - greet: {set: {text: '${ "hi " + (.name // "you") }', n: '${ .n }'}}
"""
ASK = """document: {dsl: 1.0.3, namespace: t, name: ask, version: 1.0.0}
do:
  - ask:
      call: userTask
      with: {key: answer, title: well?}
  - keep: {set: {answer: '${ .value // .answer }'}}
"""
FAULT = """document: {dsl: 1.0.3, namespace: t, name: fault, version: 1.0.0}
do:
  - no: {raise: {error: {type: https://example.com/no, status: 418, title: no}}}
"""
NAP = """document: {dsl: 1.0.3, namespace: t, name: nap, version: 1.0.0}
do:
  - nap: {wait: {seconds: 30}}
"""
SHORT = """document: {dsl: 1.0.3, namespace: t, name: short, version: 1.0.0}
do:
  - nap: {wait: {milliseconds: 300}}
  - done: {set: {done: true}}
"""


def fill(room):
    for name, text in (("hello", HELLO), ("ask", ASK), ("fault", FAULT), ("nap", NAP), ("short", SHORT)):
        room.file(f"{name}.yaml", text)


def only_id(room, db="s.db", *more):
    instances = room.pawl("ls", "--db", db, "--json", *more).exits(0).json()["instances"]
    assert len(instances) == 1, instances
    return instances[0]["id"]


CARRY = """document: {dsl: 1.0.3, namespace: t, name: carry, version: 1.0.0}
do:
  - ask:
      call: userTask
      with: {key: answer}
      output: {as: '$input + {answer: .answer}'}
  - last: {set: {answer: '${ .answer }', lines: '${ .lines | length }'}}
"""


@case("run without a store prints the output, and leaves nothing behind")
def _(room):
    fill(room)
    before = sorted(os.listdir(room.path))
    done = room.pawl("run", "hello.yaml", "--input", '{"name": "Ada", "n": 1.50}').exits(0).silent()
    assert done.out == '{\n  "text": "hi Ada",\n  "n": 1.50\n}\n', done.told()
    assert sorted(os.listdir(room.path)) == before


@case("data that the store keeps apart is shown by show, log and ls as if it were in its place")
def _(room):
    room.file("carry.yaml", CARRY)
    lines = [{"article": f"no-{i:06}", "price": 19.9} for i in range(3000)]
    room.file("in.json", json.dumps({"lines": lines}))
    room.pawl("run", "carry.yaml", "--db", "s.db", "--input", "@in.json", "--no-wait").exits(0)
    id = only_id(room)
    shown = room.pawl("show", id, "--db", "s.db", "--json").exits(0).json()
    assert shown["input"] == {"lines": lines} and shown["waits"][0]["key"] == "answer", shown["waits"]
    room.pawl("resume", id, "--key", "answer", "--db", "s.db", "--data", '{"answer": 42}').exits(0)
    shown = room.pawl("show", id, "--db", "s.db", "--json").exits(0).json()
    assert shown["output"] == {"answer": 42, "lines": 3000} and shown["input"] == {"lines": lines}
    done = room.pawl("log", id, "--db", "s.db", "--json").exits(0)
    assert "$payload" not in done.out
    entries = [e for line in done.out.splitlines() for e in json.loads(line)["entries"]]
    assert entries[0]["type"] == "instance.started" and entries[0]["input"] == {"lines": lines}
    assert [e["output"] for e in entries if e.get("task") == "/do/0/ask" and e["type"] == "task.completed"] == [
        {"lines": lines, "answer": 42}]
    room.pawl("log", id, "--db", "s.db").exits(0).says("instance.started", "no-000000")
    room.pawl("ls", "--db", "s.db").exits(0).says(id, "completed")
    with sqlite3.connect(os.path.join(room.path, "s.db")) as db:
        (count, size), = db.execute("SELECT count(*), sum(length(value)) FROM payload")
        (entry,), = db.execute("SELECT entry ->> '$.input.lines' FROM execution_log WHERE sequence = 1 AND ordinal = 0")
        assert count == 1 and size == len(json.dumps(lines, separators=(",", ":"))), (count, size)
        assert list(json.loads(entry)) == ["$payload"], entry


@case("run reads its definition from standard input and its input from a file")
def _(room):
    room.file("in.json", '{"name": "Bob", "n": 2}')
    done = room.pawl("run", "-", "--input", "@in.json", send=HELLO.encode()).exits(0)
    assert done.json() == {"text": "hi Bob", "n": 2}


@case("run of a workflow that faults gives 1, and the error object on standard error")
def _(room):
    fill(room)
    done = room.pawl("run", "fault.yaml").exits(1).prints("")
    error = json.loads(done.err)
    assert error["status"] == 418 and error["title"] == "no" and error["instance"] == "/do/0/no", error


@case("run with bad usage, definition or input gives 2, and makes no store")
def _(room):
    fill(room)
    room.file("bad.yaml", "document: {dsl: 1.0.3, namespace: t, name: x, version: 1.0.0}\ndo:\n  - a: {sett: 1}\n")
    done = room.pawl("run", "bad.yaml", "--db", "s.db").exits(2).prints("")
    assert re.match(r"bad\.yaml:3:\d+: .*sett", done.err), done.told()
    room.pawl("run", "none.yaml", "--db", "s.db").exits(2).complains("none.yaml")
    room.pawl("run", "hello.yaml", "--db", "s.db", "--input", "{").exits(2).complains("line 1, column")
    room.pawl("run", "hello.yaml", "--no-wait").exits(2).complains("--no-wait needs a store")
    room.pawl("deploy", "bad.yaml", "--db", "s.db").exits(2).complains("bad.yaml:3:")
    assert not room.exists("s.db")


@case("run says what it does when it is asked to")
def _(room):
    fill(room)
    done = room.pawl("run", "short.yaml", "--progress").exits(0)
    assert done.json() == {"done": True}
    lines = [line.split()[1:] for line in done.err.splitlines()]
    assert lines[0] == ["instance.started"], done.told()
    assert ["completed", "/do/1/done"] in lines and lines[-1] == ["instance.completed"], done.told()
    assert any(line[:2] == ["started", "/do/0/nap"] and line[2] == "until" for line in lines), done.told()


@case("run with a key again gives the first instance's output and runs nothing")
def _(room):
    fill(room)
    words = ["run", "hello.yaml", "--db", "s.db", "--id", "k", "--input"]
    first = room.pawl(*words, '{"n": 1}').exits(0)
    room.pawl(*words, '{ "n":1.0 }').exits(0).prints(first.out)
    room.pawl(*words, '{"n": 2}').exits(2).prints("").complains("'k'", "another input")
    identity = only_id(room)
    assert len(room.pawl("log", identity, "--db", "s.db", "--json").exits(0).out.splitlines()) == 1


@case("run stops where a person must decide, says how to answer, and gives 4")
def _(room):
    fill(room)
    done = room.pawl("run", "ask.yaml", "--db", "s.db", "--id", "k").exits(4).prints("")
    identity = only_id(room)
    command = f"pawl complete {identity} answer --data '{{}}' --db s.db"
    done.complains("is waiting", command)
    room.pawl("run", "ask.yaml", "--db", "s.db", "--id", "k").exits(4)
    room.pawl("show", identity, "--db", "s.db").exits(0).says("waiting", command)
    done = room.pawl("resume", identity, "--key", "answer", "--data", '"yes"', "--db", "s.db").exits(0)
    done.says(f"{identity} completed\n", '"answer": "yes"')
    room.pawl("run", "ask.yaml", "--db", "s.db", "--id", "k").exits(0).prints('{\n  "answer": "yes"\n}\n')


@case("run stops where only a message can go on, and says which")
def _(room):
    room.file("hear.yaml", """document: {dsl: 1.0.3, namespace: t, name: hear, version: 1.0.0}
do:
  - hear:
      listen:
        to:
          any:
            - {with: {type: paid}, correlate: {order: {from: .data.order, expect: '${ .id }'}}}
            - {with: {type: lost}}
          until: length > 2
""")
    room.pawl("run", "hear.yaml", "--db", "s.db", "--input", '{"id":"a7"}').exits(4).complains(
        'external-message at /do/0/hear, any paid, lost; order = "a7" since ')
    wait = room.pawl("show", only_id(room), "--db", "s.db", "--json").exits(0).json()["waits"][0]
    assert wait["key"] == "hear-1" and wait["listens"] == {
        "to": "any", "types": ["paid", "lost"], "correlation": {"order": "a7"}}, wait


@case("run without a store keeps it and names it when the instance has not ended")
def _(room):
    fill(room)
    done = room.pawl("run", "ask.yaml").exits(4)
    path = re.search(r"kept.*: (\S+)$", done.err, re.MULTILINE)[1]
    command = re.search(r"answer with: pawl (complete .*)$", done.err, re.MULTILINE)[1].replace("'{}'", "1").split()
    assert f"sqlite:{path}" in command
    room.pawl(*command, "--until", "end").exits(0).says('"answer": 1')


@case("a resume that is repeated has no effect, with other data it is refused")
def _(room):
    fill(room)
    room.pawl("run", "ask.yaml", "--db", "s.db").exits(4)
    identity = only_id(room)
    words = ["resume", identity, "--db", "s.db", "--key", "answer", "--data"]
    room.pawl("resume", identity, "--db", "s.db", "--key", "other").exits(2).complains("other")
    room.pawl(*words, "{").exits(2).complains("--data", "line 1")
    room.pawl(*words, '{"answer": 1}').exits(0)
    room.pawl(*words, '{"answer":1.0}').exits(0)
    room.pawl(*words, '{"answer": 2}').exits(2)
    assert len(room.pawl("log", identity, "--db", "s.db", "--json").exits(0).out.splitlines()) == 2


@case("the environment names the store, an option overrules it")
def _(room):
    fill(room)
    env = {"PAWL_DB": "sqlite:e.db"}
    done = room.pawl("run", "ask.yaml", env=env).exits(4)
    assert "--db" not in done.err, done.told()
    assert room.exists("e.db")
    room.pawl("deploy", "hello.yaml", "--db", "o.db", env=env).exits(0)
    assert room.pawl("ls", "--db", "o.db", "--json", env=env).json()["instances"] == []


@case("a wrong egress map or certificate file stops an owner, not who only looks")
def _(room):
    fill(room)
    room.pawl("run", "hello.yaml", "--db", "s.db").exits(0)
    for name, value, message in (("PAWL_EGRESS_MAP", "api.example=127.0.0.1:1", "https://HOST[:PORT]=HOST:PORT"),
                                 ("PAWL_EGRESS_CA", "none.pem", "'none.pem' cannot be opened")):
        room.pawl("run", "hello.yaml", env={name: value}).exits(3).complains(message)
        room.pawl("ls", "--db", "s.db", env={name: value}).exits(0)
        room.pawl("run", "hello.yaml", env={name: ""}).exits(0)


@case("deploy publishes once; other content under the same version is refused")
def _(room):
    fill(room)
    room.pawl("deploy", "hello.yaml", "--db", "s.db").exits(0).prints("t/hello 1.0.0 published\n")
    room.pawl("deploy", "hello.yaml", "--db", "s.db").exits(0).prints("t/hello 1.0.0 was published before\n")
    room.file("other.yaml", HELLO.replace("hi ", "ho "))
    room.pawl("deploy", "other.yaml", "--db", "s.db").exits(2).complains("other.yaml")
    assert room.pawl("deploy", "hello.yaml", "--db", "s.db", "--json").exits(0).json()["created"] is False


@case("a function that the program does not have is named, with its place, and is for workers")
def _(room):
    room.file("call.yaml", "document: {dsl: 1.0.3, namespace: t, name: call, version: 1.0.0}\ndo:\n"
              "  - a: {set: {a: 1}}\n  - b: {call: frobnicate}\n")
    done = room.pawl("run", "call.yaml").exits(4).prints("").complains("no worker polls for 'frobnicate'")
    assert re.match(r"call\.yaml:4:\d+: warning: .*frobnicate", done.err), done.told()
    done = room.pawl("deploy", "call.yaml", "--db", "s.db").exits(0).prints("t/call 1.0.0 published\n")
    assert re.match(r"call\.yaml:4:\d+: warning: .*frobnicate.*workers", done.err), done.told()
    room.pawl("deploy", "call.yaml", "--db", "s.db").exits(0).silent()
    room.pawl("deploy", "call.yaml", "--db", "t.db", "--json").exits(0).silent()


@case("start, with a version, a key, and names that are not there")
def _(room):
    fill(room)
    room.file("new.yaml", HELLO.replace("1.0.0}", "1.10.0}").replace("hi ", "hello "))
    room.pawl("deploy", "hello.yaml", "--db", "s.db").exits(0)
    room.pawl("deploy", "new.yaml", "--db", "s.db").exits(0)
    room.pawl("start", "hello", "--db", "s.db").exits(0).says(" completed\n", '"hello you"')
    room.pawl("start", "t/hello", "--db", "s.db", "--version", "1.0.0").exits(0).says('"hi you"')
    room.pawl("start", "nosuch", "--db", "s.db").exits(2).complains("nosuch")
    room.pawl("start", "hello", "--db", "s.db", "--version", "3.0.0").exits(2).complains("3.0.0")
    one = room.pawl("start", "hello", "--db", "s.db", "--id", "k", "--json").exits(0).json()
    two = room.pawl("start", "hello", "--db", "s.db", "--id", "k", "--json").exits(0).json()
    assert one["id"] == two["id"] and one["key"] == "k" and one["status"] == "completed", (one, two)


@case("the exit code of a start follows the status, and a start need not wait")
def _(room):
    fill(room)
    for name in ("ask", "fault", "nap", "short"):
        room.pawl("deploy", f"{name}.yaml", "--db", "s.db").exits(0)
    room.pawl("start", "fault", "--db", "s.db").exits(1).says(" faulted\n").complains('"status": 418')
    room.pawl("start", "ask", "--db", "s.db").exits(4).says(" waiting\n", "answer with: pawl complete")
    room.pawl("start", "nap", "--db", "s.db").exits(4).says(" waiting\n", "timer at /do/0/nap")
    room.pawl("start", "short", "--db", "s.db", "--until", "end").exits(0).says(" completed\n")
    room.pawl("start", "short", "--db", "s.db", "--no-wait").exits(0)
    room.pawl("start", "short", "--db", "s.db", "--no-wait", "--until", "end").exits(2)
    room.pawl("start", "short", "--db", "s.db", "--until", "soon").exits(2).complains("idle, settled or end")


@case("suspend, continue and cancel; each harmless when repeated")
def _(room):
    fill(room)
    room.pawl("run", "ask.yaml", "--db", "s.db").exits(4)
    identity = only_id(room)
    for _ in range(2):
        room.pawl("suspend", identity, "--db", "s.db", "--reason", "lunch", "--actor", "eve").exits(0).says(
            f"{identity} suspended\n", "lunch", "pawl continue")
    room.pawl("run", "ask.yaml", "--db", "s.db", "--no-wait").exits(0)
    room.pawl("show", identity, "--db", "s.db").exits(0).says("suspended by eve: lunch")
    for _ in range(2):
        room.pawl("continue", identity, "--db", "s.db").exits(4).says(f"{identity} waiting\n")
    for _ in range(2):
        room.pawl("cancel", identity, "--db", "s.db", "--reason", "twice").exits(0).says(f"{identity} cancelled\n")
    room.pawl("suspend", identity, "--db", "s.db").exits(2).complains("cancelled")
    room.pawl("resume", identity, "--db", "s.db", "--key", "answer").exits(2)
    room.pawl("log", identity, "--db", "s.db").exits(0).says("eve", "lunch", "twice")


@case("ls is an aligned table, filtered and in pages")
def _(room):
    fill(room)
    for number in range(3):
        room.pawl("run", "hello.yaml", "--db", "s.db", "--id", f"key-{number}").exits(0)
    room.pawl("run", "ask.yaml", "--db", "s.db").exits(4)
    done = room.pawl("ls", "--db", "s.db").exits(0).silent()
    lines = done.out.splitlines()
    assert len(lines) == 5 and lines[0].split() == ["INSTANCE", "STATUS", "WORKFLOW", "UPDATED", "KEY"], done.told()
    assert len({line.index("t/") for line in lines[1:]}) == 1, done.told()
    assert [line.split()[-1] for line in lines[2:]] == ["key-2", "key-1", "key-0"], done.told()
    assert len(room.pawl("ls", "--db", "s.db", "--status", "waiting").exits(0).out.splitlines()) == 2
    assert len(room.pawl("ls", "--db", "s.db", "--name", "hello").exits(0).out.splitlines()) == 4
    room.pawl("ls", "--db", "s.db", "--status", "asleep").exits(2).complains("asleep")
    seen, after = [], []
    for _ in range(4):
        page = room.pawl("ls", "--db", "s.db", "--json", "--limit", "1", *after).exits(0).json()
        seen.append(page["instances"][0]["id"])
        after = ["--after", page.get("next", "")]
    assert len(set(seen)) == 4 and "next" not in page, (seen, page)
    room.pawl("ls", "--db", "s.db", "--limit", "2").exits(0).complains("there are more: pawl ls --after")


@case("show and log of an instance that is not there give 2")
def _(room):
    fill(room)
    room.pawl("deploy", "hello.yaml", "--db", "s.db").exits(0)
    room.pawl("show", "nosuch", "--db", "s.db").exits(2).complains("nosuch")
    room.pawl("log", "nosuch", "--db", "s.db").exits(2).complains("nosuch")
    room.pawl("ls", "--db", "s.db").exits(0).complains("no instances").prints("")


@case("log prints every entry in order, and every page")
def _(room):
    room.file("loop.yaml", "document: {dsl: 1.0.3, namespace: t, name: loop, version: 1.0.0}\ndo:\n"
              "  - each:\n      for: {in: '[range(1200)]'}\n      do:\n        - tell:\n            emit: {event: {with: {type: x}}}\n"
              "            output: {as: '$index'}\n")
    room.pawl("run", "loop.yaml", "--db", "s.db").exits(0).prints("1199\n")
    identity = only_id(room)
    steps = [json.loads(line) for line in room.pawl("log", identity, "--db", "s.db", "--json").exits(0).out.splitlines()]
    assert [step["sequence"] for step in steps] == list(range(1, len(steps) + 1))
    entries = [entry for step in steps for entry in step["entries"]]
    assert sum(entry["type"] == "event.emitted" for entry in entries) == 1200
    lines = room.pawl("log", identity, "--db", "s.db").exits(0).out.splitlines()
    assert len(lines) == len(entries) and lines[-1].split()[2] == "instance.completed", lines[-1]
    later = room.pawl("log", identity, "--db", "s.db", "--from", "2", "--json").exits(0).out.splitlines()
    assert len(later) == len(steps) - 1


@case("an engine that is killed goes on where it was")
def _(room):
    room.file("two.yaml", "document: {dsl: 1.0.3, namespace: t, name: two, version: 1.0.0}\ndo:\n"
              "  - one: {emit: {event: {with: {type: one}}}}\n  - nap: {wait: {seconds: 5}}\n"
              "  - two: {set: {done: true}}\n")
    words = ["run", "two.yaml", "--db", "s.db", "--id", "k"]
    process = room.start(*words)
    until(lambda: room.pawl("ls", "--db", "s.db", "--status", "waiting", "--json").out.count('"k"'), "the wait")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    room.pawl("ls", "--db", "s.db").exits(0).says("waiting")
    room.pawl(*words).exits(0).prints('{\n  "done": true\n}\n')
    log = room.pawl("log", only_id(room), "--db", "s.db").exits(0)
    assert log.out.count("event.emitted") == 1, log.told()


@case("a run that is stopped by a signal says how to go on")
def _(room):
    fill(room)
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        process = room.start("run", "nap.yaml", "--db", "s.db", "--id", f"k{code}")
        until(lambda: room.exists("s.db") and f'"k{code}"' in room.pawl("ls", "--db", "s.db", "--json").out, "the instance")
        process.send_signal(number)
        done = room.finish(process, timeout=30)
        done.exits(code).prints("").complains("pawl show", f"--id k{code} --db s.db")
        assert not room.exists("s.db-sock")
    assert room.pawl("ls", "--db", "s.db", "--status", "waiting").exits(0).out.count("\n") == 3


@case("a stopped run without a key is gone on with by its id")
def _(room):
    fill(room)
    room.pawl("run", "short.yaml", "--db", "s.db", "--no-wait").exits(0)
    identity = only_id(room)
    room.pawl("continue", identity, "--until", "end", "--db", "s.db").exits(0).says(f"{identity} completed")


@case("several starts at once on a free store all succeed")
def _(room):
    fill(room)
    room.pawl("deploy", "hello.yaml", "--db", "s.db").exits(0)
    processes = [room.start("start", "hello", "--db", "s.db", "--input", f'{{"n": {n}}}', "--json") for n in range(12)]
    shown = [room.finish(process).exits(0).json() for process in processes]
    assert sorted(one["output"]["n"] for one in shown) == list(range(12)), shown
    assert len({one["id"] for one in shown}) == 12


@case("a store that is not ours is trouble, and is not touched")
def _(room):
    fill(room)
    room.file("text.db", "this is no database, but long enough to look like a file of some kind\n" * 20)
    connection = sqlite3.connect(os.path.join(room.path, "other.db"))
    connection.execute("CREATE TABLE song (name TEXT)")
    connection.commit()
    connection.close()
    for name in ("text.db", "other.db"):
        with open(os.path.join(room.path, name), "rb") as file:
            before = file.read()
        for words in (["run", "hello.yaml"], ["deploy", "hello.yaml"], ["ls"], ["migrate"]):
            room.pawl(*words, "--db", name).exits(3).prints("").complains(name)
        with open(os.path.join(room.path, name), "rb") as file:
            assert file.read() == before, name


@case("a store that is newer than the program is trouble")
def _(room):
    fill(room)
    room.pawl("run", "hello.yaml", "--db", "s.db").exits(0)
    connection = sqlite3.connect(os.path.join(room.path, "s.db"))
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    connection.execute(f"PRAGMA user_version = {version + 1}")
    try:
        connection.execute("INSERT INTO migration SELECT version + 1, name, applied_at FROM migration ORDER BY 1 DESC LIMIT 1")
    except sqlite3.Error:
        pass  # the pragma is enough
    connection.commit()
    connection.close()
    for words in (["run", "hello.yaml"], ["ls"], ["migrate"]):
        room.pawl(*words, "--db", "s.db").exits(3).complains("newer")


@case("a damaged store is trouble")
def _(room):
    fill(room)
    room.pawl("run", "hello.yaml", "--db", "s.db").exits(0)
    path = os.path.join(room.path, "s.db")
    with open(path, "r+b") as file:
        size = os.path.getsize(path)
        file.seek(4096)
        file.write(b"\xa5" * (size - 4096))
    for suffix in ("-wal", "-shm"):
        if room.exists("s.db" + suffix):
            os.unlink(path + suffix)
    room.pawl("ls", "--db", "s.db").exits(3)
    room.pawl("run", "hello.yaml", "--db", "s.db").exits(3)


@case("a store that cannot be read or written, or has no place, is trouble")
def _(room):
    fill(room)
    room.pawl("ls", "--db", "no/such/dir/s.db").exits(3).complains("no/such/dir")
    room.pawl("run", "hello.yaml", "--db", "no/such/dir/s.db").exits(3).complains("no/such/dir")
    room.pawl("run", "hello.yaml", "--db", ".").exits(3)
    if os.geteuid() == 0:
        return  # root may write everywhere: the rest cannot be shown
    room.pawl("run", "hello.yaml", "--db", "s.db").exits(0)
    os.chmod(os.path.join(room.path, "s.db"), 0o400)
    room.pawl("run", "hello.yaml", "--db", "s.db").exits(3).complains("s.db")


def on_small_disk(room, size):
    """A disk of its own for one case; needs root and mount."""
    if os.geteuid() != 0 or not shutil.which("mount"):
        raise Skip("mounting a small disk needs root")
    disk = os.path.join(room.path, "disk")
    os.mkdir(disk)
    done = room.finish(room.start("-t", "tmpfs", "-o", f"size={size}", "none", disk, program="mount"))
    if done.code != 0:
        raise Skip("a small disk cannot be mounted here")
    return disk


@case("a full disk under the store is trouble, and what was committed stays")
def _(room):
    fill(room)
    disk = on_small_disk(room, "4m")
    try:
        room.pawl("run", "hello.yaml", "--db", "disk/s.db", "--id", "k").exits(0)
        with open(os.path.join(disk, "filler"), "wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 4096)
            except OSError:
                pass
        large = json.dumps({"name": "x" * 300000})
        room.file("large.json", large)
        room.pawl("run", "hello.yaml", "--db", "disk/s.db", "--input", "@large.json").exits(3).prints("").complains("disk")
        os.unlink(os.path.join(disk, "filler"))
        room.pawl("run", "hello.yaml", "--db", "disk/s.db", "--id", "k").exits(0).says("hi you")
        assert len(room.pawl("ls", "--db", "disk/s.db", "--json").exits(0).json()["instances"]) == 1
    finally:
        room.finish(room.start(disk, program="umount"))


@case("migrate is harmless when repeated, and makes no store")
def _(room):
    fill(room)
    room.pawl("migrate", "--db", "s.db").exits(3).complains("s.db")
    room.pawl("run", "hello.yaml", "--db", "s.db").exits(0)
    for _ in range(2):
        room.pawl("migrate", "--db", "sqlite:s.db").exits(0).says("is current")
    shown = room.pawl("migrate", "--db", "s.db", "--json").exits(0).json()
    assert shown["from"] == shown["to"] >= 1, shown


@case("a key, a name and data that a shell or a terminal would misread")
def _(room):
    fill(room)
    key = "it's a \"key\" $HOME `x` \u00e9\u202e\x1b[1m"
    room.pawl("run", "ask.yaml", "--db", "s.db", "--id", key).exits(4)
    assert room.pawl("ls", "--db", "s.db", "--json").exits(0).json()["instances"][0]["key"] == key
    done = room.pawl("ls", "--db", "s.db").exits(0)
    assert "\x1b" not in done.out and "\u202e" not in done.out, done.told()
    room.pawl("run", "ask.yaml", "--db", "s.db", "--id", b"\xff\xfe").exits(2).complains("UTF-8")


@case("an example asks, and is answered as its comment says")
def _(room):
    example = os.path.join(ROOT, "examples", "approval.yaml")
    words = ["run", example, "--db", "sqlite:trips.db", "--id", "trip-7", "--input", '{"trip": "Lisbon", "cost": 900}']
    room.pawl(*words).exits(4)
    identity = only_id(room, "trips.db")
    room.pawl("complete", identity, "decision", "--data", '{"approved": true}', "--db", "sqlite:trips.db",
              "--actor", "ann").exits(0)
    assert room.pawl(*words).exits(0).json() == {"trip": "Lisbon", "status": "booked", "by": "ann"}
    declined = room.pawl("run", example, "--input", '{"trip": "Rome"}').exits(0).json()
    assert declined == {"trip": "Rome", "status": "booked", "by": "nobody had to"}, declined


@case("the workflow that README shows does what README says")
def _(room):
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
        text = file.read()
    room.file("trip.yaml", re.search(r"```yaml\n(.*?)```", text, re.DOTALL)[1])
    env = {"PAWL_DB": "sqlite:mine.db"}
    run = ["run", "trip.yaml", "--id", "lisbon", "--input", '{"to": "Lisbon", "days": 3}']
    done = room.pawl(*run, env=env).exits(4)
    identity = only_id(room, "mine.db")
    shown = re.search(r"^    pawl run: instance (\w+) is waiting:$", text, re.MULTILINE)[1]
    said = text.replace(shown, identity)
    for line in done.err.splitlines():
        assert re.sub(r"since .*", "since", line) in re.sub(r"since .*", "since", said), line
    done = room.pawl("complete", identity, "decision", "--data", '{"approved": true}', "--until", "end", env=env)
    for line in done.exits(0).out.splitlines():
        assert f"    {line}\n" in said, line
    room.pawl(*run, env=env).exits(0)


@case("reading goes on while another process owns the store")
def _(room):
    fill(room)
    process = room.start("run", "nap.yaml", "--db", "s.db", "--id", "k")
    until(lambda: room.exists("s.db") and '"k"' in room.pawl("ls", "--db", "s.db", "--json").out, "the instance")
    identity = only_id(room)
    room.pawl("show", identity, "--db", "s.db").exits(0).says("timer at /do/0/nap")
    room.pawl("log", identity, "--db", "s.db").exits(0).says("instance.started")
    assert process.poll() is None


if __name__ == "__main__":
    main()
