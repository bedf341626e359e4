#!/bin/sh
# gnutls.sh - gnutls-cli as a MAPI client; ../stacks.py has the arguments
#
# SPDX-License-Identifier: MPL-2.0
address=$1 port=$2 name=$3 ca=$4 version=$5 cert=$6 key=$7 alpn=$8

exec "${0%/*}/pipe.py" gnutls-cli --logfile=/dev/stderr \
    --sni-hostname="$name" --verify-hostname="$name" \
    ${ca:+--x509cafile="$ca"} \
    --priority="NORMAL:-VERS-ALL:+VERS-TLS$version" \
    ${cert:+--x509certfile="$cert" --x509keyfile="$key"} \
    ${alpn:+--alpn="$alpn"} \
    --port="$port" "$address"
