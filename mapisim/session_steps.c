/* SPDX-License-Identifier: MPL-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "mapisim/session_state.h"

enum io { IO_OK, IO_AGAIN, IO_END };

/*
 * Nothing more will be said.  A close with unread bytes, or bytes that come
 * after it, would make the client see a reset instead of what was.
 */
static enum step
hang_up(struct session *s, enum ending ending)
{
    s->ending = ending;
    shutdown(s->fd, SHUT_WR);
    return session_enter(s, SESSION_DISCARD);
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
    bool paced = s->behaviour->pace > 0;
    ssize_t n;

    if (ev_is_active(&s->pace))
        return IO_AGAIN;
    n = send(s->fd, s->unsent.bytes, paced ? 1 : s->unsent.length,
             flags | MSG_NOSIGNAL);
    if (n == -1)
        return errno == EAGAIN || errno == EINTR ? IO_AGAIN : IO_END;
    s->unsent.bytes += n;
    s->unsent.length -= (size_t)n;
    if (s->unsent.length == 0)
        return IO_OK;
    if (paced) {
        ev_timer_set(&s->pace, s->behaviour->pace, 0);
        ev_timer_start(s->pool->loop, &s->pace);
    }
    return IO_AGAIN;
}

/* True once all of unsent is sent; otherwise *step is what comes of it. */
static bool
sends(struct session *s, int flags, enum step *step)
{
    switch (flush(s, flags)) {
    case IO_AGAIN:
        *step = STEP_WAIT;
        return false;
    case IO_END:
        *step = session_end(s, ENDING_LEFT);
        return false;
    case IO_OK:
        break;
    }
    return true;
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
            ? message_apology(s->reply, sizeof s->reply, s->name, s->behaviour)
            : message_text(s->reply, sizeof s->reply, text, s->behaviour);
    if (s->behaviour->cuts)
        s->reply_length /= 2;
}

enum step
session_greet(struct session *s, struct slice last_message)
{
    char salt[SALT_LENGTH + 1];

    prepare_reply(s, last_message);
    if (salt_make(&s->pool->salts, salt) == -1) {
        log_errno("no random bytes for a challenge");
        return session_end(s, ENDING_FAILED);
    }
    s->unsent.bytes = s->challenge;
    s->unsent.length = message_challenge(s->challenge, sizeof s->challenge,
                                         salt, s->behaviour);
    return session_enter(s, SESSION_CHALLENGE);
}

static void
take_behaviour(struct session *s, struct slice name)
{
    char escaped[MESSAGE_NAME_MAX];

    if (name.bytes == NULL)
        return;
    s->behaviour = behaviour_find(name);
    if (s->behaviour != NULL)
        return;
    s->behaviour = &behaviour_usual;
    log_warning("%s: there is no behaviour '%s': the usual one it is", s->name,
                log_escape(escaped, sizeof escaped, name.bytes, name.length));
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
        return session_end(s,
                           s->in.length == 0 ? ENDING_LEFT : ENDING_CUT_PROXY);
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
    take_behaviour(s, header.behaviour);
    step = session_greet(s, header.last_message);
    buf_consume(&s->in, size);
    return step;
}

static enum step
step_challenge(struct session *s)
{
    enum step step;

    if (!sends(s, 0, &step))
        return step;
    frame_begin(&s->response, SESSION_RESPONSE_MAX);
    return session_enter(s, SESSION_RESPONSE);
}

/* Take what came of a message, or up to the byte that says what it is. */
static enum frame_status
take_response(struct session *s)
{
    const uint8_t *bytes = buf_peek(&s->in);
    size_t length = s->in.length;
    enum frame_status status;
    size_t taken;

    if (s->behaviour->serves && s->response.length == 0) {
        length = 1;
        if (s->response.header_have == FRAME_HEADER_SIZE)
            s->command = *bytes;
    }
    status = frame_read(&s->response, bytes, length, &taken);
    buf_consume(&s->in, taken);
    return status;
}

static enum step
left(struct session *s)
{
    if (!frame_at_boundary(&s->response))
        return session_end(s, ENDING_CUT);
    return session_end(s, s->state == SESSION_COMMAND ? ENDING_SERVED
                                                      : ENDING_LEFT);
}

/* What a message that is complete is answered with. */
static enum step
reply(struct session *s)
{
    static const uint8_t nothing[] = {1, 0}; /* an empty message: all is well */
    bool logs_in = s->state == SESSION_RESPONSE;

    s->unsent = (struct slice){s->reply, s->reply_length};
    if (!s->behaviour->serves)
        return session_enter(s, SESSION_REPLY);
    if (logs_in || s->command == 'X')
        s->unsent = (struct slice){nothing, sizeof nothing};
    s->command = 0;
    return session_enter(s, SESSION_ANSWER);
}

static enum step
step_response(struct session *s)
{
    enum io io = s->in.length > 0 ? IO_OK : fill(s);

    if (io == IO_AGAIN)
        return STEP_WAIT;
    if (io == IO_END)
        return left(s);
    switch (take_response(s)) {
    case FRAME_MORE:
        return s->in.length > 0 ? STEP_NEXT : STEP_WAIT;
    case FRAME_BAD_BLOCK:
        log_escape(s->detail, sizeof s->detail, s->response.header,
                   FRAME_HEADER_SIZE);
        return hang_up(s, ENDING_BAD_BLOCK);
    case FRAME_TOO_LONG:
        return hang_up(s, ENDING_TOO_LONG);
    case FRAME_COMPLETE:
        break;
    }
    return reply(s);
}

static enum step
step_answer(struct session *s)
{
    enum step step;

    if (!sends(s, 0, &step))
        return step;
    return session_enter(s, SESSION_COMMAND);
}

static enum step
step_reply(struct session *s)
{
    enum step step;

    /* The end of file follows at once and may share the segment. */
    if (!sends(s, MSG_MORE, &step))
        return step;
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
    return session_end(s, s->ending);
}

enum step (*const session_steps[])(struct session *) = {
    [SESSION_HEADER] = step_header,     [SESSION_CHALLENGE] = step_challenge,
    [SESSION_RESPONSE] = step_response, [SESSION_REPLY] = step_reply,
    [SESSION_COMMAND] = step_response,  [SESSION_ANSWER] = step_answer,
    [SESSION_DISCARD] = step_discard,
};
