/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/sockets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "proxy/addresses.h"

/* A number that is free in one family may be taken in the other. */
#define ANY_PORT_TRIES 50

#define BIND_OFF 1

static int
add(struct sockets *s, size_t port, struct listening *listening)
{
    if (s->count == s->room) {
        size_t room = 2 * s->room + 16;
        struct socket_row *rows = realloc(s->rows, room * sizeof *rows);

        if (rows == NULL)
            return -1;
        s->rows = rows;
        s->room = room;
    }
    s->rows[s->count++] = (struct socket_row){port, listening};
    return 0;
}

static void
release_all(struct listening **list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        listening_release(list[i]);
        list[i] = NULL;
    }
}

/*
 * Bind one number on all addresses, `each` sockets on each.  *number may be 0
 * and is then found.  Returns 0, or -1 with errno set and *culprit the address
 * that failed.
 */
static int
bind_number(const struct addresses *addresses, const char *name,
            uint16_t *number, size_t each, struct listening **list,
            struct net_address *culprit)
{
    uint16_t chosen = *number;

    for (size_t i = 0; i < addresses->count; i++) {
        struct net_address address = addresses->list[i];

        net_set_port(&address, chosen);
        list[i] = listening_open(&address, name, each);
        if (list[i] == NULL) {
            int error = errno;

            *culprit = address;
            release_all(list, i);
            errno = error;
            return -1;
        }
        chosen = net_port(&list[i]->address);
    }
    *number = chosen;
    return 0;
}

/* Returns 0; or -1, logged as an error, or, if the port is spare and its number
 * is taken, BIND_OFF, logged as a warning. */
static int
bind_port(const struct addresses *addresses, const char *name, bool spare,
          uint16_t *number, size_t each, struct listening **list)
{
    int tries = *number == 0 ? ANY_PORT_TRIES : 1;
    struct net_address culprit = {0};
    char text[NET_TEXT_MAX];

    while (tries-- > 0) {
        if (bind_number(addresses, name, number, each, list, &culprit) == 0)
            return 0;
        if (errno != EADDRINUSE)
            break;
    }
    if (spare && errno == EADDRINUSE) {
        log_warning("port '%s' stays off: %s is in use", name,
                    net_text(&culprit, text));
        return BIND_OFF;
    }
    log_errno("port '%s': cannot listen on %s", name, net_text(&culprit, text));
    return -1;
}

/* Clients that may stall must not be cut by keepalive any sooner. */
static int
finish(struct sockets *s, size_t port, struct listening *listening,
       const struct timers *timers)
{
    if (add(s, port, listening) == -1) {
        listening_release(listening);
        log_error("no memory for sockets");
        return -1;
    }
    if (listening_set_keepalive(listening, timers->keepalive, timers->stall)
        == 0)
        return 0;
    log_errno("cannot set the keepalive of a socket");
    return -1;
}

static int
bind_row(struct sockets *s, struct layout *layout, size_t position,
         const struct addresses *addresses, const struct settings *settings)
{
    struct port *port = &layout->ports[position];
    struct listening *list[SETTINGS_LIST_MAX];
    int result = bind_port(addresses, port->policy->name, port->spare,
                           &port->number, (size_t)settings->workers, list);

    if (result != 0)
        return result;
    for (size_t i = 0; i < addresses->count; i++) {
        if (result == -1)
            listening_release(list[i]);
        else
            result = finish(s, position, list[i], &settings->timers);
    }
    return result;
}

/* Bind all ports, the base port too, whose numbers are given, or are not. */
static int
bind_rows(struct sockets *s, struct layout *layout,
          const struct addresses *addresses, const struct settings *settings,
          bool given)
{
    bool open[PORTS_MAX] = {false};

    for (size_t i = 0; i < s->count; i++)
        open[s->rows[i].port] = true;
    if ((layout->base != 0) == given && s->base_count == 0) {
        if (bind_port(addresses, "base", false, &layout->base, 1, s->base)
            == -1)
            return -1;
        s->base_count = addresses->count;
    }
    for (size_t i = 0; i < layout->count; i++) {
        int result = 0;

        if ((layout->ports[i].number != 0) == given && !open[i])
            result = bind_row(s, layout, i, addresses, settings);
        if (result == -1)
            return -1;
        /* Under --sequential, where all numbers are given: of the ports that
         * move, none has a socket yet. */
        if (result == BIND_OFF)
            layout_remove(layout, i--);
    }
    return 0;
}

int
sockets_open_table(struct sockets *s, struct layout *layout,
                   const struct settings *settings)
{
    struct addresses addresses;

    *s = (struct sockets){.count = 0};
    if (addresses_find(&addresses, settings) == -1)
        return -1;
    /* First the numbers that were given: a number that any free one will do for
     * must not take one of them. */
    if (bind_rows(s, layout, &addresses, settings, true) == -1
        || bind_rows(s, layout, &addresses, settings, false) == -1)
        return -1;
    for (size_t i = 0; i < s->base_count; i++)
        if (listening_set_keepalive(s->base[i], settings->timers.keepalive,
                                    settings->timers.stall)
            == -1) {
            log_errno("cannot set the keepalive of a socket");
            return -1;
        }
    return 0;
}

static bool
has(const struct sockets *s, const struct listening *listening)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->rows[i].listening == listening)
            return true;
    return false;
}

/* What listens already on what is asked for: anybody's, if it is a number; the
 * port's own, if any number will do.  Two ports cannot have the same one. */
static struct listening *
find(const struct sockets *previous, const struct sockets *s,
     const struct net_address *asked, const char *name)
{
    for (size_t i = 0; previous != NULL && i < previous->count; i++) {
        struct listening *l = previous->rows[i].listening;

        if ((net_port(asked) != 0
                 ? net_equal(&l->address, asked)
                 : net_equal(&l->asked, asked) && strcmp(l->name, name) == 0)
            && !has(s, l))
            return l;
    }
    return NULL;
}

/* Where any number will do, it is the port's on its other addresses, 0 if there
 * is none yet, as long as that is free here. */
static struct listening *
open_or_share(const struct sockets *previous, const struct sockets *s,
              const struct net_address *asked, const struct port *port,
              size_t workers)
{
    const char *name = port->policy->name;
    struct listening *l = find(previous, s, asked, name);
    struct net_address same = *asked;

    if (l != NULL)
        return listening_share(l);
    if (net_port(asked) == 0 && port->number != 0) {
        net_set_port(&same, port->number);
        l = listening_open(&same, name, workers);
    }
    if (l == NULL)
        return listening_open(asked, name, workers);
    l->asked = *asked;
    return l;
}

static int
open_target(struct sockets *s, struct port *port, size_t position,
            const struct target *target, const struct config *config,
            size_t workers, const struct sockets *previous)
{
    const struct front *front = port->policy->front;
    struct net_address found[FRONT_LISTEN_MAX];
    const char *reason;
    int count = net_resolve(target->host, target->port, found, FRONT_LISTEN_MAX,
                            &reason);
    char text[NET_TEXT_MAX];

    if (count == -1) {
        config_error(config, front->line, "port '%s': cannot listen on %s: %s",
                     front->policy.name, target->host, reason);
        return -1;
    }
    for (int i = 0; i < count; i++) {
        struct listening *l =
            open_or_share(previous, s, &found[i], port, workers);

        if (l == NULL) {
            config_error(
                config, front->line, "port '%s': cannot listen on %s: %s",
                front->policy.name, net_text(&found[i], text), strerror(errno));
            return -1;
        }
        if (port->number == 0)
            port->number = net_port(&l->address);
        if (finish(s, position, l, &front->timers) == -1)
            return -1;
    }
    return 0;
}

int
sockets_open_fronts(struct sockets *s, struct layout *layout,
                    const struct config *config, size_t workers,
                    const struct sockets *previous)
{
    *s = (struct sockets){.count = 0};
    /* As above: first the numbers that are given. */
    for (int given = 1; given >= 0; given--)
        for (size_t i = 0; i < layout->count; i++) {
            struct port *port = &layout->ports[i];
            const struct front *front = port->policy->front;

            for (size_t k = 0; k < front->listen_count; k++)
                if ((front->listen[k].port != 0) == given
                    && open_target(s, port, i, &front->listen[k], config,
                                   workers, previous)
                           == -1)
                    return -1;
        }
    return 0;
}

/* Listen for HTTP on one address; NULL, or why that cannot be. */
static const char *
add_http(struct sockets *s, const struct net_address *address)
{
    struct listening *l;

    if (s->base_count == SETTINGS_LIST_MAX)
        return "too many addresses";
    l = listening_open(address, "http", 1);
    if (l == NULL)
        return strerror(errno);
    s->base[s->base_count++] = l;
    return NULL;
}

int
sockets_open_http(struct sockets *s, const struct config *config)
{
    for (size_t i = 0; i < config->http_count; i++) {
        const struct target *target = &config->http[i];
        struct net_address found[FRONT_LISTEN_MAX];
        const char *reason = NULL;
        int count = net_resolve(target->host, target->port, found,
                                FRONT_LISTEN_MAX, &reason);

        for (int k = 0; k < count && reason == NULL; k++)
            reason = add_http(s, &found[k]);
        if (reason != NULL) {
            log_error("%s: http: cannot listen on %s, port %u: %s",
                      config->path, target->host, target->port, reason);
            return -1;
        }
    }
    return 0;
}

void
sockets_close(struct sockets *s)
{
    release_all(s->base, s->base_count);
    for (size_t i = 0; i < s->count; i++)
        listening_release(s->rows[i].listening);
    free(s->rows);
    *s = (struct sockets){.count = 0};
}
