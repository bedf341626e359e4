"""The JSON API: what clients did, which test they were in, who may see it

Tests of the shared server tell their own records by names that nobody else
has, and wait for a record by asking for it.

SPDX-License-Identifier: MPL-2.0
"""

import gzip
import http.client
import json
import os
import re
import signal
import socket
import urllib.parse
import uuid

import pytest

import mapi
from fronts import front
from server import SLOW, wait_for
from streams import Raw, Tls, client_context

HOLD = 30       # seconds: far more than anything here takes


def quoted(text):
    return urllib.parse.quote(text, safe="")


def fresh(prefix="connect_"):
    return prefix + uuid.uuid4().hex[:12]


def connect(server, port, ca="ca1.crt", host="127.0.0.1"):
    """A whole login as a client does it, TLS verified by ca."""
    context = client_context(server.file(ca).decode(), names=False)
    try:
        with Tls((host, server.port(port)), context, "localhost") as stream:
            mapi.login(stream)
            stream.close_notify()
    except OSError:
        pass            # the test asks the server what it has seen


def recorded(server, test, **filters):
    """The one record of that test, once it is there."""
    query = urllib.parse.urlencode(
        {"test": test, "wait": HOLD, **filters}, quote_via=urllib.parse.quote)
    found = server.api(f"/api/connections?{query}")["connections"]
    assert len(found) == 1, found
    return found[0]


def error(server, path, status=400):
    reply = server.get(path)
    assert reply.status == status, reply.body
    assert reply.headers["Content-Type"] == "application/json"
    found = json.loads(reply.body)
    assert list(found) == ["error"]
    return found["error"]


def held(server):
    metrics = server.get("/metrics").body.decode()
    return int(re.search(r"^mapitest_http_requests_held (\d+)$", metrics,
                         re.M)[1])


class Waiter:
    """A request that the server holds."""

    def __init__(self, server, query, host="127.0.0.1"):
        self.stream = Raw((host, server.base))
        self.stream.send(f"GET /api/connections?{query} HTTP/1.1\r\n"
                         f"Host: x\r\n\r\n".encode())

    def answer(self):
        reply = http.client.HTTPResponse(self.stream.sock)
        reply.begin()
        return reply.status, json.loads(reply.read())

    def close(self):
        self.stream.close()


def test_a_record_tells_what_the_client_did(shared):
    """A field that a client of the API relies on, missing or misnamed."""
    name = fresh("refuse_")
    shared.get(f"/?test={name}")
    connect(shared, "expiredcert")
    record = recorded(shared, name)
    assert {key: record[key] for key in (
        "port", "client", "test", "handshake", "alert_received", "alert_sent",
        "bytes_up", "bytes_down", "mapi", "end", "origin", "result_type",
        "failure_reason_code", "verdict")} == {
            "port": "expiredcert", "client": "127.0.0.1", "test": name,
            "handshake": False, "alert_received": 45, "alert_sent": None,
            "bytes_up": 0, "bytes_down": 0, "mapi": "none", "end": "eof",
            "origin": "client alert", "result_type": "certificate-expired",
            "failure_reason_code": "tls-remote-alert-45-expired-certificate",
            "verdict": "pass"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z",
                        record["time"])
    assert record["tls"]["sni"] == "localhost"
    assert set(record["tls"]) == {"version", "cipher", "group", "sni", "alpn",
                                  "resumed", "client_certificate"}
    assert set(record["seconds"]) == {"handshake", "backend", "total"}
    assert record["id"] > 0 and record["client_port"] > 0
    assert "expired" in record["why"]

    verdicts = shared.api(f"/api/verdicts?test={name}")["verdicts"]
    assert verdicts == [{
        "test": name, "port": "expiredcert", "client": "127.0.0.1",
        "verdict": "pass", "why": record["why"],
        "connection": record["id"]}]


def test_a_client_that_goes_on_has_failed(shared):
    """A client that does not verify, and passes all the same."""
    name = fresh("refuse_")
    shared.get(f"/?test={name}")
    with Tls(shared.address("expiredcert"), client_context()) as stream:
        mapi.login(stream)
        stream.close_notify()
    record = recorded(shared, name)
    assert record["verdict"] == "fail"
    assert record["mapi"] in ("response", "complete")


def test_loopback_is_one_client(shared):
    """A name that is lost because the client connects over IPv6."""
    name = fresh()
    shared.get(f"/?test={name}")
    connect(shared, "server1", host="::1")
    record = recorded(shared, name, client="127.0.0.1")
    assert record["client"] == "::1"
    assert record["verdict"] == "pass"
    assert record["result_type"] is None


def test_two_names_at_once_by_port(shared):
    """A name for one port that is bound to all, or to another one."""
    one, two = fresh(), fresh()
    shared.get("/?test=")
    shared.get(f"/?test={one}&port=server1")
    shared.get(f"/?test={two}&port={shared.port('server2')}")
    shared.get(f"/?test={fresh()}&port=name")
    connect(shared, "server2", "ca2.crt")
    connect(shared, "server1")
    since = shared.api("/api/connections?limit=0")["next"]
    connect(shared, "server3", "ca3.crt")
    assert recorded(shared, one)["port"] == "server1"
    assert recorded(shared, two)["port"] == "server2"
    others = shared.api(f"/api/connections?port=server3&since={since}"
                        f"&wait={HOLD}")["connections"]
    assert [record["test"] for record in others] == [None]


@pytest.mark.parametrize("name", [
    "connect_a b+c&d=e%41/é", "refuse_\"\\\x1b[2J\n", "x" * 200])
def test_names_are_verbatim(shared, name):
    """A name that is decoded twice, cut, or breaks what it is shown in."""
    name = uuid.uuid4().hex[:4] + name[4:]
    shared.get(f"/ca1.crt?test={quoted(name)}")
    connect(shared, "server1")
    shown = recorded(shared, name)["test"]
    assert shown.isascii() and shown.isprintable()
    assert re.sub(rb"\\(?:x([0-9a-f]{2})|(.))",
                  lambda m: bytes.fromhex(m[1].decode()) if m[1] else m[2],
                  shown.encode()) == name.encode()


@pytest.mark.parametrize("query", [
    "test=" + "x" * 201, "test=a%00b", "test=%", "test=%4", "test=a&port=",
    "test=a&port=%00", "test=a&port=nosuch", "port=server1"])
def test_what_cannot_be_bound_is_looked_up_all_the_same(shared, query):
    """A fixture that breaks with the name of its test."""
    name = fresh()
    shared.get(f"/?test={name}")
    assert shared.get(f"/?{query}").status == 200
    connect(shared, "server1")
    assert recorded(shared, name)["port"] == "server1"


def test_the_newest_run_of_a_test_counts(shared):
    """A failure that is shown on after it was mended."""
    name = fresh("refuse_")
    shared.get(f"/?test={name}")
    with Tls(shared.address("expiredcert"), client_context()) as stream:
        mapi.login(stream)
        stream.close_notify()
    first = recorded(shared, name)
    connect(shared, "expiredcert")      # in the same run: no excuse
    assert wait_for(lambda: len(shared.api(
        f"/api/connections?test={name}")["connections"]) == 2)
    row, = shared.api(f"/api/verdicts?test={name}")["verdicts"]
    assert (row["verdict"], row["connection"]) == ("fail", first["id"])

    shared.get(f"/?test={name}")
    connect(shared, "expiredcert")
    assert shared.api(f"/api/connections?test={name}&verdict=pass&limit=2"
                      f"&since=0&wait={HOLD}")["connections"]
    row, = wait_for(lambda: [
        row for row in shared.api(f"/api/verdicts?test={name}")["verdicts"]
        if row["verdict"] == "pass"])
    assert row["connection"] > first["id"]


def test_pages_are_complete(shared):
    """A record that is told twice or never by who follows `next`."""
    name = fresh()
    shared.get(f"/?test={name}")
    start = shared.api("/api/connections?limit=0")["next"]
    for _ in range(5):
        connect(shared, "server1")
    wait_for(lambda: len(shared.api(
        f"/api/connections?test={name}")["connections"]) == 5)
    found, since = [], start
    for _ in range(3):
        page = shared.api(f"/api/connections?test={name}&limit=2"
                          f"&since={since}")
        found += [record["id"] for record in page["connections"]]
        since = page["next"]
    assert len(set(found)) == len(found) == 5
    newest = shared.api(f"/api/connections?test={name}&limit=2")
    assert [r["id"] for r in newest["connections"]] == found[-2:]
    assert shared.api(f"/api/connections?test={name}&since={since}") == {
        "connections": [], "next": shared.api(
            "/api/connections?limit=0")["next"]}


@pytest.mark.parametrize("query, words", [
    ("port=nosuch", "port"), ("port=", "port"), ("client=x", "client"),
    ("client=", "client"), ("verdict=good", "pass, fail or open"),
    ("since=-1", "since"), ("since=x", "since"), ("limit=1001", "1000"),
    ("wait=61", "60"), ("wait=1.5", "wait"), ("test=%zz", "test"),
    ("test=" + "x" * 201, "200"), ("limit=1&limit=x", "limit")])
@pytest.mark.parametrize("resource", ["connections", "verdicts", "report"])
def test_errors_name_the_parameter(shared, resource, query, words):
    """A typing error that is answered by an empty list."""
    sentence = error(shared, f"/api/{resource}?{query}")
    assert words in sentence and query.split("=")[0] in sentence


def test_unknown_parameters_are_ignored(shared):
    """A client that is locked out by what a newer one knows."""
    assert "connections" in shared.api("/api/connections?colour=red&limit=0")


def test_a_wait_ends_with_its_record(shared):
    """A test that has to sleep before it asks."""
    name = fresh()
    shared.get(f"/?test={name}")
    waiter = Waiter(shared, f"test={name}&wait={HOLD}")
    wait_for(lambda: held(shared) > 0)
    connect(shared, "server1")
    status, found = waiter.answer()
    waiter.close()
    assert status == 200
    assert [record["test"] for record in found["connections"]] == [name]


def test_a_wait_ends_with_its_time(shared):
    """A request that is held on after what it asked for."""
    found = shared.api(f"/api/connections?test={fresh()}&wait=1")
    assert found["connections"] == []


def test_who_hangs_up_gives_the_place_back(start):
    """Places that a few clients can use up for ever."""
    server = start()
    for _ in range(3):
        waiters = [Waiter(server, f"wait={HOLD}") for _ in range(4)]
        wait_for(lambda: held(server) == 4)
        assert "wait" in error(server, "/api/connections?wait=1", 429)
        waiters[0].stream.reset()
        for waiter in waiters[1:]:
            waiter.stream.send(b"GET / HT")     # hides no end
            waiter.close()
        wait_for(lambda: held(server) == 0)


def test_the_stop_answers_who_waits(start):
    """A stop that hangs on a held request, or cuts it."""
    server = start()
    waiter = Waiter(server, f"wait={HOLD}")
    wait_for(lambda: held(server) == 1)
    server.stop()
    assert waiter.answer() == (200, {"connections": [], "next": 1})
    waiter.close()


def test_large_answers_that_nobody_reads(start):
    """Memory that strangers fill with answers they never take."""
    server = start("--records", "all")
    name = "\xff" * 50
    server.get(f"/?test={quoted(name)}")
    for _ in range(300):
        with Raw(server.address("plain")) as stream:
            stream.recv_exactly(1)
            stream.fin()
    wait_for(lambda: server.api("/api/connections?limit=0")["next"] == 301)
    whole = server.get("/api/connections?limit=1000").body
    assert 200_000 < len(whole) <= 1 << 20
    readers = []
    for _ in range(100):
        raw = Raw(("127.0.0.1", server.base), receive_buffer=4096)
        raw.send(b"GET /api/connections?limit=1000 HTTP/1.1\r\n"
                 b"Host: x\r\n\r\n")
        readers.append(raw)
    wait_for(lambda: server.get(
        "/api/connections?limit=1000").status == 503)
    assert server.get("/api/connections?limit=1").status == 200
    for raw in readers:
        raw.reset()
    wait_for(lambda: server.get(
        "/api/connections?limit=1000").status == 200)


def test_the_report_is_one(shared):
    """A report that RFC 8460's readers do not take."""
    name = fresh("refuse_")
    shared.get(f"/?test={name}")
    for _ in range(2):
        connect(shared, "expiredcert")
    with Raw(shared.address("expiredcert")):
        pass                                    # a probe: no session
    wait_for(lambda: len(shared.api(
        f"/api/connections?test={name}&verdict=pass")["connections"]) == 2)
    reply = shared.get(f"/api/report?test={name}")
    assert reply.headers["Content-Type"] == "application/tlsrpt+json"
    report = json.loads(reply.body)
    policy, = report["policies"]
    assert policy["policy"] == {
        "policy-type": "no-policy-found", "policy-string": [],
        "policy-domain": "localhost", "mx-host": []}
    assert policy["summary"] == {"total-successful-session-count": 0,
                                 "total-failure-session-count": 2}
    assert policy["failure-details"] == [{
        "result-type": "certificate-expired", "sending-mta-ip": "127.0.0.1",
        "receiving-mx-hostname": "localhost", "receiving-ip": "127.0.0.1",
        "failed-session-count": 2,
        "failure-reason-code": "tls-remote-alert-45-expired-certificate",
        "additional-information": f"port expiredcert, test {name}"}]

    empty = shared.api(f"/api/report?test={fresh()}")["policies"][0]
    assert empty["failure-details"] == []

    zipped = shared.get(f"/api/report?test={name}", {
        "Accept": "application/json, application/tlsrpt+gzip;q=0.9"})
    assert zipped.headers["Content-Type"] == "application/tlsrpt+gzip"
    assert "Content-Encoding" not in zipped.headers
    assert json.loads(gzip.decompress(zipped.body))["policies"] == [policy]


def test_the_plan_names_open_ports(shared):
    """A suite that loops over tests of ports that are not there."""
    tests = shared.api("/api/tests")["tests"]
    ports = shared.api("/api/portmap")["ports"]
    assert len({test["name"] for test in tests}) == len(tests) > 10
    for test in tests:
        assert test["port"] in ports
        assert test["expect"] in ("accept", "refuse", "may")
        assert test["host"] in ("same", "other")
        for name in [test["ca"], *(test["client_certificate"] or {}).values()]:
            assert name in (None, "system") or shared.file(name)


def test_metrics_are_of_the_form(shared):
    """A line that Prometheus does not read, a counter not named as one."""
    reply = shared.get("/metrics")
    assert reply.headers["Content-Type"] == (
        "text/plain; version=0.0.4; charset=utf-8")
    types = {}
    for line in reply.body.decode().splitlines():
        if line.startswith("# TYPE "):
            _, _, name, types[name] = line.split()
            assert name.endswith("_total") == (types[name] == "counter")
        elif not line.startswith("# HELP "):
            match = re.fullmatch(
                r'(\w+)(?:\{\w+="[^"\\\n]*"(?:,\w+="[^"\\\n]*")*\})? [\d.]+',
                line)
            assert match and match[1] in types, line


def test_resources_are_listed(shared):
    """A resource that nobody finds."""
    for path in shared.api("/api/")["resources"]:
        assert shared.get(path).status == 200


def test_an_operators_backend_is_not_shown(configured, backend):
    """Where the database is, told to everybody."""
    target = backend().target
    server = configured(front("sales", None, target))
    with Raw(server.address("sales")) as stream:
        stream.send(b"x")
        stream.recv_exactly(1)
    page = server.get(f"/api/connections?port=sales&wait={HOLD}").body
    assert json.loads(page)["connections"][0]["backend"] is None
    assert target.encode() not in page
    report = server.get("/api/report").body + server.get("/metrics").body
    assert target.encode() not in report


def test_own_records_only(make_network, start):
    """One client that reads what another one did."""
    network = make_network("ip addr add 192.0.2.1/24 dev lo")
    server = start("-l", "0.0.0.0", prefix=network.prefix,
                   netns=network.pid)
    mine, theirs = fresh(), fresh()

    def ask(path, source):
        def run():
            connection = http.client.HTTPConnection(
                "192.0.2.1" if source != "127.0.0.1" else source, server.base,
                timeout=20 * SLOW, source_address=(source, 0))
            connection.request("GET", path)
            return json.loads(connection.getresponse().read() or b"0")
        return network.run(run)

    def visit(name, source):
        def run():
            host = "192.0.2.1" if source != "127.0.0.1" else source
            connection = http.client.HTTPConnection(
                host, server.base, timeout=20 * SLOW,
                source_address=(source, 0))
            connection.request("GET", f"/?test={name}")
            connection.getresponse().read()
            with socket.create_connection(
                    (host, server.port("plain")), timeout=20 * SLOW,
                    source_address=(source, 0)) as raw:
                raw.recv(1)
        network.run(run)

    visit(mine, "127.0.0.1")
    visit(theirs, "192.0.2.1")
    for name, source in ((mine, "127.0.0.1"), (theirs, "192.0.2.1")):
        found = ask(f"/api/connections?wait={HOLD}", source)["connections"]
        assert {record["test"] for record in found} == {name}
        rows = ask("/api/verdicts", source)["verdicts"]
        assert {row["test"] for row in rows} <= {name}
        report = ask("/api/report", source)["policies"][0]
        assert sum(report["summary"].values()) <= 1
    others = ask("/api/connections?client=192.0.2.1", "127.0.0.1")
    assert others["connections"] == []


def test_records_keep_up_with_questions(start):
    """Records that come later, or are lost, the more clients ask for them."""
    server = start("--ports", "classic", "--workers", 1)
    control, = server.processes("control")
    asked, came = 10, 150
    ask = b"GET /api/connections?limit=0 HTTP/1.1\r\nHost: x\r\n\r\n"
    with Raw((server.host, server.base)) as stream:
        stream.send(ask)
        stream.recv()
        os.kill(control, signal.SIGSTOP)    # all of it is there at once
        try:
            for _ in range(came):
                with Raw(server.address("plain")) as client:
                    mapi.login(client)
            stream.send(asked * ask)
        finally:
            os.kill(control, signal.SIGCONT)
        answers = b""
        while answers.count(b'"next"') < asked:
            answers += stream.recv_exactly(1)
    # The last ones may have been on their way still.
    assert int(re.findall(rb'"next": (\d+)', answers)[-1]) > came * 2 / 3
