#!/usr/bin/env python3
"""What holds for every route: methods, paths, queries, types, bodies, headers, and problem documents."""
import re
import resource
import signal
import socket

from harness import ROOT, case, main, until
from openapi import operations
from web import serve

HELLO = """
document: { dsl: '1.0.3', namespace: t, name: hello, version: '1.0.0' }
do: [ { greet: { set: { hello: "${ .who }" } } } ]
"""


@case("what is nowhere is told so, and a method that a path has not comes with those it has")
def _(room):
    web = serve(room)
    for path in ("/", "/v1", "/v1/", "/v2/instances", "/v1/instances/", "/v1/instances//log", "/v1/instance", "/v1/a/b/c/d/e/f/g/h/i"):
        web.get(path).problem(404, "no-such-path")
    answer = web.ask("PUT", "/v1/instances").problem(405, "method-not-allowed")
    assert answer.headers["Allow"] == "GET, HEAD, POST, OPTIONS", answer.told()
    answer = web.get("/v1/events").problem(405, "method-not-allowed")
    assert answer.headers["Allow"] == "POST, OPTIONS", answer.told()
    answer = web.ask("PATCH", "/v1/instances/x").problem(405, "method-not-allowed")
    assert answer.headers["Allow"] == "GET, HEAD, DELETE, OPTIONS", answer.told()
    answer = web.ask("OPTIONS", "/v1/instances").gives(204)
    assert answer.headers["Allow"] == "GET, HEAD, POST, OPTIONS" and answer.body == b"", answer.told()


@case("HEAD answers as GET, without a body")
def _(room):
    web = serve(room)
    answer = web.ask("HEAD", "/v1/instances").gives(200)
    assert answer.body == b"" and answer.headers["Content-Length"] == str(len(web.get("/v1/instances").body)), answer.told()
    assert web.ask("HEAD", "/v1/instances/none").gives(404).body == b""


@case("every path of the document refuses every method that it has not, and says which it has")
def _(room):
    web = serve(room)
    document = web.get("/v1/openapi.json").gives(200).json
    tried = 0
    for path, methods in document["paths"].items():
        real = re.sub(r"\{[^}]+\}", "x", path)
        known = {method.upper() for method in methods}
        # /v1/instances/count is an id too, as far as the path goes; so are the words below /v1/definitions
        others = {m.upper() for p, ms in document["paths"].items() for m in ms
                  if re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", p), real)}
        if "GET" in others:
            known.add("HEAD")
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"):
            if method in known | others:
                continue
            answer = web.ask(method, real).gives(405)
            assert set(answer.headers["Allow"].split(", ")) == known | others | {"OPTIONS"}, answer.told()
            tried += 1
    assert tried > 150, tried


@case("the manual lists the operations of the document, and no others")
def _(room):
    web = serve(room)
    document = web.get("/v1/openapi.json").gives(200).json
    served = {f"{method} {path}" for method, path, _ in operations(document).values()}
    with open(ROOT + "/doc/api.md", encoding="utf-8") as file:
        written = set(re.findall(r"^\| `([A-Z]+ /[^`]*)` \|", file.read(), re.M))
    assert written == served, f"only in the manual: {written - served}; only served: {served - written}"


@case("an unknown parameter is refused with the nearest known one")
def _(room):
    web = serve(room)
    web.get("/v1/instances?stauts=waiting").problem(400, "unknown-parameter").says("'stauts'", "did you mean 'status'?")
    web.get("/v1/instances?limit=1&zzzzzz=1").problem(400, "unknown-parameter").says("'zzzzzz'")
    web.post("/v1/instances/x/cancel?force=true").problem(400, "unknown-parameter")
    web.get("/health/live?x=1").problem(400, "unknown-parameter")


@case("a parameter is checked: its form, its values, and that it comes once")
def _(room):
    web = serve(room)
    for query, word in (("limit=ten", "whole number"), ("limit=-1", "whole number"), ("limit=", "whole number"),
                        ("limit=99999999999999999999", "whole number"), ("status=done", "must be one of"), ("limit=1&limit=2", "twice"),
                        ("schedules=yes", "must be one of"), ("label=a", "name=value"), ("label==b", "name=value"),
                        ("label=a%3Db&label=a%3Dc", "twice"), ("name=%zz", "percent-encoded"), ("name=%ff", "percent-encoded"),
                        ("name=a%00b", "percent-encoded"), ("name=%4", "percent-encoded")):
        web.get("/v1/instances?" + query).problem(400, "bad-parameter").says(word)
    for text in ("30", "1 day", "P1M", "-5s", "", "1y"):
        web.get("/v1/instances/x?wait=" + text.replace(" ", "+")).problem(400, "bad-parameter").says("duration")
    web.get("/v1/instances?limit=1001").problem(400, "invalid").says("1000")
    web.get("/v1/instances?&limit=1&&").gives(200)


@case("a path is percent-decoded, and refused where that makes no text")
def _(room):
    web = serve(room)
    web.get("/v1/instances/%zz").problem(400, "bad-request")
    web.get("/v1/instances/%ff%fe").problem(400, "bad-request")
    web.get("/v1/instances/a%00b").problem(400, "bad-request")
    web.get("/v1/instances/no%20such").problem(404, "no-such-instance").says("no such")
    web.get("/v1/definitions/a%2Fb/c").problem(404, "no-such-path")
    web.deploy(HELLO)
    web.get("/v1/definitions/%74/hell%6F").gives(200)


@case("a body must be of a type that the route knows, and be what it says")
def _(room):
    web = serve(room)
    web.post("/v1/instances", '{"name":"t/hello"}', kind="text/plain").problem(415, "media-type").says("application/json")
    web.post("/v1/instances", '{"name":"t/hello"}', headers={"Content-Type": None}).problem(415, "media-type")
    web.post("/v1/definitions", HELLO, kind="application/xml").problem(415, "media-type")
    web.post("/v1/instances").problem(415, "media-type")
    web.post("/v1/instances", '{"name":"t/hello"}', headers={"Content-Encoding": "gzip"}).problem(415, "media-type").says("gzip")
    for body, word in (("{", "JSON line 1"), ("[]", "object"), ("null", "object"), ('{"name":"x"} x', "JSON line 1"),
                       (b'{"a":"\xff"}', "UTF-8")):
        web.post("/v1/instances", body).problem(400, "bad-body").says(word)
    web.post("/v1/instances", '{"name":"t/none"}', kind="Application/JSON; charset=utf-8").problem(404, "no-such-definition")
    web.post("/v1/definitions", b"a: \xff", kind="text/plain").problem(400, "bad-body")
    web.post("/v1/definitions", "", kind="application/yaml").problem(400, "bad-body").says("missing")
    web.ask("GET", "/v1/instances", "{}").problem(400, "bad-body").says("means nothing")
    web.delete("/v1/instances/x", body="{}").problem(400, "bad-body")


@case("a body says nothing that path, query, headers and token say")
def _(room):
    web = serve(room)
    for member, word in (("actor", "who asks"), ("groups", "who asks"), ("restricted", "who asks"), ("idempotencyKey", "Idempotency-Key"),
                         ("ifToken", "If-Match"), ("correlation", "X-Correlation-ID"), ("traceparent", "traceparent"), ("command", "body")):
        web.post("/v1/instances", {"name": "t/hello", member: 1}).problem(400, "bad-body").says(f"'{member}'", word)
    web.post("/v1/instances/x/cancel", {"id": "y"}).problem(400, "bad-body").says("'id'")
    web.post("/v1/commands", {"command": "cancel", "id": "x", "actor": "me"}).problem(400, "bad-body").says("'actor'")
    web.post("/v1/instances", {"name": "t/hello", "vresion": "1"}).problem(400, "invalid").says("vresion")


@case("headers are checked: a key, a correlation, a trace, a token to match")
def _(room):
    web = serve(room)
    web.deploy(HELLO)
    for name, value in (("Idempotency-Key", ""), ("Idempotency-Key", "a b"), ("Idempotency-Key", "k" * 256), ("X-Correlation-ID", "a b"),
                        ("X-Correlation-ID", "\xe4"), ("X-Correlation-ID", "c" * 256), ("traceparent", "00-1-2-3"),
                        ("traceparent", "00-" + "0" * 32 + "-" + "1" * 16 + "-01"), ("traceparent", "00-" + "1" * 32 + "-" + "0" * 16 + "-01"),
                        ("traceparent", "ff-" + "1" * 32 + "-" + "1" * 16 + "-01"), ("traceparent", "00-" + "G" * 32 + "-" + "1" * 16 + "-01"),
                        ("If-Match", "7"), ("If-Match", '"x"'), ("If-Match", '"0"'), ("If-Match", 'W/"7"'), ("If-Match", '"1", "2"'),
                        ("If-Match", '"99999999999999999999"')):
        web.post("/v1/instances", {"name": "t/hello"}, headers={name: value}).problem(400, "bad-header").says(name)
    web.post("/v1/instances", {"name": "t/hello"}, headers={"If-Match": '"1"'}).problem(400, "bad-header").says("means nothing")
    assert web.get("/v1/instances").json["instances"] == []


@case("what a request is known by comes back: its correlation, its trace, or an id of its own")
def _(room):
    web = serve(room)
    web.deploy(HELLO)
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    answer = web.post("/v1/instances", {"name": "t/hello"}, headers={"X-Correlation-ID": "order-7", "traceparent": trace}).gives(201)
    assert answer.headers["X-Correlation-ID"] == "order-7" and answer.headers["traceparent"] == trace, answer.told()
    one = answer.json["id"]
    assert web.get("/v1/instances/" + one).headers["X-Correlation-ID"] == "order-7"
    answer = web.get("/v1/instances?limit=x", headers={"X-Correlation-ID": "order-8"}).problem(400, "bad-parameter")
    assert answer.headers["X-Correlation-ID"] == "order-8"
    first, second = (web.get("/v1/instances").headers["X-Correlation-ID"] for _ in range(2))
    assert first != second and re.fullmatch(r"[0-9a-f]{16}-\d+", first), (first, second)
    answer = web.post("/v1/instances", {"name": "t/hello"}).gives(201)
    assert answer.headers["X-Correlation-ID"] == answer.json["id"]


@case("nothing may be kept by a cache, and no type may be guessed")
def _(room):
    web = serve(room)
    for path in ("/health/live", "/v1/instances", "/v1/none"):
        headers = web.get(path).headers
        assert headers["Cache-Control"] == "no-store" and headers["X-Content-Type-Options"] == "nosniff", headers


@case("a request that is too large is refused before it is read, with the limit's name")
def _(room):
    web = serve(room, settings={"Server:MaxBody": 2048, "Server:MaxHeader": 2048})
    web.post("/v1/definitions", "x" * 2049, kind="application/yaml").problem(413, "too-large")
    web.post("/v1/instances", '{"input":"' + "x" * 4000 + '"}').problem(413, "too-large")
    web.get("/v1/instances", headers={"X-Much": "y" * 2000}).problem(431, "header-too-large")
    assert web.get("/v1/instances", headers={"X-Much": "y" * 20000}).status == 431
    web.post("/v1/instances", "{}", headers={"Expect": "a miracle"}).problem(417, "expectation-failed")
    web.get("/v1/instances").gives(200)


@case("a page in a browser cannot call a server that asks nobody who he is")
def _(room):
    web = serve(room)
    here = f"127.0.0.1:{web.port}"
    web.get("/v1/instances", headers={"Origin": "https://example.org"}).problem(403, "origin-refused")
    web.get("/v1/instances", headers={"Origin": "null"}).problem(403, "origin-refused")
    web.get("/v1/instances", headers={"Host": "rebound.example.org"}).problem(403, "origin-refused")
    web.get("/v1/instances", headers={"Host": "127.0.0.1.example.org"}).problem(403, "origin-refused")
    web.get("/v1/instances", headers={"Origin": "http://" + here}).gives(200)
    web.get("/v1/instances", headers={"Host": f"localhost:{web.port}"}).gives(200)
    web.get("/v1/instances", headers={"Host": f"[::1]:{web.port}"}).gives(200)


@case("requests come one after another on a connection, also after one that was refused")
def _(room):
    web = serve(room)
    connection = web.connect()
    for path, status in (("/v1/instances", 200), ("/v1/none", 404), ("/v1/instances?x=1", 400), ("/health/live", 200)):
        web.send(connection, "GET", path)
        response = connection.getresponse()
        response.read()
        assert response.status == status, (path, response.status)
    connection.close()
    with socket.create_connection((web.host, web.port)) as raw:  # and pipelined
        raw.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n" * 3)
        got = b""
        while got.count(b'{"status":"live"}') < 3:
            piece = raw.recv(65536)
            assert piece, got
            got += piece


@case("health tells whether it lives, takes work, or stops")
def _(room):
    web = serve(room)
    assert web.get("/health/live").gives(200).json == {"status": "live"}
    assert web.get("/health/ready").gives(200).json == {"status": "ready"}


@case("a server whose store cannot be written is not ready, says why, and is ready again when it can")
def _(room):
    web = serve(room)
    web.deploy(HELLO)
    assert web.stop().code == 0
    none = resource.RLIM_INFINITY
    web = serve(room, preexec_fn=lambda: signal.signal(signal.SIGXFSZ, signal.SIG_IGN))
    resource.prlimit(web.process.pid, resource.RLIMIT_FSIZE, (65536, none))
    big = {"name": "t/hello", "input": {"who": "x" * 100000}}
    until(lambda: web.post("/v1/instances", big).status == 503, "a store that is full")
    web.get("/health/ready").problem(503, "not-ready")
    web.get("/health/live").gives(200)
    web.get("/v1/instances").gives(200)
    resource.prlimit(web.process.pid, resource.RLIMIT_FSIZE, (none, none))
    until(lambda: web.get("/health/ready").status == 200, "a store that can be written")
    web.post("/v1/instances?wait=30s", big).gives(201)


if __name__ == "__main__":
    main()
