#!/usr/bin/python3
"""check_readme.py - README.md says what the program does

The README marks what is checked by HTML comments:

    <!-- begin:ports --> ... <!-- end:ports -->
        a table of each group: port | certificate | expected | rule, the rows
        of /api/portmap; "expected" where it does not depend on the client
    <!-- begin:help --> ... <!-- end:help -->
        a fenced block with the output of mapitest --help
    <!-- run -->        the next fenced block is run by bash: exit status 0
    <!-- run:server --> the next fenced block is started in the background;
                        what follows waits until it serves requests
    <!-- output -->     the next fenced block is the output of the last run
                        block; a line "..." stands for any lines, "..." in a
                        line for any text

Commands run in the repository's root, in a network namespace of their own
(so that the ports that the README names are free), with build/bin first in
PATH.

usage: check_readme.py [--update] [README]

--update writes the two generated blocks anew and runs nothing.

SPDX-License-Identifier: MPL-2.0
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(os.environ.get("MAPITEST_BIN", ROOT / "build/bin/mapitest"))
READY = re.compile(r"Serving (?:requests on base port (\d+)|\d+ configured)")
DEADLINE = 60


class Server:
    """A command in a process group of its own, ready or an error."""

    def __init__(self, command):
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=environment(), stderr=self.log,
            stdout=subprocess.DEVNULL, start_new_session=True)
        deadline = time.monotonic() + DEADLINE
        while not (found := READY.search(self.text())):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise SystemExit(f"{command} does not serve:\n{self.text()}")
            time.sleep(0.02)
        self.base = found[1]

    def text(self):
        return os.pread(self.log.fileno(), 1 << 20, 0).decode()

    def stop(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(DEADLINE)


def environment():
    path = f"{BIN.parent}:{os.environ['PATH']}"
    return {**os.environ, "PATH": path}


def trusted_certificate(folder):
    """The options for port trusted, with a certificate made in folder."""
    chain, key = f"{folder}/chain.pem", f"{folder}/key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=x",
                    "-keyout", key, "-out", chain], check=True,
                   stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return ["--trusted-cert", chain, "--trusted-key", key]


def ports_table():
    """The port table, as the running program tells it."""
    # With everything on, so that each row is there.
    with tempfile.TemporaryDirectory() as folder:
        server = Server([BIN, "-p", "0", "-f", "0:localhost:50000",
                         *trusted_certificate(folder)])
    try:
        url = f"http://127.0.0.1:{server.base}/api/portmap"
        with urllib.request.urlopen(url, timeout=DEADLINE) as reply:
            ports = json.load(reply)["ports"]
    finally:
        server.stop()
    lines, group = [], None
    for name, port in ports.items():
        if port["group"] != group:
            group = port["group"]
            lines += ["", f"Group `{group}`:", "",
                      "| port | certificate | expected | rule |",
                      "|---|---|---|---|"]
        expected = "-" if port["expect"] == "test" else port["expect"]
        lines.append(f"| {name} | {port['certificate'] or '-'} |"
                     f" {expected} | {port['rule']} |")
    return "\n".join(lines[1:])


def help_block():
    done = subprocess.run([BIN, "--help"], capture_output=True, text=True,
                          check=True)
    return f"```\n{done.stdout.rstrip()}\n```"


def split_block(text, name):
    """Text before, within and after the markers of a generated block."""
    begin, end = f"<!-- begin:{name} -->\n", f"\n<!-- end:{name} -->"
    if text.count(begin) != 1 or text.count(end) != 1:
        raise SystemExit(f"README: need one {begin.strip()} with its end")
    before, rest = text.split(begin)
    within, after = rest.split(end)
    return before + begin, within, end + after


def squeeze(block):
    """A table without its padding, anything else without outer blanks."""
    lines = [re.sub(r"\s*\|\s*", "|", line.strip())
             if line.lstrip().startswith("|") else line.rstrip()
             for line in block.strip().splitlines()]
    return [re.sub(r"^\|[-|:]+\|$", "|-|", line) for line in lines]


def generated_blocks(text, update):
    """Compare or replace; returns the new text and the names that differ."""
    different = []
    for name, make in (("ports", ports_table), ("help", help_block)):
        before, within, after = split_block(text, name)
        wanted = make()
        if squeeze(within) != squeeze(wanted):
            different.append(name)
            if not update:
                print(f"README: block {name} should be:\n{wanted}\n",
                      file=sys.stderr)
            text = before + wanted + after
    return text, different


def marked_blocks(text):
    """(marker, content, line number) of every marked fenced block."""
    pattern = re.compile(r"^<!-- (run|run:server|output) -->\n+"
                         r"```\w*\n(.*?)^```$", re.M | re.S)
    marks = len(re.findall(r"^<!-- (?:run|run:server|output) -->", text, re.M))
    blocks = [(m[1], m[2], text.count("\n", 0, m.start()) + 1)
              for m in pattern.finditer(text)]
    if len(blocks) != marks:
        raise SystemExit("README: a marker without a fenced block after it")
    return blocks


def matches(expected, output):
    parts = []
    for line in expected.strip().splitlines():
        if line.strip() == "...":
            parts.append(r"(?:.*\n)*?")
        else:
            # The README may drop blanks at a line's end.
            parts.append(".*".join(map(re.escape, line.rstrip().split("...")))
                         + r"[ \t]*\n")
    return re.fullmatch("".join(parts), output.strip() + "\n")


def run_blocks(text):
    """Run what is marked; returns the number of failures."""
    server, output, failures = None, "", 0
    try:
        for marker, content, line in marked_blocks(text):
            if marker == "run:server":
                if server is not None:
                    server.stop()
                server = Server(["bash", "-euc", content])
            elif marker == "run":
                done = subprocess.run(
                    ["bash", "-euo", "pipefail", "-c", content], cwd=ROOT,
                    env=environment(), text=True, stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT, timeout=600)
                output = done.stdout
                if done.returncode != 0:
                    failures += 1
                    print(f"README:{line}: exit {done.returncode}\n{output}",
                          file=sys.stderr)
            elif not matches(content, output):
                failures += 1
                print(f"README:{line}: the output is\n{output}",
                      file=sys.stderr)
    finally:
        if server is not None:
            server.stop()
    return failures


def own_network():
    """Start again in a network namespace where every port is free."""
    if os.environ.get("README_NETWORK"):
        return
    os.environ["README_NETWORK"] = "own"
    unshare = ["unshare", "-n"] if os.getuid() == 0 else ["unshare", "-rn"]
    os.execvp("unshare", [*unshare, "sh", "-c",
                          'ip link set lo up && exec "$0" "$@"',
                          sys.executable, "-B", *sys.argv])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--update", action="store_true")
    parser.add_argument("readme", nargs="?", default=ROOT / "README.md")
    options = parser.parse_args()
    own_network()

    readme = Path(options.readme)
    text = readme.read_text()
    text, different = generated_blocks(text, options.update)
    if options.update:
        readme.write_text(text)
        print("updated:", " ".join(different) or "nothing")
        return 0
    failures = len(different) + run_blocks(text)
    if failures == 0:
        print("README.md says what the program does")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
