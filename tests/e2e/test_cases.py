"""The 14 documented cases, each by real clients

SPDX-License-Identifier: MPL-2.0
"""

import hashlib
import os
import re
import shutil
import ssl
import subprocess
from dataclasses import dataclass

import pytest

import backends
import mapi
from server import ROOT, SLOW
from streams import Raw, Tls, client_context

SAME, OTHER = "localhost", "wrong.example"


@dataclass
class Case:
    name: str
    port: str
    tls: bool = True
    ca: str = None              # file to verify with; None: the system's
    trusted: str = None         # file that is the system's trust store
    client: bool = False        # with client2's certificate
    host: str = SAME
    alpn: bool = False
    connects: bool = True


CASES = [
    Case("connect_plain", "plain", tls=False),
    Case("connect_tls", "server1", ca="ca1.crt"),
    Case("refuse_no_cert", "server1", connects=False),
    Case("refuse_wrong_cert", "server1", ca="ca2.crt", connects=False),
    Case("refuse_wrong_host", "server1", ca="ca1.crt", host=OTHER,
         connects=False),
    Case("refuse_tlsv12", "tls12", ca="ca1.crt", connects=False),
    Case("refuse_expired", "expiredcert", ca="ca1.crt", connects=False),
    Case("connect_client_auth", "clientauth", ca="ca1.crt", client=True),
    Case("fail_tls_to_plain", "plain", ca="ca1.crt", connects=False),
    Case("fail_plain_to_tls", "server1", tls=False, connects=False),
    Case("connect_server_name", "sni", ca="ca1.crt"),
    Case("connect_alpn_mapi9", "alpn_mapi9", ca="ca1.crt", alpn=True),
    Case("connect_trusted", "server3", trusted="ca3.crt"),
    Case("refuse_trusted_wrong_host", "server3", trusted="ca3.crt",
         host=OTHER, connects=False),
]


def environment(case, files, folder):
    """With a trust store that has the case's CA and no other."""
    if case.trusted is None:
        return dict(os.environ)
    return {**os.environ, "SSL_CERT_FILE": files(case.trusted),
            "SSL_CERT_DIR": str(folder)}


def run(command, given, environment):
    done = subprocess.run(command, input=given, env=environment,
                          capture_output=True, timeout=30 * SLOW)
    return done.returncode, done.stdout, done.stderr


def by_openssl(case, server, files, env):
    """A login by s_client; (bytes received, words about it)."""
    command = ["openssl", "s_client", "-quiet", "-tls1_3",
               "-connect", f"127.0.0.1:{server.port(case.port)}",
               "-servername", case.host, "-verify_hostname", case.host,
               "-verify_return_error"]
    if case.ca:
        command += ["-CAfile", files(case.ca), "-no-CApath"]
    if case.client:
        command += ["-cert", files("client2.crt"),
                    "-key", files("client2.key")]
    if case.alpn:
        command += ["-alpn", "mapi/9"]
    code, output, errors = run(command, mapi.LOGIN, env)
    assert case.connects == (code == 0), errors
    return output, errors


def by_curl(case, server, files, env):
    """A request by curl, which MAPI answers by its challenge."""
    port = server.port(case.port)
    if not case.tls:
        command = ["curl", "-sS", "-m", "20", f"telnet://127.0.0.1:{port}"]
        _, output, errors = run(command, mapi.NULS + mapi.LOGIN, env)
        return output, errors
    command = ["curl", "-sS", "-m", "20", "--http0.9", "--tlsv1.3",
               "--output", "-",
               "--resolve", f"{case.host}:{port}:127.0.0.1"]
    if case.ca:
        command += ["--cacert", files(case.ca)]
    if case.client:
        command += ["--cert", files("client2.crt"),
                    "--key", files("client2.key")]
    if case.alpn:
        pytest.skip("curl offers no ALPN of one's choice")
    code, output, errors = run([*command, f"https://{case.host}:{port}/"],
                               b"", env)
    if not case.connects:
        # 35: the handshake failed, 60: the certificate did not convince.
        assert code in (35, 60), errors
    # Its request is no MAPI message, so there is no last message.
    return output and output + mapi.message(mapi.sorry(case.port)), errors


def by_python(case, server, files, env):
    """A login by Python's ssl module."""
    address = server.address(case.port)
    if not case.tls:
        with Raw(address) as stream:
            stream.send(mapi.NULS + mapi.LOGIN)
            return stream.recv_all(), b""
    saved = dict(os.environ)
    os.environ.update(env)
    try:
        context = ssl.create_default_context(
            cafile=case.ca and files(case.ca))
    finally:
        os.environ.clear()
        os.environ.update(saved)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    if case.client:
        context.load_cert_chain(files("client2.keycrt"))
    if case.alpn:
        context.set_alpn_protocols(["mapi/9"])
    try:
        with Tls(address, context, case.host) as stream:
            stream.send(mapi.LOGIN)
            return stream.recv_all(), b""
    except ssl.SSLError as error:
        assert not case.connects, error
        return b"", str(error).encode()


CLIENTS = {"openssl": by_openssl, "curl": by_curl, "python": by_python}


@pytest.mark.parametrize("client, case", [
    pytest.param(client, case, id=f"{case.name}-{client}")
    for case in CASES for client in CLIENTS
    if case.tls or client != "openssl"])
def test_case(shared, files, tmp_path, client, case):
    """A documented case that went the other way for a real client."""
    shared.get(f"/?test={case.name}")
    env = environment(case, files, tmp_path)
    received, words = CLIENTS[client](case, shared, files, env)
    if not case.connects:
        assert received == b"" or case.port == "plain", received
        assert b"Sorry" not in received
        return
    messages, rest = mapi.unframe(received)
    assert rest == b""
    assert len(messages) == 2, (received, words)
    assert mapi.CHALLENGE.fullmatch(messages[0])
    assert messages[1] == mapi.sorry(case.port)


def test_reasons(shared, files):
    """Clients that refuse, but for another reason than the port's defect."""
    reasons = {}
    for case in CASES:
        if case.connects or not case.tls or case.trusted:
            continue
        context = client_context(case.ca and files.text(case.ca))
        if case.ca is None:
            context = ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        with pytest.raises(ssl.SSLError) as caught:
            Tls(shared.address(case.port), context, case.host).close()
        reasons[case.name] = (getattr(caught.value, "verify_message", "")
                              or caught.value.reason)
    assert reasons == {
        "refuse_no_cert": "self-signed certificate in certificate chain",
        "refuse_wrong_cert": "self-signed certificate in certificate chain",
        "refuse_wrong_host": "Hostname mismatch, certificate is not valid "
                             "for 'wrong.example'.",
        "refuse_tlsv12": "TLSV1_ALERT_PROTOCOL_VERSION",
        "refuse_expired": "certificate has expired",
        "fail_tls_to_plain": "WRONG_VERSION_NUMBER",
    }


@pytest.mark.parametrize("first", [b"", mapi.NULS], ids=["bare", "nuls"])
def test_plain_login(shared, first):
    """A challenge that waits for the client, or 8 NULs taken for a login."""
    with Raw(shared.address("plain")) as stream:
        challenge = mapi.read_message(stream)       # before we say anything
        assert mapi.CHALLENGE.fullmatch(challenge)
        stream.send(first + mapi.LOGIN)
        assert mapi.read_message(stream) == mapi.sorry("plain")
        # Java still sends an empty message, and must not see a reset.
        stream.send(mapi.message(b""))
        assert stream.recv_all() == b""
        assert stream.end == "eof"


def test_salts_differ(shared):
    """A challenge that a recorded response would answer."""
    salts = set()
    for _ in range(20):
        with Raw(shared.address("plain")) as stream:
            challenge, _ = mapi.login(stream)
            salts.add(challenge.split(b":")[0])
    assert len(salts) == 20
    assert all(len(salt) >= 8 for salt in salts)


@pytest.mark.skipif(not shutil.which("node"), reason="needs node")
@pytest.mark.skipif(
    not (ROOT / "tests/e2e/node/node_modules/monetdb").is_dir(),
    reason="needs the npm package: tests/run installs it")
def test_node_client(shared):
    """A challenge or last message that a real driver does not understand."""
    done = subprocess.run(
        ["node", ROOT / "tests/e2e/node/login.js", "127.0.0.1",
         str(shared.port("plain"))],
        capture_output=True, text=True, timeout=30 * SLOW)
    assert done.returncode == 1, done.stdout + done.stderr
    assert mapi.sorry("plain").decode()[1:] in done.stdout


def test_certhash(shared, files):
    """A client that pins by hash is told another certificate's hash."""
    with Tls(shared.address("server1"), client_context()) as stream:
        presented = stream.tls.getpeercert(True)
        mapi.login(stream)
    assert presented == files.bytes("server1.der")


def test_redirect(shared, files):
    """A redirect that a client cannot follow, or whose hash is wrong."""
    with Tls(shared.address("redirect"),
             client_context(files.text("ca1.crt")), "localhost") as stream:
        _, last = mapi.login(stream)
    pattern = (rb"\^monetdbs://localhost:(\d+)\?certhash=sha256:"
               rb"([0-9a-f]{64})\n")
    port, digest = re.fullmatch(pattern, last).groups()
    assert int(port) == shared.port("server2")
    assert digest.decode() == hashlib.sha256(
        files.bytes("server2.der")).hexdigest()
    with Tls((shared.host, int(port)), client_context()) as stream:
        presented = stream.tls.getpeercert(True)
        assert hashlib.sha256(presented).hexdigest() == digest.decode()
        assert mapi.login(stream)[1] == mapi.sorry("server2")


@pytest.mark.parametrize("port, ca, options", [
    ("server1", "ca1.crt", {}),
    ("server2", "ca2.crt", {}),
    ("server3", "ca3.crt", {}),
    ("tls12", "ca1.crt", {}),
    ("clientauth", "ca1.crt", {"certificate": True}),
    ("sni", "ca1.crt", {}),
    ("alpn_mapi9", "ca1.crt", {"alpn": ["mapi/9"]}),
])
def test_port_says_its_name(shared, files, port, ca, options):
    """Ports that show another certificate, or another port's name."""
    if "certificate" in options:
        options = {"certificate": files("client2.keycrt")}
    context = client_context(files.text(ca), strict=True, **options)
    with Tls(shared.address(port), context, "localhost") as stream:
        version = stream.tls.version()
        _, last = mapi.login(stream)
        assert stream.end == "close_notify"
        assert stream.socket_end() == "eof"
    assert last == mapi.sorry(port)
    assert version == ("TLSv1.2" if port == "tls12" else "TLSv1.3")


def test_backend_option(start, backend, files_of):
    """-b that still answers by the simulator, or starts one."""
    real = backend(backends.monetdb(b"!real\n"))
    server = start("-b", real.target, "-n", "localhost")
    assert "redirect" not in server.ports
    assert server.processes("simulator") == []
    with Raw(server.address("plain")) as stream:
        assert mapi.read_message(stream).startswith(b"abcdefgh:")
        stream.send(mapi.NULS + mapi.LOGIN)
        assert mapi.read_message(stream) == b"!real\n"
    with Tls(server.address("server1"),
             client_context(files_of(server).text("ca1.crt")),
             "localhost") as stream:
        assert mapi.read_message(stream).startswith(b"abcdefgh:")
        stream.send(mapi.LOGIN)
        assert mapi.read_message(stream) == b"!real\n"
        assert stream.recv_all() == b""
