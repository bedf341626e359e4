/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/conn.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "proxy/bindings.h"
#include "proxy/conn_state.h"
#include "proxy/vitals.h"

struct port_counters *
conn_counters(const struct conn *c)
{
    return &c->owner->gate.slot->ports[c->service->port.index];
}

void
conn_ends(struct conn *c, enum event_end end, int error)
{
    if (c->ended)
        return;
    c->ended = true;
    c->event.end = end;
    c->event.error = error;
}

void
conn_ends_backend(struct conn *c, int error)
{
    if (!c->ended)
        event_text_set(&c->event.reason, vitals_error_text(error));
    conn_ends(c, END_BACKEND, error);
}

bool
conn_is_half_over(const struct conn *c)
{
    return c->down.state >= FLOW_SHUT || c->up.state == FLOW_BROKEN;
}

bool
conn_is_mid_stream(const struct conn *c)
{
    return c->down.state < FLOW_SHUT
           && (c->stalled_at > 0 || c->down.buf.length > 0);
}

/*
 * When the connection must have moved on: loop time, or 0 for never.  *phase is
 * what it is late for.
 */
static double
deadline(const struct conn *c, enum event_phase *phase)
{
    const struct timers *timers = c->service->timers;
    const struct {
        bool runs;
        double since, seconds;
        enum event_phase phase;
    } candidates[] = {
        {c->state == CONN_ANNOUNCE, c->accepted_at, timers->handshake,
         PHASE_ANNOUNCE},
        {c->state == CONN_HANDSHAKE, c->accepted_at, timers->handshake,
         PHASE_HANDSHAKE},
        {c->state == CONN_HELD, c->entered, timers->silence, PHASE_HANDSHAKE},
        {c->state == CONN_CONNECT, c->entered, timers->connect, PHASE_CONNECT},
        {c->state == CONN_APOLOGY, c->entered, timers->first_byte,
         PHASE_FIRST_BYTE},
        /* Told only of one who outlives his backend: others ended before. */
        {c->state == CONN_LINGER, c->entered, timers->linger,
         PHASE_HALF_CLOSED},
        {c->state == CONN_RELAY && c->up.state == FLOW_OPEN && c->up.taken == 0,
         c->entered, timers->first_byte, PHASE_FIRST_BYTE},
        {c->state == CONN_RELAY, c->moved_at, timers->idle, PHASE_RELAY},
        {c->state == CONN_RELAY && c->stalled_at > 0, c->stalled_at,
         timers->stall, PHASE_STALL},
        {c->state == CONN_RELAY && conn_is_half_over(c), c->moved_at,
         timers->half_closed, PHASE_HALF_CLOSED},
    };
    double earliest = 0;

    for (size_t i = 0; i < sizeof candidates / sizeof candidates[0]; i++) {
        double at = candidates[i].since + candidates[i].seconds;

        if (!candidates[i].runs || candidates[i].seconds == 0)
            continue;
        if (earliest == 0 || at < earliest) {
            earliest = at;
            *phase = candidates[i].phase;
        }
    }
    return earliest;
}

/* Nothing tells that a Unix socket takes connections again. */
#define QUEUED_SECONDS 0.01

/* Make the timer fire at the deadline as it is now.  Later deadlines need no
 * call: the timer then finds itself early and sets itself again. */
void
conn_set_timer(struct conn *c)
{
    enum event_phase phase;
    double at = deadline(c, &phase);
    double now = ev_now(c->owner->loop);

    ev_timer_stop(c->owner->loop, &c->timer);
    if (c->queued && (at == 0 || at > now + QUEUED_SECONDS))
        at = now + QUEUED_SECONDS;
    if (at == 0)
        return;
    at -= now;
    ev_timer_set(&c->timer, at > 0 ? at : 0, 0);
    ev_timer_start(c->owner->loop, &c->timer);
}

static bool
is_unfinished(enum conn_state state)
{
    return state == CONN_ANNOUNCE || state == CONN_HANDSHAKE;
}

/* A handshake is over, for which the backend was connected early; in vain, if
 * the client does not come to it. */
static void
leave_early(struct conn *c, enum conn_state next)
{
    if (!c->early)
        return;
    c->service->early--;
    c->early = false;
    if (next == CONN_CONNECT)
        return;
    endpoint_close(&c->backend);
    event_text_set(&c->event.backend, NULL);
}

/* Count what still has to prove that it is a client. */
static void
count_handshakes(struct conn *c, enum conn_state next)
{
    if (is_unfinished(next) == is_unfinished(c->state))
        return;
    if (is_unfinished(next)) {
        c->owner->handshakes++;
        c->service->handshakes++;
    } else {
        c->owner->handshakes--;
        c->service->handshakes--;
        leave_early(c, next);
        c->owner->shaken(c->owner);
    }
}

enum step
conn_enter(struct conn *c, enum conn_state next)
{
    count_handshakes(c, next);
    c->state = next;
    c->entered = ev_now(c->owner->loop);
    if (next != CONN_DONE)
        conn_set_timer(c);
    return STEP_NEXT;
}

float
conn_since(const struct conn *c, double begin)
{
    return (float)(ev_now(c->owner->loop) - begin);
}

static void
count_end(struct conn *c)
{
    struct port_counters *n = conn_counters(c);
    const struct event *e = &c->event;

    count(&n->bytes_up, e->bytes_up);
    count(&n->bytes_down, e->bytes_down);
    if (event_is_probe(e))
        count(&n->probes, 1);
    else
        count(&n->ended[e->end], 1);
    if (e->alert_received != EVENT_NO_ALERT)
        count(&n->alerts, 1);
}

/* The one place that frees: the event goes out after the last touch. */
static void
conn_free(struct conn *c)
{
    struct conn_owner *owner = c->owner;

    ev_io_stop(owner->loop, &c->client_io);
    ev_io_stop(owner->loop, &c->backend_io);
    ev_timer_stop(owner->loop, &c->timer);
    c->event.bytes_up = c->up.taken;
    c->event.bytes_down = c->down.taken - c->down.buf.length;
    c->event.total_seconds = conn_since(c, c->accepted_at);
    flow_drop(&c->up);
    flow_drop(&c->down);
    /* Before the client knows: it may come again at once. */
    gate_leave(&owner->gate, &c->service->port);
    if (c->admitted)
        gate_leave_client(&owner->gate, &c->service->port, &c->event.client);
    endpoint_close(&c->client);
    endpoint_close(&c->backend);
    inbound_drop(&c->inbound);
    apology_free(c->apology);
    if (!c->turned_away) {
        count_end(c);
        count(&owner->gate.slot->lost_events,
              outbox_add(&owner->outbox, &c->event));
    }
    event_clear(&c->event);

    if (c->previous != NULL)
        c->previous->next = c->next;
    else
        owner->first = c->next;
    if (c->next != NULL)
        c->next->previous = c->previous;
    owner->open--;
    free(c);
    owner->closed(owner);
}

/* Make a watcher equal what its end waits for. */
static void
arm(struct ev_loop *loop, ev_io *io, const struct endpoint *end)
{
    if (end->fd == -1)
        return;
    if (ev_is_active(io) && io->fd == end->fd
        && (io->events & (EV_READ | EV_WRITE)) == (int)end->waits)
        return;
    ev_io_stop(loop, io);
    ev_io_set(io, end->fd, (int)end->waits);
    if (end->waits != 0)
        ev_io_start(loop, io);
}

/* Advance as far as possible.  May free c: every caller returns right after. */
static void
conn_run(struct conn *c)
{
    while (c->state != CONN_DONE && conn_steps[c->state](c) == STEP_NEXT)
        continue;
    if (c->state == CONN_DONE) {
        conn_free(c);
        return;
    }
    arm(c->owner->loop, &c->client_io, &c->client);
    arm(c->owner->loop, &c->backend_io, &c->backend);
}

static void
on_client(struct ev_loop *loop, ev_io *io, int ready)
{
    struct conn *c = io->data;

    (void)loop;
    endpoint_wake(&c->client, (unsigned)ready);
    endpoint_wake(&c->backend, 0);
    conn_run(c);
}

static void
on_backend(struct ev_loop *loop, ev_io *io, int ready)
{
    struct conn *c = io->data;

    (void)loop;
    endpoint_wake(&c->client, 0);
    endpoint_wake(&c->backend, (unsigned)ready);
    conn_run(c);
}

static void
on_timer(struct ev_loop *loop, ev_timer *timer, int ready)
{
    struct conn *c = timer->data;
    enum event_phase phase = PHASE_RELAY;
    double at = deadline(c, &phase);

    (void)ready;
    if ((at == 0 || at > ev_now(loop)) && !c->queued) {
        conn_set_timer(c);
        return;
    }
    endpoint_wake(&c->client, 0);
    endpoint_wake(&c->backend, 0);
    if (at == 0 || at > ev_now(loop)) {
        c->queued = false; /* it may have room now */
    } else if (c->state == CONN_CONNECT) {
        conn_next_address(c, ETIMEDOUT);
    } else {
        if (!c->ended)
            c->event.phase = phase;
        conn_ends(c, END_TIMEOUT, 0);
        conn_enter(c, c->state == CONN_LINGER || phase == PHASE_STALL
                          ? CONN_DONE
                          : CONN_LINGER);
    }
    conn_run(c);
}

static void
link_first(struct conn_owner *owner, struct conn *c)
{
    c->next = owner->first;
    if (c->next != NULL)
        c->next->previous = c;
    owner->first = c;
    owner->open++;
}

static void
begin_event(struct conn *c, const struct net_address *peer)
{
    struct event *e = &c->event;

    e->id = atomic_fetch_add_explicit(&c->owner->gate.board->next_id, 1,
                                      memory_order_relaxed);
    /* Not the loop's time, which may be older than what the client has just
     * told control: which test this connection belongs to. */
    e->accepted = ev_time();
    e->since_boot = bindings_now();
    e->port = (uint16_t)c->service->port.index;
    e->client = *peer;
    e->tls = c->service->context != NULL;
    e->alert_received = EVENT_NO_ALERT;
    e->alert_sent = EVENT_NO_ALERT;
    e->handshake_seconds = -1;
    e->backend_seconds = -1;
}

enum step
conn_greet(struct conn *c)
{
    struct service *service = c->service;
    const struct gate *gate = &c->owner->gate;

    if (gate_counts_clients(gate, &service->port)) {
        c->admitted = gate_admit_client(gate, &service->port, &c->event.client);
        c->turned_away = !c->admitted;
        if (c->turned_away)
            return conn_enter(c, CONN_DONE);
    }
    if (service->context == NULL)
        return conn_enter(c, CONN_CONNECT);
    c->deed = service->policy->deed;
    if (c->deed == DEED_SILENT)
        return conn_enter(c, CONN_HELD);
    if (endpoint_start_tls(&c->client, service->context) == 0)
        return conn_enter(c, CONN_HANDSHAKE);
    conn_ends(c, END_RESET, ENOMEM);
    return conn_enter(c, CONN_DONE);
}

void
conn_open(struct conn_owner *owner, struct service *service, int fd,
          const struct net_address *peer, const struct net_address *local)
{
    struct conn *c;

    count(&owner->gate.slot->ports[service->port.index].accepted, 1);
    if (!gate_admit(&owner->gate, &service->port)) {
        net_close(&fd);
        return;
    }
    c = calloc(1, sizeof *c);
    if (c == NULL) {
        gate_leave(&owner->gate, &service->port);
        count(&owner->gate.slot->lost_events, 1);
        net_close(&fd);
        log_error("port '%s': no memory for a connection", service->port.name);
        return;
    }
    c->state = CONN_DONE; /* until it enters its first */
    c->owner = owner;
    c->service = service;
    c->local = *local;
    c->accepted_at = ev_now(owner->loop);
    ev_init(&c->client_io, on_client);
    ev_init(&c->backend_io, on_backend);
    ev_init(&c->timer, on_timer);
    c->client_io.data = c->backend_io.data = c->timer.data = c;
    begin_event(c, peer);
    endpoint_init(&c->client, fd, &owner->pool, &c->event);
    c->backend.fd = -1;
    link_first(owner, c);

    if (service->accept_proxy != NULL
        && networks_contain(service->accept_proxy, peer))
        conn_enter(c, CONN_ANNOUNCE);
    else
        conn_greet(c);
    conn_run(c);
}

void
conn_cut_all(struct conn_owner *owner)
{
    while (owner->first != NULL) {
        struct conn *c = owner->first;

        c->event.phase = PHASE_DRAIN;
        conn_ends(c, END_TIMEOUT, 0);
        /* Between two messages it is an orderly end, else a cut. */
        if (c->state == CONN_RELAY)
            (void)endpoint_shut(&c->client, conn_is_mid_stream(c));
        conn_enter(c, CONN_DONE);
        conn_run(c);
    }
}
