"""The log: one line per connection that says what happened

SPDX-License-Identifier: MPL-2.0
"""

import fcntl
import json
import os
import re
import signal
import ssl
import subprocess

import pytest

import mapi
import procfs
from load import login_once
from server import BIN, F_SETPIPE_SZ, READY, SLOW, wait_for
from streams import Raw, Tls, client_context, client_hello

FIELDS = {"event", "port", "client", "client_port", "tls", "handshake",
          "alert_received", "alert_sent", "end", "bytes_up", "bytes_down",
          "first", "message", "time", "level"}


def record_of(server, stream):
    record = server.wait_connection(stream.local_port)
    assert FIELDS <= record.keys(), FIELDS - record.keys()
    assert record["client"] in ("127.0.0.1", "::1")
    return record


def test_good_tls_connection(shared, files):
    """A line without what one looks for first."""
    context = client_context(files.text("ca1.crt"), alpn=["mapi/9"])
    with Tls(shared.address("server1"), context, "localhost") as stream:
        challenge, last = mapi.login(stream)
        stream.close_notify()
        record = record_of(shared, stream)
        cipher = stream.tls.cipher()[0]
    assert record["port"] == "server1"
    assert record["tls"].items() >= {
        "version": "TLSv1.3", "cipher": cipher, "sni": "localhost",
        "alpn": "mapi/9"}.items()
    assert record["handshake"] is True
    assert record["alert_received"] is None and record["alert_sent"] is None
    assert record["end"] == "close_notify"
    assert record["first"] == "tls"
    assert record["bytes_up"] == len(mapi.LOGIN)
    assert record["bytes_down"] == len(challenge) + len(last) + 4
    assert record["mapi"] == "complete" and record["origin"] == "orderly"
    assert record["result_type"] is None
    assert record["failure_reason_code"] is None
    assert record["message"]


def test_good_plain_connection(shared):
    """TLS facts of a connection that had none."""
    with Raw(shared.address("plain")) as stream:
        mapi.login(stream, mapi.NULS)
        stream.fin()
        record = record_of(shared, stream)
    assert record["port"] == "plain" and record["tls"] is None
    assert record["end"] == "eof" and record["first"] == "mapi"
    assert record["bytes_up"] == len(mapi.LOGIN) + 8
    assert record["mapi"] == "complete"


@pytest.mark.parametrize("sent, reached", [
    (mapi.NULS, "challenge"),
    (mapi.NULS + mapi.LOGIN[:-1], "challenge"),
    (mapi.LOGIN, "complete"),
])
def test_mapi_reached(shared, sent, reached):
    """NULs, or half a message, that are taken for a response."""
    with Raw(shared.address("plain")) as stream:
        mapi.read_message(stream)
        stream.send(sent)
        stream.fin()
        stream.recv_all()
        record = record_of(shared, stream)
    assert record["mapi"] == reached


def test_ipv6_client(shared):
    """An IPv6 client under a mangled address."""
    with Raw(("::1", shared.port("plain"))) as stream:
        mapi.login(stream)
        stream.fin()
        record = record_of(shared, stream)
    assert record["client"] == "::1"


@pytest.mark.parametrize("port, first, data", [
    ("server1", "mapi", mapi.NULS),
    ("server1", "mapi", mapi.LOGIN),
    ("server1", "http", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
    ("server1", "other", b"\xfe\xfd\xfc\xfb\xfa"),
    ("plain", "tls", client_hello()),
    ("plain", "http", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_first_bytes(shared, port, first, data):
    """A mishap that the line does not tell apart from others."""
    with Raw(shared.address(port)) as stream:
        stream.send(data)
        stream.fin()
        stream.recv_all()
        record = record_of(shared, stream)
    assert record["first"] == first
    assert record["handshake"] is False


@pytest.mark.parametrize("port, ca, name, alert, result, code", [
    ("server1", "ca2.crt", "localhost", 48, "certificate-not-trusted",
     "tls-remote-alert-48-unknown-certificate-authority"),
    ("server1", "ca1.crt", "wrong.example", 42, "validation-failure",
     "tls-remote-alert-42-bad-certificate"),
    ("expiredcert", "ca1.crt", "localhost", 45, "certificate-expired",
     "tls-remote-alert-45-expired-certificate"),
])
def test_alert_received(shared, files, port, ca, name, alert, result, code):
    """A client's alert that is lost, or called an I/O error."""
    context = client_context(files.text(ca))
    stream = Tls(shared.address(port), context, name, handshake=False)
    with stream, pytest.raises(ssl.SSLError):
        stream.handshake()
    record = record_of(shared, stream)
    assert record["alert_received"] == alert
    assert record["alert_sent"] is None
    assert record["origin"] == "client alert"
    assert record["result_type"] == result
    assert record["failure_reason_code"] == code
    assert record["tls"]["sni"] == name


@pytest.mark.parametrize("port", ["server1", "plain", "clientauth"])
def test_probe(shared, port):
    """A bare TCP probe (a health check) that looks like a failure."""
    at = len(shared.log())
    with Raw(shared.address(port)) as stream:
        local = stream.local_port
    # Whatever comes after has been logged: so would be the probe.
    with Raw(shared.address("plain")) as stream:
        mapi.login(stream)
        stream.fin()
        record_of(shared, stream)
    for record in shared.connections(at):
        if record["client_port"] == local:
            assert record["level"] not in ("error", "warning")
            assert record["end"] in ("eof", "reset", "close_notify")
            assert record["alert_sent"] is None


def hello_with_name(name):
    """A ClientHello whose SNI is these bytes."""
    usual = b"x" * len(name)
    hello = client_hello(usual.decode())
    assert hello.count(usual) == 1
    return hello.replace(usual, name)


HOSTILE = [b"\x1b[31mred\x07\x08", b"line\r\nERROR: forged line here",
           b"quote\"back\\slash{}[]", b"\xff\xfe\xc3\x28utf8",
           b"%s%n%d%x%p%99999d", b"tab\tdel\x7fend", b"nul\0nul"]


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("form", ["json", "text"])
def test_hostile_name(start, name, form):
    """Bytes of a peer that write to the terminal, or forge a line."""
    server = start("-n", "localhost", "-v", log_format=form)
    with Raw(server.address("sni")) as stream:
        stream.send(hello_with_name(name))
        stream.recv_all()
        local = stream.local_port
    if form == "json":
        server.wait_connection(local)
        assert all(isinstance(json.loads(line), dict)
                   for line in server.log())
    else:
        server.wait_line(r"\bsni\b.*" + str(local) + "|"
                         + str(local) + r".*\bsni\b")
    text = server.text()
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text)
    assert not re.search(r"^ERROR: forged", text, re.M)
    assert server.get("/").status == 200


@pytest.mark.parametrize("port", ["server1", "alpn_mapi9"])
def test_hostile_alpn(shared, port):
    """The same by way of ALPN."""
    at = len(shared.log())
    context = client_context(alpn=["\x1b[31m\n\rforged", "a" * 255])
    with Tls(shared.address(port), context, "localhost") as stream:
        stream.close_notify()
        stream.recv_all()
    record_of(shared, stream)
    assert all(json.loads(line) for line in shared.log(at))


def test_text_line(start, files_of):
    """A text log that does not say port, peer, TLS facts and what happened.
    """
    server = start("-n", "localhost", log_format="text")
    context = client_context(files_of(server).text("ca1.crt"),
                             alpn=["mapi/9"])
    with Tls(server.address("server1"), context, "localhost") as stream:
        mapi.login(stream)
        stream.close_notify()
        local = stream.local_port
    line = server.wait_line(rf"\b{local}\b")
    for word in ("server1", "127.0.0.1", "TLSv1.3", "localhost", "mapi/9",
                 "AES" if "AES" in line else "CHACHA"):
        assert word in line, line
    with Raw(server.address("clientauth")) as stream:
        stream.send(mapi.LOGIN)
        stream.recv_all()
        local = stream.local_port
    line = server.wait_line(rf"\b{local}\b")
    assert "clientauth" in line and "TLS" in line, line
    lines = [l for l in server.log() if re.search(rf"\b{local}\b", l)]
    assert len(lines) == 1


def test_exactly_one_line(shared):
    """Two lines for a connection, or none."""
    at = len(shared.log())
    locals_ = []
    for port in ("plain", "server1") * 20:
        with Raw(shared.address(port)) as stream:
            stream.send(mapi.NULS + mapi.LOGIN)
            stream.fin()
            stream.recv_all()
            locals_.append(stream.local_port)
    for local in locals_:
        shared.wait_connection(local)
    seen = [record["client_port"] for record in shared.connections(at)]
    assert sorted(seen) == sorted(locals_)


@pytest.mark.parametrize("reader", ["stops", "goes away"])
def test_log_without_reader(reader):
    """A log that nobody reads and that stops the relay, or the program."""
    read, write = os.pipe()
    fcntl.fcntl(write, F_SETPIPE_SZ, 4096)
    process = subprocess.Popen([BIN, "-p", "0"], stderr=write,
                               start_new_session=True)
    os.close(write)
    try:
        text = ""
        while not READY.search(text):
            text += os.read(read, 4096).decode()
        if reader == "goes away":
            os.close(read)

        class Server:
            base = int(READY.search(text)[1])

            @staticmethod
            def address(name):
                return "127.0.0.1", ports[name]

        with Raw(("127.0.0.1", Server.base)) as stream:
            stream.send(b"GET / HTTP/1.0\r\n\r\n")
            body = stream.recv_all().decode().split("\r\n\r\n")[1]
        ports = {line.split(":")[0]: int(line.split(":")[1])
                 for line in body.split()}
        for _ in range(200):
            login_once(Server, "plain", None)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20 * SLOW) == 0
        wait_for(lambda: not procfs.family(process.pid, "\0"), 2, "all gone")
        if reader == "stops":
            os.close(read)
    finally:
        for pid in procfs.family(process.pid, "\0"):
            os.kill(pid, signal.SIGKILL)
        process.wait(10)


@pytest.mark.parametrize("arguments, other, begins", [
    ([], False, "<3>error: "), (["--log-format", "json"], False, "{"),
    (["--log-format", "text"], False, "mapitest: error: "),
    (["--log-format", "journal"], True, "<3>error: "),
    ([], True, "mapitest: error: ")])
def test_journal(tmp_path, arguments, other, begins):
    """Priorities that the journal does not get, or that a file does."""
    with open(tmp_path / "log", "w+") as log:
        status = os.fstat(log.fileno())
        stream = f"{status.st_dev}:{status.st_ino + other}"
        done = subprocess.run(
            [str(BIN), "-p", "0", "-l", "192.0.2.1", *arguments], stderr=log,
            env={**os.environ, "JOURNAL_STREAM": stream}, timeout=20 * SLOW)
        log.seek(0)
        lines = log.read().splitlines()
    assert done.returncode == 1
    assert len(lines) == 1 and lines[0].startswith(begins), lines
