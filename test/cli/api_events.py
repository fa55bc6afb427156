#!/usr/bin/env python3
"""CloudEvents over HTTP: the three forms of the protocol's binding, and what comes of the data in them."""
import base64

from harness import case, main, until
from web import serve

LISTEN = """
document: { dsl: '1.0.3', namespace: t, name: hear, version: '1.0.0' }
do:
  - hear: { listen: { to: { one: { with: { type: com.example.order } } }, read: envelope } }
"""
EVENT = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "com.example.order", "data": {"n": 1}}
BINARY = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/shop", "ce-type": "com.example.order"}


def hears(web, body, **more):
    """The event that a listener gets of this request."""
    if not web.get("/v1/definitions").json["definitions"]:
        web.deploy(LISTEN)
    one = web.start("t/hear")["id"]
    until(lambda: web.get("/v1/instances/" + one).json["status"] == "waiting", "a listener")
    sent = web.post("/v1/events", body, **more).gives(200).json["messages"]
    assert sent[0]["state"] == "delivered" and sent[0]["duplicate"] is False, sent
    heard = web.get(f"/v1/instances/{one}/output?wait=30s").gives(200).json
    return heard[0]


@case("one in structured form arrives as it is")
def _(room):
    web = serve(room)
    heard = hears(web, EVENT, kind="application/cloudevents+json; charset=utf-8")
    assert {name: heard[name] for name in EVENT} == EVENT, heard
    again = web.post("/v1/events", EVENT, kind="application/cloudevents+json").gives(200).json["messages"][0]
    assert again["duplicate"] is True, again


@case("one in plain JSON is taken as structured, several as a batch")
def _(room):
    web = serve(room)
    assert hears(web, EVENT)["data"] == {"n": 1}
    assert len(web.post("/v1/events", [{**EVENT, "id": "2"}, {**EVENT, "id": "3"}]).gives(200).json["messages"]) == 2


@case("a batch is taken whole or not at all")
def _(room):
    web = serve(room)
    kind = "application/cloudevents-batch+json"
    sent = web.post("/v1/events", [{**EVENT, "id": str(n)} for n in range(3)], kind=kind).gives(200).json["messages"]
    assert [(one["id"], one["state"]) for one in sent] == [("0", "kept"), ("1", "kept"), ("2", "kept")], sent
    web.post("/v1/events", [{**EVENT, "id": "7"}, {"id": "8"}], kind=kind).problem(400, "invalid")
    assert web.post("/v1/events", [{**EVENT, "id": "7"}], kind=kind).gives(200).json["messages"][0]["duplicate"] is False
    web.post("/v1/events", EVENT, kind=kind).problem(400, "bad-body").says("an array")
    web.post("/v1/events", [EVENT], kind="application/cloudevents+json").problem(400, "bad-body").says("one CloudEvent")


@case("one in binary form has its attributes in headers and JSON as its data")
def _(room):
    web = serve(room)
    heard = hears(web, '{"n": 2}', kind="application/json", headers={**BINARY, "CE-Region": "e%C3%BC %22x%22"})
    assert heard["data"] == {"n": 2} and heard["region"] == 'e\u00fc "x"' and heard["datacontenttype"] == "application/json", heard
    heard = hears(web, '{"n": 3}', kind="application/vnd.order+json", headers={**BINARY, "ce-id": "2", "ce-note": '"a \\"b\\""'})
    assert heard["data"] == {"n": 3} and heard["note"] == 'a "b"', heard


@case("binary data is text where its type is, and base 64 where it is not")
def _(room):
    web = serve(room)
    heard = hears(web, "<a>\u00fc</a>", kind="application/xml", headers=BINARY)
    assert heard["data"] == "<a>\u00fc</a>" and "data_base64" not in heard, heard
    for number, length in enumerate((1, 2, 3, 255), 2):
        data = bytes(range(length))
        heard = hears(web, data, kind="application/octet-stream", headers={**BINARY, "ce-id": str(number)})
        assert base64.b64decode(heard["data_base64"], validate=True) == data and "data" not in heard, heard
    heard = hears(web, b"\xff", kind="text/plain", headers={**BINARY, "ce-id": "t"})
    assert heard["data_base64"] == "/w==", heard
    heard = hears(web, None, headers={**BINARY, "ce-id": "none"})
    assert "data" not in heard and "data_base64" not in heard, heard


@case("what is no CloudEvent is refused, and says which part is wrong")
def _(room):
    web = serve(room)
    web.post("/v1/events", "{", kind="application/cloudevents+json").problem(400, "bad-body").says("JSON line 1")
    web.post("/v1/events", "{", headers=BINARY).problem(400, "bad-body").says("data of the event")
    web.post("/v1/events", EVENT, kind="application/cloudevents+avro").problem(415, "media-type").says("JSON alone")
    web.post("/v1/events", "x", kind="text/plain").problem(415, "media-type").says("ce-")
    web.post("/v1/events", {**EVENT, "specversion": "0.3"}).problem(400, "invalid").says("specversion")
    web.post("/v1/events", [], kind="application/cloudevents-batch+json").problem(400, "invalid")
    for name, value, word in (("ce-a_b", "x", "no attribute"), ("ce-data", "x", "means nothing"), ("ce-datacontenttype", "x", "means nothing"),
                              ("ce-x", "%zz", "percent-encoded"), ("ce-x", "%ff", "percent-encoded")):
        web.post("/v1/events", "1", headers={**BINARY, name: value}).problem(400, "bad-header").says(word)
    web.post("/v1/events", "1", headers={**BINARY, "ce-id": None}).problem(400, "invalid").says("id")


@case("a message is kept for as long as it is told")
def _(room):
    web = serve(room)
    sent = web.post("/v1/events?ttlMs=3600000", EVENT).gives(200).json["messages"][0]
    assert sent["state"] == "kept" and sent["kept"] is True and sent["expiresAt"], sent
    web.post("/v1/events?ttlMs=never", EVENT).problem(400, "bad-parameter")


if __name__ == "__main__":
    main()
