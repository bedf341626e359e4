"""Session tickets: resumed where they may be, and nowhere else

SPDX-License-Identifier: MPL-2.0
"""

import copy
import os
import shutil
import signal
import ssl

import pytest

import backends
import mapi
from reloads import echoes, make_certificate
from server import wait_for
from streams import Ended, Tls, client_context

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
NEW_SESSION_TICKET = 4


def version_name(version):
    return version.name


@pytest.fixture(params=VERSIONS, ids=version_name)
def client(request):
    """A context of one version; sessions belong to a context."""
    return client_context(version=request.param)


def visit(site, context, name="one", session=None, **more):
    """One echo; returns the session and whether one was resumed."""
    with site.connect(name, context, session=session, **more) as stream:
        assert echoes(stream)
        return stream.tls.session, stream.tls.session_reused


def resumes(site, context, session, name="one", **more):
    return visit(site, context, name, session, **more)[1]


def count_tickets(context, action):
    """Tickets that the server sends while action runs."""
    found = []

    def look(_, direction, version, content, kind, data):
        if direction == "read" and kind == NEW_SESSION_TICKET \
                and content.name == "HANDSHAKE":
            found.append(data)

    context._msg_callback = look
    try:
        action()
    finally:
        context._msg_callback = None
    return len(found)


def test_one_ticket(site, client):
    """Two tickets per handshake, as OpenSSL has it, or none."""
    sessions = []
    assert count_tickets(
        client, lambda: sessions.append(visit(site, client)[0])) == 1
    assert sessions[0].has_ticket
    # In TLS 1.3 each is for one use; in TLS 1.2 the old one stays good.
    again = 1 if client.minimum_version == ssl.TLSVersion.TLSv1_3 else 0
    assert count_tickets(
        client, lambda: resumes(site, client, sessions[0])) == again


def test_no_session_without_a_ticket(site):
    """TLS 1.2 clients without tickets, of whom each worker remembers thousands:
    memory for the asking, and sessions that no other worker knows."""
    client = client_context(version=ssl.TLSVersion.TLSv1_2)
    client.options |= ssl.OP_NO_TICKET
    session, reused = visit(site, client)
    assert not reused and not session.id
    assert not resumes(site, client, session)


def test_across_workers(idle_site, client):
    """Tickets that only the worker which issued them can read."""
    site = idle_site.start("--workers", "4")
    session, reused = visit(site, client)
    assert not reused and session.ticket_lifetime_hint == 6 * 3600
    for _ in range(40):
        assert resumes(site, client, session)


def test_across_reloads(site, client):
    session, _ = visit(site, client)
    for _ in range(3):
        site.succeed()
        assert resumes(site, client, session)


def test_new_certificate(site, client):
    """A session that goes on under a certificate it was not made with; or a
    client that is refused for trying."""
    session, _ = visit(site, client)
    make_certificate(site.folder, "new")
    site.ports["one"]["certificates"][0] = {"chain": "new.pem",
                                            "key": "new.key"}
    site.save()
    site.succeed()
    new, reused = visit(site, client, session=session)
    assert not reused
    assert resumes(site, client, new)


@pytest.mark.parametrize("change", [
    {"alpn": "ignore"}, {"tls": {"max": "1.2"}}, {"sni": "known"}])
def test_new_rules(site, change):
    """A session that was made under rules which no longer hold."""
    client = client_context(version=ssl.TLSVersion.TLSv1_2)
    session, _ = visit(site, client)
    site.ports["one"].update(change)
    site.save()
    site.succeed()
    new, reused = visit(site, client, session=session)
    assert not reused
    assert resumes(site, client, new)


def test_other_port(site, backend, client):
    """A ticket of one port that is good at another with the same files."""
    site.ports["other"] = site.port(backend(backends.echo).target)
    site.save()
    site.succeed()
    session, _ = visit(site, client)
    for _ in range(4):
        assert not resumes(site, client, session, "other")
        assert resumes(site, client, session)


def test_client_certificate_is_not_evaded(site, client):
    """A ticket from a port that asks for no client certificate, shown where
    one is required."""
    shutil.copy(site.folder / "first.pem", site.folder / "ca.pem")
    site.ports["strict"] = site.port(client_certificate="required",
                                     client_ca="ca.pem")
    site.save()
    site.succeed()
    session, _ = visit(site, client)
    for _ in range(4):
        with pytest.raises((ssl.SSLError, Ended)):
            with site.connect("strict", client, session=session) as stream:
                mapi.read_message(stream)
    # With one it is admitted, and its ticket is good there only.
    client.load_cert_chain(site.folder / "first.pem",
                           site.folder / "first.key")
    with site.connect("strict", client) as stream:
        mapi.login(stream)
        own = stream.tls.session
    with site.connect("strict", client, session=own) as stream:
        assert mapi.login(stream)[1] == mapi.sorry("strict")
        assert stream.tls.session_reused
    assert not resumes(site, client, own)


def test_client_ca_changes(site, client):
    """A client whose CA is no longer trusted, back by its ticket."""
    for name in ("ca", "other"):
        make_certificate(site.folder, name)
    target = site.ports["one"]["backend"]
    site.ports["one"] = site.port(target, client_certificate="required",
                                  client_ca="ca.pem")
    site.save()
    site.succeed()
    client.load_cert_chain(site.folder / "ca.pem", site.folder / "ca.key")
    session, _ = visit(site, client)
    assert resumes(site, client, session)
    site.ports["one"]["client_ca"] = "other.pem"
    site.save()
    site.succeed()
    with pytest.raises((ssl.SSLError, Ended)):
        visit(site, client, session=session)


def test_certificate_chosen_by_name(site, client):
    """A session of one host name resumed under another's certificate."""
    make_certificate(site.folder, "b", "b.example")
    site.ports["one"]["certificates"].append({"chain": "b.pem",
                                              "key": "b.key"})
    site.save()
    site.succeed()
    first, _ = visit(site, client, sni="localhost")
    second, reused = visit(site, client, session=first, sni="b.example")
    assert not reused
    for _ in range(6):
        assert resumes(site, client, first, sni="localhost")
        assert resumes(site, client, second, sni="b.example")
        assert not resumes(site, client, second, sni="localhost")
        assert not resumes(site, client, first, sni="b.example")


def test_after_a_crash(site, client):
    """A worker that comes back with another secret."""
    session, _ = visit(site, client)
    old = {row["pid"] for row in site.workers()}
    for pid in old:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not old & {row["pid"] for row in site.workers()},
             what="other workers")
    assert resumes(site, client, session)


# Instances


@pytest.fixture
def twin(site):
    """twin(state) -> another instance with the same configuration."""
    def begin(state):
        other = copy.copy(site)
        other.state = state
        return other.start()
    return begin


def test_two_instances(site, twin, client):
    """Instances behind one address that cannot read each other's tickets."""
    other = twin(site.state)
    session, _ = visit(site, client)
    assert resumes(other, client, session)
    session, _ = visit(other, client)
    assert resumes(site, client, session)


def test_without_the_secret(site, twin, client):
    """Tickets that any instance with the same certificate can read."""
    other = twin(site.folder / "another")
    session, _ = visit(site, client)
    assert not resumes(other, client, session)
    assert resumes(site, client, session)


def test_after_a_restart(site, twin, client):
    """--state that keeps the certificates and not the sessions."""
    session, _ = visit(site, client)
    site.server.stop()
    assert resumes(twin(site.state), client, session)


# The port table


def forward(start, backend, *options):
    return start("-n", "localhost", "-f",
                 f"0:{backend(backends.echo).target}", *options)


def visit_forward(server, context, session=None):
    with Tls(server.address("forward"), context, session=session) as stream:
        assert echoes(stream)
        return stream.tls.session, stream.tls.session_reused


def test_forward(start, backend):
    """One ticket on forward; after a renewal a full handshake, no error."""
    client = client_context()
    server = forward(start, backend, "--renew-after", "3")
    old = server.file("server3.der")
    sessions = []
    assert count_tickets(client, lambda: sessions.append(
        visit_forward(server, client)[0])) == 1
    assert visit_forward(server, client, sessions[0])[1]
    wait_for(lambda: server.file("server3.der") != old, what="a renewal")
    session, reused = visit_forward(server, client, sessions[0])
    assert not reused
    assert session.has_ticket


@pytest.mark.parametrize("port", ["server1", "server2", "tls12", "sni",
                                  "alpn_mapi9", "redirect"])
def test_test_ports_issue_none(shared, port):
    """A test that passes because the client verified nothing the second
    time."""
    client = client_context(alpn=["mapi/9"])

    def login():
        with Tls(shared.address(port), client, "localhost") as stream:
            mapi.login(stream)
            assert not (stream.tls.session and stream.tls.session.has_ticket)

    assert count_tickets(client, login) == 0
