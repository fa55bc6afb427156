#!/bin/bash
# run.sh - fuzzes one target on one core: test/fuzz/run.sh TARGET MINUTES [OPTION OF LIBFUZZER...]
#
# Begins with the corpus of the project. What libFuzzer adds to it stays in build-fuzz/corpus/TARGET,
# inputs that stop the process come to build-fuzz/found/TARGET. To make one of these small:
#     build-fuzz/test/fuzz/fuzz_TARGET -minimize_crash=1 -runs=20000 FILE
# and once it is mended, the small one goes to test/fuzz/corpus/TARGET, under a name that says what it is.
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/common.sh

targets=$(cd test/fuzz && ls *.dict | sed 's/\.dict$//')
if (($# < 2)) || [[ ! -f test/fuzz/$1.dict ]]; then
  sed -n '2s/^# run.sh - //p' "$0" >&2
  say "targets: ${targets//$'\n'/ }" >&2
  exit 2
fi
target=$1 minutes=$2
shift 2
folder=${PAWL_FUZZ_BUILD:-build-fuzz}

CC=clang configure "$folder" -Dfuzz=true -Dfaults=true -Dchecks=true --buildtype=debug -Doptimization=1 \
  -Db_sanitize=address,undefined -Db_lundef=false || die "meson setup failed"
build "$folder" "test/fuzz/fuzz_$target" || die "the build failed"

mkdir -p "$folder/corpus/$target" "$folder/found/$target"
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_stack_use_after_return=1:strict_string_checks=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
exec "$folder/test/fuzz/fuzz_$target" -max_total_time=$((minutes * 60)) -timeout=25 -rss_limit_mb=2048 \
  -max_len=4096 -dict="test/fuzz/$target.dict" -artifact_prefix="$folder/found/$target/" -print_final_stats=1 \
  "$@" "$folder/corpus/$target" "test/fuzz/corpus/$target"
