/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/sockets.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

/* A number that is free in one family may be taken in the other. */
#define ANY_PORT_TRIES 50

static int
add_address(struct sockets *s, const struct net_address *address)
{
    for (size_t i = 0; i < s->addresses; i++)
        if (net_equal(&s->address[i], address))
            return 0;
    if (s->addresses == SOCKETS_ADDRESSES_MAX) {
        log_error("more than %d addresses to listen on", SOCKETS_ADDRESSES_MAX);
        return -1;
    }
    s->address[s->addresses++] = *address;
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
try_address(struct sockets *s, const struct net_address *address,
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
add_name(struct sockets *s, const char *name, struct skipped *skipped)
{
    struct net_address found[SOCKETS_ADDRESSES_MAX];
    const char *reason;
    int count = net_resolve(name, 0, found, SOCKETS_ADDRESSES_MAX, &reason);

    if (count == -1) {
        log_error("cannot listen on '%s': %s", name, reason);
        return -1;
    }
    for (int i = 0; i < count; i++)
        if (try_address(s, &found[i], name, count > 1, skipped) == -1)
            return -1;
    return 0;
}

static int
find_addresses(struct sockets *s, const struct settings *settings)
{
    static const char *const loopback[] = {"127.0.0.1", "::1"};
    struct net_address address;
    struct skipped skipped = {""};

    for (size_t i = 0; settings->listen_count == 0 && i < 2; i++) {
        net_numeric(loopback[i], 0, &address);
        if (try_address(s, &address, loopback[i], true, &skipped) == -1)
            return -1;
    }
    for (size_t i = 0; i < settings->listen_count; i++)
        if (add_name(s, settings->listen[i], &skipped) == -1)
            return -1;
    if (s->addresses == 0) {
        log_error("cannot listen on %s", skipped.text);
        return -1;
    }
    if (skipped.text[0] != '\0')
        log_info("not listening on %s", skipped.text);
    return 0;
}

static void
close_all(int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        net_close(&fds[i]);
}

/*
 * Bind one number on all addresses, `each` sockets on each, into
 * fds[address][each].  *number may be 0 and is then found.  Returns 0, or -1
 * with errno set and *culprit the address that failed.
 */
static int
bind_number(const struct sockets *s, uint16_t *number, size_t each, int *fds,
            struct net_address *culprit)
{
    uint16_t chosen = *number;

    for (size_t i = 0; i < s->addresses * each; i++) {
        struct net_address address = s->address[i / each];

        net_set_port(&address, chosen);
        fds[i] = net_listen(&address, i % each > 0);
        if (fds[i] == -1
            || (i % each == 0 && each > 1 && net_allow_sharing(fds[i]) == -1)) {
            int error = errno;

            *culprit = address;
            close_all(fds, i + 1);
            errno = error;
            return -1;
        }
        chosen = net_port(&address);
    }
    *number = chosen;
    return 0;
}

static int
bind_port(const struct sockets *s, const char *name, uint16_t *number,
          size_t each, int *fds)
{
    int tries = *number == 0 ? ANY_PORT_TRIES : 1;
    struct net_address culprit;
    char text[NET_TEXT_MAX];

    while (tries-- > 0) {
        if (bind_number(s, number, each, fds, &culprit) == 0)
            return 0;
        if (errno != EADDRINUSE)
            break;
    }
    log_errno("port '%s': cannot listen on %s", name, net_text(&culprit, text));
    return -1;
}

/* Notice clients that vanish, also those that have yet to receive something:
 * but who may stall must not be cut for it any sooner. */
static int
set_keepalive(const int *fds, size_t count, const struct timers *timers)
{
    for (size_t i = 0; i < count; i++)
        if (net_set_keepalive(fds[i], timers->keepalive, timers->stall) == -1) {
            log_errno("cannot set the keepalive of a socket");
            return -1;
        }
    return 0;
}

/* Bind all ports, the base port too, whose numbers are given, or are not. */
static int
bind_ports(struct sockets *s, struct layout *layout, bool given)
{
    size_t each = s->addresses * s->workers;

    if ((layout->base != 0) == given && s->base[0] == -1
        && bind_port(s, "base", &layout->base, 1, s->base) == -1)
        return -1;
    for (size_t i = 0; i < layout->count; i++) {
        struct port *port = &layout->ports[i];

        if ((port->number != 0) != given || s->fds[i * each] != -1)
            continue;
        if (bind_port(s, port->policy->name, &port->number, s->workers,
                      s->fds + i * each)
            == -1)
            return -1;
    }
    return 0;
}

int
sockets_open(struct sockets *s, struct layout *layout,
             const struct settings *settings)
{
    size_t total;

    *s = (struct sockets){.workers = (size_t)settings->workers};
    for (size_t i = 0; i < SOCKETS_ADDRESSES_MAX; i++)
        s->base[i] = -1;
    if (find_addresses(s, settings) == -1)
        return -1;
    total = layout->count * s->addresses * s->workers;
    s->fds = malloc(total * sizeof *s->fds + 1);
    if (s->fds == NULL) {
        log_errno("cannot keep %zu sockets", total);
        return -1;
    }
    for (size_t i = 0; i < total; i++)
        s->fds[i] = -1;
    s->ports = layout->count;
    /* First the numbers that were given: a number that any free one will do for
     * must not take one of them. */
    if (bind_ports(s, layout, true) == -1 || bind_ports(s, layout, false) == -1
        || set_keepalive(s->base, s->addresses, &settings->timers) == -1
        || set_keepalive(s->fds, total, &settings->timers) == -1)
        goto failed;
    return 0;

failed:
    sockets_close(s);
    return -1;
}

int
sockets_get(const struct sockets *s, size_t port, size_t address, int worker)
{
    return s
        ->fds[(port * s->addresses + address) * s->workers + (size_t)worker];
}

void
sockets_close(struct sockets *s)
{
    close_all(s->base, s->addresses);
    if (s->fds != NULL)
        close_all(s->fds, s->ports * s->addresses * s->workers);
    free(s->fds);
    s->fds = NULL;
}
