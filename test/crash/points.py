#!/usr/bin/env python3
"""Kills a process at every named fault point, one after the other, during a run of mixed workflows; starts
it again, lets it end, and goes over everything that was committed and everything that the outside saw.

    points.py MIXED [--long]

Prints TAP. MIXED is the program built from mixed.c with -Dfaults=true."""
import os
import signal
import sys

from crashlib import Case, plan, report

# Points that must be there: one that vanishes would test nothing.
EXPECTED = """
activity-after-run activity-before-run deploy-after-commit deploy-before-commit engine-after-act
engine-after-commit engine-after-decide engine-after-letter engine-after-return engine-before-act
engine-before-answer engine-before-commit engine-before-decide engine-before-return engine-result-received
http-before-result http-before-send router-after-back
router-after-claim router-after-put router-after-route router-before-answer router-before-back router-before-claim
router-before-keys router-before-put router-before-route store-after-commit
store-after-definition store-after-update store-after-writes store-before-begin store-before-commit
""".split()


def crash(mixed, name, faults):
    """Runs with each fault in turn on one store, then without one, then checks."""
    case = Case(mixed)
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
        case.close()


def main():
    mixed = os.path.abspath(sys.argv[1])
    long = "--long" in sys.argv[2:] or os.environ.get("PAWL_TEST_LONG") == "1"
    case = Case(mixed)
    points_file = os.path.join(case.dir, "points")
    code, text = case.run(points=points_file)
    problems = case.problems() if code == 0 else []
    points = sorted(set(open(points_file).read().split())) if os.path.exists(points_file) else []
    case.close()
    report(code == 0 and not problems, "a run without a fault ends well", text + "\n".join(problems))
    missing = sorted(set(EXPECTED) - set(points))
    report(not missing, "every fault point is passed", " ".join(missing))
    turns = (1, 2, 4, 8, 16, 32, 64) if long else (1, 5, 20)
    total = 0
    for point in points:
        for n in turns:
            killed = crash(mixed, "killed at %s, passing %d" % (point, n), ["%s:%d" % (point, n)])
            total += killed
            if not killed:
                break  # it is not passed that often
        if not point.startswith("deploy") and point != "store-after-definition":
            # three times: an attempt that is lost a fourth time faults, by design
            total += crash(mixed, "killed at %s again and again" % point,
                           ["%s:%d" % (point, n) for n in (3, 2, 1)])
    report(total >= len(points), "processes were killed", "%d kills at %d points" % (total, len(points)))
    return plan()


if __name__ == "__main__":
    sys.exit(main())
