#!/usr/bin/env python3
"""Definitions and instances over HTTP: published, started, waited for, moved, and what happens when two do so at once."""
import threading

from harness import case, main, until
from web import serve

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
HELLO = """
document: { dsl: '1.0.3', namespace: t, name: hello, version: '1.0.0' }
do: [ { greet: { set: { hello: "${ .who }" } } } ]
"""
BROKEN = """
document: { dsl: '1.0.3', namespace: t, name: broken, version: '1.0.0' }
do: [ { stop: { raise: { error: { type: 'https://example.com/no', status: 500, title: no } } } } ]
"""
ASK = """
document: { dsl: '1.0.3', namespace: t, name: ask, version: '1.0.0' }
do: [ { ask: { call: userTask, with: { title: Yes or no? } } } ]
"""
NAP = """
document: { dsl: '1.0.3', namespace: t, name: nap, version: '1.0.0' }
do: [ { sleep: { wait: PT1H } } ]
"""


def bookmark_of(web, one):
    def found():
        open_ones = web.get(f"/v1/instances/{one}/bookmarks").gives(200).json["bookmarks"]
        return open_ones[0]["key"] if open_ones else None

    return until(found, "a bookmark")


@case("a definition is published once: made, there before, and refused with other content")
def _(room):
    web = serve(room)
    answer = web.post("/v1/definitions", HELLO, kind="application/yaml").gives(201)
    assert answer.headers["Location"] == "/v1/definitions/t/hello/1.0.0", answer.told()
    assert answer.json["created"] is True and answer.json["findings"] == [], answer.told()
    assert web.post("/v1/definitions", HELLO, kind="text/plain; charset=utf-8").gives(200).json["created"] is False
    web.post("/v1/definitions", HELLO.replace("greet", "other"), kind="application/yaml").problem(409, "version-exists")
    as_json = {"document": {"dsl": "1.0.3", "namespace": "t", "name": "json", "version": "1.0.0"}, "do": [{"a": {"set": {"x": 1}}}]}
    web.post("/v1/definitions", as_json).gives(201)


@case("a document that is not valid is refused with every finding")
def _(room):
    web = serve(room)
    text = HELLO.replace("set:", "sett:")
    answer = web.post("/v1/definitions", text, kind="application/yaml").problem(422, "document-not-valid")
    assert answer.json["findings"][0]["error"] is True and answer.json["findings"][0]["line"] == 3, answer.told()
    checked = web.post("/v1/definitions/validate", text, kind="application/yaml").gives(200).json
    assert checked["valid"] is False and checked["findings"] == answer.json["findings"], checked
    assert web.post("/v1/definitions/validate", HELLO, kind="application/yaml").gives(200).json == {"valid": True, "findings": []}
    assert web.get("/v1/definitions").json["definitions"] == []


@case("a definition is read as JSON, as the text that was given, and as a graph")
def _(room):
    web = serve(room)
    web.deploy(HELLO)
    told = web.get("/v1/definitions/t/hello/1.0.0").gives(200).json
    assert told["document"] == HELLO and told["status"] == "published", told
    answer = web.get("/v1/definitions/t/hello", headers={"Accept": "application/yaml"}).gives(200)
    assert answer.body.decode() == HELLO and answer.headers["Content-Type"] == "application/yaml", answer.told()
    answer = web.get("/v1/definitions/t/hello", headers={"Accept": "text/plain;q=0.9"}).gives(200)
    assert answer.body.decode() == HELLO, answer.told()
    assert web.get("/v1/definitions/t/hello", headers={"Accept": "*/*"}).gives(200).json["name"] == "hello"
    graph = web.get("/v1/definitions/t/hello/1.0.0/graph").gives(200).json
    assert [node["name"] for node in graph["nodes"] if node.get("name")] == ["greet"], graph
    answer = web.get("/v1/definitions/t/hello/1.0.0/graph?format=mermaid").gives(200)
    assert answer.headers["Content-Type"].startswith("text/vnd.mermaid") and b"greet" in answer.body, answer.told()
    answer = web.post("/v1/definitions/graph?format=dot", HELLO, kind="application/yaml").gives(200)
    assert answer.body.startswith(b"digraph"), answer.told()
    web.post("/v1/definitions/graph", "x: 1", kind="application/yaml").problem(422, "document-not-valid")
    web.get("/v1/definitions/t/other").problem(404, "no-such-definition")
    web.get("/v1/definitions/t/hello/2.0.0").problem(404, "no-such-definition")


@case("a version is deprecated, archived, and not to be started then")
def _(room):
    web = serve(room)
    web.deploy(HELLO)
    path = "/v1/definitions/t/hello/1.0.0/status"
    web.post(path, {"status": "gone"}).problem(400, "invalid")
    assert web.post(path, {"status": "deprecated"}).gives(200).json["status"] == "deprecated"
    web.post("/v1/instances", {"name": "t/hello"}).problem(409, "not-startable")
    assert "deprecated" in web.start("t/hello", version="1.0.0")["warning"]
    web.post(path, {"status": "archived"}).gives(200)
    web.post("/v1/instances", {"name": "t/hello", "version": "1.0.0"}).problem(409, "not-startable")
    web.post("/v1/definitions/t/hello/9/status", {"status": "archived"}).problem(404, "no-such-definition")


@case("an instance is started, and found at its location")
def _(room):
    web = serve(room)
    web.deploy(HELLO)
    answer = web.post("/v1/instances", {"name": "t/hello", "input": {"who": "you"}, "labels": {"team": "a"}}).gives(201)
    one = answer.json["id"]
    assert answer.headers["Location"] == "/v1/instances/" + one and answer.json["existed"] is False, answer.told()
    told = web.get(answer.headers["Location"] + "?wait=30s").gives(200)
    assert told.json["status"] == "completed" and told.json["output"] == {"hello": "you"} and told.json["labels"] == {"team": "a"}, told.told()
    assert told.headers["ETag"] == f'"{told.json["token"]}"', told.told()
    assert web.get(f"/v1/instances/{one}/output").gives(200).json == {"hello": "you"}
    web.post("/v1/instances", {"name": "t/none"}).problem(404, "no-such-definition")
    web.post("/v1/instances", {"name": ""}).problem(400, "invalid")
    web.post("/v1/instances", {}).problem(400, "invalid").says("name")
    web.get("/v1/instances/none").problem(404, "no-such-instance")


@case("a business key finds the first instance, and refuses another input")
def _(room):
    web = serve(room)
    web.deploy(HELLO)
    first = web.start("t/hello", key="order-1", input={"who": 1})
    again = web.start("t/hello", status=200, key="order-1", input={"who": 1})
    assert again["id"] == first["id"] and again["existed"] is True
    web.post("/v1/instances", {"name": "t/hello", "key": "order-1", "input": {"who": 2}}).problem(409, "business-key-used")
    assert len(web.get("/v1/instances?key=order-1").json["instances"]) == 1


@case("start waits for the output, for the error, or until the time is over")
def _(room):
    web = serve(room)
    for text in (HELLO, BROKEN, ASK):
        web.deploy(text)
    answer = web.post("/v1/instances?wait=PT30S", {"name": "t/hello", "input": {"who": 1}, "key": "k"}).gives(201)
    assert answer.json["status"] == "completed" and answer.json["output"] == {"hello": 1}, answer.told()
    assert answer.headers["ETag"] == f'"{answer.json["token"]}"' and answer.headers["Location"], answer.told()
    answer = web.post("/v1/instances?wait=30s", {"name": "t/hello", "input": {"who": 1}, "key": "k"}).gives(200)
    assert answer.json["existed"] is True and answer.json["output"] == {"hello": 1}, answer.told()
    answer = web.post("/v1/instances?wait=30s", {"name": "t/broken"}).gives(201)
    assert answer.json["status"] == "faulted" and answer.json["error"]["title"] == "no" and "output" not in answer.json, answer.told()
    answer = web.post("/v1/instances?wait=50ms", {"name": "t/ask"}).gives(202)
    assert answer.json["status"] in ("running", "waiting") and "output" not in answer.json, answer.told()
    assert web.post("/v1/instances?wait=0s", {"name": "t/ask"}).gives(202).json["existed"] is False


@case("a start that waits is answered when its instance ends, without a thread that waits")
def _(room):
    web = serve(room, settings={"Server:Workers": 2})
    web.deploy(ASK)
    waiting = [web.later("POST", "/v1/instances?wait=50s", {"name": "t/ask", "key": f"k{n}"}) for n in range(20)]
    ids = until(lambda: (lambda page: page if len(page) == 20 else None)(
        [one["id"] for one in web.get("/v1/instances").json["instances"]]), "twenty instances")
    assert all(one.pending() for one in waiting)
    for one in ids:
        web.post(f"/v1/instances/{one}/bookmarks/{bookmark_of(web, one)}/resume", {"data": {"yes": one}}).gives(200)
    answers = [one().gives(201).json for one in waiting]
    assert sorted(answer["id"] for answer in answers) == sorted(ids)
    assert all(answer["status"] == "completed" for answer in answers), answers


@case("a wait ends at the limit of the server, however long it was asked for")
def _(room):
    web = serve(room, settings={"Server:MaxWait": "00:00:00.1"})
    web.deploy(ASK)
    one = web.post("/v1/instances?wait=1h", {"name": "t/ask"}).gives(202).json["id"]
    assert web.get(f"/v1/instances/{one}?wait=1h").gives(200).json["status"] == "waiting"
    web.post("/v1/commands", {"command": "wait", "id": one, "timeoutMs": 3600000}).problem(504, "timeout")


@case("an ETag tells whether an instance has moved, and may be waited on")
def _(room):
    web = serve(room)
    web.deploy(ASK)
    one = web.start("t/ask")["id"]
    key = bookmark_of(web, one)
    path = "/v1/instances/" + one
    tag = web.get(path).headers["ETag"]
    answer = web.get(path, headers={"If-None-Match": tag}).gives(304)
    assert answer.body == b"" and answer.headers["ETag"] == tag, answer.told()
    web.get(path, headers={"If-None-Match": "W/" + tag}).gives(304)
    web.get(path, headers={"If-None-Match": "*"}).gives(304)
    web.get(path, headers={"If-None-Match": '"0"'}).gives(200)
    web.get(path, headers={"If-None-Match": '"other"'}).gives(200)
    web.get(path + "?wait=50ms", headers={"If-None-Match": tag}).gives(304)
    waiting = web.later("GET", path + "?wait=50s", headers={"If-None-Match": tag})
    web.post(f"{path}/bookmarks/{key}/resume", {"data": 1}).gives(200)
    answer = waiting().gives(200)
    assert answer.headers["ETag"] != tag, answer.told()


@case("a change with If-Match is made of what was read, or not at all")
def _(room):
    web = serve(room)
    web.deploy(NAP)
    one = web.start("t/nap")["id"]
    path = "/v1/instances/" + one
    tag = until(lambda: (lambda a: a.json["status"] == "waiting" and a.headers["ETag"])(web.get(path)), "a timer")
    answer = web.post(path + "/suspend", {"reason": "look"}, headers={"If-Match": tag}).gives(200)
    fresh = answer.headers["ETag"]
    assert fresh == f'"{answer.json["token"]}"' and fresh != tag and answer.json["status"] == "suspended", answer.told()
    answer = web.post(path + "/cancel", headers={"If-Match": tag}).problem(412, "stale-token")
    assert answer.headers["ETag"] == fresh and answer.json["token"] == int(fresh.strip('"')), answer.told()
    assert web.get(path).json["status"] == "suspended"
    web.post(path + "/continue", headers={"If-Match": "*"}).gives(200)
    web.post(path + "/cancel", headers={"If-Match": web.get(path).headers["ETag"]}).gives(200)


@case("instances are cancelled, suspended, continued and deleted, and repeated that is no harm")
def _(room):
    web = serve(room)
    web.deploy(NAP)
    one = web.start("t/nap")["id"]
    path = "/v1/instances/" + one
    assert web.post(path + "/suspend", {}).gives(200).json["repeated"] is False
    assert web.post(path + "/suspend").gives(200).json["repeated"] is True
    assert web.post(path + "/continue").gives(200).json["status"] == "waiting"
    answer = web.delete(path).problem(409, "instance-not-ended")
    assert answer.json["token"] == web.get(path).json["token"], answer.told()
    assert web.post(path + "/cancel", {"reason": "no more"}).gives(200).json["status"] == "cancelled"
    assert web.post(path + "/cancel", {"reason": "no more"}).gives(200).json["repeated"] is True
    web.post(path + "/suspend").problem(409, "instance-ended")
    entries = [entry for step in web.get(path + "/log").json["steps"] for entry in step["entries"]]
    assert any(entry.get("reason") == "no more" for entry in entries), entries
    assert web.delete(path).gives(204).body == b""
    web.delete(path).problem(404, "no-such-instance")
    web.get(path).problem(404, "no-such-instance")


@case("an idempotency key has one effect, and one answer, for one request")
def _(room):
    web = serve(room)
    for text in (HELLO, NAP):
        web.deploy(text)
    key = {"Idempotency-Key": "7a"}
    first = web.start("t/hello", input={"who": 1}, headers=key)
    assert web.start("t/hello", input={"who": 1}, headers=key) == first, "the first answer"
    web.post("/v1/instances", {"name": "t/hello", "input": {"who": 2}}, headers=key).problem(409, "idempotency-key-reused")
    one = web.start("t/nap")["id"]
    path = "/v1/instances/" + one
    first = web.post(path + "/suspend", {"reason": "a"}, headers=key).gives(200)
    web.post(path + "/continue", headers={"Idempotency-Key": "8b"}).gives(200)
    again = web.post(path + "/suspend", {"reason": "a"}, headers=key).gives(200)
    assert again.json == first.json and web.get(path).json["status"] == "waiting", again.told()
    web.post(path + "/suspend", {"reason": "b"}, headers=key).problem(409, "idempotency-key-reused")
    web.post(path + "/cancel", {"reason": "a"}, headers=key).problem(409, "idempotency-key-reused")


@case("of two that answer at once exactly one wins, and the other learns the token that won")
def _(room):
    web = serve(room)
    web.deploy(ASK)
    for _turn in range(10):
        one = web.start("t/ask")["id"]
        path = f"/v1/instances/{one}/bookmarks/{bookmark_of(web, one)}/resume"
        asked = [web.later("POST", path, {"data": {"n": n}}) for n in range(2)]
        answers = sorted((answer() for answer in asked), key=lambda answer: answer.status)
        answers[0].gives(200)
        answers[1].problem(409, "already-answered")
        assert answers[1].json["token"] == web.get("/v1/instances/" + one).json["token"], answers[1].told()
        output = web.get(f"/v1/instances/{one}/output?wait=30s").gives(200).json
        assert output["n"] in (0, 1) and output["completedBy"] == "anonymous", output


@case("of two that change what they read exactly one does, if they say what they read")
def _(room):
    web = serve(room)
    web.deploy(NAP)
    for _turn in range(10):
        one = web.start("t/nap")["id"]
        path = "/v1/instances/" + one
        tag = until(lambda path=path: (lambda a: a.json["status"] == "waiting" and a.headers["ETag"])(web.get(path)), "a timer")
        asked = [web.later("POST", f"{path}/{what}", {"reason": what}, headers={"If-Match": tag}) for what in ("suspend", "cancel")]
        assert sorted(answer().status for answer in asked) == [200, 412]


@case("a start that is repeated by ten at once makes one instance")
def _(room):
    web = serve(room)
    web.deploy(HELLO)
    answers = []

    def start():
        answers.append(web.post("/v1/instances", {"name": "t/hello", "input": 1}, headers={"Idempotency-Key": "same"}))

    threads = [threading.Thread(target=start) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(answer.status == 201 for answer in answers), [answer.told() for answer in answers]
    assert len({answer.json["id"] for answer in answers}) == 1 and len(web.get("/v1/instances").json["instances"]) == 1


@case("the log is read in pages, and followed until the end")
def _(room):
    web = serve(room)
    web.deploy(ASK)
    one = web.start("t/ask")["id"]
    key = bookmark_of(web, one)
    path = f"/v1/instances/{one}/log"
    page = web.get(path).gives(200).json
    last = page["steps"][-1]["sequence"]
    assert [step["sequence"] for step in page["steps"]] == list(range(1, last + 1))
    if last > 1:
        part = web.get(path + "?from=1&limit=1").gives(200).json
        assert len(part["steps"]) == 1 and part["next"] == 2, part
    assert web.get(f"{path}?from={last + 1}&wait=50ms").gives(200).json == {"steps": []}
    following = web.later("GET", f"{path}?from={last + 1}&wait=50s")
    web.post(f"/v1/instances/{one}/bookmarks/{key}/resume", {"data": 1}).gives(200)
    assert following().gives(200).json["steps"][0]["sequence"] == last + 1
    web.get(f"/v1/instances/{one}?wait=30s").gives(200)
    end = web.get(path).json["steps"][-1]["sequence"]
    assert web.get(f"{path}?from={end + 1}&wait=50s").gives(200).json == {"steps": []}, "it has ended: there is nothing to wait for"
    web.get(path + "?limit=1001").problem(400, "bad-parameter")


@case("an output is there once it has completed, and can be waited for")
def _(room):
    web = serve(room)
    for text in (ASK, BROKEN):
        web.deploy(text)
    one = web.start("t/ask")["id"]
    key = bookmark_of(web, one)
    answer = web.get(f"/v1/instances/{one}/output").gives(409)
    assert answer.headers["ETag"] == f'"{answer.json["token"]}"', answer.told()
    waiting = web.later("GET", f"/v1/instances/{one}/output?wait=50s")
    web.post(f"/v1/instances/{one}/bookmarks/{key}/resume", {"data": {"n": [1]}}).gives(200)
    assert waiting().gives(200).json["n"] == [1]
    broken = web.start("t/broken")["id"]
    web.get(f"/v1/instances/{broken}/output?wait=30s").gives(409)


@case("a list is filtered, and its pages are linked")
def _(room):
    web = serve(room)
    for text in (HELLO, ASK, HELLO.replace("namespace: t", "namespace: u")):
        web.deploy(text)
    for n in range(5):
        web.start("t/hello", labels={"n": str(n % 2), "of": "a=b c"}, headers={"X-Correlation-ID": f"c{n}"})
    ask = web.start("t/ask")["id"]
    web.start("u/hello")
    bookmark_of(web, ask)

    def ids(query):
        return len(web.get("/v1/instances" + query).gives(200).json["instances"])

    assert ids("") == 7 and ids("?name=t/hello") == 5 and ids("?name=hello") == 6 and ids("?status=waiting") == 1
    assert ids("?namespace=u") == 1 and ids("?namespace=u&namespace=t") == 7 and ids("?namespace=none") == 0
    assert ids("?label=n=1") == 2 and ids("?label=n=1&label=of=a%3Db+c") == 2 and ids("?label=n=1&label=of=x") == 0
    assert ids("?correlation=c3") == 1
    counts = web.get("/v1/instances/count?namespace=t").gives(200).json
    assert counts == {"total": 6, "statuses": {"completed": 5, "waiting": 1}}, counts
    seen, path = [], "/v1/instances?limit=2&namespace=t&label=of=a%3Db+c"
    while path:
        answer = web.get(path).gives(200)
        seen += [one["id"] for one in answer.json["instances"]]
        link = answer.headers["Link"]
        assert (link is not None) == ("next" in answer.json), answer.told()
        path = link and link[1:link.index(">")]
        assert link is None or link.endswith('>; rel="next"'), link
    assert len(seen) == len(set(seen)) == 5, seen


@case("a start at a time is pending until then, and can be cancelled")
def _(room):
    web = serve(room)
    web.deploy(HELLO)
    one = web.start("t/hello", startAt="2999-01-01T00:00:00Z")["id"]
    assert web.get("/v1/instances/" + one).json["status"] == "pending"
    assert web.post(f"/v1/instances/{one}/cancel").gives(200).json["status"] == "cancelled"
    web.post("/v1/instances", {"name": "t/hello", "startAt": "tomorrow"}).problem(400, "invalid").says("startAt")
    soon = web.post("/v1/instances?wait=30s", {"name": "t/hello", "startAt": "2001-01-01T00:00:00Z"}).gives(201).json
    assert soon["status"] == "completed", soon


@case("a command travels as it does between processes, and what it comes to is told in both forms")
def _(room):
    web = serve(room)
    web.deploy(HELLO)
    assert web.post("/v1/commands", {"command": "ping"}).gives(200).json["ok"]["version"]
    one = web.post("/v1/commands", {"command": "start", "name": "t/hello", "input": {"who": 1}}).gives(200).json["ok"]["id"]
    shown = web.post("/v1/commands", {"command": "wait", "id": one, "timeoutMs": 30000}).gives(200).json["ok"]
    assert shown["output"] == {"hello": 1}, shown
    nap = web.deploy(NAP) and web.start("t/nap")
    moved = {"command": "wait", "id": nap["id"], "for": "moved", "timeoutMs": 30000}
    settled = web.post("/v1/commands", {**moved, "for": "idle"}).gives(200).json["ok"]
    waiting = web.later("POST", "/v1/commands", {**moved, "token": settled["token"]})
    web.post(f"/v1/instances/{nap['id']}/suspend").gives(200)
    assert waiting().gives(200).json["ok"]["token"] == settled["token"] + 1
    answer = web.post("/v1/commands", {"command": "show", "id": "none"}).problem(404, "no-such-instance")
    assert answer.json["error"] == {"code": "not-found", "reason": "no-such-instance", "message": answer.json["detail"]}, answer.told()
    answer = web.post("/v1/commands", {"command": "deploy", "text": "x: 1"}).problem(422, "document-not-valid")
    assert answer.json["error"]["code"] == "invalid" and answer.json["findings"], answer.told()
    web.post("/v1/commands", {"command": "sohw", "id": one}).problem(400, "bad-body").says("sohw")
    web.post("/v1/commands", {"id": one}).problem(400, "bad-body").says("command")
    web.post("/v1/commands", {"command": "show", "id": one, "x": 1}).problem(400, "invalid").says("'x'")
    assert len(web.post("/v1/commands", {"command": "list", "correlation": one}).gives(200).json["ok"]["instances"]) == 1, "its own id"
    assert web.post("/v1/commands", {"command": "list", "correlation": "x"}).gives(200).json["ok"]["instances"] == []


@case("a server that stops answers those who wait, and its instances go on at the next start")
def _(room):
    web = serve(room)
    web.deploy(ASK)
    one = web.start("t/ask")["id"]
    key = bookmark_of(web, one)
    waits = [web.later("GET", f"/v1/instances/{one}?wait=50s"), web.later("GET", f"/v1/instances/{one}/output?wait=50s"),
             web.later("POST", "/v1/instances?wait=50s", {"name": "t/ask", "key": "k"})]
    until(lambda: len(web.get("/v1/instances").json["instances"]) == 2, "the second start")
    done = web.stop()
    assert done.code == 0, done.told()
    assert waits[0]().gives(200).json["status"] == "waiting"
    waits[1]().gives(409)
    waits[2]().gives(202)
    web = serve(room)
    assert web.post(f"/v1/instances/{one}/bookmarks/{key}/resume", {"data": 1}).gives(200).json["repeated"] is False


if __name__ == "__main__":
    main()
