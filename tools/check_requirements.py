#!/usr/bin/env python3
"""check_requirements.py - every test that doc/requirements.md names is one that exists; and one that ran, and passed.

    tools/check_requirements.py [ROOT]
    tools/check_requirements.py --ran FILE [ROOT]      (or PAWL_RAN=FILE)

The first prints TAP of one test, the second of another two: FILE is what scripts/tap.py --ran has written of a whole run. A test behind whose name the
table says *(long)* must have run only where PAWL_TEST_LONG is set. One that was skipped, since this machine has not what it needs, is
named, and counts as skipped.
"""
import argparse
import os
import pathlib
import re
import sys

SENTENCE = re.compile(r'^(?:STORE_)?TEST\((?:(\w+),\s*)?(\w+)\)', re.MULTILINE)
CASE = re.compile(r'^@case\("((?:[^"\\]|\\.)*)"\)', re.MULTILINE)


def names(root):
    found = set()
    for path in (root / 'test').rglob('*.c'):
        for suite, sentence in SENTENCE.findall(path.read_text(encoding='utf-8')):
            suite, sentence = suite.replace('_', ' '), sentence.replace('_', ' ')
            for one in [suite] if suite else ['sqlite', 'memory']:
                found.add(f'{one}: {sentence}')
    for path in (root / 'test').rglob('*.py'):
        found.add(path.name)
        for sentence in CASE.findall(path.read_text(encoding='utf-8')):
            found.add(f'{path.stem}: {sentence}')
    for tool in ('check_rooms.py', 'check_exports'):
        text = (root / 'tools' / tool).read_text(encoding='utf-8')
        found.update(re.findall(r'(?:rooms|exports): [^\'"{]+', text))
    for room in (root / 'src').iterdir():
        found.add(f'rooms: {room.name} includes only what it may see')
    return found


def table(root):
    """(line number, id, [(test, whether it runs in the long run only)]) of each row."""
    rows = (root / 'doc' / 'requirements.md').read_text(encoding='utf-8').splitlines()
    for number, line in enumerate(rows, 1):
        cells = line.split('|')
        if re.match(r'\| S\d+ \|', line) and len(cells) >= 6:
            yield number, cells[1].strip(), [(test, bool(long)) for test, long in re.findall(r'`([^`]+)`( \(long\))?', cells[3])]


def report(number, good, sentence, lines=()):
    for line in lines:
        print(f'# {line}')
    print(f'{"ok" if good else "not ok"} {number} - requirements: {sentence}')
    return good


def check_ran(root, path):
    passed, skipped = set(), {}
    with open(path, encoding='utf-8') as file:
        for line in file.read().splitlines():
            what, _, name = line.partition(' ')
            name, _, why = name.partition(' # ')
            if what == 'pass':
                passed.add(name)
            else:
                skipped[name] = why
    long_run = os.environ.get('PAWL_TEST_LONG') == '1'
    missing, left_out, count = [], [], 0
    for number, identity, tests in table(root):
        for test, long in tests:
            count += 1
            if test in passed or (long and not long_run):
                continue
            if test in skipped:
                left_out.append(f'{identity}: "{test}": {skipped[test]}')
            else:
                missing.append(f'doc/requirements.md:{number}: {identity}: "{test}" did not run, or did not pass')
    print('1..2')
    good = report(1, not missing and count > 0, 'every test that the table names ran and passed', missing)
    report(2, True, 'no test that the table names was skipped' + (f' # SKIP {len(left_out)} were' if left_out else ''), left_out)
    return good


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--ran', metavar='FILE', default=os.environ.get('PAWL_RAN'))
    parser.add_argument('root', nargs='?', default=pathlib.Path(__file__).parent.parent, type=pathlib.Path)
    options = parser.parse_args()
    root = options.root
    if options.ran:
        return 0 if check_ran(root, options.ran) else 1
    known = names(root)
    bad, count = [], 0
    for number, identity, tests in table(root):
        count += len(tests)
        if not tests:
            bad.append(f'doc/requirements.md:{number}: {identity} names no test')
        bad += [f'doc/requirements.md:{number}: no test is called "{test}"' for test, _ in tests if test not in known]
    print('1..1')
    return 0 if report(1, not bad and count > 0, 'every test that the table names exists', bad) else 1


if __name__ == '__main__':
    sys.exit(main())
