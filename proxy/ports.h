/*
 * ports.h - the port table: what each port demands of a client, and does to it
 *
 * Const data.  The port map, the JSON API, README's table, the TLS contexts and
 * the tests are all generated from these rows; a new port is a new row.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_PORTS_H
#define PROXY_PORTS_H

#include <stdbool.h>
#include <stddef.h>

struct front;

#define PORTS_MAX 256 /* that can be open at once */

/* Protocol versions as on the wire (RFC 8446, 4.2.1). */
#define PORT_TLS_1_2 0x0303
#define PORT_TLS_1_3 0x0304

enum port_group {
    GROUP_CLASSIC,
    GROUP_COUNT,                    /* of groups in the port table */
    GROUP_CONFIGURED = GROUP_COUNT, /* the operator's own ports */
};

/*
 * Workers come in crews, which share nothing that a client of one could take
 * from the other's: one serves the port table, one the operator's ports.
 */
enum crew { CREW_TEST, CREW_CONFIGURED, CREW_COUNT };

/* What a client that does everything right does here. */
enum port_expect {
    EXPECT_TEST, /* it depends on what the client was told to expect */
    EXPECT_ACCEPT,
    EXPECT_REFUSE,
    EXPECT_MAY, /* the standards leave it open */
};

/* Where it shows what a client did (ports.md, "Behind a verdict"). */
enum port_judge {
    JUDGE_HANDSHAKE, /* in this connection */
    JUDGE_TARGET,    /* by what arrives at the port that it is redirected to */
    JUDGE_COUNT,     /* by how often it comes again */
    JUDGE_UNSEEN,    /* only the client knows whether it raised an error */
};

struct port_policy {
    const char *name;
    enum port_group group;
    const char *certificate; /* a row of cert_specs; NULL: no TLS */
    int tls_min, tls_max;
    const char *client_ca; /* a client certificate of this CA is required */
    bool sni_required;     /* a server name, and one of our host names */
    bool alpn_required;    /* without mapi/9: closed after the handshake */
    bool redirect;         /* the simulator's last message is a redirect */
    bool forward;          /* exists with -f only, and has its own backend */
    bool tickets;          /* issues session tickets */
    const char *ca;        /* the file that clients verify with; NULL: none */
    bool wrong_name;       /* the name is all that is wrong with it */
    bool helpless;         /* no client can log in: a refusal proves little */
    enum port_expect expect;
    enum port_judge judge;
    const char *rule; /* all of it in words */
    const char *why;  /* the reason for what is expected, half a sentence */
    const struct front *front; /* front.h: set for the operator's own ports */
};

extern const struct port_policy port_table[];
extern const size_t port_table_count;

/* "classic" ... for each group, "accept" ... for each expectation, "test" and
 * "configured" for the crews. */
extern const char *const port_group_names[];
extern const char *const port_expect_names[];
extern const char *const crew_names[CREW_COUNT];

/* True if clients are to speak TLS. */
static inline bool
port_has_tls(const struct port_policy *policy)
{
    return policy->tls_min != 0;
}

/* The row of that name, or NULL. */
const struct port_policy *port_find(const char *name);

#endif
