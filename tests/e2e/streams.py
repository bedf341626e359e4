"""streams.py - clients whose every move a test decides

Raw is a TCP connection; Tls is TLS over one, by ssl.MemoryBIO, so that a test
chooses what is sent when, and ends its direction by close_notify, by FIN, or
by both.  How the peer ended is told apart in .end: "close_notify", "eof"
(FIN without close_notify) or "reset".

SPDX-License-Identifier: MPL-2.0
"""

import socket
import ssl
import struct
import warnings

from server import SLOW

TIMEOUT = 30 * SLOW
CHUNK = 1 << 16


class Ended(Exception):
    """The peer ended the stream before what was asked for arrived."""


def is_truncation(error):
    """True if TLS found the end of the stream without close_notify."""
    return (isinstance(error, ssl.SSLEOFError)
            or error.reason == "UNEXPECTED_EOF_WHILE_READING")


class Raw:
    """Bytes over TCP."""

    def __init__(self, address, timeout=TIMEOUT, receive_buffer=None,
                 source=None):
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        self.sock.settimeout(timeout)
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF,
                                 receive_buffer)
        if source:                  # one of this host's addresses
            self.sock.bind((source, 0))
        self.sock.connect(address[:2])
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.local_port = self.sock.getsockname()[1]
        self.end = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, data):
        self.sock.sendall(data)

    def recv(self, size=CHUNK):
        """Some bytes; b"" at the peer's end, which is then in .end."""
        try:
            data = self.sock.recv(size)
        except ConnectionResetError:
            self.end = "reset"
            return b""
        if not data:
            self.end = self.end or "eof"
        return data

    def recv_exactly(self, size):
        data = b""
        while len(data) < size:
            some = self.recv(size - len(data))
            if not some:
                raise Ended(f"{self.end} after {len(data)} bytes: "
                            f"{data[:40]!r}...")
            data += some
        return data

    def recv_all(self):
        data = []
        while some := self.recv():
            data.append(some)
        return b"".join(data)

    def socket_end(self):
        """How TCP ends, below TLS: "eof" or "reset", with nothing before."""
        if self.end == "reset":
            return self.end
        try:
            data = self.sock.recv(CHUNK)
        except ConnectionResetError:
            return "reset"
        assert data == b"", f"more bytes before the end: {data!r}"
        return "eof"

    def fin(self):
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self):
        """Close so that the peer gets an RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                             struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self):
        self.sock.close()


class Tls(Raw):
    """Bytes over TLS.  An alert from the peer raises ssl.SSLError."""

    def __init__(self, address, context, name=None, session=None,
                 handshake=True, **options):
        super().__init__(address, **options)
        self.incoming = ssl.MemoryBIO()
        self.outgoing = ssl.MemoryBIO()
        self.ahead = b""            # read from TLS, not yet asked for
        self.tls = context.wrap_bio(self.incoming, self.outgoing,
                                    server_hostname=name, session=session)
        if handshake:
            try:
                self.handshake()
            except BaseException:
                self.close()
                raise

    def _flush(self):
        """Send what TLS has to say; that the peer is gone, reads tell."""
        while data := self.outgoing.read():
            try:
                self.sock.sendall(data)
            except (ConnectionResetError, BrokenPipeError):
                self.end = "reset"

    def _fill(self):
        """Feed what the socket has to TLS; its end is TLS's end."""
        try:
            data = self.sock.recv(CHUNK)
        except ConnectionResetError:
            self.end = "reset"
            data = b""
        if data:
            self.incoming.write(data)
        else:
            self.end = self.end or "eof"
            self.incoming.write_eof()

    def _run(self, action):
        while True:
            try:
                return action()
            except ssl.SSLWantReadError:
                self._flush()
                self._fill()
            finally:
                self._flush()

    def handshake(self):
        self._run(self.tls.do_handshake)

    def say_hello(self):
        """Send the ClientHello, and no more of the handshake yet."""
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()

    def send(self, data):
        view = memoryview(data)
        while view:
            view = view[self._run(lambda: self.tls.write(view[:CHUNK])):]

    def recv(self, size=CHUNK):
        if self.ahead:
            data, self.ahead = self.ahead[:size], self.ahead[size:]
            return data
        try:
            data = self._run(lambda: self.tls.read(size))
        except ssl.SSLZeroReturnError:
            self.end = "close_notify"
            return b""
        except ssl.SSLError as error:
            if not is_truncation(error):
                raise
            return b""              # .end says "eof" or "reset" already
        if not data:
            self.end = "close_notify"
        return data

    def close_notify(self):
        """End our direction inside TLS; the socket stays open."""
        while True:                 # what came before must be read before
            try:
                data = self.tls.read(CHUNK)
            except ssl.SSLWantReadError:
                break
            if not data:
                break
            self.ahead += data
        try:
            self.tls.unwrap()
        except (ssl.SSLWantReadError, ssl.SSLSyscallError):
            pass
        self._flush()


def client_context(ca=None, strict=False, names=True, alpn=None,
                   certificate=None, version=None):
    """A client's context.

    ca is PEM text or a path to verify with (None: verify nothing), strict
    adds X509_STRICT, names checks the host name, certificate is a path or a
    (certificate, key) pair of paths, version is the one TLS version to offer.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Set by Python, it makes every FIN look like a close_notify.
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
    if ca is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context.check_hostname = names
        if "BEGIN" in str(ca):
            context.load_verify_locations(cadata=ca)
        else:
            context.load_verify_locations(cafile=ca)
        if strict:
            context.verify_flags |= ssl.VERIFY_X509_STRICT
    if version is not None:
        # Old versions need the old security level to be offered at all.
        if version < ssl.TLSVersion.TLSv1_2:
            context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():     # of old versions
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = context.maximum_version = version
    if alpn is not None:
        context.set_alpn_protocols(alpn)
    if isinstance(certificate, tuple):
        context.load_cert_chain(*map(str, certificate))
    elif certificate is not None:
        context.load_cert_chain(str(certificate))
    return context


def client_hello(name="localhost"):
    """The bytes of a ClientHello; without SNI if name is None."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = client_context().wrap_bio(incoming, outgoing, server_hostname=name)
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()
