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
#include "proxy/checker.h"
#include "proxy/inherited.h"
#include "proxy/operator_files.h"
#include "proxy/state.h"
#include "proxy/trusted.h"

/* A worker's burst of events waits here while control is busy; the kernel cuts
 * it to net.core.wmem_max. */
#define EVENT_QUEUE_BYTES (4 * 1024 * 1024)

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
    if (privileges_allow(&site->privileges, path))
        return 0;
    log_errno("cannot run the simulator, %s", path);
    return -1;
}

static int
listen_for_simulator(struct site *site)
{
    static const char *const loopback[] = {"127.0.0.1", "::1"};

    for (size_t i = 0; i < 2 && site->simulator == -1; i++) {
        net_numeric(loopback[i], 0, &site->simulator_address);
        site->simulator = net_listen(&site->simulator_address, false);
    }
    if (site->simulator != -1)
        return 0;
    log_errno("cannot listen for the simulator on 127.0.0.1 or ::1");
    return -1;
}

bool
site_needs_simulator(const struct edition *edition)
{
    for (size_t i = 0; i < edition->backend_count; i++)
        if (edition->backends[i].simulator)
            return true;
    return false;
}

int
site_add_simulator(struct site *site, struct edition *edition)
{
    if (!site_needs_simulator(edition))
        return 0;
    if (site->simulator == -1
        && (find_simulator(site) == -1 || listen_for_simulator(site) == -1))
        return -1;
    for (size_t i = 0; i < edition->backend_count; i++) {
        struct backend *backend = &edition->backends[i];

        if (!backend->simulator)
            continue;
        backend->addresses[0] = site->simulator_address;
        backend->count = 1;
    }
    return 0;
}

static int
open_events(struct site *site, enum crew crew)
{
    static const int bytes = EVENT_QUEUE_BYTES;

    for (int i = 0; i < site->settings->workers; i++) {
        int pair[2];

        if (channel_pair(pair) == -1) {
            log_errno("cannot make a channel for worker %d", i);
            return -1;
        }
        (void)setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
        site->events[crew][i] = (struct event_channel){pair[0], pair[1]};
    }
    return 0;
}

static int
make_certificates(struct site *site)
{
    const struct settings *settings = site->settings;
    bool wanted = settings->tester || settings->write_directory != NULL;
    struct state state;

    if (state_open(&state, settings->state, wanted ? settings->hostnames : NULL,
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
           TICKETS_SECRET_BYTES);
    OPENSSL_cleanse(&state, sizeof state);
    return 0;
}

/* As with the configuration: the master never holds the key. */
static int
open_trusted(struct site *site, struct edition *edition)
{
    const struct settings *settings = site->settings;

    if (layout_find(&edition->layout, "trusted") == NULL)
        return 0;
    edition->trusted = trusted_config(settings);
    return edition->trusted != NULL
                   && operator_files_open(edition->trusted,
                                          settings->allow_world_readable_keys)
                          == 0
                   && checker_run(edition, &site->privileges, NULL) == 0
               ? 0
               : -1;
}

static int
open_table(struct site *site)
{
    struct edition *edition = edition_of_table(site->settings);

    site->editions[CREW_TEST] = edition;
    if (edition == NULL || site_add_simulator(site, edition) == -1
        || open_trusted(site, edition) == -1)
        return -1;
    return open_events(site, CREW_TEST);
}

/* What can be wrong with the configuration is found here, by a process that
 * ends again: the master never holds an operator's key. */
static int
open_configuration(struct site *site)
{
    const struct settings *settings = site->settings;
    struct config *config = config_read(settings->config, settings);
    const struct edition *table = site->editions[CREW_TEST];
    struct edition_indexes indexes = {{false}};
    struct edition *edition;

    if (config == NULL)
        return -1;
    for (size_t i = 0; table != NULL && i < table->layout.count; i++)
        indexes.taken[table->layout.ports[i].index] = true;
    edition = edition_of_config(config, NULL, &indexes);
    if (edition == NULL) {
        config_free(config);
        return -1;
    }
    site->editions[CREW_CONFIGURED] = edition;
    if (operator_files_open(config, settings->allow_world_readable_keys) == -1
        || checker_run(edition, &site->privileges, NULL) == -1
        || edition_bind(edition, settings, NULL) == -1
        || sockets_open_http(&site->http, config) == -1
        || site_add_simulator(site, edition) == -1)
        return -1;
    return open_events(site, CREW_CONFIGURED);
}

int
site_open(struct site *site, const struct settings *settings)
{
    *site = (struct site){.settings = settings, .simulator = -1};
    for (int c = 0; c < CREW_COUNT; c++)
        for (int i = 0; i < WORKERS_MAX; i++)
            site->events[c][i] = (struct event_channel){-1, -1};
    if (privileges_find(settings->user, &site->privileges) == -1)
        return -1;
    if (settings->serve) {
        site->board = board_new();
        if (site->board == NULL) {
            log_errno("cannot share memory between processes");
            return -1;
        }
        site->tally = tally_new(BOARD_SLOTS);
        if (site->tally == NULL)
            return -1;
    }
    /* What can fail fast comes before the making of keys. */
    if (settings->tester && open_table(site) == -1)
        return -1;
    if (settings->config != NULL && open_configuration(site) == -1)
        return -1;
    inherited_warn_untaken();
    return make_certificates(site);
}

void
site_close(struct site *site)
{
    for (int c = 0; c < CREW_COUNT; c++) {
        for (int i = 0; i < WORKERS_MAX; i++) {
            net_close(&site->events[c][i].worker);
            net_close(&site->events[c][i].control);
        }
        edition_free(site->editions[c]);
        site->editions[c] = NULL;
    }
    net_close(&site->simulator);
    sockets_close(&site->http);
    cert_set_free(site->certs);
    site->certs = NULL;
}
