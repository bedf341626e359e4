"""fronts.py - an operator's ports: certificates, configurations, headers

SPDX-License-Identifier: MPL-2.0
"""

import json
import socket
import ssl
import struct
import subprocess

import mapi
from streams import Raw, Tls, client_context

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True,
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.PIPE)


class Leaf:
    """A certificate chain and its key: two files, or one."""

    def __init__(self, chain, key=None):
        self.chain = chain
        self.key = key

    @property
    def row(self):
        """As the configuration has it."""
        row = {"chain": str(self.chain)}
        return row if self.key is None else {**row, "key": str(self.key)}

    @property
    def pair(self):
        """As an ssl.SSLContext wants it."""
        return self.chain, self.key or self.chain

    @property
    def der(self):
        pem = self.chain.read_text()
        end = "-----END CERTIFICATE-----\n"
        begin = pem.index("-----BEGIN CERTIFICATE-----")
        return ssl.PEM_cert_to_DER_cert(pem[begin:pem.index(end) + len(end)])


class Authority:
    """A CA of the tests' own, and what it issues, in a folder."""

    def __init__(self, folder, name):
        self.folder = folder
        self.name = name
        self.path = folder / f"{name}.pem"
        self.key = folder / f"{name}.key"
        self._request(self.path, self.key, name,
                      "-addext", "keyUsage=critical,keyCertSign")

    @staticmethod
    def _request(path, key, name, *options):
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-subj", f"/CN={name}", "-keyout", key, "-out", path,
                *options)

    def issue(self, name, *names, one_file=False):
        """A leaf for these DNS names."""
        chain = self.folder / f"{name}.pem"
        key = self.folder / f"{name}.key"
        options = ["-CA", self.path, "-CAkey", self.key,
                   "-addext", "basicConstraints=critical,CA:FALSE"]
        if names:
            options += ["-addext", "subjectAltName="
                        + ",".join(f"DNS:{n}" for n in names)]
        self._request(chain, key, name, *options)
        if not one_file:
            return Leaf(chain, key)
        text = chain.read_text() + key.read_text()
        key.unlink()
        chain.unlink()
        chain.touch(0o600)
        chain.write_text(text)
        return Leaf(chain)


class Pki:
    """What the tests of configured ports need, made once."""

    def __init__(self, folder):
        self.ca = Authority(folder, "ca")
        self.sales = self.ca.issue("sales", "sales.example", "localhost")
        self.wild = self.ca.issue("wild", "*.wild.example", one_file=True)
        self.own = self.ca.issue("own", "own.wild.example")
        self.reports = self.ca.issue("reports", "reports.example")
        self.clients = Authority(folder, "clients")
        self.client = self.clients.issue("alice")
        self.stranger = Authority(folder, "others").issue("mallory")


def front(name, pki=None, backend="simulator", **keys):
    """A port of a configuration: TLS if there is a Pki, else plain."""
    port = {"name": name, "listen": ["127.0.0.1:0"], "backend": backend}
    if pki is None:
        port["plain"] = True
    else:
        port["certificates"] = [pki.sales.row]
    return {**port, **keys}


def write_config(folder, *ports, **root):
    """Write a configuration; returns its path."""
    path = folder / "mapitest.json"
    path.write_text(json.dumps({**root, "ports": ports}, indent=1))
    return path


def connect(server, name, sni="localhost", source=None, context=None,
            address=None, handshake=True, **options):
    """A stream to a port that has TLS; options: the context's."""
    return Tls(address or server.address(name),
               context or client_context(**options), sni, source=source,
               handshake=handshake)


def open_front(server, name):
    """A stream to a port: by TLS, unless it is called plain or bare..."""
    return (Raw(server.address(name)) if name.startswith(("plain", "bare"))
            else connect(server, name))


def exchange(stream, text=b"ping"):
    """One round trip to an echo."""
    stream.send(text)
    assert stream.recv_exactly(len(text)) == text


def simulated(server, name, **options):
    """A whole login on a TLS port with the simulator behind it."""
    with connect(server, name, **options) as stream:
        assert mapi.login(stream)[1] == mapi.sorry(name)
    return stream


# The PROXY protocol, version 2


def tlv(kind, value):
    return struct.pack("!BH", kind, len(value)) + value


def proxy_header(source=None, tlvs=b"", command=1):
    """A header that names a client; without source, AF_UNSPEC."""
    if source is None:
        family, addresses = 0, b""
    else:
        family, kind, here = 0x11, socket.AF_INET, "192.0.2.1"
        if ":" in source[0]:
            family, kind, here = 0x21, socket.AF_INET6, "2001:db8::1"
        addresses = (socket.inet_pton(kind, source[0])
                     + socket.inet_pton(kind, here)
                     + struct.pack("!HH", source[1], 50000))
    block = addresses + tlvs
    return SIGNATURE + struct.pack("!BBH", 0x20 | command, family,
                                   len(block)) + block


def read_proxy_header(stream):
    """(command, source, destination, {type: value}) from a backend's peer."""
    assert stream.recv_exactly(12) == SIGNATURE
    command, family, size = struct.unpack("!BBH", stream.recv_exactly(4))
    assert command >> 4 == 2
    block = stream.recv_exactly(size)
    source = destination = None
    if family:
        kind, length = {0x11: (socket.AF_INET, 4),
                        0x21: (socket.AF_INET6, 16)}[family]
        ports = struct.unpack_from("!HH", block, 2 * length)
        source, destination = (
            (socket.inet_ntop(kind, block[at * length:(at + 1) * length]),
             ports[at]) for at in (0, 1))
        block = block[2 * length + 4:]
    tlvs = {}
    while block:
        kind, length = struct.unpack_from("!BH", block)
        tlvs[kind] = block[3:3 + length]
        block = block[3 + length:]
    return command & 15, source, destination, tlvs
