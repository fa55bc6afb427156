#!/usr/bin/env python3
"""Runs the simulation as a test.

    sim.py seeds PAWL_SIM [COUNT]   seeds 1 to COUNT (300); COUNT * 30 with PAWL_TEST_LONG=1
    sim.py same  PAWL_SIM           20 seeds, each twice in a process of its own
    sim.py finds PAWL_SIM           bugs that the simulation's own substitutes have, each within 200 seeds

Prints TAP. PAWL_SIM is the program built from this folder."""
import os
import re
import subprocess
import sys

PLANTS = ("false-commit", "other-key", "other-bytes", "twice", "lost-inbox", "lost-result", "lost-timer",
          "stale-epoch", "lost-row", "lost-message", "other-order", "lost-wake", "lost-count", "new-key", "too-soon",
          "lost-fault", "lost-parked", "asked-twice", "told-twice",
          "lost-undo", "undo-again", "undo-first", "undo-kept", "undo-ends", "undo-other", "event-first", "event-done")
SAME = 20
AT_ONCE, AT_MOST = 20, 200  # seeds, to find a planted bug


def case(name):
    def add(function):
        function.name = name
        return function
    return add


def run(program, *options):
    done = subprocess.run([program, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout.decode("utf-8", "replace")


@case("no seed breaks a promise")
def seeds(program, count=300):
    """Gives what was wrong; None: nothing."""
    if os.environ.get("PAWL_TEST_LONG"):
        count *= 30
    code, text = run(program, "--seeds", "1..%d" % count, "--jobs", "2")
    return None if code == 0 else text


def histories(program):
    code, text = run(program, "--seeds", "1..%d" % SAME, "--verbose")
    return code, re.findall(r"^seed (\d+): ok, .* history ([0-9a-f]{16})$", text, re.M)


@case("a seed has one history in every process")
def same(program):
    (code, first), (again, second) = histories(program), histories(program)
    if code or again or len(first) != SAME:
        return "exit status %d and %d, %d histories" % (code, again, len(first))
    if len({history for _, history in first}) != SAME:
        return "two seeds have the same history"
    return None if first == second else "%s\n%s" % (first, second)


def find(program, plant):
    for start in range(1, AT_MOST, AT_ONCE):
        code, text = run(program, "--seeds", "%d..%d" % (start, start + AT_ONCE - 1), "--jobs", "2",
                         "--plant", plant, "--no-shrink")
        if code == 1 and " FAILS: " in text:
            return None
        if code != 0:
            return text
    return "'%s' is not found within %d seeds" % (plant, AT_MOST)


@case("planted bugs are found")
def finds(program):
    return "\n".join(filter(None, (find(program, plant) for plant in PLANTS))) or None


def main():
    cases = {function.__name__: function for function in (seeds, same, finds)}
    if len(sys.argv) < 3 or sys.argv[1] not in cases:
        sys.exit(__doc__)
    function = cases[sys.argv[1]]
    wrong = function(sys.argv[2], *map(int, sys.argv[3:]))
    print("1..1")
    for line in (wrong or "").splitlines():
        print("# " + line)
    print("%sok 1 - sim: %s" % ("not " if wrong else "", function.name))


if __name__ == "__main__":
    main()
