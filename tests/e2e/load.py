"""load.py - many clients: one after the other, at once, or all the time

SPDX-License-Identifier: MPL-2.0
"""

import asyncio
import struct
import threading
import time

import mapi
from streams import Ended, Raw, Tls, client_context


def login_once(server, port, context):
    """One whole exchange on a plain or TLS port."""
    if port == "plain":
        stream = Raw(server.address(port))
    else:
        stream = Tls(server.address(port), context, "localhost")
    with stream:
        last = mapi.login(stream)[1]
    assert last == mapi.sorry(port), last


class Load:
    """Threads that log in all the time, while the with block runs.

    .done counts the successes; .failures has (time, error) of the others.
    """

    def __init__(self, server, ports=("plain", "server1"), threads=4):
        self.server = server
        self.done = 0
        self.failures = []
        self.over = threading.Event()
        self.threads = [
            threading.Thread(target=self._run,
                             args=(ports[at % len(ports)],))
            for at in range(threads)]

    def _run(self, port):
        context = client_context()
        while not self.over.is_set():
            try:
                login_once(self.server, port, context)
                self.done += 1
            except (OSError, Ended, AssertionError) as error:
                self.failures.append((time.monotonic(), repr(error)))
                self.over.wait(0.02)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()


class Crowd:
    """Many connections at once, each held after its challenge."""

    def __init__(self, server, port, number):
        self.address = server.address(port)
        self.tls = None if port == "plain" else client_context()
        self.number = number
        self.wanted = mapi.sorry(port)
        self.gate = asyncio.Semaphore(100)      # connecting at a time

    async def message(self, reader):
        header, = struct.unpack("<H", await reader.readexactly(2))
        assert header & 1
        return await reader.readexactly(header >> 1)

    async def connect(self):
        async with self.gate:
            reader, writer = await asyncio.open_connection(
                *self.address, ssl=self.tls,
                ssl_handshake_timeout=self.tls and 120)
            challenge = await self.message(reader)
            assert mapi.CHALLENGE.fullmatch(challenge)
            return reader, writer

    async def finish(self, reader, writer):
        writer.write(mapi.LOGIN)
        assert await self.message(reader) == self.wanted
        assert await reader.read() == b""
        writer.close()

    async def _run(self, while_held):
        pairs = await asyncio.gather(
            *(self.connect() for _ in range(self.number)))
        await asyncio.to_thread(while_held)
        await asyncio.gather(*(self.finish(*pair) for pair in pairs))

    def run(self, while_held=lambda: None):
        """Connect all, call while_held, then log all in."""
        asyncio.run(self._run(while_held))
