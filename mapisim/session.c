/* SPDX-License-Identifier: MPL-2.0 */
#include "mapisim/session.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/frame.h"
#include "base/log.h"
#include "base/proxy2.h"
#include "mapisim/message.h"

/* What is awaited. */
enum session_state {
    SESSION_HEADER,    /* the PROXY header */
    SESSION_CHALLENGE, /* that the challenge is taken */
    SESSION_RESPONSE,  /* the client's response */
    SESSION_REPLY,     /* that the last message is taken */
    SESSION_DISCARD,   /* the client's end of file */
    SESSION_DONE,
};

struct session {
    struct session_pool *pool;
    struct session *next;
    struct session **link; /* what points to this session */
    enum session_state state;
    enum ending ending; /* valid in SESSION_DISCARD and SESSION_DONE */
    struct net_address peer;
    int fd;
    ev_io io;
    ev_timer deadline;
    bool readable; /* the poll said so, and nothing was read since */
    struct frame_reader response;
    struct slice unsent; /* of the challenge or of the reply */
    size_t reply_length;
    struct buf in;                 /* the PROXY header and what came with it */
    char name[MESSAGE_NAME_MAX];   /* PORTNAME, escaped */
    char detail[MESSAGE_NAME_MAX]; /* more about the ending, escaped */
    uint8_t challenge[MESSAGE_CHALLENGE_MAX];
    uint8_t reply[FRAME_HEADER_SIZE + SESSION_REPLY_MAX];
    uint8_t in_bytes[PROXY2_MAX];
};

enum step { STEP_WAIT, STEP_NEXT };
enum io { IO_OK, IO_AGAIN, IO_END };

static enum step step_header(struct session *s);
static enum step step_challenge(struct session *s);
static enum step step_response(struct session *s);
static enum step step_reply(struct session *s);
static enum step step_discard(struct session *s);

/* Deadlines that are the same for every session, in seconds. */
#define REPLY_SECONDS   10
#define DISCARD_SECONDS 2

#define TRIM_CLOSES 64
#define GOES_ON     0 /* the deadline of the state before goes on */

static const struct {
    enum step (*run)(struct session *);
    int events;
    enum ending timeout;
} states[] = {
    [SESSION_HEADER] = {step_header, EV_READ, ENDING_NO_PROXY},
    [SESSION_CHALLENGE] = {step_challenge, EV_WRITE, ENDING_LOGIN_TIMEOUT},
    [SESSION_RESPONSE] = {step_response, EV_READ, ENDING_LOGIN_TIMEOUT},
    [SESSION_REPLY] = {step_reply, EV_WRITE, ENDING_WRITE_TIMEOUT},
    [SESSION_DISCARD] = {step_discard, EV_READ, ENDING_SERVED},
};

static double
longest_stay(const struct session *s, enum session_state state)
{
    switch (state) {
    case SESSION_HEADER:
        return s->pool->config.header_seconds;
    case SESSION_CHALLENGE:
        return s->pool->config.login_seconds;
    case SESSION_RESPONSE:
        return GOES_ON;
    case SESSION_REPLY:
        return REPLY_SECONDS;
    case SESSION_DISCARD:
        return DISCARD_SECONDS;
    case SESSION_DONE:
        return GOES_ON;
    }
    return GOES_ON;
}

/* The only writer of s->state. */
static enum step
enter(struct session *s, enum session_state next)
{
    double seconds = longest_stay(s, next);

    s->state = next;
    if (seconds != GOES_ON) {
        s->deadline.repeat = seconds;
        ev_timer_again(s->pool->loop, &s->deadline);
    }
    return STEP_NEXT;
}

static enum step
end(struct session *s, enum ending ending)
{
    s->ending = ending;
    return enter(s, SESSION_DONE);
}

/*
 * Nothing more will be said.  A close with unread bytes, or bytes that come
 * after it, would make the client see a reset instead of what was.
 */
static enum step
hang_up(struct session *s, enum ending ending)
{
    s->ending = ending;
    shutdown(s->fd, SHUT_WR);
    return enter(s, SESSION_DISCARD);
}

/*
 * Read once per poll: a client that never stops sending lets others have their
 * turn, and nobody pays for a second read that would find nothing.
 */
static enum io
fill(struct session *s)
{
    ssize_t n;

    if (!s->readable)
        return IO_AGAIN;
    s->readable = false;
    n = recv(s->fd, buf_space(&s->in), buf_room(&s->in), 0);
    if (n > 0) {
        buf_commit(&s->in, (size_t)n);
        return IO_OK;
    }
    if (n == -1 && (errno == EAGAIN || errno == EINTR))
        return IO_AGAIN;
    return IO_END;
}

/* IO_OK: all of unsent is sent. */
static enum io
flush(struct session *s, int flags)
{
    ssize_t n =
        send(s->fd, s->unsent.bytes, s->unsent.length, flags | MSG_NOSIGNAL);

    if (n == -1)
        return errno == EAGAIN || errno == EINTR ? IO_AGAIN : IO_END;
    s->unsent.bytes += n;
    s->unsent.length -= (size_t)n;
    return s->unsent.length == 0 ? IO_OK : IO_AGAIN;
}

/* Make the last message: from the header, else as configured. */
static void
prepare_reply(struct session *s, struct slice text)
{
    const char *configured = s->pool->config.reply;

    if (text.bytes == NULL && configured != NULL)
        text = slice_text(configured);
    s->reply_length =
        text.bytes == NULL
            ? message_apology(s->reply, sizeof s->reply, s->name)
            : frame_write(s->reply, sizeof s->reply, text.bytes, text.length);
}

/* Everything is known that the two messages depend on. */
static enum step
begin_login(struct session *s, struct slice last_message)
{
    char salt[SALT_LENGTH + 1];

    prepare_reply(s, last_message);
    if (salt_make(&s->pool->salts, salt) == -1) {
        log_errno("no random bytes for a challenge");
        return end(s, ENDING_FAILED);
    }
    s->unsent.bytes = s->challenge;
    s->unsent.length =
        message_challenge(s->challenge, sizeof s->challenge, salt);
    return enter(s, SESSION_CHALLENGE);
}

/* The address that the proxy saw is the client's. */
static void
take_source(struct session *s, const struct proxy2_address *source)
{
    struct net_address *peer = &s->peer;

    if (source->length == 0)
        return;
    memset(peer, 0, sizeof *peer);
    if (source->length == sizeof peer->sa.v4.sin_addr) {
        peer->length = sizeof peer->sa.v4;
        peer->sa.v4.sin_family = AF_INET;
        memcpy(&peer->sa.v4.sin_addr, source->ip, source->length);
    } else {
        peer->length = sizeof peer->sa.v6;
        peer->sa.v6.sin6_family = AF_INET6;
        memcpy(&peer->sa.v6.sin6_addr, source->ip, source->length);
    }
    net_set_port(peer, source->port);
}

static enum step
step_header(struct session *s)
{
    struct proxy2 header;
    const char *reason;
    size_t size;
    enum step step;

    switch (fill(s)) {
    case IO_AGAIN:
        return STEP_WAIT;
    case IO_END:
        return end(s, s->in.length == 0 ? ENDING_LEFT : ENDING_CUT_PROXY);
    case IO_OK:
        break;
    }
    switch (proxy2_decode(buf_peek(&s->in), s->in.length, &header, &size,
                          &reason)) {
    case PROXY2_MORE:
        return STEP_WAIT;
    case PROXY2_INVALID:
        snprintf(s->detail, sizeof s->detail, "%s", reason);
        return hang_up(s, ENDING_BAD_PROXY);
    case PROXY2_OK:
        break;
    }
    take_source(s, &header.source);
    if (header.port_name.bytes != NULL)
        log_escape(s->name, sizeof s->name, header.port_name.bytes,
                   header.port_name.length);
    step = begin_login(s, header.last_message);
    buf_consume(&s->in, size);
    return step;
}

static enum step
step_challenge(struct session *s)
{
    switch (flush(s, 0)) {
    case IO_AGAIN:
        return STEP_WAIT;
    case IO_END:
        return end(s, ENDING_LEFT);
    case IO_OK:
        break;
    }
    frame_begin(&s->response, SESSION_RESPONSE_MAX);
    return enter(s, SESSION_RESPONSE);
}

static enum step
step_response(struct session *s)
{
    enum io io = s->in.length > 0 ? IO_OK : fill(s);
    enum frame_status status;
    size_t taken;

    if (io == IO_AGAIN)
        return STEP_WAIT;
    if (io == IO_END)
        return end(s,
                   frame_at_boundary(&s->response) ? ENDING_LEFT : ENDING_CUT);
    status = frame_read(&s->response, buf_peek(&s->in), s->in.length, &taken);
    buf_consume(&s->in, taken);
    switch (status) {
    case FRAME_MORE:
        return STEP_WAIT;
    case FRAME_BAD_BLOCK:
        log_escape(s->detail, sizeof s->detail, s->response.header,
                   FRAME_HEADER_SIZE);
        return hang_up(s, ENDING_BAD_BLOCK);
    case FRAME_TOO_LONG:
        return hang_up(s, ENDING_TOO_LONG);
    case FRAME_COMPLETE:
        break;
    }
    s->unsent = (struct slice){s->reply, s->reply_length};
    return enter(s, SESSION_REPLY);
}

static enum step
step_reply(struct session *s)
{
    /* The end of file follows at once and may share the segment. */
    switch (flush(s, MSG_MORE)) {
    case IO_AGAIN:
        return STEP_WAIT;
    case IO_END:
        return end(s, ENDING_LEFT);
    case IO_OK:
        break;
    }
    return hang_up(s, ENDING_SERVED);
}

static enum step
step_discard(struct session *s)
{
    buf_consume(&s->in, s->in.length);
    switch (fill(s)) {
    case IO_OK:
    case IO_AGAIN:
        return STEP_WAIT;
    case IO_END:
        break;
    }
    return end(s, s->ending);
}

static void
session_free(struct session *s)
{
    struct session_pool *pool = s->pool;

    ev_io_stop(pool->loop, &s->io);
    ev_timer_stop(pool->loop, &s->deadline);
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

    while (s->state != SESSION_DONE && states[s->state].run(s) == STEP_NEXT)
        continue;
    if (s->state == SESSION_DONE) {
        session_free(s);
        return;
    }
    events = states[s->state].events;
    if (ev_is_active(&s->io) && (s->io.events & events))
        return;
    ev_io_stop(s->pool->loop, &s->io);
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
    end(s, s->state == SESSION_DISCARD ? s->ending : states[s->state].timeout);
    session_run(s);
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
    s->io.data = s->deadline.data = s;
    buf_init(&s->in, s->in_bytes, sizeof s->in_bytes);
    log_escape(s->name, sizeof s->name, name, strlen(name));
    if (pool->config.proxy_protocol)
        enter(s, SESSION_HEADER);
    else
        begin_login(s, (struct slice){NULL, 0});
    session_run(s);
}

void
session_pool_close(struct session_pool *pool)
{
    while (pool->first != NULL) {
        end(pool->first, ENDING_STOPPED);
        session_run(pool->first);
    }
}
