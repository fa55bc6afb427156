#!/usr/bin/env python3
"""Kills an engine with a worker in it (jobs.c) at the points through which a job goes, starts it again, lets it end, and goes
over what was committed, what the worker did, and what it was told.

    jobs.py JOBS [--long]

Prints TAP."""
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile

from crashlib import plan, report

COUNT = 3
POINTS = """job-before-give job-before-told engine-before-decide engine-before-commit engine-after-commit engine-before-act
engine-after-act engine-before-answer store-before-commit store-after-commit""".split()


class Case:
    def __init__(self, program):
        self.program = program
        self.dir = tempfile.mkdtemp(prefix="pawl-crash-")
        self.store, self.ledger = os.path.join(self.dir, "store.db"), os.path.join(self.dir, "ledger")

    def run(self, fault=None):
        env = dict(os.environ)
        if fault:
            env["PAWL_FAULT"] = fault
        done = subprocess.run([self.program, self.store, self.ledger, str(COUNT)], env=env, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=180)
        return done.returncode, done.stdout.decode(errors="replace")

    def problems(self):
        found = []

        def want(condition, *what):
            if not condition:
                found.append(" ".join(str(w) for w in what))

        lines = [line.split() for line in open(self.ledger)]
        done = {line[1] for line in lines if line[0] == "done"}
        inputs = {}
        for line in lines:
            if line[0] == "got":
                inputs.setdefault(line[2], set()).add(line[3])
        for key, numbers in inputs.items():
            want(len(numbers) == 1, "the key", key, "was used for", numbers)
        want(len(inputs) == 3 * COUNT, "keys:", len(inputs))
        db = sqlite3.connect("file:%s?mode=ro" % self.store, uri=True)
        db.row_factory = sqlite3.Row
        rows = list(db.execute("SELECT * FROM instance"))
        want(len(rows) == COUNT, "instances:", len(rows))
        answered = set()
        for row in rows:
            want(row["status"] == "completed", row["id"], "is", row["status"], row["error"])
            steps = list(db.execute("SELECT * FROM step WHERE instance = ? ORDER BY sequence", (row["id"],)))
            want([s["sequence"] for s in steps] == list(range(1, row["token"] + 1)), "the log has a gap")
            entries = [e for s in steps for e in json.loads(s["entries"])]
            lost = {}
            for e in entries:
                if e["type"] == "attempt.lost":
                    lost.setdefault(e["visit"], []).append(e["attempt"])
                if e["type"] == "job.answered":
                    name = "%s.%d.%d" % (row["id"], e["visit"], e["attempt"])
                    want(name not in answered, name, "was answered twice")
                    want(e["attempt"] not in lost.get(e["visit"], []), name, "was answered after it was lost")
                    answered.add(name)
            for visit, attempts in lost.items():
                want(attempts == list(range(1, len(attempts) + 1)), "visit", visit, "lost", attempts)
            finished = [e["visit"] for e in entries if e["type"] == "task.completed"]
            want(len(finished) == len(set(finished)), "a visit was completed twice:", finished)
        for token in done:
            want(token.rsplit(".", 1)[0] in answered, token, "was told taken, and is not in the log")
        want(len(answered) == 3 * COUNT, "answers:", len(answered))
        handed = [line[1] for line in lines if line[0] == "got"]
        want(len(handed) == len(set(handed)), "an attempt was handed out twice")
        db.close()
        return found


def crash(program, name, faults):
    case = Case(program)
    try:
        killed, detail = 0, []
        for fault in faults:
            code, text = case.run(fault)
            killed += code == -signal.SIGKILL
            if code not in (0, -signal.SIGKILL):
                detail.append("%s: exit %d: %s" % (fault, code, text))
        code, text = case.run()
        if code != 0:
            detail.append("last run: exit %d: %s" % (code, text))
        detail += case.problems()
        report(not detail, name, "\n".join(detail[:20]))
        return killed
    finally:
        shutil.rmtree(case.dir, ignore_errors=True)


def main():
    program = os.path.abspath(sys.argv[1])
    long = "--long" in sys.argv[2:] or os.environ.get("PAWL_TEST_LONG") == "1"
    total = 0
    for point in POINTS:
        for n in range(1, 25) if long else (1, 2, 4, 7, 12):
            killed = crash(program, "killed at %s, passing %d" % (point, n), ["%s:%d" % (point, n)])
            total += killed
            if not killed:
                break  # it is not passed that often
        # three times: an attempt that is lost a fourth time faults, by design
        total += crash(program, "killed at %s again and again" % point, ["%s:%d" % (point, n) for n in (5, 3, 2)])
    report(total >= 3 * len(POINTS), "processes were killed", "%d kills at %d points" % (total, len(POINTS)))
    return plan()


if __name__ == "__main__":
    sys.exit(main())
