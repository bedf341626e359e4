/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/gate.h"

#include <stdatomic.h>

#include "base/log.h"

/* The scope of a client's connections to all ports of the crew; those to one
 * port have its index, which is small. */
#define SCOPE_ALL 0x10000u

static const char *const explanations[LIMIT_COUNT] = {
    [LIMIT_CONNECTIONS] = "connections to this port are open: new ones are "
                          "closed at once",
    [LIMIT_ALL] = "connections to all such ports are open: new ones are closed "
                  "at once",
    [LIMIT_PER_CLIENT] = "connections of one client are open: its new ones are "
                         "closed at once",
    [LIMIT_HANDSHAKES] = "handshakes are unfinished in one worker: new "
                         "connections wait",
};

void
gate_note(const struct gate *gate, const struct gate_port *port,
          enum limit limit, unsigned most)
{
    count(&gate->slot->ports[port->index].limited[limit], 1);
    if (board_may_warn(&gate->board->warned[port->index][limit]))
        log_warning("port '%s': limit reached: %u %s", port->name, most,
                    explanations[limit]);
}

void
gate_leave(const struct gate *gate, const struct gate_port *port)
{
    count(&gate->slot->open, UINT64_MAX); /* minus one */
    count(&gate->slot->ports[port->index].active, UINT64_MAX);
}

bool
gate_admit(const struct gate *gate, const struct gate_port *port)
{
    unsigned most = port->limits->connections;
    unsigned all = gate->all->connections;
    enum limit limit = LIMIT_COUNT;

    count(&gate->slot->open, 1);
    count(&gate->slot->ports[port->index].active, 1);
    if (most == 0 && all == 0)
        return true;
    /* Not to be read before ours is counted: see tally_add(). */
    atomic_thread_fence(memory_order_seq_cst);
    if (most != 0 && board_active(gate->board, port->index) > most)
        limit = LIMIT_CONNECTIONS;
    else if (all != 0 && board_open(gate->board, gate->slot->crew) > all)
        limit = LIMIT_ALL;
    else
        return true;
    gate_leave(gate, port);
    gate_note(gate, port, limit, limit == LIMIT_ALL ? all : most);
    return false;
}

bool
gate_counts_clients(const struct gate *gate, const struct gate_port *port)
{
    return gate->all->per_client != 0 || port->limits->per_client != 0;
}

/* The scopes in which a client is counted; the first is the port's. */
static void
scopes_of(const struct gate *gate, const struct gate_port *port,
          unsigned most[2], uint32_t scopes[2])
{
    most[0] = port->limits->per_client;
    most[1] = gate->all->per_client;
    scopes[0] = (uint32_t)port->index;
    scopes[1] = SCOPE_ALL + gate->slot->crew;
}

/* Take the client out of the first `count` scopes in which it is counted. */
static void
remove_client(const struct gate *gate, const struct gate_port *port,
              const struct net_address *client, int scope_count)
{
    size_t row = (size_t)(gate->slot - gate->board->slots);
    uint32_t scopes[2];
    unsigned most[2];

    scopes_of(gate, port, most, scopes);
    for (int i = 0; i < scope_count; i++)
        if (most[i] != 0)
            tally_remove(gate->tally, row,
                         tally_key(gate->tally, client, scopes[i]));
}

bool
gate_admit_client(const struct gate *gate, const struct gate_port *port,
                  const struct net_address *client)
{
    size_t row = (size_t)(gate->slot - gate->board->slots);
    uint32_t scopes[2];
    unsigned most[2];

    scopes_of(gate, port, most, scopes);
    for (int i = 0; i < 2; i++) {
        if (most[i] == 0
            || tally_add(gate->tally, row, gate->board->used,
                         tally_key(gate->tally, client, scopes[i]))
                   <= most[i])
            continue;
        remove_client(gate, port, client, i + 1);
        gate_note(gate, port, LIMIT_PER_CLIENT, most[i]);
        return false;
    }
    return true;
}

void
gate_leave_client(const struct gate *gate, const struct gate_port *port,
                  const struct net_address *client)
{
    remove_client(gate, port, client, 2);
}
