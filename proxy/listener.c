/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/listener.h"

#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"

#define REST_SECONDS    0.1
#define WARNING_SECONDS 10

/* Accepted in one turn: open connections must not starve behind new ones. */
#define ACCEPT_TURN 64

/* Descriptors kept for what is no connection: channels, sockets in the middle
 * of being replaced, files of the C library. */
#define DESCRIPTORS_SPARE 16

/* A connection needs one for its client and one for its backend. */
#define DESCRIPTORS_EACH 2

static void
rest(struct listeners *all, bool timed)
{
    struct ev_loop *loop = all->owner->loop;

    for (size_t i = 0; i < all->count; i++)
        ev_io_stop(loop, &all->list[i].io);
    all->resting = true;
    if (timed)
        ev_timer_start(loop, &all->rest);
}

static void
resume(struct listeners *all)
{
    if (all->stopped)
        return;
    ev_timer_stop(all->owner->loop, &all->rest);
    all->resting = false;
    for (size_t i = 0; i < all->count; i++)
        if (!all->list[i].waiting)
            ev_io_start(all->owner->loop, &all->list[i].io);
}

/* The limit of unfinished handshakes that keeps a service from taking another;
 * 0: none does. */
static unsigned
handshakes_reached(const struct listeners *all, const struct service *service)
{
    unsigned most = service->port.limits->handshakes;
    unsigned most_of_all = all->owner->gate.all->handshakes;

    if (most != 0 && service->handshakes >= most)
        return most;
    if (most_of_all != 0 && all->owner->handshakes >= most_of_all)
        return most_of_all;
    return 0;
}

/* True if the listener has to wait for a handshake's end, and does. */
static bool
must_wait(struct listener *listener)
{
    struct listeners *all = listener->all;
    struct service *service = listener->service;
    unsigned most = handshakes_reached(all, service);

    if (most == 0)
        return false;
    ev_io_stop(all->owner->loop, &listener->io);
    listener->waiting = all->waiting = true;
    gate_note(&all->owner->gate, &service->port, LIMIT_HANDSHAKES, most);
    return true;
}

void
listeners_shaken_one(struct listeners *all)
{
    if (!all->waiting || all->stopped)
        return;
    all->waiting = false;
    for (size_t i = 0; i < all->count; i++) {
        struct listener *listener = &all->list[i];

        if (!listener->waiting)
            continue;
        if (handshakes_reached(all, listener->service) != 0) {
            all->waiting = true;
            continue;
        }
        listener->waiting = false;
        if (!all->resting)
            ev_io_start(all->owner->loop, &listener->io);
    }
}

static void
on_rested(struct ev_loop *loop, ev_timer *timer, int ready)
{
    (void)loop;
    (void)ready;
    resume(timer->data);
}

static void
warn(struct listeners *all, const char *why)
{
    double now = ev_now(all->owner->loop);

    if (all->warned_at != 0 && now - all->warned_at < WARNING_SECONDS)
        return;
    all->warned_at = now;
    log_warning("new connections wait: %s (%zu are open); raise the limit of "
                "open files",
                why, all->owner->open);
}

static void
accept_one(struct listener *listener, int fd, const struct net_address *peer)
{
    struct net_address local = listener->address;

    if (listener->any_address) {
        local.length = sizeof local.sa;
        if (getsockname(fd, &local.sa.any, &local.length) == -1)
            local = listener->address;
    }
    conn_open(listener->all->owner, listener->service, fd, peer, &local);
}

/* Errors of one connection that was gone before we took it (accept(2)). */
static bool
is_passing(int error)
{
    switch (error) {
    case ECONNABORTED:
    case EINTR:
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ETIMEDOUT:
    case EPERM: /* a firewall rule */
        return true;
    }
    return false;
}

static void
on_readable(struct ev_loop *loop, ev_io *io, int ready)
{
    struct listener *listener = io->data;
    struct listeners *all = listener->all;

    (void)loop;
    (void)ready;
    for (int i = 0; i < ACCEPT_TURN && !all->resting; i++) {
        struct net_address peer;
        int fd;

        if (all->owner->open >= all->most) {
            warn(all, "no file descriptors are left");
            rest(all, false);
            return;
        }
        if (must_wait(listener))
            return;
        fd = net_accept(io->fd, &peer);
        if (fd != -1) {
            accept_one(listener, fd, &peer);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return;
        } else if (!is_passing(errno)) {
            warn(all, strerror(errno));
            rest(all, true);
        }
    }
}

/* Without /proc, or the right to look into it: a guess on the safe side. */
#define DESCRIPTORS_GUESS 64

static size_t
open_descriptors(const struct listeners *all)
{
    DIR *dir = opendir("/proc/self/fd");
    size_t n = 0;

    if (dir == NULL)
        return all->count + DESCRIPTORS_GUESS;
    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n;
}

static size_t
affordable(const struct listeners *all)
{
    size_t used = open_descriptors(all) + DESCRIPTORS_SPARE;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == -1
        || limit.rlim_cur == RLIM_INFINITY)
        return SIZE_MAX;
    if (limit.rlim_cur < used + DESCRIPTORS_EACH)
        return 1;
    return (limit.rlim_cur - used) / DESCRIPTORS_EACH;
}

void
listeners_add(struct listeners *all, int fd, struct service *service)
{
    struct listener *listener = &all->list[all->count++];
    struct net_address *address = &listener->address;

    *listener = (struct listener){.all = all, .service = service};
    if (conn_relays_urgent(service))
        (void)net_keep_urgent(fd);
    address->length = sizeof address->sa;
    (void)getsockname(fd, &address->sa.any, &address->length);
    listener->any_address =
        address->sa.any.sa_family == AF_INET
            ? address->sa.v4.sin_addr.s_addr == htonl(INADDR_ANY)
            : IN6_IS_ADDR_UNSPECIFIED(&address->sa.v6.sin6_addr);
    ev_io_init(&listener->io, on_readable, fd, EV_READ);
    listener->io.data = listener;
}

void
listeners_start(struct listeners *all, struct conn_owner *owner)
{
    all->owner = owner;
    all->most = affordable(all);
    ev_timer_init(&all->rest, on_rested, REST_SECONDS, 0);
    all->rest.data = all;
    resume(all);
}

void
listeners_closed_one(struct listeners *all)
{
    if (all->resting && !ev_is_active(&all->rest)
        && all->owner->open < all->most)
        resume(all);
}

void
listeners_stop(struct listeners *all)
{
    if (all->stopped)
        return;
    rest(all, false);
    ev_timer_stop(all->owner->loop, &all->rest);
    all->stopped = true;
    for (size_t i = 0; i < all->count; i++)
        close(all->list[i].io.fd);
}
