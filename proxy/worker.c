/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/worker.h"

#include <ev.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "proxy/channel.h"
#include "proxy/listener.h"
#include "proxy/tlsbio.h"

/* After many have closed, what the allocator keeps goes back to the system: not
 * for a lone one, which costs more than it brings, and not often. */
#define TRIM_CLOSES  64
#define TRIM_SECONDS 1.0

struct worker {
    struct conn_owner owner; /* first: the callback finds us by it */
    const struct worker_task *task;
    struct service services[PORTS_MAX];
    struct listeners listeners;
    ev_io channel;
    ev_timer drain;
    ev_timer trim;
    unsigned closes; /* since the last trim */
    bool draining;
};

/* ^monetdbs://HOST:PORT?certhash=sha256:HEX of port server2. */
static char *
make_redirect(const struct worker_task *task)
{
    const struct port *target = layout_find(task->layout, "server2");
    const char *host = task->settings->hostnames[0];
    const struct cert *cert = cert_set_find(task->material->certs, "server2");
    bool bracket = strchr(host, ':') != NULL;
    char hash[65];
    char *text;

    cert_hash(cert->x509, hash);
    if (asprintf(&text, "^monetdbs://%s%s%s:%u?certhash=sha256:%s\n",
                 bracket ? "[" : "", host, bracket ? "]" : "",
                 layout_advertised(task->layout, target->number), hash)
        == -1)
        return NULL;
    return text;
}

static int
make_services(struct worker *w)
{
    const struct worker_task *task = w->task;

    for (size_t i = 0; i < task->layout->count; i++) {
        const struct port_policy *policy = task->layout->ports[i].policy;
        struct service *service = &w->services[i];

        *service = (struct service){
            .policy = policy,
            .index = (uint16_t)i,
            .backend = policy->forward ? task->forward : task->backends,
        };
        if (policy->certificate != NULL) {
            service->context = policy_context(policy, task->material);
            if (service->context == NULL)
                return -1;
        }
        if (policy->redirect) {
            service->last_message = make_redirect(task);
            if (service->last_message == NULL)
                return -1;
        }
    }
    return 0;
}

static int
make_listeners(struct worker *w)
{
    const struct sockets *sockets = w->task->sockets;
    size_t most = w->task->layout->count * sockets->addresses;

    w->listeners.list = calloc(most, sizeof *w->listeners.list);
    if (w->listeners.list == NULL)
        return -1;
    for (size_t i = 0; i < w->task->layout->count; i++)
        for (size_t a = 0; a < sockets->addresses; a++)
            listeners_add(&w->listeners,
                          sockets_get(sockets, i, a, w->task->index),
                          &w->services[i]);
    return 0;
}

static void
on_trim(struct ev_loop *loop, ev_timer *timer, int ready)
{
    struct worker *w = timer->data;

    (void)loop;
    (void)ready;
    w->closes = 0;
    malloc_trim(0);
}

static void
on_closed(struct conn_owner *owner)
{
    struct worker *w = (struct worker *)owner;

    if (++w->closes > TRIM_CLOSES && !ev_is_active(&w->trim)) {
        ev_timer_set(&w->trim, TRIM_SECONDS, 0);
        ev_timer_start(owner->loop, &w->trim);
    }
    listeners_closed_one(&w->listeners);
    if (w->draining && owner->open == 0)
        ev_break(owner->loop, EVBREAK_ALL);
}

static void
on_drained(struct ev_loop *loop, ev_timer *timer, int ready)
{
    struct worker *w = timer->data;

    (void)ready;
    conn_cut_all(&w->owner);
    ev_break(loop, EVBREAK_ALL);
}

/* Accept no more; leave when the last connection has closed, or after seconds
 * unless they are 0. */
static void
drain(struct worker *w, double seconds)
{
    listeners_stop(&w->listeners);
    w->draining = true;
    if (seconds > 0) {
        ev_timer_stop(w->owner.loop, &w->drain);
        ev_timer_set(&w->drain, seconds, 0);
        ev_timer_start(w->owner.loop, &w->drain);
    }
    if (w->owner.open == 0)
        ev_break(w->owner.loop, EVBREAK_ALL);
}

static void
on_message(struct ev_loop *loop, ev_io *io, int ready)
{
    struct worker *w = io->data;
    double seconds = w->task->settings->timers.drain;
    int fd;

    (void)ready;
    switch (channel_receive(io->fd, &fd)) {
    case MESSAGE_STOP:
        /* A drain time of 0 is none at all, not for ever. */
        drain(w, seconds > 0 ? seconds : 1e-3);
        break;
    case MESSAGE_DRAIN:
        drain(w, 0);
        (void)channel_send(io->fd, MESSAGE_CLOSED, -1);
        break;
    case MESSAGE_GONE:
        conn_cut_all(&w->owner);
        ev_break(loop, EVBREAK_ALL);
        break;
    case MESSAGE_NONE:
    case MESSAGE_READY:
    case MESSAGE_CLOSED:
    case MESSAGE_STORE:
        break;
    }
    net_close(&fd);
}

static void
release(struct worker *w)
{
    for (size_t i = 0; i < w->task->layout->count; i++) {
        SSL_CTX_free(w->services[i].context);
        free(w->services[i].last_message);
    }
    free(w->listeners.list);
    pool_clear(&w->owner.pool);
}

int
worker_run(const struct worker_task *task)
{
    struct worker worker = {
        .task = task,
        .owner = {.loop = ev_default_loop(0),
                  .timers = &task->settings->timers,
                  .board = task->board,
                  .slot = task->slot,
                  .events = task->events,
                  .closed = on_closed},
    };
    struct worker *w = &worker;
    int status = EXIT_FAILURE;

    if (tlsbio_setup() == -1 || make_services(w) == -1
        || make_listeners(w) == -1)
        goto done;
    ev_timer_init(&w->drain, on_drained, 0, 0);
    ev_timer_init(&w->trim, on_trim, TRIM_SECONDS, 0);
    w->drain.data = w->trim.data = w;
    ev_io_init(&w->channel, on_message, task->channel, EV_READ);
    w->channel.data = w;
    ev_io_start(w->owner.loop, &w->channel);
    listeners_start(&w->listeners, &w->owner);
    if (channel_send(task->channel, MESSAGE_READY, -1) == -1)
        goto done;
    ev_run(w->owner.loop, 0);
    status = EXIT_SUCCESS;

done:
    release(w);
    return status;
}
