/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/backend.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

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

static struct net_address
path_address(size_t position)
{
    struct net_address address = {.length = sizeof address.sa.v4};

    address.sa.any.sa_family = AF_UNIX;
    net_set_port(&address, (uint16_t)position);
    return address;
}

/* Add the addresses of the target in this position, from 1; -1 if it has none
 * now. */
static int
resolve_target(struct backend *to, size_t position, const char *whose)
{
    const struct target *target = &to->targets[position - 1];
    struct net_address found[BACKEND_ADDRESSES_MAX];
    const char *reason;
    int count = 1;

    if (target_is_path(target))
        found[0] = path_address(position);
    else
        count = net_resolve(target->host, target->port, found,
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
        if (!target_is_path(&backend->targets[i])
            && !net_numeric(backend->targets[i].host, 0, &address))
            return true;
    return false;
}

bool
backend_is_path(const struct backend *backend, int position)
{
    return backend->addresses[position].sa.any.sa_family == AF_UNIX;
}

/* Addresses come from another process: one that is not ours is "". */
static const char *
path_at(const struct backend *backend, int position)
{
    size_t target = net_port(&backend->addresses[position]);

    if (target < 1 || target > backend->target_count
        || !target_is_path(&backend->targets[target - 1]))
        return "";
    return backend->targets[target - 1].host;
}

int
backend_connect(const struct backend *backend, int position)
{
    return backend_is_path(backend, position)
               ? net_connect_path(path_at(backend, position))
               : net_connect(&backend->addresses[position]);
}

char *
backend_text(const struct backend *backend, int position,
             char out[NET_TEXT_MAX])
{
    const char *path;
    size_t length;

    if (!backend_is_path(backend, position))
        return net_text(&backend->addresses[position], out);
    path = path_at(backend, position);
    length = strlen(path);
    if (length < NET_TEXT_MAX)
        snprintf(out, NET_TEXT_MAX, "%s", path);
    else
        snprintf(out, NET_TEXT_MAX, "...%s", path + length - NET_TEXT_MAX + 4);
    return out;
}

bool
backend_is_at(const struct backend *backend, const char *host, uint16_t port)
{
    struct net_address address;

    for (size_t i = 0; i < backend->target_count; i++)
        if (backend->targets[i].port == port
            && strcasecmp(backend->targets[i].host, host) == 0)
            return true;
    if (!net_numeric(host, port, &address))
        return false;
    for (int i = 0; i < backend->count; i++)
        if (net_equal(&backend->addresses[i], &address))
            return true;
    return false;
}
