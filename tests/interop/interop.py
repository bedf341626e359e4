#!/usr/bin/python3
"""interop.py - every TLS stack against a running mapitest

usage: interop.py [--update] [--page MATRIX|CHAINS|HOSTILE] [STACK...]

Builds and runs the clients, and compares what they do, and what the server says
of it, with MATRIX.md, CHAINS.md and HOSTILE.md; --update writes these pages
instead.  With --page only that page's cases run.  With names of stacks only
these run, their cells are compared, and no page is written.

SPDX-License-Identifier: MPL-2.0
"""

import argparse
import itertools
import os
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))

import chains                                           # noqa: E402
import hostile                                          # noqa: E402
import judgements                                       # noqa: E402
import matrix                                           # noqa: E402
import stacks                                           # noqa: E402
from cases import CASES, SAME, UNDOTTED                 # noqa: E402
from server import Mapitest, SLOW                       # noqa: E402

TIMEOUT = 30 * SLOW
PAGES = {"MATRIX": matrix, "CHAINS": chains, "HOSTILE": hostile}
AT_A_TIME = 4       # of the hostile ports, which are mostly waited for
FILES = ("ca1.crt", "ca2.crt", "ca_ecdsa.crt", "client2.crt", "client2.key",
         "client2.keycrt")
# A clock that is behind by more than a leaf's lifetime; ld.so knows $LIB.
LATE = {"LD_PRELOAD": "/usr/$LIB/faketime/libfaketime.so.1",
        "FAKETIME": "-20d", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


class Runner:
    """Two servers, one of them late, and a folder for what clients need."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.numbers = itertools.count()
        names = ("-n", SAME, "-n", UNDOTTED, "--ports")
        self.servers = {
            "today": Mapitest(*names, "classic,hostile,chains",
                              *hostile.SERVER_OPTIONS),
            "late": Mapitest(*names, "classic,chains", env=LATE)}
        for name, server in self.servers.items():
            server.wait_ready()
            self.fetch(server, self.folder / name)

    def fetch(self, server, folder):
        folder.mkdir()
        for name in FILES:
            (folder / name).write_bytes(server.file(name))
        subprocess.run(
            ["openssl", "pkcs12", "-export", "-in", folder / "client2.keycrt",
             "-name", "client2", "-passout", "pass:",
             "-out", folder / "client2.p12"], check=True)

    def stop(self):
        for server in self.servers.values():
            server.check_end()

    def arguments(self, stack, case):
        """The eight arguments of every client, see stacks.py."""
        server, folder = self.servers[case.server], self.folder / case.server
        cert = key = ""
        if case.client:
            cert, key = folder / "client2.crt", folder / "client2.key"
            if stack.pkcs12:
                cert, key = folder / "client2.p12", ""
        return [server.host, server.port(case.port), case.host,
                case.ca and folder / case.ca, case.version, cert, key,
                case.alpn]

    def turn(self, stack, case):
        """Exit status, output and record of a turn at the case; and words."""
        server = self.servers[case.server]
        prefix = "connect" if case.connects else "refuse"
        test = f"{prefix}_{next(self.numbers)}"
        server.get(f"/?test={test}&port={case.port}")
        command = [*stacks.command(stack, self.folder),
                   *map(str, self.arguments(stack, case))]
        code, output, errors = run_client(command)
        words = f"exit {code}, {output!r}\n{errors}"
        record, = server.api(f"/api/connections?test={test}&wait=15"
                             )["connections"] or [None]
        return code, output, record, f"{words}\n{record}"

    def cell(self, stack, case):
        """What to write for the stack's turn at the case; record and words."""
        if not stack.can(case):
            return matrix.IMPOSSIBLE, None, ""
        code, output, record, words = self.turn(stack, case)
        if record is None:
            return f"{matrix.FAILED} (no record)", None, words
        seen = what_server_saw(record, case)
        if not as_it_must(case, code, output, record):
            seen = f"{matrix.FAILED} ({seen})"
        return seen, record, words

    def chain_cell(self, stack, case):
        """The same for CHAINS.md: either way of doing it may be right."""
        code, output, record, words = self.turn(stack, case)
        if record is None:
            return f"{matrix.FAILED} (no record)", None, words
        if connected(case, code, output):
            return chains.ACCEPTED, record, words
        seen = what_server_saw(record, case)
        if not refused(code, output, record["bytes_up"]):
            seen = f"{matrix.FAILED} ({seen})"
        return seen, record, words

    def hostile_cell(self, stack, case):
        """The same for HOSTILE.md."""
        code, output, record, words = self.turn(stack, case)
        if record is None:
            return f"{matrix.FAILED} (no record)", None, words
        cell = hostile.cell(case.port, code, output, record["alert_received"])
        return cell, record, words

    def hostile_turns(self, chosen):
        """As turns() below: each port is tried by one stack after the other."""
        def on_port(case):
            return [("HOSTILE", stack, case,
                     *self.hostile_cell(stack, case)) for stack in chosen]

        first = sorted(hostile.CASES, key=lambda case: case.port != "slow")
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            for done in pool.map(on_port, first):
                for page, stack, case, cell, record, words in done:
                    yield (page, stack, case, cell,
                           hostile.ROWS[case.port].seen, record, words)


def run_client(command):
    """Exit status or None, output, errors; what hangs is killed."""
    with subprocess.Popen(
            command, env=stacks.ENVIRONMENT, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            errors="backslashreplace", start_new_session=True) as client:
        try:
            output, errors = client.communicate(timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            os.killpg(client.pid, signal.SIGKILL)
            output, errors = client.communicate()
            return None, output, errors
    return client.returncode, output, errors


def what_server_saw(record, case):
    assert record["port"] == case.port, record
    if record["alert_sent"] is not None:
        return f"sent {record['alert_sent']}"
    if not case.defect and record["alert_received"] is None:
        return matrix.OK
    before = "HS+" if record["handshake"] and case.defect else ""
    if record["alert_received"] is not None:
        return f"{before}{record['alert_received']}"
    ends = {"close_notify": "CN", "eof": "EOF", "reset": "EOF"}
    return before + ends.get(record["end"], record["end"])


def connected(case, code, output):
    reply = ("^monetdbs://" if case.port == "redirect" else
             f"!Sorry, this is not a real MonetDB instance ({case.port})")
    return code == 0 and reply in output


def refused(code, output, sent):
    return code not in (0, None) and sent == 0 and "Sorry" not in output


def as_it_must(case, code, output, record):
    if case.connects:
        return connected(case, code, output)
    return refused(code, output,
                   record["bytes_up"] if case.port != "plain" else 0)


def turns(runner, stack, pages):
    """(page, stack, case, cell, what was expected, record, words) of each."""
    if "MATRIX" in pages:
        expected = matrix.read_expected()
        for case in CASES:
            cell, record, words = runner.cell(stack, case)
            yield ("MATRIX", stack, case, cell,
                   matrix.wanted(stack, case, expected), record, words)
    if "CHAINS" in pages and stack in chains.CHOSEN:
        expected = chains.read_expected()
        for case in chains.CASES:
            cell, record, words = runner.chain_cell(stack, case)
            yield ("CHAINS", stack, case, cell,
                   chains.wanted(stack.name, case.name, expected), record,
                   words)


def rounds(runner, chosen, pages):
    """(title, turns)."""
    for stack in chosen:
        yield stack.name, turns(runner, stack, pages)
    if "HOSTILE" in pages:
        yield "hostile ports", runner.hostile_turns(
            [stack for stack in chosen if stack in hostile.CHOSEN])


def run(chosen, pages):
    """{page: results}, {page: judgements} and the chosen stacks' versions."""
    results, versions = {page: {} for page in pages}, {}
    judged = {page: set() for page in pages}
    with tempfile.TemporaryDirectory() as folder:
        for stack in chosen:
            began = time.monotonic()
            stacks.build(stack, folder)
            versions[stack.name] = stacks.version(stack)
            print(f"{stack.name} {versions[stack.name]}: built in "
                  f"{time.monotonic() - began:.1f} s", flush=True)
        runner = Runner(folder)
        try:
            for title, found in rounds(runner, chosen, pages):
                began = time.monotonic()
                for page, stack, case, cell, want, record, words in found:
                    results[page][stack.name, case.name] = cell
                    if record is not None:
                        judged[page].add((case.name, cell,
                                          judgements.of(record)))
                    if cell.partition(" (")[0] != want:
                        print(f"{stack.name}, {case.name}: {cell}: {words}")
                print(f"{title}: {time.monotonic() - began:.1f} s",
                      flush=True)
        finally:
            runner.stop()
    return results, judged, versions


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--page", choices=PAGES)
    parser.add_argument("stacks", nargs="*", metavar="STACK")
    options = parser.parse_args()

    unknown = set(options.stacks) - {stack.name for stack in stacks.STACKS}
    if unknown or (options.update and options.stacks):
        parser.error(f"no such stack: {unknown}" if unknown else
                     "--update needs all stacks")
    pages = [options.page] if options.page else list(PAGES)
    chosen = [stack for stack in stacks.STACKS
              if (not options.stacks or stack.name in options.stacks)
              and ("MATRIX" in pages or stack in chains.CHOSEN)]
    results, judged, versions = run(chosen, pages)
    if options.update:
        for name in pages:
            PAGES[name].PAGE.write_text(
                PAGES[name].render(results[name], judged[name], versions))
            print(f"{name}.md is written")
        return 0
    news = []
    for name in pages:
        page = PAGES[name].read_page()
        news += PAGES[name].differences(PAGES[name].parse(page)[0],
                                        results[name])
        news += judgements.differences(judgements.parse(page), judged[name],
                                       f"{name}.md")
        if why := PAGES[name].misjudged(page):
            news.append(f"{name}.md: misjudged: {why}")
        if why := PAGES[name].out_of_date(page):
            news.append(f"{name}.md is out of date: {why}")
    print("\n".join(news) or "all as in " + " and ".join(
        f"{name}.md" for name in pages))
    return 1 if news else 0


if __name__ == "__main__":
    sys.exit(main())
