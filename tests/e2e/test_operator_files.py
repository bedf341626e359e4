"""Certificates and keys of the operator's that cannot be used; --check

SPDX-License-Identifier: MPL-2.0
"""

import json
import os
import re

import pytest

from fronts import front, openssl, simulated, write_config
from server import Mapitest


@pytest.fixture
def mine(pki, tmp_path):
    """Paths of a chain, its key and a client CA that a test may spoil."""
    made = {"chain": pki.sales.chain, "key": pki.sales.key,
            "client_ca": pki.clients.path}
    for name, source in made.items():
        made[name] = tmp_path / f"{name}.pem"
        made[name].touch(0o600)
        made[name].write_bytes(source.read_bytes())
    return made


def config(tmp_path, mine):
    return write_config(tmp_path, front(
        "sales", certificates=[{"chain": "chain.pem", "key": "key.pem"}],
        plain=False, client_certificate="optional",
        client_ca="client_ca.pem"))


def run(*arguments, **options):
    """Exit status and lines on stderr of a program that ends by itself."""
    server = Mapitest(*arguments, base=None, log_format=None, **options)
    try:
        code = server.wait_exit()
        assert server.survivors() == []
        assert server.reports() == []
        return code, server.log()
    finally:
        server.discard()


def directory(path):
    path.unlink()
    path.mkdir()


def encrypt(path):
    plain = path.with_suffix(".plain")
    path.rename(plain)
    openssl("pkey", "-in", plain, "-out", path, "-aes128", "-passout",
            "pass:secret")


def encrypt_as_of_old(path):
    plain = path.with_suffix(".plain")
    path.rename(plain)
    openssl("ec", "-in", plain, "-out", path, "-aes128", "-passout",
            "pass:secret")


def fifo(path):
    path.unlink()
    os.mkfifo(path, 0o600)


def other_key(path):
    openssl("ecparam", "-genkey", "-name", "prime256v1", "-noout",
            "-out", path)


def big(path):
    with open(path, "ab") as stream:
        stream.truncate(64 << 20)


LOCKED = ("-----BEGIN CERTIFICATE-----\nProc-Type: 4,ENCRYPTED\n"
          f"DEK-Info: AES-128-CBC,{'0' * 32}\n\n")
BAD = {
    "world_readable_key": ("key", lambda p: p.chmod(0o644), "everybody"),
    "world_writable_key": ("key", lambda p: p.chmod(0o602), "everybody"),
    "encrypted_key": ("key", encrypt, "encrypted"),
    "old_encrypted_key": ("key", encrypt_as_of_old, "encrypted"),
    "other_key": ("key", other_key, "does not belong"),
    "public_key": ("key", lambda p: p.write_text(
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"),
        "no private key"),
    "broken_key": ("key", lambda p: p.write_text(
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
        "no private key"),
    "cut_key": ("key", lambda p: p.write_text(p.read_text()[:90]),
                "no private key"),
    "no_certificate": ("chain", lambda p: p.write_text("hello\n"),
                       "no certificate"),
    "broken_certificate": ("chain", lambda p: p.write_text(
        p.read_text().replace("MII", "MIIX", 1)), "cannot be read"),
    "cut_certificate": ("chain", lambda p: p.write_text(p.read_text()[:300]),
                        "cannot be read"),
    "broken_issuer": ("chain", lambda p: p.write_text(
        p.read_text() + p.read_text().replace("MII", "MIIX", 1)),
        "cannot be read"),
    "encrypted_certificate": ("chain", lambda p: p.write_text(
        p.read_text().replace("-----BEGIN CERTIFICATE-----\n", LOCKED, 1)),
        "cannot be read"),  # and not a prompt that a service waits at
    "no_client_ca": ("client_ca", lambda p: p.write_text("hello\n"),
                     "no certificate"),
}
for what, says in (("chain", "no certificate"), ("key", "no private key"),
                   ("client_ca", "no certificate")):
    BAD[f"{what}_empty"] = (what, lambda p: p.write_text(""), says)
    BAD[f"{what}_missing"] = (what, lambda p: p.unlink(), "No such file")
    BAD[f"{what}_directory"] = (what, directory, "is not a file")
    BAD[f"{what}_fifo"] = (what, fifo, "is not a file")
    BAD[f"{what}_big"] = (what, big, "is bigger")


def check_error(code, lines, path, culprit, says):
    assert code == 1
    line, = lines
    assert says in line, line
    where = re.fullmatch(r"mapitest: (?:error: )?(.+?):(\d+): (.*)", line)
    assert where and where[1] == str(path), line
    assert str(culprit) in where[3], line
    # The line of the file is the one that names the culprit.
    text = path.read_text().splitlines()[int(where[2]) - 1]
    assert culprit.name in text, (text, line)


@pytest.mark.parametrize("name", sorted(BAD))
def test_bad_file(mine, tmp_path, name):
    """A file that cannot be used, and an error that does not say which."""
    what, spoil, says = BAD[name]
    spoil(mine[what])
    path = config(tmp_path, mine)
    before = sorted(tmp_path.iterdir())
    for more in ((), ("--check",)):
        check_error(*run("--config", path, *more), path, mine[what], says)
    assert sorted(tmp_path.iterdir()) == before


def test_unreadable(mine, tmp_path):
    """A file that one has no right to read."""
    if os.getuid() == 0:
        pytest.skip("root reads everything")
    mine["key"].chmod(0)
    path = config(tmp_path, mine)
    check_error(*run("--config", path), path, mine["key"], "denied")


@pytest.mark.parametrize("key, value", [
    ("ciphers", "NO-SUCH"), ("ciphersuites", "TLS_NO_SUCH"),
    ("groups", "P-1"), ("groups", "X25519:nothing")])
def test_unknown_algorithm(pki, tmp_path, key, value):
    """A name that OpenSSL does not know, noticed by the first client."""
    path = write_config(tmp_path, front("sales", pki, tls={key: value}))
    code, lines = run("--config", path, "--check")
    assert code == 1
    line, = lines
    assert f"{path}:" in line and f"tls.{key}" in line


@pytest.mark.parametrize("mode, options", [
    (0o640, []), (0o600, []), (0o440, []),
    (0o644, ["--allow-world-readable-keys"])])
def test_modes_that_will_do(start, mine, tmp_path, mode, options):
    """A group that may not read the key, or an option that does nothing."""
    mine["key"].chmod(mode)
    path = config(tmp_path, mine)
    code, lines = run("--config", path, "--check", *options)
    assert code == 0 and len(lines) <= 1, lines
    simulated(start("--config", path, *options), "sales")


def test_certificates_may_be_read(start, mine, tmp_path):
    """A chain, which is no secret, that must be one."""
    mine["chain"].chmod(0o644)
    mine["client_ca"].chmod(0o644)
    assert run("--config", config(tmp_path, mine), "--check")[0] == 0


def test_check(mine, tmp_path):
    """--check that binds, writes, serves or is not done."""
    path = config(tmp_path, mine)
    before = {p: p.stat().st_mtime_ns for p in tmp_path.iterdir()}
    code, lines = run("--config", path, "--check")
    assert code == 0 and len(lines) <= 1, lines
    assert {p: p.stat().st_mtime_ns for p in tmp_path.iterdir()} == before
    path.write_text(json.dumps({"ports": [], "more": 1}))
    code, lines = run("--config", path, "--check")
    assert code == 1 and len(lines) == 1 and f"{path}:1: " in lines[0]


def test_check_binds_nothing(start, mine, tmp_path):
    """A check beside the running instance, on the same ports."""
    path = config(tmp_path, mine)
    server = start("--config", path)
    text = path.read_text().replace(
        "127.0.0.1:0", f"127.0.0.1:{server.port('sales')}")
    path.write_text(text)
    assert run("--config", path, "--check")[0] == 0
    code, lines = run("--config", path)
    assert code == 1 and len(lines) == 1, lines
    assert "Address already in use" in lines[0]
    simulated(server, "sales")
