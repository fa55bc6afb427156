#!/usr/bin/env python3
"""surroundings.py - an expression gives the same bytes wherever it runs.

    surroundings.py BATCH [FOLDER]

BATCH is the program built from batch.c. It evaluates the programs below and those of
test/unit/expr/expr.cases (and of jq's own tests where FOLDER or ../shared has them) under several time
zones, locales and environments, twice under each, and every run must print the same bytes. One locale
has a decimal comma; it is written here, because a machine may have none installed. Prints TAP.
"""
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent

# What time zone, locale or hash order could touch, beside the corpus.
PROGRAMS = [
    '[.5, 5., 1.5e3, 007, 0.1 + 0.2, 1e-7, 1.50]',
    '["1.5", ".5", "5.", "+1.25", "-1e-3", "1,5"] | map(try tonumber catch "no")',
    '[1.5, 0.001, 1e100] | map(tostring), @csv, @tsv, @text, @json, @sh',
    '"1.5" | fromjson, (try ("1,5" | fromjson) catch .)',
    '"[1.5,2.25e2]" | fromjson | add',
    '[0, 1500000000.25, -1e9, 253402300799] | map(todate, gmtime, strftime("%c %x %X %p %Z %z %A %B %s"))',
    '"10:15 PM, Friday 14 July 2017" | strptime("%I:%M %p, %A %d %B %Y") | ., mktime',
    '"2017-03-26T02:30:00Z" | fromdate, (strptime("%Y-%m-%dT%H:%M:%SZ") | mktime)',
    '[now, (now | todate)]',
    '["ä", "z", "Z", "a", "é", "I", "ı", "İ", "ß"] | sort, unique, map(ascii_downcase, ascii_upcase)',
    '"ÄÖÜ äöü Iıİi" | [match("[[:alpha:]]+"; "g").string], test("ä"; "i"), gsub("\\\\W"; "_"), ascii_downcase',
    '[range(40) | {"key": "k\\(. * 7919 % 41)", "value": .}] | from_entries | ., keys, to_entries, tojson',
    '[range(40) | "k\\(. * 31 % 17)"] | group_by(.), unique, (map({(.): 1}) | add | keys_unsorted)',
    '[range(20)] | map(sin, exp, pow(.; 1.5)) | map(. * 1e6 | floor)',
    'try error("\\(1.5) \\(now)") catch .',
    '{"b": 1, "a": 2} | tojson, tostring, keys_unsorted, [paths], [.[]], [tostream]',
    'builtins | sort | length',
]

SURROUNDINGS = [
    {},
    {'TZ': 'UTC', 'LC_ALL': 'C'},
    {'TZ': 'America/New_York', 'LANG': 'C.UTF-8'},
    {'TZ': 'Asia/Kolkata', 'LC_ALL': 'POSIX', 'LANGUAGE': 'de'},
    {'TZ': 'XXX-14YYY', 'LC_NUMERIC': 'comma', 'LOCPATH': None},
    {'TZ': ':no/such/zone', 'LC_ALL': 'no_SUCH.locale', 'PAGER': 'less', 'MALLOC_PERTURB_': '85'},
]


def comma_locale(folder):
    """glibc's compiled form of a locale with LC_NUMERIC alone: `,` is the point, `.` parts thousands."""
    fields = [b',\0', b'.\0', b'\3\3\0', struct.pack('=I', ord(',')), struct.pack('=I', ord('.')), b'UTF-8\0']
    start = 8 + 4 * len(fields)
    offsets, data = [], b''
    for field in fields:
        data += b'\0' * (-(start + len(data)) % 4)
        offsets.append(start + len(data))
        data += field
    path = pathlib.Path(folder, 'comma', 'LC_NUMERIC')
    path.parent.mkdir()
    path.write_bytes(struct.pack(f'=II{len(fields)}I', 0x20031115 ^ 1, len(fields), *offsets) + data)
    return str(folder)


def groups(path):
    """(program, input) of a file of jq's test format; those that must not compile have no input."""
    blocks, block = [], []
    for line in path.read_text(encoding='utf-8').splitlines() + ['']:
        if line.strip() and not line.startswith('#'):
            block.append(line)
        elif not line.strip() and block:
            blocks.append(block)
            block = []
    for block in blocks:
        if block[0].startswith('%%FAIL'):
            yield block[1], None
        elif len(block) > 1:
            try:
                yield block[0], json.loads(block[1].lstrip('\ufeff'), parse_constant=lambda _: None)
            except ValueError:
                pass


def main():
    batch = sys.argv[1]
    shared = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else os.environ.get('PAWL_SHARED', ROOT.parent / 'shared'))
    tasks = [(program, None) for program in PROGRAMS]
    for path in [ROOT / 'test/unit/expr/expr.cases', *sorted((shared / 'jq').glob('*.test'))]:
        tasks += groups(path)
    text = ''.join(json.dumps({'program': p, 'input': d}) + '\n' for p, d in tasks)
    keep = {k: v for k, v in os.environ.items() if k.endswith('SAN_OPTIONS') or k == 'PATH'}
    with tempfile.TemporaryDirectory() as folder:
        locpath = comma_locale(folder)
        surroundings = [{k: v or locpath for k, v in s.items()} for s in SURROUNDINGS]
        points = [subprocess.run([batch, '--point'], env=keep | s, capture_output=True, text=True, check=False).stdout
                  for s in surroundings]
        first = None
        print(f'1..{len(surroundings) + 1}')
        for number, environment in enumerate(surroundings, 1):
            outputs = [subprocess.run([batch], input=text, env=keep | environment, capture_output=True, text=True,
                                      check=True, encoding='utf-8').stdout for _ in range(2)]
            first = first or outputs[0]
            lines = []
            for output in outputs:
                lines += [f'# {task[0]}\n#   {a}\n#   {b}' for task, a, b in
                          zip(tasks, first.splitlines(), output.splitlines()) if a != b]
            good = outputs == [first, first] and first.count('\n') == len(tasks)
            words = ' '.join(f'{k}={v}' for k, v in sorted(environment.items()) if k != 'LOCPATH') or 'nothing set'
            print('\n'.join(lines + [f'{"ok" if good else "not ok"} {number} - surroundings: {words}']))
        comma = any(p.strip().endswith(' ,') for p in points)
        skip = '' if comma else ' # SKIP the C library does not take the locale'
        print(f'# {len(tasks)} programs')
        print(f'ok {len(surroundings) + 1} - surroundings: one of them has a decimal comma{skip}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
