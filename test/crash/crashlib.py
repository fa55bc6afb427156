"""What the crash tests share: a service that remembers what it was asked, a store with a program that runs
workflows on it (mixed.c), and the going over of everything that was committed and that the outside saw."""
import http.server
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading

COUNT = 3
KINDS = {"order": "completed", "loop": "completed", "fork": "completed", "person": "completed",
         "mend": "completed", "sleeper": "cancelled", "hear": "completed", "family": "completed",
         "tries": "completed", "incident": "completed", "trip": "compensated", "refund": "compensated",
         "part": "compensated", "sub": "completed"}
EACH = {"sub": 4, "sleeper": 2}  # of the others one; a family has four children of one kind and one of the other
OUTPUTS = {
    "order": lambda n: {"n": n, "reserved": True, "charged": True},
    "loop": lambda n: None,
    "fork": lambda n: [True, "noted", "woke"],
    "person": lambda n: True,
    "mend": lambda n: {"mended": 422},
    "sleeper": lambda n: None,
    "family": lambda n: {"n": n, "one": n, "two": [n + 10, n + 20], "lost": 400},
    "hear": lambda n: [0, 1, 2, 3, 4, 5],
    "tries": lambda n: {"n": n, "ok": True, "third": True},
    "incident": lambda n: [True, True],
}
BAD = {"/flaky": (1, 503), "/often": (2, 503), "/refused": (2, 404)}  # the first so many of a key are answered so
# How it is undone, from its last to its first: what is in one set was done side by side.
UNDONE = {"trip": [{"car", "untold"}, {"part"}, {"hotel2"}, {"hotel1"}, {"flight"}], "refund": [{"sell"}], "part": [{"tour"}]}
TOLD = 6  # messages for each of them


class Service(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock = threading.Lock()
        self.seen = {}  # key -> list of (path, body)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def handle_error(self, request, client_address):
        """A client that was killed in the middle of a request is what this is about."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    def url(self):
        return "http://127.0.0.1:%d" % self.server_address[1]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
        key = self.headers.get("Idempotency-Key")
        with self.server.lock:
            requests = self.server.seen.setdefault(key, [])
            requests.append((self.path, body))
            before = len(requests) - 1
        times, bad = BAD.get(self.path, (0, 200))
        status = bad if before < times else 200
        answer = json.dumps({"ok": status == 200}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        try:
            self.wfile.write(answer)
        except OSError:
            pass

    def log_message(self, *args):
        pass


class Case:
    """One fresh store, one fresh service."""

    def __init__(self, mixed):
        self.mixed = mixed
        self.dir = tempfile.mkdtemp(prefix="pawl-crash-")
        self.store = os.path.join(self.dir, "store.db")
        self.ledger = os.path.join(self.dir, "ledger")
        self.service = Service()

    def close(self):
        self.service.shutdown()
        self.service.server_close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def run(self, fault=None, points=None, kill_after=None):
        """Exit code and output of one run; SIGKILL after so many seconds if it is still running then."""
        env = dict(os.environ)
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            env.pop(name, None)
        if fault:
            env["PAWL_FAULT"] = fault
        if points:
            env["PAWL_FAULT_LIST"] = points
        with subprocess.Popen([self.mixed, self.store, self.service.url(), self.ledger, str(COUNT)], env=env,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
            try:
                out, _ = process.communicate(timeout=180 if kill_after is None else kill_after)
            except subprocess.TimeoutExpired:
                process.kill()
                out, _ = process.communicate()
                if kill_after is None:
                    return None, "not done after 180 s\n" + out.decode(errors="replace")
        return process.returncode, out.decode(errors="replace")

    def problems(self):
        found = []

        def want(condition, *what):
            if not condition:
                found.append(" ".join(str(w) for w in what))

        db = sqlite3.connect("file:%s?mode=ro" % self.store, uri=True)
        db.row_factory = sqlite3.Row
        want([tuple(r) for r in db.execute("PRAGMA integrity_check")] == [("ok",)], "integrity_check")
        want(not list(db.execute("PRAGMA foreign_key_check")), "foreign_key_check")
        rows = list(db.execute("SELECT * FROM instance"))
        want(len(rows) == COUNT * sum(EACH.get(name, 1) for name in KINDS), "instances:", len(rows))
        self.family_problems(db, rows, want)
        noted = {}
        if os.path.exists(self.ledger):
            for line in open(self.ledger):
                key, _, text = line.rstrip("\n").partition(" ")
                noted.setdefault(key, set()).add(text)
        for key, texts in noted.items():
            want(len(texts) == 1, "activity key", key, "was used for", texts)
        for row in rows:
            self.instance_problems(db, row, noted, want)
            self.undo_problems(db, row, noted, want)
        seen = {key: set(requests) for key, requests in self.service.seen.items()}
        want(None not in seen, "a request came without an idempotency key")
        stored = {r["key"]: r for r in db.execute("SELECT * FROM external_call")}
        for key, requests in seen.items():
            want(len(requests) == 1, "key", key, "was sent with different requests:", requests)
            want(key in stored, "key", key, "was sent but never committed")
        for key, row in stored.items():
            want(row["state"] == "completed", "call", key, "is", row["state"])
            want(key in seen, "call", key, "completed but was never sent")
        self.message_problems(db, want)
        db.close()
        return found

    def family_problems(self, db, rows, want):
        """Each child once, and each heard of once."""
        for family in (row for row in rows if row["name"] == "family"):
            iid, n = family["id"], int(family["business_key"].rsplit("-", 1)[1])
            children = [row for row in rows if row["parent"] == iid]
            outputs = sorted(json.loads(row["output"])["sub"] for row in children if row["name"] == "sub")
            want(outputs == [n, n + 10, n + 20, n + 30], "family", iid, "has children with the outputs", outputs)
            want(len(children) == 5, "family", iid, "has", len(children), "children")
            told = db.execute("SELECT count(*) FROM step WHERE instance = ? AND event = 'child-ended'", (iid,)).fetchone()[0]
            want(told == 4, "family", iid, "was told of", told, "ends")
        left = [tuple(row) for row in db.execute("SELECT target, kind FROM inbox WHERE consumed_step IS NULL")]
        want(not left, "rows of the inbox that were not consumed:", left)

    def message_problems(self, db, want):
        messages = {r["number"]: r for r in db.execute("SELECT * FROM message")}
        want(len(messages) == COUNT * TOLD, "messages:", len(messages))
        taken = {}
        for row in db.execute("SELECT * FROM delivery"):
            want(row["consumed_step"] is not None, "a delivery of message", row["number"], "waits for", row["instance"])
            if row["consumed_step"]:
                taken.setdefault(row["number"], []).append(row["instance"])
        for number, row in messages.items():
            want(row["state"] == "delivered", "message", number, row["id"], "is", row["state"])
            want(len(taken.get(number, [])) == 1, "message", number, row["id"], "was taken by", taken.get(number))

    def instance_problems(self, db, row, noted, want):
        name, iid = row["name"], row["id"]
        want(row["status"] == KINDS[name], name, iid, "is", row["status"], row["error"])
        if row["status"] == "completed" and name not in ("loop", "sub"):
            n = int(row["business_key"].rsplit("-", 1)[1])
            want(json.loads(row["output"]) == OUTPUTS[name](n), name, iid, "gave", row["output"])
        steps = list(db.execute("SELECT * FROM step WHERE instance = ? ORDER BY sequence", (iid,)))
        want([s["sequence"] for s in steps] == list(range(1, row["token"] + 1)), name, iid, "log has a gap:",
             [s["sequence"] for s in steps], "token", row["token"])
        entries = [e for s in steps for e in json.loads(s["entries"])]
        types = [e["type"] for e in entries]
        want(types.count("instance.started") == 1, name, iid, "started", types.count("instance.started"), "times")
        ends = [t for t in types if t in ("instance.completed", "instance.cancelled", "instance.faulted")]
        want(len(ends) == 1 or name == "incident", name, iid, "ended:", ends)
        self.attempt_problems(db, row, entries, want)
        done = [e["visit"] for e in entries if e["type"] == "task.completed"]
        want(len(done) == len(set(done)), name, iid, "a visit was completed twice:", done)
        want(types.count("bookmark.consumed") == (1 if name == "person" else 0), name, iid, "bookmarks consumed:",
             types.count("bookmark.consumed"))
        notes = [e for e in entries if e["type"] == "task.completed" and e["task"].endswith(("/note", "/middle"))]
        want(len(notes) == {"order": 1, "loop": 3, "fork": 1, "sub": 1}.get(name, 0), name, iid, "notes:", len(notes))
        open_bookmarks = db.execute("SELECT count(*) FROM bookmark WHERE instance = ? AND ended_ms IS NULL", (iid,)).fetchone()[0]
        want(open_bookmarks == 0, name, iid, "has", open_bookmarks, "open bookmarks")
        events = [json.loads(e["payload"]) for e in
                  db.execute("SELECT payload FROM outbox WHERE instance = ? ORDER BY step, ordinal", (iid,))]
        kinds = [e["type"] for e in events]
        want(kinds.count("io.serverlessworkflow.workflow.started.v1") == 1, name, iid, "events:", kinds)
        end = ("io.pawl.instance.%s.v1" if KINDS[name] == "compensated" else "io.serverlessworkflow.workflow.%s.v1") % KINDS[name]
        want(kinds.count(end) == 1 and kinds[-1] == end, name, iid, "events:", kinds)
        want(kinds.count("com.example.mended") == (1 if name == "mend" else 0), name, iid, "events:", kinds)
        want(len({e["id"] for e in events}) == len(events), name, iid, "event ids repeat")
        if name in ("order", "loop", "fork"):
            want(noted, name, "left nothing in the ledger")


    def attempt_problems(self, db, row, entries, want):
        """Counters go up by one and never down; every incident has its row, and its end."""
        name, iid = row["name"], row["id"]
        last, failed = {}, {}
        for entry in entries:
            visit, attempt = entry.get("visit"), entry.get("attempt")
            if entry["type"] in ("attempt.failed", "attempt.lost"):
                want(attempt == last.get(visit, 1), name, iid, "attempt", attempt, "fails, it was", last.get(visit, 1))
                failed[visit] = attempt
            elif entry["type"] == "attempt.started":
                want(attempt == failed.get(visit, 0) + 1, name, iid, "attempt", attempt, "begins after", failed.get(visit))
                last[visit] = attempt
        calls = db.execute("SELECT sum(attempts) FROM external_call WHERE instance = ?", (iid,)).fetchone()[0] or 0
        called = {entry["visit"] for entry in entries if entry["type"] == "task.started" and "endpoint" in entry}
        begun = sum(entry["type"] == "attempt.started" and entry["visit"] in called for entry in entries) + len(called)
        want(calls == begun, name, iid, "has", calls, "attempts in its calls,", begun, "in its log")
        if name == "tries":
            want(max(last.values(), default=0) >= 3, name, iid, "attempts:", last)
        faults = list(db.execute("SELECT * FROM fault WHERE instance = ? ORDER BY step", (iid,)))
        steps = [s["sequence"] for s in db.execute("SELECT * FROM step WHERE instance = ? ORDER BY sequence", (iid,))
                 if any(e["type"] == "instance.faulted" for e in json.loads(s["entries"]))]
        want([f["step"] for f in faults] == steps, name, iid, "faulted in", steps, "with rows of", [f["step"] for f in faults])
        # an answer that was lost with its process is no incident, but the service has refused all the same
        want(len(faults) <= {"incident": 2, "trip": 1}.get(name, 0), name, iid, "incidents:", len(faults))
        for call in db.execute("SELECT key FROM external_call WHERE instance = ? AND endpoint LIKE '%/refused'", (iid,)):
            asked = len(self.service.seen.get(call["key"], []))
            want(asked >= 3, name, iid, "was refused twice, and asked", asked, "times")
        ends = ("compensating", "system") if name == "trip" else ("retried", "ann")
        want(all((f["resolution"], f["resolved_by"]) == ends for f in faults), name, iid, "open incidents")

    def undo_problems(self, db, row, noted, want):
        """Each effect has one step in the plan, which was carried out once, behind those that were done later."""
        name, iid = row["name"], row["id"]
        if name not in UNDONE:
            return
        plan = list(db.execute("SELECT * FROM compensation WHERE instance = ? ORDER BY ordinal DESC", (iid,)))
        want(len(plan) == sum(map(len, UNDONE[name])), name, iid, "has a plan of", len(plan), "steps")
        want(all(step["state"] == "done" and step["carried_out_by"] for step in plan), name, iid, "is undone:",
             [(step["ordinal"], step["state"]) for step in plan])
        calls = {c["visit"]: json.loads(json.loads(c["request"])["body"]) for c in
                 db.execute("SELECT visit, request FROM external_call WHERE instance = ? AND endpoint LIKE '%/undo'", (iid,))}
        entries = [e for s in db.execute("SELECT entries FROM step WHERE instance = ? ORDER BY sequence", (iid,))
                   for e in json.loads(s["entries"])]
        by = {step["carried_out_by"]: step for step in plan}
        order = [e["visit"] for e in entries if e["type"] == "task.completed" and e["visit"] in by]
        want(len(order) == len(plan), name, iid, "was undone in", len(order), "steps of", len(plan))
        what = [calls[v]["undoes"] if v in calls else "part" if by[v]["child"] else "untold" for v in order]
        for together in UNDONE[name]:
            want(set(what[:len(together)]) == together, name, iid, "was undone in the order", what)
            what = what[len(together):]
        begun = [e["type"] for e in entries].count("compensation.started")
        want(begun == 1, name, iid, "was compensated", begun, "times")


number = failures = 0


def report(good, name, detail=""):
    global number, failures
    number += 1
    failures += not good
    for line in [] if good else detail.splitlines(): # before its test, where who reads them takes them to belong
        print("# " + line)
    print("%sok %d - %s" % ("" if good else "not ", number, name))
    for line in detail.splitlines() if good else []:
        print("# " + line)
    sys.stdout.flush()


def plan():
    """The last line of a test program, and its exit code."""
    print("1..%d" % number)
    return 1 if failures else 0
