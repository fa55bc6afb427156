#!/usr/bin/env python3
"""Kills processes that run mixed workflows, at random moments; starts them again, lets them end, and goes over
everything that was committed and everything that the outside saw.

    random_kills.py MIXED [--kills N] [--seed N]

A moment is drawn evenly from the time that a run takes when nobody kills it. One, two or three kills hit the
same store in a row: not more, because an activity that is lost a fourth time faults, by design. 20 kills;
2,000 with PAWL_TEST_LONG=1. The same seed draws the same moments, but what a process does by then is up to
the machine. Prints TAP. MIXED is the program built from mixed.c."""
import argparse
import os
import random
import signal
import sys
import time

from crashlib import Case, plan, report

IN_A_ROW = (1, 2, 3)


def clean_run(mixed):
    """Its length in seconds, and what was wrong with it."""
    case = Case(mixed)
    try:
        start = time.monotonic()
        code, text = case.run()
        length = time.monotonic() - start
        return length, [] if code == 0 else ["exit %s: %s" % (code, text)], case.problems() if code == 0 else []
    finally:
        case.close()


def crash(mixed, number, moments):
    """Kills at each moment in turn, on one store; then a run to the end. Gives the number of kills that hit."""
    case = Case(mixed)
    try:
        killed, detail = [], []
        for moment in moments:
            code, text = case.run(kill_after=moment)
            if code == -signal.SIGKILL:
                killed.append(moment)
            elif code == 0:
                break  # it had ended before; a further run would have nothing to do
            else:
                detail.append("killed after %.4f s: exit %s: %s" % (moment, code, text))
        code, text = case.run()
        if code != 0:
            detail.append("last run: exit %s: %s" % (code, text))
        detail += case.problems()
        report(not detail, "store %d, killed after %s s" % (number, ", ".join("%.4f" % m for m in killed) or "no"),
               "\n".join(detail[:20]))
        return len(killed)
    finally:
        case.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("mixed")
    parser.add_argument("--kills", type=int, default=2000 if os.environ.get("PAWL_TEST_LONG") == "1" else 20)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    options = parser.parse_args()
    mixed = os.path.abspath(options.mixed)
    print("# seed %d: random_kills.py MIXED --kills %d --seed %d" % (options.seed, options.kills, options.seed))
    lengths = []
    for _ in range(2):  # the first also reads the program from the disk
        length, failed, problems = clean_run(mixed)
        report(not failed and not problems, "a run that nobody kills ends well", "\n".join(failed + problems))
        lengths.append(length)
    print("# it takes %.3f s" % min(lengths))
    draw = random.Random(options.seed)
    killed = stores = 0
    while killed < options.kills and stores < 3 * options.kills:
        moments = [draw.uniform(0, min(lengths)) for _ in range(IN_A_ROW[stores % len(IN_A_ROW)])]
        stores += 1
        killed += crash(mixed, stores, moments)
    report(killed >= options.kills, "processes were killed", "%d kills on %d stores" % (killed, stores))
    return plan()


if __name__ == "__main__":
    sys.exit(main())
