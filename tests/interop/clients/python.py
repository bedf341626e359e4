#!/usr/bin/python3
"""python.py - a MAPI client on the ssl module; ../stacks.py has the arguments

SPDX-License-Identifier: MPL-2.0
"""

import socket
import ssl
import sys

RESPONSE = b"LIT:monetdb:{SHA1}0123456789:sql:test:"
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


def read_message(stream):
    header = int.from_bytes(stream.read(2), "little")
    if header & 1 == 0:
        raise EOFError("no message")
    return stream.read(header >> 1)


def main(address, port, name, ca, version, cert, key, alpn):
    context = ssl.create_default_context(cafile=ca or None)
    context.minimum_version = context.maximum_version = VERSIONS[version]
    if cert:
        context.load_cert_chain(cert, key)
    if alpn:
        context.set_alpn_protocols([alpn])
    with socket.create_connection((address, port), 20) as plain:
        with context.wrap_socket(plain, server_hostname=name) as tls:
            stream = tls.makefile("rwb")
            read_message(stream)
            stream.write(bytes([len(RESPONSE) << 1 | 1, 0]) + RESPONSE)
            stream.flush()
            print(read_message(stream).decode())
            tls.unwrap()


main(*sys.argv[1:])
