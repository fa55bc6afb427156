#!/usr/bin/env python3
"""Turns files into C, at build time: the SQL of a store into a table, any other text into a string.

    embed.py --prefix pw_sqlite --c OUT.c --h OUT.h FILE.sql... --migrations FILE.sql...
    embed.py --c OUT.c --text NAME FILE

A .sql file is blocks that begin with `-- name: x`; the comment lines behind it are kept as the
comment of PREFIX_SQL_X in the header, the rest is the statement. A block that begins with
`-- part: x` is no statement: {x} in those behind it, of the same file, stands for its text. A
migration is one whole file, named by its number; they must be 001, 002, ... without a gap. Anything
else is an error: a statement that is silently dropped would be missed only at run time.
"""
import argparse
import os
import re
import sys


def fail(path, line, message):
    sys.exit(f"{path}:{line}: {message}")


def blocks(path):
    """(name, comment lines, statement) of each block of the file."""
    result, parts, current = [], {}, None

    def part(use):
        if use.group(1) not in parts:
            fail(path, number, f"there is no part '{use.group(1)}' before")
        return "\n".join(parts[use.group(1)])

    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            line = re.sub(r"\{([a-z_]+)\}", part, line.rstrip())
            name = re.fullmatch(r"-- (name|part): ([a-z][a-z0-9_]*)", line)
            if re.match(r"-- (name|part):", line) and not name:
                fail(path, number, "a name is a-z, 0-9 and _")
            if name:
                current = (name.group(2), [], [], number)
                if name.group(1) == "part":
                    parts[name.group(2)] = current[2]
                else:
                    result.append(current)
            elif line == "" or (current is None and line.startswith("--")):
                continue
            elif current is None:
                fail(path, number, "a statement before the first '-- name:'")
            elif line.startswith("--") and not current[2]:
                current[1].append(line[2:].strip())
            elif "--" in line:
                fail(path, number, "put comments before the statement")
            else:
                current[2].append(line)
    for name, _, lines, number in result:
        if not lines or not lines[-1].endswith(";"):
            fail(path, number, f"'{name}' has no statement that ends with ';'")
        if sum(line.count(";") for line in lines) != 1:
            fail(path, number, f"'{name}' must be one statement")
    return [(name, comments, "\n".join(lines)) for name, comments, lines, _ in result]


def literal(text):
    """C string literals, one a line."""
    lines = text.split("\n")
    out = []
    for at, line in enumerate(lines):
        escaped = line.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t")
        if any(ord(c) < 32 or ord(c) > 126 for c in escaped):
            sys.exit(f"not printable ASCII: {line!r}")
        out.append(f'    "{escaped}{"" if at == len(lines) - 1 else chr(92) + "n"}"')
    return "\n".join(out)


def embed_text(name, path, out_path):
    """One file as `const char NAME[]`, which whoever uses it declares."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    with open(out_path, "w", encoding="utf-8") as out:
        out.write(f"/* Made by tools/embed.py from {os.path.basename(path)}: do not edit. */\n")
        out.write(f"extern const char {name}[];\nconst char {name}[] =\n{literal(text)};\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--prefix")
    parser.add_argument("--c", required=True)
    parser.add_argument("--h")
    parser.add_argument("--text", metavar="NAME")
    parser.add_argument("files", nargs="+")
    parser.add_argument("--migrations", nargs="+", default=[])
    options = parser.parse_args()
    if options.text:
        embed_text(options.text, options.files[0], options.c)
        return
    upper = options.prefix.upper()

    statements, seen = [], {}
    for path in options.files:
        for name, comments, text in blocks(path):
            if name in seen:
                fail(path, 1, f"'{name}' is also in {seen[name]}")
            seen[name] = path
            statements.append((name, comments, text))
    migrations = []
    for number, path in enumerate(options.migrations, 1):
        if os.path.basename(path) != f"{number:03}.sql":
            fail(path, 1, f"expected {number:03}.sql")
        with open(path, encoding="utf-8") as file:
            migrations.append(file.read().rstrip("\n"))

    with open(options.h, "w", encoding="utf-8") as out:
        out.write("/* Made by tools/embed.py from the .sql files: do not edit. */\n")
        out.write(f"#ifndef {upper}_SQL_H\n#define {upper}_SQL_H\n\n")
        out.write(f"typedef enum {options.prefix}_sql {{\n")
        for name, comments, _ in statements:
            if comments:
                out.write("    /* " + "\n     * ".join(c.replace("*/", "* /") for c in comments) + " */\n")
            out.write(f"    {upper}_SQL_{name.upper()},\n")
        out.write(f"}} {options.prefix}_sql;\n")
        out.write(f"#define {upper}_SQL_COUNT {len(statements)}\n")
        out.write(f"#define {upper}_MIGRATION_COUNT {len(migrations)}\n\n")
        out.write(f"extern const char *const {options.prefix}_sql_text[{upper}_SQL_COUNT];\n")
        out.write(f"extern const char *const {options.prefix}_sql_name[{upper}_SQL_COUNT];\n")
        out.write("/* [0] makes version 1 of an empty database, [1] version 2 of version 1 ... */\n")
        out.write(f"extern const char *const {options.prefix}_migration[{upper}_MIGRATION_COUNT];\n#endif\n")
    with open(options.c, "w", encoding="utf-8") as out:
        out.write("/* Made by tools/embed.py from the .sql files: do not edit. */\n")
        out.write(f'#include "{os.path.basename(options.h)}"\n\n')
        out.write(f"const char *const {options.prefix}_sql_text[{upper}_SQL_COUNT] = {{\n")
        for _, _, text in statements:
            out.write(literal(text) + ",\n")
        out.write(f"}};\n\nconst char *const {options.prefix}_sql_name[{upper}_SQL_COUNT] = {{\n")
        for name, _, _ in statements:
            out.write(f'    "{name}",\n')
        out.write(f"}};\n\nconst char *const {options.prefix}_migration[{upper}_MIGRATION_COUNT] = {{\n")
        for text in migrations:
            out.write(literal(text) + ",\n")
        out.write("};\n")


main()
