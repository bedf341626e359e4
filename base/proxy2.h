/*
 * proxy2.h - the PROXY protocol, version 2, both ways
 *
 * The binary header that a proxy sends before a connection's first byte, after
 * HAProxy's doc/proxy-protocol.txt, section 2.2.  Beside the standard TLVs it
 * carries three of ours: the port's name, the simulator's last message, and how
 * it behaves.
 *
 * Pure.  Decoded slices point into the bytes that were decoded.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef BASE_PROXY2_H
#define BASE_PROXY2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/wire.h"

/* The longest header that proxy2_decode() accepts and a sensible room for
 * proxy2_encode(): fixed part, addresses and TLVs. */
#define PROXY2_MAX 4096

enum proxy2_status {
    PROXY2_MORE,    /* a proper beginning: read more */
    PROXY2_OK,      /* decoded */
    PROXY2_INVALID, /* no such header, whatever follows */
};

/* An IPv4 (length 4) or IPv6 (length 16) address and a port, host order. */
struct proxy2_address {
    uint8_t length; /* 0: not given (LOCAL, AF_UNSPEC, AF_UNIX) */
    uint8_t ip[16];
    uint16_t port;
};

/* All slices are optional: absent is {NULL, 0}. */
struct proxy2 {
    /* The LOCAL command, a health check by the proxy itself.  Its block is
     * discarded unread, as the specification wants: all else stays absent. */
    bool local;
    struct proxy2_address source;
    struct proxy2_address destination;
    struct slice alpn;         /* PP2_TYPE_ALPN 0x01 */
    struct slice authority;    /* PP2_TYPE_AUTHORITY 0x02, the SNI */
    struct slice unique_id;    /* PP2_TYPE_UNIQUE_ID 0x05 */
    bool tls;                  /* PP2_TYPE_SSL 0x20 with PP2_CLIENT_SSL set */
    bool client_certificate;   /* ... PP2_CLIENT_CERT_CONN and _SESS */
    uint32_t verify;           /* ... 0: a verified client certificate; sent
                                  as 1 where there is no certificate */
    struct slice tls_version;  /* PP2_SUBTYPE_SSL_VERSION 0x21 */
    struct slice tls_cn;       /* PP2_SUBTYPE_SSL_CN 0x22 */
    struct slice tls_cipher;   /* PP2_SUBTYPE_SSL_CIPHER 0x23 */
    struct slice port_name;    /* 0xE0, ours: the port's name */
    struct slice last_message; /* 0xE1, ours: what the simulator says last */
    struct slice behaviour;    /* 0xE2, ours: the name of what it does wrong */
};

/*
 * Write the header to out; returns its size, or 0 if room is too small or a
 * value too long for its field.  Without two addresses of one family it says
 * AF_UNSPEC.
 */
size_t proxy2_encode(const struct proxy2 *header, uint8_t *out, size_t room);

/*
 * Decode the header at the start of bytes.  On PROXY2_OK *size is its size, and
 * what the client sent begins behind it; on PROXY2_INVALID *reason says why.
 * A wrong byte is found as early as it can be.  A CRC32C, where there is one,
 * has to be right; TLVs of unknown types are skipped.
 */
enum proxy2_status
proxy2_decode(const uint8_t *bytes, size_t length, struct proxy2 *header,
              size_t *size, const char **reason);

#endif
