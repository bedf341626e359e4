#!/bin/sh
# nss.sh - NSS's tstclnt as a MAPI client; ../stacks.py has the arguments
#
# NSS trusts what is in a database, so this makes one.  A client certificate
# comes as PKCS #12, without a password.
#
# SPDX-License-Identifier: MPL-2.0
set -e
address=$1 port=$2 name=$3 ca=$4 version=$5 cert=$6

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
certutil -N -d "sql:$folder" --empty-password
if [ -n "$ca" ]; then
    certutil -A -d "sql:$folder" -n ca -t C,, -i "$ca"
fi
if [ -n "$cert" ]; then
    pk12util -i "$cert" -d "sql:$folder" -W '' >&2
fi
# -a is also the name that tstclnt verifies.
"${0%/*}/pipe.py" tstclnt -h "$address" -p "$port" -a "$name" \
    -d "sql:$folder" -V "tls$version:tls$version" ${cert:+-n client2}
