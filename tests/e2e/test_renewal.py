"""Renewal: new leaves, together everywhere, and nobody is disturbed

SPDX-License-Identifier: MPL-2.0
"""

import hashlib
import re
import ssl
import time

import pytest

import backends
import mapi
from server import SANITIZED, SLOW, wait_for
from streams import Tls, client_context

LEAVES = ["server1", "server2", "server3", "client2"]


def presented(server, port):
    with Tls(server.address(port), client_context(), "localhost") as stream:
        return stream.tls.getpeercert(True)


def certhash(server):
    with Tls(server.address("redirect"), client_context()) as stream:
        return re.search(rb"sha256:([0-9a-f]{64})",
                         mapi.login(stream)[1])[1].decode()


def digest(der):
    return hashlib.sha256(der).hexdigest()


@pytest.fixture
def renewing(start, backend):
    return start("-n", "localhost", "--renew-after", "2",
                 "-f", f"0:{backend(backends.echo).target}")


def wait_renewed(server, name, old):
    return wait_for(lambda: (new := server.file(f"{name}.der")) != old and new,
                    10, f"{name} renewed")


def test_renewed(renewing):
    """Leaves that stay as they are, or come with another key or CA."""
    before = {name: renewing.file(name) for name in (
        *(f"{leaf}.{kind}" for leaf in LEAVES for kind in ("key", "der")),
        "ca1.crt", "ca1.key", "ca2.crt", "ca3.crt", "server1x.key")}
    for leaf in LEAVES:
        new = wait_renewed(renewing, leaf, before[f"{leaf}.der"])
        pem = renewing.file(f"{leaf}.crt").decode()
        first = pem[:pem.index("-----END")] + "-----END CERTIFICATE-----\n"
        assert new != before[f"{leaf}.der"]
        ssl.PEM_cert_to_DER_cert(first)
    for name, content in before.items():
        if not name.endswith(".der"):
            assert renewing.file(name) == content, name


def test_all_change_together(renewing):
    """A file, a handshake and a certhash that tell different certificates.

    Asked for in the order file, handshake, redirect, file: when the two files
    are the same, so must be the others.  Processes are told one after the
    other: what comes within 0.1 s, in slow builds 0.2 s, counts as there.
    """
    seen = set()
    deadline = time.monotonic() + 10 * SLOW
    compared = 0
    while len(seen) < 3 and time.monotonic() < deadline:
        file = renewing.file("server2.der")
        hashes = {digest(presented(renewing, "server2")), certhash(renewing)}
        chain = renewing.file("server2.crt").decode()
        chain = chain[:chain.index("-----END")] + "-----END CERTIFICATE-----\n"
        hashes.add(digest(ssl.PEM_cert_to_DER_cert(chain)))
        time.sleep(0.2 if SANITIZED else 0.1)
        if renewing.file("server2.der") == file:
            assert hashes == {digest(file)}
            seen.add(digest(file))
            compared += 1
    assert len(seen) == 3 and compared > 10


@pytest.mark.parametrize("leaf, ports", [
    ("server1", ["server1", "tls12", "clientauth", "sni", "alpn_mapi9",
                 "redirect"]),
    ("server3", ["server3", "forward"])])
def test_every_port(start, backend, leaf, ports):
    """A port that goes on with the certificate of the start."""
    server = start("-n", "localhost", "--renew-after", "3",
                   "-f", f"0:{backend(backends.echo).target}")
    old = server.file(f"{leaf}.der")
    new = wait_renewed(server, leaf, old)
    for port in ports:
        assert presented(server, port) == new, port


def test_open_connection_survives(renewing):
    """A renewal by way of a restart."""
    number = len(renewing.processes())
    old = renewing.file("server3.der")
    with Tls(renewing.address("forward"), client_context()) as stream:
        for _ in range(2):
            stream.send(b"hello")
            assert stream.recv_exactly(5) == b"hello"
            old = wait_renewed(renewing, "server3", old)
        stream.send(b"again")
        assert stream.recv_exactly(5) == b"again"
    # Workers may be replaced for it, but old ones do not pile up.
    wait_for(lambda: len(renewing.processes()) == number, 10,
             "no worker too many")


def test_verified_throughout(renewing):
    """A moment in which the chain does not verify, strictly."""
    context = client_context(renewing.file("ca1.crt").decode(), strict=True)
    until = time.monotonic() + 5
    count = 0
    while time.monotonic() < until:
        with Tls(renewing.address("server1"), context, "localhost") as stream:
            assert mapi.login(stream)[1] == mapi.sorry("server1")
        count += 1
    assert count > 20


def test_status_follows(renewing):
    """A status that tells of the certificates of the start."""
    old = renewing.file("server1.der")
    wait_renewed(renewing, "server1", old)

    def agree():
        row = renewing.api("/api/status")["certificates"]["server1"]
        return row["sha256"] == digest(renewing.file("server1.der"))

    wait_for(agree, 2, "the status agrees with the file")


def test_expired_stays_expired(renewing):
    """server1x that is renewed into a good certificate."""
    wait_renewed(renewing, "server1", renewing.file("server1.der"))
    context = client_context(renewing.file("ca1.crt").decode())
    with pytest.raises(ssl.SSLCertVerificationError) as caught:
        Tls(renewing.address("expiredcert"), context, "localhost")
    assert caught.value.verify_message == "certificate has expired"
