#!/usr/bin/env python3
"""differential.py - our validator against the JSON Schemas of the language: the examples of its repository and ours, each
changed in one place, must be accepted by both or refused by both, but for what is listed here.

PAWL_TEST_LONG: more changes. The seed is fixed, so that a failure repeats itself.
"""
import copy
import json
import os
import random
import re

from harness import ROOT, Skip, case, main
from schemas import FOLDER, both_schemas, load

try:
    from jsonschema import Draft202012Validator
except ImportError:
    Draft202012Validator = None

SEED = 20261122
CHANGES = 8 if os.environ.get("PAWL_TEST_LONG") else 2  # of each example
VALUES = [5, "text", True, None, [], {}, [1], {"x": 1}]

# What we refuse though a schema accepts it: it cannot see it, or leaves open what nobody would read.
# (code, where, why)
STRICTER = [
    ("unknown-name", "", "a reference to what is not there"),
    ("expression", "", "an expression that does not compile"),
    ("variable-not-available", "", "a variable that is not there"),
    ("duplicate-name", "", "two tasks of one name, or two default cases"),
    ("missing-member", "/emit/event$", "an event without 'with', and so without a type"),
    ("unknown-member", "/errors/with/[^/]+$", "a filter by what no error has"),
    ("unknown-member", "/backoff/(constant|linear|exponential)/[^/]+$", "a parameter that no backoff has"),
    ("unknown-member", "^/[^/]+$", "a member of the root that nearly has the name of one"),
    ("unknown-member", "/metadata/pawl/", "what is ours has a schema of its own"),
    ("wrong-type", "/metadata/pawl(/|$)", "the same"),
    ("wrong-value", "/metadata/pawl/", "the same"),
    ("missing-member", "/metadata/pawl/", "the same"),
    ("unknown-member", "/with/[^/]+$", "of a userTask"),
    ("unknown-member", "/with/(candidates|form)/[^/]+$", "of a userTask"),
    ("wrong-type", "/with/(assignedTo|candidates|title|form|key|priority|due)", "of a userTask"),
    ("wrong-value", "/with/(due|priority)", "of a userTask"),
    ("wrong-value", "/set$", "text that is no expression"),
    ("wrong-value", "/status$", "no status of HTTP"),
    ("wrong-value", "/endpoint(/uri)?$", "a URI that is not of HTTP"),
    ("wrong-value", "/method$", "no method of HTTP"),
    ("wrong-value", "/(each|at|as)$", "no name for a variable"),
    ("wrong-value", "/(delay|after|from|to|duration|wait)$", "a duration of nothing, or below zero"),
    ("wrong-value", "/call$", "an empty name"),
]


def places(value, path=()):
    yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, path + (key,))
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from places(inner, path + (at,))


def at(value, path):
    for key in path:
        value = value[key]
    return value


def change(document, chance):
    """The document with one member dropped, of another type, or added; and what was done."""
    document = copy.deepcopy(document)
    how = chance.choice(["drop", "type", "add"])
    if how == "add":
        path = chance.choice([path for path in places(document) if isinstance(at(document, path), dict)])
        at(document, path)["zzUnknown"] = 1
    else:
        path = chance.choice([path for path in places(document) if path])
        if how == "drop":
            del at(document, path[:-1])[path[-1]]
        else:
            at(document, path[:-1])[path[-1]] = chance.choice(VALUES)
    return document, f"{how} /{'/'.join(map(str, path))}"


def verdicts(room, documents):
    """What `pawl validate` says of each, in few calls."""
    answers = []
    for first in range(0, len(documents), 200):
        names = []
        for number, document in enumerate(documents[first:first + 200], first):
            names.append(f"{number}.json")
            room.file(names[-1], json.dumps(document))
        answers += [json.loads(line) for line in room.pawl("validate", "--json", *names).out.split("\n") if line]
    assert len(answers) == len(documents)
    return answers


def is_listed(finding):
    return any(finding["code"] == code and re.search(where, finding["pointer"]) for code, where, _ in STRICTER)


@case("every example, changed in one place, is accepted by both or refused by both")
def _(room):
    schemas = both_schemas()
    if Draft202012Validator is None:
        raise Skip("there is no jsonschema for Python")
    validators = [Draft202012Validator(schema) for schema in reversed(schemas)]
    folders = [os.path.join(FOLDER, "examples"), os.path.join(ROOT, "examples"), os.path.join(ROOT, "test/cli/graph")]
    files = [os.path.join(folder, name) for folder in folders for name in sorted(os.listdir(folder))
             if name.endswith(".yaml")]
    assert len(files) > 68, files
    chance = random.Random(SEED)
    changed = []
    for path in files:
        document = load(path)
        changed.append((os.path.basename(path), document, "unchanged"))
        changed += [(os.path.basename(path), *change(document, chance)) for _ in range(CHANGES)]
    compared, accepted, wrong = 0, 0, []
    for (name, document, how), answer in zip(changed, verdicts(room, [one[1] for one in changed])):
        errors = [finding for finding in answer["findings"] if finding["error"]]
        if errors and all(finding["code"] == "not-supported" for finding in errors):
            continue  # what is inside of what is not there yet is not looked at
        valid = any(validator.is_valid(document) for validator in validators)
        compared += 1
        accepted += valid
        listed = valid and all(is_listed(finding) for finding in errors)
        if valid != answer["valid"] and not listed:
            wrong.append((name, how, "the schemas accept it" if valid else "the schemas refuse it",
                          [(finding["code"], finding["pointer"], finding["message"]) for finding in errors]))
    assert not wrong, "\n".join(map(str, wrong))
    assert compared > len(files) and accepted > 20, (compared, accepted)


if __name__ == "__main__":
    main()
