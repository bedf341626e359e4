"""Reload: a new configuration, or the old one undisturbed

SPDX-License-Identifier: MPL-2.0
"""

import contextlib
import os
import signal
import socket

import pytest

import backends
import mapi
from reloads import (
    echoes, free_port, is_refused, make_certificate, undisturbed)
from server import wait_for
from streams import Raw


def refuse(site, error, *, again=True):
    """A reload that must fail, told once; then one that must not."""
    start = len(site.server.log())
    before = site.outcome()
    after = site.reload()
    assert after["failed"] == before["failed"] + 1
    assert after["done"] == before["done"]
    assert error in after["error"], after["error"]
    site.told("not reloaded", 1, start)
    if again:
        site.save()
        site.succeed()


@pytest.mark.parametrize("shift", ["", "a"])
@pytest.mark.parametrize("where", ["files", "check"])
def test_error_is_cut(site, where, shift):
    """A status that cannot be had while the last error, in the middle of a
    character, is not UTF-8: health checks then end what serves well."""
    path = "/".join([shift + "\u00fc" * 100] * 5)
    if where == "files":
        site.save(site.text().replace("first.pem", path))
    else:
        (site.folder / path).parent.mkdir(parents=True)
        (site.folder / path).write_text("no certificate")
        site.save(site.text().replace("first.pem", path))
    refuse(site, "\u00fc" * 100)


# What a reload can change


def test_unchanged(site):
    """A reload of the same file that moves a port or cuts a connection."""
    with undisturbed(site):
        old = {row["pid"] for row in site.workers()}
        site.succeed()
        assert site.reload()["done"] == 2
        new = {row["pid"] for row in site.workers() if row["edition"] == 2}
        assert len(new) == 2 and not new & old
    site.told("reloaded: 2 configured ports", 2)


def test_port_added(site):
    with undisturbed(site):
        site.ports["three"] = site.port()
        site.save()
        site.succeed()
        # The numbers of the others stay; the new one is served.
        site.login("three")
        with contextlib.suppress(KeyError):
            site.server.fetch_ports()
        del site.ports["three"]
        site.save()
        number = site.number("three")
        site.succeed()
    assert is_refused(number)


def test_port_removed(site):
    """A port that still listens, or whose connections are cut or nameless."""
    number = site.number("one")
    stream = site.open("one")
    one = site.ports.pop("one")
    site.save()
    site.succeed()
    assert is_refused(number)
    assert "one" not in site.status()["ports"]
    assert echoes(stream)
    # A new port does not inherit what was counted for the old one.
    site.ports["late"] = site.port()
    site.save()
    site.succeed()
    row = site.status()["ports"]["late"]
    assert (row["accepted"], row["active"], row["bytes_up"]) == (0, 0, 0)
    stream.close()
    record = site.server.wait_connection(stream.local_port)
    assert record["port"] == "one" and record["bytes_up"] > 0
    # Now its place is free.
    wait_for(lambda: len(site.workers()) == 2, what="old workers gone")
    site.ports["later"] = one
    site.save()
    site.succeed()
    row = site.status()["ports"]["later"]
    assert (row["accepted"], row["active"], row["bytes_up"]) == (0, 0, 0)
    site.open("later").close()


def test_port_renamed(idle_site):
    """A rename that loses the address, or tells connections by the new name."""
    site, number = idle_site, free_port()
    site.ports["one"]["listen"] = [f"127.0.0.1:{number}"]
    site.start()
    with site.open("one") as stream:
        site.ports["other"] = site.ports.pop("one")
        site.save()
        site.succeed()
        assert site.number("other") == number
        with site.open("other") as new:
            pass
        assert echoes(stream)
    assert site.server.wait_connection(stream.local_port)["port"] == "one"
    assert site.server.wait_connection(new.local_port)["port"] == "other"


def test_ports_swap_addresses(idle_site):
    """Addresses that are bound twice, or served by the port that had them."""
    site, first, second = idle_site, free_port(), free_port()
    site.ports["one"]["listen"] = [f"127.0.0.1:{first}"]
    site.ports["two"]["listen"] = [f"127.0.0.1:{second}"]
    site.start()
    site.ports["one"]["listen"], site.ports["two"]["listen"] = (
        site.ports["two"]["listen"], site.ports["one"]["listen"])
    site.save()
    site.succeed()
    assert (site.number("one"), site.number("two")) == (second, first)
    site.open("one").close()
    site.login("two")


def test_port_takes_the_number_of_any(site):
    """Two ports on one socket: a number that another port got by chance."""
    number = site.number("one")
    site.ports["two"]["listen"] = [f"127.0.0.1:{number}"]
    site.save()
    site.succeed()
    assert site.number("two") == number
    assert site.number("one") != number
    for _ in range(8):
        site.login("two")
        site.open("one").close()


def test_port_moved(site):
    old = site.number("one")
    with site.open("one") as stream:
        new = free_port()
        site.ports["one"]["listen"] = [f"127.0.0.1:{new}"]
        site.save()
        site.succeed()
        assert site.number("one") == new
        assert is_refused(old)
        assert echoes(stream)
        site.open("one").close()


def test_another_address(site):
    """Addresses added and removed one by one."""
    number = site.number("one")
    site.ports["one"]["listen"].append("127.0.0.2:0")
    site.save()
    site.succeed()
    assert site.number("one") == number
    site.open("one").close()


def test_any_number_stays(site):
    """Port 0 that gets another number by each reload."""
    numbers = site.number("one"), site.number("two")
    for _ in range(3):
        site.succeed()
        assert (site.number("one"), site.number("two")) == numbers


def test_certificate_replaced(site):
    with site.open("one") as stream:
        new = make_certificate(site.folder, "new")
        assert new != site.first
        site.ports["one"]["certificates"] = [
            {"chain": "new.pem", "key": "new.key"}]
        site.save()
        site.succeed()
        assert site.presented("one") == new
        assert site.presented("two") == site.first
        assert echoes(stream)


def test_backend_changed(site, backend):
    """Open connections that change their backend, or new ones that do not."""
    with site.open("one") as stream:
        site.ports["one"]["backend"] = backend(backends.monetdb(b"!no")).target
        site.save()
        site.succeed()
        with site.connect("one") as new:
            assert mapi.read_message(new).startswith(b"abcdefgh:")
            new.send(mapi.LOGIN)
            assert mapi.read_message(new) == b"!no"
            assert new.recv_all() == b""
        assert echoes(stream)


def test_limits_and_timers_changed(site):
    """Limits that stay, or that hold for what was open before only."""
    with site.open("one") as stream:
        site.ports["one"]["limits"] = {"connections": 2}
        site.ports["two"]["timers"] = {"first_byte": 0.2}
        site.save()
        site.succeed()
        limits = site.status()["ports"]["one"]["limits"]
        assert limits["connections"]["limit"] == 2
        with site.open("one"):
            with Raw(("127.0.0.1", site.number("one"))) as third:
                assert third.recv_all() == b""
        assert echoes(stream)
        with site.connect("two") as silent:
            mapi.read_message(silent)
            assert silent.recv_all() == b""
    site.server.wait_connection(silent.local_port, "two")


def test_simulator_newly_wanted(idle_site):
    """A port in front of a simulator that never was started."""
    site = idle_site
    site.ports.pop("two")
    number = free_port()
    site.top["http"] = [f"127.0.0.1:{number}"]
    site.save()
    server = site.server = site.begin(
        "--config", site.file, "--workers", "2", base=None, ready=False)
    server.wait_line("Serving 1 configured ports")
    server.base = number
    assert server.processes("simulator") == []
    with site.open("one") as stream:
        site.ports["two"] = site.port()
        site.save()
        site.succeed()
        site.login()
        assert echoes(stream)
    simulator, = server.processes("simulator")
    os.kill(simulator, signal.SIGKILL)
    wait_for(lambda: simulator not in server.processes("simulator"),
             what="another simulator")
    site.login()


def test_http_address_takes_a_restart(idle_site):
    """A change that is passed over without a word."""
    site = idle_site
    site.top["http"] = [f"127.0.0.1:{free_port()}"]
    site.start()
    site.top["http"] = [f"127.0.0.1:{free_port()}"]
    site.save()
    site.succeed()
    site.told("http.*takes a restart", 1)
    site.succeed()


# What it can be refused for


def test_syntax_error(site):
    with undisturbed(site):
        site.save(site.text()[:-20])
        refuse(site, "mapitest.json:")


def test_unknown_key(site):
    with undisturbed(site):
        site.top["prots"] = 1
        site.save()
        del site.top["prots"]
        refuse(site, "prots")


def test_configuration_missing(site):
    with undisturbed(site):
        site.file.unlink()
        refuse(site, "mapitest.json")


def test_configuration_is_no_file(site):
    with undisturbed(site):
        site.file.unlink()
        site.file.mkdir()
        refuse(site, "mapitest.json", again=False)
        site.file.rmdir()
        site.save()
        site.succeed()


# Root without the right to read everything.
AS_ANYBODY = [] if os.geteuid() != 0 else [
    "setpriv", "--bounding-set", "-dac_override,-dac_read_search"]


@pytest.mark.parametrize("name", ["mapitest.json", "new.pem", "new.key"])
def test_unreadable(idle_site, name):
    """A file without the right to read it, which leaves a reload half done."""
    site = idle_site.start(prefix=AS_ANYBODY)
    with undisturbed(site):
        make_certificate(site.folder, "new")
        site.ports["new"] = site.port(certificate="new")
        site.save()
        (site.folder / name).chmod(0)
        refuse(site, name, again=False)
        (site.folder / name).chmod(0o600)
        del site.ports["new"]
        site.save()
        site.succeed()


@pytest.mark.parametrize("name", ["new.pem", "new.key"])
@pytest.mark.parametrize("flaw", ["missing", "folder", "fifo", "empty",
                                  "garbage"])
def test_certificate_file(site, name, flaw):
    """A file that cannot be used, which only the new workers would notice."""
    with undisturbed(site):
        make_certificate(site.folder, "new")
        path = site.folder / name
        path.unlink()
        if flaw == "folder":
            path.mkdir()
        elif flaw == "fifo":
            os.mkfifo(path, 0o600)
        elif flaw in ("empty", "garbage"):
            path.write_text("-----BEGIN" * (flaw == "garbage"))
            path.chmod(0o600)
        site.ports["new"] = site.port(certificate="new")
        site.save()
        del site.ports["new"]
        refuse(site, name)


def test_key_does_not_match(site):
    with undisturbed(site):
        make_certificate(site.folder, "new")
        site.ports["new"] = site.port(certificate="new")
        site.ports["new"]["certificates"][0]["key"] = "first.key"
        site.save()
        del site.ports["new"]
        refuse(site, "does not belong")


def test_key_for_all_to_read(site):
    with undisturbed(site):
        make_certificate(site.folder, "new")
        (site.folder / "new.key").chmod(0o644)
        site.ports["new"] = site.port(certificate="new")
        site.save()
        del site.ports["new"]
        refuse(site, "open to everybody")


def test_address_in_use(site):
    """Half of the new ports left open by a reload that is refused."""
    with undisturbed(site):
        free = free_port()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            taken = listener.getsockname()[1]
            site.ports["a"] = site.port(listen=f"127.0.0.1:{free}")
            site.ports["b"] = site.port(listen=f"127.0.0.1:{taken}")
            site.save()
            refuse(site, f"127.0.0.1:{taken}", again=False)
            assert is_refused(free)
        site.succeed()
        site.login("b")
        del site.ports["a"], site.ports["b"]
        site.save()
        site.succeed()


def test_wider_address(idle_site):
    """Not possible without a gap: the same number on all addresses is in use,
    by ourselves.  It must be refused, not half done."""
    site, number = idle_site, free_port()
    site.ports["one"]["listen"] = [f"127.0.0.1:{number}"]
    site.start()
    with undisturbed(site):
        site.ports["one"]["listen"] = [f"0.0.0.0:{number}"]
        site.save()
        site.ports["one"]["listen"] = [f"127.0.0.1:{number}"]
        refuse(site, f"0.0.0.0:{number}")


def test_backend_without_address(site):
    with undisturbed(site):
        site.ports["new"] = site.port("db.invalid:50000")
        site.save()
        del site.ports["new"]
        refuse(site, "db.invalid")


@pytest.mark.parametrize("key", ["ciphers", "ciphersuites", "groups"])
def test_unknown_algorithm(site, key):
    with undisturbed(site):
        site.ports["new"] = site.port(tls={key: "ROT13"})
        site.save()
        del site.ports["new"]
        refuse(site, f"tls.{key}")


def test_too_many_ports(site):
    with undisturbed(site):
        keep = dict(site.ports)
        for at in range(130):
            site.ports[f"p{at}"] = site.port()
        site.save()
        site.ports = keep
        refuse(site, "128")


def test_too_many_ports_with_old_ones(site):
    """Ports that share a place with others, whose connections are open."""
    keep = dict(site.ports)
    stream = site.open("one")
    for at in range(126):
        site.ports[f"a{at}"] = site.port()
    site.save()
    site.succeed()
    with site.connect("a7") as old:
        mapi.read_message(old)
        site.ports = dict(keep)
        for at in range(126):
            site.ports[f"b{at}"] = site.port()
        site.save()
        refuse(site, "old connections", again=False)
        assert echoes(stream)
    site.server.wait_connection(old.local_port, "a7")
    stream.close()
    site.ports = keep
    site.save()
    site.succeed()
    wait_for(lambda: len(site.workers()) == 2, what="old workers gone")
    for at in range(126):
        site.ports[f"b{at}"] = site.port()
    site.save()
    site.succeed()
    site.login("b125")
