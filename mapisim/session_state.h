/*
 * session_state.h - a session from the inside
 *
 * For session.c, which gives it life, deadlines and an end, and
 * session_steps.c, which knows what to do in each state.  Nobody else looks in
 * here.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef MAPISIM_SESSION_STATE_H
#define MAPISIM_SESSION_STATE_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/frame.h"
#include "base/net.h"
#include "base/proxy2.h"
#include "mapisim/message.h"
#include "mapisim/session.h"

/* What is awaited. */
enum session_state {
    SESSION_HEADER,    /* the PROXY header */
    SESSION_CHALLENGE, /* that the challenge is taken */
    SESSION_RESPONSE,  /* the client's response */
    SESSION_REPLY,     /* that the last message is taken */
    SESSION_COMMAND,   /* what a client that is logged in may say */
    SESSION_ANSWER,    /* that the answer is taken */
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
    ev_timer pace; /* until the next byte may be sent */
    const struct behaviour *behaviour;
    bool readable; /* the poll said so, and nothing was read since */
    struct frame_reader response;
    uint8_t command;     /* the first byte of what a client says */
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

/* What to do in each state but SESSION_DONE: until it waits, or state
 * changes. */
extern enum step (*const session_steps[])(struct session *);

/* The only writer of s->state. */
enum step session_enter(struct session *s, enum session_state next);

/* It is over: only the freeing is left. */
enum step session_end(struct session *s, enum ending ending);

/* Begin with the challenge, now that all is known that the two messages depend
 * on; last_message may be absent. */
enum step session_greet(struct session *s, struct slice last_message);

#endif
