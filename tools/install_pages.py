#!/usr/bin/env python3
"""install_pages.py - the manual pages and the shells' completions, out of the program that is installed; run by `meson install`.

    install_pages.py PAWL MANDIR DATADIR SOURCE      below MESON_INSTALL_DESTDIR_PREFIX
    install_pages.py --to FOLDER PAWL SOURCE         the pages alone, for a look

pawl(1) and a page of each command come from `pawl help --man`, pawl.yaml(5) from the schema of the configuration.
"""
import json
import os
import re
import subprocess
import sys


def ask(pawl, *words):
    return subprocess.run([pawl, *words], check=True, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, encoding="utf-8",
                          env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8"}).stdout


def roff(text):
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
    return re.sub(r"^\.", "\\&.", text)


def keys(properties, path=""):
    for name, value in properties.items():
        if "properties" in value:
            yield from keys(value["properties"], path + name + ":")
        elif name != "$schema":
            yield path + name, value


def configuration_page(pawl, version):
    out = [f'.TH "PAWL.YAML" "5" "" "pawl {version}" "Pawl"', ".SH NAME", "pawl.yaml \\- settings of pawl", ".SH DESCRIPTION",
           roff("A file of settings, YAML or JSON, that --config names. A key is a path, as in WorkflowResilience:Retry:BaseDelay; in the file each of its "
                "parts is a section. A setting comes from the command line (--set KEY=VALUE), else from the environment (the key with __ for "
                "each colon), else from the file, else it has its default. An unknown key is refused. pawl config says what is in effect, and why."),
           ".PP", roff("A duration is [d.]hh:mm:ss[.fff], ISO 8601 (PT30S), or short (250ms, 30s, 5m, 1h30m, 90d)."), ".SH SETTINGS"]
    for key, value in keys(json.loads(ask(pawl, "config", "--schema"))["properties"]):
        out += [".TP", f"\\fB{roff(key)}\\fR", roff(value.get("description", ""))]
        if value.get("default", "") not in ("", [], {}, None):
            out += [roff("Default: " + (value["default"] if isinstance(value["default"], str) else json.dumps(value["default"])) + ".")]
    out += [".SH SEE ALSO", ".BR pawl (1),", ".BR pawl\\-config (1),", ".BR pawl\\-serve (1)"]
    return "\n".join(out) + "\n"


def pages(pawl, source):
    version = ask(pawl, "version").split()[1]
    listed = ask(pawl, "help").split("Options of every command")[0].splitlines()[6:]
    yield "pawl.1", ask(pawl, "help", "--man")
    for command in (line.split()[0] for line in listed if line.startswith("  ")):
        yield f"pawl-{command}.1", ask(pawl, "help", "--man", command)
    yield "pawl.yaml.5", configuration_page(pawl, version)
    with open(os.path.join(source, "dist", "man", "libpawl.3.in"), encoding="utf-8") as file:
        yield "libpawl.3", file.read().replace("@VERSION@", version)


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, 0o644)


def main():
    if len(sys.argv) == 5 and sys.argv[1] == "--to":
        for name, text in pages(*sys.argv[3:5]):
            write(os.path.join(sys.argv[2], name), text)
        return
    pawl, mandir, datadir, source = sys.argv[1:]
    root = os.environ["MESON_INSTALL_DESTDIR_PREFIX"]
    for name, text in pages(pawl, source):
        write(os.path.join(root, mandir, "man" + name[-1], name), text)
    for shell, path in (("bash", "bash-completion/completions/pawl"), ("zsh", "zsh/site-functions/_pawl"), ("fish", "fish/vendor_completions.d/pawl.fish")):
        write(os.path.join(root, datadir, path), ask(pawl, "completion", shell))


main()
