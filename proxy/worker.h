/*
 * worker.h - the process that relays
 *
 * One event loop, its own listening sockets, its own connections, and nothing
 * shared with other workers but counters that nobody else writes.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_WORKER_H
#define PROXY_WORKER_H

#include "proxy/board.h"
#include "proxy/edition.h"
#include "proxy/policy.h"
#include "proxy/settings.h"
#include "proxy/tally.h"

struct worker_task {
    const struct settings *settings;
    struct edition *edition; /* what it serves */
    const struct policy_material *material;
    struct board *board;
    struct tally *tally;
    struct process_slot *slot; /* its index says which sockets are ours */
    int channel;               /* to the master */
    int events;                /* to control */
};

/* Serve until the master says stop; returns the exit status. */
int worker_run(const struct worker_task *task);

#endif
