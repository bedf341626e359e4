#!/usr/bin/python3
"""pipe.py COMMAND... - speak MAPI through a command-line TLS client

The command relays its standard streams; this reads the challenge from its
output, answers, and prints the reply.

SPDX-License-Identifier: MPL-2.0
"""

import os
import re
import select
import socket
import subprocess
import sys

# gnutls-cli ends its input at a NUL, and the header of a block below 128
# bytes has one: the response is padded.
RESPONSE = b"LIT:monetdb:{SHA1}0123456789:sql:test:".ljust(200)
CHALLENGE = re.compile(rb"..\w+:merovingian:9:[\w,]+:LIT:SHA512:", re.S)
REPLY = re.compile(rb"(..)([!^].*)", re.S)
SILENCE = 5     # seconds; tstclnt notices no server's end before its input's


def block(payload):
    return (len(payload) << 1 | 1).to_bytes(2, "little") + payload


def main():
    # No pipe: tstclnt loops for ever when that hangs up.
    ours, theirs = socket.socketpair()
    received, challenge, reply = b"", None, None
    with ours, subprocess.Popen(sys.argv[1:], stdin=theirs,
                                stdout=subprocess.PIPE) as client:
        theirs.close()
        while chunk := read_some(client, ours):
            received += chunk
            if challenge is None:
                challenge = CHALLENGE.search(received)
                if challenge:
                    ours.sendall(block(RESPONSE))
            elif reply is None:
                reply = find_reply(received, challenge.end())
                if reply:
                    ours.shutdown(socket.SHUT_WR)
    if reply is None:
        sys.stderr.write(f"no reply in {received!r}\n")
        return client.returncode or 1
    print(reply.decode())
    return client.returncode


def find_reply(received, start):
    """The reply, once all of it is there; programs may cut it in pieces."""
    found = REPLY.search(received, start)
    length = int.from_bytes(found[1], "little") >> 1 if found else 1
    if found is None or len(found[2]) < length:
        return None
    return found[2][:length]


def read_some(client, ours):
    """Output of the client; one that says nothing is told that we leave."""
    if not select.select([client.stdout], [], [], SILENCE)[0]:
        ours.shutdown(socket.SHUT_WR)
    return os.read(client.stdout.fileno(), 65536)


if __name__ == "__main__":
    sys.exit(main())
