#!/usr/bin/env python3
"""oracle.py - our evaluator against jq 1.6 and gojq, on programs made from a grammar.

    oracle.py BATCH [--count N] [--seed S] [--oracle jq|gojq]

BATCH is the program built from batch.c. The grammar is oracle.txt: each line says of what type an
expression is, how it is written, and which oracle knows it. A program is asked of an oracle only if
every line that it was made from names that oracle. Programs and inputs follow from the seed alone.
Prints TAP; an oracle that is not installed is a skipped test.
"""
import argparse
import json
import pathlib
import random
import re
import shutil
import subprocess
import sys

GRAMMAR = pathlib.Path(__file__).with_name('oracle.txt')
BATCH_SIZE = 20  # programs in one process: jq takes 20 ms to start
DEPTH = 4
ORACLES = ('jq', 'gojq')
HOLE = re.compile(r'\{(\w+)(?:@(\w+))?\}')


class Rule:
    def __init__(self, dot, asked, text):
        self.dot, self.asked, self.text = dot, asked, text


def read_grammar():
    """(rules by type, the functions that no oracle is asked about with the reason)"""
    rules, unasked = {}, {}
    for number, line in enumerate(GRAMMAR.read_text(encoding='utf-8').splitlines(), 1):
        line = line.split('  -- ')[0].rstrip()
        if not line or line.startswith('#'):
            continue
        cells = re.split(r'\s{2,}', line, maxsplit=2)
        if len(cells) != 3:
            sys.exit(f'oracle.txt:{number}: a type, who is asked, an expression: {line}')
        kind, asked, text = cells
        if kind == 'nobody':
            unasked.update((name, text) for name in asked.split())
            continue
        kind, _, dot = kind.partition('<')  # "num<row": only where `.` is a row
        asked = ORACLES if asked == 'both' else (asked,)
        rules.setdefault(kind, []).append(Rule(dot, frozenset(asked), text))
    return rules, unasked


# ---- values

WORDS = ['a', 'b', 'abc', 'x,y', '', 'Zeta', 'a b  c', 'été', '日本', '😀!', '<a href="q">&\'', 'a-1,b-22',
         '3', '-0.5', 'aXbXc', '\t tab', 'foo bar foo', 'key', '%41 %c3%a9']
NUMBERS = [0, 1, 2, 3, 5, 7, 10, 42, 100, -1, -3, 0.5, 1.5, -2.25, 1000, 0.001, 123456, 3.7, -0.5]


def make(rng, kind, depth=2):
    many = range(rng.choice((0, 1, 2, 3, 3, 4, 6)))
    if kind == 'num':
        return rng.choice(NUMBERS)
    if kind == 'int':
        return rng.randint(-20, 120)
    if kind == 'big':
        return rng.choice((1, -1)) * rng.choice((2**53 - 1, 2**53 + 1, 2**60 + 7, 2**31, 3**38, 10**18 - 1))
    if kind == 'str':
        return rng.choice(WORDS)
    if kind == 'bool':
        return rng.random() < 0.5
    if kind == 'nums':
        return [make(rng, 'num') for _ in many]
    if kind == 'strs':
        return [make(rng, 'str') for _ in many]
    if kind == 'row':
        return {'a': make(rng, 'num'), 'b': make(rng, 'str'), 'c': make(rng, 'bool')}
    if kind == 'rows':
        return [make(rng, 'row') for _ in many]
    if kind == 'nobj':
        return {k: make(rng, 'num') for k in sorted(rng.sample('abcdefgh', len(many)))}
    if kind == 'obj':
        return {k: make(rng, 'any', depth - 1) for k in sorted(rng.sample('abcdefgh', len(many)))}
    if kind == 'anys':
        return [make(rng, 'any', depth - 1) for _ in many]
    if kind == 'date':
        return rng.randint(-2**31, 2**32)
    simple = ('num', 'str', 'bool', 'null')
    kind = rng.choice(simple if depth <= 0 else simple + ('anys', 'obj', 'nums', 'row', 'strs'))
    return None if kind == 'null' else make(rng, kind, depth)


class Maker:
    """Makes one program; `asked` shrinks to those who know all of its parts."""
    def __init__(self, rules, rng):
        self.rules, self.rng, self.asked = rules, rng, frozenset(ORACLES)

    def literal(self, kind):
        if kind == 'big':
            self.asked &= {'gojq'}
        value = make(self.rng, kind if kind != 'any' else self.rng.choice(('num', 'str', 'anys', 'obj')), 1)
        text = json.dumps(value, ensure_ascii=False)
        return f'({text})' if text.startswith('-') else text

    def expression(self, kind, dot, depth):
        if kind == 'any':
            kind = self.rng.choice([k for k in self.rules if k not in ('big', 'out')] + ['any'])
        fits = [r for r in self.rules.get(kind, []) if r.dot in ('', dot)]
        if kind in ('re', 'flags', 'fmt', 'key', 'fdate'):  # words of their own, not expressions
            return self.use(self.rng.choice(fits)).text
        if depth <= 0 or self.rng.random() < 0.15:
            if kind == dot and self.rng.random() < 0.7:
                return '.'
            fits = [r for r in fits if not HOLE.search(r.text) and r.dot]
            if not fits or self.rng.random() < 0.3:
                return self.literal(kind)
        if not fits:
            return '.' if kind == dot else self.literal(kind)
        rule = self.use(self.rng.choice(fits))
        return '(' + HOLE.sub(lambda m: self.expression(m[1], m[2] or dot, depth - 1), rule.text) + ')'

    def use(self, rule):
        self.asked &= rule.asked
        return rule


def cases(rules, count, seed):
    rng = random.Random(seed)
    dots = ['any', 'num', 'str', 'nums', 'strs', 'row', 'rows', 'nobj', 'obj', 'anys', 'date', 'big']
    kinds = [k for k in rules if k not in ('re', 'flags', 'fmt', 'key', 'fdate')]
    weights = [len(rules[k]) for k in kinds]
    while count > 0:
        dot = rng.choice(dots)
        maker = Maker(rules, rng)
        program = maker.expression(rng.choices(kinds, weights)[0], dot, rng.randint(1, DEPTH))
        data = make(rng, dot)
        if dot == 'big':
            maker.asked &= {'gojq'}
        if maker.asked:
            count -= 1
            yield program, data, maker.asked


# ---- asking

def ours(batch, tasks):
    text = ''.join(json.dumps({'program': p, 'input': d}) + '\n' for p, d in tasks)
    done = subprocess.run([batch], input=text, capture_output=True, text=True, check=True, encoding='utf-8')
    answers = []
    for line in done.stdout.splitlines():
        answer = json.loads(line, object_pairs_hook=Members)
        answer = dict(answer.pairs)
        if 'refused' in answer:
            answers.append('refused: ' + answer['refused'])
        else:
            answers.append((answer['outputs'], 'error' in answer, answer.get('error')))
    return answers


def theirs(oracle, tasks):
    """All in one process. One that the oracle does not compile is looked for by halves."""
    parts = ','.join(f'(.[{i}] | [try (({p}) | [.]) catch {{e: .}}])' for i, (p, _) in enumerate(tasks))
    try:
        done = subprocess.run([oracle, '-c', f'[{parts}]'], input=json.dumps([d for _, d in tasks]), timeout=10,
                              capture_output=True, text=True, encoding='utf-8', check=False)
    except subprocess.TimeoutExpired:
        done = None
    if done and done.returncode == 0:
        answers = []
        for results in json.loads(done.stdout, object_pairs_hook=Members):
            outputs = [r[0] for r in results if isinstance(r, list)]
            errors = [r for r in results if isinstance(r, Members)]
            answers.append((outputs, bool(errors), errors[0].pairs[0][1] if errors else None))
        return answers
    if len(tasks) == 1:
        return ['refused: ' + done.stderr.partition('\n')[0] if done else 'refused: took too long']
    half = len(tasks) // 2
    return theirs(oracle, tasks[:half]) + theirs(oracle, tasks[half:])


class Members:
    """An object with the order of its keys."""
    def __init__(self, pairs):
        self.pairs = pairs


def text_of(value, ordered):
    """Equal texts: equal values. gojq sorts keys, so there their order says nothing."""
    if isinstance(value, Members):
        pairs = value.pairs if ordered else sorted(value.pairs)
        return '{' + ','.join(f'{json.dumps(k)}:{text_of(v, ordered)}' for k, v in pairs) + '}'
    if isinstance(value, list):
        return '[' + ','.join(text_of(v, ordered) for v in value) + ']'
    if isinstance(value, float) and value == int(value) and abs(value) < 2**63:
        return str(int(value))
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**63:
        return str(float(value))
    return json.dumps(value, ensure_ascii=False)


def shown(answer, ordered):
    if isinstance(answer, str):
        return answer
    outputs, failed, error = answer
    words = [text_of(v, ordered) for v in outputs]
    return ' '.join(words + ([f'ERROR {text_of(error, ordered)}'] if failed else []))


def differ(mine, other, ordered):
    if isinstance(mine, str) or isinstance(other, str):
        return True
    if mine[1] != other[1] or len(mine[0]) != len(other[0]):
        return True
    return any(text_of(a, ordered) != text_of(b, ordered) for a, b in zip(mine[0], other[0]))


def compare(oracle, batch, tasks):
    """How many were asked, and what was different, as lines to show."""
    lines, asked = [], 0
    for start in range(0, len(tasks), BATCH_SIZE):
        part = tasks[start:start + BATCH_SIZE]
        asked += len(part)
        for (program, data), mine, other in zip(part, ours(batch, part), theirs(oracle, part)):
            if differ(mine, other, oracle == 'jq'):
                lines += [f'# {program}', f'#   of {json.dumps(data, ensure_ascii=False)}',
                          f'#   ours: {shown(mine, oracle == "jq")}', f'#   {oracle}: {shown(other, oracle == "jq")}']
    return asked, lines


# ---- which functions are listed

CALL = re.compile(r'(?<![\w$@.])([a-zA-Z_]\w*)(\()?')


def calls(text):
    """name/arity of all calls in an expression"""
    found = set()
    text = re.sub(r'"(?:[^"\\]|\\[^(])*"', '""', text)
    for match in CALL.finditer(text):
        arity = 0
        if match[2]:
            depth, arity = 1, 1
            for c in text[match.end():]:
                depth += (c in '([{') - (c in ')]}')
                if depth == 0:
                    break
                arity += c == ';' and depth == 1
        found.add(f'{match[1]}/{arity}')
    return found


def missing(batch, rules, unasked):
    listed = set(unasked)
    for kind in rules.values():
        for rule in kind:
            listed |= calls(rule.text)
    done = subprocess.run([batch], input='{"program":"builtins"}\n', capture_output=True, text=True, check=True)
    return sorted(set(json.loads(done.stdout)['outputs'][0]) - listed)


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument('batch')
    options.add_argument('--count', type=int, default=500)
    options.add_argument('--seed', type=int, default=1)
    options.add_argument('--oracle', choices=ORACLES, action='append')
    options = options.parse_args()
    rules, unasked = read_grammar()
    made = list(cases(rules, options.count, options.seed))
    oracles = options.oracle or ORACLES
    print(f'1..{len(oracles) + 1}')
    unlisted = missing(options.batch, rules, unasked)
    print(f'# not in oracle.txt: {" ".join(unlisted)}' if unlisted else '# all builtins are in oracle.txt')
    print(f'{"not ok" if unlisted else "ok"} 1 - oracle: every function is listed')
    failed = bool(unlisted)
    for number, oracle in enumerate(oracles, 2):
        if not shutil.which(oracle):
            print(f'ok {number} - oracle: the same as {oracle} # SKIP {oracle} is not installed')
            continue
        asked, lines = compare(oracle, options.batch, [(p, d) for p, d, who in made if oracle in who])
        print('\n'.join(lines + [f'# {asked} programs of seed {options.seed}']))
        print(f'{"not ok" if lines or not asked else "ok"} {number} - oracle: the same as {oracle}')
        failed = failed or bool(lines)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
