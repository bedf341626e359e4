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

/* A target has a port; the simulator, which is none, has only its address.  The
 * port of a path's address is only its position. */
static void
add_reach(struct sandbox_reach *reach, uint16_t *ports,
          const struct backend *backend)
{
    for (size_t i = 0; i < backend->target_count; i++)
        if (target_is_path(&backend->targets[i]))
            reach->unix_sockets = true;
        else
            ports[reach->port_count++] = backend->targets[i].port;
    for (int i = 0; i < backend->count; i++)
        if (backend->addresses[i].sa.any.sa_family != AF_UNIX)
            ports[reach->port_count++] = net_port(&backend->addresses[i]);
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
        add_reach(&reach, ports, &edition->backends[i]);
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
