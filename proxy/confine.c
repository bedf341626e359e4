/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/confine.h"

#include <stdlib.h>

#include "base/log.h"

static size_t
most_ports(const struct edition *edition)
{
    size_t most = 0;

    for (size_t i = 0; i < edition->backend_count; i++)
        most += edition->backends[i].target_count
                + (size_t)edition->backends[i].count;
    return most;
}

/* A target has a port; the simulator, which is none, has only its address. */
static void
add_ports(uint16_t *ports, size_t *count, const struct backend *backend)
{
    for (size_t i = 0; i < backend->target_count; i++)
        ports[(*count)++] = backend->targets[i].port;
    for (int i = 0; i < backend->count; i++)
        ports[(*count)++] = net_port(&backend->addresses[i]);
}

static int
confine_worker(const struct edition *edition)
{
    uint16_t *ports = calloc(most_ports(edition) + 1, sizeof *ports);
    struct sandbox_reach reach = {.ports = ports};
    int result;

    if (ports == NULL) {
        log_error("cannot enter the sandbox: no memory");
        return -1;
    }
    for (size_t i = 0; i < edition->backend_count; i++)
        add_ports(ports, &reach.port_count, &edition->backends[i]);
    result = sandbox_enter(SANDBOX_WORKER, &reach);
    free(ports);
    return result;
}

int
confine(enum sandbox_kind kind, const struct edition *edition,
        struct process_slot *slot)
{
    int result = kind == SANDBOX_WORKER ? confine_worker(edition)
                                        : sandbox_enter(kind, NULL);

    if (result == -1)
        return -1;
    slot->sandbox = (enum sandbox)result;
    return 0;
}
