#!/usr/bin/env python3
"""Kills a process by SIGKILL in the middle of a large workflow, starts it again, and sees that it went on
where it was: nothing lost, nothing doubled.

    large.py LARGE

`for` over many items, each with an activity and without, and a fork with many branches. The process is killed
when so much has been done, not after a time: so many runs of the activity, or so many steps committed. With
PAWL_TEST_LONG=1 the sizes are 100,000 items and 1,000 branches. Prints TAP. LARGE is built from large.c."""
import collections
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time

from crashlib import plan, report

LONG = os.environ.get("PAWL_TEST_LONG") == "1"


class Run:
    def __init__(self, large, shape, count):
        self.dir = tempfile.mkdtemp(prefix="pawl-large-")
        self.store, self.ledger = os.path.join(self.dir, "store.db"), os.path.join(self.dir, "ledger")
        self.command = [large, self.store, self.ledger, shape, str(count)]

    def lines(self):
        if not os.path.exists(self.ledger):
            return []
        with open(self.ledger, encoding="utf-8") as file:
            return [line for line in file.read().split("\n") if line]

    def steps(self):
        """What is committed, as a reader beside the owner sees it."""
        try:
            db = sqlite3.connect("file:%s?mode=ro" % self.store, uri=True)
            return (db.execute("SELECT max(token) FROM instance").fetchone() or [0])[0] or 0
        except sqlite3.Error:
            return 0  # it is not made yet

    def kill_at(self, done, goal):
        """Runs until done() is at the goal, and kills. False: it had ended before."""
        with subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
            while done() < goal:
                if process.poll() is not None:
                    return False
                time.sleep(0.005)
            process.kill()
            process.communicate()
            return True

    def finish(self):
        done = subprocess.run(self.command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, text=True,
                              timeout=1800)
        if done.returncode != 0:
            raise RuntimeError("exit %d: %s" % (done.returncode, done.stderr))
        return json.loads(done.stdout)

    def rows(self, query):
        return list(sqlite3.connect("file:%s?mode=ro" % self.store, uri=True).execute(query))


def wanted(found, what, is_, should):
    if is_ != should:
        found.append("%s: %s instead of %s" % (what, str(is_)[:300], str(should)[:300]))


def check(large, shape, count, goals, of_steps=False):
    run = Run(large, shape, count)
    found = []
    try:
        for goal in goals:
            killed = run.kill_at(run.steps if of_steps else lambda: len(run.lines()), goal)
            wanted(found, "killed at %d" % goal, killed, True)
        shown = run.finish()
        wanted(found, "status", shown["status"], "completed")
        expected = {"for": {"n": count, "count": count}, "fork": [2] * count,
                    "pure": {"n": count * (count - 1) // 2, "count": count}}[shape]
        wanted(found, "output", shown["output"], expected)
        items = {"for": count, "fork": 2 * count, "pure": 0}[shape]
        completed = run.rows("SELECT count(*), count(DISTINCT json_extract(entry, '$.visit')) FROM execution_log WHERE "
                             "json_extract(entry, '$.type') = 'task.completed' AND json_extract(entry, '$.output') "
                             "IS NOT NULL")[0]
        wanted(found, "activities completed, by the log", completed, (items, items))
        wanted(found, "steps without a gap", run.rows("SELECT count(*) = max(sequence) AND max(sequence) = (SELECT token "
                                                      "FROM instance) FROM step"), [(1,)])
        wanted(found, "rows of branches", run.rows("SELECT count(*) FROM branch"), [(0,)])
        keys = collections.defaultdict(list)
        for line in run.lines():
            key, _, text = line.partition(" ")
            keys[key].append(json.loads(text)["item"])
        wanted(found, "items of one key", [k for k, v in keys.items() if len(set(v)) != 1], [])
        firsts = [v[0] for v in keys.values()]
        wanted(found, "each item with one key", sorted(firsts), list(range(items)))
        if shape == "for":  # one at a time, so at most one was in flight at each kill
            wanted(found, "order of items", firsts, list(range(items)))
            wanted(found, "runs", len(run.lines()) <= items + len(goals), True)
        report(not found, "%s of %d, killed at %s" % (shape, count, goals), "\n".join(found))
    except (RuntimeError, subprocess.TimeoutExpired, KeyError) as error:
        report(False, "%s of %d, killed at %s" % (shape, count, goals), str(error))
    finally:
        shutil.rmtree(run.dir, ignore_errors=True)


def main():
    large = os.path.abspath(sys.argv[1])
    items, branches = (100000, 1000) if LONG else (2000, 200)
    check(large, "for", items, [items // 10, items // 2, items - 10])
    check(large, "fork", branches, [branches // 2, branches, branches + branches // 2])
    check(large, "pure", 100000, [30, 60], of_steps=True)
    return plan()


if __name__ == "__main__":
    sys.exit(main())
