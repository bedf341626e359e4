/*
 * edition.h - one version of what a crew of workers serves
 *
 * Ports, sockets, backends.  A reload makes a new edition of the operator's
 * ports beside the old one; the port table's only changes its certificates.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_EDITION_H
#define PROXY_EDITION_H

#include "proxy/backend.h"
#include "proxy/config.h"
#include "proxy/layout.h"
#include "proxy/settings.h"
#include "proxy/sockets.h"

struct edition {
    unsigned number; /* counted by the master, within the crew */
    enum crew crew;
    struct config *config;  /* NULL: the port table */
    struct config *trusted; /* of the port of that name; NULL: it is absent */
    struct layout layout;
    struct sockets sockets;
    struct backend *backends; /* that ports' `backend` points into */
    size_t backend_count;
    struct limits limits; /* of all its ports together */
};

/* Indexes of ports that cannot be given to another port yet. */
struct edition_indexes {
    bool taken[PORTS_MAX];
};

/*
 * The port table as the settings want it: numbers planned, names resolved,
 * sockets bound, the simulator's address left open.  Returns an edition that
 * the caller frees, or NULL with the culprit logged.
 */
struct edition *edition_of_table(const struct settings *settings);

/*
 * The configuration's ports.  Takes config over if it succeeds.  A port that
 * previous (NULL: none) has by the same name keeps its index; others get what
 * is free in indexes.  Sockets are not bound, names not resolved yet.
 */
struct edition *
edition_of_config(struct config *config, const struct edition *previous,
                  const struct edition_indexes *indexes);

/* Bind the sockets of a configuration's edition, or take previous's. */
int edition_bind(struct edition *edition, const struct settings *settings,
                 const struct edition *previous);

/* Resolve all backends; -1 if one has no address. */
int edition_resolve(struct edition *edition);

/* Where a backend is now, as another process has found out.  Nothing happens
 * if there is no such backend, or no address. */
void edition_take_addresses(struct edition *edition, size_t backend,
                            const struct net_address *addresses, int count);

/* Whose a backend is, for messages; out is returned. */
const char *edition_backend_name(const struct edition *edition, size_t backend,
                                 char out[96]);

/* NULL does nothing. */
void edition_free(struct edition *edition);

#endif
