"""mapitest --health: one line and an exit status, whatever answers

SPDX-License-Identifier: MPL-2.0
"""

import json
import re
import socket
import subprocess
import time

import pytest

from server import BIN, SLOW, wait_for
from streams import Raw

HEALTHY = re.compile(r"healthy: 10 ports, (\d+) connections?, up .+")
STATUS = {"ports": {"a": {"active": 2}}, "uptime_seconds": 3}


def health(*arguments, env=None, seconds=8):
    """The exit status and the one line; asserts that it ends in time."""
    done = subprocess.run([str(BIN), "--health", *arguments], env=env,
                          stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=seconds * SLOW)
    assert done.stderr == ""
    assert done.stdout.endswith("\n") and done.stdout.count("\n") == 1
    return done.returncode, done.stdout[:-1]


def unhealthy(*arguments, **options):
    code, line = health(*arguments, **options)
    assert code == 1 and line.startswith("unhealthy: "), line
    return line


def answering(reply):
    """A handler that reads a request, answers and hangs up."""
    def handler(peer):
        assert b"\r\n\r\n" in peer.sock.recv(4096)
        try:
            peer.sock.sendall(reply)
        finally:
            peer.sock.close()
    return handler


def page(body, status="200 OK"):
    return f"HTTP/1.1 {status}\r\nServer: x\r\n\r\n{body}".encode()


@pytest.mark.parametrize("form", ["http://127.0.0.1:{}", "http://[::1]:{}/",
                                  "http://localhost:{}/api/status?x"])
def test_healthy(shared, form):
    """A running instance that is restarted for being ill."""
    code, line = health(form.format(shared.base))
    assert code == 0 and HEALTHY.fullmatch(line), line


def test_connections_are_counted(start):
    """A figure that never moves."""
    server = start()
    url = f"http://127.0.0.1:{server.base}/"
    with Raw(server.address("plain")):
        wait_for(lambda: HEALTHY.fullmatch(health(url)[1])[1] == "1")
    wait_for(lambda: HEALTHY.fullmatch(health(url)[1])[1] == "0")


def test_url_of_the_environment(shared):
    """A container whose check would need its arguments changed."""
    url = f"http://127.0.0.1:{shared.base}/"
    code, line = health(env={"MAPITEST_HEALTH_URL": url})
    assert code == 0 and HEALTHY.fullmatch(line), line
    line = unhealthy("http://127.0.0.1:1/", env={"MAPITEST_HEALTH_URL": url})
    assert "127.0.0.1:1" in line


def test_no_failure_in_the_log(start):
    """A check every few seconds that fills the log."""
    server = start()
    before = len(server.log())
    assert health(f"http://127.0.0.1:{server.base}/")[0] == 0
    assert [l for l in server.log(before) if '"level":"error"' in l
            or '"level":"warning"' in l] == []


def test_nobody_there():
    """A check that passes when there is nothing to check."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    line = unhealthy(f"http://127.0.0.1:{port}/")
    assert line == f"unhealthy: 127.0.0.1:{port}: Connection refused"


def test_no_such_host():
    assert "no-such-host.invalid" in unhealthy("http://no-such-host.invalid/")


@pytest.mark.parametrize("reply, says", [
    (b"", "no reply"),
    (b"SALT:merovingian:9:RIPEMD160:LIT:SHA512:", "not HTTP"),
    (b"\x15\x03\x03\x00\x02\x02\x46", "not HTTP"),
    (page("{}", "503 Busy"), "HTTP status 503"),
    (page("", "302 Found\r\nLocation: http://127.0.0.1/"), "status 302"),
    (page("base:1\n"), "not JSON"),
    (page(json.dumps(STATUS)[:-1]), "not JSON"),
    (page("{}"), "not the status"),
    (page(json.dumps({**STATUS, "ports": {}})), "no ports"),
])
def test_other_replies(backend, reply, says):
    """A port that something else took over since."""
    def lenient(peer):
        try:
            answering(reply)(peer)
        except OSError:
            pass
    line = unhealthy(f"http://{backend(lenient).target}/")
    assert says in line, line


def test_fake_instance(backend):
    """The line, as scripts read it."""
    server = backend(answering(page(json.dumps(STATUS))))
    assert health(f"http://{server.target}") == (
        0, "healthy: 1 port, 2 connections, up 3 s")


def test_long_replies(backend):
    """A reply without an end that fills the memory; and a bound too low."""
    room = (1 << 20) - len(page(json.dumps(STATUS)))

    def handler(peer):
        try:
            answering(page(" " * room + json.dumps(STATUS)))(peer)
        except OSError:
            pass
    assert health(f"http://{backend(handler).target}")[0] == 0
    room += 1
    assert "longer than 1 MiB" in unhealthy(
        f"http://{backend(handler).target}")


def silent(peer):
    while peer.sock.recv(4096):
        pass


def drip(peer):
    """Never silent, never done."""
    reply = page(json.dumps(STATUS) + " " * 10000)
    for at in range(len(reply)):
        peer.sock.sendall(reply[at:at + 1])
        time.sleep(0.05)


@pytest.mark.parametrize("handler", [silent, drip])
def test_no_end(backend, handler):
    """A check that hangs, and is restarted or forgotten itself."""
    started = time.monotonic()
    line = unhealthy(f"http://{backend(handler).target}/")
    assert "within 5 seconds" in line
    assert 4.5 < time.monotonic() - started < 7 * SLOW


def test_full_backlog():
    """A connect that never completes."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen(0)
        port = sock.getsockname()[1]
        fillers = []
        for _ in range(4):
            fillers.append(socket.socket())
            fillers[-1].setblocking(False)
            fillers[-1].connect_ex(("127.0.0.1", port))
        assert "within 5 seconds" in unhealthy(f"http://127.0.0.1:{port}/")
        for one in fillers:
            one.close()


@pytest.mark.parametrize("url", ["https://localhost/", "localhost:50000",
                                 "http://h/a b", "http://h:0", "\n"])
def test_bad_urls(url):
    """A typing error that looks like an outage, or that is asked anyhow."""
    line = unhealthy(url)
    assert "'" in line


@pytest.mark.parametrize("arguments", [["-p", "0"], ["http://a", "http://b"],
                                       ["-v"], [""]])
def test_usage(arguments):
    """--health beside options that it would ignore."""
    done = subprocess.run([str(BIN), "--health", *arguments],
                          capture_output=True, text=True, timeout=10 * SLOW)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.count("\n") == 1
