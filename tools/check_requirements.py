#!/usr/bin/env python3
"""check_requirements.py - every test that doc/requirements.md names is one that exists.

    tools/check_requirements.py [ROOT]

Prints TAP: one test.
"""
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


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent)
    known = names(root)
    bad, count = [], 0
    rows = (root / 'doc' / 'requirements.md').read_text(encoding='utf-8').splitlines()
    for number, line in enumerate(rows, 1):
        cells = line.split('|')
        if not re.match(r'\| S\d+ \|', line) or len(cells) < 6:
            continue
        tests = re.findall(r'`([^`]+)`', cells[3])
        count += len(tests)
        if not tests:
            bad.append(f'doc/requirements.md:{number}: {cells[1].strip()} names no test')
        bad += [f'doc/requirements.md:{number}: no test is called "{test}"' for test in tests if test not in known]
    print('1..1')
    for line in bad:
        print(f'# {line}')
    good = not bad and count > 0
    print(f'{"ok" if good else "not ok"} 1 - requirements: every test that the table names exists')
    return 0 if good else 1


if __name__ == '__main__':
    sys.exit(main())
