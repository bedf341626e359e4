/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/addresses.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

static int
add_address(struct addresses *s, const struct net_address *address)
{
    for (size_t i = 0; i < s->count; i++)
        if (net_equal(&s->list[i], address))
            return 0;
    if (s->count == SETTINGS_LIST_MAX) {
        log_error("more than %d addresses to listen on", SETTINGS_LIST_MAX);
        return -1;
    }
    s->list[s->count++] = *address;
    return 0;
}

/* An error that says: this machine has no such family or, for one of several
 * addresses of a name, does not have it configured. */
static bool
lacks_family(int error, bool one_of_many)
{
    return error == EAFNOSUPPORT || (one_of_many && error == EADDRNOTAVAIL);
}

/* What was skipped, and why, for one line in the log. */
struct skipped {
    char text[512];
};

static void
skip(struct skipped *skipped, const struct net_address *address)
{
    char host[NET_TEXT_MAX];
    size_t used = strlen(skipped->text);

    snprintf(skipped->text + used, sizeof skipped->text - used, "%s%s (%s)",
             used > 0 ? ", " : "", net_host_text(address, host),
             strerror(errno));
}

/* Take address if a socket can be bound to it, on any port. */
static int
try_address(struct addresses *s, const struct net_address *address,
            const char *name, bool one_of_many, struct skipped *skipped)
{
    struct net_address probe = *address;
    int fd = net_listen(&probe, false);

    if (fd == -1 && lacks_family(errno, one_of_many)) {
        skip(skipped, address);
        return 0;
    }
    if (fd == -1) {
        log_errno("cannot listen on '%s'", name);
        return -1;
    }
    net_close(&fd);
    return add_address(s, address);
}

static int
add_name(struct addresses *s, const char *name, struct skipped *skipped)
{
    struct net_address found[SETTINGS_LIST_MAX];
    const char *reason;
    int count = net_resolve(name, 0, found, SETTINGS_LIST_MAX, &reason);

    if (count == -1) {
        log_error("cannot listen on '%s': %s", name, reason);
        return -1;
    }
    for (int i = 0; i < count; i++)
        if (try_address(s, &found[i], name, count > 1, skipped) == -1)
            return -1;
    return 0;
}

int
addresses_find(struct addresses *s, const struct settings *settings)
{
    static const char *const loopback[] = {"127.0.0.1", "::1"};
    struct net_address address;
    struct skipped skipped = {""};

    s->count = 0;
    for (size_t i = 0; settings->listen_count == 0 && i < 2; i++) {
        net_numeric(loopback[i], 0, &address);
        if (try_address(s, &address, loopback[i], true, &skipped) == -1)
            return -1;
    }
    for (size_t i = 0; i < settings->listen_count; i++)
        if (add_name(s, settings->listen[i], &skipped) == -1)
            return -1;
    if (s->count == 0) {
        log_error("cannot listen on %s", skipped.text);
        return -1;
    }
    if (skipped.text[0] != '\0')
        log_info("not listening on %s", skipped.text);
    return 0;
}
