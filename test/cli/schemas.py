"""schemas.py - the two JSON Schemas of the language, for the tests that compare our validator with them.

Skips the case that asks for them where they, or a reader of YAML for Python, are not there.
"""
import os
import re

from harness import ROOT, Skip

try:
    import yaml
except ImportError:
    yaml = None

FOLDER = os.path.join(os.environ.get("PAWL_SHARED", os.path.join(ROOT, "..", "shared")), "serverless-workflow")


def load(path):
    """YAML by the rules of 1.2, as far as these files need them: `on` is a string."""

    class Loader(yaml.SafeLoader):  # pylint: disable=too-many-ancestors
        pass

    Loader.yaml_implicit_resolvers = {
        first: [pair for pair in pairs if pair[0] not in ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:timestamp")]
        for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()}
    Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(true|false)$"), list("tf"))
    with open(path, encoding="utf-8") as file:
        return yaml.load(file, Loader)


def both_schemas():
    """The one of 1.0.3 as it was released, and the one of what came after it."""
    if yaml is None:
        raise Skip("there is no yaml for Python")
    if not os.path.isdir(FOLDER):
        raise Skip("the schemas are not there")
    return [load(os.path.join(FOLDER, "schema", name)) for name in ("v1.0.3/workflow.yaml", "workflow.yaml")]
