/*
 * behaviour.h - what the simulator does to a client: the usual, or worse
 *
 * Const data: a port of the proxy's names a row, and a session follows it.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef MAPISIM_BEHAVIOUR_H
#define MAPISIM_BEHAVIOUR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/wire.h"

struct behaviour {
    const char *name;
    const char *type;    /* of server, in the challenge */
    const char *options; /* that the challenge ends with */
    size_t block;        /* payload bytes of one block, at most */
    double pace;         /* seconds from one byte to the next; 0: none */
    bool cuts;           /* the last message ends in its middle */
    bool serves;         /* logs its clients in, until they leave */
};

/* What is done unless something else is asked for. */
extern const struct behaviour behaviour_usual;

/* The behaviour of that name, or NULL. */
const struct behaviour *behaviour_find(struct slice name);

#endif
