#!/usr/bin/python3
"""pipe.py COMMAND... - speak MAPI through a command-line TLS client

The command relays its standard streams; this reads the challenge from its
output, answers, and prints the reply.

SPDX-License-Identifier: MPL-2.0
"""

import os
import select
import signal
import socket
import subprocess
import sys

# gnutls-cli ends its input at a NUL, and the header of a block below 128
# bytes has one: the response is padded.
RESPONSE = b"LIT:monetdb:{SHA1}0123456789:sql:test:".ljust(200)
SILENCE = 5     # seconds; tstclnt notices no server's end before its input's


def block(payload):
    return (len(payload) << 1 | 1).to_bytes(2, "little") + payload


def main():
    # No pipe: tstclnt loops for ever when that hangs up.
    ours, theirs = socket.socketpair()
    received, answered, reply = b"", False, None
    with ours, subprocess.Popen(sys.argv[1:], stdin=theirs,
                                stdout=subprocess.PIPE) as client:
        theirs.close()
        while chunk := read_some(client, ours, reply is not None):
            received += chunk
            messages = unframe(received)
            if messages and not answered:
                ours.sendall(block(RESPONSE))
                answered = True
            if len(messages) > 1 and reply is None:
                reply = messages[1]
                ours.shutdown(socket.SHUT_WR)
    if reply is None:
        sys.stderr.write(f"no reply in {received!r}\n")
        return client.returncode or 1
    print(reply.decode())
    return 0 if client.returncode == -signal.SIGTERM else client.returncode


def unframe(received):
    """The messages that are there as a whole."""
    messages, text = [], b""
    while len(received) >= 2:
        header = int.from_bytes(received[:2], "little")
        end = 2 + (header >> 1)
        if len(received) < end:
            break
        text += received[2:end]
        received = received[end:]
        if header & 1:
            messages.append(text)
            text = b""
    return messages


def read_some(client, ours, complete):
    """Output of the client; one that says nothing is told that we leave, or
    made to leave, as tstclnt never leaves first."""
    if not select.select([client.stdout], [], [], SILENCE)[0]:
        if complete:
            client.terminate()
        else:
            ours.shutdown(socket.SHUT_WR)
    return os.read(client.stdout.fileno(), 65536)


if __name__ == "__main__":
    sys.exit(main())
