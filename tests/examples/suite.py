#!/usr/bin/python3
"""suite.py - all of mapitest's tests, with Python's own TLS

usage: suite.py [HOST:PORT]     mapitest's base port (localhost:4300)

A model of a client's test suite: in place of exchange() stands the connect() of
the client to be tested.  Each row of /api/tests is a test: name it, connect as
the row says, ask what mapitest saw.  One line each: mapitest's verdict, what it
saw, what this client says.  Exit status 0: no test failed, and the client came
in wherever it must.

SPDX-License-Identifier: MPL-2.0
"""

import collections
import http.client
import json
import pathlib
import socket
import ssl
import sys
import tempfile

BASE = sys.argv[1] if len(sys.argv) > 1 else "localhost:4300"
HOST = BASE.rpartition(":")[0].strip("[]")
RESPONSE = b"LIT:monetdb:{SHA1}0123456789:sql:test:"


def fetch(path):
    """The body of a reply from the base port."""
    connection = http.client.HTTPConnection(BASE, timeout=60)
    connection.request("GET", path)
    reply = connection.getresponse()
    body = reply.read()
    if reply.status != 200:
        raise SystemExit(f"{path}: {reply.status} {body.decode()}")
    return body


def saved(name, folder):
    """A certificate or key as the file that ssl wants."""
    path = pathlib.Path(folder, name)
    path.write_bytes(fetch("/" + name))
    return path


def context(test, folder):
    """TLS as the row says; ca1.crt, or what this system trusts."""
    made = ssl.create_default_context()
    if test["ca"] not in (None, "system"):
        made = ssl.create_default_context(cafile=saved(test["ca"], folder))
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    made.set_alpn_protocols(["mapi/9"])
    if pair := test["client_certificate"]:
        made.load_cert_chain(saved(pair["cert"], folder),
                             saved(pair["key"], folder))
    return made


def read(stream, length):
    data = stream.read(length)
    if len(data) < length:
        raise EOFError("the server's message is cut off")
    return data


def read_message(stream):
    text, last = b"", 0
    while not last:
        header = int.from_bytes(read(stream, 2), "little")
        text += read(stream, header >> 1)
        last = header & 1
    return text


def exchange(address, tls, name, timeout):
    """Log in; returns the server's reply, or raises what went wrong."""
    with socket.create_connection(address, timeout) as plain:
        if tls:
            connection = tls.wrap_socket(plain, server_hostname=name)
        else:
            connection = plain
            plain.sendall(bytes(8))     # as clients do that speak no TLS
        with connection, connection.makefile("rwb") as stream:
            read_message(stream)        # the challenge
            stream.write(bytes([len(RESPONSE) << 1 | 1, 0]) + RESPONSE)
            stream.flush()
            return read_message(stream).decode()


def attempt(test, address, name):
    """What this client says of it, in a few words."""
    with tempfile.TemporaryDirectory() as folder:
        tls = context(test, folder) if test["tls"] else None
    try:
        reply = exchange(address, tls, name,
                         2 if test["port"] == "silent" else 20)
    except (OSError, EOFError) as error:
        words = (getattr(error, "verify_message", None) or
                 getattr(error, "reason", None) or error)
        return f"{type(error).__name__}: {words}"
    return "reply " + reply.strip()[:50]


def main():
    portmap = json.loads(fetch("/api/portmap"))
    names = {"same": portmap["hostnames"][0], "other": "other.invalid"}
    since = json.loads(fetch("/api/connections?limit=1"))["next"]
    count, wrong = collections.Counter(), 0
    for test in json.loads(fetch("/api/tests"))["tests"]:
        fetch(f"/?test={test['name']}")
        port = portmap["ports"][test["port"]]["port"]
        said = attempt(test, (HOST, port), names[test["host"]])
        seen = json.loads(fetch(f"/api/connections?test={test['name']}"
                                f"&since={since}&wait=30"))
        since, record = seen["next"], seen["connections"][-1]
        verdict, alert = record["verdict"], (
            record["alert_received"] or record["alert_sent"] or "")
        print(f"{verdict} {test['name']:28} {record['origin']:14} {alert:3} "
              f"{said}", flush=True)
        count[verdict] += 1
        if (verdict == "fail" or
                (test["expect"] == "accept" and verdict != "pass")):
            wrong += 1
            print(f"     {record['why']}")
    fetch("/?test=")
    print(f"{sum(count.values())} tests: {count['pass']} pass, "
          f"{count['fail']} fail, {count['open']} open; {wrong} wrong")
    return 1 if wrong else 0


sys.exit(main())
