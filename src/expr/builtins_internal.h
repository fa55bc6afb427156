/* builtins_internal.h - the functions written in C. X(name, arguments, C name) */
#ifndef PW_EXPR_BUILTINS_INTERNAL_H
#define PW_EXPR_BUILTINS_INTERNAL_H

#include "expr/vm_internal.h"

/* clang-format off */
#define PW_BUILTINS_CORE(X) \
    X("error", 0, error) X("error", 1, error_with) X("type", 0, type) X("length", 0, length) \
    X("utf8bytelength", 0, utf8bytelength) X("keys", 0, keys) X("keys_unsorted", 0, keys_unsorted) \
    X("has", 1, has) X("contains", 1, contains) X("tostring", 0, tostring) X("tojson", 0, tojson) \
    X("fromjson", 0, fromjson) X("tonumber", 0, tonumber) X("toboolean", 0, toboolean) \
    X("to_entries", 0, to_entries) X("from_entries", 0, from_entries) X("setpath", 2, setpath) \
    X("delpaths", 1, delpaths) X("builtins", 0, builtins) X("now", 0, now) \
    X("have_decnum", 0, have_decnum) X("have_literal_numbers", 0, have_literal_numbers) \
    X("format", 1, format)
#define PW_BUILTINS_ARRAY(X) \
    X("add", 0, add) X("any", 0, any) X("all", 0, all) X("sort", 0, sort) X("unique", 0, unique) \
    X("_sort_by", 1, sort_by) X("_group_by", 1, group_by) X("_unique_by", 1, unique_by) \
    X("_min_by", 1, min_by) X("_max_by", 1, max_by) X("min", 0, min) X("max", 0, max) \
    X("reverse", 0, reverse) X("flatten", 0, flatten) X("flatten", 1, flatten_to) \
    X("transpose", 0, transpose) X("bsearch", 1, bsearch) \
    X("join", 1, join) X("toarray", 0, toarray) X("indices", 1, indices) \
    X("_indices", 1, indices)
#define PW_BUILTINS_TEXT(X) \
    X("split", 1, split) X("startswith", 1, startswith) X("endswith", 1, endswith) \
    X("ltrimstr", 1, ltrimstr) X("rtrimstr", 1, rtrimstr) X("trimstr", 1, trimstr) \
    X("trim", 0, trim) X("ltrim", 0, ltrim) X("rtrim", 0, rtrim) X("explode", 0, explode) \
    X("implode", 0, implode) X("ascii_downcase", 0, ascii_downcase) \
    X("ascii_upcase", 0, ascii_upcase) X("_strindices", 1, strindices) X("index", 1, index) \
    X("rindex", 1, rindex) X("ascii", 0, ascii)
#define PW_BUILTINS_REGEX(X) \
    X("_match", 2, regex_match) X("_test", 2, regex_test) X("_splits", 2, regex_split) \
    X("_pieces", 2, regex_pieces) X("_captures", 0, regex_captures) X("_scanned", 0, regex_scanned)
#define PW_BUILTINS_MATH(X) \
    X("floor", 0, floor) X("ceil", 0, ceil) X("round", 0, round) X("trunc", 0, trunc) \
    X("rint", 0, rint) X("nearbyint", 0, nearbyint) X("sqrt", 0, sqrt) X("cbrt", 0, cbrt) \
    X("fabs", 0, fabs) X("abs", 0, abs) X("sin", 0, sin) X("cos", 0, cos) X("tan", 0, tan) \
    X("asin", 0, asin) X("acos", 0, acos) X("atan", 0, atan) X("sinh", 0, sinh) X("cosh", 0, cosh) \
    X("tanh", 0, tanh) X("asinh", 0, asinh) X("acosh", 0, acosh) X("atanh", 0, atanh) \
    X("exp", 0, exp) X("exp2", 0, exp2) X("exp10", 0, exp10) X("expm1", 0, expm1) X("log", 0, log) \
    X("log2", 0, log2) X("log10", 0, log10) X("log1p", 0, log1p) X("logb", 0, logb) \
    X("gamma", 0, lgamma) X("lgamma", 0, lgamma) X("tgamma", 0, tgamma) X("lgamma_r", 0, lgamma_r) \
    X("significand", 0, significand) X("j0", 0, j0) X("j1", 0, j1) X("y0", 0, y0) X("y1", 0, y1) \
    X("erf", 0, erf) X("erfc", 0, erfc) X("jn", 2, jn) X("yn", 2, yn) \
    X("pow", 2, pow) X("atan2", 2, atan2) X("fmod", 2, fmod) X("fmin", 2, fmin) X("fmax", 2, fmax) \
    X("fdim", 2, fdim) X("hypot", 2, hypot) X("copysign", 2, copysign) X("drem", 2, remainder) X("remainder", 2, remainder) \
    X("nextafter", 2, nextafter) X("nexttoward", 2, nextafter) X("ldexp", 2, ldexp) \
    X("scalb", 2, ldexp) X("scalbln", 2, ldexp) X("fma", 3, fma) X("frexp", 0, frexp) \
    X("modf", 0, modf) X("infinite", 0, infinite) X("nan", 0, nan) \
    X("isinfinite", 0, isinfinite) X("isnan", 0, isnan) X("isnormal", 0, isnormal)
#define PW_BUILTINS_TIME(X) \
    X("mktime", 0, mktime) X("gmtime", 0, utc) X("strftime", 1, strftime) X("strptime", 1, strptime)
/* clang-format on */

#define PW_BUILTIN_DECLARE(name, arity, function)                                                  \
    pw_value pw_builtin_##function(pw_expr_machine *m, pw_value in, const pw_value *args);
PW_BUILTINS_CORE(PW_BUILTIN_DECLARE)
PW_BUILTINS_ARRAY(PW_BUILTIN_DECLARE)
PW_BUILTINS_TEXT(PW_BUILTIN_DECLARE)
PW_BUILTINS_REGEX(PW_BUILTIN_DECLARE)
PW_BUILTINS_MATH(PW_BUILTIN_DECLARE)
PW_BUILTINS_TIME(PW_BUILTIN_DECLARE)
#undef PW_BUILTIN_DECLARE

#endif
