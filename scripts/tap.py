#!/usr/bin/env python3
"""tap.py - runs test programs that print TAP, and adds up what they say.

    tap.py run  --totals FILE --label TEXT [--ran FILE] [--jobs N] [--timeout S] [--env NAME=VALUE]... PROGRAM...
    tap.py meson --totals FILE --label TEXT [--ran FILE] --build FOLDER [--only REGEX] [--multiply N] [--jobs N]
    tap.py fail --totals FILE --label TEXT REASON
    tap.py sum  --totals FILE

A test counts as failed when it says `not ok`, and also when its program's plan is not kept, when the
program is killed, when it ends badly though all its tests passed, or when it takes too long: each of
these is one more failure. --ran adds a line to FILE for each test that passed, `pass NAME`, or was skipped, `skip NAME # why`; a program of
which all tests passed is one, too, by its file's name. `sum` prints `N passed, N failed, N skipped`, and fails when something
failed or nothing passed.
"""
import argparse
import concurrent.futures
import json
import os
import re
import signal
import subprocess
import sys
import time

LINE = re.compile(r'^(not )?ok\b\s*(\d+)?\s*(?:-\s*)?(.*)$')
PLAN = re.compile(r'^1\.\.(\d+)\s*(?:#\s*(.*))?$')
SKIP = re.compile(r'#\s*skip\b', re.IGNORECASE)
TODO = re.compile(r'#\s*todo\b', re.IGNORECASE)
SHOWN_LINES = 60  # of one program's failures
SLOW_S = 15  # named at the end, so that a suite does not grow slow unseen


class Result:
    def __init__(self, name):
        self.name = name
        self.passed = self.failed = self.skipped = 0
        self.lines = []  # to show
        self.ran = []  # lines of --ran
        self.programs = {name}  # by which it is known there
        self.seconds = 0.0


def read_tap(result, text):
    """Counts the tests in `text`; diagnostics before a `not ok` belong to it."""
    planned, seen, pending, bailed = None, 0, [], False
    for line in text.splitlines():
        plan = PLAN.match(line)
        match = LINE.match(line)
        if plan:
            planned = int(plan[1])
        elif line.startswith('Bail out!'):
            bailed = True
            result.lines.append(line)
        elif match:
            seen += 1
            if SKIP.search(match[3]):
                result.skipped += 1
                result.ran.append(f'skip {match[3]}')
            elif match[1] and not TODO.search(match[3]):
                result.failed += 1
                result.lines += pending + [line]
            else:
                result.passed += 1
                if not match[1]:
                    result.ran.append(f'pass {match[3]}')
            pending = []
        else:
            pending = (pending + [line])[-SHOWN_LINES:]
    if planned is None:
        result.lines += pending + ['no plan: the program printed no 1..N']
    elif planned != seen:
        result.lines += pending + [f'the plan was {planned} tests, {seen} came']
    return planned == seen and not bailed, pending


def run(name, command, env, timeout, workdir=None, tap=True):
    result = Result(name)
    result.programs = {name} | {os.path.basename(word) for word in command[:2] if word.endswith('.py')}
    started = time.monotonic()
    try:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, env=env, cwd=workdir, start_new_session=True)
    except OSError as error:  # one that is not executable fails, and the others run
        result.lines.append(f'it cannot be started: {error}')
        result.failed = 1
        return result
    late = False
    try:
        output, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        late = True
        os.killpg(process.pid, signal.SIGKILL)  # and what it started: the session is its own
        output, _ = process.communicate()
    result.seconds = time.monotonic() - started
    text = output.decode('utf-8', 'replace')
    if tap:
        kept, rest = read_tap(result, text)
    else:
        kept, rest = process.returncode == 0, text.splitlines()[-SHOWN_LINES:]
        result.passed = 1 if kept else 0
    if late:
        result.lines += rest + [f'it took longer than {timeout:.0f} s and was killed']
    elif process.returncode < 0:
        result.lines += rest + [f'it died of {signal.Signals(-process.returncode).name}']
    elif process.returncode != 0 and result.failed == 0:
        result.lines += rest + [f'it ended with {process.returncode}']
    elif kept:
        return result
    if result.failed == 0 or late or process.returncode < 0 or not kept:
        result.failed += 1
    return result


def run_all(options, jobs):
    """jobs: (name, command, env, timeout, workdir, tap)."""
    started = time.monotonic()
    total = Result(options.label)
    slow = []
    with concurrent.futures.ThreadPoolExecutor(max_workers=options.jobs) as pool:
        for result in pool.map(lambda job: run(*job), jobs):
            total.passed += result.passed
            total.failed += result.failed
            total.skipped += result.skipped
            total.ran += result.ran
            if result.passed and not result.failed:
                total.ran += [f'pass {program}' for program in sorted(result.programs)]
            if result.seconds >= SLOW_S:
                slow.append((result.seconds, result.name))
            if result.failed:
                print(f'-- {options.label}: {result.name}')
                for line in result.lines[-SHOWN_LINES:]:
                    print(f'   {line}')
    note(options, total)
    if slow:
        print('-- slowest: ' + ', '.join(f'{name} {seconds:.0f} s' for seconds, name in sorted(slow, reverse=True)[:12]))
    print(f'{options.label}: {total.passed} passed, {total.failed} failed, {total.skipped} skipped, '
          f'in {time.monotonic() - started:.0f} s', flush=True)
    return 1 if total.failed else 0


def note(options, result):
    with open(options.totals, 'a', encoding='utf-8') as file:
        file.write(f'{result.passed} {result.failed} {result.skipped}\n')
    if getattr(options, 'ran', None):
        with open(options.ran, 'a', encoding='utf-8') as file:
            file.writelines(line + '\n' for line in result.ran)


def command_run(options):
    env = dict(os.environ)
    env.update(pair.split('=', 1) for pair in options.env)
    jobs = [(os.path.basename(path), [path], env, options.timeout, None, True) for path in options.program]
    return run_all(options, jobs)


def command_meson(options):
    listed = subprocess.run(['meson', 'introspect', '--tests', options.build], check=True,
                            stdout=subprocess.PIPE).stdout
    jobs = []
    for test in json.loads(listed):
        if options.only and not re.search(options.only, test['name']):
            continue
        if options.leave and re.search(options.leave, test['name']):
            continue
        env = dict(os.environ)
        env.update(test['env'])
        env.update(pair.split('=', 1) for pair in options.env)
        jobs.append((test['name'], test['cmd'], env, (test['timeout'] or 600) * options.multiply,
                     test['workdir'] or options.build, test['protocol'] == 'tap'))
    return run_all(options, jobs)


def command_fail(options):
    print(f'-- {options.label}: {options.reason}', flush=True)
    result = Result(options.label)
    result.failed = 1
    note(options, result)
    return 1


def command_sum(options):
    passed = failed = skipped = 0
    with open(options.totals, encoding='utf-8') as file:
        for line in file:
            p, f, s = (int(word) for word in line.split())
            passed, failed, skipped = passed + p, failed + f, skipped + s
    print(f'{passed} passed, {failed} failed, {skipped} skipped', flush=True)
    return 1 if failed or not passed else 0


def main():
    parser = argparse.ArgumentParser(description='Runs test programs that print TAP, and adds them up.')
    commands = parser.add_subparsers(required=True)
    for name, function in (('run', command_run), ('meson', command_meson), ('fail', command_fail),
                           ('sum', command_sum)):
        sub = commands.add_parser(name)
        sub.set_defaults(function=function)
        sub.add_argument('--totals', required=True)
        if name != 'sum':
            sub.add_argument('--label', required=True)
        if name in ('run', 'meson'):
            sub.add_argument('--ran')
            sub.add_argument('--jobs', type=int, default=os.cpu_count() or 1)
            sub.add_argument('--env', action='append', default=[], metavar='NAME=VALUE')
        if name == 'run':
            sub.add_argument('--timeout', type=float, default=300)
            sub.add_argument('program', nargs='+')
        if name == 'meson':
            sub.add_argument('--build', required=True)
            sub.add_argument('--only', help='names that match this regular expression')
            sub.add_argument('--leave', help='... and not those that match this one')
            sub.add_argument('--multiply', type=float, default=1, help='time limits')
        if name == 'fail':
            sub.add_argument('reason')
    options = parser.parse_args()
    return options.function(options)


if __name__ == '__main__':
    sys.exit(main())
