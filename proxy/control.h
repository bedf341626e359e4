/*
 * control.h - the process that tells: HTTP on the base port, and the log
 *
 * It owns the events of finished connections and what is made from them.  It
 * relays nothing: when it dies, connections do not notice, and its successor
 * reads the events that have queued up meanwhile.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_CONTROL_H
#define PROXY_CONTROL_H

#include "certs/store.h"
#include "proxy/board.h"
#include "proxy/chart.h"
#include "proxy/settings.h"

struct control_task {
    const struct settings *settings;
    const struct chart *chart; /* as it was at the fork */
    const struct board *board;
    struct process_slot *slot; /* its own */
    struct store *store;       /* taken over */
    const int *http;           /* listening sockets of the base port */
    size_t http_count;
    const int *events; /* one socket for each worker index */
    size_t event_count;
    int channel; /* to the master */
};

/* Serve until the master says stop; returns the exit status. */
int control_run(const struct control_task *task);

#endif
