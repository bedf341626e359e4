#!/usr/bin/python3
"""python.py - a MAPI client on the ssl module; ../stacks.py has the arguments

SPDX-License-Identifier: MPL-2.0
"""

import socket
import ssl
import sys

RESPONSE = b"LIT:monetdb:{SHA1}0123456789:sql:test:"
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


def read(stream, length):
    data = stream.read(length)
    if len(data) < length:
        raise EOFError("half a message")
    return data


def read_message(stream):
    text, last = b"", 0
    while not last:
        header = int.from_bytes(read(stream, 2), "little")
        text += read(stream, header >> 1)
        last = header & 1
    return text


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
