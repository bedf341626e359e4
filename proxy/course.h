/*
 * course.h - which way a client went, as far as a verdict needs it
 *
 * Pure.  What a client went on to do outweighs how it ended: who has sent its
 * response has not refused, whatever alert comes after it.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_COURSE_H
#define PROXY_COURSE_H

#include <stddef.h>

#include "proxy/event.h"
#include "proxy/outcome.h"

enum course {
    COURSE_PROBE,        /* came and went */
    COURSE_NO_TLS,       /* something else, on a TLS port */
    COURSE_TLS_ON_PLAIN, /* TLS, on a plain port */
    COURSE_COMPLETE,     /* all of the MAPI exchange */
    COURSE_RESPONSE,     /* its response, but not to the end */
    COURSE_DATA,         /* other bytes under TLS */
    COURSE_CLIENT_ALERT,
    COURSE_SERVER_ALERT,
    COURSE_OURS,    /* the end was not the client's doing */
    COURSE_POLICY,  /* closed by a rule of the port, without an alert */
    COURSE_TIMEOUT, /* neither on nor away until our timer ended it */
    COURSE_HANGUP,  /* away in the handshake */
    COURSE_SILENT,  /* away after it, without an alert or a byte */
    COURSE_LEFT,    /* away from a plain port before its response */
    COURSE_COUNT,
};

enum course course_of(const struct event *event, const struct outcome *outcome);

/* "the client refused with alert 45 (expired-certificate)": the beginning of a
 * sentence, with nothing of a peer's in it.  Returns out. */
char *course_words(enum course course, const struct event *event, char *out,
                   size_t room);

#endif
