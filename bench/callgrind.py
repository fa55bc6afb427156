#!/usr/bin/env python3
"""callgrind.py - instructions of one step and of the ideal step, by valgrind.

    bench/callgrind.py BUILD [--in-flight N] [--instances N] [--tasks 10] [--batch N] [--dir DIR] [--top N] [--json]

BUILD is a build folder with bench/step in it (-Dbench=true --buildtype=release; -Ddebug=true names
the functions), built where valgrind's headers are: bench/step marks what is counted, so opening, recovery
and closing are not in it. --top lists the functions that the instructions are in. They do not depend on
the disk or on what else runs; how many steps share a commit does, a little. The ideal's transactions
are of N steps (16).
"""
import argparse
import collections
import json
import pathlib
import re
import subprocess
import sys
import tempfile

FN = re.compile(r'^c?fn=\((\d+)\)(?: (.*))?$')
OB = re.compile(r'^c?ob=\((\d+)\)(?: (.*))?$')
TRIGGER = re.compile(r'^desc: Trigger: Client Request: (\w+)$', re.MULTILINE)


def read(text, functions, objects):
    """Instructions of each (library, function), what they call left out. Names are told once for
    all the parts of a run, so the parts are read in their order."""
    costs = collections.Counter()
    here, library, callee_cost = None, None, False
    for line in text.splitlines():
        if match := OB.match(line):
            if match[2]:
                objects[match[1]] = pathlib.Path(match[2]).name
            if line.startswith('ob='):
                library = objects[match[1]]
        elif match := FN.match(line):
            if match[2]:
                functions[match[1]] = match[2]
            if line.startswith('fn='):
                here = (library, functions[match[1]])
        elif line.startswith('calls='):
            callee_cost = True
        elif line[:1] in '0123456789+-*' and here and line[:1]:
            if not callee_cost:
                parts = line.split()
                if len(parts) > 1:
                    costs[here] += int(parts[1])
            callee_cost = False
    return costs


def measure(options):
    """What bench/step said, and {'pawl': costs, 'ideal': costs}."""
    step = options.build / 'bench' / 'step'
    if not step.exists():
        raise SystemExit(f'{step} is not there: meson setup {options.build} -Dbench=true --buildtype=release')
    with tempfile.TemporaryDirectory(dir=options.dir) as folder:
        out = pathlib.Path(folder) / 'callgrind'
        done = subprocess.run(
            ['valgrind', '--tool=callgrind', f'--callgrind-out-file={out}', '--quiet', str(step), '--dir', folder,
             '--in-flight', str(options.in_flight), '--instances', str(options.instances), '--tasks',
             str(options.tasks), '--batch', str(options.batch), '--rounds', '1', '--json'],
            check=True, stdout=subprocess.PIPE, text=True)
        stretches, functions, objects = {}, {}, {}
        for path in sorted(pathlib.Path(folder).glob('callgrind.*'), key=lambda path: int(path.suffix[1:])):
            text = path.read_text(encoding='utf-8', errors='replace')
            costs = read(text, functions, objects)
            if match := TRIGGER.search(text):
                stretches[match[1]] = costs
    if set(stretches) != {'pawl', 'ideal'}:
        raise SystemExit(f'{step} was built where valgrind/callgrind.h is not: install valgrind and build it again')
    return json.loads(done.stdout), stretches


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('build', type=pathlib.Path)
    parser.add_argument('--in-flight', type=int, default=64)
    parser.add_argument('--instances', type=int, default=64)
    parser.add_argument('--tasks', type=int, default=10)
    parser.add_argument('--batch', type=int, default=16)
    parser.add_argument('--dir', help='where the store is made (default: a temporary folder)')
    parser.add_argument('--top', type=int, default=0)
    parser.add_argument('--json', action='store_true')
    options = parser.parse_args()
    figures, stretches = measure(options)
    pawl = figures['pawl']
    total = sum(stretches['pawl'].values()) / pawl['steps']
    ideal = sum(stretches['ideal'].values()) / figures['ideal']['steps']
    libraries = collections.Counter()
    for (library, _), cost in stretches['pawl'].items():
        libraries[library] += cost
    if options.json:
        print(json.dumps({'instructionsPerStep': round(total), 'inFlight': options.in_flight, 'ideal': round(ideal),
                          'tasks': options.tasks, 'steps': pawl['steps'],
                          'stepsPerCommit': round(1 / pawl['commits'], 1),
                          'byLibrary': {name: round(cost / pawl['steps'])
                                        for name, cost in libraries.most_common() if cost}}))
        return
    print(f'{total:,.0f} instructions per step ({pawl["steps"]} steps of workflows of {options.tasks} tasks, '
          f'{options.in_flight} in flight, {1 / pawl["commits"]:.1f} to a commit)')
    print(f'{ideal:,.0f} instructions per ideal step, {options.batch} to a commit')
    for name, cost in libraries.most_common(6):
        print(f'  {cost / pawl["steps"]:10,.0f}  {name}')
    if options.top:
        print()
    for (library, name), cost in stretches['pawl'].most_common(options.top):
        print(f'  {cost / pawl["steps"]:10,.0f}  {name} ({library})')


if __name__ == '__main__':
    sys.exit(main())
