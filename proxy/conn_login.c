/* What a real MonetDB behind a port needs.  SPDX-License-Identifier: MPL-2.0 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "proxy/conn_state.h"
#include "proxy/vitals.h"

/* What plain clients may send before the challenge: four empty blocks. */
#define EARLY_BYTES 8

static struct vitals *
vitals_of(const struct conn *c)
{
    return &c->owner->gate.board->vitals[c->service->port.index];
}

/* It is the client's own word, and goes back to it, but not into a URL with
 * whatever it holds. */
static bool
is_host_name(const struct event_bytes *name)
{
    for (size_t i = 0; i < name->length; i++)
        if (!isalnum(name->bytes[i]) && strchr("-._", name->bytes[i]) == NULL)
            return false;
    return name->length > 0;
}

/* HOST:PORT by which the client has reached us. */
static void
own_authority(const struct conn *c, char out[EVENT_TEXT_MAX + NET_TEXT_MAX])
{
    const struct event_bytes *name = &c->event.sni;

    if (is_host_name(name))
        snprintf(out, EVENT_TEXT_MAX + NET_TEXT_MAX, "%.*s:%u", name->length,
                 (const char *)name->bytes, net_port(&c->local));
    else
        net_text(&c->local, out);
}

static bool
is_at(const void *backend, const char *host, uint16_t port)
{
    return backend_is_at(backend, host, port);
}

static bool
put_guard(struct conn *c)
{
    char authority[EVENT_TEXT_MAX + NET_TEXT_MAX];
    const struct redirect_place place = {
        .authority = authority,
        .backend = c->service->backend,
        .is_backend = is_at,
    };
    bool rewrites = c->service->redirects == REDIRECTS_REWRITE;
    struct guard *guard;

    own_authority(c, authority);
    guard = guard_new(rewrites ? &place : NULL);
    if (guard != NULL)
        flow_guard(&c->down, guard);
    return guard != NULL;
}

bool
conn_begin_login(struct conn *c)
{
    c->unheard = c->down.patient = true;
    if (conn_relays_urgent(c->service)) {
        flow_relay_urgent(&c->up);
        if (!c->path && net_keep_urgent(c->backend.fd) == 0)
            flow_relay_urgent(&c->down);
    }
    /* MAPI on a Unix socket begins with a byte that TCP clients do not send; a
     * PROXY header is not MAPI, and comes before it. */
    if (c->path && !flow_prepend(&c->up, "0", 1))
        return false;
    return c->service->redirects == REDIRECTS_PASS || put_guard(c);
}

enum step
conn_backend_failed(struct conn *c, int error)
{
    const struct service *service = c->service;
    const char *place = c->event.backend;

    vitals_fail(vitals_of(c), service->port.name, place != NULL ? place : "?",
                error);
    conn_ends_backend(c, error);
    if (!service->backend->simulator)
        c->apology = apology_new(&c->owner->salts);
    return conn_enter(c, c->apology != NULL ? CONN_APOLOGY : CONN_LINGER);
}

/* True if the client waits for a challenge: others may well speak first, to a
 * server that is not to say anything. */
static bool
awaits_challenge(const struct conn *c)
{
    bool silent =
        c->up.taken == 0
        || (c->up.taken <= EARLY_BYTES && c->event.first == FIRST_MAPI);

    return silent && c->up.source_end == IO_DONE && !c->client.unreadable
           && !c->client.unwritable;
}

enum step
conn_listen(struct conn *c)
{
    int error = c->backend.unreadable ? c->backend.error : VITALS_CLOSED;

    if (c->down.taken == 0 && c->down.state == FLOW_OPEN)
        return STEP_WAIT;
    c->unheard = c->down.patient = false;
    if (c->down.taken > 0) {
        vitals_answer(vitals_of(c), c->service->port.name);
        return STEP_WAIT;
    }
    if (!awaits_challenge(c)) {
        flow_run(&c->down); /* the end is the client's to see */
        return STEP_WAIT;
    }
    ev_io_stop(c->owner->loop, &c->backend_io);
    endpoint_close(&c->backend);
    flow_drop(&c->up);
    flow_drop(&c->down);
    c->stalled_at = 0;
    return conn_backend_failed(c, error);
}

enum step
conn_apologize(struct conn *c)
{
    if (apology_run(c->apology, &c->client) == IO_AGAIN)
        return STEP_WAIT;
    return conn_enter(c, CONN_LINGER);
}
