#!/usr/bin/env python3
"""process_log.py - the log of a real server: its lines, what is never in them, and its levels at run time."""
import json
import os
import re
import signal
import socket

from harness import ROOT, case, main, until
from service import Service
from web import serve

SECRET = "hunter2"
CALL = """document: {dsl: 1.0.3, namespace: t, name: call, version: 1.0.0}
do:
  - ask: {call: http, with: {method: post, endpoint: 'URL/x?token=hunter2', headers: {X-Key: hunter2}, body: {n: '${ .n }'}}}
  - keep: {set: {secret: '${ .why }', n: hunter2}}
"""


class Logged:
    """A server whose standard error is a file."""

    def __init__(self, room, *words, **more):
        self.path = os.path.join(room.path, "log")
        with open(self.path, "wb") as log:
            self.web = serve(room, *words, stderr=log, **more)

    def text(self):
        with open(self.path, encoding="utf-8") as log:
            return log.read()

    def lines(self):
        whole, _, _ = self.text().rpartition("\n")  # what is written at this moment may be seen in part
        return [json.loads(line) for line in whole.splitlines()]

    def events(self):
        return [line["event"] for line in self.lines()]

    def says(self, event):
        return until(lambda: [line for line in self.lines() if line["event"] == event], event)


@case("each line is a JSON object, and those about an instance have its three ids")
def _(room):
    service = Service()
    logged = Logged(room, settings={"Logging:Level": "debug"})
    logged.web.deploy(CALL.replace("URL", service.url))
    id = logged.web.start("t/call", 201, "?wait=30s", headers={"X-Correlation-ID": "order-7"}, input={"n": 1})["id"]
    assert logged.web.stop().code == 0
    lines = logged.lines()
    for line in lines:
        assert list(line)[:5] == ["time", "level", "component", "event", "message"], line
        assert "instance" not in line or (line["correlation"] == "order-7" and len(line["trace"]) == 32), line
    about = [line for line in lines if line.get("instance") == id]
    assert [line["status"] for line in about if line["event"] == "call.ended"] == [200], about
    assert [line["entry"] for line in about if line["event"] == "step.entry"][0] == "instance.started", about
    assert {line["trace"] for line in about} == {about[0]["trace"]}, about
    served = [line for line in lines if line["event"] == "request.answered"]
    assert [(line["route"], line["status"]) for line in served] == [("deploy", 201), ("start", 201)], served
    assert lines[-1]["event"] == "server.stopped", lines[-1]


@case("no secret is in a line: of inputs, headers, addresses, answers, tokens, settings")
def _(room):
    service = Service()
    service.answer = 400
    logged = Logged(room, settings={"Logging:Level": "debug", "Tracing:Headers": "key=" + SECRET, "Tracing:Endpoint": "http://u:hunter2@127.0.0.1:9"})
    web = logged.web
    web.deploy(CALL.replace("URL", service.url.replace("//", "//me:hunter2@")))
    id = web.start("t/call", 201, input={"n": SECRET})["id"]
    until(lambda: web.get("/v1/instances/" + id).json["status"] == "faulted", "the fault")
    web.post(f"/v1/instances/{id}/edit", {"patch": [{"op": "add", "path": "/a", "value": SECRET}], "reason": SECRET})
    web.post(f"/v1/instances/{id}/fail", {"reason": SECRET}).gives(200)
    web.get(f"/v1/instances/{SECRET}?wait={SECRET}")
    web.get(f"/{SECRET}")
    web.by(SECRET).get("/v1/instances")
    web.post("/v1/instances", SECRET)
    web.post("/v1/tokens", {"name": "ann", "roles": [], "note": SECRET})
    web.post("/v1/log-level", {"level": SECRET}).gives(400)
    assert web.stop().code == 0
    assert "incident.opened" in logged.events() and "incident.resolved" in logged.events() and "call.ended" in logged.events(), logged.events()
    assert SECRET not in logged.text(), [line for line in logged.text().splitlines() if SECRET in line]


@case("levels are changed while it runs: by command, by route, and by SIGHUP")
def _(room):
    logged = Logged(room, settings={"Logging:Level": "warning"})
    web = logged.web
    room.pawl("log-level", "--db", "pawl.db").exits(0).prints("warning\n")
    web.get("/v1/state").gives(200)
    room.pawl("log-level", "warning,server=debug", "--db", "pawl.db").exits(0).prints("warning,server=debug\n")
    web.get("/v1/state").gives(200)
    assert [line["route"] for line in logged.says("request.answered")] == ["getState"]
    assert web.post("/v1/log-level", {"level": "error"}).gives(200).json == {"level": "error"}
    room.pawl("log-level", "--server", f"http://127.0.0.1:{web.port}", "--json").exits(0).prints('{"level":"error"}\n')
    room.pawl("log-level", "loud", "--db", "pawl.db").exits(2).complains("'loud' is no level: off, error, warning, info and debug are")
    web.post("/v1/log-level", {}).gives(200)
    web.post("/v1/log-level", {"level": 1}).gives(400)
    room.file("settings.json", json.dumps({"Logging": {"Level": "info"}}))
    web.process.send_signal(signal.SIGHUP)
    until(lambda: web.get("/v1/log-level").json == {"level": "info"}, "the level")
    room.file("settings.json", json.dumps({"Logging": {"Level": "http=loud"}}))
    web.process.send_signal(signal.SIGHUP)
    logged.says("server.configuration")
    assert web.get("/v1/log-level").json == {"level": "info"}
    assert web.stop().code == 0


@case("where nobody owns the store there are no levels, and a store is not made")
def _(room):
    room.pawl("log-level", "--db", "none.db").exits(3).complains("nobody takes commands for the store 'none.db': no server owns it")
    assert not room.exists("none.db")
    web = serve(room)
    web.process.kill()
    web.process.wait()
    assert room.exists("pawl.db-sock")
    room.pawl("log-level", "debug", "--db", "pawl.db").exits(3).complains("no server owns it")
    room.pawl("serve", "--db", "s.db", "--set", "Logging:Level=loud").exits(2).complains(
        "flag: Logging:Level: 'loud' must be off, error, warning, info or debug, and COMPONENT=LEVEL behind it, with commas")
    room.pawl("serve", "--db", "s.db", "--set", "Logging:Format=xml").exits(2).complains("must be auto, json, human or journal")
    assert not room.exists("s.db")


@case("who waits for the answer of an owner that hangs is let go by one signal")
def _(room):
    with socket.socket(socket.AF_UNIX) as owner:  # takes commands, and answers none
        owner.bind(os.path.join(room.path, "h.db-sock"))
        owner.listen()
        waiting = room.start("log-level", "--db", "h.db")
        connection, _ = owner.accept()
        assert b"log-level" in connection.recv(1000)
        waiting.send_signal(signal.SIGINT)
        room.finish(waiting).exits(130)
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = "http://127.0.0.1:%d" % server.getsockname()[1]
        for words in (["metrics"], ["health"], ["doctor"], ["sinks"], ["deadletter", "list"], ["log-level"]):
            waiting = room.start(*words, "--server", url)
            connection, _ = server.accept()
            assert connection.recv(4)
            waiting.send_signal(signal.SIGINT)
            room.finish(waiting).exits(130)


@case("each event that the source names is in the manual")
def _(_room):
    found = set()
    for folder, _, names in os.walk(os.path.join(ROOT, "src")):
        for name in names:
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                text = file.read() if name.endswith(".c") else ""
            if re.search("PW_LOG|pawl_logging_line", text):
                found |= set(re.findall(r'(?:PW_LOG_[A-Z]+, "[a-z]+",\s*|say\(live, .*, |say_as\(.*, |say_printf\(.*, |push_own\(.*, |logging_line\(.*, '
                                        r'|event = |\] = |\? | : )"([a-z]+[.][a-z-]+|finding)"', text))
    with open(os.path.join(ROOT, "doc", "logging.md"), encoding="utf-8") as file:
        table = file.read().split("## Events")[1].split("## In a program")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    manual = set(word for row in rows for word in re.findall(r"`([^`]+)`", row))
    assert len(found) > 30, found
    assert found <= manual, found - manual


@case("a log that nobody reads holds nothing up")
def _(room):
    ends = os.pipe()
    web = serve(room, settings={"Logging:Level": "debug"}, stderr=ends[1])
    os.close(ends[1])
    for _ in range(6):  # of each some 200 bytes: 64 KiB are in the pipe, and half a MiB in the ring
        connection = web.connect()
        for _ in range(1000):
            web.send(connection, "GET", "/health/live")
            assert connection.getresponse().read() != b""
        connection.close()
    web.process.send_signal(signal.SIGTERM)
    assert web.process.wait(60) == 0  # two seconds are waited for the reader, and not more
    with os.fdopen(ends[0], "rb") as log:
        text = log.read()
    assert text.startswith(b'{"time":') and len(text) <= 65536, len(text)


if __name__ == "__main__":
    main()
