"""The generated files: names, formats, contents, and what verifies them

SPDX-License-Identifier: MPL-2.0
"""

import calendar
import os
import re
import ssl
import subprocess
import time

import pytest

from server import SLOW
from streams import Tls, client_context
from test_chains import ALERTS

LEAVES = {"server1": "ca1", "server2": "ca2", "server3": "ca3",
          "client2": "ca2", "server1x": "ca1"}
CAS = ("ca1", "ca2", "ca3")
CLIENTS = ("client2", "client1", "client2x", "client2_impostor")
ALL = sorted(
    [f"{name}.{kind}" for name in (*CAS, "server1", "server2", "server3",
                                   "server1x", *CLIENTS)
     for kind in ("key", "crt", "der")] + [
         f"{name}.keycrt" for name in CLIENTS])
EXTENDED = ["ca_ecdsa.crt", "ca_ecdsa.der", "ca_ecdsa.key"] + [
    f"{port}.chain.pem" for port in ALERTS]
PEM = re.compile(r"-----BEGIN ([A-Z ]+)-----\n(?:[A-Za-z0-9+/=]{1,64}\n)+"
                 r"-----END \1-----\n")


def openssl(*arguments, given=None):
    done = subprocess.run(["openssl", *arguments], input=given,
                          capture_output=True, timeout=30 * SLOW)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


def fact(path, *arguments):
    """What openssl x509 says about the certificate in a PEM file."""
    return openssl("x509", "-in", path, "-noout", *arguments)


def seconds(path, which):
    """A validity bound of a certificate, in seconds from now."""
    text = fact(path, f"-{which}", "-dateopt", "iso_8601").strip()
    stamp = time.strptime(text.split("=")[1], "%Y-%m-%d %H:%M:%SZ")
    return calendar.timegm(stamp) - time.time()


def kinds(text):
    """The types of the PEM blocks that the text consists of."""
    assert PEM.sub("", text) == "", text
    return [found[1] for found in PEM.finditer(text)]


@pytest.mark.parametrize("name", ALL)
def test_file(files, name):
    """A file that is missing, or not in the form that drivers read."""
    kind = name.split(".")[1]
    if kind == "der":
        openssl("x509", "-inform", "DER", "-noout", given=files.bytes(name))
        assert files.bytes(name)[0] == 0x30
        return
    wanted = {"key": ["RSA PRIVATE KEY"],
              "crt": ["CERTIFICATE"] * (1 if name in
                                        ("ca1.crt", "ca2.crt", "ca3.crt")
                                        else 2),
              "keycrt": ["RSA PRIVATE KEY", "CERTIFICATE", "CERTIFICATE"]}
    assert kinds(files.text(name)) == wanted[kind]


def test_keys(files):
    """Keys that are weak, shared, or belong to another certificate."""
    moduli = {}
    for name in (*CAS, *LEAVES):
        key = openssl("rsa", "-in", files(f"{name}.key"), "-noout",
                      "-modulus")
        assert key == fact(files(f"{name}.crt"), "-modulus")
        assert "(2048 bit" in openssl("rsa", "-in", files(f"{name}.key"),
                                      "-noout", "-text")
        moduli.setdefault(key, set()).add(name)
    assert sorted(map(sorted, moduli.values())) == sorted(
        [[name] for name in (*CAS, "server2", "server3", "client2")]
        + [["server1", "server1x"]])
    assert files.bytes("server1x.key") == files.bytes("server1.key")


def test_forms_agree(files):
    """A .der that is not the .crt, a chain with another CA."""
    for name in (*CAS, *LEAVES):
        pems = PEM.finditer(files.text(f"{name}.crt"))
        ders = [ssl.PEM_cert_to_DER_cert(found[0]) for found in pems]
        assert ders[0] == files.bytes(f"{name}.der")
        if name in LEAVES:
            assert ders[1] == files.bytes(f"{LEAVES[name]}.der")
    assert files.text("client2.keycrt") == (files.text("client2.key")
                                            + files.text("client2.crt"))


@pytest.mark.parametrize("name", CAS)
def test_authority(files, name):
    """CAs that strict clients do not take for a CA, or that expire soon."""
    path = files(f"{name}.crt")
    subject = fact(path, "-subject", "-nameopt", "RFC2253").strip()
    assert sorted(subject.removeprefix("subject=").split(",")) == [
        "CN=The Certificate Authority", f"O=Org {name}"]
    assert fact(path, "-issuer").split("=", 1)[1] == fact(
        path, "-subject").split("=", 1)[1]
    text = fact(path, "-text")
    assert re.search(r"Basic Constraints: critical\s+CA:TRUE, pathlen:1", text)
    assert "Certificate Sign" in text
    assert "Subject Key Identifier" in text
    assert "sha256WithRSAEncryption" in text
    assert 3640 < seconds(path, "enddate") / 86400 < 3660
    assert seconds(path, "startdate") < 0


@pytest.mark.parametrize("name", LEAVES)
def test_leaf(files, name):
    """Leaves without the names or extensions that clients look for."""
    path = files(f"{name}.crt")
    subject = fact(path, "-subject", "-nameopt", "RFC2253").strip()
    owner = "server1" if name == "server1x" else name
    names = sorted(subject.removeprefix("subject=").split(","))
    assert names[0] == "CN=localhost"
    assert names[1] in (f"O=Org {name}", f"O=Org {owner}")
    text = fact(path, "-text")
    assert "DNS:localhost, DNS:mapitest.example\n" in text
    usage = ("TLS Web Client" if name == "client2" else "TLS Web Server")
    assert f"{usage} Authentication" in text
    assert "Key Usage: critical" in text and "Digital Signature" in text
    assert "Subject Key Identifier" in text
    assert "sha256WithRSAEncryption" in text
    assert "Version: 3" in text
    authority = fact(path, "-ext", "authorityKeyIdentifier")
    issuer = fact(files(f"{LEAVES[name]}.crt"), "-ext", "subjectKeyIdentifier")
    assert issuer.split()[-1] in authority
    days = (seconds(path, "startdate") / 86400,
            seconds(path, "enddate") / 86400)
    if name == "server1x":
        assert -15.1 < days[0] < -14.9 and -1.1 < days[1] < -0.9
    else:
        assert -0.1 < days[0] < -0.04 and 13.9 < days[1] < 14.1


def test_serials_differ(files):
    """Two certificates of one issuer with one serial number."""
    serials = [fact(files(f"{name}.crt"), "-serial")
               for name in (*CAS, *LEAVES)]
    assert len(set(serials)) == len(serials)


@pytest.mark.parametrize("name, purpose", [
    ("server1", "sslserver"), ("server2", "sslserver"),
    ("server3", "sslserver"), ("client2", "sslclient")])
def test_strict_verification(files, name, purpose):
    """Good certificates that Python 3.13 and OpenSSL's strict mode refuse."""
    openssl("verify", "-x509_strict", "-purpose", purpose, "-no-CApath",
            "-no-CAstore", "-CAfile", files(f"{LEAVES[name]}.crt"),
            files(f"{name}.crt"))


@pytest.mark.parametrize("host", ["localhost", "mapitest.example",
                                  "LOCALHOST"])
def test_strict_handshake(shared, files, host):
    """A presented chain that a strict client refuses for a listed name."""
    context = client_context(files.text("ca1.crt"), strict=True)
    with Tls(shared.address("server1"), context, host) as stream:
        assert stream.recv(1) != b""


def test_chain_is_sent(shared):
    """Leaf without its CA: clients look for the self-signed root."""
    output = subprocess.run(
        ["openssl", "s_client", "-showcerts", "-connect",
         f"127.0.0.1:{shared.port('server1')}"], stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=30 * SLOW,
        errors="replace").stdout        # the challenge is no text
    sent = [found[0] for found in PEM.finditer(output)]
    assert "".join(sent) == shared.file("server1.crt").decode()


def test_write(start, tmp_path):
    """-w DIR that writes other files than HTTP serves, or leaves debris."""
    server = start("-w", tmp_path)
    written = sorted(os.listdir(tmp_path))
    assert written == sorted(ALL + EXTENDED)
    for name in ALL:
        assert (tmp_path / name).read_bytes() == server.file(name), name


def test_write_replaces(start, tmp_path):
    """Old files that survive a new run, or are written to in place."""
    old = tmp_path / "ca1.crt"
    old.write_text("old")
    link = tmp_path.parent / (tmp_path.name + "-link")
    os.link(old, link)              # sees writes in place, not renames
    start("-w", tmp_path)
    assert old.read_text().startswith("-----BEGIN CERTIFICATE-----")
    assert link.read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == sorted(ALL + EXTENDED)


def test_ip_address_hostname(start, files_of):
    """An address among the hostnames that ends up as a DNS name."""
    server = start("-n", "127.0.0.1", "-n", "::1", "-n", "db.example")
    fetch = files_of(server)
    text = fact(fetch("server1.crt"), "-ext", "subjectAltName")
    assert "IP Address:127.0.0.1" in text
    assert "IP Address:0:0:0:0:0:0:0:1" in text
    assert "DNS:db.example" in text and "DNS:127" not in text
    context = client_context(fetch.text("ca1.crt"), strict=True)
    with Tls(server.address("server1"), context, "127.0.0.1") as stream:
        assert stream.recv(1) != b""


def test_long_hostname(start, files_of):
    """A first hostname over 64 characters: no CN, and no failure."""
    name = "a" * 60 + ".example"
    server = start("-n", name)
    fetch = files_of(server)
    assert "CN" not in fact(fetch("server1.crt"), "-subject")
    context = client_context(fetch.text("ca1.crt"), strict=True)
    with Tls(server.address("server1"), context, name) as stream:
        assert stream.recv(1) != b""


def test_default_hostname(start, files_of):
    """Without -n: the name that tlstester's users rely on."""
    server = start()
    fetch = files_of(server)
    text = fact(fetch("server1.crt"), "-subject", "-ext", "subjectAltName")
    assert "CN = localhost.localdomain" in text
    assert "DNS:localhost.localdomain\n" in text
