/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/backend.h"

#include <string.h>

#include "base/log.h"

/* Once only, as long as there is room. */
static void
append(struct backend *to, const struct net_address *address, size_t target)
{
    for (int i = 0; i < to->count; i++)
        if (net_equal(&to->addresses[i], address))
            return;
    if (to->count == BACKEND_ADDRESSES_MAX)
        return;
    to->addresses[to->count] = *address;
    to->owners[to->count] = (uint8_t)target;
    to->count++;
}

/* Add the addresses of the target in this position, from 1; -1 if it has none
 * now. */
static int
resolve_target(struct backend *to, size_t position, const char *whose)
{
    const struct target *target = &to->targets[position - 1];
    struct net_address found[BACKEND_ADDRESSES_MAX];
    const char *reason;
    int count = net_resolve(target->host, target->port, found,
                            BACKEND_ADDRESSES_MAX, &reason);

    if (count == -1 && whose != NULL)
        log_error("%s: cannot resolve '%s': %s", whose, target->host, reason);
    for (int i = 0; i < count; i++)
        append(to, &found[i], position);
    return count == -1 ? -1 : 0;
}

static void
keep_old(struct backend *to, const struct backend *old, size_t position)
{
    for (int i = 0; i < old->count; i++)
        if (old->owners[i] == position || old->owners[i] == 0)
            append(to, &old->addresses[i], old->owners[i]);
}

int
backend_resolve(struct backend *backend, const char *whose)
{
    struct backend now = *backend;
    int failed = 0;

    now.count = 0;
    for (size_t i = 1; i <= backend->target_count; i++)
        if (resolve_target(&now, i, whose) == -1) {
            keep_old(&now, backend, i);
            failed++;
        }
    if (now.count == 0)
        return -1;
    *backend = now;
    return failed;
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
