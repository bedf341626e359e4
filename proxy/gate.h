/*
 * gate.h - who is let in: the limits of a worker's ports
 *
 * Connections are counted before the sum is looked at, and taken back if it is
 * too much: a limit is never exceeded, though of several that come at the same
 * instant for the last place all may be turned away.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_GATE_H
#define PROXY_GATE_H

#include <stdbool.h>

#include "proxy/board.h"
#include "proxy/limits.h"
#include "proxy/tally.h"

struct gate {
    struct board *board;
    struct tally *tally;
    struct process_slot *slot; /* this worker's */
    const struct limits *all;  /* of its ports together */
};

/* What a gate has to know of a port. */
struct gate_port {
    const char *name;
    size_t index;
    const struct limits *limits;
};

/* Let a connection in, and count it; false: close it. */
bool gate_admit(const struct gate *gate, const struct gate_port *port);

/* A connection that was let in is over. */
void gate_leave(const struct gate *gate, const struct gate_port *port);

/* True if clients have to be counted. */
bool gate_counts_clients(const struct gate *gate, const struct gate_port *port);

/* The same as the first two for the client, once its address is known. */
bool gate_admit_client(const struct gate *gate, const struct gate_port *port,
                       const struct net_address *client);
void gate_leave_client(const struct gate *gate, const struct gate_port *port,
                       const struct net_address *client);

/* Count that a limit was reached, and log it unless some worker has done so a
 * moment ago. */
void gate_note(const struct gate *gate, const struct gate_port *port,
               enum limit limit, unsigned most);

#endif
