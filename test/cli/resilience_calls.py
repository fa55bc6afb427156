#!/usr/bin/env python3
"""resilience_calls.py - the two phases of an external call when the process is killed between them: of a real process, with
SIGKILL; what the service gets afterwards, and what the store says."""
import os
import signal
import sqlite3

from harness import Room, Skip, case, main, until
from outside import HOLD, Outside

Room.settings = {"PAWL_EGRESS_ALLOW": "loopback", "WorkflowResilience__ExternalCall__BaseDelay": "00:00:00.001",
                 "WorkflowResilience__ExternalCall__MaxDelay": "00:00:00.001"}


def pay(room, outside, resilience=""):
    metadata = f", metadata: {{pawl: {{resilience: {{{resilience}}}}}}}" if resilience else ""
    return room.file("pay.yaml", f"""document: {{dsl: 1.0.3, namespace: t, name: pay, version: 1.0.0}}
do:
  - pay: {{call: http, with: {{method: post, endpoint: '{outside.url("/pay")}', body: {{n: 1, big: 12345678901234567890}}}}{metadata}}}
""")


def begin(room, file, fault=None):
    room.pawl("deploy", file, "--db", "pawl.db").exits(0)
    env = {"PAWL_FAULT": fault} if fault else None
    return room.start("run", file, "--db", "pawl.db", "--id", "one", env=env)


def kill(process):
    process.send_signal(signal.SIGKILL)
    assert process.wait(60) == -signal.SIGKILL
    process.communicate()


def goes_on(room, file):
    """The same command again: the same instance, which goes on."""
    return room.pawl("run", file, "--db", "pawl.db", "--id", "one")


def rows(room, sql):
    store = sqlite3.connect(f"file:{room.path}/pawl.db?mode=ro", uri=True)
    try:
        return store.execute(sql).fetchall()
    finally:
        store.close()


def same(requests):
    """Each is the first again, byte for byte."""
    first = requests[0]
    assert first.key, first.headers
    for other in requests[1:]:
        assert (other.method, other.path, other.body) == (first.method, first.path, first.body), other.body
        assert other.headers.items() == first.headers.items(), (other.headers.items(), first.headers.items())
    assert first.body == b'{"n":1,"big":12345678901234567890}', first.body


@case("killed between send and result, the call is sent again with the same key and the same bytes")
def _(room):
    with Outside([HOLD, HOLD, (200, {"paid": True})]) as outside:
        file = pay(room, outside)
        process = begin(room, file)
        outside.wait(1)
        assert rows(room, "SELECT state, attempts FROM external_call") == [("pending", 1)]
        kill(process)
        process = room.start("run", file, "--db", "pawl.db", "--id", "one")
        outside.wait(2)
        kill(process)
        done = goes_on(room, file).exits(0)
        assert done.json() == {"paid": True}, done.told()
        assert len(outside.requests) == 3
        same(outside.requests)
        assert rows(room, "SELECT state FROM external_call") == [("completed",)]
        assert rows(room, "SELECT count(*) FROM instance") == [(1,)]


def at_point(room, point, sent, state):
    """Killed there; `sent`: so many requests until then."""
    with Outside() as outside:
        file = pay(room, outside)
        done = room.finish(begin(room, file, point + ":1"))
        if done.code != -signal.SIGKILL:
            raise Skip("this build has no fault points")
        assert len(outside.requests) == sent, len(outside.requests)
        assert rows(room, "SELECT state FROM external_call") == state
        done = goes_on(room, file).exits(0)
        assert done.json() == {"ok": True}, done.told()
        assert len(outside.requests) == sent + 1
        same(outside.requests)
        assert rows(room, "SELECT state FROM external_call") == [("completed",)]


@case("killed between intent and send, the call is sent once")
def _(room):
    at_point(room, "http-before-send", 0, [("pending",)])


@case("killed after the commit of the intent, the call is sent once")
def _(room):
    at_point(room, "engine-before-act", 0, [("pending",)])


@case("killed before the commit of the intent, nothing was sent and nothing is there")
def _(room):
    at_point(room, "store-before-commit", 0, [])


@case("killed between answer and commit of the result, the call is sent again with the same key")
def _(room):
    at_point(room, "http-before-result", 1, [("pending",)])


def unknown(room, how):
    """A call whose process was killed while it ran, with this onUnknownOutcome."""
    outside = Outside([HOLD])
    file = pay(room, outside, f"onUnknownOutcome: {how}")
    process = begin(room, file)
    outside.wait(1)
    kill(process)
    return outside, file


@case("an outcome that nobody knows after a kill is asked of a person, and sent again when he says so")
def _(room):
    with unknown(room, "ask")[0] as outside:
        done = goes_on(room, room.path + "/pay.yaml").exits(1)
        assert "unknown" in done.err, done.told()
        assert len(outside.requests) == 1
        assert rows(room, "SELECT state FROM external_call") == [("unknown",)]
        one, = room.pawl("incidents", "--db", "pawl.db", "--json").exits(0).json()["incidents"]
        assert (one["class"], one["task"], one["open"]) == ("unknown-outcome", "/do/0/pay", True), one
        assert f"pawl retry {one['instance']}" in one["recommendedAction"], one
        room.pawl("retry", one["instance"], "--reason", "it had no effect", "--db", "pawl.db").exits(0)
        done = goes_on(room, room.path + "/pay.yaml").exits(0)
        assert done.json() == {"ok": True}, done.told()
        assert len(outside.requests) == 2
        same(outside.requests)


@case("an outcome that nobody knows after a kill is an error, if the task says so")
def _(room):
    with unknown(room, "fault")[0] as outside:
        goes_on(room, room.path + "/pay.yaml").exits(1).complains("the outcome of the call is unknown")
        assert len(outside.requests) == 1
        assert rows(room, "SELECT state FROM external_call") == [("unknown",)]


@case("killed again and again, no call is in progress for ever and attempts are counted")
def _(room):
    with Outside([503, HOLD, 503, HOLD, (200, {"paid": True})]) as outside:
        file = pay(room, outside)
        process = begin(room, file)
        outside.wait(2)
        kill(process)
        process = room.start("run", file, "--db", "pawl.db", "--id", "one")
        outside.wait(4)
        kill(process)
        done = goes_on(room, file).exits(0)
        assert done.json() == {"paid": True}, done.told()
        assert len(outside.requests) == 5
        same(outside.requests)
        assert rows(room, "SELECT state FROM external_call") == [("completed",)]
        assert rows(room, "SELECT json_extract(entry, '$.attempt') FROM execution_log WHERE"
                          " json_extract(entry, '$.type') = 'attempt.failed'") == [(1,), (2,)]


@case("a retry that waits is over at its instant in whichever process, or when somebody says so")
def _(room):
    slow = {"WorkflowResilience__ExternalCall__BaseDelay": "01:00:00", "WorkflowResilience__ExternalCall__MaxDelay": "01:00:00"}
    with Outside([(503, None, {"Retry-After": "3600"})]) as outside:
        file = pay(room, outside)
        process = room.start("run", file, "--db", "pawl.db", "--id", "one", env=slow)
        until(lambda: os.path.exists(room.path + "/pawl.db") and outside.requests and
              rows(room, "SELECT wake_at - updated_ms FROM instance") == [(3600000,)], "the delay")
        kill(process)
        process = room.start("run", file, "--db", "pawl.db", "--id", "one")  # whose delays are short
        one, = rows(room, "SELECT id FROM instance")[0]
        until(lambda: os.path.exists(room.path + "/pawl.db-sock") or process.poll() is not None, "the owner")
        shown = room.pawl("show", one, "--json", "--db", "pawl.db").exits(0).json()
        assert shown["status"] == "waiting" and len(outside.requests) == 1, shown
        room.pawl("retry", one, "--reason", "it is mended", "--db", "pawl.db").exits(0)
        done = room.finish(process).exits(0)
        assert done.json() == {"ok": True} and len(outside.requests) == 2, done.told()
        same(outside.requests)


if __name__ == "__main__":
    main()
