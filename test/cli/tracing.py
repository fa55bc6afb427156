#!/usr/bin/env python3
"""tracing.py - spans of a real server, as a collector gets them; and that nothing waits for a collector."""
import re

from harness import case, main, until
from service import Service
from web import serve

CALL = """document: {dsl: 1.0.3, namespace: t, name: call, version: 1.0.0}
do:
  - ask: {call: http, with: {method: post, endpoint: 'URL/x', body: {n: 1}}}
  - say: {emit: {event: {with: {source: 'http://e/s', type: t.said}}}}
"""
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
COUNT = """document: {dsl: 1.0.3, namespace: t, name: count, version: 1.0.0}
do:
  - nap: {wait: {milliseconds: 1}}
  - keep: {set: {a: 1}}
"""


def spans(collector):
    """Of all requests; each is checked for what OTLP's JSON encoding wants."""
    found = []
    for path, body in zip(collector.paths, collector.bodies):
        assert path == "/v1/traces", path
        for resource in body["resourceSpans"]:
            assert {"key": "service.name", "value": {"stringValue": "pawl"}} in resource["resource"]["attributes"], resource
            for scope in resource["scopeSpans"]:
                found += scope["spans"]
    for span in found:
        assert re.fullmatch(r"[0-9a-f]{32}", span["traceId"]) and re.fullmatch(r"[0-9a-f]{16}", span["spanId"]), span
        assert span["name"] and span["kind"] in (1, 2, 3, 4, 5), span
        assert re.fullmatch(r"\d+", span["startTimeUnixNano"]) and int(span["startTimeUnixNano"]) <= int(span["endTimeUnixNano"]), span
        for attribute in span["attributes"]:
            kind, value = next(iter(attribute["value"].items()))
            assert kind in ("stringValue", "intValue", "doubleValue", "boolValue") and (kind != "intValue" or isinstance(value, str)), span
    return found


def named(found, name):
    return [span for span in found if span["name"] == name]


@case("a request, the instance that it starts, its steps, calls and events are one tree")
def _(room):
    collector, service = Service(), Service()
    web = serve(room, settings={"Tracing:Endpoint": collector.url})
    web.deploy(CALL.replace("URL", service.url))
    answer = web.post("/v1/instances?wait=30s", {"name": "t/call"}, headers={"traceparent": PARENT}).gives(201)
    assert web.stop().code == 0
    found = [span for span in spans(collector) if span["traceId"] == PARENT[3:35]]
    start = named(found, "start")[0]
    assert start["parentSpanId"] == PARENT[36:52] and start["kind"] == 2, start
    assert answer.headers["traceparent"] == f"00-{PARENT[3:35]}-{start['spanId']}-01", answer.told()
    root = named(found, "workflow t/call")[0]
    assert root["parentSpanId"] == start["spanId"], root
    steps = [span for span in found if span["name"].startswith("step ")]
    assert steps and all(span["parentSpanId"] == root["spanId"] for span in steps), steps
    call = named(found, "POST")[0]
    assert call["kind"] == 3 and call["parentSpanId"] == named(found, "step start")[0]["spanId"], call
    events = named(found, "publish")
    assert len(events) == 3 and all(span["kind"] == 4 for span in events), events
    ids = [span["spanId"] for span in found]
    assert len(ids) == len(set(ids)), ids
    assert all(span["parentSpanId"] in ids for span in found if span is not start), found


@case("without a traceparent there is a trace of each request; what is not sampled is not sent")
def _(room):
    collector = Service()
    web = serve(room, settings={"Tracing:Endpoint": collector.url, "Tracing:SamplePerMille": 0})
    web.deploy(COUNT)
    answer = web.post("/v1/instances?wait=30s", {"name": "t/count"}).gives(201)
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-00", answer.headers["traceparent"]), answer.told()
    assert web.stop().code == 0
    assert spans(collector) == []
    web = serve(room, settings={"Tracing:Endpoint": collector.url})
    answer = web.post("/v1/instances?wait=30s", {"name": "t/count"}).gives(201)
    assert web.stop().code == 0
    found = [span for span in spans(collector) if span["traceId"] == answer.headers["traceparent"][3:35]]
    assert "parentSpanId" not in named(found, "start")[0] and named(found, "workflow t/count"), found


@case("a collector that hangs, fails or is gone holds nothing up, and gets the rest when it is back")
def _(room):
    collector = Service()
    collector.answer = "hang"
    web = serve(room, settings={"Tracing:Endpoint": collector.url})
    web.deploy(COUNT)
    ids = [web.start("t/count", 201, "?wait=30s")["id"] for _ in range(80)]
    until(lambda: collector.paths, "a request")
    collector.answer = 503
    collector.gate.set()
    ids += [web.start("t/count", 201, "?wait=30s")["id"] for _ in range(80)]
    seen = len(collector.paths)
    until(lambda: len(collector.paths) > seen, "another request")
    collector.answer = 200
    assert web.stop().code == 0
    assert all(room.pawl("show", id, "--db", "pawl.db", "--json").json()["status"] == "completed" for id in ids[::40])
    assert spans(collector)


@case("a server stops in time although its collector hangs")
def _(room):
    collector = Service()
    collector.answer = "hang"
    web = serve(room, settings={"Tracing:Endpoint": collector.url})
    web.deploy(COUNT)
    web.start("t/count", 201, "?wait=30s")
    assert web.stop().code == 0
    collector.gate.set()


if __name__ == "__main__":
    main()
