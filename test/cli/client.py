#!/usr/bin/env python3
"""client.py - the command as a client of a server: what it sends, what it does when the way is bad, how it waits and follows."""
import http.server
import json
import os
import shutil
import signal
import socket
import threading

from harness import Skip, case, main, until
from web import serve

HELLO = """document: {dsl: 1.0.3, namespace: t, name: hello, version: 1.0.0}
do:
  - greet: {set: {n: '${ .n }'}}
"""
ASK = """document: {dsl: 1.0.3, namespace: t, name: ask, version: 1.0.0}
do:
  - ask:
      call: userTask
      with: {key: answer, title: well?}
  - keep: {set: {answer: '${ .answer }'}}
"""
NAP = """document: {dsl: 1.0.3, namespace: t, name: nap, version: 1.0.0}
do:
  - nap: {wait: PT2S}
  - rest: {set: {rested: true}}
"""


def url(server):
    return f"http://{server.host}:{server.port}"


class Fake:
    """A server that says what a case wants it to: `answers` are (status, headers, body) or "drop", one for each request; the
    last one again and again."""

    def __init__(self, *answers):
        self.requests, fake = [], self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                answer = answers[min(len(fake.requests), len(answers) - 1)]
                fake.requests.append((self.path, dict(self.headers), json.loads(body)))
                if answer == "drop":
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True
                    return
                status, headers, text = answer
                text = text.encode()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def ok(value, **headers):
    return 200, headers, json.dumps({"ok": value})


STARTED = {"id": "i1", "existed": False}
SHOWN = {"id": "i1", "status": "completed", "namespace": "t", "name": "hello", "version": "1.0.0", "token": 1,
         "output": {"n": 1}}


@case("a server that cannot be reached is trouble, and said so in words")
def _(room):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    room.pawl("ls", "--server", f"http://127.0.0.1:{port}").exits(3).complains("connection refused", "pawl serve").prints("")
    room.pawl("ls", "--server", "http://no-such-host.invalid").exits(3).complains("cannot find the server", "--server")
    done = room.pawl("ls", "--json", "--server", f"http://127.0.0.1:{port}").exits(3)
    assert json.loads(done.err)["error"]["code"] == "io", done.told()


@case("words that contradict each other, or a server that is none, are bad usage")
def _(room):
    room.file("token", "pawl_x\n")
    for words, says in ((["ls", "--server", "ftp://x"], "http://HOST:PORT"), (["ls", "--server", "http://"], "http://HOST:PORT"),
                        (["ls", "--server", "http://me:secret@x"], "--token"),
                        (["ls", "--server", "http://x", "--db", "s.db"], "contradict"),
                        (["--server", "http://x", "migrate"], "no option '--server'"),
                        (["ls", "--db", "s.db", "--token", "t"], "--token is for a server"),
                        (["ls", "--server", "http://x", "--token", "t", "--token-file", "token"], "contradict"),
                        (["ls", "--server", "http://x", "--token-file", "none"], "cannot open 'none'"),
                        (["ls", "--server", "http://x", "--token", "a b"], "no token has"),
                        (["ls", "--server", ""], "'--server' needs URL"), (["ls", "--server", "http://x", "--server", "http://y"], "twice"),
                        (["start", "x", "--server", "http://x", "--actor", "eve"], "--actor")):
        room.pawl(*words).exits(2).complains(says).prints("")


@case("the environment names a server, which goes before a store; an option goes before both")
def _(room):
    room.file("hello.yaml", HELLO)
    server = serve(room)
    env = {"PAWL_SERVER": url(server), "PAWL_DB": "other.db"}
    room.pawl("deploy", "hello.yaml", env=env).exits(0)
    assert not room.exists("other.db")
    assert [d["name"] for d in room.pawl("definitions", "--json", env=env).exits(0).json()["definitions"]] == ["hello"]
    room.pawl("deploy", "hello.yaml", "--db", "mine.db", env=env).exits(0)
    assert room.exists("mine.db")
    room.pawl("migrate", env={"PAWL_SERVER": url(server), "PAWL_DB": "mine.db"}).exits(0).says("is current")


@case("run over a server deploys, starts, waits and prints, as it does on a store")
def _(room):
    room.file("hello.yaml", HELLO)
    room.file("fails.yaml", "document: {dsl: 1.0.3, namespace: t, name: fails, version: 1.0.0}\n"
              "do:\n  - no: {raise: {error: {type: 'http://e/x', status: 418, title: No}}}\n")
    server = serve(room)
    room.pawl("run", "hello.yaml", "--input", '{"n": 1.50}', "--server", url(server)).exits(0).prints('{\n  "n": 1.50\n}\n').silent()
    room.pawl("run", "fails.yaml", "--server", url(server)).exits(1).prints("").complains('"status": 418')
    identity = room.pawl("run", "hello.yaml", "--no-wait", "--server", url(server)).exits(0).out.strip()
    room.pawl("run", "hello.yaml", "--id", "k", "--input", "1", "--server", url(server)).exits(1)
    room.pawl("run", "hello.yaml", "--id", "k", "--input", "2", "--server", url(server)).exits(2).complains("other input")
    assert len(room.pawl("ls", "--json", "--server", url(server)).json()["instances"]) == 4
    room.pawl("show", identity, "--server", url(server)).exits(0).says("completed")


@case("run says what is done by another process, on a store and over a server, as it does of its own")
def _(room):
    room.file("two.yaml", "document: {dsl: 1.0.3, namespace: t, name: two, version: 1.0.0}\ndo:\n"
              "  - one: {set: {n: 1}}\n  - nap: {wait: PT0.6S}\n  - two: {set: {n: 2}}\n")
    server = serve(room)

    def said(*where):
        done = room.pawl("run", "two.yaml", "--progress", *where).exits(0)
        return [line.split()[1:3] for line in done.err.splitlines()]

    alone = said("--db", "alone.db")
    assert ["completed", "/do/2/two"] in alone and len(alone) == 6, alone
    assert said("--server", url(server)) == alone
    assert said("--db", "pawl.db") == alone


@case("a waiting run outlives its server, which is killed and started again")
def _(room):
    room.file("nap.yaml", NAP)
    server = serve(room)
    run = room.start("run", "nap.yaml", "--id", "n", "--server", url(server))
    until(lambda: server.get("/v1/instances").json["instances"] or None, "the instance")
    server.process.send_signal(signal.SIGKILL)
    server.process.wait()
    again = room.start("serve", "--db", "pawl.db", "--listen", f"127.0.0.1:{server.port}")
    assert again.stdout.readline().startswith(b"listening"), room.finish(again).told()
    done = room.finish(run).exits(0)
    assert done.json() == {"rested": True}, done.told()


@case("a signal ends a wait, and says that it is committed")
def _(room):
    room.file("ask.yaml", ASK)
    server = serve(room)
    server.deploy(ASK)
    start = room.start("start", "ask", "--until", "end", "--server", url(server))
    until(lambda: server.get("/v1/instances").json["instances"] or None, "the instance")
    start.send_signal(signal.SIGINT)
    room.finish(start, timeout=20).exits(130).complains("it is committed", "by the server")


@case("what may be done twice is asked again when the connection broke, with the same key")
def _(room):
    with Fake("drop", "drop", ok(STARTED), ok(SHOWN), ok(SHOWN)) as fake:
        room.pawl("start", "hello", "--server", fake.url).exits(0)
        starts = [r for r in fake.requests if r[2]["command"] == "start"]
        assert len(starts) == 3 and len({r[1]["Idempotency-Key"] for r in starts}) == 1, fake.requests
        assert starts[0][0] == "/v1/commands" and starts[0][2] == {"command": "start", "name": "hello"}, starts[0]
    with Fake("drop") as fake:
        room.pawl("ls", "--server", fake.url).exits(3).complains("the connection to", "broke")
        assert len(fake.requests) == 3, fake.requests
    with Fake("drop") as fake:
        room.pawl("delete", "i1", "--server", fake.url).exits(3).complains("may have been carried out")
        assert len(fake.requests) == 1, fake.requests


@case("a busy server is asked again, and believed when it stays so")
def _(room):
    busy = (503, {"Retry-After": "1", "Content-Type": "application/problem+json"},
            json.dumps({"title": "Too many", "status": 503, "detail": "too many requests at once", "code": "too-many"}))
    with Fake(busy, ok({"instances": []})) as fake:
        room.pawl("ls", "--server", fake.url).exits(0)
        assert len(fake.requests) == 2
    with Fake(busy) as fake:
        room.pawl("ls", "--server", fake.url).exits(3).complains("too many requests at once")
        assert len(fake.requests) == 3


@case("another server than pawl's is told from it")
def _(room):
    for answer, says in (((404, {}, "not here"), "HTTP 404"), ((200, {}, "<html>"), "HTTP 200"), ((200, {}, ""), "HTTP 200"),
                         ((302, {"Location": "https://x/"}, ""), "another address"),
                         ((500, {}, "{}"), "HTTP 500"), ((200, {}, "[]"), "nothing that a pawl server says")):
        with Fake(answer) as fake:
            room.pawl("ls", "--server", fake.url).exits(3).complains(says).prints("")
            assert len(fake.requests) == 1
    with Fake((401, {}, "{}")) as fake:
        room.pawl("ls", "--server", fake.url).exits(2).complains("who you are", "--token-file")
        room.pawl("ls", "--server", fake.url, "--token", "pawl_x").exits(2).complains("does not take this token")


@case("an answer of an odd shape is printed or refused, and ends no command otherwise than by its exit code")
def _(room):
    odd = [None, 5, "text", [], [1, {}], {}, {"instances": "abc", "bookmarks": [5, None], "tokens": {"a": 1}, "functions": 3, "jobs": [[]],
                                              "statuses": [], "steps": "abc", "schedules": [{"expression": 5}], "definitions": [None],
                                              "messages": [3], "waits": "abc", "id": 7, "status": [], "token": "x", "next": {}}]
    commands = [["ls"], ["ls", "--count"], ["show", "i"], ["log", "i"], ["bookmarks"], ["tasks"], ["jobs"], ["schedules"], ["definitions"],
                ["definition", "d"], ["token", "list"], ["token", "create", "n", "--role", "viewer"], ["claim", "i", "k"], ["complete", "i", "k"],
                ["cancel", "i", "--no-wait"], ["incidents"], ["incident", "i"], ["calls", "i"], ["retry", "i", "--no-wait"], ["fail", "i"], ["breakers"], ["breaker", "open", "s"], ["start", "d", "--no-wait"], ["send", "t"], ["delete", "i"], ["deprecate", "d@1"]]
    for value in odd:
        with Fake(ok(value)) as fake:
            for words in commands:
                done = room.pawl(*words, "--server", fake.url)
                assert done.code in (0, 1, 2, 3, 4) and "Sanitizer" not in done.err and "runtime error" not in done.err, (value, done.told())


@case("what is said about a request goes into headers, and who asks goes nowhere")
def _(room):
    room.file("token", "  pawl_secret\n".strip() + "\n")
    with Fake(ok(STARTED), ok(SHOWN)) as fake:
        room.pawl("start", "t/hello", "--version", "1.0.0", "--input", '{"n": 1}', "--id", "k", "--label", "a=b", "--label", "c=d=e",
                  "--correlation", "c-1", "--idempotency-key", "key-1", "--at", "2030-01-02T03:04:05Z", "--no-wait",
                  "--server", fake.url + "/", "--token-file", "token").exits(0)
        path, headers, body = fake.requests[0]
        assert path == "/v1/commands", path
        assert body == {"command": "start", "name": "t/hello", "version": "1.0.0", "input": {"n": 1}, "key": "k",
                        "labels": {"a": "b", "c": "d=e"}, "startAt": "2030-01-02T03:04:05.000Z"}, body
        assert headers["X-Correlation-ID"] == "c-1" and headers["Idempotency-Key"] == "key-1", headers
        assert headers["Authorization"] == "Bearer pawl_secret", headers
    with Fake(ok({"id": "i1"}), ok(SHOWN)) as fake:
        room.pawl("cancel", "i1", "--if-token", "7", "--reason", "r", "--no-wait", "--server", fake.url, env={"PAWL_TOKEN": "pawl_e"}).exits(0)
        _, headers, body = fake.requests[0]
        assert headers["If-Match"] == '"7"' and headers["Authorization"] == "Bearer pawl_e", headers
        assert body == {"command": "cancel", "id": "i1", "reason": "r"}, body
    with Fake(ok({"instances": []})) as fake:
        room.pawl("ls", "--correlation", "c", "--namespace", "a", "--namespace", "b", "--label", "x=1", "--key", "k",
                  "--server", fake.url).exits(0)
        assert fake.requests[0][2] == {"command": "list", "correlation": "c", "namespaces": ["a", "b"], "labels": {"x": "1"},
                                       "key": "k", "limit": 100}, fake.requests
    with Fake(ok({})) as fake:
        room.pawl("cancel", "i1", "--idempotency-key", "a\nb", "--server", fake.url).exits(2).complains("control character")
        assert not fake.requests


@case("a proxy of the environment is never asked for this machine")
def _(room):
    room.file("hello.yaml", HELLO)
    server = serve(room)
    env = {"http_proxy": "http://127.0.0.1:1", "HTTP_PROXY": "http://127.0.0.1:1", "all_proxy": "http://127.0.0.1:1"}
    room.pawl("ls", "--server", url(server), env=env).exits(0)
    room.pawl("ls", "--server", f"http://localhost:{server.port}", env=env).exits(0)
    room.pawl("ls", "--server", "http://pawl.example", env=env).exits(3).complains("cannot reach the server")


@case("a certificate is checked, and trusted when it is named")
def _(room):
    if not shutil.which("openssl"):
        raise Skip("no openssl here")
    for name in ("ours", "other"):
        room.finish(room.start("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-keyout",
                               f"{name}.key", "-out", f"{name}.pem", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                               program="openssl")).exits(0)
    server = serve(room, "--tls-cert", "ours.pem", "--tls-key", "ours.key")
    secure = f"https://localhost:{server.port}"
    room.pawl("ls", "--server", secure).exits(3).complains("certificate", "--ca FILE")
    room.pawl("ls", "--server", secure, "--ca", "ours.pem").exits(0)
    room.pawl("ls", "--server", secure, env={"PAWL_CA": "ours.pem"}).exits(0)
    room.pawl("ls", "--server", secure, "--ca", "other.pem").exits(3).complains("certificate")
    room.pawl("ls", "--server", secure, "--ca", "none.pem").exits(2).complains("--ca")
    room.pawl("ls", "--server", f"https://127.0.0.1:{server.port}", "--ca", "ours.pem").exits(3).complains("certificate")
    assert room.pawl("ls", "--server", f"http://localhost:{server.port}").exits(3).err


@case("a server for http is told from one for https")
def _(room):
    server = serve(room)
    room.pawl("ls", "--server", f"https://127.0.0.1:{server.port}").exits(3).complains("no TLS", "http://")


@case("log follows an instance until it has ended, on a store and over a server")
def _(room):
    server = serve(room)
    server.deploy(ASK)
    for where in (["--server", url(server)], ["--db", "pawl.db"]):
        identity = room.pawl("start", "ask", "--no-wait", "--json", "--server", url(server)).exits(0).json()["id"]
        log = room.start("log", identity, "--follow", "--json", *where)
        first = json.loads(log.stdout.readline())
        assert first["sequence"] == 1, first
        assert log.poll() is None
        room.pawl("resume", identity, "--key", "answer", "--data", '{"answer": 7}', *where).exits(0)
        done = room.finish(log, timeout=30).exits(0).silent()
        steps = [json.loads(line) for line in done.out.splitlines()]
        assert [step["sequence"] for step in steps] == [2], done.told()
        room.pawl("log", identity, "--follow", "--from", "9", *where).exits(0).prints("")
        whole = room.pawl("log", identity, *where).exits(0)
        assert room.pawl("log", identity, "--follow", *where).exits(0).out == whole.out


@case("show follows an instance until it has ended, on a store and over a server")
def _(room):
    server = serve(room)
    server.deploy(ASK)
    for where in (["--server", url(server)], ["--db", "pawl.db"]):
        identity = room.pawl("start", "ask", "--no-wait", "--json", "--server", url(server)).exits(0).json()["id"]
        show = room.start("show", identity, "--follow", "--json", *where)
        assert json.loads(show.stdout.readline())["status"] == "waiting"
        room.pawl("suspend", identity, *where).exits(0)
        assert json.loads(show.stdout.readline())["status"] == "suspended"
        room.pawl("cancel", identity, *where).exits(0)
        assert json.loads(show.stdout.readline())["status"] == "cancelled"
        room.finish(show, timeout=30).exits(0)
    room.pawl("show", "nosuch", "--follow", "--server", url(server)).exits(2).complains("no instance")


@case("a follower that is told to stop does, and one whose reader has gone too")
def _(room):
    server = serve(room)
    server.deploy(ASK)
    identity = room.pawl("start", "ask", "--no-wait", "--json", "--server", url(server)).exits(0).json()["id"]
    log = room.start("log", identity, "--follow", "--server", url(server))
    log.stdout.readline()
    log.send_signal(signal.SIGTERM)
    room.finish(log, timeout=20).exits(143)
    read, write = os.pipe()
    show = room.start("show", identity, "--follow", "--db", "pawl.db", stdout=write)
    os.close(write)
    os.read(read, 1)
    os.close(read)
    room.pawl("suspend", identity, "--server", url(server)).exits(0)
    room.finish(show, timeout=30).exits(0)


@case("labels, a correlation, a key and a namespace find instances, and are counted")
def _(room):
    room.file("hello.yaml", HELLO)
    room.file("ask.yaml", ASK.replace("namespace: t", "namespace: u"))
    room.pawl("deploy", "ask.yaml", "--db", "s.db").exits(0)
    one = room.pawl("run", "hello.yaml", "--label", "customer=ada", "--label", "size=big", "--correlation", "c-1", "--no-wait",
                    "--db", "s.db").exits(0).out.strip()
    two = room.pawl("start", "u/ask", "--label", "customer=ada", "--id", "key-2", "--json", "--no-wait", "--db", "s.db").exits(0).json()["id"]

    def found(*words):
        return sorted(i["id"] for i in room.pawl("ls", *words, "--json", "--db", "s.db").exits(0).json()["instances"])

    assert found("--label", "customer=ada") == sorted([one, two])
    assert found("--label", "customer=ada", "--label", "size=big") == [one]
    assert found("--label", "customer=eve") == []
    assert found("--correlation", "c-1") == [one]
    assert found("--key", "key-2") == [two]
    assert found("--namespace", "u") == [two] and found("--namespace", "u", "--namespace", "t") == sorted([one, two])
    room.pawl("start", "hello", "--db", "s.db").exits(0)
    room.pawl("ls", "--count", "--db", "s.db").exits(0).prints("waiting 1\ncompleted 2\ntotal 3\n")
    assert room.pawl("ls", "--count", "--namespace", "u", "--json", "--db", "s.db").exits(0).json()["total"] == 1
    room.pawl("ls", "--count", "--status", "waiting", "--db", "s.db").exits(2).complains("contradict")
    room.pawl("ls", "--label", "customer", "--db", "s.db").exits(2).complains("NAME=VALUE")


@case("a start at a time is pending until then")
def _(room):
    room.file("hello.yaml", HELLO)
    room.pawl("deploy", "hello.yaml", "--db", "s.db").exits(0)
    done = room.pawl("start", "hello", "--at", "2h", "--db", "s.db").exits(0).says(" pending\n")
    room.pawl("show", done.out.split()[0], "--db", "s.db").exits(0).says("pending", "start at 2")
    room.pawl("start", "hello", "--at", "2000-01-01T00:00:00Z", "--db", "s.db").exits(0).says(" completed\n")
    room.pawl("start", "hello", "--at", "soon", "--db", "s.db").exits(2).complains("--at", "2h")
    identity = room.pawl("start", "hello", "--at", "3s", "--input", '{"n": 3}', "--no-wait", "--json", "--db", "s.db").exits(0).json()["id"]
    room.pawl("continue", identity, "--until", "end", "--db", "s.db").exits(0).says('"n": 3')


@case("an idempotency key makes a repetition the first answer, and a token that is over is refused")
def _(room):
    room.file("ask.yaml", ASK)
    room.pawl("deploy", "ask.yaml", "--db", "s.db").exits(0)
    words = ["start", "ask", "--idempotency-key", "k-1", "--no-wait", "--json", "--db", "s.db"]
    first = room.pawl(*words).exits(0).json()
    assert room.pawl(*words).exits(0).json()["id"] == first["id"]
    room.pawl("start", "ask", "--input", "1", "--idempotency-key", "k-1", "--db", "s.db").exits(2).complains("idempotency key")
    room.pawl("suspend", first["id"], "--if-token", "99", "--db", "s.db").exits(2).complains("not 99")
    room.pawl("suspend", first["id"], "--if-token", str(first["token"]), "--db", "s.db").exits(0)
    room.pawl("suspend", first["id"], "--if-token", "0", "--db", "s.db").exits(2).complains("--if-token")


@case("delete takes an instance that has ended, and nothing else")
def _(room):
    room.file("ask.yaml", ASK)
    room.pawl("deploy", "ask.yaml", "--db", "s.db").exits(0)
    identity = room.pawl("start", "ask", "--no-wait", "--json", "--db", "s.db").exits(0).json()["id"]
    room.pawl("delete", identity, "--db", "s.db").exits(2).complains("not ended")
    room.pawl("cancel", identity, "--db", "s.db").exits(0)
    room.pawl("delete", identity, "--db", "s.db").exits(0).prints(f"{identity} is deleted\n")
    room.pawl("show", identity, "--db", "s.db").exits(2).complains("no instance")
    room.pawl("delete", identity, "--db", "s.db").exits(2).complains("no instance")


if __name__ == "__main__":
    main()
