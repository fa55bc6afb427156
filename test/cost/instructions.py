#!/usr/bin/env python3
"""instructions.py - the instructions of a step, held against those of the ideal step.

    PAWL_BUILD=FOLDER test/cost/instructions.py

FOLDER is a release build with bench/step (-Dbench=true --buildtype=release). Both are counted by
callgrind in one run: workflows of ten activities on SQLite, 32 in flight, and the ideal step, an
UPDATE and an INSERT in plain SQLite, 16 to a commit. What a machine, a compiler or a SQLite makes of
the same work differs, so the figure that is held is their quotient, within 5 %. It repeats itself to
0.3 % while as many steps share a commit (bench/callgrind.py says how many), which the disk decides: 11 instead of 16
make it 3 % more. Who makes a step cheaper writes the new quotient here; a rise needs a reason.

Prints TAP: one test, skipped where valgrind is not installed.
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys

# gcc 12.2 -O3, SQLite 3.40.1, x86-64: 135,000 and 28,700. It was 5.12 (147,600) before checks of the schema had OR for IN. It was 4.95 (143,900) before steps were counted and told of (560
# instructions of ours) and a new store could give room back (auto_vacuum: SQLite keeps a map of its pages). It was 4.70 (between 4.58 and
# 4.87) before a row had what its step was decided from, so that the log can be replayed: 2,200 instructions of ours, most of
# them where a task's output is shaped, and one column more in SQLite, 1,500.
RECORDED = 4.70
TOLERANCE = 0.05
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
NAME = 'instructions: a step costs what it did against the ideal step'


def main():
    print('1..1')
    if not shutil.which('valgrind'):
        print(f'ok 1 - {NAME} # SKIP valgrind is not installed')
        return 0
    build = os.environ.get('PAWL_BUILD')
    if not build:
        print('# PAWL_BUILD names no build folder')
        print(f'not ok 1 - {NAME}')
        return 1
    # A disk that is slow for a moment has fewer steps share a commit, which only ever adds: of three runs the lowest counts.
    figures, quotient = None, None
    for _ in range(3):
        done = subprocess.run([str(ROOT / 'bench' / 'callgrind.py'), build, '--in-flight', '32', '--instances', '32',
                               '--batch', '16', '--json'], check=False, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            print(''.join(f'# {line}\n' for line in done.stdout.splitlines()), end='')
            print(f'not ok 1 - {NAME}')
            return 1
        run = json.loads(done.stdout)
        if quotient is None or run['instructionsPerStep'] / run['ideal'] < quotient:
            figures, quotient = run, run['instructionsPerStep'] / run['ideal']
    good = abs(quotient / RECORDED - 1) <= TOLERANCE
    print(f'# {figures["instructionsPerStep"]} instructions a step, {figures["ideal"]} an ideal one: '
          f'{quotient:.3f} times; recorded were {RECORDED}, {100 * (quotient / RECORDED - 1):+.1f} %')
    for name, count in figures['byLibrary'].items():
        print(f'#   {count:>8} {name}')
    print(f'{"ok" if good else "not ok"} 1 - {NAME}')
    return 0 if good else 1


if __name__ == '__main__':
    sys.exit(main())
