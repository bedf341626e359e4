/*
 * bindings.h - which test a client is in: ?test=NAME, and until when
 *
 * A name is bound to the client's address, for all ports or for one, until the
 * client names another test, for an hour at most.  A connection belongs to the
 * test that was bound when it was accepted; as its record arrives when it is
 * over, a client's bindings are kept with their times.
 *
 * Times are seconds since boot: who sets the clock moves no connection into
 * another test.
 *
 * Everything is bounded, and what is oldest goes first: 10,000 clients, 256
 * bindings of each, 50,000 of all.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_BINDINGS_H
#define PROXY_BINDINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proxy/client.h"

#define BINDINGS_NAME_MAX    200 /* bytes of a name */
#define BINDINGS_CLIENTS_MAX 10000
#define BINDINGS_EACH_MAX    256
#define BINDINGS_MAX         50000
#define BINDINGS_SECONDS     3600.0

#define BINDINGS_ALL_PORTS (-1)

struct bindings;

/* What was in force; number 0: nothing. */
struct binding {
    const char *name; /* NULL: none; valid until the next bindings_bind() */
    uint64_t number;  /* counts all bindings; a later one has a higher one */
};

/* Now, for all processes. */
double bindings_now(void);

/* None yet; NULL with the reason logged. */
struct bindings *bindings_new(void);

/*
 * Bind a name to the client from now on, for the port of that index or for
 * BINDINGS_ALL_PORTS, which ends those for one port, too.  An empty name binds
 * none.  False: such a name cannot be kept (too long, or a NUL in it), and
 * everything stays as it was.
 */
bool bindings_bind(struct bindings *bindings, const struct client *client,
                   double now, int port, const char *name, size_t length);

/* What was in force for a client's connection to a port at that time. */
struct binding
bindings_find(const struct bindings *bindings, const struct client *client,
              int port, double when);

/* How many clients have bindings, and how many those are. */
size_t bindings_clients(const struct bindings *bindings);
size_t bindings_count(const struct bindings *bindings);

/* NULL does nothing. */
void bindings_free(struct bindings *bindings);

#endif
