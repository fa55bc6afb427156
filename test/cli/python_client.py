#!/usr/bin/env python3
"""python_client.py - clients/python/pawl.py against a real server, and the example of the shop with its workers."""
import importlib.util
import json
import os
import signal
import sys
import threading

from harness import ROOT, Room, case, main, until
from service import Service
from web import serve

SPEC = importlib.util.spec_from_file_location("pawl", os.path.join(ROOT, "clients", "python", "pawl.py"))
pawl = importlib.util.module_from_spec(SPEC)
sys.dont_write_bytecode = True
SPEC.loader.exec_module(pawl)

# What is retryable is tried again, and at once; what a service breaks is not.
Room.settings = {"PAWL_EGRESS_ALLOW": "loopback", "WorkflowResilience__Retry__BaseDelay": "1ms",
                 "WorkflowResilience__ExternalCall__MaxRetryAttempts": "0"}
HELLO = """document: {dsl: 1.0.3, namespace: t, name: hello, version: 1.0.0}
do:
  - greet: {set: {n: '${ .n }'}}
"""
ASK = """document: {dsl: 1.0.3, namespace: t, name: ask, version: 1.0.0}
do:
  - ask:
      call: userTask
      with: {key: answer, title: well?}
"""
ONE = """document: {dsl: 1.0.3, namespace: t, name: one, version: 1.0.0}
do:
  - work:
      call: work
      with: {n: '${ .n }'}
"""
HEAR = """document: {dsl: 1.0.3, namespace: t, name: hear, version: 1.0.0}
do:
  - hear: {listen: {to: {one: {with: {type: paid}}}}}
"""


def url(server):
    return f"http://{server.host}:{server.port}"


def client_of(server, **more):
    return pawl.Client(url(server), **more)


class Running:
    """A worker in a thread of its own."""

    def __init__(self, worker):
        self.worker, self.error = worker, None
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            self.worker.run()
        except Exception as error:  # pylint: disable=broad-except
            self.error = error

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.worker.stop()
        self.thread.join(60)
        assert not self.thread.is_alive(), "the worker does not stop"


@case("the file is short, typed, and imports nothing but the standard library")
def _(_room):
    path = os.path.join(ROOT, "clients", "python", "pawl.py")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    assert len(text.splitlines()) < 480, len(text.splitlines())
    for line in text.splitlines():
        if line.startswith(("import ", "from ")):
            assert line.split()[1].split(".")[0] in sys.stdlib_module_names, line
    for name in pawl.__all__:
        thing = getattr(pawl, name)
        assert thing.__doc__, name
        for member, value in vars(thing).items():
            if callable(value) and not member.startswith("_"):
                assert value.__doc__ and "return" in value.__annotations__, f"{name}.{member}"


@case("a definition is deployed, an instance started, waited for, found and read")
def _(room):
    client = client_of(serve(room))
    assert client.deploy(HELLO)["created"] is True and client.deploy(HELLO)["created"] is False
    instance = client.start("hello", {"n": 5}, wait=30, labels={"who": "ada"}, correlation="c-1")
    assert instance["status"] == "completed" and instance["output"] == {"n": 5} and instance["correlation"] == "c-1", instance
    assert client.get(instance["id"])["id"] == instance["id"]
    assert [i["id"] for i in client.list(labels={"who": "ada"})] == [instance["id"]]
    assert list(client.list(labels={"who": "eve"})) == []
    assert [step["sequence"] for step in client.log(instance["id"])] == [1]
    keyed = client.start("hello", {"n": 1}, key="k", wait=30)
    assert client.start("hello", {"n": 1}, key="k")["id"] == keyed["id"]
    for _ in range(120):
        client.start("hello")
    assert len(list(client.list())) == 122


@case("an instance is suspended, goes on, and is cancelled; a token that is over is refused")
def _(room):
    client = client_of(serve(room))
    client.deploy(ASK)
    identity = client.start("ask")["id"]
    suspended = client.suspend(identity, "lunch")
    assert client.get(identity)["status"] == "suspended"
    try:
        client.resume(identity, if_token=suspended["token"] + 5)
        assert False, "it was taken"
    except pawl.Error as error:
        assert error.code == "stale-token" and error.action and error.status in (409, 412), vars(error)
    client.resume(identity, if_token=suspended["token"])
    waited = client.wait(identity, "settled", seconds=30)
    assert waited["status"] == "waiting", waited
    assert client.wait(identity, seconds=0.2)["status"] == "waiting"
    client.cancel(identity)
    assert client.wait(identity)["status"] == "cancelled"


@case("what failed is found, looked at, tried again and given up")
def _(room):
    service = Service()
    service.answer = 500
    client = client_of(serve(room))
    client.deploy(service.workflow())
    first, second = (client.start("charge", {"n": n}, wait=30)["id"] for n in (1, 2))
    found = {i["instance"]: i for i in client.incidents(name="charge")}
    assert set(found) == {first, second} and list(client.incidents(type="activity-fault")) == []
    one = client.incident(found[first]["id"])
    assert one["class"] == "server-error" and one["calls"][0]["status"] == 500 and one["input"] == {"n": 1}, one
    service.answer = 200
    assert client.retry(one["id"], "it is back")["repeated"] is False
    assert client.wait(first, seconds=30)["status"] == "completed"
    try:
        client.retry(one["id"])
        assert False, "it was tried again"
    except pawl.Error as error:
        assert error.code == "no-incident" and "retried" in error.detail, vars(error)
    client.fail(second, "too late")
    assert client.fail(second)["repeated"] is True and list(client.incidents()) == []
    assert {i["resolution"] for i in client.incidents(all=True)} == {"retried", "failed"}


TRIP = """document: {dsl: 1.0.3, namespace: t, name: trip, version: 1.0.0}
do:
  - book:
      call: http
      with: {method: post, endpoint: 'URL/book', body: {n: 1}}
      metadata: {pawl: {compensate: {call: http, with: {method: post, endpoint: 'URL/back', body: {n: 1}}}}}
  - pay: {call: http, with: {method: post, endpoint: 'URL/pay', body: '${ $context }'}}
  - last: {set: '${ . }'}
"""


@case("what failed is skipped, left for another task, edited, undone; a dry run does nothing; null is an input as well")
def _(room):
    server, service = serve(room), Service()
    service.answers["/pay"] = 500
    client = client_of(server)
    client.deploy(TRIP.replace("URL", service.url))

    def trip():
        one = client.start("trip")["id"]
        until(lambda: client.get(one)["status"] == "faulted", "a fault")
        return one

    one = trip()
    dry = client.skip(one, output=None, dry_run=True)
    assert dry["dryRun"] is True and dry["status"] == "completed" and client.get(one)["token"] == dry["token"], dry
    assert client.skip(one, "in cash", output=None)["status"] == "completed" and client.get(one)["output"] is None
    one = trip()
    assert client.goto(one, "/do/2/last", input={"n": 2}, if_token=client.get(one)["token"])["status"] == "completed"
    assert client.get(one)["output"] == {"n": 2}
    one = trip()
    assert client.edit(one, [{"op": "replace", "path": "/context", "value": {"n": 3}}])["status"] == "faulted"
    assert client.get(one)["data"]["context"] == {"n": 3} and client.get(one)["undo"] == 1
    assert [(effect["kind"], effect["task"]) for effect in client.effects(one)] == [("call", "/do/0/book"), ("call", "/do/1/pay")]
    assert [effect["task"] for effect in client.effects(one, behind=1)] == ["/do/1/pay"]
    made = client.fork(one, visit=2, key="again", labels={"a": "b"})
    assert made["from"] == one and client.get(made["id"])["labels"] == {"a": "b"} and client.get(one)["status"] == "faulted", made
    assert client.rewind(one, visit=2, input=None, dry_run=True)["dryRun"] is True
    plan = client.compensation(one)
    assert [(step["task"], step["state"]) for step in plan["steps"]] == [("/do/0/book", "registered")] and plan["left"] == 1, plan
    client.compensate(one, "no money")
    assert client.wait(one)["status"] == "compensated" and service.paths.count("/back") == 1
    assert [step["state"] for step in client.compensation(one)["steps"]] == ["done"]
    try:
        client.goto(one, "/do/2/last")
        raise AssertionError("it has ended")
    except pawl.Error as error:
        assert error.code == "instance-ended", vars(error)


@case("a person's tasks are listed, claimed and completed, by the token's name")
def _(room):
    server = serve(room, "--auth")
    made = {name: room.pawl("token", "create", name, "--role", role, "--db", "pawl.db").exits(0).out.strip()
            for name, role in (("olga", "operator"), ("ada", "viewer"))}
    operator, ada = client_of(server, token=made["olga"]), client_of(server, token=made["ada"])
    operator.deploy(ASK)
    identity = operator.start("ask")["id"]
    task, = ada.tasks()
    assert (task["instance"], task["key"], task["title"]) == (identity, "answer", "well?"), task
    assert ada.claim(identity, "answer", seconds=60)["claimedBy"] == "ada"
    ada.release(identity, "answer")
    assert ada.task(identity, "answer")["open"] is True
    assert ada.complete(identity, "answer", {"yes": True})["repeated"] is False
    assert ada.complete(identity, "answer", {"yes": True})["repeated"] is True
    output = operator.wait(identity)["output"]
    assert output["yes"] is True and output["completedBy"] == "ada", output
    try:
        ada.deploy(HELLO)
        assert False, "she may deploy"
    except pawl.Error as error:
        assert error.status == 403 and not error.passing, vars(error)
    try:
        client_of(server).get(identity)
        assert False, "nobody was asked"
    except pawl.Error as error:
        assert error.status == 401, vars(error)


@case("events are published once, and reach who listens")
def _(room):
    client = client_of(serve(room))
    client.deploy(HEAR)
    identity = client.start("hear")["id"]
    event = {"id": "e-1", "source": "/test", "type": "paid", "data": {"sum": 3}}
    assert client.publish(event)[0]["duplicate"] is False
    assert client.publish([event])[0]["duplicate"] is True
    output = client.wait(identity)["output"]
    assert output[0]["sum"] == 3 or output[0]["data"] == {"sum": 3}, output


@case("what is refused is an exception with a code, and a server that is away one of its own")
def _(room):
    server = serve(room)
    client = client_of(server)
    for ask, code in ((lambda: client.get("nosuch"), "no-such-instance"), (lambda: client.start("nosuch"), "no-such-definition"),
                      (lambda: client.command("frobnicate"), "bad-body"), (lambda: client.deploy("{}"), "document-not-valid")):
        try:
            ask()
            assert False, code
        except pawl.Error as error:
            assert error.code == code and error.detail and error.status in (400, 404, 422), (code, vars(error))
    server.process.send_signal(signal.SIGKILL)
    server.process.wait()
    try:
        client.get("x")
        assert False, "it answered"
    except pawl.Unreachable as error:
        assert error.code == "unreachable" and error.passing, vars(error)
    for wrong in ("127.0.0.1:80", "ftp://x", "http://"):
        try:
            pawl.Client(wrong)
            assert False, wrong
        except ValueError:
            pass


@case("a connection that the server has closed meanwhile is opened again")
def _(room):
    server = serve(room)
    client = client_of(server)
    client.deploy(HELLO)
    server.process.send_signal(signal.SIGKILL)
    server.process.wait()
    again = room.start("serve", "--db", "pawl.db", "--listen", f"127.0.0.1:{server.port}")
    assert again.stdout.readline().startswith(b"listening")
    assert client.start("hello", {"n": 1}, wait=30)["output"] == {"n": 1}


@case("a worker does jobs, several at once")
def _(room):
    client = client_of(serve(room))
    client.deploy(ONE)
    worker = pawl.Worker(client, concurrency=3)
    barrier, seen = threading.Barrier(3, timeout=60), []

    @worker.function("work")
    def work(job):
        barrier.wait()
        seen.append((job.function, job.task, job.attempt, bool(job.idempotency_key), job.cancelled.is_set()))
        return {"n": job.input["n"] * 2}

    with Running(worker):
        started = [client.start("one", {"n": n})["id"] for n in range(3)]
        assert [client.wait(i)["output"] for i in started] == [{"n": 0}, {"n": 2}, {"n": 4}]
    assert seen == [("work", "/do/0/work", 1, True, False)] * 3, seen


@case("what a function raises is the task's error; what is retryable is tried again")
def _(room):
    client = client_of(serve(room))
    client.deploy(ONE)
    worker = pawl.Worker(client)

    @worker.function("work")
    def work(job):
        kind = job.input["n"]
        if kind == "declined":
            raise pawl.Failure("Declined", "no money", status=402, type="https://shop.example/declined")
        if kind == "bug":
            raise KeyError("sku")
        if kind == "no json":
            return {1, 2}
        if job.attempt == 1:
            raise pawl.Failure("Busy", retryable=True, retry_after=0.1) if kind == "busy" else ConnectionError("no line")
        return {"attempt": job.attempt, "before": job.last_error["title"]}

    with Running(worker):
        def outcome(kind):
            return client.start("one", {"n": kind}, wait=60)

        error = outcome("declined")["error"]
        assert (error["status"], error["type"], error["title"], error["detail"]) == (402, "https://shop.example/declined", "Declined", "no money"), error
        error = outcome("bug")["error"]
        assert error["title"] == "KeyError" and "sku" in error["detail"] and error["status"] == 500, error
        assert outcome("no json")["error"]["title"] == "TypeError"
        assert outcome("busy")["output"] == {"attempt": 2, "before": "Busy"}
        assert outcome("line")["output"] == {"attempt": 2, "before": "ConnectionError"}


@case("heartbeats keep a long job, carry its progress, and tell that it was cancelled")
def _(room):
    client = client_of(serve(room))
    client.deploy(ONE)
    worker = pawl.Worker(client, lease=0.6, name="w-9")
    let, left = threading.Event(), []

    @worker.function("work")
    def work(job):
        job.progress = {"percent": 40}
        if job.input["n"] == "long":
            let.wait(60)
            return job.attempt
        left.append(job.cancelled.wait(60))
        return None

    with Running(worker):
        long, gone = client.start("one", {"n": "long"})["id"], client.start("one", {"n": "gone"})["id"]
        leases = set()

        def beaten():
            jobs = {job["instance"]: job for job in client.command("jobs")["jobs"]}
            assert jobs[long]["state"] == "leased" and jobs[long]["attempt"] == 1 and jobs[long]["worker"] == "w-9", jobs
            leases.add(jobs[long]["leaseUntil"])
            return len(leases) > 5 and jobs[long].get("progress") == {"percent": 40}

        until(beaten, "heartbeats")
        client.cancel(gone)
        until(lambda: left == [True], "the word of the cancellation")
        let.set()
        assert client.wait(long)["output"] == 1


@case("a worker outlives its server, and its result is taken")
def _(room):
    server = serve(room, settings={"Jobs:Lease": "60s"})
    client = client_of(server)
    client.deploy(ONE)
    worker, let, began = pawl.Worker(client), threading.Event(), threading.Event()

    @worker.function("work")
    def work(job):
        began.set()
        let.wait(60)
        return job.attempt

    with Running(worker):
        identity = client.start("one", {"n": 1})["id"]
        assert began.wait(60)
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
        let.set()
        again = room.start("serve", "--db", "pawl.db", "--listen", f"127.0.0.1:{server.port}")
        assert again.stdout.readline().startswith(b"listening")
        assert client.wait(identity, seconds=60)["output"] == 1


@case("a worker that may not is told so by run")
def _(room):
    server = serve(room, "--auth")
    secret = room.pawl("token", "create", "vera", "--role", "viewer", "--db", "pawl.db").exits(0).out.strip()
    worker = pawl.Worker(client_of(server, token=secret))
    worker.function("work")(lambda job: None)
    running = Running(worker)
    running.thread.join(60)
    assert isinstance(running.error, pawl.Error) and running.error.status == 403, running.error


@case("a worker without work stops within a moment")
def _(room):
    client = client_of(serve(room))
    worker = pawl.Worker(client)
    worker.function("work")(lambda job: None)
    running = Running(worker)
    until(lambda: any(f["polls"] for f in client.command("jobs")["functions"]), "the poll")
    worker.stop()
    running.thread.join(pawl.SLICE_S - 5)
    assert not running.thread.is_alive(), "it waits for the whole poll"


@case("the example of the shop sells, asks a person for what is dear, and survives its workers")
def _(room):
    server = serve(room, "--auth", "--deploy", os.path.join(ROOT, "examples", "shop.yaml"), settings={"Jobs:Lease": "1s"})
    tokens = {name: room.pawl("token", "create", name, *more, "--db", "pawl.db").exits(0).out for name, more in (
        ("hands", ("--role", "worker@examples")), ("clerk", ("--role", "starter@examples")),
        ("ada", ("--role", "viewer@examples", "--group", "sales")))}
    room.file("hands.token", tokens["hands"])
    clerk, ada = (client_of(server, token=tokens[name].strip()) for name in ("clerk", "ada"))

    def hands():
        process = room.start(os.path.join(ROOT, "examples", "workers.py"), "--server", url(server), "--token-file", "hands.token",
                             program=sys.executable)
        assert process.stdout.readline() == b"ready\n", room.finish(process).told()
        return process

    worker = hands()
    pens = [clerk.start("examples/shop", {"order": f"A-{n}", "items": [{"sku": "pen", "price": 3, "count": n}]}, key=f"A-{n}")["id"]
            for n in range(1, 8)]
    for n, identity in enumerate(pens, 1):
        output = clerk.wait(identity, seconds=100)["output"]
        assert (output["status"], output["total"], output["shelf"]) == ("sent", 3 * n, "A1") and output["receipt"].endswith(f"-{3 * n}"), output
    assert len({clerk.get(identity)["output"]["receipt"] for identity in pens}) == 7  # each was charged once
    none = clerk.start("examples/shop", {"order": "B", "items": [{"sku": "piano", "price": 1, "count": 1}]}, wait=60)
    assert none["error"]["status"] == 404 and none["error"]["detail"] == "there is no piano", none
    desk = clerk.start("examples/shop", {"order": "C", "items": [{"sku": "desk", "price": 300, "count": 2}]})["id"]
    lamp = clerk.start("examples/shop", {"order": "D", "items": [{"sku": "desk", "price": 900, "count": 1}]})["id"]
    titles = until(lambda: (lambda t: len(t) == 2 and t)({t["title"]: t["instance"] for t in ada.tasks()}), "two tasks")
    assert titles == {"Order C for 600?": desk, "Order D for 900?": lamp}, titles
    worker.send_signal(signal.SIGTERM)
    done = room.finish(worker, timeout=60).exits(0).silent()
    assert done.out.endswith("done\n"), done.told()
    ada.complete(desk, "approve", {"approved": True})
    ada.complete(lamp, "approve", {"approved": False})
    assert clerk.wait(lamp, seconds=60)["output"] == {"order": "D", "status": "declined", "by": "ada"}
    assert clerk.get(desk)["status"] == "waiting"  # for a worker
    worker = hands()
    assert clerk.wait(desk, seconds=100)["output"]["status"] == "sent"
    worker.send_signal(signal.SIGTERM)
    room.finish(worker, timeout=60).exits(0)
    assert json.loads(room.pawl("jobs", "--json", "--db", "pawl.db").exits(0).out)["jobs"] == []


if __name__ == "__main__":
    main()
