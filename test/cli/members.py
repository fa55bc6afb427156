#!/usr/bin/env python3
"""members.py - nothing is silently ignored: every member of both schemas of the language has its row here, and
each row is shown to be true of `pawl validate`.

    yes      it is known: with its name misspelt the document is refused
    open     any other name may stand beside it; with a value of the wrong type the document is refused
    no       it is refused by name, as valid in the language and not in this release
    within   it stands inside of what is refused by name, and goes with it
    free     it may hold anything, and means nothing to the engine: the manual says so

In a document the member in question is marked: §name.
"""
import json
import re

from harness import case, main
from schemas import both_schemas

HEAD = "document: {dsl: 1.0.3, namespace: a, name: b, version: 1.0.0}\n"
HTTP = "{call: http, with: {method: get, endpoint: http://x.test, %s}}"
AUTH = "{call: http, with: {method: get, endpoint: {uri: http://x.test, authentication: %s}}}"
TRY = "{try: [], catch: {%s}}"
RETRY = "{try: [], catch: {retry: {%s, limit: {duration: PT1S}}}}"
EMIT = "{emit: {event: {with: {type: t, %s}}}}"
LISTEN = "{listen: {to: {%s}}}"
FOREACH = "{listen: {to: {any: []}}, foreach: {%s}}"
RUN = "{run: {workflow: {namespace: a, name: b, version: latest}, %s}}"
RAISE = "{raise: {error: {type: 'https://x.test/e', status: 500, %s}}}"

# What is refused: by what name, and where.
REFUSED = {
    "input.schema.resource": "input: {schema: {§resource: {endpoint: http://x.test}}}\ndo: []\n",
    "use.authentications": "use: {§authentications: {}}\ndo: []\n",
    "use.catalogs": "use: {§catalogs: {}}\ndo: []\n",
    "use.extensions": "use: {§extensions: []}\ndo: []\n",
    "use.secrets": "use: {§secrets: []}\ndo: []\n",
    "call: openapi": "{call: openapi, with: {}}",
    "call: grpc": "{call: grpc, with: {}}",
    "call: asyncapi": "{call: asyncapi, with: {}}",
    "call: a2a": "{call: a2a, with: {}}",
    "call: mcp": "{call: mcp, with: {}}",
    "run: container": "{run: {container: {image: x}, await: false}}",
    "run: script": "{run: {script: {language: js, code: x}}}",
    "run: shell": "{run: {shell: {command: x}, return: all}}",
    "authentication.use": AUTH % "{use: x}",
    "authentication.basic.use": AUTH % "{basic: {use: x}}",
    "authentication.bearer.use": AUTH % "{bearer: {use: x}}",
    "authentication.digest": AUTH % "{digest: {username: x, password: y}}",
    "authentication.oauth2": AUTH % "{oauth2: {use: x}}",
    "authentication.oidc": AUTH % "{oidc: {use: x}}",
}

YES, OPEN, NO, WITHIN, FREE = "yes", "open", "no", "within", "free"

# (definition of the schema, its member): state, and a document or the name in REFUSED
TABLE = {
    "workflow": {
        "document": (YES, "§" + HEAD + "do: []\n"),
        "document.dsl": (YES, "document: {§dsl: 1.0.3, namespace: a, name: b, version: 1.0.0}\ndo: []\n"),
        "document.namespace": (YES, "document: {dsl: 1.0.3, §namespace: a, name: b, version: 1.0.0}\ndo: []\n"),
        "document.name": (YES, "document: {dsl: 1.0.3, namespace: a, §name: b, version: 1.0.0}\ndo: []\n"),
        "document.version": (YES, "document: {dsl: 1.0.3, namespace: a, name: b, §version: 1.0.0}\ndo: []\n"),
        "document.title": (FREE, "document: {dsl: 1.0.3, namespace: a, name: b, version: 1.0.0, §title: x}\ndo: []\n"),
        "document.summary": (FREE, "document: {dsl: 1.0.3, namespace: a, name: b, version: 1.0.0, §summary: x}\ndo: []\n"),
        "document.tags": (FREE, "document: {dsl: 1.0.3, namespace: a, name: b, version: 1.0.0, §tags: {x: y}}\ndo: []\n"),
        "document.metadata": (FREE, "document: {dsl: 1.0.3, namespace: a, name: b, version: 1.0.0, §metadata: {x: [1]}}\n"
                                    "do: []\n"),
        "input": (YES, "§input: {from: .x}\ndo: []\n"),
        "use": (YES, "§use: {}\ndo: []\n"),
        "use.authentications": (NO, "use.authentications"),
        "use.errors": (YES, "use: {§errors: {}}\ndo: []\n"),
        "use.extensions": (NO, "use.extensions"),
        "use.functions": (YES, "use: {§functions: {}}\ndo: []\n"),
        "use.retries": (YES, "use: {§retries: {}}\ndo: []\n"),
        "use.secrets": (NO, "use.secrets"),
        "use.timeouts": (YES, "use: {§timeouts: {}}\ndo: []\n"),
        "use.catalogs": (NO, "use.catalogs"),
        "do": (YES, "§do: []\n"),
        "timeout": (YES, "§timeout: {after: PT1S}\ndo: []\n"),
        "output": (YES, "§output: {as: .x}\ndo: []\n"),
        "schedule": (YES, "§schedule: {every: PT1H}\ndo: []\n"),
        "schedule.every": (YES, "schedule: {§every: PT1H}\ndo: []\n"),
        "schedule.cron": (YES, "schedule: {§cron: '0 0 * * *'}\ndo: []\n"),
        "schedule.after": (YES, "schedule: {§after: PT1H}\ndo: []\n"),
        "schedule.on": (YES, "schedule: {§on: {one: {with: {type: a}}}}\ndo: []\n"),
        "schedule.read": (YES, "schedule: {on: {one: {with: {type: a}}}, §read: data}\ndo: []\n"),
        "evaluate": (YES, "§evaluate: {}\ndo: []\n"),
        "evaluate.language": (YES, "evaluate: {§language: jq}\ndo: []\n"),
        "evaluate.mode": (OPEN, "evaluate: {§mode: loose}\ndo: []\n", "evaluate: {mode: lax}\ndo: []\n"),
    },
    "taskBase": {
        "if": (YES, "{set: {x: 1}, §if: .x}"),
        "input": (YES, "{set: {x: 1}, §input: {from: .x}}"),
        "output": (YES, "{set: {x: 1}, §output: {as: .x}}"),
        "export": (YES, "{set: {x: 1}, §export: {as: .x}}"),
        "timeout": (YES, "{set: {x: 1}, §timeout: {after: PT1S}}"),
        "then": (YES, "{set: {x: 1}, §then: end}"),
        "metadata": (FREE, "{set: {x: 1}, §metadata: {x: [1]}}"),
    },
    "callTask": {
        "call": (YES, "{§call: http, with: {method: get, endpoint: http://x.test}}"),
        "with": (YES, "{call: http, §with: {method: get, endpoint: http://x.test}}"),
        "with.method": (YES, "{call: http, with: {§method: get, endpoint: http://x.test}}"),
        "with.endpoint": (YES, "{call: http, with: {method: get, §endpoint: http://x.test}}"),
        "with.headers": (YES, HTTP % "§headers: {x: y}"),
        "with.body": (YES, HTTP % "§body: [1]"),
        "with.query": (YES, HTTP % "§query: {x: y}"),
        "with.output": (YES, HTTP % "§output: raw"),
        "with.redirect": (YES, HTTP % "§redirect: true"),
        "with.document": (WITHIN, "call: openapi"),
        "with.operationId": (WITHIN, "call: openapi"),
        "with.parameters": (WITHIN, "call: openapi"),
        "with.authentication": (WITHIN, "call: openapi"),
        "with.channel": (WITHIN, "call: asyncapi"),
        "with.operation": (WITHIN, "call: asyncapi"),
        "with.server": (WITHIN, "call: asyncapi"),
        "with.protocol": (WITHIN, "call: asyncapi"),
        "with.message": (WITHIN, "call: asyncapi"),
        "with.subscription": (WITHIN, "call: asyncapi"),
        "with.proto": (WITHIN, "call: grpc"),
        "with.service": (WITHIN, "call: grpc"),
        "with.service.name": (WITHIN, "call: grpc"),
        "with.service.host": (WITHIN, "call: grpc"),
        "with.service.port": (WITHIN, "call: grpc"),
        "with.service.authentication": (WITHIN, "call: grpc"),
        "with.arguments": (WITHIN, "call: grpc"),
        "with.agentCard": (WITHIN, "call: a2a"),
        "with.protocolVersion": (WITHIN, "call: mcp"),
        "with.timeout": (WITHIN, "call: mcp"),
        "with.transport": (WITHIN, "call: mcp"),
        "with.transport.http": (WITHIN, "call: mcp"),
        "with.transport.http.endpoint": (WITHIN, "call: mcp"),
        "with.transport.http.headers": (WITHIN, "call: mcp"),
        "with.transport.stdio": (WITHIN, "call: mcp"),
        "with.transport.stdio.command": (WITHIN, "call: mcp"),
        "with.transport.stdio.arguments": (WITHIN, "call: mcp"),
        "with.transport.stdio.environment": (WITHIN, "call: mcp"),
        "with.transport.options": (WITHIN, "call: mcp"),
        "with.client": (WITHIN, "call: mcp"),
        "with.client.name": (WITHIN, "call: mcp"),
        "with.client.description": (WITHIN, "call: mcp"),
        "with.client.version": (WITHIN, "call: mcp"),
    },
    "forkTask": {
        "fork": (YES, "{§fork: {branches: [{x: {do: []}}]}}"),
        "fork.branches": (YES, "{fork: {§branches: [{x: {do: []}}]}}"),
        "fork.compete": (YES, "{fork: {branches: [{x: {do: []}}], §compete: false}}"),
    },
    "doTask": {"do": (YES, "{§do: []}")},
    "emitTask": {
        "emit": (YES, "{§emit: {event: {with: {type: t}}}}"),
        "emit.event": (YES, "{emit: {§event: {with: {type: t}}}}"),
        "emit.event.with": (YES, "{emit: {event: {§with: {type: t}}}}"),
    },
    "forTask": {
        "for": (YES, "{§for: {in: .x}, do: []}"),
        "for.each": (YES, "{for: {§each: x, in: .x}, do: []}"),
        "for.in": (YES, "{for: {§in: .x}, do: []}"),
        "for.at": (YES, "{for: {in: .x, §at: y}, do: []}"),
        "while": (YES, "{for: {in: .x}, §while: .x, do: []}"),
        "do": (YES, "{for: {in: .x}, §do: []}"),
    },
    "listenTask": {
        "listen": (YES, "{§listen: {to: {any: []}}}"),
        "listen.to": (YES, "{listen: {§to: {any: []}}}"),
        "listen.read": (YES, "{listen: {to: {any: []}, §read: raw}}"),
        "foreach": (YES, "{listen: {to: {any: []}}, §foreach: {do: []}}"),
    },
    "raiseTask": {
        "raise": (YES, "{§raise: {error: {type: 'https://x.test/e', status: 500}}}"),
        "raise.error": (YES, "{raise: {§error: {type: 'https://x.test/e', status: 500}}}"),
    },
    "runTask": {
        "run": (YES, "{§run: {workflow: {namespace: a, name: b, version: latest}}}"),
        "run.await": (YES, RUN % "§await: false"),
        "run.return": (WITHIN, "run: shell"),
        "run.workflow": (YES, "{run: {§workflow: {namespace: a, name: b, version: latest}}}"),
        "run.workflow.namespace": (YES, "{run: {workflow: {§namespace: a, name: b, version: latest}}}"),
        "run.workflow.name": (YES, "{run: {workflow: {namespace: a, §name: b, version: latest}}}"),
        "run.workflow.version": (YES, "{run: {workflow: {namespace: a, name: b, §version: latest}}}"),
        "run.workflow.input": (YES, "{run: {workflow: {namespace: a, name: b, version: latest, §input: {x: 1}}}}"),
        **{f"run.{kind}": (NO, f"run: {kind}") for kind in ("container", "script", "shell")},
        **{f"run.{member}": (WITHIN, f"run: {member.split('.')[0]}") for member in """
            container.image container.name container.command container.ports container.volumes container.environment
            container.stdin container.arguments container.lifetime container.pullPolicy script.code script.source
            script.language script.stdin script.arguments script.environment shell.command shell.stdin shell.arguments
            shell.environment""".split()},
    },
    "setTask": {"set": (YES, "{§set: {x: 1}}")},
    "switchTask": {
        "switch": (YES, "{§switch: [{x: {then: end}}]}"),
        "switch[].*.when": (YES, "{switch: [{x: {§when: .x, then: end}}]}"),
        "switch[].*.then": (YES, "{switch: [{x: {§then: end}}]}"),
    },
    "tryTask": {
        "try": (YES, "{§try: [], catch: {}}"),
        "catch": (YES, "{try: [], §catch: {}}"),
        "catch.errors": (YES, TRY % "§errors: {}"),
        "catch.errors.with": (OPEN, TRY % "errors: {§with: {status: 500}}", TRY % "errors: {with: 500}"),
        "catch.as": (YES, TRY % "§as: x"),
        "catch.when": (YES, TRY % "§when: .x"),
        "catch.exceptWhen": (YES, TRY % "§exceptWhen: .x"),
        "catch.retry": (YES, TRY % "§retry: {limit: {duration: PT1S}}"),
        "catch.do": (YES, TRY % "§do: []"),
        "catch.then": (YES, TRY % "§then: end"),
    },
    "waitTask": {"wait": (YES, "{§wait: PT1S}")},
    "referenceableAuthenticationPolicy": {"use": (NO, "authentication.use")},
    "secretBasedAuthenticationPolicy": {"use": (NO, "authentication.basic.use")},
    "authenticationPolicy": {
        "basic": (YES, AUTH % "{§basic: {username: x, password: y}}"),
        "basic.username": (YES, AUTH % "{basic: {§username: x, password: y}}"),
        "basic.password": (YES, AUTH % "{basic: {username: x, §password: y}}"),
        "bearer": (YES, AUTH % "{§bearer: {token: x}}"),
        "bearer.token": (YES, AUTH % "{bearer: {§token: x}}"),
        "digest": (NO, "authentication.digest"),
        "digest.username": (WITHIN, "authentication.digest"),
        "digest.password": (WITHIN, "authentication.digest"),
        "oauth2": (NO, "authentication.oauth2"),
        "oauth2.endpoints": (WITHIN, "authentication.oauth2"),
        "oauth2.endpoints.token": (WITHIN, "authentication.oauth2"),
        "oauth2.endpoints.revocation": (WITHIN, "authentication.oauth2"),
        "oauth2.endpoints.introspection": (WITHIN, "authentication.oauth2"),
        "oidc": (NO, "authentication.oidc"),
    },
    "oauth2AuthenticationProperties": {member: (WITHIN, "authentication.oauth2") for member in """
        authority grant client client.id client.secret client.assertion client.authentication request
        request.encoding issuers scopes audiences username password subject actor""".split()},
    "oauth2Token": {"token": (WITHIN, "authentication.oauth2"), "type": (WITHIN, "authentication.oauth2")},
    "duration": {unit: (YES, "{wait: {§%s: 1}}" % unit)
                 for unit in ("days", "hours", "minutes", "seconds", "milliseconds")},
    "error": {
        "type": (YES, "{raise: {error: {§type: 'https://x.test/e', status: 500}}}"),
        "status": (YES, "{raise: {error: {type: 'https://x.test/e', §status: 500}}}"),
        "instance": (YES, RAISE % "§instance: /x"),
        "title": (YES, RAISE % "§title: x"),
        "detail": (YES, RAISE % "§detail: x"),
    },
    "errorFilter": {
        "type": (YES, TRY % "errors: {with: {§type: x}}"),
        "status": (YES, TRY % "errors: {with: {§status: 500}}"),
        "instance": (YES, TRY % "errors: {with: {§instance: /x}}"),
        "title": (YES, TRY % "errors: {with: {§title: x}}"),
        "detail": (YES, TRY % "errors: {with: {§detail: x}}"),
        "details": (YES, TRY % "errors: {with: {§details: x}}"),
    },
    "endpoint": {
        "uri": (YES, "{call: http, with: {method: get, endpoint: {§uri: http://x.test}}}"),
        "authentication": (YES, "{call: http, with: {method: get, endpoint: {uri: http://x.test, "
                                "§authentication: {bearer: {token: x}}}}}"),
    },
    "eventProperties": {  # beside them stand extension attributes of any name
        "id": (OPEN, EMIT % "§id: x", EMIT % "id: 1"),
        "source": (OPEN, EMIT % "§source: http://x.test", EMIT % "source: 1"),
        "type": (OPEN, "{emit: {event: {with: {§type: t}}}}", "{emit: {event: {with: {type: 1}}}}"),
        "time": (OPEN, EMIT % "§time: '2026-01-01T00:00:00Z'", EMIT % "time: 1"),
        "subject": (OPEN, EMIT % "§subject: x", EMIT % "subject: 1"),
        "datacontenttype": (OPEN, EMIT % "§datacontenttype: text/plain", EMIT % "datacontenttype: 1"),
        "dataschema": (OPEN, EMIT % "§dataschema: http://x.test", EMIT % "dataschema: 1"),
        "data": (OPEN, EMIT % "§data: [1]", EMIT % "data: '${'"),
    },
    "eventConsumptionStrategy": {
        "all": (YES, LISTEN % "§all: [{with: {type: t}}]"),
        "any": (YES, LISTEN % "§any: []"),
        "until": (YES, LISTEN % "any: [], §until: .x"),
        "until.until": (YES, LISTEN % "any: [], §until: {any: []}"),
        "one": (YES, LISTEN % "§one: {with: {type: t}}"),
    },
    "eventFilter": {
        "with": (YES, LISTEN % "one: {§with: {type: t}}"),
        "correlate": (YES, LISTEN % "one: {with: {type: t}, §correlate: {k: {from: .x}}}"),
        "correlate.*.from": (YES, LISTEN % "one: {with: {type: t}, correlate: {k: {§from: .x}}}"),
        "correlate.*.expect": (YES, LISTEN % "one: {with: {type: t}, correlate: {k: {from: .x, §expect: x}}}"),
    },
    "extension": {member: (WITHIN, "use.extensions") for member in ("extend", "when", "before", "after")},
    "externalResource": {member: (WITHIN, "input.schema.resource") for member in ("name", "endpoint")},
    "input": {"schema": (YES, "{set: {x: 1}, input: {§schema: {document: {}}}}"), "from": (YES, "{set: {x: 1}, input: {§from: .x}}")},
    "output": {"schema": (YES, "{set: {x: 1}, output: {§schema: {document: {}}}}"), "as": (YES, "{set: {x: 1}, output: {§as: .x}}")},
    "export": {"schema": (YES, "{set: {x: 1}, export: {§schema: {document: {}}}}"), "as": (YES, "{set: {x: 1}, export: {§as: .x}}")},
    "retryPolicy": {
        "when": (YES, RETRY % "§when: .x"),
        "exceptWhen": (YES, RETRY % "§exceptWhen: .x"),
        "delay": (YES, RETRY % "§delay: PT1S"),
        "backoff": (YES, RETRY % "§backoff: {linear: {}}"),
        "backoff.constant": (YES, RETRY % "backoff: {§constant: {}}"),
        "backoff.exponential": (YES, RETRY % "backoff: {§exponential: {}}"),
        "backoff.linear": (YES, RETRY % "backoff: {§linear: {}}"),
        "limit": (YES, TRY % "retry: {§limit: {duration: PT1S}}"),
        "limit.attempt": (YES, TRY % "retry: {limit: {§attempt: {count: 1}}}"),
        "limit.attempt.count": (YES, TRY % "retry: {limit: {attempt: {§count: 1}}}"),
        "limit.attempt.duration": (YES, TRY % "retry: {limit: {attempt: {count: 1, §duration: PT1S}}}"),
        "limit.duration": (YES, TRY % "retry: {limit: {§duration: PT1S}}"),
        "jitter": (YES, RETRY % "§jitter: {from: PT1S, to: PT2S}"),
        "jitter.from": (YES, RETRY % "jitter: {§from: PT1S, to: PT2S}"),
        "jitter.to": (YES, RETRY % "jitter: {from: PT1S, §to: PT2S}"),
    },
    "schema": {
        "document": (YES, "{set: {x: 1}, input: {schema: {§document: {}}}}"),
        "resource": (NO, "input.schema.resource"),
        "format": (YES, "{set: {x: 1}, input: {schema: {§format: json, document: {}}}}"),
    },
    "timeout": {"after": (YES, "{set: {x: 1}, timeout: {§after: PT1S}}")},
    "catalog": {"endpoint": (WITHIN, "use.catalogs")},
    "containerLifetime": {"cleanup": (WITHIN, "run: container"), "after": (WITHIN, "run: container")},
    "processResult": {member: (WITHIN, "run: shell") for member in ("code", "stdout", "stderr")},
    "asyncApiServer": {"name": (WITHIN, "call: asyncapi"), "variables": (WITHIN, "call: asyncapi")},
    "asyncApiOutboundMessage": {"payload": (WITHIN, "call: asyncapi"), "headers": (WITHIN, "call: asyncapi")},
    "asyncApiInboundMessage": {"correlationId": (WITHIN, "call: asyncapi")},
    "asyncApiSubscription": {member: (WITHIN, "call: asyncapi") for member in ("filter", "consume", "foreach")},
    "asyncApiMessageConsumptionPolicy": {member: (WITHIN, "call: asyncapi") for member in ("amount", "while", "until", "for")},
    "subscriptionIterator": {
        "item": (YES, FOREACH % "§item: x"),
        "at": (YES, FOREACH % "§at: x"),
        "do": (YES, FOREACH % "§do: []"),
        "output": (YES, FOREACH % "§output: {as: .x}"),
        "export": (YES, FOREACH % "§export: {as: .x}"),
    },
}
REFUSED["output.schema.resource"] = "{set: {x: 1}, output: {schema: {§resource: {endpoint: http://x.test}}}}"
REFUSED["export.schema.resource"] = "{set: {x: 1}, export: {schema: {§resource: {endpoint: http://x.test}}}}"


def written(text):
    if text.startswith("{"):
        text = f"do:\n  - a: {text}\n"
    return text if text.startswith(("document:", "§document:")) else HEAD + text


def rows():
    return [(definition, member, row) for definition, members in TABLE.items() for member, row in members.items()]


def findings(room, texts):
    """What `pawl validate` finds in each, in one call."""
    names = []
    for number, text in enumerate(texts):
        names.append(f"{number}.yaml")
        room.file(names[-1], text.replace("§", ""))
    answers = [json.loads(line) for line in room.pawl("validate", "--json", *names).out.splitlines()]
    assert len(answers) == len(texts)
    return [answer["findings"] for answer in answers]


def errors(found):
    return [finding for finding in found if finding["error"]]


@case("each known member is known: misspelt or of the wrong type it is refused")
def _(room):
    known = [one for one in rows() if one[2][0] in (YES, OPEN, FREE)]
    good, bad = [], []
    for definition, member, row in known:
        text, name = written(row[1]), re.split(r"[.*\[\]]+", member)[-1]
        assert text.count("§") == 1 and f"§{name}" in text, (definition, member)
        good.append(text)
        bad.append(written(row[2]) if row[0] == OPEN else text.replace(f"§{name}", f"{name}Zz"))
    for (definition, member, _), found in zip(known, findings(room, good)):
        assert not errors(found) and "no-effect" not in [one["code"] for one in found], (definition, member, found)
    for (definition, member, _), found in zip(known, findings(room, bad)):
        assert errors(found), (definition, member, "is not noticed")


@case("what is refused is refused by its name")
def _(room):
    for name, found in zip(REFUSED, findings(room, [written(text) for text in REFUSED.values()])):
        assert len(found) == 1 and found[0]["error"] and found[0]["code"] == "not-supported", (name, found)
        assert f"`{name}`" in found[0]["message"], (name, found)
    for definition, member, row in rows():
        assert row[0] not in (NO, WITHIN) or row[1] in REFUSED, (definition, member)


@case("what is free may hold anything")
def _(room):
    kinds = [row[0] for _, _, row in rows()]
    assert kinds.count(FREE) == 5, kinds.count(FREE)  # title, summary, tags, metadata of both
    for value in ("{a: {b: [1, null, {c: '${ not jq'}]}}", "{}"):
        texts = ["document: {dsl: 1.0.3, namespace: a, name: b, version: 1.0.0, metadata: %s}\ndo: []\n" % value,
                 written("{set: {x: 1}, metadata: %s}" % value)]
        assert findings(room, texts) == [[], []], value


@case("a function of a catalog, or at a URL, is refused by what it is")
def _(room):
    names = {"log:1.0.0@default": "call: <name>:<version>@<catalog>", "https://x.test/f": "call: <URL of a function>"}
    for name, found in zip(names.values(), findings(room, [written("{call: '%s'}" % call) for call in names])):
        assert len(found) == 1 and found[0]["code"] == "not-supported" and f"`{name}`" in found[0]["message"], found


# ---- the table has a row for each member of both schemas, and no others


def members_of(schema):
    """(definition, member) of all properties; what is behind a $ref belongs to that definition."""
    found = []

    def walk(part, name, path):
        if not isinstance(part, dict):
            return
        for key in ("allOf", "oneOf", "anyOf"):
            for one in part.get(key, []):
                walk(one, name, path)
        for key in ("then", "else"):
            walk(part.get(key), name, path)
        for key, one in part.get("properties", {}).items():
            found.append((name, f"{path}.{key}" if path else key))
            walk(one, name, found[-1][1])
        walk(part.get("items"), name, path + "[]")
        walk(part.get("additionalProperties"), name, path + ".*")

    walk({key: value for key, value in schema.items() if key != "$defs"}, "workflow", "")
    for name, part in schema["$defs"].items():
        walk(part, name, "")
    return set(found)


@case("every member of both schemas has its row, and every row is a member of one")
def _(room):
    schemas = both_schemas()
    wanted = members_of(schemas[0]) | members_of(schemas[1])
    assert len(wanted) > 200, len(wanted)
    have = {(definition, member) for definition, member, _ in rows()}
    assert wanted == have, (sorted(wanted - have), sorted(have - wanted))


if __name__ == "__main__":
    main()
