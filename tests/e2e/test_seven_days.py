"""Two weeks in a few seconds: renewals, epochs of tickets, nobody disturbed

The clocks of all processes are wound by preload.c; those of the clients are
not, so what is valid when is compared here.

SPDX-License-Identifier: MPL-2.0
"""

import datetime
import hashlib
import time

import pytest

from load import login_once
from reloads import echoes
from server import wait_for
from streams import Tls, client_context

HOUR = 3600
STEP = 3 * HOUR
TICKET_LIFE = 6 * HOUR          # of an epoch, too
RENEWAL = 7 * 24 * HOUR         # half of a leaf's life
SLACK = 60                      # seconds that the test itself may take


def visit(site, session=None):
    with site.connect("one", session=session) as stream:
        assert echoes(stream)
        return stream.tls.session, stream.tls.session_reused


def presented(server, port):
    with Tls(server.address(port), client_context(), "localhost") as stream:
        return hashlib.sha256(stream.tls.getpeercert(True)).hexdigest()


def seconds_of(text):
    return datetime.datetime.fromisoformat(
        text.replace("Z", "+00:00")).timestamp()


def check_leaves(site, ahead):
    """What is presented is in the files, and valid by the wound clock."""
    now = time.time() + ahead
    for name in ("server1", "server2", "server3"):
        row = site.status()["certificates"][name]
        assert presented(site.server, name) == row["sha256"]
        assert seconds_of(row["not_before"]) <= now
        # Never in the second half of its life.
        assert seconds_of(row["not_after"]) - now >= RENEWAL - SLACK


@pytest.fixture
def days(idle_site, preload):
    """days(number): pass that time in steps of three hours; see below."""
    site = idle_site
    site.environment = preload.clock_env
    site.state = site.folder / "state"
    sessions = []

    def step():
        preload.wind(STEP)
        wait_for(lambda: site.status()["renewals"] + days.earlier
                 == preload.now // RENEWAL, what="a renewal, or none")
        for age, session in enumerate(reversed(sessions[-4:]), 1):
            reused = visit(site, session)[1]
            # At the very end of a life either is right.
            if age * STEP != TICKET_LIFE:
                assert reused == (age * STEP < TICKET_LIFE), (preload.now, age)
        sessions.append(visit(site)[0])
        check_leaves(site, preload.now)
        login_once(site.server, "server1", site.context)
        login_once(site.server, "plain", None)

    def days(number):
        for _ in range(number * 24 * HOUR // STEP):
            step()

    days.site, days.earlier = site, 0
    return days


def test_two_weeks(days):
    """A renewal that comes late, again and again, or cuts a connection; a
    ticket that is refused before its time, or good for ever."""
    site = days.site.start()
    pids = set(site.server.processes("master"))
    with site.open("one") as stream:
        days(8)
        site.succeed()
        days(7)
        assert echoes(stream)
    assert site.status()["renewals"] == 2
    assert set(site.server.processes("master")) == pids
    wait_for(lambda: len(site.workers()) == 2, what="no worker too many")
    assert all(row["restarts"] == 0 for row in site.status()["processes"])
    assert site.status()["lost_records"] == 0


def test_restarted_in_the_week(days):
    """A restart with --state that starts the half of a leaf's life anew, or
    forgets the tickets."""
    site = days.site.start()
    days(4)
    before = presented(site.server, "server1")
    site.server.stop()
    site.start()
    assert presented(site.server, "server1") == before
    days(4)
    assert presented(site.server, "server1") != before
    days.earlier = 1
    site.server.stop()
    site.start()
    days(1)
