"""bulk.py - much data both ways at once, checked byte for byte

The data is a pattern that depends on the position only, so that a lost,
doubled or swapped piece shows whatever its size.

SPDX-License-Identifier: MPL-2.0
"""

import random
import select
import ssl
import threading

from streams import is_truncation

PERIOD = 1_000_003              # prime: no buffer size divides it
CHUNK = 1 << 18


def pattern(seed):
    """Two periods, so that every slice of up to one is contiguous."""
    return memoryview(random.Random(seed).randbytes(PERIOD) * 2)


UP, DOWN = pattern(1), pattern(2)


class Check:
    """Takes data piece by piece; raises at the first wrong byte."""

    def __init__(self, source):
        self.source = source
        self.count = 0

    def take(self, data):
        at = self.count % PERIOD
        if self.source[at:at + len(data)] != data:
            raise AssertionError(
                f"wrong data within bytes {self.count} to "
                f"{self.count + len(data)}")
        self.count += len(data)


def piece(source, position, total):
    """The next bytes to send from position on."""
    at = position % PERIOD
    return source[at:at + min(CHUNK, total - position)]


class Duplex:
    """A backend's handler: sends DOWN, checks UP, ends when it pleases.

    end is "after sending" (half-close as soon as all is sent) or "after eof"
    (only when the client has ended its direction).
    """

    def __init__(self, size, end):
        self.size = size
        self.end = end
        self.check = Check(UP)
        self.eof = threading.Event()

    def __call__(self, peer):
        sender = threading.Thread(target=self.send, args=(peer,))
        sender.start()
        buffer = memoryview(bytearray(CHUNK))
        try:
            while count := peer.sock.recv_into(buffer):
                self.check.take(buffer[:count])
        finally:
            self.eof.set()
            sender.join()

    def send(self, peer):
        sent = 0
        while sent < self.size:
            data = piece(DOWN, sent, self.size)
            peer.sock.sendall(data)
            sent += len(data)
        if self.end == "after eof":
            self.eof.wait(120)
        peer.fin()


class Exchange:
    """The client's side over a Tls stream: sends UP, checks what comes.

    end is "close_notify", "fin" or "both", done as soon as all is sent, or
    with wait=True only when the peer has ended.
    """

    def __init__(self, stream, size, end, wait=False, expected=DOWN):
        self.stream = stream
        self.size = size
        self.end = end
        self.wait = wait
        self.check = Check(expected)
        self.sent = 0
        self.out = memoryview(b"")
        self.state = "sending"      # -> "ending" -> "fin" -> "ended"
        self.received_all = False

    def run(self, seconds):
        sock = self.stream.sock
        sock.setblocking(False)
        while True:
            self.produce()
            if self.received_all and self.state == "ended" and not self.out:
                break
            wants_write = [sock] if self.out else []
            wants_read = [] if self.received_all else [sock]
            readable, writable, _ = select.select(
                wants_read, wants_write, [], seconds)
            assert readable or writable, (
                f"stuck for {seconds} s: {self.state}, sent {self.sent}, "
                f"received {self.check.count}")
            if writable:
                self.out = self.out[sock.send(self.out):]
            if readable:
                self.consume()
        sock.settimeout(seconds)

    def produce(self):
        """Refill the outgoing bytes, and end when it is time to."""
        tls = self.stream.tls
        if self.out:
            return
        if self.state == "sending":
            if self.sent < self.size:
                self.sent += tls.write(piece(UP, self.sent, self.size))
            else:
                self.state = "ending"
        if self.state == "ending" and (self.received_all or not self.wait):
            if self.end in ("close_notify", "both"):
                try:
                    tls.unwrap()
                except ssl.SSLWantReadError:
                    pass
            self.state = "fin" if self.end != "close_notify" else "ended"
        self.out = memoryview(self.stream.outgoing.read())
        if self.state == "fin" and not self.out:
            self.stream.fin()
            self.state = "ended"

    def consume(self):
        try:
            data = self.stream.sock.recv(CHUNK)
        except ConnectionResetError as error:
            raise AssertionError("reset by the server") from error
        if data:
            self.stream.incoming.write(data)
        else:
            self.stream.incoming.write_eof()
            self.stream.end = self.stream.end or "eof"
        while True:
            try:
                plain = self.stream.tls.read(CHUNK)
            except ssl.SSLWantReadError:
                return
            except ssl.SSLZeroReturnError:
                plain = b""
                self.stream.end = "close_notify"
            except ssl.SSLError as error:
                if not is_truncation(error):
                    raise
                self.received_all = True
                return
            if not plain:
                self.stream.end = "close_notify"
                self.received_all = True
                return
            self.check.take(plain)
