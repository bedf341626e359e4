/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/site.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "proxy/channel.h"
#include "proxy/state.h"

/* A worker's burst of events waits here while control is busy; the kernel cuts
 * it to net.core.wmem_max. */
#define EVENT_QUEUE_BYTES (4 * 1024 * 1024)

static int
resolve_backend(struct backend *backend, const struct target *target,
                const char *option)
{
    const char *reason;

    backend->count = net_resolve(target->host, target->port, backend->addresses,
                                 BACKEND_ADDRESSES_MAX, &reason);
    if (backend->count > 0)
        return 0;
    log_error("%s: cannot resolve '%s': %s", option, target->host, reason);
    return -1;
}

/* The simulator stands beside our own executable, never in the PATH. */
static int
find_simulator(struct site *site)
{
    char *path = site->simulator_program;
    size_t room = sizeof site->simulator_program;
    ssize_t n = readlink("/proc/self/exe", path, room - 1);
    char *slash;

    if (n <= 0) {
        log_errno("cannot find out where mapitest is");
        return -1;
    }
    path[n] = '\0';
    slash = strrchr(path, '/');
    n = slash == NULL ? 0 : slash + 1 - path;
    snprintf(path + n, room - (size_t)n, "mapisim");
    if (access(path, X_OK) == 0)
        return 0;
    log_errno("cannot run the simulator, %s", path);
    return -1;
}

static int
listen_for_simulator(struct site *site)
{
    static const char *const loopback[] = {"127.0.0.1", "::1"};
    struct backend *backend = &site->backends;

    for (size_t i = 0; i < 2 && site->simulator == -1; i++) {
        net_numeric(loopback[i], 0, &backend->addresses[0]);
        site->simulator = net_listen(&backend->addresses[0], false);
    }
    if (site->simulator == -1) {
        log_errno("cannot listen for the simulator on 127.0.0.1 or ::1");
        return -1;
    }
    backend->count = 1;
    backend->simulator = true;
    return 0;
}

static int
open_backends(struct site *site)
{
    const struct settings *settings = site->settings;

    if (settings->forward.set
        && resolve_backend(&site->forward, &settings->forward, "-f") == -1)
        return -1;
    if (settings->backend.set)
        return resolve_backend(&site->backends, &settings->backend, "-b");
    return find_simulator(site);
}

static int
open_events(struct site *site)
{
    static const int bytes = EVENT_QUEUE_BYTES;

    for (int i = 0; i < site->settings->workers; i++) {
        int pair[2];

        if (channel_pair(pair) == -1) {
            log_errno("cannot make a channel for worker %d", i);
            return -1;
        }
        (void)setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
        site->events[i] = (struct event_channel){pair[0], pair[1]};
    }
    return 0;
}

static int
make_certificates(struct site *site)
{
    const struct settings *settings = site->settings;
    struct state state;

    if (state_open(&state, settings->state, settings->hostnames,
                   settings->hostname_count)
        == -1)
        return -1;
    site->certs = state.certs;
    site->material = (struct policy_material){
        .certs = site->certs,
        .hostnames = settings->hostnames,
        .hostname_count = settings->hostname_count,
    };
    memcpy(site->material.ticket_secret, state.ticket_secret,
           sizeof state.ticket_secret);
    OPENSSL_cleanse(&state, sizeof state);
    return 0;
}

int
site_open(struct site *site, const struct settings *settings)
{
    char reason[256];

    *site = (struct site){.settings = settings, .simulator = -1};
    for (int i = 0; i < WORKERS_MAX; i++)
        site->events[i] = (struct event_channel){-1, -1};
    if (settings->serve) {
        /* What can fail fast comes before the making of keys; and the numbers
         * that were asked for are taken before any that the kernel chooses. */
        if (layout_plan(&site->layout, settings, reason, sizeof reason) == -1) {
            log_error("%s", reason);
            return -1;
        }
        if (open_backends(site) == -1
            || sockets_open(&site->sockets, &site->layout, settings) == -1
            || (!settings->backend.set && listen_for_simulator(site) == -1)
            || open_events(site) == -1)
            return -1;
        site->board = board_new();
        if (site->board == NULL) {
            log_errno("cannot share memory between processes");
            return -1;
        }
    }
    return make_certificates(site);
}

void
site_close(struct site *site)
{
    for (int i = 0; i < WORKERS_MAX; i++) {
        net_close(&site->events[i].worker);
        net_close(&site->events[i].control);
    }
    net_close(&site->simulator);
    sockets_close(&site->sockets);
    cert_set_free(site->certs);
    site->certs = NULL;
}
