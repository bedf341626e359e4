#!/bin/bash
#
# check_layers.sh - includes only point down
#
# The layer of each file is in layers.txt; a file that is not there is an
# error.  A file includes only files of its own layer or below, no two modules
# include each other (also not in a circle), base includes only base, and
# certs, mapisim and proxy do not include one another but for proxy -> certs.
#
# usage: check_layers.sh [ROOT]
#
# SPDX-License-Identifier: MPL-2.0

set -euo pipefail
tests=$(cd "$(dirname "$0")" && pwd)
cd "${1:-$tests/..}"

declare -A layer_of
errors=0

complain() {
    echo "$1" >&2
    errors=$((errors + 1))
}

read_table() {
    local layer folder names name file
    while read -r layer folder names; do
        case $layer in '' | '#'*) continue ;; esac
        for name in $names; do
            # An unquoted pattern: it expands to the files there are.
            for file in $folder/$name.[ch]; do
                if [ -e "$file" ]; then
                    layer_of[$file]=$layer
                fi
            done
        done
    done <"$1"
}

# check_include FILE INCLUDED
check_include() {
    local file=$1 included=$2 from=${1%%/*} to=${2%%/*}

    if [ ! -e "$included" ]; then
        complain "$file: \"$included\" is not a path from the root"
        return
    fi
    if [ "$from" != "$to" ] && [ "$to" != base ] &&
        [ "$from/$to" != proxy/certs ]; then
        complain "$file: $from must not include $included"
    fi
    if [ "${layer_of[$included]-0}" -gt "${layer_of[$file]-4}" ]; then
        complain "$file (${layer_of[$file]-?}): above it is\
 $included (${layer_of[$included]})"
    fi
    file=$(module "$file")
    included=$(module "$included")
    if [ "$file" != "$included" ]; then
        echo "$file $included" >>"$edges"
    fi
}

# The module of a file: its name, and conn_steps.c is a part of conn.
module() {
    local name=${1%.*}
    while [[ ${name##*/} == *_* && -e ${name%_*}.h ]]; do
        name=${name%_*}
    done
    echo "$name"
}

edges=$(mktemp)
trap 'rm -f "$edges"' EXIT
mapfile -t files < <(find base certs mapisim proxy -name '*.[ch]' | sort)
if [ ${#files[@]} = 0 ]; then
    complain "no source files here"
fi
read_table "$tests/layers.txt"

for file in "${files[@]}"; do
    if [ -z "${layer_of[$file]-}" ]; then
        complain "$file: not in tests/layers.txt"
    fi
    while read -r included; do
        check_include "$file" "$included"
    done < <(sed -n 's/^[ \t]*#[ \t]*include[ \t]*"\([^"]*\)".*/\1/p' "$file")
done

if ! circle=$(tsort "$edges" 2>&1 >/dev/null); then
    complain "modules include each other in a circle:
$circle"
fi

[ "$errors" = 0 ] || exit 1
echo "${#files[@]} files, all includes point down"
