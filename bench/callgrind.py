#!/usr/bin/env python3
"""callgrind.py - instructions of one step, by valgrind.

    bench/callgrind.py BUILD [--in-flight N] [--instances N] [--tasks 10] [--dir DIR] [--top N] [--ideal]
                       [--json]

BUILD is a build folder with bench/step in it (-Dbench=true --buildtype=release; -Ddebug=true names
the functions). The program runs twice, with N and with 2 N instances; the difference divided by the
steps between them is what a step costs: opening, recovery and closing fall out. --top lists the
functions that the difference is in; --ideal runs it twice more, with the ideal step. Instructions do not depend on the disk or on what else runs;
how many steps share a commit does, a little.
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


def run(step, options, instances, out, folder, ideal=False):
    command = ['valgrind', '--tool=callgrind', f'--callgrind-out-file={out}', '--quiet', str(step),
               '--dir', folder, '--in-flight', str(options.in_flight), '--instances', str(instances),
               '--tasks', str(options.tasks), '--rounds', '1', '--json']
    if not ideal:
        command.append('--no-ideal')
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)['pawl']


def read(path):
    """Instructions of each (library, function), what they call left out."""
    functions, objects = {}, {}
    costs = collections.Counter()
    here, library, callee_cost = None, None, False
    for line in open(path, encoding='utf-8', errors='replace'):
        line = line.rstrip('\n')
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


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('build', type=pathlib.Path)
    parser.add_argument('--in-flight', type=int, default=64)
    parser.add_argument('--instances', type=int, default=64)
    parser.add_argument('--tasks', type=int, default=10)
    parser.add_argument('--dir', help='where the store is made (default: a temporary folder)')
    parser.add_argument('--top', type=int, default=0)
    parser.add_argument('--ideal', action='store_true')
    parser.add_argument('--json', action='store_true')
    options = parser.parse_args()
    step = options.build / 'bench' / 'step'
    if not step.exists():
        raise SystemExit(f'{step} is not there: meson setup {options.build} -Dbench=true --buildtype=release')
    with tempfile.TemporaryDirectory(dir=options.dir) as folder:
        counts, steps, commits = [], [], []
        for times in (1, 2):
            out = pathlib.Path(folder) / f'callgrind.{times}'
            figures = run(step, options, options.instances * times, out, folder)
            counts.append(read(out))
            steps.append(figures['steps'])
            commits.append(figures['commits'] * figures['steps'])
        both = []
        for times in (1, 2) if options.ideal else ():
            out = pathlib.Path(folder) / f'callgrind.ideal{times}'
            run(step, options, options.instances * times, out, folder, ideal=True)
            both.append(sum(read(out).values()))
    between = steps[1] - steps[0]
    difference = collections.Counter(counts[1])
    difference.subtract(counts[0])
    libraries = collections.Counter()
    for (library, _), cost in difference.items():
        libraries[library] += cost
    total = sum(difference.values()) / between
    ideal = (both[1] - both[0]) / between - total if both else None
    if options.json:
        print(json.dumps({'instructionsPerStep': round(total), 'inFlight': options.in_flight,
                          'ideal': ideal and round(ideal),
                          'tasks': options.tasks, 'steps': between,
                          'stepsPerCommit': round(between / (commits[1] - commits[0]), 1),
                          'byLibrary': {name: round(cost / between)
                                        for name, cost in libraries.most_common() if cost}}))
        return
    print(f'{total:,.0f} instructions per step ({between} steps of workflows of {options.tasks} tasks, '
          f'{options.in_flight} in flight, {between / (commits[1] - commits[0]):.1f} to a commit)')
    if ideal:
        print(f'{ideal:,.0f} instructions per ideal step')
    for name, cost in libraries.most_common(6):
        print(f'  {cost / between:10,.0f}  {name}')
    if options.top:
        print()
    for (library, name), cost in difference.most_common(options.top):
        print(f'  {cost / between:10,.0f}  {name} ({library})')


if __name__ == '__main__':
    sys.exit(main())
