/* prelude.c - finding a function by name: the table of those written in C, and the text of those
 * written in jq. A text is parsed and compiled when an expression uses it, and only then. */
#include "expr/builtins_internal.h"

#include "expr/syntax_internal.h"

static const pw_builtin table[] = {
#define PW_BUILTIN_ROW(name, arity, function) { name, arity, pw_builtin_##function },
    PW_BUILTINS_CORE(PW_BUILTIN_ROW) PW_BUILTINS_ARRAY(PW_BUILTIN_ROW)
        PW_BUILTINS_TEXT(PW_BUILTIN_ROW) PW_BUILTINS_REGEX(PW_BUILTIN_ROW)
            PW_BUILTINS_MATH(PW_BUILTIN_ROW) PW_BUILTINS_TIME(PW_BUILTIN_ROW)
#undef PW_BUILTIN_ROW
};

int pw_builtin_find(pw_str name, size_t arity)
{
    for (size_t i = 0; i < PW_LENGTH(table); i++)
        if (table[i].arity == arity && pw_str_is(name, table[i].name))
            return (int)i;
    return -1;
}

const pw_builtin *pw_builtin_at(uint32_t index)
{
    PW_ASSERT(index < PW_LENGTH(table));
    return &table[index];
}

/* No two of these call each other in a circle: the compiler relies on it. */
static const struct {
    const char *name;
    unsigned arity;
    const char *text;
} prelude[] = {
    { "values", 0, "def values: select(. != null);" },
    { "nulls", 0, "def nulls: select(. == null);" },
    { "booleans", 0, "def booleans: select(type == \"boolean\");" },
    { "numbers", 0, "def numbers: select(type == \"number\");" },
    { "strings", 0, "def strings: select(type == \"string\");" },
    { "arrays", 0, "def arrays: select(type == \"array\");" },
    { "objects", 0, "def objects: select(type == \"object\");" },
    { "iterables", 0, "def iterables: select(type | . == \"array\" or . == \"object\");" },
    { "scalars", 0, "def scalars: select(type | . != \"array\" and . != \"object\");" },
    { "finites", 0, "def finites: select(isinfinite or isnan | not);" },
    { "normals", 0, "def normals: select(isnormal);" },
    { "isfinite", 0, "def isfinite: type == \"number\" and (isinfinite | not);" },
    { "first", 0, "def first: .[0];" },
    { "last", 0, "def last: .[-1];" },
    { "nth", 1, "def nth($n): .[$n];" },
    { "nth", 2,
      "def nth($n; f): if $n < 0 then error(\"nth doesn't support negative indices\")"
      " else first(skip($n; f)) end;" },
    { "isempty", 1, "def isempty(f): first((f | false), true);" },
    { "add", 1, "def add(f): reduce f as $x (null; . + $x);" },
    { "any", 1, "def any(f): first((.[] | f | select(.) | true), false);" },
    { "all", 1, "def all(f): first((.[] | f | select(. | not) | false), true);" },
    { "any", 2, "def any(g; f): first((g | f | select(.) | true), false);" },
    { "all", 2, "def all(g; f): first((g | f | select(. | not) | false), true);" },
    { "in", 1, "def in(o): . as $key | o | has($key);" },
    { "inside", 1, "def inside(o): . as $part | o | contains($part);" },
    { "recurse", 0, "def recurse: def r: ., (.[]? | r); r;" },
    { "recurse", 1, "def recurse(f): def r: ., (f | r); r;" },
    { "recurse", 2, "def recurse(f; c): def r: ., (f | select(c) | r); r;" },
    { "repeat", 1, "def repeat(f): def r: f, r; r;" },
    { "while", 2, "def while(c; f): def r: if c then ., (f | r) else empty end; r;" },
    { "until", 2, "def until(c; f): def r: if c then . else f | r end; r;" },
    { "map_values", 1, "def map_values(f): .[] |= f;" },
    { "with_entries", 1, "def with_entries(f): to_entries | map(f) | from_entries;" },
    { "del", 1, "def del(f): delpaths([path(f)]);" },
    { "paths", 0, "def paths: path(..) | select(length > 0);" },
    { "paths", 1, "def paths(f): path(.. | select(f)) | select(length > 0);" },
    { "leaf_paths", 0,
      "def leaf_paths: path(.. | select(select(type | . != \"array\" and . != \"object\")))"
      " | select(length > 0);" },
    { "pick", 1,
      "def pick(f): . as $in | reduce path(f) as $p (null; setpath($p; $in | getpath($p)));" },
    { "sort_by", 1, "def sort_by(f): _sort_by(map([f]));" },
    { "group_by", 1, "def group_by(f): _group_by(map([f]));" },
    { "unique_by", 1, "def unique_by(f): _unique_by(map([f]));" },
    { "min_by", 1, "def min_by(f): _min_by(map([f]));" },
    { "max_by", 1, "def max_by(f): _max_by(map([f]));" },
    { "walk", 1,
      "def walk(f): def w: if type == \"object\" or type == \"array\" then map_values(w) else . end"
      " | f; w;" },
    { "combinations", 0,
      "def combinations: if length == 0 then [] else .[0][] as $x | .[1:] | combinations as $w"
      " | [$x] + $w end;" },
    { "combinations", 1,
      "def combinations(n): . as $in | [range(n)] | map($in) |"
      " def c: if length == 0 then [] else .[0][] as $x | .[1:] | c as $w | [$x] + $w end; c;" },
    { "tostream", 0,
      "def tostream: path(def r: (.[]? | r), .; r) as $p | getpath($p) |"
      " reduce path(.[]?) as $q ([$p, .]; [$p + $q]);" },
    { "fromstream", 1,
      "def fromstream(f): {x: null, e: false} as $init | foreach f as $i ($init;"
      " if .e then $init else . end"
      " | if $i | length == 2 then setpath([\"e\"]; $i[0] | length == 0)"
      " | setpath([\"x\"] + $i[0]; $i[1])"
      " else setpath([\"e\"]; $i[0] | length == 1) end;"
      " if .e then .x else empty end);" },
    { "truncate_stream", 1,
      "def truncate_stream(f): . as $n | null | f | . as $e"
      " | if ($e[0] | length) > $n then setpath([0]; $e[0][$n:]) else empty end;" },
    { "IN", 1, "def IN(s): any(s == .; .);" },
    { "IN", 2, "def IN(g; s): any(g == s; .);" },
    { "INDEX", 1, "def INDEX(f): reduce .[] as $row ({}; .[$row | f | tostring] |= $row);" },
    { "INDEX", 2, "def INDEX(g; f): reduce g as $row ({}; .[$row | f | tostring] |= $row);" },
    { "JOIN", 2, "def JOIN($i; f): [.[] | [., $i[f]]];" },
    { "JOIN", 3, "def JOIN($i; g; f): g | [., $i[f]];" },
    { "JOIN", 4, "def JOIN($i; g; f; j): g | [., $i[f]] | j;" },
    { "todate", 0, "def todate: strftime(\"%Y-%m-%dT%H:%M:%SZ\");" },
    { "fromdateiso8601", 0, "def fromdateiso8601: strptime(\"%Y-%m-%dT%H:%M:%SZ\") | mktime;" },
    { "todateiso8601", 0, "def todateiso8601: strftime(\"%Y-%m-%dT%H:%M:%SZ\");" },
    { "fromdate", 0, "def fromdate: strptime(\"%Y-%m-%dT%H:%M:%SZ\") | mktime;" },
    { "date", 0, "def date: strftime(\"%Y-%m-%dT%H:%M:%SZ\");" },
    { "dateadd", 2, "def dateadd(u; n): . + n;" },
    { "datesub", 2, "def datesub(u; n): . - n;" },
    { "match", 1,
      "def match($v): if $v | type == \"string\" then _match($v; null)"
      " elif $v | type == \"array\" then _match($v[0]; $v[1])"
      " else error(\"\\($v | type) not a string or array\") end | .[];" },
    { "match", 2, "def match($re; $flags): _match($re; $flags) | .[];" },
    { "test", 1,
      "def test($v): if $v | type == \"string\" then _test($v; null)"
      " elif $v | type == \"array\" then _test($v[0]; $v[1])"
      " else error(\"\\($v | type) not a string or array\") end;" },
    { "test", 2, "def test($re; $flags): _test($re; $flags);" },
    { "capture", 1, "def capture($v): match($v) | _captures;" },
    { "capture", 2, "def capture($re; $flags): match($re; $flags) | _captures;" },
    { "scan", 1, "def scan($v): match($v; \"g\") | _scanned;" },
    { "scan", 2, "def scan($v; $flags): match($v; \"g\" + $flags) | _scanned;" },
    { "split", 2, "def split($re; $flags): _splits($re; \"g\" + $flags);" },
    { "splits", 1, "def splits($re): _splits($re; \"g\") | .[];" },
    { "sub", 2,
      "def sub($re; s): \"\" as $f | . as $in | _pieces($re; $f) as $all | reduce $all[:-1][] as "
      "$e ([];"
      " [$e[1] | s] as $new"
      " | reduce range($new | length) as $i (.; .[$i] += $e[0] + $new[$i]))"
      " | if . == [] then $in else .[] + $all[-1] end;" },
    { "sub", 3,
      "def sub($re; s; $f): . as $in | _pieces($re; $f) as $all | reduce $all[:-1][] as $e ([];"
      " [$e[1] | s] as $new"
      " | reduce range($new | length) as $i (.; .[$i] += $e[0] + $new[$i]))"
      " | if . == [] then $in else .[] + $all[-1] end;" },
    { "gsub", 2,
      "def gsub($re; s): \"g\" as $f | . as $in | _pieces($re; $f) as $all | reduce $all[:-1][] as "
      "$e ([];"
      " [$e[1] | s] as $new"
      " | reduce range($new | length) as $i (.; .[$i] += $e[0] + $new[$i]))"
      " | if . == [] then $in else .[] + $all[-1] end;" },
    { "gsub", 3,
      "def gsub($re; s; $g): \"g\" + $g as $f | . as $in | _pieces($re; $f) as $all | reduce "
      "$all[:-1][] as $e ([];"
      " [$e[1] | s] as $new"
      " | reduce range($new | length) as $i (.; .[$i] += $e[0] + $new[$i]))"
      " | if . == [] then $in else .[] + $all[-1] end;" },
    { "splits", 2, "def splits($re; $flags): _splits($re; \"g\" + $flags) | .[];" },
};

pw_str pw_prelude_find(pw_str name, size_t arity)
{
    for (size_t i = 0; i < PW_LENGTH(prelude); i++)
        if (prelude[i].arity == arity && prelude[i].text[0] && pw_str_is(name, prelude[i].name))
            return pw_str_of(prelude[i].text);
    return (pw_str){ "", 0 };
}

static const char *const forms[] = {
    "empty/0", "not/0",   "map/1",  "select/1", "path/1", "range/1",   "range/2",
    "range/3", "first/1", "last/1", "limit/2",  "skip/2", "getpath/1",
};

static void add_name(pw_expr_machine *m, pw_value *names, const char *name, unsigned arity)
{
    if (name[0] == '_')
        return;
    pw_expr_charge(m, 1);
    pw_expr_grow_array(m, names, pw_string_ref(pw_arena_printf(m->arena, "%s/%u", name, arity)));
}

pw_value pw_builtin_names(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    (void)in, (void)args;
    pw_value names = pw_array_ref(NULL, 0);
    for (size_t i = 0; i < PW_LENGTH(table); i++)
        add_name(m, &names, table[i].name, table[i].arity);
    for (size_t i = 0; i < PW_LENGTH(prelude); i++)
        add_name(m, &names, prelude[i].name, prelude[i].arity);
    for (size_t i = 0; i < PW_LENGTH(forms); i++)
        pw_expr_grow_array(m, &names, pw_string_ref(pw_str_of(forms[i])));
    names.reserved = 0;
    return names;
}
