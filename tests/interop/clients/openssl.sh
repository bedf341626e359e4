#!/bin/sh
# openssl.sh - s_client as a MAPI client; ../stacks.py has the arguments
#
# SPDX-License-Identifier: MPL-2.0
address=$1 port=$2 name=$3 ca=$4 version=$5 cert=$6 key=$7 alpn=$8

exec "${0%/*}/pipe.py" openssl s_client -quiet -no_ign_eof \
    -connect "$address:$port" -servername "$name" \
    -verify_return_error -verify_hostname "$name" \
    ${ca:+-no-CApath -CAfile "$ca"} \
    "-tls1_${version#1.}" \
    ${cert:+-cert "$cert" -key "$key"} \
    ${alpn:+-alpn "$alpn"}
