/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/conn.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/proxy2.h"
#include "proxy/endpoint.h"
#include "proxy/event.h"
#include "proxy/flow.h"
#include "proxy/preface.h"

enum conn_state {
    CONN_HANDSHAKE,
    CONN_CONNECT, /* to the backend */
    CONN_RELAY,
    CONN_LINGER, /* ending: our last bytes out, the client's dropped */
    CONN_DONE,
};

enum step { STEP_WAIT, STEP_NEXT };

struct conn {
    struct conn_owner *owner;
    const struct service *service;
    struct conn *previous, *next; /* in the owner's list */
    enum conn_state state;
    double entered; /* loop time at which state was */
    struct endpoint client, backend;
    struct flow up, down;
    ev_io client_io, backend_io;
    ev_timer timer;
    int attempt;           /* index of the backend address being tried */
    double moved_at;       /* loop time of the last bytes either way */
    double stalled_at;     /* since when the client takes nothing; 0: it does */
    uint64_t stalled_sent; /* what it had taken by then */
    double accepted_at;    /* loop time */
    struct net_address local;
    bool ended; /* the event says how: the first cause counts */
    struct event event;
};

static enum step step_handshake(struct conn *);
static enum step step_connect(struct conn *);
static enum step step_relay(struct conn *);
static enum step step_linger(struct conn *);

static enum step (*const steps[])(struct conn *) = {
    [CONN_HANDSHAKE] = step_handshake,
    [CONN_CONNECT] = step_connect,
    [CONN_RELAY] = step_relay,
    [CONN_LINGER] = step_linger,
};

static struct port_counters *
counters(const struct conn *c)
{
    return &c->owner->slot->ports[c->service->index];
}

/* Note how it ended, unless that is known already. */
static void
ends(struct conn *c, enum event_end end, int error)
{
    if (c->ended)
        return;
    c->ended = true;
    c->event.end = end;
    c->event.error = error;
}

static void
ends_backend(struct conn *c, int error)
{
    if (!c->ended)
        snprintf(c->event.reason, sizeof c->event.reason, "%s",
                 strerror(error));
    ends(c, END_BACKEND, error);
}

/*
 * When the connection must have moved on: loop time, or 0 for never.  *phase is
 * what it is late for.
 */
static double
deadline(const struct conn *c, enum event_phase *phase)
{
    const struct timers *timers = c->owner->timers;
    const struct {
        bool runs;
        double since, seconds;
        enum event_phase phase;
    } candidates[] = {
        /* The handshake is counted from accept, which is when it entered. */
        {c->state == CONN_HANDSHAKE, c->entered, timers->handshake,
         PHASE_HANDSHAKE},
        {c->state == CONN_CONNECT, c->entered, timers->connect, PHASE_CONNECT},
        {c->state == CONN_LINGER, c->entered, timers->linger, PHASE_RELAY},
        {c->state == CONN_RELAY && c->up.state == FLOW_OPEN && c->up.taken == 0,
         c->entered, timers->first_byte, PHASE_FIRST_BYTE},
        {c->state == CONN_RELAY, c->moved_at, timers->idle, PHASE_RELAY},
        {c->state == CONN_RELAY && c->stalled_at > 0, c->stalled_at,
         timers->stall, PHASE_STALL},
        {c->state == CONN_RELAY && c->down.state >= FLOW_SHUT, c->moved_at,
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

/* Make the timer fire at the deadline as it is now.  Later deadlines need no
 * call: the timer then finds itself early and sets itself again. */
static void
set_timer(struct conn *c)
{
    enum event_phase phase;
    double at = deadline(c, &phase);

    ev_timer_stop(c->owner->loop, &c->timer);
    if (at == 0)
        return;
    at -= ev_now(c->owner->loop);
    ev_timer_set(&c->timer, at > 0 ? at : 0, 0);
    ev_timer_start(c->owner->loop, &c->timer);
}

/* The only writer of c->state: a new state always has a new deadline. */
static enum step
enter(struct conn *c, enum conn_state next)
{
    c->state = next;
    c->entered = ev_now(c->owner->loop);
    if (next != CONN_DONE)
        set_timer(c);
    return STEP_NEXT;
}

static float
since(const struct conn *c, double begin)
{
    return (float)(ev_now(c->owner->loop) - begin);
}

static enum step
handshake_failed(struct conn *c, enum io how)
{
    struct event *e = &c->event;

    if (e->alert_received != EVENT_NO_ALERT) {
        ends(c, END_EOF, 0);
    } else if (e->alert_sent != EVENT_NO_ALERT
               || (how == IO_BROKEN && c->client.error == 0)) {
        ends(c, END_REFUSED, 0);
    } else {
        ends(c, how == IO_EOF ? END_EOF : END_RESET, c->client.error);
        return enter(c, CONN_DONE);
    }
    return enter(c, CONN_LINGER);
}

static enum step
step_handshake(struct conn *c)
{
    enum io result = endpoint_handshake(&c->client);

    if (result == IO_AGAIN)
        return STEP_WAIT;
    if (result != IO_DONE)
        return handshake_failed(c, result);
    c->event.handshake = true;
    c->event.handshake_seconds = since(c, c->accepted_at);
    count(&counters(c)->handshakes, 1);
    if (c->service->policy->alpn_required
        && c->event.alpn_selected.length == 0) {
        snprintf(c->event.reason, sizeof c->event.reason,
                 "the client did not offer ALPN mapi/9");
        ends(c, END_REFUSED, 0);
        return enter(c, CONN_LINGER);
    }
    return enter(c, CONN_CONNECT);
}

/* The backend is connected: the relay begins, with the PROXY header first. */
static enum step
start_relay(struct conn *c)
{
    const struct service *service = c->service;
    uint8_t header[PROXY2_MAX];
    size_t length;

    c->event.backend_seconds = since(c, c->entered);
    flow_init(&c->up, &c->client, &c->backend, &c->owner->pool);
    flow_init(&c->down, &c->backend, &c->client, &c->owner->pool);
    if (service->backend->simulator) {
        length = preface_write(&c->event, service->policy->name,
                               service->last_message, &c->local, header,
                               sizeof header);
        if (length == 0 || !flow_prepend(&c->up, header, length)) {
            ends_backend(c, ENOMEM);
            return enter(c, CONN_LINGER);
        }
    }
    c->moved_at = ev_now(c->owner->loop);
    endpoint_wake(&c->backend, WAIT_WRITE);
    return enter(c, CONN_RELAY);
}

static enum step
next_address(struct conn *c, int error)
{
    ev_io_stop(c->owner->loop, &c->backend_io);
    endpoint_close(&c->backend);
    if (++c->attempt < c->service->backend->count)
        return enter(c, CONN_CONNECT);
    ends_backend(c, error);
    return enter(c, CONN_LINGER);
}

static enum step
step_connect(struct conn *c)
{
    const struct net_address *to = &c->service->backend->addresses[c->attempt];
    int error;

    if (c->backend.fd == -1) {
        int fd = net_connect(to);

        error = errno;
        net_text(to, c->event.backend);
        if (fd == -1)
            return next_address(c, error);
        endpoint_init(&c->backend, fd, &c->owner->pool, NULL);
        c->backend.waits = WAIT_WRITE;
        c->backend.blocked = true;
        return STEP_WAIT;
    }
    if (c->backend.blocked) {
        c->backend.waits = WAIT_WRITE;
        return STEP_WAIT;
    }
    error = net_error(c->backend.fd);
    return error != 0 ? next_address(c, error) : start_relay(c);
}

/* What an end that failed means for both directions, and for the record. */
static void
note_failures(struct conn *c)
{
    if (c->client.unreadable) {
        ends(c, c->client.error == 0 ? END_REFUSED : END_RESET,
             c->client.error);
        c->down.state = FLOW_BROKEN;
    } else if (c->up.source_end == IO_EOF) {
        ends(c, c->client.bio.eof ? END_EOF : END_CLOSE_NOTIFY, 0);
    } else if (c->client.unwritable) {
        ends(c, END_RESET, c->client.error);
    }
    if (c->backend.unreadable) {
        ends_backend(c, c->backend.error);
        c->up.state = FLOW_BROKEN;
    }
}

/* Since when the client takes nothing of what waits for it; 0: it does. */
static void
note_stall(struct conn *c, double now)
{
    bool stalled = c->down.state < FLOW_SHUT && flow_is_stalled(&c->down);

    if (!stalled) {
        c->stalled_at = 0;
    } else if (c->stalled_at == 0 || c->stalled_sent != c->client.sent) {
        bool began = c->stalled_at == 0;

        c->stalled_at = now;
        c->stalled_sent = c->client.sent;
        if (began)
            set_timer(c);
    }
}

/* Each direction ends by itself; the connection ends when both have. */
static enum step
step_relay(struct conn *c)
{
    uint64_t before = c->up.taken + c->client.sent + c->backend.sent;
    enum flow_state down_was = c->down.state;
    double now = ev_now(c->owner->loop);

    flow_run(&c->up);
    flow_run(&c->down);
    if (c->up.taken + c->client.sent + c->backend.sent != before)
        c->moved_at = now;
    note_failures(c);
    if (c->up.state >= FLOW_SHUT && c->down.state >= FLOW_SHUT) {
        /* An alert of ours must be read before the socket closes. */
        if (c->client.unreadable && c->client.error == 0)
            return enter(c, CONN_LINGER);
        return enter(c, CONN_DONE);
    }
    note_stall(c, now);
    if (c->down.state >= FLOW_SHUT && down_was < FLOW_SHUT)
        set_timer(c);
    return STEP_WAIT;
}

/*
 * Our last bytes, an alert perhaps, go out; then whatever the client still
 * sends is dropped until it is done.  Closing with unread bytes would make it
 * see a reset instead of the alert.
 */
static enum step
step_linger(struct conn *c)
{
    enum io result = endpoint_shut(&c->client, false);

    if (result == IO_AGAIN)
        return STEP_WAIT;
    if (result == IO_DONE)
        result = endpoint_discard(&c->client);
    return result == IO_AGAIN ? STEP_WAIT : enter(c, CONN_DONE);
}

static void
count_end(struct conn *c)
{
    struct port_counters *n = counters(c);
    const struct event *e = &c->event;

    count(&n->active, UINT64_MAX); /* minus one */
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
    c->event.total_seconds = since(c, c->accepted_at);
    flow_drop(&c->up);
    flow_drop(&c->down);
    endpoint_close(&c->client);
    endpoint_close(&c->backend);
    count_end(c);
    if (send(owner->events, &c->event, sizeof c->event,
             MSG_DONTWAIT | MSG_NOSIGNAL)
        == -1)
        count(&owner->slot->lost_events, 1);

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
    while (c->state != CONN_DONE && steps[c->state](c) == STEP_NEXT)
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
    if (at == 0 || at > ev_now(loop)) {
        set_timer(c);
        return;
    }
    endpoint_wake(&c->client, 0);
    endpoint_wake(&c->backend, 0);
    if (c->state == CONN_CONNECT) {
        next_address(c, ETIMEDOUT);
    } else {
        c->event.phase = phase;
        ends(c, END_TIMEOUT, 0);
        enter(c, c->state == CONN_LINGER || phase == PHASE_STALL ? CONN_DONE
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

    e->id = atomic_fetch_add_explicit(&c->owner->board->next_id, 1,
                                      memory_order_relaxed);
    e->accepted = ev_now(c->owner->loop);
    e->port = c->service->index;
    e->client = *peer;
    e->tls = c->service->context != NULL;
    e->alert_received = EVENT_NO_ALERT;
    e->alert_sent = EVENT_NO_ALERT;
    e->handshake_seconds = -1;
    e->backend_seconds = -1;
}

void
conn_open(struct conn_owner *owner, const struct service *service, int fd,
          const struct net_address *peer, const struct net_address *local)
{
    struct conn *c = calloc(1, sizeof *c);

    if (c == NULL) {
        net_close(&fd);
        log_error("port '%s': no memory for a connection",
                  service->policy->name);
        return;
    }
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
    count(&counters(c)->accepted, 1);
    count(&counters(c)->active, 1);

    if (service->context == NULL) {
        enter(c, CONN_CONNECT);
    } else if (endpoint_start_tls(&c->client, service->context) == 0) {
        enter(c, CONN_HANDSHAKE);
    } else {
        ends(c, END_RESET, ENOMEM);
        enter(c, CONN_DONE);
    }
    conn_run(c);
}

void
conn_cut_all(struct conn_owner *owner)
{
    while (owner->first != NULL) {
        struct conn *c = owner->first;

        c->event.phase = PHASE_DRAIN;
        ends(c, END_TIMEOUT, 0);
        /* Between two messages it is an orderly end, else a cut. */
        if (c->state == CONN_RELAY)
            (void)endpoint_shut(&c->client, flow_is_stalled(&c->down));
        enter(c, CONN_DONE);
        conn_run(c);
    }
}
