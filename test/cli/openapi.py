"""openapi.py - an OpenAPI 3.1 document held against real answers: the part of JSON Schema that ours uses, no more.

A keyword that is not known here is an error: a schema that nobody checks would promise what nobody holds.
"""
import re

INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
KNOWN = {"$ref", "type", "properties", "required", "additionalProperties", "items", "enum", "const", "oneOf", "format", "minimum",
         "maxLength", "minItems", "maxItems", "description"}
TYPES = {
    "object": lambda v: isinstance(v, dict),
    "array": lambda v: isinstance(v, list),
    "string": lambda v: isinstance(v, str),
    "boolean": lambda v: isinstance(v, bool),
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "number": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool),
    "null": lambda v: v is None,
}


def follow(document, ref):
    assert ref.startswith("#/"), ref
    at = document
    for name in ref[2:].split("/"):
        assert name in at, f"{ref} leads nowhere"
        at = at[name]
    return at


def problems(document, schema, value, where="$"):
    """What is wrong with the value, as sentences."""
    unknown = set(schema) - KNOWN
    assert not unknown, f"this checker does not know {unknown}"
    if "$ref" in schema:
        return problems(document, follow(document, schema["$ref"]), value, where)
    if "oneOf" in schema:
        tries = [problems(document, one, value, where) for one in schema["oneOf"]]
        fits = sum(not found for found in tries)
        return [] if fits == 1 else [f"{where}: {fits} of the schemas fit: {tries}"]
    if "type" in schema and not TYPES[schema["type"]](value):
        return [f"{where}: {value!r} is no {schema['type']}"]
    found = []
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{where}: {value!r} is none of {schema['enum']}")
    if "const" in schema and value != schema["const"]:
        found.append(f"{where}: {value!r} is not {schema['const']!r}")
    if schema.get("format") == "date-time" and not INSTANT.fullmatch(value):
        found.append(f"{where}: {value!r} is no instant")
    if isinstance(value, (int, float)) and value < schema.get("minimum", value):
        found.append(f"{where}: {value} is too small")
    if isinstance(value, str) and len(value) > schema.get("maxLength", len(value)):
        found.append(f"{where}: too long")
    if isinstance(value, list):
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
            found.append(f"{where}: {len(value)} items")
        for at, item in enumerate(value):
            found += problems(document, schema.get("items", {}), item, f"{where}[{at}]")
    if isinstance(value, dict):
        members = schema.get("properties", {})
        found += [f"{where}: {name!r} is missing" for name in schema.get("required", []) if name not in value]
        for name, item in value.items():
            more = members.get(name, schema.get("additionalProperties", {}))
            if more is False:
                found.append(f"{where}: {name!r} is not in the schema")
            elif more is not True:
                found += problems(document, more, item, f"{where}.{name}")
    return found


def operations(document):
    """operationId: (method, path, operation)."""
    return {operation["operationId"]: (method.upper(), path, operation)
            for path, methods in document["paths"].items() for method, operation in methods.items()}


def answer_problems(document, operation, answer):
    """What is wrong with an answer of the operation, by its status and type."""
    responses = operation["responses"]
    response = responses.get(str(answer.status), responses["default"])
    if "$ref" in response:
        response = follow(document, response["$ref"])
    content = response.get("content", {})
    kind = (answer.headers["Content-Type"] or "").split(";")[0]
    if not content:
        return [] if answer.body == b"" else [f"{answer.told()}: the document knows no content"]
    if kind not in content:
        return [f"{answer.told()}: {kind!r} is none of {list(content)}"]
    value = answer.json if kind.endswith("json") else answer.body.decode()
    return problems(document, content[kind]["schema"], value)


class Checked:
    """Calls operations by name and holds their answers against the document."""

    def __init__(self, web):
        self.web = web
        self.document = web.get("/v1/openapi.json").gives(200).json
        self.operations = operations(self.document)
        self.called = set()

    def call(self, operation_name, status, body=None, query="", kind=None, headers=None, **values):
        method, path, operation = self.operations[operation_name]
        path = re.sub(r"\{([^}]+)\}", lambda found: values[found.group(1)], path)
        answer = self.web.ask(method, path + query, body, kind=kind, headers=headers).gives(status)
        assert str(status) in operation["responses"] or status >= 400, f"{operation_name}: the document knows no {status}"
        found = answer_problems(self.document, operation, answer)
        assert not found, f"{operation_name}: " + "\n".join(found) + "\n" + answer.told()
        if body is not None and not isinstance(body, str) and "application/json" in operation["requestBody"]["content"] and status < 400:
            found = problems(self.document, operation["requestBody"]["content"]["application/json"]["schema"], body)
            assert not found, f"{operation_name}: what it took is not what the document says: {found}"
        if status < 400:
            self.called.add(operation_name)
        return answer
