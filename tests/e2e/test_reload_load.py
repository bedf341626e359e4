"""A hundred reloads under load: nobody fails, nothing grows

SPDX-License-Identifier: MPL-2.0
"""

import threading

import procfs
from load import Load
from reloads import make_certificate
from server import SANITIZED, scaled, wait_for

MIB = 1 << 20
BLOCK = bytes(range(256)) * 256


class Bulk(threading.Thread):
    """One connection that moves bytes there and back while others reload."""

    def __init__(self, site):
        super().__init__()
        self.stream = site.connect("one")
        self.over = threading.Event()
        self.moved = 0
        self.error = None
        self.start()

    def run(self):
        try:
            while not self.over.is_set():
                self.stream.send(BLOCK)
                assert self.stream.recv_exactly(len(BLOCK)) == BLOCK
                self.moved += len(BLOCK)
        except Exception as error:
            self.error = error

    def end(self):
        self.over.set()
        self.join()
        self.stream.close()
        assert self.error is None, self.error
        assert self.moved > 0


def usage(site):
    """{kind: [number, descriptors, memory]}, with no connection open."""
    wait_for(lambda: all(row["active"] == 0 for row in
                         site.status()["ports"].values()), 20, "all closed")
    wait_for(lambda: len(site.workers()) == 2, 20, "old workers gone")
    found = {}
    for row in site.status()["processes"]:
        sums = found.setdefault((row["kind"], row["crew"]), [0, 0, 0])
        sums[0] += 1
        sums[1] += procfs.descriptors(row["pid"])
        sums[2] += procfs.pss(row["pid"])
    return found


def assert_no_growth(site, before):
    def grown():
        after = usage(site)
        return {kind: (before.get(kind), after[kind]) for kind in after
                if kind not in before or after[kind][0] != before[kind][0]
                or after[kind][1] > before[kind][1] + 1
                or (not SANITIZED
                    and after[kind][2] - before[kind][2] >= 2 * MIB)}

    wait_for(lambda: not grown(), 10, f"no growth: {grown()}")


def reload_often(site, times):
    for at in range(times):
        site.ports["one"]["certificates"][0] = {
            "chain": f"turn{at % 2}.pem", "key": f"turn{at % 2}.key"}
        if at % 3 == 0:
            site.ports["extra"] = site.port()
        else:
            site.ports.pop("extra", None)
        site.save()
        site.succeed()
    # What is counted is counted under one configuration.
    site.ports.pop("extra", None)
    site.save()
    site.succeed()


def test_a_hundred_reloads(site):
    """A connection lost between old and new workers; a descriptor, a process
    or some memory lost by each reload."""
    for at in range(2):
        make_certificate(site.folder, f"turn{at}")
    site.server.ports = site.numbers()
    with Load(site.server, ("two",), threads=2):
        reload_often(site, 6)
    before = usage(site)
    with Load(site.server, ("two",), threads=3) as load:
        # Connections that a few editions live for, and some for all.
        for_ever = Bulk(site)
        for _ in range(10):
            bulk = Bulk(site)
            reload_often(site, scaled(9, 2))
            bulk.end()
        for_ever.end()
    assert load.failures == []
    assert load.done > scaled(100, 10)
    assert_no_growth(site, before)
