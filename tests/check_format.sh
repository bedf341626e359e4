#!/bin/bash
#
# check_format.sh - the rules of STYLE.md that a machine can check
#
# clang-format leaves all C as it is; no C, Python or shell file has a tab, a
# blank at a line's end, a line of over 80 columns or more than 500 lines.
#
# SPDX-License-Identifier: MPL-2.0

set -euo pipefail
cd "$(dirname "$0")/.."

errors=0
mapfile -t sources < <(find base certs mapisim proxy tests -name '*.[ch]' \
    -not -path '*/node_modules/*' | sort)
mapfile -t scripts < <(find tests deploy .ci -type f \
    \( -name '*.py' -o -name '*.sh' -o -name '*.js' -o -perm -u+x \) \
    -not -path '*/node_modules/*' | sort)

if [ ${#sources[@]} = 0 ]; then
    echo "no source files here" >&2
    exit 1
fi
clang-format --dry-run --Werror "${sources[@]}" || errors=1

# awk counts bytes; what is not ASCII counts more.
awk '
    function complain(what) {
        printf "%s:%d: %s\n", FILENAME, FNR, what
        bad = 1
    }
    /\t/              { complain("a tab") }
    /[ \t\r]$/        { complain("blanks at the end of the line") }
    length($0) > 80   { complain("more than 80 columns") }
    FNR == 501        { complain("more than 500 lines") }
    END               { exit bad }
' "${sources[@]}" "${scripts[@]}" >&2 || errors=1

[ "$errors" = 0 ] || exit 1
echo "$((${#sources[@]} + ${#scripts[@]})) files are in good form"
