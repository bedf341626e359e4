/* SPDX-License-Identifier: MPL-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/proxy2.h"
#include "proxy/conn_state.h"
#include "proxy/deeds.h"
#include "proxy/preface.h"

/* Of a buffer each, in one turn of discarding. */
#define DISCARD_READS 4

/* A listed load balancer must say who its client is; nothing is guessed. */
static enum step
step_announce(struct conn *c)
{
    struct net_address client = c->event.client;
    const char *reason = NULL;
    char text[EVENT_TEXT_MAX + 1];

    switch (inbound_read(&c->inbound, c->client.fd, &client, &reason)) {
    case INBOUND_MORE:
        c->client.waits |= WAIT_READ;
        return STEP_WAIT;
    case INBOUND_DONE:
        if (!net_equal(&client, &c->event.client)) {
            c->event.via = c->event.client;
            c->event.client = client;
        }
        return conn_greet(c);
    case INBOUND_PROBE:
        conn_ends(c, END_EOF, 0);
        return conn_enter(c, CONN_DONE);
    case INBOUND_BROKEN:
        break;
    }
    c->event.phase = PHASE_ANNOUNCE;
    c->event.first = FIRST_OTHER;
    snprintf(text, sizeof text, "the load balancer's PROXY header: %s", reason);
    event_text_set(&c->event.reason, text);
    conn_ends(c, END_REFUSED, 0);
    return conn_enter(c, CONN_LINGER);
}

static enum step
handshake_failed(struct conn *c, enum io how)
{
    struct event *e = &c->event;

    if (e->alert_received != EVENT_NO_ALERT) {
        conn_ends(c, END_EOF, 0);
    } else if (e->alert_sent != EVENT_NO_ALERT
               || (how == IO_BROKEN && c->client.error == 0)) {
        conn_ends(c, END_REFUSED, 0);
    } else {
        conn_ends(c, how == IO_EOF ? END_EOF : END_RESET, c->client.error);
        return conn_enter(c, CONN_DONE);
    }
    return conn_enter(c, CONN_LINGER);
}

/* How long an address that was reached after others had failed is tried first.
 */
#define FIRST_SECONDS 30.0

/* The position of the address that the next attempt is for.  Where a connection
 * begins is its own: others may change the service's while it tries. */
static int
address_position(struct conn *c)
{
    const struct service *service = c->service;

    if (c->attempt == 0)
        c->first_address = service->first_expires > ev_now(c->owner->loop)
                               ? service->first
                               : 0;
    return (c->first_address + c->attempt) % service->backend->count;
}

/* Begin to connect to the address whose turn it is; -1 with errno set. */
static int
begin_connect(struct conn *c)
{
    const struct backend *backend = c->service->backend;
    int position = address_position(c);
    const struct net_address *to = &backend->addresses[position];
    char text[NET_TEXT_MAX];
    int fd = backend_connect(backend, position);
    int error = errno;

    c->path = backend_is_path(backend, position);
    c->connect_began = ev_now(c->owner->loop);
    event_text_set(&c->event.backend, backend_text(backend, position, text));
    errno = error;
    if (fd == -1)
        return -1;
    /* One that is busy may take nothing for long; one whose host is gone must
     * not keep its client.  Our own host is not worth the calls. */
    if (!net_is_loopback(to))
        (void)net_set_keepalive(fd, c->service->timers->keepalive, 0);
    endpoint_init(&c->backend, fd, &c->owner->pool, NULL);
    c->backend.blocked = !net_is_connected(fd);
    c->backend.bio.drained = true; /* so soon it cannot have said anything */
    return 0;
}

/* More unfinished handshakes than this do not hold a backend connection: who
 * only stalls must not use up all that a MonetDB has. */
#define EARLY_MAX     8
#define EARLY_SECONDS 5.0 /* nor does one wait for long */

/* The client is busy with our flight: time to see to the backend. */
static void
connect_early(struct conn *c)
{
    struct service *service = c->service;

    if (!service->connect_early || service->early >= EARLY_MAX
        || c->backend.fd != -1 || c->client.sent == 0)
        return;
    if (begin_connect(c) == -1)
        return; /* said when its turn has come */
    c->early = true;
    service->early++;
}

static enum step
step_handshake(struct conn *c)
{
    enum io result = endpoint_handshake(&c->client);

    if (result == IO_AGAIN) {
        connect_early(c);
        return STEP_WAIT;
    }
    if (result != IO_DONE)
        return handshake_failed(c, result);
    c->event.handshake = true;
    c->event.handshake_seconds = conn_since(c, c->accepted_at);
    count(&conn_counters(c)->handshakes, 1);
    if (c->service->policy->alpn_required
        && c->event.alpn_selected.length == 0) {
        event_text_set(&c->event.reason,
                       "the client did not offer ALPN mapi/9");
        conn_ends(c, END_REFUSED, 0);
        return conn_enter(c, CONN_LINGER);
    }
    return conn_enter(c, CONN_CONNECT);
}

/* The client knows no more of us than that we have accepted. */
static enum step
step_held(struct conn *c)
{
    enum io result = endpoint_ignore(&c->client);

    if (result == IO_AGAIN)
        return STEP_WAIT;
    conn_ends(c, result == IO_EOF ? END_EOF : END_RESET, c->client.error);
    return conn_enter(c, CONN_DONE);
}

/* Connections that follow need not find out again which address answers. */
static void
note_address(const struct conn *c)
{
    if (c->attempt == 0)
        return;
    c->service->first =
        (c->first_address + c->attempt) % c->service->backend->count;
    c->service->first_expires = ev_now(c->owner->loop) + FIRST_SECONDS;
}

/* The backend is connected: the relay begins, with the PROXY header first. */
static enum step
start_relay(struct conn *c)
{
    const struct service *service = c->service;
    uint8_t header[PROXY2_MAX];
    size_t length;

    c->event.backend_seconds = conn_since(c, c->connect_began);
    note_address(c);
    flow_init(&c->up, &c->client, &c->backend, &c->owner->pool);
    flow_init(&c->down, &c->backend, &c->client, &c->owner->pool);
    if (service->backend->simulator) {
        c->event.framed = true;
        progress_begin(&c->progress, &c->event.mapi);
        c->up.progress = c->down.progress = &c->progress;
    }
    if (service->backend->simulator || service->send_proxy) {
        length = preface_write(
            &c->event, &c->local,
            service->backend->simulator ? service->policy->name : NULL,
            service->policy->behaviour, service->last_message, header,
            sizeof header);
        if (length == 0 || !flow_prepend(&c->up, header, length)) {
            conn_ends_backend(c, ENOMEM);
            return conn_enter(c, CONN_LINGER);
        }
    }
    c->deed = deed_begin(c->deed, &c->client);
    if (!service->backend->simulator && !conn_begin_login(c)) {
        conn_ends_backend(c, ENOMEM);
        return conn_enter(c, CONN_LINGER);
    }
    c->moved_at = ev_now(c->owner->loop);
    endpoint_wake(&c->backend, WAIT_WRITE);
    return conn_enter(c, CONN_RELAY);
}

enum step
conn_next_address(struct conn *c, int error)
{
    ev_io_stop(c->owner->loop, &c->backend_io);
    endpoint_close(&c->backend);
    c->queued = false;
    if (++c->attempt < c->service->backend->count)
        return conn_enter(c, CONN_CONNECT);
    return conn_backend_failed(c, error);
}

/*
 * What was connected early may have spoken meanwhile; or have lost its
 * patience, and then another is better.
 */
static void
look_at_early(struct conn *c)
{
    double waited = c->entered - c->connect_began;

    if (c->backend.fd == -1 || waited <= 0 || c->backend.connecting)
        return;
    c->backend.bio.drained = false;
    if (waited > EARLY_SECONDS)
        endpoint_close(&c->backend);
}

static enum step
step_connect(struct conn *c)
{
    int error;

    look_at_early(c);
    if (c->queued)
        return STEP_WAIT;
    if (c->backend.fd == -1) {
        if (begin_connect(c) == 0)
            return STEP_NEXT;
        c->queued = errno == EAGAIN && c->path;
        if (!c->queued)
            return conn_next_address(c, errno);
        conn_set_timer(c);
        return STEP_WAIT;
    }
    if (c->backend.blocked && !c->backend.connecting)
        c->backend.blocked = !net_is_connected(c->backend.fd);
    if (c->backend.blocked) {
        c->backend.connecting = true;
        c->backend.waits = WAIT_WRITE;
        return STEP_WAIT;
    }
    error = c->backend.connecting ? net_error(c->backend.fd) : 0;
    return error != 0 ? conn_next_address(c, error) : start_relay(c);
}

/* What an end that failed means for both directions, and for the record. */
static void
note_failures(struct conn *c)
{
    if (c->event.alert_received != EVENT_NO_ALERT)
        conn_ends(c, END_EOF, 0);
    if (c->down.refused != NULL && !c->ended) {
        event_text_set(&c->event.reason, c->down.refused);
        conn_ends(c, END_REFUSED, 0);
    }
    if (c->client.unreadable) {
        conn_ends(c, c->client.error == 0 ? END_REFUSED : END_RESET,
                  c->client.error);
        c->down.state = FLOW_BROKEN;
    } else if (c->up.source_end == IO_EOF) {
        conn_ends(c, c->client.bio.eof ? END_EOF : END_CLOSE_NOTIFY, 0);
    } else if (c->client.unwritable) {
        conn_ends(c, END_RESET, c->client.error);
    }
    /* Nobody takes the backend's output any more, so it may never take what is
     * left of the client's input. */
    if (c->client.unwritable && (c->backend.waits & WAIT_WRITE) != 0)
        c->up.state = FLOW_BROKEN;
    if (c->backend.unreadable) {
        conn_ends_backend(c, c->backend.error);
        c->up.state = FLOW_BROKEN;
    }
}

/*
 * Since when the client takes nothing of what waits for it; 0: it does.  Told
 * by the wait, not by bytes: after a whole turn none are left here, yet the
 * socket may be too full to be called writable.
 */
static void
note_stall(struct conn *c, double now)
{
    bool stalled =
        c->down.state < FLOW_SHUT && (c->client.waits & WAIT_WRITE) != 0;

    if (!stalled) {
        c->stalled_at = 0;
    } else if (c->stalled_at == 0 || c->stalled_sent != c->client.sent) {
        bool began = c->stalled_at == 0;

        c->stalled_at = now;
        c->stalled_sent = c->client.sent;
        if (began)
            conn_set_timer(c);
    }
}

/* Each direction ends by itself; the connection ends when both have. */
static enum step
step_relay(struct conn *c)
{
    uint64_t before = c->up.taken + c->client.sent + c->backend.sent;
    bool was_half_over = conn_is_half_over(c);
    double now = ev_now(c->owner->loop);

    c->up.last = c->down.state >= FLOW_SHUT;
    flow_run(&c->up);
    if (c->deed != DEED_NONE && c->up.taken > 0)
        c->deed = deed_answer(c->deed, &c->client);
    c->down.answers = c->up.taken > 0;
    flow_run(&c->down);
    if (c->unheard && conn_listen(c) == STEP_NEXT)
        return STEP_NEXT;
    if (c->up.taken + c->client.sent + c->backend.sent != before)
        c->moved_at = now;
    note_failures(c);
    if (c->up.state >= FLOW_SHUT && c->down.state >= FLOW_SHUT) {
        /* A client that has not ended its side must be able to read our last
         * bytes, an alert or the backend's, before the socket closes; unless
         * it is a reset that we have to pass on.  More may follow even upon a
         * close_notify: only FIN is the end. */
        bool over = c->client.bio.eof || c->client.error != 0
                    || (c->client.ssl == NULL && c->backend.unreadable);

        return conn_enter(c, over ? CONN_DONE : CONN_LINGER);
    }
    note_stall(c, now);
    if (conn_is_half_over(c) && !was_half_over)
        conn_set_timer(c);
    return STEP_WAIT;
}

/*
 * Drop what the client sends.  While nobody knows how it ended, because it has
 * outlived its backend, it is decrypted: a close_notify is told from a FIN.
 */
static enum io
discard(struct conn *c)
{
    static uint8_t nowhere[POOL_CHUNK];
    enum io result = IO_DONE;

    if (c->ended)
        return endpoint_discard(&c->client);
    for (int i = 0; i < DISCARD_READS && result == IO_DONE; i++) {
        struct buf drop;

        buf_init(&drop, nowhere, sizeof nowhere);
        result = endpoint_read(&c->client, &drop);
    }
    if (result == IO_DONE) {
        /* Others' turn; what OpenSSL holds would never be readable. */
        c->client.waits |= WAIT_READ | WAIT_WRITE;
        return IO_AGAIN;
    }
    if (result == IO_EOF)
        c->up.source_end = IO_EOF;
    note_failures(c);
    return result;
}

/*
 * Our last bytes, an alert perhaps, go out; then whatever the client still
 * sends is dropped until it is done.  Closing with unread bytes would make it
 * see a reset instead of the alert.  A client to whom a timer leaves bytes
 * undelivered sees a truncation.
 */
static enum step
step_linger(struct conn *c)
{
    bool cut = conn_is_mid_stream(c);
    enum io result = endpoint_shut(&c->client, cut);

    if (result == IO_AGAIN)
        return STEP_WAIT;
    if (cut && c->client.ssl == NULL)
        return conn_enter(c, CONN_DONE); /* the close is the reset */
    if (result == IO_DONE)
        result = discard(c);
    return result == IO_AGAIN ? STEP_WAIT : conn_enter(c, CONN_DONE);
}

enum step (*const conn_steps[])(struct conn *) = {
    [CONN_ANNOUNCE] = step_announce, [CONN_HANDSHAKE] = step_handshake,
    [CONN_HELD] = step_held,         [CONN_CONNECT] = step_connect,
    [CONN_RELAY] = step_relay,       [CONN_APOLOGY] = conn_apologize,
    [CONN_LINGER] = step_linger,
};
