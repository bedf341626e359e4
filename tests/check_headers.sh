#!/bin/bash
#
# check_headers.sh - every header compiles alone, with gcc and with clang
#
# SPDX-License-Identifier: MPL-2.0

set -euo pipefail
cd "$(dirname "$0")/.."

read -ra flags < <(pkg-config --cflags openssl jansson libmicrohttpd)
flags+=(-std=c11 -D_GNU_SOURCE '-DMAPITEST_VERSION="0"' -I. -Wall -Wextra
    -Werror -Wno-unused-function -fno-strict-aliasing)
errors=0
count=0

# ev.h breaks strict aliasing and is not ours: see CMakeLists.txt.
while read -r header; do
    count=$((count + 1))
    for compiler in gcc clang; do
        if ! printf '#include "%s"\n' "$header" |
            "$compiler" -x c -fsyntax-only "${flags[@]}" -; then
            echo "$header: does not compile alone with $compiler" >&2
            errors=$((errors + 1))
        fi
    done
done < <(find base certs mapisim proxy -name '*.h' | sort)

if [ "$count" = 0 ]; then
    echo "no headers here" >&2
    exit 1
fi
[ "$errors" = 0 ] || exit 1
echo "$count headers compile alone"
