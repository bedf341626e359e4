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
#include "proxy/conn.h"
#include "proxy/layout.h"
#include "proxy/policy.h"
#include "proxy/settings.h"
#include "proxy/sockets.h"

/* The two ends of a worker's event channel; the master keeps both, so that what
 * was sent survives the death of either process. */
struct event_channel {
    int worker, control;
};

struct site {
    const struct settings *settings;
    struct layout layout;
    struct sockets sockets;
    struct cert_set *certs;
    struct policy_material material;
    struct backend backends; /* of every port but `forward` */
    struct backend forward;
    int simulator;                /* its listening socket; -1: there is none */
    char simulator_program[4096]; /* its path */
    struct board *board;
    struct event_channel events[WORKERS_MAX];
};

/*
 * Make all of it, sockets bound and listening.  Returns 0, or -1 with the
 * culprit named in the log; site_close() is needed in both cases.
 */
int site_open(struct site *site, const struct settings *settings);

void site_close(struct site *site);

#endif
