"""The group chains: what a strict client makes of each port, and is sent

SPDX-License-Identifier: MPL-2.0
"""

import re
import ssl
import subprocess

import pytest

import mapi
from conftest import NAMES, Files
from server import SLOW, Mapitest, wait_for
from streams import Tls, client_context

PEM = re.compile(r"-----BEGIN CERTIFICATE-----\n.*?-----END CERTIFICATE-----\n",
                 re.S)
# The alert of ports.md's column Python; None: accepted.
ALERTS = {
    "ecdsa": None, "chain_intermediate": None, "chain_missing": 48,
    "chain_disorder": None, "chain_expired": 45, "chain_not_ca": 48,
    "chain_no_certsign": 48, "chain_pathlen": 48, "chain_excluded": 46,
    "chain_permitted": None, "chain_critical": 46, "impostor": 48,
    "selfsigned": 48, "notyetvalid": 42, "wronghost": 42, "cn_only": None,
    "cn_trap": 42, "partial_wildcard": 42, "san_case": None, "client_eku": 43,
    "leaf_ca": None, "rsa1024": 42, "sha1": 42, "large": None,
}


@pytest.fixture(scope="module")
def chained(tmp_path_factory):
    """(server, files) with the classic ports and these."""
    options = [word for name in NAMES for word in ("-n", name)]
    server = Mapitest("--ports", "classic,chains", *options)
    try:
        server.wait_ready()
        yield server, Files(server, tmp_path_factory.mktemp("chains"))
        server.check_end()
    finally:
        server.discard()


def authority(port):
    return "ca_ecdsa.crt" if port == "ecdsa" else "ca1.crt"


def sent_chain(server, port):
    """What a server sends, by a client that verifies nothing."""
    output = subprocess.run(
        ["openssl", "s_client", "-showcerts", "-connect",
         f"127.0.0.1:{server.port(port)}", "-cipher", "ALL:@SECLEVEL=0"],
        stdin=subprocess.DEVNULL, capture_output=True, timeout=30 * SLOW,
        check=False).stdout.decode(errors="replace")
    # The last one again, as the server's, is not PEM's end but a title's.
    return PEM.findall(output.partition("\nServer certificate\n")[0])


def test_rows_are_these(chained):
    """A row that nothing below looks at, and rows in another order."""
    server, _ = chained
    ports = server.api("/api/portmap")["ports"]
    rows = [name for name, row in ports.items() if row["group"] == "chains"]
    assert rows == list(ALERTS)
    for name in rows:
        if ports[name]["expect"] != "may":
            assert (ports[name]["expect"] == "accept") == (
                ALERTS[name] is None), name


@pytest.mark.parametrize("port", ALERTS)
def test_strict_client(chained, port):
    """A port that a correct client leaves for another reason, or enters."""
    server, files = chained
    context = client_context(files.text(authority(port)), strict=True)
    stream = Tls(server.address(port), context, "localhost", handshake=False)
    with stream:
        if ALERTS[port] is None:
            stream.handshake()
            assert mapi.login(stream)[1] == mapi.sorry(port)
        else:
            with pytest.raises(ssl.SSLCertVerificationError):
                stream.handshake()
    record = server.wait_connection(stream.local_port, port)
    assert record["alert_received"] == ALERTS[port]
    assert record["alert_sent"] is None


@pytest.mark.parametrize("port", ALERTS)
def test_chain_file(chained, port):
    """PORT.chain.pem that is not what is sent: others, or in another order."""
    server, files = chained
    chain = PEM.findall(files.text(f"{port}.chain.pem"))
    assert "".join(chain) == files.text(f"{port}.chain.pem")
    assert sent_chain(server, port) == chain


def test_chains_are_as_long_as_named(chained):
    """A root, or an intermediate, that is sent although nobody named it."""
    _, files = chained
    more = {port: len(PEM.findall(files.text(f"{port}.chain.pem"))) - 1
            for port in ALERTS}
    assert {port: n for port, n in more.items() if n != 0} == {
        "chain_intermediate": 1, "chain_disorder": 3, "chain_expired": 1,
        "chain_not_ca": 1, "chain_no_certsign": 1, "chain_pathlen": 2,
        "chain_excluded": 1, "chain_permitted": 1, "impostor": 1}
    root, other = files.text("ca1.crt"), files.text("ca3.crt")
    assert PEM.findall(files.text("chain_disorder.chain.pem"))[1:3] == [
        root, other]


def test_serials_differ(chained):
    """Two certificates of an issuer with one serial number."""
    _, files = chained
    seen = {}
    for port in ALERTS:
        for pem in PEM.findall(files.text(f"{port}.chain.pem")):
            serial = subprocess.run(
                ["openssl", "x509", "-noout", "-serial"], input=pem, text=True,
                capture_output=True, timeout=30 * SLOW, check=True).stdout
            assert seen.setdefault(serial, pem) == pem


@pytest.mark.parametrize("client, alert", [
    ("client2", None), ("client1", 48), ("client2x", 45),
    ("client2_impostor", 48), (None, 116)])
def test_client_certificate(chained, client, alert):
    """clientauth that looks at less than issuer, signature and dates."""
    server, files = chained
    context = client_context(
        files.text("ca1.crt"), strict=True,
        certificate=client and files(f"{client}.keycrt"))
    with Tls(server.address("clientauth"), context, "localhost") as stream:
        if alert is None:
            assert mapi.login(stream)[1] == mapi.sorry("clientauth")
        else:
            with pytest.raises(ssl.SSLError):
                stream.recv()
    record = server.wait_connection(stream.local_port, "clientauth")
    assert record["alert_sent"] == alert


def test_alternative_authorities(chained):
    """Two-way TLS with another CA than the right one at either end: a client
    that gets in, or goes in, and one with the right one that does not."""
    server, files = chained
    right = client_context(files.text("ca1.crt"), strict=True,
                           certificate=files("client2.keycrt"))
    with Tls(server.address("clientauth"), right, "localhost") as stream:
        assert mapi.login(stream)[1] == mapi.sorry("clientauth")
    other = client_context(files.text("ca2.crt"), strict=True,
                           certificate=files("client2.keycrt"))
    stream = Tls(server.address("clientauth"), other, "localhost",
                 handshake=False)
    with stream, pytest.raises(ssl.SSLCertVerificationError):
        stream.handshake()
    record = server.wait_connection(stream.local_port, "clientauth")
    assert record["alert_received"] == 48


def test_renewed_together(start):
    """A chain whose parts do not fit, or a file of what was sent before."""
    server = start("-n", "localhost", "--renew-after", "1", "--ports",
                   "chains")
    port = "chain_intermediate"
    old = PEM.findall(server.file(f"{port}.chain.pem").decode())

    def renewed():
        new = PEM.findall(server.file(f"{port}.chain.pem").decode())
        return new != old and new

    new = wait_for(renewed, 20, "a renewal")
    assert len(new) == 2 and not set(new) & set(old)
    # The next renewal may come between the two: then both are newer.
    wait_for(lambda: sent_chain(server, port) == PEM.findall(
        server.file(f"{port}.chain.pem").decode()), 20, "what is served, sent")
    context = client_context(server.file("ca1.crt").decode(), strict=True)
    with Tls(server.address(port), context, "localhost") as stream:
        assert mapi.login(stream)[1] == mapi.sorry(port)
