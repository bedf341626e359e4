"""records.py - TLS records of a client's own making

Keys comes from Python's key log, so that a test can encrypt whatever it
likes: any content type, any message, any padding, in TLS 1.3 and, with
AES-256-GCM, in TLS 1.2.  ssl goes on decrypting what the server says; but
from the first record of a Keys on, only that Keys may speak.

SPDX-License-Identifier: MPL-2.0
"""

import ctypes
import ctypes.util
import hmac
import ssl
import struct

from server import wait_for
from streams import Tls, client_context

CCS, ALERT, HANDSHAKE, DATA = 20, 21, 22, 23
PLAIN_MAX = 1 << 14
TLS1_3 = ssl.TLSVersion.TLSv1_3
TLS1_2 = ssl.TLSVersion.TLSv1_2

HELLO_REQUEST, CLIENT_HELLO, NEW_SESSION_TICKET = 0, 1, 4
CERTIFICATE_REQUEST, FINISHED, KEY_UPDATE = 13, 20, 24

LEGACY_CCS = b"\x14\x03\x03\x00\x01\x01"
GCM_GET_TAG = 16                # EVP_CTRL_AEAD_GET_TAG

crypto = ctypes.CDLL(ctypes.util.find_library("crypto"))
crypto.EVP_aes_256_gcm.restype = ctypes.c_void_p
crypto.EVP_CIPHER_CTX_new.restype = ctypes.c_void_p


def record(kind, payload, version=b"\x03\x03", length=None):
    length = len(payload) if length is None else length
    return bytes([kind]) + version + struct.pack(">H", length) + payload


def split(data):
    """Whole records, each with its header."""
    found = []
    while data:
        length = 5 + int.from_bytes(data[3:5], "big")
        assert len(data) >= length, "a record is not complete"
        found.append(data[:length])
        data = data[length:]
    return found


def message(kind, body):
    """A handshake message."""
    return bytes([kind]) + len(body).to_bytes(3, "big") + body


def fragment(hello, size):
    """The same handshake bytes in records of `size` bytes each."""
    head, body = hello[:3], hello[5:]
    return b"".join(
        record(head[0], body[at:at + size], head[1:])
        for at in range(0, len(body), size))


def _gcm(key, nonce, text, extra, decrypt=False):
    """Encrypt and append the tag, or decrypt without looking at the tag."""
    ctx = ctypes.c_void_p(crypto.EVP_CIPHER_CTX_new())
    out = ctypes.create_string_buffer(len(text) + 16)
    length = ctypes.c_int()
    run = "Decrypt" if decrypt else "Encrypt"
    update = getattr(crypto, f"EVP_{run}Update")
    try:
        assert getattr(crypto, f"EVP_{run}Init_ex")(
            ctx, ctypes.c_void_p(crypto.EVP_aes_256_gcm()), None, key,
            nonce) == 1
        assert update(ctx, None, ctypes.byref(length), extra,
                      len(extra)) == 1
        assert update(ctx, out, ctypes.byref(length), text, len(text)) == 1
        done = out.raw[:len(text)]
        if decrypt:
            return done
        assert crypto.EVP_EncryptFinal_ex(ctx, out,
                                          ctypes.byref(length)) == 1
        assert crypto.EVP_CIPHER_CTX_ctrl(ctx, GCM_GET_TAG, 16, out) == 1
        return done + out.raw[:16]
    finally:
        crypto.EVP_CIPHER_CTX_free(ctx)


def expand_label(secret, label, length):
    """RFC 8446, 7.1, with SHA-384 and an empty context."""
    label = b"tls13 " + label
    info = struct.pack(">HB", length, len(label)) + label + b"\0"
    return hmac.digest(secret, info + b"\x01", "sha384")[:length]


class Keys13:
    """One direction of TLS 1.3 under TLS_AES_256_GCM_SHA384."""

    def __init__(self, secret):
        self.secret = secret
        self._derive()

    def _derive(self):
        self.key = expand_label(self.secret, b"key", 32)
        self.iv = int.from_bytes(expand_label(self.secret, b"iv", 12), "big")
        self.count = 0

    def _nonce(self):
        self.count += 1
        return (self.iv ^ (self.count - 1)).to_bytes(12, "big")

    def seal(self, kind, payload, padding=0):
        """kind None leaves the content type out: nothing but padding."""
        inner = (payload + (b"" if kind is None else bytes([kind]))
                 + bytes(padding))
        head = b"\x17\x03\x03" + struct.pack(">H", len(inner) + 16)
        return head + _gcm(self.key, self._nonce(), inner, head)

    def open(self, sealed):
        """(kind, payload) of a record."""
        inner = _gcm(self.key, self._nonce(), sealed[5:-16], sealed[:5],
                     True).rstrip(b"\0")
        return inner[-1], inner[:-1]

    def key_update(self, request, padding=0):
        """A KeyUpdate, after which the next keys are in force."""
        sealed = self.seal(HANDSHAKE, message(KEY_UPDATE, bytes([request])),
                           padding)
        self.secret = expand_label(self.secret, b"traffic upd", 48)
        self._derive()
        return sealed


class Keys12:
    """The client's direction of TLS 1.2 under AES-256-GCM with SHA-384."""

    def __init__(self, master, client_random, server_random):
        seed = b"key expansion" + server_random + client_random
        block, a = b"", seed
        while len(block) < 72:
            a = hmac.digest(master, a, "sha384")
            block += hmac.digest(master, a + seed, "sha384")
        self.key, self.salt = block[:32], block[64:68]
        self.count = 1              # Finished was 0

    def seal(self, kind, payload):
        number = struct.pack(">Q", self.count)
        self.count += 1
        head = bytes([kind]) + b"\x03\x03"
        sealed = number + _gcm(
            self.key, self.salt + number, payload,
            number + head + struct.pack(">H", len(payload)))
        return record(kind, sealed)


class Client(Tls):
    """A Tls whose flights pass through `change`, and whose keys are known.

    change(number of the flight, bytes) -> bytes to send in its place.
    """

    def __init__(self, address, log, version=None, change=None, name=
                 "localhost", context=None, **options):
        self.change = change or (lambda number, data: data)
        self.flights = []           # as they were sent
        self.held = b""
        self.received = b""         # during the handshake
        context = context or client_context(version=version)
        context.keylog_filename = str(log)
        self.log = log
        super().__init__(address, context, name, **options)

    def _flush(self):
        if data := self.outgoing.read():
            data = self.change(len(self.flights), data)
            self.flights.append(data)
            try:
                self.sock.sendall(data)
            except (ConnectionResetError, BrokenPipeError):
                self.end = "reset"

    def advance(self):
        """Handshake until a change() has kept something in .held, or to the
        end, which is then True."""
        while True:
            try:
                self.tls.do_handshake()
                self._flush()
                return True
            except ssl.SSLWantReadError:
                self._flush()
            if self.held:
                return False
            self._fill()

    def release(self):
        """Send what was held back."""
        data, self.held = self.held, b""
        self.sock.sendall(data)

    def _fill(self):
        before = self.incoming.pending
        super()._fill()
        if self.incoming.pending > before and len(self.flights) < 2:
            # All that was there before has been read: these are the new.
            data = self.incoming.read()
            self.received += data
            self.incoming.write(data)

    def secret(self, label):
        """From the key log, of this connection."""
        hello = self.hello_random().hex()
        with open(self.log) as stream:
            for line in stream:
                words = line.split()
                if words[:2] == [label, hello]:
                    return bytes.fromhex(words[2])
        raise AssertionError(f"no {label} in the key log")

    def hello_random(self):
        return self.flights[0][11:43]

    def keys(self):
        """What encrypts the client's records from now on."""
        assert self.tls.cipher()[0].endswith("AES_256_GCM_SHA384") or \
            self.tls.cipher()[0].endswith("AES256-GCM-SHA384")
        if self.tls.version() == "TLSv1.3":
            return Keys13(self.secret("CLIENT_TRAFFIC_SECRET_0"))
        return Keys12(self.secret("CLIENT_RANDOM"), self.hello_random(),
                      self.received[11:43])

    def handshake_keys(self):
        return Keys13(self.secret("CLIENT_HANDSHAKE_TRAFFIC_SECRET"))


def unread(port):
    """How many bytes the server's sockets on this port have not read."""
    total = 0
    for name in ("tcp", "tcp6"):
        with open(f"/proc/thread-self/net/{name}") as stream:
            next(stream)
            for line in stream:
                fields = line.split()
                if (int(fields[1].rpartition(":")[2], 16) == port
                        and fields[3] != "0A"):     # no listener
                    total += int(fields[4].partition(":")[2], 16)
    return total


def wait_read(port):
    """Until the server has read all that was sent to this port."""
    wait_for(lambda: unread(port) == 0, 20, f"port {port} has read all")
