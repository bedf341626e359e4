"""HTTP on the base port

SPDX-License-Identifier: MPL-2.0
"""

import hashlib
import json
import re

import pytest

from server import SLOW, wait_for
from streams import Raw, Tls, client_context

ALL_PORTS = ["base", "server1", "server2", "server3", "plain", "expiredcert",
             "tls12", "clientauth", "sni", "alpn_mapi9", "redirect"]
JAVA_ACCEPT = ("text/html, image/gif, image/jpeg, *; q=.2, "
               "application/json; q=.2, */*; q=.2")
TEXT = "text/plain; charset=utf-8"


def raw(server, request, fin=False):
    """The whole answer to bytes that http.client would not send."""
    with Raw((server.host, server.base)) as stream:
        stream.send(request)
        if fin:
            stream.fin()
        return stream.recv_all()


def status(answer):
    found = re.match(rb"HTTP/1\.[01] (\d{3}) ", answer)
    return int(found[1]) if found else None


@pytest.mark.parametrize("accept", [None, JAVA_ACCEPT, "text/html",
                                    "application/json", "image/png"])
def test_portmap(shared, accept):
    """A port map in HTML or JSON, or with a line that is no name:port."""
    reply = shared.get("/", {"Accept": accept} if accept else {})
    assert reply.status == 200
    assert reply.getheader("Content-Type") == TEXT
    text = reply.body.decode()
    assert text.endswith("\n")
    lines = text[:-1].split("\n")
    assert all(re.fullmatch(r"[a-z0-9_]+:[0-9]{1,5}", l) for l in lines)
    assert [line.split(":")[0] for line in lines] == ALL_PORTS
    assert lines[0] == f"base:{shared.base}"


def test_ports_accept(shared):
    """Ports on the map that nobody listens on, or two of one number."""
    assert len(set(shared.ports.values())) == len(shared.ports)
    for host in ("127.0.0.1", "::1"):
        for port in shared.ports.values():
            Raw((host, port)).close()


def test_api_portmap(shared):
    """A JSON map that differs from the text one."""
    answer = shared.api("/api/portmap")
    assert answer["hostnames"] == ["localhost", "mapitest.example"]
    assert answer["base"] == shared.base
    numbers = {name: row["port"] for name, row in answer["ports"].items()}
    assert numbers == {name: port for name, port in shared.ports.items()
                       if name != "base"} | (
        {"base": shared.base} if "base" in numbers else {})
    rows = answer["ports"]
    assert rows["server1"]["tls"] == ["1.3", "1.3"]
    assert rows["server1"]["certificate"] == "server1"
    assert rows["server1"]["backend"] == "simulator"
    assert rows["tls12"]["tls"] == ["1.2", "1.2"]
    assert rows["plain"]["tls"] is None
    assert rows["plain"]["certificate"] is None
    assert rows["expiredcert"]["certificate"] == "server1x"
    assert rows["expiredcert"]["expect"] == "refuse"
    for row in rows.values():
        assert row["group"] == "classic" and row["rule"]
        assert row["expect"] in ("accept", "refuse", "may", "test")


def test_api_status(shared, files):
    """A status that misses a process, a port or a certificate."""
    answer = shared.api("/api/status")
    kinds = [row["kind"] for row in answer["processes"]]
    assert kinds.count("master") == 1 and kinds.count("control") == 1
    assert kinds.count("simulator") == 1 and kinds.count("worker") >= 1
    pids = {row["pid"] for row in answer["processes"]}
    assert shared.pid in pids and len(pids) == len(kinds)
    assert pids <= set(shared.survivors())
    assert all(row["restarts"] == 0 for row in answer["processes"])
    assert re.match(r"\d+\.\d+", answer["version"])
    assert answer["uptime_seconds"] >= 0
    for name, row in answer["ports"].items():
        assert row["port"] == shared.port(name)
    assert set(shared.ports) - {"base"} <= set(answer["ports"])
    for name in ("server1", "server2", "server3", "server1x"):
        digest = hashlib.sha256(files.bytes(f"{name}.der")).hexdigest()
        assert answer["certificates"][name]["sha256"] == digest


def test_counters(shared):
    """Counters of a port that do not count, or never go down."""
    def row():
        return shared.api("/api/status")["ports"]["plain"]

    wait_for(lambda: row()["active"] == 0, what="no connection on plain")
    before = row()
    with Raw(shared.address("plain")) as stream:
        stream.recv(1)
        wait_for(lambda: row()["active"] == 1, what="one active")
    wait_for(lambda: row()["active"] == 0, what="none active")
    assert row()["accepted"] == before["accepted"] + 1


@pytest.mark.parametrize("name, kind", [
    ("server1.crt", TEXT), ("server1.key", TEXT), ("ca2.crt", TEXT),
    ("client2.keycrt", TEXT), ("server1.der", "application/binary"),
    ("ca1.der", "application/binary")])
def test_content_type(shared, name, kind):
    """Files under a type that clients do not expect."""
    reply = shared.get(f"/{name}")
    assert reply.status == 200
    assert reply.getheader("Content-Type") == kind


@pytest.mark.parametrize("path", ["/", "/ca1.crt", "/server1.der",
                                  "/api/portmap", "/api/status"])
@pytest.mark.parametrize("query", ["test=connect_tls", "test=a%20b&x", "",
                                   "a=/../b?c=d&&=", "=&%"])
def test_query(shared, path, query):
    """A query that is taken for a part of the name."""
    reply = shared.get(f"{path}?{query}")
    assert reply.status == 200, reply.body
    if not path.startswith("/api/status"):
        assert reply.body == shared.get(path).body


@pytest.mark.parametrize("path", ["/", "/ca1.crt", "/server1.der",
                                  "/api/portmap"])
def test_head(shared, path):
    """HEAD with a body, or with other headers than GET."""
    head, get = shared.request("HEAD", path), shared.get(path)
    assert head.status == 200
    assert head.body == b""
    assert head.getheader("Content-Length") == str(len(get.body))
    assert head.getheader("Content-Type") == get.getheader("Content-Type")
    answer = raw(shared, f"HEAD {path} HTTP/1.1\r\nHost: x\r\n"
                         "Connection: close\r\n\r\n".encode())
    assert answer.endswith(b"\r\n\r\n") and answer.count(b"\r\n\r\n") == 1


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH",
                                    "OPTIONS", "BREW"])
@pytest.mark.parametrize("path", ["/", "/ca1.crt", "/api/status"])
def test_other_methods(shared, method, path):
    """Other methods that change or serve something."""
    reply = shared.request(method, path, body=b"x=y")
    assert reply.status == 405
    allowed = {word.strip() for word in reply.getheader("Allow").split(",")}
    assert {"GET", "HEAD"} <= allowed
    if path.startswith("/api/"):
        assert "GET" in json.loads(reply.body)["error"]


@pytest.mark.parametrize("path", [
    "/nothing", "/server1", "/server1.pem", "/ca1.crt/", "//ca1.crt",
    "/SERVER1.CRT", "/../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd",
    "/..%2f..%2fetc%2fpasswd", "/ca1.crt%00", "/ca1%252ecrt", "/%", "/%zz",
    "/ca1.crt%2f..", "/./ca1.crt", "/api", "/api/nothing",
    "/favicon.ico"])
def test_unknown(shared, path):
    """A path that leaves the known names, or is decoded twice."""
    answer = raw(shared, f"GET {path} HTTP/1.1\r\nHost: x\r\n"
                         "Connection: close\r\n\r\n".encode())
    assert status(answer) in (400, 404), answer
    assert b"root:" not in answer and b"BEGIN" not in answer


@pytest.mark.parametrize("path", ["/ca1%2ecrt", "/%63a1.crt",
                                  "/%63%61%31%2E%63%72%74?test=x"])
def test_percent_decoding(shared, files, path):
    """Names that a client was free to encode and that are not found."""
    assert shared.get(path).body == files.bytes("ca1.crt")


@pytest.mark.parametrize("path", ["/", "/ca1.crt", "/ca1.der", "/nothing",
                                  "/api/portmap", "/api/status", "/api/x"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_nosniff(shared, method, path):
    """An answer whose type a browser may guess."""
    reply = shared.request(method, path)
    assert reply.getheader("X-Content-Type-Options") == "nosniff"


BROKEN = {
    "no request": b"\r\n\r\n\r\n",
    "no version": b"GARBAGE\r\n\r\n",
    "bad version": b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
    "bad length": b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n"
                   b"Content-Length: 2\r\n\r\nab",
    "bad chunk": b"POST / HTTP/1.1\r\nHost: x\r\n"
                 b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    "binary": bytes(range(256)) * 4,
    "nuls": bytes(64),
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
    "mapi": b"\x0d\x00hello!" * 20,
    "long path": b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "long header": b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 100_000
                   + b"\r\n\r\n",
    "many headers": b"GET / HTTP/1.1\r\nHost: x\r\n"
                    + b"".join(b"X-%d: y\r\n" % n for n in range(20_000))
                    + b"\r\n",
}


@pytest.mark.parametrize("what", BROKEN)
def test_broken_request(shared, what):
    """A request that crashes, hangs, or is served."""
    answer = b""
    with Raw((shared.host, shared.base), timeout=1) as stream:
        try:
            stream.send(BROKEN[what])
            stream.fin()
            while some := stream.recv():
                answer += some
        except TimeoutError:
            pass                    # it waits for the rest, within limits
        except OSError:
            answer += stream.recv_all()     # the answer was quicker
    assert status(answer) in (None, *range(400, 500), 505), answer[:200]
    assert shared.get("/").status == 200


@pytest.mark.parametrize("path", [b"/\0", b"/ca1.crt\0.txt", b"/x\0"])
def test_nul(shared, path):
    """A path behind whose NUL something else is found than before it."""
    answer = raw(shared, b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n"
                         b"Connection: close\r\n\r\n")
    if status(answer) == 200:
        head = path.split(b"\0")[0].decode()
        assert answer.endswith(shared.get(head).body)
    else:
        assert 400 <= status(answer) < 500


@pytest.mark.parametrize("what", ["long path", "long header"])
def test_oversized_is_told(shared, what):
    """An oversized request that is dropped without saying why."""
    with Raw((shared.host, shared.base)) as stream:
        stream.send(BROKEN[what][:40_000])
        answer = stream.recv_all()
    assert 400 <= (status(answer) or 0) < 500, answer[:200]


def test_pipelining(shared):
    """Two requests in one segment, the second of which is lost."""
    answer = raw(shared, b"GET /ca1.crt HTTP/1.1\r\nHost: x\r\n\r\n"
                         b"GET /nothing HTTP/1.1\r\nHost: x\r\n"
                         b"Connection: close\r\n\r\n")
    assert re.findall(rb"HTTP/1\.1 (\d+)", answer) == [b"200", b"404"]


def test_http_1_0(shared, files):
    """An old client that gets no answer, or no end to it."""
    answer = raw(shared, b"GET /ca1.crt HTTP/1.0\r\n\r\n")
    assert status(answer) == 200
    assert answer.endswith(files.bytes("ca1.crt"))


def test_errors_are_json(shared):
    """Errors below /api/ that a program cannot read."""
    reply = shared.get("/api/nothing")
    assert reply.status == 404
    assert isinstance(json.loads(reply.body)["error"], str)


def test_idle_clients(shared):
    """A client that sends nothing and keeps the others from service."""
    idle = [Raw((shared.host, shared.base)) for _ in range(50)]
    try:
        assert shared.request("GET", "/", timeout=5 * SLOW).status == 200
    finally:
        for stream in idle:
            stream.close()


def test_no_foreign_key(shared, files):
    """Only generated material is served: never the process's own files."""
    for path in ("/proc/self/environ", "/CMakeLists.txt", "/mapitest"):
        assert shared.get(path).status == 404
    context = client_context(files.text("ca1.crt"))
    with Tls(shared.address("server1"), context, "localhost") as stream:
        assert stream.tls.getpeercert(True) == files.bytes("server1.der")
