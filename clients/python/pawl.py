"""pawl.py - a client and a worker for the Pawl server, with Python's standard library alone (3.9 or newer).

    from pawl import Client, Worker

    client = Client("http://127.0.0.1:8080", token="pawl_...")
    client.deploy(open("order.yaml").read())
    order = client.start("order", {"item": "pen"}, key="order-1001", wait=30)
    print(order["status"], order.get("output"))

    worker = Worker(client, concurrency=8)

    @worker.function("charge")
    def charge(job):
        return {"receipt": bank.charge(job.input, idempotency_key=job.idempotency_key)}

    worker.run()        # until SIGTERM; what runs is finished

A command is sent again by itself when the connection broke and a repetition has no second effect. What the server refuses is
an Error with a `code` and what to do. A Client may be used by many threads. Copy this file into your program as it is.
"""
from __future__ import annotations

import concurrent.futures
import http.client
import json
import os
import signal
import socket
import ssl
import threading
import time
import traceback
import urllib.parse
import uuid
from typing import Any, Callable, Iterator

__all__ = ["Client", "Worker", "Job", "Error", "Unreachable", "Failure"]

ABSENT: Any = object()  # where None is a value: null
SLICE_S = 30.0  # one request waits no longer; longer waits are several
TRIES = 4


class Error(Exception):
    """What the server answered instead of what was asked for."""

    def __init__(self, code: str, detail: str, action: str = "", status: int = 0, problem: dict | None = None):
        super().__init__(detail or code)
        self.code = code  # stable: "no-such-instance", "stale-token", "already-answered", ...
        self.detail, self.action = detail, action  # for people: what is wrong, and what to do about it
        self.status, self.problem = status, problem or {}  # of HTTP; 0: there was no answer

    @property
    def passing(self) -> bool:
        """It lies with the way or the server's state: the same may succeed later."""
        return self.status in (0, 429, 502, 503, 504)


class Unreachable(Error):
    """No answer, after some tries. A command that changes something may have been carried out: ask again with the same key."""

    def __init__(self, detail: str):
        super().__init__("unreachable", detail, "see that the server runs and the URL is right, then try again")


class Client:
    """Commands to a server. `ca` names a PEM file to trust beside the system's certificates."""

    def __init__(self, url: str = "http://127.0.0.1:8080", token: str | None = None, *, ca: str | None = None,
                 timeout: float = 60.0):
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"a server is http://HOST:PORT or https://HOST:PORT, not {url!r}")
        self.url, self.timeout = url.rstrip("/"), timeout
        self._host, self._port, self._path = parts.hostname, parts.port, parts.path.rstrip("/")
        self._token = token
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        if self._tls and ca:
            self._tls.load_verify_locations(ca)
        self._own = threading.local()  # a connection for each thread

    # ---- definitions and instances

    def deploy(self, text: str) -> dict:
        """Publishes a definition, YAML or JSON. The same again is a success without effect."""
        return self.command("deploy", text=text)

    def start(self, name: str, input: Any = None, *, version: str | None = None, key: str | None = None,
              labels: dict[str, str] | None = None, at: str | None = None, correlation: str | None = None,
              wait: float = 0, idempotency_key: str | None = None) -> dict:
        """Starts an instance and gives it as get() does; with `wait`, as it is when it has ended or so many seconds are over.
        With a business `key` there is one instance for the key, however often it is started."""
        started = self.command("start", name=name, input=input, version=version, key=key, labels=labels, startAt=at,
                               correlation_id=correlation, idempotency_key=idempotency_key or uuid.uuid4().hex)
        return self.wait(started["id"], seconds=wait) if wait > 0 else self.get(started["id"])

    def wait(self, id: str, what: str = "end", seconds: float | None = None) -> dict:
        """The instance once it is at its "end", "settled" or "idle", or when the time is over; None: however long it takes."""
        end = None if seconds is None else time.monotonic() + seconds
        while True:
            left = SLICE_S if end is None else min(SLICE_S, max(0.0, end - time.monotonic()))
            try:
                return self.command("wait", **{"id": id, "for": what, "timeoutMs": int(left * 1000)})
            except Error as error:
                if error.code != "timeout":
                    raise
            if end is not None and time.monotonic() >= end:
                return self.get(id)

    def get(self, id: str) -> dict:
        """One instance: id, status, input, output, error, what it waits for, token, times."""
        return self.command("show", id=id)

    def list(self, **filters: Any) -> Iterator[dict]:
        """Instances, newest first: status, name, key, correlation, labels, parent, namespaces."""
        yield from self._pages("list", "instances", filters)

    def log(self, id: str) -> Iterator[dict]:
        """What the instance did, step by step."""
        at: Any = 1
        while at:
            page = self.command("log", **{"id": id, "from": at})
            yield from page["steps"]
            at = page.get("next")

    def cancel(self, id: str, reason: str | None = None, **how: Any) -> dict:
        """Ends it before its time. `how`: dry_run, if_token, idempotency_key; so too for the others that change something."""
        return self._act("cancel", how, id=id, reason=reason)

    def suspend(self, id: str, reason: str | None = None, **how: Any) -> dict:
        """Stops it until resume()."""
        return self._act("suspend", how, id=id, reason=reason)

    def resume(self, id: str, reason: str | None = None, **how: Any) -> dict:
        """Lets a suspended one go on."""
        return self._act("continue", how, id=id, reason=reason)

    # ---- what goes wrong

    def incidents(self, **filters: Any) -> Iterator[dict]:
        """What waits for a person because it failed, newest first; instance, name, type, class, task; all: also what is over."""
        yield from self._pages("incidents", "incidents", filters)

    def incident(self, id: str) -> dict:
        """One of them, by its id or its instance's: the error, what was tried, what to do next."""
        return self.command("incident", id=id)

    # `id` is an incident's, which must still be open, or an instance's. `how`: dry_run (nothing is done: the answer is what would
    # be), confirm (although nobody knows whether a call had its effect), if_token, idempotency_key.

    def retry(self, id: str, reason: str | None = None, *, input: Any = ABSENT, **how: Any) -> dict:
        """Tries again what has failed, with another input if there is one."""
        return self._act("retry", how, id=id, reason=reason, input=input)

    def skip(self, id: str, reason: str | None = None, *, output: Any = ABSENT, **how: Any) -> dict:
        """Lets what has failed be over: as if it had given the output, or as if its `if` were false."""
        return self._act("skip", how, id=id, reason=reason, output=output)

    def goto(self, id: str, task: str, reason: str | None = None, *, input: Any = ABSENT, **how: Any) -> dict:
        """Lets the task at this JSON pointer be next, in place of what has failed."""
        return self._act("goto", how, id=id, task=task, reason=reason, input=input)

    def edit(self, id: str, patch: list[dict], reason: str | None = None, **how: Any) -> dict:
        """Changes its data, {"context", "input"}, by a JSON Patch."""
        return self._act("edit", how, id=id, patch=patch, reason=reason)

    def fail(self, id: str, reason: str | None = None, **how: Any) -> dict:
        """Gives an incident up: its instance stays faulted for good."""
        return self._act("fail", how, id=id, reason=reason)

    def compensate(self, id: str, reason: str | None = None, **how: Any) -> dict:
        """Undoes what an instance has done, in reverse order."""
        return self._act("compensate", how, id=id, reason=reason)

    def compensation(self, id: str) -> dict:
        """What would be undone, in the order in which it would be, and what became of what was."""
        plan: dict = {}
        for page in self._each("compensation", "after", id=id):
            plan = {**page, "steps": plan.get("steps", []) + page["steps"], "without": plan.get("without", []) + page["without"]}
        return plan

    def rewind(self, id: str, reason: str | None = None, *, step: int | None = None, visit: int | None = None, input: Any = ABSENT,
               **how: Any) -> dict:
        """Lets an instance go on from behind a step of its log, or from before a visit of a task; `done` of the answer is not undone."""
        return self._act("rewind", how, id=id, reason=reason, step=step, visit=visit, input=input)

    def fork(self, id: str, reason: str | None = None, *, step: int | None = None, visit: int | None = None, input: Any = ABSENT,
             key: str | None = None, labels: dict[str, str] | None = None, **how: Any) -> dict:
        """A new instance that begins there; `done` of the answer is what the other has done since."""
        return self._act("fork", how, id=id, reason=reason, step=step, visit=visit, input=input, key=key, labels=labels)

    def effects(self, id: str, behind: int = 0) -> Iterator[dict]:
        """What an instance has done outside, behind a step of its log."""
        for page in self._each("effects", "behind", id=id, behind=behind):
            yield from page["effects"]

    # ---- people and messages

    def tasks(self, **filters: Any) -> Iterator[dict]:
        """What the person of the token has to do, the most urgent first; of another: person, inGroups; of all: everybody."""
        yield from self._pages("tasks", "bookmarks", filters)

    def task(self, id: str, key: str) -> dict:
        """One task, with its form and data."""
        return self.command("bookmark", id=id, key=key)

    def complete(self, id: str, key: str, data: Any = None, **how: Any) -> dict:
        """Answers a task. The same answer again is a success without effect."""
        return self.command("complete", id=id, key=key, data=data, **how)

    def claim(self, id: str, key: str, seconds: float = 0, **how: Any) -> dict:
        """Takes a task, so that nobody else answers it; 0: until it is released."""
        return self.command("claim", id=id, key=key, leaseMs=int(seconds * 1000), **how)

    def release(self, id: str, key: str, **how: Any) -> dict:
        """Gives it back."""
        return self.command("release", id=id, key=key, **how)

    def publish(self, events: dict | list[dict], ttl: float | None = None) -> list[dict]:
        """Sends CloudEvents (id, source, type, data, ...). One with the same source and id as an earlier one has no effect."""
        made = [{"specversion": "1.0", "id": uuid.uuid4().hex, **event}
                for event in (events if isinstance(events, list) else [events])]
        ttl_ms = None if ttl is None else int(ttl * 1000)
        return self.command("publish", events=made, ttlMs=ttl_ms)["messages"]

    # ---- any command

    ONCE = {"comment", "delete", "edit", "fork", "goto", "poll", "retry", "rewind", "skip", "token-create"}  # unless it has a key

    def command(self, name: str, /, *, idempotency_key: str | None = None, if_token: int | None = None,
                correlation_id: str | None = None, **members: Any) -> Any:
        """Any command of doc/api.md, by its name and members; what is None is left out, but for input, output, data and result."""
        body = {"command": name}
        body.update((member, value) for member, value in members.items() if value is not ABSENT
                    and (value is not None or member in ("input", "output", "data", "result")))
        headers = {"Content-Type": "application/json", "Accept": "application/json, application/problem+json"}
        given = {"Idempotency-Key": idempotency_key, "If-Match": if_token and f'"{if_token}"',
                 "X-Correlation-ID": correlation_id, "Authorization": self._token and f"Bearer {self._token}"}
        headers.update((header, value) for header, value in given.items() if value)
        timeout = self.timeout + (members.get("timeoutMs") or members.get("waitMs") or 0) / 1000
        return self._ask(json.dumps(body).encode(), headers, timeout, name not in self.ONCE or idempotency_key is not None)

    def _act(self, action: str, how: dict, **members: Any) -> dict:
        if how.pop("dry_run", False):
            members["dryRun"] = True
        if how.pop("confirm", False):
            members["confirm"] = True
        if action in self.ONCE:
            how.setdefault("idempotency_key", uuid.uuid4().hex)
        return self.command(action, **members, **how)

    def _each(self, command: str, cursor: str, **members: Any) -> Iterator[dict]:
        """Page by page; `cursor` names the member that the `next` of a page is for."""
        while True:
            page = self.command(command, **members)
            yield page
            if not page.get("next"):
                return
            members[cursor] = page["next"]

    def _pages(self, command: str, member: str, filters: dict) -> Iterator[dict]:
        for page in self._each(command, "after", **filters):
            yield from page[member]

    def _ask(self, body: bytes, headers: dict[str, str], timeout: float, again: bool) -> Any:
        for attempt in range(TRIES):
            if attempt:
                time.sleep(0.1 * 4 ** (attempt - 1))
            last = attempt == TRIES - 1
            try:
                status, answer = self._send(body, headers, timeout)
            except ConnectionRefusedError as error:
                if last:
                    raise Unreachable(f"cannot reach {self.url}: connection refused") from error
                continue  # it never left
            except (OSError, http.client.HTTPException) as error:
                if last or not again:
                    raise Unreachable(f"no answer from {self.url}: {error!r}") from error
                continue
            if isinstance(answer, dict) and "ok" in answer:
                return answer["ok"]
            if status in (429, 503) and not last:
                continue  # turned away: nothing was done
            problem = answer if isinstance(answer, dict) else {}
            raise Error(problem.get("code", f"http-{status}"), problem.get("detail", f"{self.url} answers HTTP {status}"),
                        problem.get("action", ""), status, problem)

    def _connection(self) -> http.client.HTTPConnection:
        """This thread's."""
        if not hasattr(self._own, "connection"):
            self._own.connection = (
                http.client.HTTPSConnection(self._host, self._port, context=self._tls) if self._tls
                else http.client.HTTPConnection(self._host, self._port))
        return self._own.connection

    def _send(self, body: bytes, headers: dict[str, str], timeout: float) -> tuple[int, Any]:
        connection = self._connection()
        try:
            connection.timeout = timeout
            if connection.sock:
                connection.sock.settimeout(timeout)
            connection.request("POST", self._path + "/v1/commands", body, headers)
            response = connection.getresponse()
            text = response.read()
        except BaseException:
            connection.close()  # it opens again by itself
            raise
        try:
            return response.status, json.loads(text)
        except ValueError:
            return response.status, None


class Failure(Exception):
    """Raised by a function: the job has failed, with an error that the workflow can catch by status and type. `retryable`:
    another attempt, not before `retry_after` seconds, while there are some left."""

    def __init__(self, title: str, detail: str | None = None, *, status: int = 500, type: str | None = None,
                 retryable: bool = False, retry_after: float = 0):
        super().__init__(detail or title)
        self.members = {"title": title, "detail": detail, "status": status, "type": type, "retryable": retryable,
                        "retryAfterMs": int(retry_after * 1000) or None}


class Job:
    """One attempt of a task. It may come twice, after a crash or a lost answer: `idempotency_key` stays the same."""

    def __init__(self, facts: dict, lease: float):
        self.input: Any = facts.get("input")
        self.function: str = facts["function"]
        self.instance: str = facts["instance"]
        self.task: str = facts.get("task", "")
        self.attempt: int = facts.get("attempt", 1)
        self.idempotency_key: str = facts.get("idempotencyKey", "")
        self.correlation: str | None = facts.get("correlation")
        self.deadline: str | None = facts.get("deadline")
        self.last_error: Any = facts.get("lastError")
        self.cancelled = threading.Event()  # set when nobody waits for the result any more
        self.progress: Any = None           # JSON for people to see, sent with the next heartbeat
        self._token: str = facts["token"]
        self._beat_at = time.monotonic() + lease / 3


class Worker:
    """Takes jobs and hands them to functions, at most `concurrency` at once. A job without a heartbeat for `lease` seconds goes
    to another worker; heartbeats are sent by a thread while the functions run."""

    def __init__(self, client: Client, *, concurrency: int = 4, lease: float = 60.0, name: str | None = None):
        self.client, self.concurrency, self.lease = client, concurrency, lease
        self.name = name or f"{socket.gethostname()}:{os.getpid()}"
        self._functions: dict[str, Callable[[Job], Any]] = {}
        self._jobs: set[Job] = set()
        self._changed = threading.Condition()
        self._stopping, self._over = threading.Event(), threading.Event()
        self._polling: http.client.HTTPConnection | None = None
        self._failed: Error | None = None

    def function(self, name: str) -> Callable[[Callable[[Job], Any]], Callable[[Job], Any]]:
        """Decorator: the function does the jobs of `call: name`. What it returns is the result; a Failure says why there is
        none. Other exceptions: OSError and TimeoutError are tried again, the rest are errors of the task."""
        def add(function: Callable[[Job], Any]) -> Callable[[Job], Any]:
            self._functions[name] = function
            return function
        return add

    def run(self) -> None:
        """Works until stop(), or SIGTERM or SIGINT if this is the main thread, and finishes what runs then. A second signal
        raises KeyboardInterrupt: jobs that run go to others when their leases are over."""
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._on_signal)
            signal.signal(signal.SIGINT, self._on_signal)
        heart = threading.Thread(target=self._beat, daemon=True)
        heart.start()
        with concurrent.futures.ThreadPoolExecutor(self.concurrency) as pool:
            poller = threading.Thread(target=self._poll, args=(pool,), daemon=True)
            poller.start()
            while poller.is_alive():
                poller.join(0.25)  # in pieces: a signal is heard between them
                if self._stopping.is_set():
                    self._end_poll()
        self._over.set()  # the pool is done with all its jobs
        heart.join()
        if self._failed:
            raise self._failed

    def stop(self) -> None:
        """Takes no more jobs; run() returns when those that run are finished. From any thread."""
        self._stopping.set()

    def _on_signal(self, number: int, _frame: Any) -> None:
        if self._stopping.is_set():
            raise KeyboardInterrupt(f"signal {number}")
        self.stop()

    def _end_poll(self) -> None:
        """Ends the wait of a poll: the server gives to others what was on its way."""
        connection = self._polling
        try:
            if connection and connection.sock:
                connection.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def _poll(self, pool: concurrent.futures.Executor) -> None:
        pause = 0.0
        while not self._stopping.wait(pause):
            pause = 0.0
            with self._changed:
                free = self.concurrency - len(self._jobs)
                if free <= 0:
                    self._changed.wait(1)
                    continue
            try:
                self._polling = self.client._connection()
                jobs = self.client.command("poll", functions=sorted(self._functions), max=min(free, 100), worker=self.name,
                                           waitMs=int(SLICE_S * 1000), leaseMs=int(self.lease * 1000))["jobs"]
            except Error as error:
                if not error.passing:
                    self._failed = error
                    return
                pause = 2.0  # the server is away; it will be back
                continue
            finally:
                self._polling = None
            for facts in jobs:
                job = Job(facts, self.lease)
                with self._changed:
                    self._jobs.add(job)
                pool.submit(self._work, job)

    def _work(self, job: Job) -> None:
        try:
            try:
                answer = ("complete-job", {"result": self._functions[job.function](job)})
                json.dumps(answer[1])
            except Failure as failure:
                answer = ("fail-job", failure.members)
            except Exception as error:  # pylint: disable=broad-except
                answer = ("fail-job", {"title": type(error).__name__, "status": 500,
                                       "detail": traceback.format_exc(limit=-3)[-2000:],
                                       "retryable": isinstance(error, (OSError, TimeoutError))})
            self._tell(job, *answer)
        finally:
            with self._changed:
                self._jobs.discard(job)
                self._changed.notify_all()

    def _tell(self, job: Job, command: str, members: dict) -> None:
        """Until it is heard, or the job is over: a result is worth some patience, and the first one counts."""
        while not job.cancelled.is_set():
            try:
                self.client.command(command, token=job._token, **members)
                return
            except Error as error:
                if not error.passing:
                    return  # too late, or cancelled: nobody waits for it
            time.sleep(2)

    def _beat(self) -> None:
        while not self._over.wait(min(1.0, self.lease / 10)):
            now = time.monotonic()
            with self._changed:
                due = [job for job in self._jobs if job._beat_at <= now]
            for job in due:
                job._beat_at = now + self.lease / 3
                try:
                    answer = self.client.command("heartbeat-job", token=job._token, leaseMs=int(self.lease * 1000),
                                                 progress=job.progress)
                except Error as error:
                    answer = {"cancelled": not error.passing}  # else the work goes on: the first result counts
                if answer.get("cancelled"):
                    job.cancelled.set()
