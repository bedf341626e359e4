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
#include "proxy/conn.h"
#include "proxy/layout.h"
#include "proxy/policy.h"
#include "proxy/settings.h"
#include "proxy/sockets.h"

struct worker_task {
    const struct settings *settings;
    const struct layout *layout;
    const struct sockets *sockets;
    const struct policy_material *material;
    const struct backend *forward;  /* of the port `forward` */
    const struct backend *backends; /* of all others */
    struct board *board;
    struct process_slot *slot;
    int index;   /* which of each port's sockets are ours */
    int channel; /* to the master */
    int events;  /* to control */
};

/* Serve until the master says stop; returns the exit status. */
int worker_run(const struct worker_task *task);

#endif
