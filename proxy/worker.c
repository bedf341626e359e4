/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/worker.h"

#include <ev.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "proxy/channel.h"
#include "proxy/confine.h"
#include "proxy/contexts.h"
#include "proxy/listener.h"
#include "proxy/tlsbio.h"

/* After many have closed, what the allocator keeps goes back to the system: not
 * for a lone one, which costs more than it brings, and not often. */
#define TRIM_CLOSES  64
#define TRIM_SECONDS 1.0

/* Connections at once to a port that keeps them for long: nobody may hold the
 * other ports with it. */
#define HELD_MAX 256

struct worker {
    struct conn_owner owner; /* first: the callback finds us by it */
    const struct worker_task *task;
    struct service *services;   /* one for each port of the layout */
    struct contexts **contexts; /* as many; NULL where there are none */
    struct listeners listeners;
    ev_io channel;
    ev_timer drain;
    ev_timer trim;
    ev_prepare sleep;
    unsigned closes; /* since the last trim */
    bool draining;
};

/* ^monetdbs://HOST:PORT?certhash=sha256:HEX, or ^monetdb://HOST:PORT if the
 * target is no TLS port. */
static char *
make_redirect(const struct worker_task *task, const struct port_policy *policy)
{
    const struct layout *layout = &task->edition->layout;
    const struct port *target = layout_find(layout, policy->target);
    const char *host = task->settings->hostnames[0];
    bool bracket = strchr(host, ':') != NULL;
    char query[96] = "";
    char *text;

    if (policy->certhash != NULL) {
        char hash[65];

        cert_hash(cert_set_find(task->material->certs, policy->certhash)->x509,
                  hash);
        snprintf(query, sizeof query, "?certhash=sha256:%s", hash);
    }
    if (asprintf(&text, "^monetdb%s://%s%s%s:%u%s\n",
                 port_has_tls(target->policy) ? "s" : "", bracket ? "[" : "",
                 host, bracket ? "]" : "",
                 layout_advertised(layout, target->number), query)
        == -1)
        return NULL;
    return text;
}

/* TLS with the operator's certificates. */
static int
use_contexts(struct worker *w, struct service *service,
             struct contexts **contexts, const struct config *config,
             const struct front *front)
{
    *contexts = contexts_new(config, front, w->task->material->ticket_secret);
    if (*contexts == NULL)
        return -1;
    service->context = contexts_first(*contexts);
    return 0;
}

/* What a row of the port table asks for. */
static int
make_test_service(struct worker *w, struct service *service,
                  struct contexts **contexts)
{
    static const struct limits none = {.connections = 0};
    static const struct limits few = {.connections = HELD_MAX};
    const struct worker_task *task = w->task;
    const struct port_policy *policy = service->policy;

    service->timers = &task->settings->timers;
    service->port.limits = policy->holds ? &few : &none;
    service->connect_early = service->backend->simulator
                             && policy->client_ca == NULL
                             && !policy->alpn_required;
    if (policy->trusted)
        return use_contexts(w, service, contexts, task->edition->trusted,
                            &task->edition->trusted->fronts[0]);
    if (port_has_tls(policy)) {
        service->redirects = REDIRECTS_REFUSE;
        service->context = policy_context(policy, task->material);
        if (service->context == NULL)
            return -1;
    }
    if (policy->target != NULL) {
        service->last_message = make_redirect(task, policy);
        if (service->last_message == NULL)
            return -1;
    }
    return 0;
}

/* What the operator asks for. */
static int
make_front_service(struct worker *w, struct service *service,
                   struct contexts **contexts)
{
    const struct worker_task *task = w->task;
    const struct front *front = service->policy->front;

    service->timers = &front->timers;
    service->port.limits = &front->limits;
    service->send_proxy = front->send_proxy;
    service->redirects = front->redirects;
    service->connect_early = front->connect_early;
    if (front->accept_proxy.count > 0)
        service->accept_proxy = &front->accept_proxy;
    if (!port_has_tls(service->policy))
        return 0;
    return use_contexts(w, service, contexts, task->edition->config, front);
}

static int
make_services(struct worker *w)
{
    struct edition *edition = w->task->edition;
    const struct layout *layout = &edition->layout;

    w->services = calloc(layout->count + 1, sizeof *w->services);
    w->contexts = calloc(layout->count + 1, sizeof *w->contexts);
    if (w->services == NULL || w->contexts == NULL)
        return -1;
    for (size_t i = 0; i < layout->count; i++) {
        const struct port *port = &layout->ports[i];
        struct service *service = &w->services[i];

        *service = (struct service){
            .policy = port->policy,
            .port = {.name = port->policy->name, .index = port->index},
            .backend = &edition->backends[port->backend],
        };
        if ((port->policy->front == NULL
                 ? make_test_service(w, service, &w->contexts[i])
                 : make_front_service(w, service, &w->contexts[i]))
            == -1)
            return -1;
    }
    return 0;
}

static int
make_listeners(struct worker *w)
{
    const struct sockets *sockets = &w->task->edition->sockets;
    int index = w->task->slot->index;

    w->listeners.list = calloc(sockets->count + 1, sizeof *w->listeners.list);
    if (w->listeners.list == NULL)
        return -1;
    for (size_t i = 0; i < sockets->count; i++) {
        const struct socket_row *row = &sockets->rows[i];

        listeners_add(&w->listeners, row->listening->fds[index],
                      &w->services[row->port]);
    }
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
on_shaken(struct conn_owner *owner)
{
    struct worker *w = (struct worker *)owner;

    listeners_shaken_one(&w->listeners);
}

static void
on_drained(struct ev_loop *loop, ev_timer *timer, int ready)
{
    struct worker *w = timer->data;

    (void)ready;
    conn_cut_all(&w->owner);
    ev_break(loop, EVBREAK_ALL);
}

/* What was gathered while there was work is told before there is none. */
static void
send_events(struct worker *w)
{
    count(&w->owner.gate.slot->lost_events, outbox_send(&w->owner.outbox));
}

static void
on_sleep(struct ev_loop *loop, ev_prepare *prepare, int ready)
{
    (void)loop;
    (void)ready;
    send_events(prepare->data);
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
    struct message message;
    int fd;

    (void)ready;
    switch (channel_receive(io->fd, &message, &fd)) {
    case MESSAGE_STOP:
        /* A drain time of 0 is none at all, not for ever. */
        drain(w, message.seconds > 0 ? message.seconds : 1e-3);
        break;
    case MESSAGE_DRAIN:
        drain(w, 0);
        (void)channel_say(io->fd, MESSAGE_CLOSED);
        break;
    case MESSAGE_GONE:
        conn_cut_all(&w->owner);
        ev_break(loop, EVBREAK_ALL);
        break;
    case MESSAGE_RESOLVED:
        edition_take_addresses(w->task->edition, message.backend,
                               message.addresses, message.count);
        break;
    case MESSAGE_PING:
        (void)channel_say(io->fd, MESSAGE_PONG);
        break;
    case MESSAGE_NONE:
    case MESSAGE_READY:
    case MESSAGE_CLOSED:
    case MESSAGE_FAILED:
    case MESSAGE_STORE:
    case MESSAGE_CHART:
    case MESSAGE_PONG:
        break;
    }
    net_close(&fd);
}

static void
release(struct worker *w)
{
    for (size_t i = 0; i < w->task->edition->layout.count; i++) {
        if (w->services != NULL)
            free(w->services[i].last_message);
        if (w->contexts != NULL && w->contexts[i] != NULL)
            contexts_free(w->contexts[i]);
        else if (w->services != NULL)
            SSL_CTX_free(w->services[i].context);
    }
    free(w->services);
    free(w->contexts);
    free(w->listeners.list);
    pool_clear(&w->owner.pool);
}

int
worker_run(const struct worker_task *task)
{
    struct worker worker = {
        .task = task,
        .owner = {.loop = ev_default_loop(0),
                  .gate = {.board = task->board,
                           .tally = task->tally,
                           .slot = task->slot,
                           .all = &task->edition->limits},
                  .outbox = {.channel = task->events},
                  .shaken = on_shaken,
                  .closed = on_closed},
    };
    struct worker *w = &worker;
    int status = EXIT_FAILURE;

    if (tlsbio_setup() == -1 || make_services(w) == -1
        || make_listeners(w) == -1)
        goto done;
    ev_timer_init(&w->drain, on_drained, 0, 0);
    ev_timer_init(&w->trim, on_trim, TRIM_SECONDS, 0);
    ev_prepare_init(&w->sleep, on_sleep);
    ev_prepare_start(w->owner.loop, &w->sleep);
    w->drain.data = w->trim.data = w->sleep.data = w;
    ev_io_init(&w->channel, on_message, task->channel, EV_READ);
    w->channel.data = w;
    ev_io_start(w->owner.loop, &w->channel);
    listeners_start(&w->listeners, &w->owner);
    if (confine(SANDBOX_WORKER, task->edition, task->slot) == -1
        || channel_say(task->channel, MESSAGE_READY) == -1)
        goto done;
    ev_run(w->owner.loop, 0);
    send_events(w);
    status = EXIT_SUCCESS;

done:
    release(w);
    return status;
}
