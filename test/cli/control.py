#!/usr/bin/env python3
"""control.py - commands to the process that owns a store, by the socket beside it."""
import json
import os
import signal
import socket
import stat
import threading
import time

from harness import case, main, until

ASK = """document: {dsl: 1.0.3, namespace: t, name: ask, version: 1.0.0}
do:
  - ask:
      call: userTask
      with: {key: answer, title: well?}
  - keep: {set: {answer: '${ .answer }'}}
"""
NAP = """document: {dsl: 1.0.3, namespace: t, name: nap, version: 1.0.0}
do:
  - nap: {wait: {seconds: 100}}
"""
HELLO = """document: {dsl: 1.0.3, namespace: t, name: hello, version: 1.0.0}
do:
  - greet: {set: {n: '${ .n }'}}
"""


def owner(room, db="s.db"):
    """A process that owns the store for as long as the case lasts."""
    for name, text in (("ask", ASK), ("nap", NAP), ("hello", HELLO)):
        room.file(f"{name}.yaml", text)
    process = room.start("run", "nap.yaml", "--db", db, "--id", "owner")
    path = os.path.join(room.path, db)
    until(lambda: os.path.exists(path + "-sock") and call(path, {"command": "list"}, True)["ok"]["instances"]
          or process.poll() is not None, "the owner")
    assert process.poll() is None, room.finish(process).told()
    return process


def connect(path):
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(60)
    folder = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY)
    try:
        client.connect(f"/proc/self/fd/{folder}/{os.path.basename(path)}-sock")
    finally:
        os.close(folder)
    return client


def exchange(path, data):
    """What comes back for these bytes, until the owner closes."""
    with connect(path) as client:
        client.sendall(data)
        answer = b""
        while True:
            piece = client.recv(65536)
            if not piece:
                return answer
            answer += piece


def call(path, request, patient=False):
    while True:
        try:
            answer = exchange(path, json.dumps(request).encode() + b"\n")
            break
        except (ConnectionError, FileNotFoundError):
            if not patient:
                raise
            time.sleep(0.02)
    assert answer.endswith(b"\n") and answer.count(b"\n") == 1, answer
    return json.loads(answer)


def here(room):
    return os.path.join(room.path, "s.db")


@case("commands on an owned store are carried out by its owner")
def _(room):
    process = owner(room)
    room.pawl("deploy", "hello.yaml", "--db", "s.db").exits(0).prints("t/hello 1.0.0 published\n")
    room.pawl("deploy", "hello.yaml", "--db", "s.db").exits(0).prints("t/hello 1.0.0 was published before\n")
    room.pawl("start", "hello", "--db", "s.db", "--input", '{"n": 1.50}').exits(0).says(" completed\n", '"n": 1.50')
    room.pawl("run", "hello.yaml", "--db", "s.db", "--input", '{"n": 2}').exits(0).prints('{\n  "n": 2\n}\n')
    room.pawl("run", "ask.yaml", "--db", "s.db", "--id", "q").exits(4).complains("answer with")
    waiting = room.pawl("ls", "--name", "ask", "--db", "s.db", "--json").json()["instances"][0]["id"]
    room.pawl("suspend", waiting, "--db", "s.db").exits(0).says("suspended")
    room.pawl("continue", waiting, "--db", "s.db").exits(4).says("waiting")
    room.pawl("resume", waiting, "--key", "wrong", "--db", "s.db").exits(2).complains("wrong")
    room.pawl("resume", waiting, "--key", "answer", "--data", '{"answer": 7}', "--db", "s.db").exits(0).says('"answer": 7')
    room.pawl("cancel", waiting, "--db", "s.db").exits(2)
    assert process.poll() is None


@case("what others do is seen by the owner at once")
def _(room):
    process = owner(room)
    identity = room.pawl("ls", "--db", "s.db", "--json").json()["instances"][0]["id"]
    room.pawl("cancel", identity, "--db", "s.db", "--reason", "enough").exits(0)
    room.finish(process, timeout=30).exits(1).prints("").complains("cancelled")


@case("the socket is for this user only, and goes with its owner")
def _(room):
    process = owner(room)
    info = os.lstat(here(room) + "-sock")
    assert stat.S_ISSOCK(info.st_mode) and stat.S_IMODE(info.st_mode) == 0o600, oct(info.st_mode)
    process.send_signal(signal.SIGTERM)
    room.finish(process, timeout=30).exits(143)
    assert not os.path.lexists(here(room) + "-sock")


@case("a dead owner's socket is replaced; another file in its place is left alone")
def _(room):
    process = owner(room)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert os.path.lexists(here(room) + "-sock")
    again = owner(room)
    assert call(here(room), {"command": "ping"})["ok"]["version"]
    again.send_signal(signal.SIGTERM)
    room.finish(again, timeout=30)
    room.file("s.db-sock", "mine")
    process = room.start("run", "hello.yaml", "--db", "s.db")
    room.finish(process).exits(0).complains("in the way")
    with open(here(room) + "-sock", encoding="utf-8") as file:
        assert file.read() == "mine"


@case("a path too long for a socket's address works all the same")
def _(room):
    folder = os.path.join(room.path, "d" * 100, "e" * 100)
    os.makedirs(folder)
    db = os.path.join(folder, "s.db")
    owner(room, os.path.relpath(db, room.path))
    room.pawl("start", "nap", "--db", db, "--no-wait").exits(0)
    assert len(call(db, {"command": "list"})["ok"]["instances"]) == 2


@case("all names of one store lead to its one owner")
def _(room):
    owner(room)
    os.mkdir(os.path.join(room.path, "sub"))
    os.symlink(here(room), os.path.join(room.path, "sub", "link.db"))
    for name in ("s.db", "sqlite:s.db", here(room), "sub/../s.db", "sub/link.db", "sqlite:./sub/link.db"):
        room.pawl("start", "nap", "--db", name, "--no-wait").exits(0)


@case("what is no command is refused, and the owner lives on")
def _(room):
    owner(room)
    for data, code, words in (
            (b"\n", "invalid", "JSON"), (b"hello\n", "invalid", "JSON"), (b"[]\n", "invalid", "object"),
            (b"{}\n", "invalid", "'command'"), (b'{"command": 1}\n', "invalid", "'command'"),
            (b'{"command": "fly"}\n', "invalid", "fly"), (b'{"command": "ping", "x": 1}\n', "invalid", "'x'"),
            (b'{"command": "start"}\n', "invalid", "'name'"), (b'{"command": "start", "name": 1}\n', "invalid", "'name'"),
            (b'{"command": "start", "name": "a\\u0000b"}\n', "invalid", "NUL"),
            (b'{"command": "start", "name": "nap", "vresion": "1"}\n', "invalid", "vresion"),
            (b'{"command": "start", "name": "nosuch"}\n', "not-found", "nosuch"),
            (b'{"command": "show", "id": "nosuch"}\n', "not-found", "nosuch"),
            (b'{"command": "wait", "id": "x", "for": "ever"}\n', "invalid", "ever"),
            (b'{"command": "wait", "id": "x", "timeoutMs": -1}\n', "invalid", "timeoutMs"),
            (b'{"command": "list", "limit": 1001}\n', "invalid", "limit"),
            (b'{"command": "deploy"}\n', "invalid", "'text'"), (b'{"command": "\xff"}\n', "invalid", "UTF-8"),
            (b"\x00\x01\x02\n", "invalid", "JSON"), (b"[" * 100000 + b"\n", "invalid", "")):
        answer = json.loads(exchange(here(room), data))
        assert set(answer) == {"error"} and set(answer["error"]) - {"reason"} == {"code", "message"}, (data[:80], answer)
        assert answer["error"]["code"] == code and words in answer["error"]["message"], (data[:80], answer)
    assert call(here(room), {"command": "ping"})["ok"]


@case("a definition that is refused comes back with its findings")
def _(room):
    owner(room)
    answer = call(here(room), {"command": "deploy", "text": "document: {}\ndo:\n  - a: {sett: 1}\n"})
    assert answer["error"]["code"] == "invalid", answer
    assert any(finding["line"] == 3 and "sett" in finding["message"] for finding in answer["findings"]), answer


@case("a request that is too long is refused")
def _(room):
    owner(room)
    with connect(here(room)) as client:
        try:
            for _ in range(17):
                client.sendall(b"x" * (1 << 20))
        except ConnectionError:
            pass  # it has been refused already
        client.settimeout(30)
        try:
            answer = client.recv(65536)
        except ConnectionError:
            answer = b""
    assert answer == b"" or "16 MiB" in json.loads(answer)["error"]["message"], answer
    assert call(here(room), {"command": "ping"})["ok"]


@case("a large input arrives whole")
def _(room):
    owner(room)
    room.pawl("deploy", "hello.yaml", "--db", "s.db").exits(0)
    room.file("large.json", json.dumps({"n": "x" * (3 << 20)}))
    shown = room.pawl("start", "hello", "--db", "s.db", "--input", "@large.json", "--json").exits(0).json()
    assert shown["output"] == {"n": "x" * (3 << 20)}


@case("many connections at once, more than are served side by side")
def _(room):
    owner(room)
    room.pawl("deploy", "hello.yaml", "--db", "s.db").exits(0)
    ids, failures = set(), []

    def work(number):
        try:
            answer = call(here(room), {"command": "start", "name": "hello", "input": {"n": number}})
            ids.add(answer["ok"]["id"])
        except Exception as error:  # pylint: disable=broad-except
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures and len(ids) == 60, (failures, len(ids))


@case("silent clients cost nobody else, and a wait ends when its client goes")
def _(room):
    owner(room)
    identity = call(here(room), {"command": "list"})["ok"]["instances"][0]["id"]
    silent = [connect(here(room)) for _ in range(8)]
    waiting = [connect(here(room)) for _ in range(7)]
    for client in waiting:
        client.sendall(json.dumps({"command": "wait", "id": identity, "timeoutMs": 600000}).encode() + b"\n")
    assert call(here(room), {"command": "ping"})["ok"]  # the sixteenth
    for client in silent + waiting:
        client.close()
    for _ in range(30):
        assert call(here(room), {"command": "ping"})["ok"]


@case("a wait through the owner times out, or answers when it is there")
def _(room):
    owner(room)
    identity = call(here(room), {"command": "list"})["ok"]["instances"][0]["id"]
    begun = time.monotonic()
    answer = call(here(room), {"command": "wait", "id": identity, "timeoutMs": 700})
    assert answer["error"]["code"] == "timeout" and time.monotonic() - begun >= 0.7, answer
    answer = call(here(room), {"command": "wait", "id": identity, "for": "idle", "timeoutMs": 60000})
    assert answer["ok"]["status"] == "waiting" and answer["ok"]["id"] == identity, answer


@case("an owner that closes answers what it has read, and ends the waits")
def _(room):
    process = owner(room)
    identity = call(here(room), {"command": "list"})["ok"]["instances"][0]["id"]
    waiting, silent = connect(here(room)), connect(here(room))
    waiting.sendall(json.dumps({"command": "wait", "id": identity, "timeoutMs": 600000}).encode() + b"\n")
    call(here(room), {"command": "ping"})
    begun = time.monotonic()
    process.send_signal(signal.SIGTERM)
    done = room.finish(process, timeout=30).exits(143)
    assert time.monotonic() - begun < 20, done.told()
    answer = b""
    while not answer.endswith(b"\n"):
        piece = waiting.recv(65536)
        assert piece, answer
        answer += piece
    assert json.loads(answer)["error"]["code"] == "timeout", answer
    assert silent.recv(10) == b""
    waiting.close()
    silent.close()


@case("a command that comes while owners change finds the next one")
def _(room):
    process = owner(room)
    room.pawl("deploy", "hello.yaml", "--db", "s.db").exits(0)
    starts = [room.start("start", "hello", "--db", "s.db", "--id", f"k{n}", "--json") for n in range(8)]
    process.send_signal(signal.SIGTERM)
    starts += [room.start("start", "hello", "--db", "s.db", "--id", f"k{n}", "--json") for n in range(8, 16)]
    for start in starts:
        assert room.finish(start).exits(0).json()["status"] == "completed"
    room.finish(process).exits(143)


@case("an owner that is killed while others wait at it leaves them the store")
def _(room):
    process = owner(room)
    room.file("short.yaml", "document: {dsl: 1.0.3, namespace: t, name: short, version: 1.0.0}\n"
              "do:\n  - nap: {wait: {seconds: 2}}\n  - done: {set: {done: true}}\n")
    waiting = room.start("run", "short.yaml", "--db", "s.db")
    until(lambda: "short" in room.pawl("ls", "--db", "s.db", "--status", "waiting").out, "the second instance")
    process.send_signal(signal.SIGKILL)
    room.finish(waiting).exits(0).prints('{\n  "done": true\n}\n')


@case("an owner without a socket is named, and the command gives 3")
def _(room):
    room.file("nap.yaml", NAP)
    room.file("s.db-sock", "in the way")
    process = room.start("run", "nap.yaml", "--db", "s.db")
    until(lambda: room.exists("s.db") and '"nap"' in room.pawl("ls", "--db", "s.db", "--json").out, "the owner")
    os.unlink(here(room) + "-sock")
    begun = time.monotonic()
    room.pawl("start", "nap", "--db", "s.db").exits(3).prints("").complains(f"process {process.pid}")
    assert 5 < time.monotonic() - begun < 60


if __name__ == "__main__":
    main()
