#!/usr/bin/env python3
"""server_torture.py - `pawl serve` under what no single client does: ten thousand idle polls, a thousand slow clients, two
clients at once for everything that only one may have, and SIGKILL at any moment while many work.

api_kill.py kills at each named point of each command; here the moment is left to chance, and many commands are in flight.
PAWL_TEST_LONG: more rounds.
"""
import http.client
import json
import os
import random
import resource
import signal
import socket
import threading
import time

from harness import PAWL, Skip, case, main, until
from web import serve

LONG = bool(os.environ.get("PAWL_TEST_LONG"))
PLAIN = b"__asan_init" not in open(PAWL, "rb").read() and b"__tsan_init" not in open(PAWL, "rb").read()
ROUNDS = 40 if LONG else 8
WORK = """
document: { dsl: '1.0.3', namespace: t, name: work, version: '1.0.0' }
do: [ { work: { call: paint, with: { n: "${ .n }" } } } ]
"""
ASK = """
document: { dsl: '1.0.3', namespace: t, name: ask, version: '1.0.0' }
do: [ { ask: { call: userTask, with: { key: decision, title: Yes or no? } } } ]
"""
HEAR = """
document: { dsl: '1.0.3', namespace: t, name: hear, version: '1.0.0' }
do: [ { hear: { listen: { to: { all: [ { with: { type: com.example.order } }, { with: { type: com.example.end } } ] } } } } ]
"""
HELLO = """
document: { dsl: '1.0.3', namespace: t, name: hello, version: '1.0.0' }
do: [ { greet: { set: { hello: "${ .who }" } } } ]
"""
# Three durable boundaries, two of them answered from outside.
MANY = """
document: { dsl: '1.0.3', namespace: t, name: many, version: '1.0.0' }
do:
  - work: { call: paint, with: { n: "${ .n }" }, output: { as: "${ $input + { painted: .n } }" } }
  - ask: { call: userTask, with: { key: decision, title: Well? }, output: { as: "${ $input + { answer: .answer } }" } }
  - nap: { wait: { milliseconds: 1 } }
"""


def raw(path, body):
    data = json.dumps(body).encode()
    return b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (path.encode(), len(data), data)


def answer_of(client):
    """Of a raw socket: status and JSON."""
    response = http.client.HTTPResponse(client)
    response.begin()
    return response.status, json.loads(response.read())


def memory_kb(process):
    with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS:"))


def functions(web):
    return {one["function"]: one for one in web.get("/v1/jobs").gives(200).json["functions"]}


def polls(web):
    return functions(web).get("paint", {"polls": 0})["polls"]


def steps_of(web, one):
    log = web.get(f"/v1/instances/{one}/log").gives(200).json["steps"]
    assert [step["sequence"] for step in log] == list(range(1, len(log) + 1)), log
    return [entry["type"] for step in log for entry in step["entries"]]


# ---- many


@case("ten thousand idle polls are held in little memory, get the jobs that come, and are answered at the end")
def _(room):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 11500:
        raise Skip(f"the limit of descriptors is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        web = serve(room, settings={"Server:MaxWait": "00:05:00"})
        web.deploy(WORK)
        before = memory_kb(web.process)
        clients = []
        for number in range(10000):
            client = socket.create_connection((web.host, web.port), timeout=120, source_address=(f"127.0.0.{2 + number // 5000}", 0))
            client.sendall(raw("/v1/jobs/poll", {"functions": ["paint"], "waitMs": 300000, "leaseMs": 600000}))
            clients.append(client)
        until(lambda: polls(web) == 10000, "ten thousand polls", 120)
        each = (memory_kb(web.process) - before) * 1024 / 10000
        print(f"# {each:.0f} bytes for each")
        assert not PLAIN or each < 24 * 1024, each
        for client in clients[:5000]:  # every second of those that came first, and so are asked first
            client.close()
        until(lambda: polls(web) == 5000, "half of them to go", 120)
        ids = {web.start("t/work", input={"n": n})["id"] for n in range(100)}
        until(lambda: polls(web) == 4900, "a hundred hand-outs")
        assert web.get("/v1/jobs").json["functions"][0]["leased"] == 100
        web.process.send_signal(signal.SIGTERM)
        got = []
        for client in clients[5000:]:
            status, answer = answer_of(client)
            assert status == 200, answer
            got += [job["instance"] for job in answer["jobs"]]
        assert sorted(got) == sorted(ids), (len(got), len(ids))
        done = room.finish(web.process)
        assert done.code == 0, done.told()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@case("a thousand slow clients do not keep anybody waiting, and are served when they come to an end")
def _(room):
    web = serve(room, settings={"Server:Workers": 2, "Server:IdleTimeout": "00:10:00", "Server:RequestTimeout": "00:20:00"})
    web.deploy(HELLO)
    body = json.dumps({"name": "t/hello", "input": {"who": "slow"}}).encode()
    head = b"POST /v1/instances HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    slow = [socket.create_connection((web.host, web.port), timeout=120) for _ in range(1000)]
    for part in range(4):
        for number, client in enumerate(slow):
            whole = head + body
            cut = [0, 10, len(head) - 3, len(head) + 2, len(whole) - 1] if number % 2 else [0, 1, 2, 40, len(head)]
            client.sendall(whole[cut[part]:cut[part + 1]])
        for _ in range(10):
            web.start("t/hello", input={"who": "quick"}, query="?wait=30s")
    assert len(web.get("/v1/instances?limit=1000").json["instances"]) == 40
    for number, client in enumerate(slow):
        client.sendall((head + body)[len(head + body) - 1 if number % 2 else len(head):])
    for client in slow:
        assert answer_of(client)[0] == 201
    count = web.get("/v1/instances/count").gives(200).json
    assert count["total"] == 1040, count
    assert web.stop().code == 0


# ---- two at once


def race(web, *requests):
    """All at the same time, on connections that are open already; the answers in the order of the requests."""
    barrier, answers = threading.Barrier(len(requests)), [None] * len(requests)

    def run(at, method, path, body, headers):
        connection = web.connect()
        connection.connect()
        barrier.wait()
        try:
            web.send(connection, method, path, body, headers)
            response = connection.getresponse()
            data = response.read()
            answers[at] = (response.status, json.loads(data) if data else None)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(at, *(list(one) + [None] * (4 - len(one))))) for at, one in enumerate(requests)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert None not in answers, answers
    return answers


def statuses(answers):
    return sorted(status for status, _ in answers)


def waiting_task(web):
    one = web.start("t/ask", input={})["id"]
    until(lambda: web.get("/v1/instances/" + one).json["status"] == "waiting", "a task")
    return one


def rounds(room, *documents):
    web = serve(room)
    for document in documents:
        web.deploy(document)
    for number in range(ROUNDS):
        yield web, number
    assert web.stop().code == 0


@case("two starts with one key are one instance, and with one idempotency key one answer")
def _(room):
    for web, n in rounds(room, HELLO):
        start = {"name": "t/hello", "key": f"k{n}", "input": {"who": "a"}}
        answers = race(web, *[("POST", "/v1/instances", start)] * 4)
        assert statuses(answers) == [200, 200, 200, 201], answers
        assert len({answer["id"] for _, answer in answers}) == 1, answers
        del start["key"]
        answers = race(web, *[("POST", "/v1/instances", start, {"Idempotency-Key": f"i{n}"})] * 4)
        assert set(statuses(answers)) <= {200, 201} and len({answer["id"] for _, answer in answers}) == 1, answers
        answers = race(web, ("POST", "/v1/instances", {**start, "key": f"x{n}"}), ("POST", "/v1/instances", {**start, "key": f"x{n}", "input": {"who": "b"}}))
        assert statuses(answers) == [201, 409], answers
        assert web.get("/v1/instances/count").json["total"] == 3 * (n + 1)


@case("one of two gets a claim, and one of two answers to a task counts")
def _(room):
    for web, _ in rounds(room, ASK):
        one = waiting_task(web)
        tasks = f"/v1/tasks/{one}/decision/"
        answers = race(web, ("POST", tasks + "complete", {"data": {"n": 1}}), ("POST", tasks + "complete", {"data": {"n": 2}}))
        assert statuses(answers) == [200, 409], answers
        winner = 1 if answers[0][0] == 200 else 2
        assert web.get(f"/v1/instances/{one}/output?wait=30s").gives(200).json["n"] == winner
        assert steps_of(web, one).count("bookmark.consumed") == 1
        one = waiting_task(web)
        answers = race(web, *[("POST", f"/v1/tasks/{one}/decision/complete", {"data": {"n": 3}}, {"Idempotency-Key": "k"})] * 4)
        assert statuses(answers) == [200] * 4, answers
        assert steps_of(web, one).count("bookmark.consumed") == 1


@case("a cancellation and an answer: one of them, wholly")
def _(room):
    seen = set()
    for web, _ in rounds(room, ASK):
        one = waiting_task(web)
        answers = race(web, ("POST", f"/v1/instances/{one}/cancel", {}), ("POST", f"/v1/tasks/{one}/decision/complete", {"data": {}}))
        shown = web.get(f"/v1/instances/{one}?wait=30s").json
        kinds = steps_of(web, one)
        if shown["status"] == "cancelled":
            assert answers[0][0] == 200 and "instance.completed" not in kinds, (answers, kinds)
            assert (answers[1][0] == 200) == ("bookmark.consumed" in kinds), (answers, kinds)
        else:
            assert shown["status"] == "completed" and answers[1][0] == 200 and "instance.cancelled" not in kinds, (answers, kinds)
        seen.add(shown["status"])
    print(f"# {sorted(seen)}")


@case("of changes with one token only the first is made")
def _(room):
    for web, _ in rounds(room, ASK):
        one = waiting_task(web)
        tag = web.get("/v1/instances/" + one).headers["ETag"]
        answers = race(web, *[("POST", f"/v1/tasks/{one}/decision/comments", {"text": f"{n}"}, {"If-Match": tag}) for n in range(4)])
        assert statuses(answers) == [200, 412, 412, 412], answers
        assert steps_of(web, one).count("bookmark.commented") == 1


@case("suspending and continuing leave an instance in the state of the last of them")
def _(room):
    for web, _ in rounds(room, ASK):
        one = waiting_task(web)
        race(web, *[("POST", f"/v1/instances/{one}/{what}", {}) for what in ("suspend", "continue", "suspend", "continue")])
        kinds = [kind for kind in steps_of(web, one) if kind in ("instance.suspended", "instance.resumed")]
        assert all(a != b for a, b in zip(kinds, kinds[1:])), kinds
        last = kinds[-1] if kinds else "instance.resumed"
        assert web.get("/v1/instances/" + one).json["status"] == ("suspended" if last == "instance.suspended" else "waiting"), kinds


@case("one job goes to one poll, and one of its results counts")
def _(room):
    for web, _ in rounds(room, WORK):
        waits = [web.later("POST", "/v1/jobs/poll", {"functions": ["paint"], "waitMs": 60000, "leaseMs": 600000}) for _ in range(4)]
        until(lambda: polls(web) == 4, "four polls")
        one = web.start("t/work", input={"n": 7})["id"]
        until(lambda: polls(web) == 3, "a hand-out")
        others = [web.start("t/work", input={"n": 8})["id"] for _ in range(3)]
        jobs = [job for wait in waits for job in wait().gives(200).json["jobs"]]
        assert sorted(job["instance"] for job in jobs) == sorted([one] + others), jobs
        for job in jobs:
            answers = race(web, ("POST", "/v1/jobs/complete", {"token": job["token"], "result": 1}),
                           ("POST", "/v1/jobs/fail", {"token": job["token"], "title": "no"}),
                           ("POST", "/v1/jobs/complete", {"token": job["token"], "result": 2}))
            assert statuses(answers) == [200, 409, 409], answers
            shown = web.get(f"/v1/instances/{job['instance']}?wait=30s").json
            if answers[1][0] == 200:
                assert shown["status"] == "faulted", shown
            else:
                assert web.get(f"/v1/instances/{job['instance']}/output").json == (1 if answers[0][0] == 200 else 2)
        late = race(web, *[("POST", "/v1/jobs/poll", {"functions": ["paint"], "waitMs": 0})] * 2)
        assert [answer for _, answer in late] == [{"jobs": []}] * 2, late


@case("a message sent twice at once is one, and a definition deployed twice at once is one")
def _(room):
    for web, n in rounds(room, HEAR):
        one = web.start("t/hear", input={})["id"]
        until(lambda one=one: web.get("/v1/instances/" + one).json["status"] == "waiting", "a listener")
        event = {"specversion": "1.0", "id": f"e{n}", "source": "/shop", "type": "com.example.order", "data": {"n": n}}
        kind = {"Content-Type": "application/cloudevents+json"}
        answers = race(web, *[("POST", "/v1/events", event, kind)] * 4)
        assert all(status in (200, 202) for status, _ in answers), answers
        race(web, ("POST", "/v1/events", {**event, "id": f"end{n}", "type": "com.example.end"}, kind))
        heard = web.get(f"/v1/instances/{one}/output?wait=30s").gives(200).json
        assert heard[0] == {"n": n}, heard
        text = {"Content-Type": "application/yaml"}
        same = HELLO.replace("1.0.0", f"1.0.{n}")
        other = same.replace("hello:", "goodbye:")
        answers = race(web, *[("POST", "/v1/definitions", same, text)] * 2, ("POST", "/v1/definitions", other, text))
        assert set(statuses(answers)) <= {200, 201, 409} and statuses(answers).count(201) == 1, answers
        assert 409 in statuses(answers), answers


# ---- killed at any moment


class Killed:
    """A server that is killed and started again at the same store; a request is repeated until it is answered."""

    def __init__(self, room):
        self.room, self.web, self.kills, self.over = room, serve(room), 0, False
        self.lock = threading.Lock()

    def kill(self):
        with self.lock:
            web = self.web
            web.process.send_signal(signal.SIGKILL)
            web.process.wait()
            self.kills += 1
            self.web = serve(self.room)

    def ask(self, method, path, body=None, key=None):
        """The answer, and whether it was the first try."""
        headers = {"Idempotency-Key": key} if key else None
        end = time.monotonic() + 300
        while time.monotonic() < end:
            try:
                answer = self.web.ask(method, path, body, headers=headers)
                if answer.status != 503:
                    return answer
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(0.01)
        raise AssertionError(f"{method} {path} was never answered")


def client(server, number, count, started):
    """Starts its instances, and answers their tasks as they come."""
    mine = {}
    for n in range(count):
        key = f"c{number}-{n}"
        answer = server.ask("POST", "/v1/instances", {"name": "t/many", "key": key, "input": {"n": n}}, key=f"start-{key}")
        assert answer.status in (200, 201), answer.told()
        mine[answer.json["id"]] = n
    started.update(mine)
    for one, n in mine.items():
        until(lambda one=one: server.ask("GET", f"/v1/instances/{one}/bookmarks/decision").status == 200, f"the task of {one}", 300)
        answer = server.ask("POST", f"/v1/tasks/{one}/decision/complete", {"data": {"answer": n * 3}}, key=f"answer-{one}")
        assert answer.status == 200, answer.told()


def worker(server, problems):
    while not server.over:
        jobs = server.ask("POST", "/v1/jobs/poll", {"functions": ["paint"], "waitMs": 200, "leaseMs": 1000, "max": 5})
        for job in jobs.json.get("jobs", []):
            answer = server.ask("POST", "/v1/jobs/complete", {"token": job["token"], "result": {"n": job["input"]["n"] * 2}})
            if answer.status not in (200, 409):  # 409: its lease was over, somebody else has it
                problems.append(answer.told())


@case("killed at any moment while many work, every answer that was given holds, and nothing is done twice")
def _(room):
    server, started, problems = Killed(room), {}, []
    server.web.deploy(MANY)
    clients, count = 6, 25 if LONG else 8

    def safely(function, *args):
        try:
            function(*args)
        except Exception as error:  # pylint: disable=broad-except
            problems.append(repr(error))

    users = [threading.Thread(target=safely, args=(client, server, n, count, started)) for n in range(clients)]
    workers = [threading.Thread(target=safely, args=(worker, server, problems)) for _ in range(3)]
    for thread in users + workers:
        thread.start()
    seed = random.randrange(1 << 30)
    print(f"# seed {seed}", flush=True)
    chance = random.Random(seed)
    while any(thread.is_alive() for thread in users) and server.kills < (60 if LONG else 12):
        time.sleep(chance.random() * 1.0)
        server.kill()
    for thread in users:
        thread.join()
    assert not problems, problems[:3]
    web = server.web
    assert len(started) == clients * count, len(started)
    assert web.get("/v1/instances/count").gives(200).json["total"] == clients * count
    for one, n in started.items():
        shown = server.ask("GET", f"/v1/instances/{one}?wait=60s").json
        assert shown["status"] == "completed", shown
        output = web.get(f"/v1/instances/{one}/output").gives(200).json
        assert output == {"n": n, "painted": n * 2, "answer": n * 3}, output
        kinds = steps_of(web, one)
        for kind in ("instance.started", "job.answered", "bookmark.consumed", "instance.completed"):
            assert kinds.count(kind) == 1, (kind, kinds)
    server.over = True
    for thread in workers:
        thread.join()
    print(f"# {server.kills} kills")
    assert not problems, problems[:3]
    assert server.kills >= 3, server.kills
    assert web.stop().code == 0


if __name__ == "__main__":
    main()
