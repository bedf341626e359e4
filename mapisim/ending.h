/*
 * ending.h - why a session is over: the list, its words, its log line
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef MAPISIM_ENDING_H
#define MAPISIM_ENDING_H

#include <stddef.h>
#include <stdint.h>

#include "base/net.h"

enum ending {
    ENDING_SERVED,        /* the last message was sent */
    ENDING_LEFT,          /* the client left between messages */
    ENDING_BAD_PROXY,     /* its PROXY header is invalid */
    ENDING_CUT_PROXY,     /* it left inside the PROXY header */
    ENDING_NO_PROXY,      /* no PROXY header in time */
    ENDING_BAD_BLOCK,     /* a block longer than MAPI allows */
    ENDING_TOO_LONG,      /* a response longer than the simulator accepts */
    ENDING_CUT,           /* it left inside its response */
    ENDING_LOGIN_TIMEOUT, /* no complete response in time */
    ENDING_IDLE,          /* logged in, and nothing more came in time */
    ENDING_WRITE_TIMEOUT, /* it does not read what it is sent */
    ENDING_STOPPED,       /* the simulator stops */
    ENDING_FAILED,        /* the simulator's own fault: no memory, ... */
    ENDINGS
};

/* One ended session, for the log. */
struct ending_facts {
    enum ending ending;
    const struct net_address *peer;
    const char *port;   /* the port's name, escaped */
    const char *detail; /* what more there is to say, escaped, or "" */
    uint64_t count;     /* sessions that ended this way so far */
};

void ending_log(const struct ending_facts *facts);

/* Write "3 served, 1 cut short in its response" to out; returns out. */
char *ending_counts(const uint64_t counts[ENDINGS], char *out, size_t room);

#endif
