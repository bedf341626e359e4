"""mapi.py - as much of MAPI as a client or a backend in a test needs

SPDX-License-Identifier: MPL-2.0
"""

import hashlib
import re
import struct

BLOCK_MAX = 8190
CHALLENGE = re.compile(
    rb"[A-Za-z0-9]+:merovingian:9:RIPEMD160,SHA512,SHA384,SHA256,SHA224,SHA1"
    rb":LIT:SHA512:")
RESPONSE = b"LIT:monetdb:{SHA1}0123456789:sql:test:"
NULS = bytes(8)             # what plain clients send first


def sorry(port):
    """The simulator's last message on a port."""
    return (f"!Sorry, this is not a real MonetDB instance ({port}): Sorry, "
            f"this is not a real MonetDB server").encode()


def block(payload, last=True):
    return struct.pack("<H", len(payload) << 1 | last) + payload


def message(payload):
    """The payload as blocks; the end of the message is marked."""
    blocks = []
    while len(payload) > BLOCK_MAX:
        blocks.append(block(payload[:BLOCK_MAX], False))
        payload = payload[BLOCK_MAX:]
    return b"".join(blocks) + block(payload)


LOGIN = message(RESPONSE)


def unframe(data):
    """Split bytes into complete messages; returns them and the rest."""
    messages, current = [], b""
    while len(data) >= 2:
        header, = struct.unpack_from("<H", data)
        length = header >> 1
        assert length <= BLOCK_MAX, f"block of {length} bytes"
        if len(data) < 2 + length:
            break
        current += data[2:2 + length]
        data = data[2 + length:]
        if header & 1:
            messages.append(current)
            current = b""
    assert current == b"" or data == b"" or len(data) < BLOCK_MAX + 2
    return messages, data if not current else block(current, False) + data


def read_message(stream):
    """Read one message from anything with recv_exactly()."""
    payload = b""
    while True:
        header, = struct.unpack("<H", stream.recv_exactly(2))
        length = header >> 1
        assert length <= BLOCK_MAX, f"block of {length} bytes"
        payload += stream.recv_exactly(length)
        if header & 1:
            return payload


def response(challenge, user, password, database):
    """What a client answers to a challenge (protocol 9)."""
    fields = challenge.decode().split(":")
    salt, kind, version, hashes, _, algorithm = fields[:6]
    assert version == "9" and algorithm == "SHA512"
    assert "SHA1" in hashes.split(",")
    if kind == "merovingian":           # it is not the one that checks
        user, password = "merovingian", ""
    digest = hashlib.sha512(password.encode()).hexdigest()
    digest = hashlib.sha1((digest + salt).encode()).hexdigest()
    return f"LIT:{user}:{{SHA1}}{digest}:sql:{database}:".encode()


def login(stream, first=b""):
    """The whole exchange; returns the challenge and the last message.

    Asserts that nothing follows the last message.
    """
    if first:
        stream.send(first)
    challenge = read_message(stream)
    assert CHALLENGE.fullmatch(challenge), challenge
    stream.send(LOGIN)
    last = read_message(stream)
    rest = stream.recv_all()
    assert rest == b"", rest
    return challenge, last
