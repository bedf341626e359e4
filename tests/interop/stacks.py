"""stacks.py - the TLS stacks, and how each one's client is built and called

Every client takes the same eight arguments, "" for none:

    ADDRESS PORT NAME CA VERSION CERT KEY ALPN

It connects to ADDRESS:PORT, sends and verifies NAME, trusts the PEM file CA
(or, without one, whatever its stack trusts by itself), speaks TLS VERSION
("1.2" or "1.3") and nothing else, authenticates by CERT and KEY, and offers
ALPN.  It reads the MAPI challenge, responds, prints the reply and exits 0; if
anything fails it says what on stderr and exits otherwise.

SPDX-License-Identifier: MPL-2.0
"""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

CLIENTS = Path(__file__).resolve().parent / "clients"
# Debian's programs, whatever PATH says first, and no variable that would tell a
# stack what else to trust.
ENVIRONMENT = {"PATH": f"/usr/bin:/bin:{os.environ['PATH']}",
               "HOME": os.environ.get("HOME", "/"), "LC_ALL": "C.UTF-8"}


@dataclass(frozen=True)
class Stack:
    name: str               # its row
    version: str            # shell: prints its version
    run: tuple              # with {clients} and {built}
    build: str = ""         # shell, with $clients and $built
    pkcs12: bool = False    # CERT is PKCS #12 without a password, KEY is ""
    versions: tuple = ("1.3", "1.2")
    alpn: bool = True       # can offer it

    def can(self, case):
        return case.version in self.versions and (self.alpn or not case.alpn)


def package(name):
    """The version of a package, without Debian's own additions."""
    return (f"dpkg-query -W -f '${{Version}}' {name} |"
            f" sed 's/^[0-9]*://; s/[-+].*//'")


def c_client(name, *libraries):
    links = " ".join(f"-l{library}" for library in libraries)
    return (f"gcc -Wall -Wextra -Werror -o $built/{name} "
            f"$clients/{name}.c {links}")


RUSTLS = """
cp -r $clients/rustls $built/ && cd $built/rustls &&
RUSTC=/usr/bin/rustc CARGO_HOME=$built/cargo /usr/bin/cargo build -q \
    --offline -j1 --config 'source.crates-io.replace-with="debian"' \
    --config 'source.debian.directory="/usr/share/cargo/registry"'
"""

STACKS = [
    Stack("OpenSSL s_client", "openssl version | cut -d' ' -f2",
          ("{clients}/openssl.sh",)),
    Stack("gnutls-cli", "gnutls-cli --version | sed -n '1s/.* //p'",
          ("{clients}/gnutls.sh",)),
    Stack("NSS tstclnt", package("libnss3-tools"),
          ("{clients}/nss.sh",), pkcs12=True, alpn=False),
    Stack("Java JSSE", "java -version 2>&1 | sed '1!d; s/^[^0-9]*//; s/\".*//'",
          ("java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-cp",
           "{built}", "MapiClient"),
          build="javac -d $built $clients/java.java", pkcs12=True),
    Stack("Go", "go version | sed 's/.*go\\([0-9.]*\\).*/\\1/'",
          ("{built}/go",),
          build="GOCACHE=$built/gocache go build -o $built/go $clients/go.go"),
    Stack("Python ssl",
          "/usr/bin/python3 -c 'import sys; print(sys.version.split()[0])'",
          ("{clients}/python.py",)),
    Stack("Node", "node --version", ("node", "{clients}/node.js")),
    Stack("mbedTLS", package("libmbedtls-dev"), ("{built}/mbedtls",),
          build=c_client("mbedtls", "mbedtls", "mbedx509", "mbedcrypto"),
          versions=("1.2",)),
    Stack("wolfSSL", package("libwolfssl-dev"), ("{built}/wolfssl",),
          build=c_client("wolfssl", "wolfssl")),
    Stack("libretls", package("libtls-dev"), ("{built}/libtls",),
          build=c_client("libtls", "tls")),
    Stack("rustls", package("librust-rustls-dev"),
          ("{built}/rustls/target/debug/client",), build=RUSTLS),
    Stack("Erlang OTP", package("erlang-ssl"),
          ("escript", "{clients}/erlang.escript")),
    Stack("PHP", "php -r 'echo PHP_VERSION;'", ("php", "{clients}/php.php")),
    Stack("Perl IO::Socket::SSL",
          "perl -MIO::Socket::SSL -e 'print IO::Socket::SSL->VERSION'",
          ("{clients}/perl.pl",)),
    Stack("Ruby", "ruby -e 'print RUBY_VERSION'", ("{clients}/ruby.rb",)),
    Stack("curl (OpenSSL)", package("libcurl4"), ("{clients}/curl.sh",),
          alpn=False),
    Stack("curl (GnuTLS)", package("libcurl3-gnutls"),
          ("{clients}/pycurl.py",), alpn=False),
]


def shell(command, built=""):
    """The output of a shell command that must succeed."""
    environment = {**ENVIRONMENT, "clients": str(CLIENTS), "built": str(built)}
    done = subprocess.run(["sh", "-c", command], env=environment, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=300)
    if done.returncode != 0:
        raise SystemExit(f"{command}: exit {done.returncode}\n{done.stdout}")
    return done.stdout.strip()


def build(stack, folder):
    if stack.build:
        shell(stack.build, folder)


def version(stack):
    return shell(stack.version).lstrip("v").splitlines()[0]


def command(stack, folder):
    return [word.format(clients=CLIENTS, built=folder) for word in stack.run]
