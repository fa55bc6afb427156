#!/usr/bin/env python3
"""check_rooms.py - the includes between the rooms of src/ are those of rooms.txt, and no others.

    tools/check_rooms.py [ROOT]

Prints TAP: one test per room, one for the table itself, one for public headers. A finding is a line
`FILE:LINE: what is wrong`.
"""
import pathlib
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def read_table(path):
    table = {}
    for number, line in enumerate(path.read_text(encoding='utf-8').splitlines(), 1):
        line = line.split('#', 1)[0].strip()
        if not line:
            continue
        room, colon, sees = line.partition(':')
        if not colon or room in table:
            raise SystemExit(f'{path}:{number}: expected one `room: what it sees` per room')
        table[room] = sees.split()
    return table


def loop_in(table):
    """A loop of rooms that see each other, or None. Files count as their room."""
    state = {}

    def visit(room, trail):
        if state.get(room) == 'done':
            return None
        if room in trail:
            return trail[trail.index(room):] + [room]
        for seen in table.get(room, []):
            other = seen.split('/')[0]
            if other != room and other in table:
                found = visit(other, trail + [room])
                if found:
                    return found
        state[room] = 'done'
        return None

    for room in table:
        found = visit(room, [])
        if found:
            return found
    return None


def check_include(root, table, room, target, system):
    """Why this #include is not allowed; None if it is."""
    parts = target.split('/')
    if parts[0] == 'pawl':
        return None if 'public' in table[room] else 'this room does not see include/pawl'
    if system:
        return None  # of the system or a library
    if len(parts) < 2 and any((root / 'src').rglob(target)):
        return 'name a header by its room, as in "base/base.h"'
    if not (root / 'src' / target).exists():
        return None  # made by the build, in the room's own folder; else the compiler will not find it
    other = parts[0]
    if other == room:
        return None
    if parts[-1].endswith('_internal.h'):
        return f'this header is for files of {other} only'
    if other in table[room] or target in table[room]:
        return None
    return f'{room} does not see {other} (tools/rooms.txt)'


def check_room(root, table, room):
    findings = []
    for path in sorted((root / 'src' / room).rglob('*.[ch]')):
        for number, line in enumerate(path.read_text(encoding='utf-8').splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            why = check_include(root, table, room, match[2], match[1] == '<')
            if why:
                findings.append(f'{path.relative_to(root)}:{number}: {match[2]}: {why}')
    return findings


def check_public(root):
    """Public headers include the C library and each other, nothing else."""
    findings = []
    for path in sorted((root / 'include').rglob('*.h')):
        for number, line in enumerate(path.read_text(encoding='utf-8').splitlines(), 1):
            match = INCLUDE.match(line)
            if match and not match[2].startswith('pawl/') and match[2] not in (
                    'stddef.h', 'stdint.h', 'string.h', 'stdbool.h', 'stdarg.h'):
                findings.append(f'{path.relative_to(root)}:{number}: {match[2]} in a public header')
    return findings


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent)
    table = read_table(root / 'tools' / 'rooms.txt')
    rooms = sorted(p.name for p in (root / 'src').iterdir() if p.is_dir())
    results = []
    table_findings = [f'src/{room} is not in tools/rooms.txt' for room in rooms if room not in table]
    loop = loop_in(table)
    if loop:
        table_findings.append('a loop: ' + ' -> '.join(loop))
    results.append(('rooms: each room has its row, and there is no loop', table_findings))
    for room in rooms:
        if room in table:
            results.append((f'rooms: {room} includes only what it may see', check_room(root, table, room)))
    results.append(('rooms: public headers include the C library only', check_public(root)))
    print(f'1..{len(results)}')
    for number, (name, findings) in enumerate(results, 1):
        for finding in findings:
            print(f'# {finding}')
        print(f'{"not ok" if findings else "ok"} {number} - {name}')
    return 1 if any(findings for _, findings in results) else 0


if __name__ == '__main__':
    sys.exit(main())
