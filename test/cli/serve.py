#!/usr/bin/env python3
"""serve.py - `pawl serve` as a process: how it starts, what it says, reads its configuration again, and stops.

Nothing here waits for time: a stop is held up by something that would hold it for an hour, and ends all the same.
"""
import http.client
import http.server
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading

from harness import PAWL, ROOT, Skip, case, main, until
from web import Client

ASK = """document: {dsl: 1.0.3, namespace: t, name: ask, version: 1.0.0}
do:
  - ask:
      call: userTask
      with: {key: answer, title: well?}
  - keep: {set: {answer: '${ .answer }'}}
"""
STEPS = """document: {dsl: 1.0.3, namespace: t, name: steps, version: 1.0.0}
do:
  - each:
      for: {each: i, in: '${ [range(30)] }'}
      do:
        - nap: {wait: {milliseconds: 1}}
        - count: {set: {n: '${ .n }', at: '${ $i }'}}
"""
CALL = """document: {dsl: 1.0.3, namespace: t, name: call, version: 1.0.0}
do:
  - ask: {call: http, with: {method: post, endpoint: 'http://127.0.0.1:PORT/x', body: {n: '${ .n }'}}}
"""
NAP = """document: {dsl: 1.0.3, namespace: t, name: nap, version: 1.0.0}
do:
  - nap: {wait: {hours: 1}}
"""
JOB = """document: {dsl: 1.0.3, namespace: t, name: job, version: 1.0.0}
do:
  - work: {call: mail, with: {n: '${ .n }'}}
"""


class Served:
    """A running `pawl serve`; what it says on standard error is a file."""

    def __init__(self, room, *words, db="s.db", listen="127.0.0.1:0", **more):
        self.room, self.log = room, os.path.join(room.path, f"serve-{len(room.processes)}.log")
        with open(self.log, "wb") as log:
            self.process = room.start("serve", "--db", db, "--listen", listen, "--set", "Logging:Format=human", *words, stderr=log, **more)
        self.line = self.process.stdout.readline().decode()
        found = re.search(r"https?://(\[[^\]]+\]|[^:/\s\"]+):(\d+)", self.line)
        assert found, f"it did not listen: {self.line!r} {self.text()}"
        self.port = int(found.group(2))
        self.web = Client(found.group(1).strip("[]"), self.port)

    def text(self):
        with open(self.log, encoding="utf-8") as log:
            return log.read()

    def says(self, part):
        until(lambda: part in self.text(), f"{part!r} in the log")

    def signal(self, number):
        self.process.send_signal(number)

    def ended(self):
        """Its exit code, once it has ended; nothing came on standard output behind the line."""
        done = self.room.finish(self.process)
        assert done.out == "", done.told()
        return done.code

    def stop(self):
        self.signal(signal.SIGTERM)
        code = self.ended()
        assert code == 0, (code, self.text())
        assert self.text().endswith("INFO  server   stopped event=server.stopped\n"), self.text()


def unread(served):
    """A connection whose answer of some MiB nobody reads: it holds up a stop until the time is over."""
    text = "document: {dsl: 1.0.3, namespace: t, name: large, version: 1.0.0, summary: '" + "x" * (12 << 20) + "'}\n" \
           "do:\n  - a: {set: {b: 1}}\n"
    served.web.post("/v1/definitions", text, kind="application/yaml").gives(201)
    connection = socket.create_connection(("127.0.0.1", served.port), timeout=60)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.sendall(b"GET /v1/definitions/t/large HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/yaml\r\n\r\n")
    assert connection.recv(100).startswith(b"HTTP/1.1 200"), "an answer"
    return connection


@case("it prints one line, answers over HTTP and the store's socket, and SIGTERM ends it with 0")
def _(room):
    served = Served(room)
    assert re.fullmatch(r"listening at http://127\.0\.0\.1:[1-9]\d*\n", served.line), served.line
    served.web.get("/health/live").gives(200)
    served.web.get("/health/ready").gives(200)
    room.file("ask.yaml", ASK)
    room.pawl("deploy", "ask.yaml", "--db", "s.db").exits(0).says("t/ask 1.0.0 published")
    id = served.web.start("t/ask")["id"]
    room.pawl("ls", "--db", "s.db").exits(0).says(id)
    served.stop()
    said = [re.sub(r"^\S+Z (\w+) +(\w+) +(.*) event=(\S+)$", r"\1 \2 \4: \3", line) for line in served.text().splitlines()]
    assert [line for line in said if " server " in line] == [
        f"INFO server server.listening: listening at http://127.0.0.1:{served.port}, store {room.path}/s.db",
        "INFO server server.stopping: SIGTERM: stopping", "INFO server server.stopped: stopped"], served.text()
    assert not room.exists("s.db-sock")
    room.pawl("resume", id, "--key", "answer", "--data", '{"answer": 42}', "--until", "end", "--db", "s.db").exits(0)


@case("with --json the line is JSON, and SIGINT ends it as SIGTERM does")
def _(room):
    served = Served(room, "--json", db="memory:", listen="127.0.0.1:0,[::1]:0" if socket.has_ipv6 else "127.0.0.1:0,127.0.0.1:0")
    line = json.loads(served.line)
    assert sorted(line) == ["listening", "pid", "store"], line
    assert len(line["listening"]) == 2 and line["store"] == "" and line["pid"] == served.process.pid, line
    served.signal(signal.SIGINT)
    assert served.ended() == 0 and "SIGINT: stopping" in served.text(), served.text()


@case("bad settings, options and definitions end it with 2 before there is a store")
def _(room):
    room.file("bad.yaml", "Server: {Wrkers: 2}\n")
    room.file("wrong.yaml", "document: {}\n")
    room.pawl("serve", "--db", "s.db", "--config", "bad.yaml").exits(2).complains("did you mean 'Server:Workers'?")
    room.pawl("serve", "--db", "s.db", "--listen", "8080").exits(2).complains("flag: Server:Listen: '8080' must be ")
    room.pawl("serve", "--db", "s.db", "--tls-cert", "a.pem").exits(2).complains("is nothing without Server:Tls:Key")
    room.pawl("serve", "--db", "s.db", "--deploy", "wrong.yaml").exits(2).complains("wrong.yaml:1:")
    room.pawl("serve", "--db", "s.db", "--deploy", "none.yaml").exits(2).complains("cannot open 'none.yaml'")
    room.pawl("serve").exits(2).complains("which store?")
    room.pawl("serve", "--db", "oracle:x").exits(2).complains("this release knows no 'oracle:' stores")
    room.pawl("serve", "--db", "s.db", env={"Server__Port": "1"}).exits(2).complains("environment: Server:Port: there is no such key")
    assert not room.exists("s.db")
    room.file("no.pem", "no certificate\n")
    for name in ("no.pem", "missing.pem"):
        room.pawl("serve", "--db", "s.db", "--listen", "127.0.0.1:0", "--tls-cert", name, "--tls-key", name).exits(2).complains(name)


@case("an address that others reach needs tokens, or to be told that it is insecure")
def _(room):
    room.pawl("serve", "--db", "s.db", "--listen", "0.0.0.0:0").exits(2).complains("0.0.0.0", "nsecure")
    served = Served(room, "--insecure", listen="0.0.0.0:0")
    Client("127.0.0.1", served.port).get("/health/live").gives(200)
    served.says("insecure: whoever reaches it may do everything with the store")
    served.stop()


@case("an address that is taken and a store that is owned end it with 3")
def _(room):
    served = Served(room)
    room.pawl("serve", "--db", "other.db", "--listen", f"127.0.0.1:{served.port}").exits(3).complains(f"127.0.0.1:{served.port}")
    room.pawl("serve", "--db", "s.db", "--listen", "127.0.0.1:0").exits(3).complains("s.db", f"is owned by process {served.process.pid}")
    room.pawl("ls", "--db", "other.db").exits(0)  # left in order
    served.stop()


@case("definitions are published before it listens, and again is no mistake")
def _(room):
    room.file("ask.yaml", ASK)
    room.file("nap.yaml", NAP)
    served = Served(room, "--deploy", "ask.yaml", "--deploy", "nap.yaml")
    assert "published t/ask 1.0.0" in served.text() and "published t/nap 1.0.0" in served.text(), served.text()
    served.web.start("t/nap")
    served.stop()
    served = Served(room, "--deploy", "ask.yaml")
    assert "published" not in served.text(), served.text()
    served.stop()
    room.file("ask.yaml", ASK.replace("well?", "why?"))
    room.pawl("serve", "--db", "s.db", "--listen", "127.0.0.1:0", "--deploy", "ask.yaml").exits(2).complains("ask.yaml", "1.0.0")


@case("closed standard streams are no trouble")
def _(room):
    with open(os.path.join(room.path, "out"), "wb") as out:
        process = room.start("-c", f'exec "{PAWL}" serve --db s.db --listen 127.0.0.1:0 <&- 2>&-', program="sh", stdout=out)
    line = until(lambda: open(os.path.join(room.path, "out"), "rb").read().decode(), "the line")
    Client("127.0.0.1", int(line.rsplit(":", 1)[1])).get("/health/live").gives(200)
    process.terminate()
    room.finish(process).exits(0)
    process = room.start("-c", f'exec "{PAWL}" serve --db s.db --listen 127.0.0.1:0 >&-', program="sh")
    until(lambda: b"listening at" in process.stderr.readline(), "the log")
    process.terminate()
    room.finish(process).exits(0)


@case("HTTPS from PEM files")
def _(room):
    import ssl  # pylint: disable=import-outside-toplevel
    made = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
                           "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "k.pem", "-out",
                           "c.pem"], cwd=room.path, capture_output=True, check=False)
    assert made.returncode == 0, made.stderr
    served = Served(room, "--tls-cert", "c.pem", "--tls-key", "k.pem")
    assert served.line.startswith("listening at https://127.0.0.1:"), served.line
    trusted = ssl.create_default_context(cafile=os.path.join(room.path, "c.pem"))
    connection = http.client.HTTPSConnection("127.0.0.1", served.port, context=trusted, timeout=60)
    connection.request("GET", "/health/ready")
    assert connection.getresponse().status == 200
    served.stop()


# ---- reading the configuration again


@case("SIGHUP takes what can change, names what cannot, and keeps all if something is wrong")
def _(room):
    room.file("pawl.yaml", "Server: {MaxWait: 10s, Workers: 4}\nJobs: {Functions: {mail: {Rate: 5}}}\n")
    served = Served(room, "--config", "pawl.yaml", "--set", "Server:IdleTimeout=40s")
    room.file("pawl.yaml", "Server: {MaxWait: 20s, Workers: 5, IdleTimeout: 1s, ShutdownTimeout: 9s}\n"
                           "Jobs: {Functions: {mail: {Rate: 90/m, MaxConcurrent: 3}}}\n")
    served.signal(signal.SIGHUP)
    served.says("waits for a restart: Server:Workers from 4 to 5")
    lines = [re.fullmatch(r"\S+ INFO  server   (.*) event=server\.(reload|setting)", line) for line in served.text().splitlines()]
    lines = [line.group(1) for line in lines if line]
    assert lines == ["the configuration was read again", 'changed: Server:MaxWait from "00:00:10" to "00:00:20"',
                     'changed: Server:ShutdownTimeout from "00:00:10" to "00:00:09"',
                     "changed: Jobs:Functions:mail:Rate from 5 to 1.5", "changed: Jobs:Functions:mail:MaxConcurrent from null to 3",
                     "waits for a restart: Server:Workers from 4 to 5"], lines
    room.file("pawl.yaml", "Server: {MaxWait: 0s}\n")
    served.signal(signal.SIGHUP)
    served.says("the configuration was not taken: it stays as it was")
    assert "pawl.yaml:1: Server:MaxWait: '0s' must be a duration from 00:00:00.001 to 1.00:00:00" in served.text(), served.text()
    os.remove(os.path.join(room.path, "pawl.yaml"))
    served.signal(signal.SIGHUP)
    served.says("cannot open the configuration 'pawl.yaml'")
    served.web.get("/health/ready").gives(200)
    served.stop()


@case("a limit of jobs that is read again holds from then on")
def _(room):
    room.file("job.yaml", JOB)
    room.file("pawl.yaml", "Jobs: {Functions: {mail: {MaxConcurrent: 1}}}\n")
    served = Served(room, "--config", "pawl.yaml", "--deploy", "job.yaml")
    for n in range(5):
        served.web.start("t/job", input={"n": n})

    def poll():
        return served.web.post("/v1/jobs/poll", {"functions": ["mail"], "worker": "w", "max": 9, "leaseMs": 3600000}).gives(200).json["jobs"]

    assert len(until(poll, "a job")) == 1
    assert poll() == []
    room.file("pawl.yaml", "Jobs: {Functions: {mail: {MaxConcurrent: 3}}}\n")
    served.signal(signal.SIGHUP)
    served.says("changed: Jobs:Functions:mail:MaxConcurrent from 1 to 3")
    assert len(poll()) == 2
    room.file("pawl.yaml", "{}\n")
    served.signal(signal.SIGHUP)
    served.says("changed: Jobs:Functions:mail:MaxConcurrent from 3 to null")
    assert len(poll()) == 2
    served.stop()


# ---- who started it wants to know


class Notified:
    """The socket of a service manager."""

    def __init__(self, room, name="notify"):
        self.path = os.path.join(room.path, name) if name else "\0pawl-test-" + os.path.basename(room.path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.settimeout(60)
        self.socket.bind(self.path)
        self.env = {"NOTIFY_SOCKET": self.path.replace("\0", "@")}

    def next(self):
        return self.socket.recv(4096).decode()


@case("a service manager is told of readiness, reloading and stopping, by a path or an abstract name")
def _(room):
    for name in ("notify", ""):
        manager = Notified(room, name)
        served = Served(room, env=manager.env)
        assert manager.next() == "READY=1"
        served.signal(signal.SIGHUP)
        assert re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=\d+", manager.next())
        assert manager.next() == "READY=1"
        served.stop()
        assert manager.next() == "STOPPING=1"
        manager.socket.close()


@case("a service manager that wants signs of life gets them, and nobody does of whom they are not wanted")
def _(room):
    manager = Notified(room)
    served = Served(room, env={**manager.env, "WATCHDOG_USEC": "20000"})
    assert [manager.next() for _ in range(4)] == ["READY=1", "WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1"]
    served.signal(signal.SIGTERM)
    assert served.ended() == 0
    manager.socket.close()
    os.remove(manager.path)
    manager = Notified(room)
    served = Served(room, env={**manager.env, "WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"})
    served.stop()
    assert [manager.next(), manager.next()] == ["READY=1", "STOPPING=1"]


@case("the unit of systemd is one, and its command is one of ours")
def _(room):
    with open(os.path.join(ROOT, "dist", "pawl.service"), encoding="utf-8") as file:
        unit = file.read()
    words = re.search(r"^ExecStart=/usr/bin/pawl (.*)$", unit, re.MULTILINE).group(1).split()
    assert words == ["serve", "--config", "/etc/pawl/pawl.yaml", "--db", "sqlite:/var/lib/pawl/pawl.db"], words
    words[0], words[2] = "config", os.path.join(ROOT, "dist", "pawl.yaml")
    room.pawl(*words).exits(0).silent()
    if not shutil.which("systemd-analyze"):
        raise Skip("systemd-analyze is not installed")
    room.file("pawl.service", unit.replace("/usr/bin/pawl", "/bin/true"))
    room.finish(room.start("verify", "--man=no", "./pawl.service", program="systemd-analyze")).exits(0).silent()


# ---- stopping


class Hanging:
    """A service that takes requests and answers none until it is told to; it keeps what it heard."""

    def __init__(self):
        self.keys, self.let_go = [], threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                outer.keys.append(self.headers["Idempotency-Key"])
                self.rfile.read(int(self.headers["Content-Length"]))
                outer.let_go.wait(60)
                try:
                    self.send_response(200)
                    self.send_header("Content-Type", "application/json")
                    self.end_headers()
                    self.wfile.write(b'{"done": true}')
                except OSError:
                    pass  # the caller was stopped

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def ask(served, method, path, body=None):
    """A request that has been sent, as a connection."""
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=60)
    served.web.send(connection, method, path, body)
    return connection


def all_wait(served):
    """One worker, first come first served: what was asked before waits by now."""
    served.web.get("/health/live").gives(200)


def busy(room, service, *words):
    """A server in which steps run, calls are in flight, people and timers are waited for, and requests wait."""
    for name, text in (("ask", ASK), ("steps", STEPS), ("nap", NAP), ("call", CALL.replace("PORT", str(service.port)))):
        room.file(f"{name}.yaml", text)
    served = Served(room, "--set", "Server:Workers=1", *words, *[word for name in ("ask", "steps", "nap", "call") for word in ("--deploy", name + ".yaml")])
    ids = {name: [served.web.start(f"t/{name}", input={"n": n})["id"] for n in range(5)] for name in ("ask", "steps", "nap", "call")}
    until(lambda: len(service.keys) == 5, "five calls in flight")
    waiting = [ask(served, "GET", f"/v1/instances/{ids['nap'][0]}/output?wait=60s"),
               ask(served, "GET", f"/v1/instances/{ids['ask'][0]}?wait=60s")]
    all_wait(served)
    return served, ids, waiting


def all_go_on(room, served, service, ids):
    """What was there before goes on: no instance is missing, calls are sent again with the same keys."""
    before = sorted(service.keys[:5])
    service.let_go.set()
    for id in ids["steps"] + ids["call"]:
        answer = served.web.get(f"/v1/instances/{id}/output?wait=60s").gives(200)
        assert answer.json, answer.told()
    assert sorted(set(service.keys)) == before, (before, service.keys)
    for id in ids["ask"]:
        served.web.post(f"/v1/instances/{id}/bookmarks/answer/resume", {"data": {"answer": 1}}).gives(200)
        assert served.web.get(f"/v1/instances/{id}/output?wait=60s").gives(200).json == {"answer": 1}
    for id in ids["nap"]:
        assert served.web.get(f"/v1/instances/{id}").gives(200).json["status"] == "waiting"


@case("SIGTERM while steps run, calls are in flight and requests wait: these are answered, nothing is lost, a restart goes on")
def _(room):
    service = Hanging()
    served, ids, waiting = busy(room, service, "--set", "Server:ShutdownTimeout=1h")
    served.stop()
    answers = [connection.getresponse() for connection in waiting]
    assert [answer.status for answer in answers] == [409, 200], [answer.read() for answer in answers]
    again = Served(room)
    all_go_on(room, again, service, ids)
    again.stop()


@case("SIGKILL loses nothing either")
def _(room):
    service = Hanging()
    served, ids, _ = busy(room, service)
    served.signal(signal.SIGKILL)
    assert served.ended() == -signal.SIGKILL
    again = Served(room)
    all_go_on(room, again, service, ids)
    again.stop()


@case("a client that does not read holds up a stop no longer than its time, and nothing is lost")
def _(room):
    service = Hanging()
    served, ids, _ = busy(room, service, "--set", "Server:ShutdownTimeout=2s", "--set", "Server:IdleTimeout=1h",
                          "--set", "Server:RequestTimeout=1h")
    held = unread(served)
    served.signal(signal.SIGTERM)
    assert served.ended() == 0, served.text()
    held.close()
    again = Served(room)
    all_go_on(room, again, service, ids)
    again.stop()


@case("the second signal ends it at once, and loses nothing")
def _(room):
    service = Hanging()
    for number, code in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
        served, ids, _ = busy(room, service, "--set", "Server:ShutdownTimeout=1h", "--set", "Server:IdleTimeout=1h")
        held = unread(served)
        served.signal(signal.SIGTERM)
        served.says("SIGTERM: stopping")
        served.signal(number)
        assert served.ended() == code, served.text()
        held.close()
        again = Served(room)
        all_go_on(room, again, service, ids)
        again.stop()
        service = Hanging()
        os.remove(os.path.join(room.path, "s.db"))


@case("while it stops it takes no new connection, and health says so on one that is there")
def _(room):
    served = Served(room, "--set", "Server:ShutdownTimeout=1h", "--set", "Server:IdleTimeout=1h")
    held = unread(served)
    served.signal(signal.SIGTERM)
    served.says("SIGTERM: stopping")

    def refused():
        try:
            answer = served.web.get("/health/ready")
            return answer.status == 503
        except (ConnectionError, http.client.HTTPException):
            return True

    until(refused, "a refusal")
    held.close()
    assert served.ended() == 0, served.text()


@case("a command by the store's socket that comes while it stops is carried out by the next owner: itself")
def _(room):
    room.file("ask.yaml", ASK)
    served = Served(room, "--deploy", "ask.yaml", "--set", "Server:ShutdownTimeout=1h", "--set", "Server:IdleTimeout=1h")
    held = unread(served)
    served.signal(signal.SIGTERM)
    until(lambda: not room.exists("s.db-sock"), "the end of the socket")
    late = room.start("start", "t/ask", "--db", "s.db", "--no-wait")
    held.close()
    assert served.ended() == 0, served.text()
    room.finish(late).exits(0)
    assert room.pawl("ls", "--db", "s.db").exits(0).out.count("t/ask 1.0.0") == 1


@case("what was answered with success while it was stopped is there after it")
def _(room):
    room.file("steps.yaml", STEPS)
    served = Served(room, "--deploy", "steps.yaml")
    answered, stop = [], threading.Event()

    def client(number):
        n = 0
        while not stop.is_set():
            try:
                answer = served.web.post("/v1/instances", {"name": "t/steps", "input": {"n": n}},
                                         headers={"Idempotency-Key": f"{number}-{n}"}, timeout=60)
            except (OSError, http.client.HTTPException):
                return  # it has stopped
            if answer.status == 201:
                answered.append(answer.json["id"])
            n += 1

    threads = [threading.Thread(target=client, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    until(lambda: len(answered) > 50, "fifty starts")
    served.signal(signal.SIGTERM)
    assert served.ended() == 0, served.text()
    stop.set()
    for thread in threads:
        thread.join()
    again = Served(room)
    for id in answered:
        assert again.web.get(f"/v1/instances/{id}/output?wait=60s").gives(200).json["n"] >= 0
    total = again.web.get("/v1/instances/count").gives(200).json["total"]
    assert total >= len(answered), (total, len(answered))
    again.stop()


@case("a job that is leased when it stops is completed after the restart, by the token of before")
def _(room):
    room.file("job.yaml", JOB)
    served = Served(room, "--deploy", "job.yaml", "--set", "Server:Workers=1")
    id = served.web.start("t/job", input={"n": 7})["id"]
    poll = {"functions": ["mail"], "worker": "w", "leaseMs": 3600000, "waitMs": 60000}
    job = served.web.post("/v1/jobs/poll", poll).gives(200).json["jobs"][0]
    waiting = ask(served, "POST", "/v1/jobs/poll", {"functions": ["mail"], "worker": "w", "waitMs": 60000})
    all_wait(served)
    served.stop()
    answer = waiting.getresponse()
    assert answer.status == 200 and json.load(answer)["jobs"] == []
    again = Served(room)
    again.web.post("/v1/jobs/complete", {"token": job["token"], "result": {"sent": 7}}).gives(200)
    assert again.web.get(f"/v1/instances/{id}/output?wait=60s").gives(200).json == {"sent": 7}
    again.stop()


if __name__ == "__main__":
    main()
