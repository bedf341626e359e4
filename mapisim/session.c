/* SPDX-License-Identifier: MPL-2.0 */
#include "mapisim/session.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "mapisim/session_state.h"

/* Deadlines that are the same for every session, in seconds. */
#define REPLY_SECONDS   10
#define DISCARD_SECONDS 2

#define TRIM_CLOSES 64
#define GOES_ON     0 /* the deadline of the state before goes on */

static const struct {
    int events;
    enum ending timeout;
} states[] = {
    [SESSION_HEADER] = {EV_READ, ENDING_NO_PROXY},
    [SESSION_CHALLENGE] = {EV_WRITE, ENDING_LOGIN_TIMEOUT},
    [SESSION_RESPONSE] = {EV_READ, ENDING_LOGIN_TIMEOUT},
    [SESSION_REPLY] = {EV_WRITE, ENDING_WRITE_TIMEOUT},
    [SESSION_COMMAND] = {EV_READ, ENDING_IDLE},
    [SESSION_ANSWER] = {EV_WRITE, ENDING_WRITE_TIMEOUT},
    [SESSION_DISCARD] = {EV_READ, ENDING_SERVED},
};

static double
longest_stay(const struct session *s, enum session_state state)
{
    /* What we take ourselves. */
    double pace = s->behaviour->pace * (double)s->unsent.length;

    switch (state) {
    case SESSION_HEADER:
        return s->pool->config.header_seconds;
    case SESSION_CHALLENGE:
        return s->pool->config.login_seconds + pace;
    case SESSION_RESPONSE:
        return GOES_ON;
    case SESSION_COMMAND:
        return s->pool->config.login_seconds;
    case SESSION_REPLY:
    case SESSION_ANSWER:
        return REPLY_SECONDS + pace;
    case SESSION_DISCARD:
        return DISCARD_SECONDS;
    case SESSION_DONE:
        return GOES_ON;
    }
    return GOES_ON;
}

enum step
session_enter(struct session *s, enum session_state next)
{
    double seconds = longest_stay(s, next);

    s->state = next;
    if (seconds != GOES_ON) {
        s->deadline.repeat = seconds;
        ev_timer_again(s->pool->loop, &s->deadline);
    }
    return STEP_NEXT;
}

enum step
session_end(struct session *s, enum ending ending)
{
    s->ending = ending;
    return session_enter(s, SESSION_DONE);
}

static void
session_free(struct session *s)
{
    struct session_pool *pool = s->pool;

    ev_io_stop(pool->loop, &s->io);
    ev_timer_stop(pool->loop, &s->deadline);
    ev_timer_stop(pool->loop, &s->pace);
    net_close(&s->fd);
    *s->link = s->next;
    if (s->next != NULL)
        s->next->link = s->link;
    pool->open--;
    pool->ends[s->ending]++;
    ending_log(&(struct ending_facts){
        .ending = s->ending,
        .peer = &s->peer,
        .port = s->name,
        .detail = s->detail,
        .count = pool->ends[s->ending],
    });
    free(s);
    /* After a crowd the allocator would keep what it took for it. */
    if (++pool->closes > TRIM_CLOSES && pool->open == 0) {
        pool->closes = 0;
        malloc_trim(0);
    }
    if (pool->on_end != NULL)
        pool->on_end(pool);
}

/* Advance as far as possible.  May free s: every caller returns right after. */
static void
session_run(struct session *s)
{
    int events;

    while (s->state != SESSION_DONE && session_steps[s->state](s) == STEP_NEXT)
        continue;
    if (s->state == SESSION_DONE) {
        session_free(s);
        return;
    }
    events = ev_is_active(&s->pace) ? 0 : states[s->state].events;
    if (ev_is_active(&s->io) && (s->io.events & events))
        return;
    ev_io_stop(s->pool->loop, &s->io);
    if (events == 0)
        return;
    ev_io_set(&s->io, s->fd, events);
    ev_io_start(s->pool->loop, &s->io);
}

static void
on_io(struct ev_loop *loop, ev_io *io, int events)
{
    struct session *s = io->data;

    (void)loop;
    s->readable = events & EV_READ;
    session_run(s);
}

static void
on_deadline(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct session *s = timer->data;

    (void)loop, (void)events;
    session_end(s, s->state == SESSION_DISCARD ? s->ending
                                               : states[s->state].timeout);
    session_run(s);
}

static void
on_pace(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop, (void)events;
    session_run(timer->data);
}

void
session_pool_init(struct session_pool *pool, struct ev_loop *loop,
                  const struct session_config *config)
{
    *pool = (struct session_pool){.loop = loop, .config = *config};
}

void
session_start(struct session_pool *pool, int fd, const struct net_address *peer)
{
    const char *name = pool->config.name;
    struct session *s = calloc(1, sizeof *s);

    if (s == NULL) {
        log_errno("no memory for a session");
        pool->ends[ENDING_FAILED]++;
        net_close(&fd);
        return;
    }
    s->pool = pool;
    s->fd = fd;
    s->peer = *peer;
    s->next = pool->first;
    s->link = &pool->first;
    if (s->next != NULL)
        s->next->link = &s->next;
    pool->first = s;
    pool->open++;
    ev_io_init(&s->io, on_io, fd, EV_READ);
    ev_init(&s->deadline, on_deadline);
    ev_init(&s->pace, on_pace);
    s->io.data = s->deadline.data = s->pace.data = s;
    s->behaviour = &behaviour_usual;
    buf_init(&s->in, s->in_bytes, sizeof s->in_bytes);
    log_escape(s->name, sizeof s->name, name, strlen(name));
    if (pool->config.proxy_protocol)
        session_enter(s, SESSION_HEADER);
    else
        session_greet(s, (struct slice){NULL, 0});
    session_run(s);
}

void
session_pool_close(struct session_pool *pool)
{
    while (pool->first != NULL) {
        session_end(pool->first, ENDING_STOPPED);
        session_run(pool->first);
    }
}
