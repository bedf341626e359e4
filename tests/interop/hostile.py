"""hostile.py - HOSTILE.md: how the stacks take servers that misbehave

Like MATRIX.md, the page holds nothing that does not follow from its own cells,
the stacks, the table below and expected_outcomes.txt.

SPDX-License-Identifier: MPL-2.0
"""

from dataclasses import dataclass
from pathlib import Path

import chains
import judgements
import matrix
from cases import Case

PAGE = Path(__file__).resolve().parent / "HOSTILE.md"
ENTERED, ERROR = "+", "error"
COLUMNS = list(chains.COLUMNS)
CHOSEN = chains.CHOSEN
parse = chains.parse            # the same columns
SERVER_OPTIONS = ("--silent-timeout", 1)


@dataclass(frozen=True)
class Row:
    expect: str     # as /api/portmap has it
    seen: str       # of every stack
    verdict: str
    reply: str = "!Sorry, this is not a real MonetDB instance ({port})"


# A stack follows no redirect, so that a redirect's verdict is a pass.  silent
# is closed by the server here, which proves nothing of the client; of a message
# that was cut off only the client knows what it made of it.
ROWS = {
    "silent": Row("refuse", ERROR, "open"),
    "hangup": Row("refuse", ERROR, "pass"),
    "garbage": Row("refuse", ERROR, "pass"),
    "alert": Row("refuse", ERROR, "pass"),
    "tls11": Row("refuse", ERROR, "pass"),
    "truncate": Row("refuse", ERROR, "open"),
    "cut_message": Row("refuse", ERROR, "open"),
    "tiny_records": Row("accept", ENTERED, "pass"),
    "slow": Row("accept", ENTERED, "pass"),
    "key_update": Row("accept", ENTERED, "pass"),
    "redirect_plain": Row("refuse", ENTERED, "pass", "^monetdb://"),
    "redirect_badhash": Row("refuse", ENTERED, "pass", "^monetdbs://"),
    "redirect_loop": Row("refuse", ENTERED, "pass", "^monetdbs://"),
    "login": Row("accept", ENTERED, "pass", ""),
}
CASES = [Case(port, port, connects=row.expect == "accept")
         for port, row in ROWS.items()]

INTRODUCTION = """\
# How TLS stacks take the ports of the group hostile

Written by `tests/run interop --update`; `tests/run interop` runs the clients
again and compares.  Each speaks TLS 1.3, verifies `ca1.crt` and the host name,
and follows no redirect.

- `+`: it got all of the reply, and ended with exit status 0.
- `error`: it got less, and ended with an error; with the alert, if one came.
- `FAILED`: neither the one nor the other.
"""


def cell(port, code, output, alert):
    """What a client did, from its exit status, output and alert."""
    if code == 0 and output.startswith(ROWS[port].reply.format(port=port)):
        return ENTERED
    if code not in (0, None) and output == "":
        return ERROR if alert is None else f"{ERROR} ({alert})"
    return f"{matrix.FAILED} (exit {code})"


def render(results, judged, versions):
    """The page, from {(stack, port): cell}, {(port, cell, Judgement)} and
    {stack: version}."""
    def done(name, port):
        return results.get((name, port), matrix.UNTRIED)

    parts = [INTRODUCTION, "## Versions\n", matrix.table(
        ["stack", "version"],
        [[name, versions.get(name, matrix.UNTRIED)] for name in COLUMNS])]
    parts += ["\n## Results\n", matrix.table(
        ["port", "expected", *COLUMNS],
        [[port, row.expect, *(done(name, port) for name in COLUMNS)]
         for port, row in ROWS.items()])]
    parts += judgements.section(judged, ROWS)
    rows = [[name, versions.get(name, matrix.UNTRIED), port, row.seen,
             done(name, port)]
            for name in COLUMNS for port, row in ROWS.items()
            if done(name, port).partition(" ")[0] != row.seen]
    parts += ["\n## Deviations\n", matrix.table(
        ["stack", "version", "port", "right", "seen"], rows)
        if rows else "None."]
    return "\n".join(parts) + "\n"


def read_page():
    return PAGE.read_text() if PAGE.exists() else ""


def misjudged(text):
    """Rows of a page that contradict the table or expected_outcomes.txt."""
    return judgements.wrong(judgements.parse(text), lambda port, _:
                            port in ROWS and ROWS[port].verdict)


def out_of_date(text):
    """Why a page does not fit stacks and ports; or None."""
    results, versions = parse(text)
    page = render(results, judgements.parse(text), versions)
    if f"| {matrix.UNTRIED} |" in page:
        return "it lacks ports or stacks"
    if page != text:
        return "it is not what its own cells give"
    return None


def differences(committed, fresh):
    return matrix.differences(committed, fresh, PAGE.name)
