#!/bin/sh
# curl.sh - curl as a MAPI client; ../stacks.py has the arguments
#
# By gophers, which sends the path and CRLF, then reads to the end.  The path
# is a MAPI message of 200 bytes (%91%01 is its header, type 1 comes before
# it), CRLF included.  curl is content with no answer at all; this is not.
#
# SPDX-License-Identifier: MPL-2.0
set -e
address=$1 port=$2 name=$3 ca=$4 version=$5 cert=$6 key=$7

answer=$(mktemp)
trap 'rm -f "$answer"' EXIT
response=$(printf '%-198s' 'LIT:monetdb::sql:test:' |
    sed 's/ /%20/g')
curl -sS --max-time 20 --resolve "$name:$port:$address" \
    ${ca:+--cacert "$ca"} \
    "--tlsv$version" --tls-max "$version" \
    ${cert:+--cert "$cert" --key "$key"} \
    --output "$answer" "gophers://$name:$port/1%91%01$response"
grep -a -o '[!^].*' "$answer"
