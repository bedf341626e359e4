/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/edition.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

static struct edition *
empty(enum crew crew, size_t backends)
{
    struct edition *edition = calloc(1, sizeof *edition);

    if (edition == NULL)
        return NULL;
    edition->crew = crew;
    edition->backend_count = backends;
    edition->backends = calloc(backends, sizeof *edition->backends);
    if (edition->backends != NULL)
        return edition;
    free(edition);
    return NULL;
}

static void
set_target(struct backend *backend, const struct target *target)
{
    if (target->set) {
        backend->targets = target;
        backend->target_count = 1;
    }
}

struct edition *
edition_of_table(const struct settings *settings)
{
    struct edition *edition = empty(CREW_TEST, LAYOUT_BACKENDS);
    char reason[256];

    if (edition == NULL) {
        log_error("no memory for the ports");
        return NULL;
    }
    edition->limits = settings->limits;
    set_target(&edition->backends[LAYOUT_ALL], &settings->backend);
    set_target(&edition->backends[LAYOUT_FORWARD], &settings->forward);
    edition->backends[LAYOUT_ALL].simulator = !settings->backend.set;
    if (layout_plan(&edition->layout, settings, reason, sizeof reason) == -1) {
        log_error("%s", reason);
        goto failed;
    }
    if (edition->layout.beyond > 0)
        log_warning("%zu ports stay off: there are no numbers for them",
                    edition->layout.beyond);
    /* The numbers that were asked for are taken before any that the kernel
     * chooses. */
    if (edition_resolve(edition) == -1
        || sockets_open_table(&edition->sockets, &edition->layout, settings)
               == -1)
        goto failed;
    return edition;

failed:
    edition_free(edition);
    return NULL;
}

/* The index of that port in previous, or the first that is free; -1: none. */
static int
choose_index(const char *name, const struct edition *previous,
             const struct edition_indexes *indexes, const bool *used)
{
    const struct port *same =
        previous == NULL ? NULL : layout_find(&previous->layout, name);

    if (same != NULL)
        return same->index;
    for (int i = 0; i < PORTS_MAX; i++)
        if (!indexes->taken[i] && !used[i])
            return i;
    return -1;
}

static int
lay_out(struct edition *edition, const struct edition *previous,
        const struct edition_indexes *indexes)
{
    const struct config *config = edition->config;
    bool used[PORTS_MAX] = {false};

    for (size_t i = 0; previous != NULL && i < previous->layout.count; i++)
        used[previous->layout.ports[i].index] = true;
    for (size_t i = 0; i < config->front_count; i++) {
        const struct front *front = &config->fronts[i];
        int index = choose_index(front->policy.name, previous, indexes, used);
        struct backend *backend = &edition->backends[i];

        if (index == -1) {
            config_error(config, front->line,
                         "port '%s': too many ports, old connections' "
                         "included",
                         front->policy.name);
            return -1;
        }
        used[index] = true;
        edition->layout.ports[edition->layout.count++] = (struct port){
            .policy = &front->policy,
            .index = (uint16_t)index,
            .backend = (uint16_t)i,
        };
        backend->targets = front->targets;
        backend->target_count = front->target_count;
        backend->simulator = front->simulator;
    }
    return 0;
}

struct edition *
edition_of_config(struct config *config, const struct edition *previous,
                  const struct edition_indexes *indexes)
{
    struct edition *edition = empty(CREW_CONFIGURED, config->front_count);

    if (edition == NULL) {
        log_error("no memory for the ports");
        return NULL;
    }
    edition->config = config;
    edition->limits = config->limits;
    if (lay_out(edition, previous, indexes) == 0)
        return edition;
    edition->config = NULL; /* still the caller's */
    edition_free(edition);
    return NULL;
}

int
edition_bind(struct edition *edition, const struct settings *settings,
             const struct edition *previous)
{
    return sockets_open_fronts(&edition->sockets, &edition->layout,
                               edition->config, (size_t)settings->workers,
                               previous == NULL ? NULL : &previous->sockets);
}

void
edition_take_addresses(struct edition *edition, size_t backend,
                       const struct net_address *addresses, int count)
{
    struct backend *to;

    if (backend >= edition->backend_count || count < 1)
        return;
    to = &edition->backends[backend];
    if (to->simulator)
        return;
    memcpy(to->addresses, addresses, (size_t)count * sizeof addresses[0]);
    to->count = count;
}

const char *
edition_backend_name(const struct edition *edition, size_t backend,
                     char out[96])
{
    if (edition->config != NULL)
        snprintf(out, 96, "port '%s'",
                 edition->config->fronts[backend].policy.name);
    else
        snprintf(out, 96, "%s", backend == LAYOUT_ALL ? "-b" : "-f");
    return out;
}

int
edition_resolve(struct edition *edition)
{
    char name[96];

    for (size_t i = 0; i < edition->backend_count; i++) {
        struct backend *backend = &edition->backends[i];

        if (backend->target_count > 0
            && backend_resolve(backend, edition_backend_name(edition, i, name))
                   == -1)
            return -1;
    }
    return 0;
}

void
edition_free(struct edition *edition)
{
    if (edition == NULL)
        return;
    sockets_close(&edition->sockets);
    config_free(edition->config);
    config_free(edition->trusted);
    free(edition->backends);
    free(edition);
}
