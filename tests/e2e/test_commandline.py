"""The command line: exit codes, one clear line, numbers of the ports

Tests that need a certain port number run in a network namespace of their
own, where all are free.

SPDX-License-Identifier: MPL-2.0
"""

import os
import re
import shutil
import socket
import subprocess

import pytest

import backends
import mapi
from server import BIN, SLOW
from streams import Raw, Tls, client_context

NAMES = ["server1", "server2", "server3", "plain", "expiredcert", "tls12",
         "clientauth", "sni", "alpn_mapi9", "redirect"]
BASE = 4300


def run(*arguments, prefix=(), binary=BIN, env=None):
    """The program's exit status, stdout and stderr; asserts that it ends."""
    done = subprocess.run(
        [*prefix, str(binary), *map(str, arguments)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=20 * SLOW, env=env)
    return done.returncode, done.stdout, done.stderr


def fails(codes, *arguments, says=(), prefix=(), **options):
    """Assert an exit status and one line on stderr that names the culprit."""
    code, output, errors = run(*arguments, prefix=prefix, **options)
    assert code in codes, (code, errors)
    assert output == ""
    assert errors.endswith("\n") and errors.count("\n") == 1, errors
    for word in says:
        assert word in errors, errors


def listen(host, port):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((host, port))
    sock.listen()
    return sock


def refused(server, host, port):
    def attempt():
        try:
            Raw((host, port)).close()
        except ConnectionRefusedError:
            return True
        return False
    return server.inside(attempt)


@pytest.fixture
def inside(netns):
    """Options that start a server in a namespace of this test's own."""
    return {"netns": netns.pid, "prefix": netns.prefix, "base": BASE}


# What the program says of itself


def test_help():
    """A --help that goes to stderr, fails, or omits an option."""
    code, output, errors = run("--help")
    assert code == 0 and errors == ""
    for option in ("-p, --base-port", "-w, --write", "-l, --listen-addr",
                   "-n, --hostname", "--sequential", "--advertise-base",
                   "-a, --assign", "-f, --forward", "-b, --backend",
                   "-v, --verbose", "--ports", "--version", "--help",
                   "--workers", "--log-format", "--config FILE", "--check",
                   "--state DIR", "--user NAME", "--limit-connections N",
                   "--limit-per-client N", "--limit-handshakes N",
                   "--limit-http N", "--history N",
                   "--records all|own", "--allow-world-readable-keys",
                   "--health [URL]"):
        assert option in output
    assert max(map(len, output.splitlines())) <= 80


def test_version():
    """A --version that does not say one."""
    code, output, errors = run("--version")
    assert code == 0 and errors == ""
    assert re.search(r"\d+\.\d+", output) and "mapitest" in output


# Wrong usage: exit status 2


@pytest.mark.parametrize("arguments, says", [
    ([], []),
    (["-n", "localhost"], []),
    (["--no-such-option"], ["no-such-option"]),
    (["-Z"], ["Z"]),
    (["-p"], ["-p"]),
    (["-p", "0", "extra"], ["extra"]),
    (["-p", "x"], ["x"]),
    (["-p", ""], []),
    (["-p", "-1"], ["-1"]),
    (["-p", "65536"], ["65536"]),
    (["-p", "12 "], ["12"]),
    (["-p", "99999999999999999999"], ["99999999999999999999"]),
    (["-p", "0", "-a", "server1"], ["server1"]),
    (["-p", "0", "-a", "server1=70000"], ["70000"]),
    (["-p", "0", "-a", "=1"], ["=1"]),
    (["-f", "localhost:50000"], ["localhost:50000"]),
    (["-f", "0:localhost"], ["0:localhost"]),
    (["-f", "0:localhost:x"], ["0:localhost:x"]),
    (["-f", "0:localhost:70000"], ["70000"]),
    (["-f", "70000:localhost:1"], ["70000"]),
    (["-f", "0:[::1:1"], ["[::1"]),
    (["-p", "0", "-b", "nothing"], ["nothing"]),
    (["-p", "0", "-b", "tmp/s"], ["tmp/s", "absolute path"]),
    (["-p", "0", "-b", "/" + 107 * "s"], ["longer", "107"]),
    (["-f", "0:tmp/s"], ["tmp/s", "absolute path"]),
    (["-p", "0", "--workers", "0"], ["0"]),
    (["-p", "0", "--workers", "x"], ["x"]),
    (["-p", "0", "--log-format", "xml"], ["xml"]),
    (["-p", "0", "--check"], ["--check"]),
    (["--state", "x", "--user", "nobody"], ["--config"]),
    (["-p", "0", "--limit-connections", "many"], ["many"]),
    (["-p", "0", "--limit-per-client", "-1"], ["-1"]),
    (["-p", "0", "--limit-handshakes", "1000001"], ["1000001"]),
    (["-p", "0", "--limit-http", "0"], ["0"]),
    (["-p", "0", "--limit-http", "10001"], ["10001"]),
    (["-p", "0", "--history", "1000001"], ["1000001"]),
    (["-p", "0", "--history", "-1"], ["-1"]),
    (["-p", "0", "--records", "some"], ["some", "all", "own"]),
    (["-p", "0", "--handshake-timeout", "soon"], ["soon"]),
    (["-p", "0", "--stall-timeout", "-1"], ["-1"]),
    (["-p", "0", "--ports", "nonsense"], ["nonsense"]),
    (["--s", "-p", "0"], []),           # ambiguous: sequential, stall-timeout
])
def test_usage(arguments, says):
    """Wrong usage that is served, or told by a page of text."""
    fails([2], *arguments, says=says)


@pytest.mark.parametrize("arguments, says", [
    (["--sequential", "-p", "0"], ["sequential"]),
    (["-p", str(BASE), "-f", f"{BASE}:localhost:1"], ["base port"]),
    (["-p", "0", "-a", "base=4000"], ["use -p"]),
])
def test_contradictions(netns, arguments, says):
    """Options that cannot go together and that start something all the same.
    """
    fails([1, 2], *arguments, says=says, prefix=netns.prefix)


# What the machine refuses: exit status 1


@pytest.mark.parametrize("arguments, says", [
    (["-p", "0", "-a", "nonesuch=4000"], ["nonesuch"]),
    (["-p", "0", "-l", "no-such-host.invalid"], ["no-such-host.invalid"]),
    (["-p", "0", "-l", "192.0.2.1"], ["192.0.2.1"]),
    (["-p", "0", "-l", "2001:db8::1"], ["2001:db8::1"]),
])
def test_errors(netns, arguments, says):
    """A culprit that the message does not name."""
    fails([1], *arguments, says=says, prefix=netns.prefix)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("what, arguments", [
    ("base", ["-p", "4301"]),
    ("assigned", ["-p", "0", "-a", "sni=4301"]),
    ("forward", ["-p", "0", "-f", "4301:localhost:1"]),
    ("sequential", ["-p", "4297", "--sequential"]),
])
def test_port_in_use(netns, host, what, arguments):
    """A port that another program has, on one family only, and no error."""
    taken = netns.run(lambda: listen(host, 4301))
    try:
        fails([1], *arguments, says=["4301"], prefix=netns.prefix)
    finally:
        taken.close()


def test_port_twice(netns):
    """One number for two ports of the program."""
    fails([1, 2], "-p", BASE, "-a", "sni=4310", "-a", "plain=4310",
          says=["4310"], prefix=netns.prefix)
    fails([1, 2], "-p", BASE, "-a", f"sni={BASE}", says=[str(BASE)],
          prefix=netns.prefix)


@pytest.mark.parametrize("arguments", [
    ["-p", str(BASE)], ["-p", "0", "-a", "server1=4301"],
    ["-p", "4290", "--sequential"]])
def test_second_instance(start, inside, netns, arguments):
    """SO_REUSEPORT that lets a second instance steal connections."""
    first = start("--sequential", "-n", "localhost", **inside)
    second = start(*arguments, netns=netns.pid, prefix=netns.prefix,
                   base=None, log_format=None, ready=False)
    assert second.wait_exit() == 1
    assert len(second.log()) == 1 and re.search(r"\b43\d\d\b",
                                                second.log()[0])
    assert second.survivors() == []

    def try_all():
        for _ in range(20):
            with Raw(first.address("plain")) as stream:
                assert mapi.login(stream)[1] == mapi.sorry("plain")
    first.inside(try_all)


def test_two_instances_on_any_port(start):
    """Two instances on port 0 that share a number."""
    one, two = start(), start()
    assert not set(one.ports.values()) & set(two.ports.values())


def test_nothing_stays_behind(start, netns):
    """Children or listeners that outlive a failed start."""
    taken = netns.run(lambda: listen("::1", 4310))
    server = start("--sequential", base=BASE, ready=False,
                   netns=netns.pid, prefix=netns.prefix)
    assert server.wait_exit() == 1
    taken.close()
    assert server.survivors() == []
    assert refused(server, "127.0.0.1", BASE)
    start("--sequential", base=BASE, netns=netns.pid, prefix=netns.prefix)


def test_busy_extended_port(start, netns, inside):
    """A start that fails for the sake of one extended port, or moves others;
    and a classic port that is left out in silence."""
    taken = netns.run(lambda: listen("127.0.0.1", BASE + len(NAMES) + 2))
    server = start("--sequential", "--ports", "classic,chains", **inside)
    server.wait_line("'chain_intermediate' stays off: .*in use")
    assert "chain_intermediate" not in server.ports
    everywhere = start("--ports", "classic,chains", **{**inside, "base": 0})
    rows = list(everywhere.ports)[1:]
    assert [server.ports.get(name) for name in rows] == [
        None if name == "chain_intermediate" else BASE + 1 + at
        for at, name in enumerate(rows)]
    taken.close()


# Numbers


def test_sequential(start, inside):
    """Ports that moved from where clients configured them."""
    server = start("--sequential", **inside)
    wanted = {name: BASE + 1 + at for at, name in enumerate(NAMES)}
    assert server.ports == {"base": BASE, **wanted}


def test_sequential_skips_given_numbers(start, inside):
    """A number of -a or -f that is given out a second time."""
    server = start("--sequential", "-a", f"plain={BASE + 1}",
                   "-f", f"{BASE + 3}:localhost:1", **inside)
    numbers = [n for n in range(BASE + 1, BASE + 20)
               if n not in (BASE + 1, BASE + 3)]
    wanted = {name: numbers.pop(0) for name in NAMES if name != "plain"}
    assert server.ports == {"base": BASE, "plain": BASE + 1,
                            "forward": BASE + 3, **wanted}


def test_assign(start, inside):
    """-a that is ignored, or that counts only once."""
    server = start("-a", "plain=5001", "-a", "sni=5002", **inside)
    assert server.port("plain") == 5001 and server.port("sni") == 5002
    assert set(server.ports) == {"base", *NAMES}

    def login():
        with Raw((server.host, 5001)) as stream:
            return mapi.login(stream)[1]
    assert server.inside(login) == mapi.sorry("plain")


def test_advertise_base(start, inside, files_of):
    """Numbers of the inside told to clients outside of a container."""
    server = start("--sequential", "--advertise-base", 14300,
                   "-n", "localhost", ready=False, **inside)
    server.wait_line("Serving requests on base port 4300")
    server.base = BASE
    lines = server.get("/").body.decode().split()
    wanted = {name: 14301 + at for at, name in enumerate(NAMES)}
    assert lines == ["base:14300"] + [f"{n}:{p}" for n, p in wanted.items()]
    rows = server.api("/api/portmap")["ports"]
    assert {name: rows[name]["port"] for name in NAMES} == wanted

    def login():
        with Tls((server.host, BASE + 10), client_context()) as stream:
            return mapi.login(stream)[1]
    assert b"://localhost:14302?" in server.inside(login)


# Addresses


@pytest.mark.parametrize("option", ["-l", "--listen-addr", "--listen"])
@pytest.mark.parametrize("host, other", [("127.0.0.1", "::1"),
                                         ("::1", "127.0.0.1")])
def test_listen(start, inside, option, host, other):
    """An address that was not asked for; the old image says --listen."""
    server = start(option, host, host=host, **inside)
    for port in server.ports.values():
        assert not refused(server, host, port)
        assert refused(server, other, port)


def test_listen_default(start):
    """Defaults that follow the resolver, or are open to the network."""
    server = start()
    for host in ("127.0.0.1", "::1"):
        with Raw((host, server.port("plain"))) as stream:
            assert mapi.login(stream)[1] == mapi.sorry("plain")
    assert refused(server, "127.0.0.2", server.port("plain"))


def test_listen_duplicates(start):
    """An address given twice that is then in use by ourselves."""
    server = start("-l", "127.0.0.1", "-l", "localhost", "-l", "127.0.0.1",
                   "-l", "127.0.0.2")
    for host in ("127.0.0.1", "127.0.0.2"):
        Raw((host, server.port("plain"))).close()


def test_listen_wildcards(start):
    """Both wildcards at once: ::'s socket must not take IPv4's port."""
    server = start("-l", "0.0.0.0", "-l", "::")
    for host in ("127.0.0.1", "::1", "127.0.0.9"):
        Raw((host, server.port("server1"))).close()


# -w, -f and the simulator


def test_write_alone(tmp_path):
    """-w alone that goes on to serve, or writes nothing."""
    code, _, errors = run("-w", tmp_path)
    assert code == 0, errors
    assert (tmp_path / "server1.crt").exists()
    assert "Serving" not in errors


@pytest.mark.parametrize("more", [[], ["-p", "0"]])
def test_write_fails(tmp_path, more):
    """An unwritable directory that is told after serving has begun."""
    file = tmp_path / "file"
    file.write_text("x")
    fails([1], "-w", file, *more, says=[str(file)])
    assert file.read_text() == "x"


def test_forward_alone(start, backend):
    """-f without -p that is taken for wrong usage."""
    server = start("-f", f"0:{backend().target}", "--ports", "classic",
                   base=None)
    assert "forward" in server.ports and server.base > 0
    assert list(server.ports)[len(NAMES) + 1] == "forward"


def test_forward_names(start, backend, files_of):
    """A host by name or in brackets that is not understood."""
    one = backend(backends.echo)
    for host in ("localhost", "127.0.0.1", "[::ffff:127.0.0.1]"):
        server = start("-f", f"0:{host}:{one.port}")
        with Tls(server.address("forward"), client_context()) as stream:
            stream.send(b"hello")
            assert stream.recv_exactly(5) == b"hello"


def copied(folder, *programs):
    for program in programs:
        shutil.copy(BIN.parent / program, folder)
    return folder / "mapitest"


def test_simulator_is_beside_us(tmp_path):
    """A simulator that is looked for in PATH."""
    env = {**os.environ, "PATH": f"{BIN.parent}:{os.environ['PATH']}"}
    fails([1], "-p", "0", binary=copied(tmp_path, "mapitest"),
          env=env, says=["mapisim"])


def test_other_folder(start, tmp_path):
    """A program that finds its simulator only where it was built."""
    copied(tmp_path, "mapitest", "mapisim")
    link = tmp_path / "elsewhere"
    link.mkdir()
    (link / "mapitest").symlink_to(tmp_path / "mapitest")
    server = start(binary=link / "mapitest", env={"PATH": "/nowhere"})
    with Raw(server.address("plain")) as stream:
        assert mapi.login(stream)[1] == mapi.sorry("plain")


def test_text_log(start):
    """The announcement is what scripts wait for; so is its wording."""
    server = start(log_format=None)
    line = server.wait_line("Serving requests on base port")
    assert line.endswith(f"Serving requests on base port {server.base}")


@pytest.mark.parametrize("arguments, says", [
    (["-xv"], "-x "), (["-vx"], "-x "), (["-v", "-vl"], "-l "),
    (["--no-such"], "--no-such "), (["--reply"], "--reply ")])
def test_simulator_usage(arguments, says):
    """mapisim blaming its own name for an unknown letter among others."""
    fails([2], *arguments, says=["mapisim: " + says],
          binary=BIN.with_name("mapisim"))


def test_given_numbers_come_first(start, make_network):
    """A start that fails because a free port of any number took a given one.

    With 24 numbers to choose from, half of these starts failed.
    """
    network = make_network(
        "echo 40000 40023 >/proc/sys/net/ipv4/ip_local_port_range")
    for number in range(40000, 40005):
        server = start("-a", f"plain={number}", netns=network.pid,
                       prefix=network.prefix)
        assert server.port("plain") == number
        server.stop()
