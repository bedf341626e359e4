/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/backend.h"

#include <string.h>

#include "base/log.h"

int
backend_resolve(struct backend *backend, const char *whose)
{
    struct net_address found[BACKEND_ADDRESSES_MAX];
    int count = 0;

    for (size_t i = 0; i < backend->target_count; i++) {
        const struct target *target = &backend->targets[i];
        const char *reason = "too many addresses";
        int more = net_resolve(target->host, target->port, found + count,
                               BACKEND_ADDRESSES_MAX - count, &reason);

        if (more > 0)
            count += more;
        else if (whose != NULL)
            log_error("%s: cannot resolve '%s': %s", whose, target->host,
                      reason);
    }
    if (count == 0)
        return -1;
    memcpy(backend->addresses, found, (size_t)count * sizeof found[0]);
    backend->count = count;
    return 0;
}

bool
backend_has_names(const struct backend *backend)
{
    struct net_address address;

    for (size_t i = 0; i < backend->target_count; i++)
        if (!net_numeric(backend->targets[i].host, 0, &address))
            return true;
    return false;
}
