/*
 * site.h - everything that is made before the first fork
 *
 * Certificates, sockets, backends, shared memory: the master makes it, keeps
 * it, and hands it to every process that it starts.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_SITE_H
#define PROXY_SITE_H

#include "certs/factory.h"
#include "proxy/board.h"
#include "proxy/edition.h"
#include "proxy/policy.h"
#include "proxy/privileges.h"
#include "proxy/settings.h"
#include "proxy/tally.h"

/* The two ends of a worker's event channel; the master keeps both, so that what
 * was sent survives the death of either process. */
struct event_channel {
    int worker, control;
};

struct site {
    const struct settings *settings;
    struct edition *editions[CREW_COUNT]; /* in force; NULL: no such ports */
    struct sockets http;                  /* of the configuration */
    struct cert_set *certs;
    struct policy_material material;
    int simulator; /* its listening socket; -1: there is none */
    struct net_address simulator_address;
    char simulator_program[4096]; /* its path */
    struct privileges privileges; /* whom children run as */
    struct board *board;
    struct tally *tally;
    struct event_channel events[CREW_COUNT][WORKERS_MAX];
};

/*
 * Make all of it, sockets bound and listening.  Returns 0, or -1 with the
 * culprit named in the log; site_close() is needed in both cases.
 */
int site_open(struct site *site, const struct settings *settings);

/* True if an edition's ports have the simulator behind them. */
bool site_needs_simulator(const struct edition *edition);

/*
 * Listen for the simulator unless that is done, and let the edition's backends
 * know where.  Returns 0, or -1 with the reason logged.
 */
int site_add_simulator(struct site *site, struct edition *edition);

void site_close(struct site *site);

#endif
