#!/usr/bin/env python3
"""mutate.py - breaks one place of the source at a time, and sees that a test fails.

    test/mutation/mutate.py [--only REGEX] [--list] [--work FOLDER] [--jobs N] [--json FILE]
                            [--tests REGEX] [LIST...]

The places are written by hand, in test/mutation/*.mutants: mistakes that an engineer would make. Each is
put alone into a copy of the tree in FOLDER (build-test/mutation), built there, and the tests that
could notice run, the quickest first, until one fails: then the mutant is killed. One that no test
notices has survived, and that is a failure: it needs a test, or it is no mistake and goes from the
list. A mutant whose text is not found exactly once, or that does not compile, is a mistake of the list.

Prints TAP, one test for each mutant. Exit 1: one has survived; 2: the list is wrong, or the tests fail
without any mutant. --only runs those whose file or sentence matches; --list prints them, and looks
for their texts; --json writes what became of each, with seconds; --tests runs no other tests, while a
test is being written.

A list:

    == core/flow.c        the file, below src/; holds for what follows
    = a cancelled task is still run
    -         frame->gone = true;
    +
An empty `+` takes the text away. Texts of several lines have several `-` and `+`.
"""
import argparse
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent

# The tests that could notice, the quickest first; a name ends a stage when what follows is built only
# if it is needed. The crash tests come last, and only for what could lose a commit.
UNIT = ['unit/policy', 'unit/core-step', 'unit/core-attempt', 'unit/core-compensate', 'unit/core-undo', 'unit/core-incident', 'unit/core-catch', 'unit/core-fork', 'unit/core-branches',
        'unit/core-child', 'unit/core-data', 'unit/core-listen', 'unit/core-match', 'unit/core-restart', 'unit/core-replay', 'unit/core-rule',
        'unit/core-payload', 'unit/core-people', 'unit/core-resume', 'unit/core-lifecycle', 'unit/core-loose', 'unit/lang-good', 'unit/lang-examples',
        'store/parts']
STORE = ['store/conformance', 'store/conformance_rows', 'store/conformance_bookmarks', 'store/conformance_instances',
         'store/conformance_identity', 'store/conformance_messages', 'store/conformance_listeners',
         'store/conformance_definitions', 'store/conformance_faults', 'store/conformance_bulk', 'store/conformance_undo', 'store/leases', 'store/backup', 'store/sqlite', 'store/sqlite_lists', 'store/sqlite_messages', 'cost',
         'store/sqlite_disk']
ENGINE = ['unit/engine_api', 'unit/engine_run', 'unit/engine_failure', 'unit/engine_recovery', 'unit/engine_child', 'unit/engine_jobs',
          'unit/engine_start_handler', 'unit/engine_resume_handler', 'unit/engine_request', 'unit/engine_watch',
          'unit/engine_timer_service', 'unit/engine_disk', 'unit/engine_token', 'unit/engine_bookmark', 'unit/engine_tries', 'unit/engine_message', 'unit/engine_fault', 'unit/engine_breakers', 'unit/engine_bulk', 'unit/engine_incidents', 'unit/engine_resilience']
SINKS = ['unit/sink_file', 'unit/sink_http', 'unit/sink_nats', 'unit/engine_outbox']
SERVICES = ['unit/engine_audit', 'unit/engine_cleanup', 'unit/engine_disk', 'unit/engine_outbox', 'unit/engine_metrics']
REWIND = ['unit/core-replay', 'unit/core-undo', 'unit/core-rule', 'unit/core-actions', 'unit/core-incident', 'unit/core-attempt', 'unit/core-child', 'unit/core-compensate',
          'unit/core-people', 'unit/core-resume', 'unit/core-schedule', 'unit/core-listen', 'unit/core-loose', 'unit/core-mend', 'unit/engine_rewind']
FUZZ = ['fuzz/state', 'fuzz/row', 'alloc']
CRASH = ['crash/power', 'crash/points']
ORDER = {
    'base': ['unit/base/schema', 'unit/expr-patterns'] + UNIT,
    'policy': UNIT + ENGINE,
    'lang': ['unit/lang-compensate', 'unit/lang-resilience', 'unit/lang-metadata', 'unit/lang-good', 'unit/lang-broken'],
    'drivers': ['unit/activity', 'unit/workers', 'unit/engine_jobs'],
    'drivers/sink': SINKS,
    'drivers/http': ['unit/http_services', 'unit/http_address', 'unit/http_redirect', 'unit/http_egress', 'unit/http'],
    'config': ['unit/config', 'fuzz/config'],
    'engine': ENGINE + ['unit/config', 'unit/engine_leases'] + CRASH,
    'engine/outbox': ['unit/engine_outbox'],
    'engine/letters': ['unit/engine_outbox'],
    'engine/cleanup': ['unit/engine_cleanup'],
    'engine/export': ['unit/engine_export', 'unit/engine_cleanup'],
    'engine/audit': ['unit/engine_audit'],
    'engine/why': ['unit/engine_why', 'unit/engine_audit'],
    'engine/metrics': ['unit/engine_metrics'],
    'engine/disk': ['unit/engine_disk'],
    'engine/background': ['unit/engine_background'] + SERVICES,
    'core': UNIT + ENGINE + FUZZ + ['crash/points'],
    'core/cause': REWIND,
    'core/replay': REWIND,
    'core/rewind': REWIND,
    'watch': ['unit/watch/metrics', 'unit/watch/service', 'unit/watch/log', 'unit/watch/trace'],
    'server': ['unit/server/routes', 'unit/command', 'alloc_api'],
    'store': ['store/parts'] + STORE + ENGINE + FUZZ + CRASH,
}
FAILED = re.compile(r'^not ok \d+ - (.*)$', re.MULTILINE)


class Mistake(Exception):
    """Of a list."""


# ---------------------------------------------------------------- the lists

def read_list(path):
    mutants, file, block = [], None, None
    for number, line in enumerate(path.read_text(encoding='utf-8').splitlines(), 1):
        place = f'{path.name}:{number}'
        if line.startswith('== '):
            file = line[3:].strip()
        elif line.startswith('= '):
            block = {'file': file, 'what': line[2:].strip(), 'old': [], 'new': [], 'place': place}
            mutants.append(block)
        elif line[:1] in ('-', '+') and block:
            # the sign, one blank, the text
            block['old' if line[0] == '-' else 'new'].append(line[2:])
        elif line.strip() and not line.startswith('#'):
            raise Mistake(f'{place}: neither a file, a sentence, a text nor a remark: {line}')
    for mutant in mutants:
        mutant['old'], mutant['new'] = '\n'.join(mutant['old']), '\n'.join(mutant['new'])
        if not mutant['file'] or not mutant['old'].strip():
            raise Mistake(f'{mutant["place"]}: without a file or a text to find')
    return mutants


def broken(text, mutant):
    """The file's text with the mutant in it."""
    count = text.count(mutant['old'])
    if count != 1:
        raise Mistake(f'{mutant["place"]}: {mutant["file"]} has the text {count} times, not once')
    return text.replace(mutant['old'], mutant['new'])


# ---------------------------------------------------------------- the copy of the tree

def put(path, data):
    """Only if it differs: what is the same need not be built again."""
    if path.exists() and path.read_bytes() == data:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def copy_tree(tree):
    listed = subprocess.run(['git', '-C', str(ROOT), 'ls-files', '-z', '--cached', '--others', '--exclude-standard'],
                            check=False, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    names = [name for name in listed.stdout.decode().split('\0') if name]
    if listed.returncode != 0 or not names:  # not a checkout: a release's tarball
        names = [str(path.relative_to(ROOT)) for path in ROOT.rglob('*')
                 if path.is_file() and not path.relative_to(ROOT).parts[0].startswith(('build', '.git'))]
    kept = set()
    for name in names:
        source = ROOT / name
        if not source.is_file():
            continue
        put(tree / name, source.read_bytes())
        shutil.copymode(source, tree / name)
        kept.add(tree / name)
    for path in tree.rglob('*'):
        if path.is_file() and path not in kept and '__pycache__' not in path.parts:
            path.unlink()


# ---------------------------------------------------------------- building and running

def limits():
    """What a broken program may take: it ends instead of the machine."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 << 30, 2 << 30))


def run(command, timeout, env=None, cwd=None):
    """(exit code, output); exit code None: it took too long."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               env=env, cwd=cwd, start_new_session=True, preexec_fn=limits)
    try:
        output, _ = process.communicate(timeout=timeout)
        code = process.returncode
    except subprocess.TimeoutExpired:
        code = None
    finally:
        try:  # what it left running, too: the session is its own
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    if code is None:
        output, _ = process.communicate()
    return code, output.decode('utf-8', 'replace')


class Bench:
    def __init__(self, work, jobs, wanted):
        self.tree, self.build, self.tmp = work / 'tree', work / 'build', work / 'tmp'
        self.jobs, self.wanted = jobs, wanted
        self.tests, self.usual = {}, {}
        shared = ROOT.parent / 'shared'
        self.env = dict(os.environ, TMPDIR=str(self.tmp), PYTHONDONTWRITEBYTECODE='1')
        self.env.pop('PAWL_TEST_LONG', None)
        if shared.is_dir():
            self.env.setdefault('PAWL_SHARED', str(shared))

    def prepare(self):
        copy_tree(self.tree)
        if not (self.build / 'build.ninja').exists():
            # No sanitizer and no -Werror: a mutant may leave a variable unused.
            code, output = run(['meson', 'setup', str(self.build), str(self.tree), '-Dfaults=true', '-Dchecks=true',
                                '--buildtype=debug'], 600)
            if code != 0:
                raise Mistake(f'meson setup failed:\n{output}')
        listed = subprocess.run(['meson', 'introspect', '--tests', str(self.build)], check=True, stdout=subprocess.PIPE)
        for test in json.loads(listed.stdout):
            if not re.search(self.wanted, test['name']):
                continue
            parts = [part if os.path.isabs(part) else str(self.build / part) for part in test['cmd']]
            programs = [os.path.relpath(part, self.build) for part in parts if part.startswith(str(self.build) + os.sep)]
            self.tests[test['name']] = {'cmd': parts, 'programs': programs, 'env': test['env']}

    def make(self, *names):
        """None, or why it does not build."""
        programs = [program for name in names for program in self.tests[name]['programs']]
        code, output = run(['ninja', '-C', str(self.build), f'-j{self.jobs}'] + programs, 3600)
        return None if code == 0 else output[-3000:]

    def fails(self, name, timeout):
        """None: the test passes; else what failed."""
        shutil.rmtree(self.tmp, ignore_errors=True)
        self.tmp.mkdir(parents=True)
        test = self.tests[name]
        code, output = run(test['cmd'], timeout, dict(self.env, **test['env']), str(self.build))
        if code is None:
            return f'{name}: no end after {timeout:.0f} s'
        found = FAILED.search(output)
        if found:
            return f'{name}: {found[1]}'
        if code != 0:
            return f'{name}: {signal.Signals(-code).name if code < 0 else "exit " + str(code)}'
        return None

    def check_sound(self, names):
        """Every test passes without a mutant; their times are the measure of later ones."""
        why = self.make(*names)
        if why:
            raise Mistake(f'the tree does not build:\n{why}')
        for name in names:
            started = time.monotonic()
            why = self.fails(name, 1800)
            if why:
                raise Mistake(f'a test fails without any mutant: {why}')
            self.usual[name] = time.monotonic() - started

    def try_one(self, mutant):
        """What killed it; None: it has survived."""
        path = self.tree / 'src' / mutant['file']
        whole = path.read_text(encoding='utf-8')
        try:
            path.write_text(broken(whole, mutant), encoding='utf-8')
            for name in order(mutant, self.tests):
                why = self.make(name)
                if why:
                    raise Mistake(f'{mutant["place"]}: it does not compile:\n{why}')
                why = self.fails(name, max(20, 6 * self.usual[name]))
                if why:
                    return why
            return None
        finally:
            path.write_text(whole, encoding='utf-8')
            shutil.rmtree(self.tmp, ignore_errors=True)


def rooms_of(mutant):
    return [room for room in ORDER if mutant['file'].startswith(room)]


def order(mutant, tests):
    return [name for name in ORDER[max(rooms_of(mutant), key=len)] if name in tests]


def stopped(*_):
    raise SystemExit(143)  # so that what runs is ended, and the tree made whole


# ---------------------------------------------------------------- all of it

def main():
    parser = argparse.ArgumentParser(description='Breaks one place at a time, and sees that a test fails.')
    parser.add_argument('--only', metavar='REGEX', help='those whose file or sentence matches')
    parser.add_argument('--list', action='store_true', help='print them, and look for their texts')
    parser.add_argument('--work', type=pathlib.Path, default=ROOT / 'build-test' / 'mutation')
    parser.add_argument('--jobs', type=int, default=1, help='of ninja')
    parser.add_argument('--json', type=pathlib.Path, metavar='FILE')
    parser.add_argument('--tests', metavar='REGEX', default='', help='no others')
    parser.add_argument('lists', nargs='*', type=pathlib.Path)
    options = parser.parse_args()
    paths = options.lists or sorted(pathlib.Path(__file__).parent.glob('*.mutants'))
    mutants, wrong = [m for path in paths for m in read_list(path)], 0
    for mutant in mutants:
        try:
            broken((ROOT / 'src' / mutant['file']).read_text(encoding='utf-8'), mutant)
            if not rooms_of(mutant):
                raise Mistake(f'{mutant["place"]}: no tests are known for {mutant["file"]}')
        except (Mistake, OSError) as mistake:
            print(f'# {mistake}', flush=True)
            wrong += 1
    if options.only:
        mutants = [m for m in mutants if re.search(options.only, f'{m["file"]}: {m["what"]}')]
    if options.list:
        for mutant in mutants:
            print(f'{mutant["place"]:<20} {mutant["file"]}: {mutant["what"]}')
    if wrong:
        raise Mistake(f'{wrong} of them cannot be made: the list above; nothing was run')
    if options.list:
        return 0
    work = options.work.resolve()
    signal.signal(signal.SIGTERM, stopped)
    bench = Bench(work, options.jobs, options.tests)
    started = time.monotonic()
    bench.prepare()
    bench.check_sound({name: None for m in mutants for name in order(m, bench.tests)})
    print(f'1..{len(mutants)}', flush=True)
    print(f'# built, and the tests pass, in {time.monotonic() - started:.0f} s', flush=True)
    results = []
    for number, mutant in enumerate(mutants, 1):
        began = time.monotonic()
        try:
            why, mistake = bench.try_one(mutant), None
        except Mistake as error:
            why, mistake = None, str(error)
        seconds = time.monotonic() - began
        results.append({'file': mutant['file'], 'what': mutant['what'], 'killed': why, 'mistake': mistake,
                        'seconds': round(seconds, 1)})
        if mistake:
            print('\n'.join(f'# {line}' for line in mistake.splitlines()))
        outcome = f'killed by {why}' if why else 'a mistake of the list' if mistake else 'SURVIVED'
        print(f'{"ok" if why else "not ok"} {number} - mutation: {mutant["file"]}: {mutant["what"]} '
              f'({outcome}; {seconds:.1f} s)', flush=True)
    killed = sum(1 for r in results if r['killed'])
    mistakes = sum(1 for r in results if r['mistake'])
    print(f'# {killed} killed, {len(results) - killed - mistakes} survived, {mistakes} mistakes of the list, '
          f'in {time.monotonic() - started:.0f} s')
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + '\n', encoding='utf-8')
    return 2 if mistakes else 1 if killed < len(results) else 0


if __name__ == '__main__':
    try:
        sys.exit(main())
    except Mistake as error:
        print(f'mutate.py: {error}', file=sys.stderr)
        sys.exit(2)
