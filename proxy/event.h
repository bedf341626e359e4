/*
 * event.h - what was observed of one connection: the facts
 *
 * A worker fills it as the connection goes and sends it to control (outbox.h).
 * Nothing here judges; see outcome.h.  Texts that peers sent are kept as bytes
 * with a length and escaped where they are shown.
 *
 * Texts are held by pointer, because most are short or unset and an idle
 * connection keeps its event.  In a worker the event owns them, and one that is
 * unset is NULL.  In control they are part of the message that the event came
 * with, and none is NULL.  Without memory a text is lost, never the event.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_EVENT_H
#define PROXY_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/net.h"

/* What the client's first bytes are, on any port. */
enum first_bytes {
    FIRST_NONE, /* nothing came, or too little to tell */
    FIRST_TLS,
    FIRST_MAPI,
    FIRST_HTTP,
    FIRST_OTHER,
};

/* How it ended.  The order is that of the names in event_end_names. */
enum event_end {
    END_CLOSE_NOTIFY, /* the client ended its side in TLS's orderly way */
    END_EOF,          /* FIN; on a TLS port that is a truncation */
    END_RESET,        /* RST, or the socket failed */
    END_TIMEOUT,      /* one of our timers */
    END_REFUSED,      /* by us: an alert, no TLS, a port's rule */
    END_BACKEND,      /* the backend failed */
};

/* Where it was when it ended. */
enum event_phase {
    PHASE_HANDSHAKE,
    PHASE_CONNECT,    /* to the backend */
    PHASE_FIRST_BYTE, /* ready, but the client has not sent a byte */
    PHASE_RELAY,
    PHASE_STALL,       /* bytes for a client that takes none */
    PHASE_HALF_CLOSED, /* the backend has ended its side */
    PHASE_DRAIN,       /* we are stopping */
    PHASE_ANNOUNCE,    /* a load balancer's PROXY header */
};

/* How far the MAPI exchange came; see progress.h. */
enum event_mapi {
    MAPI_NONE,
    MAPI_CHALLENGE, /* the challenge was sent */
    MAPI_RESPONSE,  /* the client has answered it */
    MAPI_COMPLETE,  /* the last message was sent */
};

enum { EVENT_NO_ALERT = -1 };

/* The most that is kept of a text. */
#define EVENT_TEXT_MAX 255

/* A text from a peer, cut to what fits. */
struct event_bytes {
    const uint8_t *bytes;
    uint8_t length;
};

struct event {
    uint64_t id;
    double accepted;   /* seconds since 1970 */
    double since_boot; /* the same moment by a clock that nobody sets */
    uint16_t port;     /* its index among all ports */
    struct net_address client;
    struct net_address
        via; /* the load balancer that named it; length 0: none */

    enum first_bytes first;
    bool tls;       /* a TLS port */
    bool handshake; /* completed */
    bool resumed;
    bool client_certificate; /* it showed one */
    uint16_t tls_version;    /* as on the wire; 0: not negotiated */
    char cipher[40];
    char group[24];
    uint8_t client_sha256[32];          /* of the client certificate */
    int16_t alert_received, alert_sent; /* EVENT_NO_ALERT: none */

    uint64_t bytes_up;   /* application bytes from the client */
    uint64_t bytes_down; /* application bytes to the client */
    bool framed;         /* mapi is told: the backend is the simulator */
    enum event_mapi mapi;
    enum event_end end;
    enum event_phase phase;
    int error; /* errno behind END_RESET and END_BACKEND, or 0 */
    float handshake_seconds, backend_seconds, total_seconds; /* -1: not done */

    /* Texts, from here on: outbox.c packs them. */
    struct event_bytes sni;
    struct event_bytes alpn_offered;   /* RFC 7301's list, as on the wire */
    struct event_bytes alpn_selected;  /* length 0: none */
    struct event_bytes client_subject; /* one line, RFC 2253 */
    const char *reason;  /* for END_REFUSED and END_BACKEND: in words */
    const char *backend; /* the address tried last; "": none */
};

extern const char *const event_end_names[];
extern const char *const event_first_names[];
extern const char *const event_mapi_names[];

/* Copy at most EVENT_TEXT_MAX bytes into a text that the event owns. */
void event_bytes_set(struct event_bytes *to, const void *bytes, size_t length);

/* The same for reason and backend; NULL unsets. */
void event_text_set(const char **to, const char *text);

/* Free the texts of an event that owns them, and unset them. */
void event_clear(struct event *event);

/*
 * What a client's first bytes, at most the first 8 or so, say that it speaks.
 * Only TLS is certain after 2 bytes: a record of type handshake, version 3.x.
 */
enum first_bytes event_classify_first(const uint8_t *bytes, size_t length);

/* A connection that left without a byte: somebody looked whether the port is
 * open.  No session, and no failure. */
bool event_is_probe(const struct event *event);

/* "TLSv1.3", or NULL if nothing was negotiated. */
const char *event_tls_version(const struct event *event);

#endif
