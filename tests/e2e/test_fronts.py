"""What each key of the configuration does, seen on the wire

SPDX-License-Identifier: MPL-2.0
"""

import ssl
import subprocess

import pytest

import mapi
from fronts import connect, front, simulated, write_config
from server import Mapitest
from streams import Raw, client_context

TLS1_2, TLS1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


@pytest.fixture(scope="module")
def many(pki, tmp_path_factory):
    """One server with a port for each way to do TLS."""
    certificates = [pki.sales.row, pki.wild.row, pki.reports.row, pki.own.row]
    ca = str(pki.clients.path)
    rows = [
        ("usual", {}),
        ("only12", {"tls": {"max": "1.2"}}),
        ("only13", {"tls": {"min": "1.3"}}),
        ("ciphers", {"tls": {"ciphers": "ECDHE+CHACHA20",
                             "ciphersuites": "TLS_CHACHA20_POLY1305_SHA256"}}),
        ("groups", {"tls": {"groups": "P-384"}}),
        ("any", {"certificates": certificates, "sni": "any"}),
        ("known", {"certificates": certificates, "sni": "known"}),
        ("require", {"certificates": certificates, "sni": "require"}),
        ("optional", {"client_certificate": "optional", "client_ca": ca,
                      "certificates": certificates}),
        ("required", {"client_certificate": "required", "client_ca": ca,
                      "certificates": certificates}),
        ("none", {"client_certificate": "none"}),
        ("select", {"alpn": "select"}),
        ("demand", {"alpn": "require"}),
        ("ignore", {"alpn": "ignore"}),
    ]
    path = write_config(tmp_path_factory.mktemp("many"),
                        *(front(name, pki, **keys) for name, keys in rows),
                        front("clear"))
    server = Mapitest("--config", path, "--workers", "2")
    try:
        server.wait_ready()
        yield server
        server.check_end()
    finally:
        server.discard()


def alert_of(server, name, **options):
    """The number of the alert that a client is refused with."""
    with pytest.raises(ssl.SSLError) as caught:
        with connect(server, name, **options) as stream:
            stream.recv()           # TLS 1.3: it may follow our Finished
            raise AssertionError(f"not refused: {stream.end}")
    assert "ALERT" in caught.value.reason or "NAME" in caught.value.reason
    record = server._wait(
        lambda line: (r := server.parse_connection(line))
        and r["port"] == name and r["end"] == "refused" and r or None,
        10, f"a refusal on {name}", server.test_from)
    return record["alert_sent"]


# TLS


@pytest.mark.parametrize("name, versions", [
    ("usual", [TLS1_2, TLS1_3]), ("only12", [TLS1_2]), ("only13", [TLS1_3])])
def test_versions(many, name, versions):
    """A range of versions that is not what the file says."""
    for version in (TLS1_2, TLS1_3):
        if version in versions:
            with connect(many, name, version=version) as stream:
                assert stream.tls.version() == version.name.replace("_", ".")
                mapi.login(stream)
        else:
            assert alert_of(many, name, version=version) == 70
    assert alert_of(many, name, version=ssl.TLSVersion.TLSv1_1) == 70


@pytest.mark.parametrize("version, cipher", [
    (TLS1_2, "ECDHE-ECDSA-CHACHA20-POLY1305"),
    (TLS1_3, "TLS_CHACHA20_POLY1305_SHA256")])
def test_ciphers(many, version, cipher):
    """Cipher suites that are not those of the file."""
    with connect(many, "ciphers", version=version) as stream:
        assert stream.tls.cipher()[0] == cipher
        mapi.login(stream)


def test_cipher_that_is_not_listed(many):
    """A suite that the file leaves out."""
    context = client_context(version=TLS1_2)
    context.set_ciphers("ECDHE+AESGCM")
    assert alert_of(many, "ciphers", context=context) == 40


def test_groups(many):
    """A group that the file leaves out."""
    context = client_context()
    context.set_ecdh_curve("secp384r1")
    stream = simulated(many, "groups", context=context)
    record = many.wait_connection(stream.local_port)
    assert record["tls"]["group"] == "secp384r1"
    context.set_ecdh_curve("prime256v1")
    assert alert_of(many, "groups", context=context) == 40


# Server names


@pytest.mark.parametrize("version", [TLS1_2, TLS1_3])
@pytest.mark.parametrize("name", ["any", "known", "require"])
@pytest.mark.parametrize("sni, leaf", [
    ("sales.example", "sales"), ("localhost", "sales"),
    ("SALES.Example", "sales"), ("reports.example", "reports"),
    ("RePorts.Example", "reports"), ("a.wild.example", "wild"),
    ("A.WILD.EXAMPLE", "wild"),
    ("own.wild.example", "own")])   # an exact name before a wildcard's
def test_certificate_by_name(many, pki, version, name, sni, leaf):
    """The wrong certificate for a name."""
    stream = simulated(many, name, sni=sni, version=version)
    assert stream.tls.getpeercert(True) == getattr(pki, leaf).der
    record = many.wait_connection(stream.local_port)
    assert record["tls"]["sni"] == sni


@pytest.mark.parametrize("sni", [
    "unknown.example", "wild.example", "a.b.wild.example", "sales",
    "sales.example.org", "xsales.example", "*.wild.example", None])
def test_unknown_name(many, pki, sni):
    """A name that no certificate covers, or none, where it counts or not.

    A wildcard's text is no name, though OpenSSL finds that it matches.
    """
    stream = simulated(many, "any", sni=sni)
    assert stream.tls.getpeercert(True) == pki.sales.der
    assert alert_of(many, "require", sni=sni) == 112
    if sni is None:
        simulated(many, "known", sni=None)
    else:
        assert alert_of(many, "known", sni=sni) == 112


def test_refused_name_is_recorded(many):
    """A refusal whose record does not say of which name."""
    with pytest.raises(ssl.SSLError):
        connect(many, "known", sni="unknown.example")
    line = many._wait(lambda l: l if "no certificate covers" in l else None,
                      10, "the reason", many.test_from)
    record = many.parse_connection(line)
    assert record["tls"]["sni"] == "unknown.example"
    assert record["alert_sent"] == 112


def test_dotted_name(many):
    """.wild.example, which OpenSSL takes for any name below, is covered."""
    dotted = subprocess.run(
        ["openssl", "s_client", "-connect", "%s:%d" % many.address("require"),
         "-servername", ".wild.example"], stdin=subprocess.DEVNULL,
        capture_output=True, text=True)
    assert "alert number 112" in dotted.stderr


# Client certificates


@pytest.mark.parametrize("version", [TLS1_2, TLS1_3])
@pytest.mark.parametrize("sni", ["localhost", "a.wild.example"])
@pytest.mark.parametrize("name, who, alert", [
    ("none", None, None), ("none", "client", None), ("none", "stranger", None),
    ("optional", None, None), ("optional", "client", None),
    ("optional", "stranger", 48),
    ("required", None, 116), ("required", "client", None),
    ("required", "stranger", 48)])
def test_client_certificate(many, pki, version, sni, name, who, alert):
    """A client that is let in, or is not, whatever its certificate."""
    certificate = getattr(pki, who).pair if who else None
    options = {"certificate": certificate, "version": version, "sni": sni}
    if alert is not None:
        if version == TLS1_2 and alert == 116:
            alert = 40              # RFC 8446 made 116
        assert alert_of(many, name, **options) == alert
        return
    stream = simulated(many, name, **options)
    record = many.wait_connection(stream.local_port)
    shown = record["tls"]["client_certificate"]
    if name == "none" or who is None:
        assert shown is None
    else:
        assert shown["subject"] == "CN=alice"


# ALPN


@pytest.mark.parametrize("name, offered, chosen", [
    ("select", ["mapi/9"], "mapi/9"), ("select", ["h2", "mapi/9"], "mapi/9"),
    ("select", ["h2"], None), ("select", None, None),
    ("demand", ["mapi/9"], "mapi/9"), ("demand", ["h2"], False),
    ("demand", None, False),
    ("ignore", ["mapi/9"], None), ("ignore", ["h2"], None)])
def test_alpn(many, name, offered, chosen):
    """An ALPN rule that is not the file's."""
    with connect(many, name, alpn=offered) as stream:
        assert stream.tls.selected_alpn_protocol() == (chosen or None)
        if chosen is False:
            assert stream.recv() == b"" and stream.end == "close_notify"
        else:
            assert mapi.login(stream)[1] == mapi.sorry(name)
    record = many.wait_connection(stream.local_port)
    if chosen is False:
        assert record["end"] == "refused" and record["handshake"]


# What the ports are, for HTTP


def test_plain(many):
    """A port with TLS where the file wants none."""
    with Raw(many.address("clear")) as stream:
        assert mapi.login(stream)[1] == mapi.sorry("clear")
    assert many.wait_connection(stream.local_port)["tls"] is None


def test_portmap_json(many):
    """A configured port whose rule is not what it does."""
    ports = many.api("/api/portmap")["ports"]
    rules = {name: row["rule"] for name, row in ports.items()
             if row["group"] == "configured"}
    assert rules["usual"] == "TLS 1.2 to 1.3, relayed to the simulator"
    assert rules["only12"].startswith("TLS 1.2,")
    assert rules["only13"].startswith("TLS 1.3,")
    assert rules["clear"] == "no TLS, relayed to the simulator"
    assert "certificate required" in rules["required"]
    assert "asked for" in rules["optional"]
    assert "ALPN mapi/9" in rules["demand"]
    assert "ALPN ignored" in rules["ignore"]
    assert ports["only12"]["tls"] == ["1.2", "1.2"]
    assert ports["clear"]["tls"] is None
    for name, row in ports.items():
        assert many.ports[name] == row["port"]
    status = many.api("/api/status")
    assert set(status["ports"]) == set(ports)
    crews = [row["crew"] for row in status["processes"]]
    assert crews.count("configured") == crews.count("test") == 2


def test_keys_are_not_served(many, pki):
    """An operator's key, or certificate, that HTTP gives away."""
    secrets = [pki.sales.key.read_bytes(), pki.wild.chain.read_bytes(),
               pki.sales.chain.read_bytes(), pki.clients.path.read_bytes()]
    folder = str(pki.sales.key.parent)
    up = "/.." * 12
    names = [f"{leaf}.{end}" for leaf in ("sales", "wild", "reports", "usual")
             for end in ("pem", "key", "crt", "der", "p12")]
    paths = [f"/{name}" for name in names]
    for name in ("sales.key", "wild.pem", "sales.pem", "mapitest.json"):
        paths += [f"{folder}/{name}", f"/{folder}/{name}",
                  f"{up}{folder}/{name}", f"/.{folder}/{name}",
                  (up + folder + "/" + name).replace("/..", "/%2e%2e"),
                  (up + folder + "/" + name).replace("/..", "/..%2f"),
                  f"/api{up}{folder}/{name}", f"/{name}%00.crt"]
    paths += [f"/proc/self/fd/{fd}" for fd in range(3, 40)]
    for path in paths:
        reply = many.get(path)
        assert reply.status in (400, 404), path
        assert b"PRIVATE KEY" not in reply.body
    for path in ("/", "/api/portmap", "/api/status", "/api", "/api/config"):
        body = many.get(path).body
        assert folder.encode() not in body, path
        assert not any(s[30:60] in body for s in secrets), path


def test_keys_are_not_held(many, pki):
    """A process that faces HTTP or test clients and has the keys open."""
    holders = {}
    for row in many.api("/api/status")["processes"]:
        links = subprocess.run(["ls", "-l", f"/proc/{row['pid']}/fd"],
                               capture_output=True, text=True).stdout
        if str(pki.sales.key) in links:
            holders.setdefault((row["kind"], row["crew"]), 0)
    assert set(holders) == {("master", None), ("worker", "configured")}
