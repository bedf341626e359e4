/*
 * layout.h - which rows of the port table are open, and under which numbers
 *
 * Pure: decides from the settings alone.  Numbers that are still 0 are found by
 * whoever binds the sockets.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_LAYOUT_H
#define PROXY_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#include "proxy/ports.h"
#include "proxy/settings.h"

/* The backends of the port table. */
enum { LAYOUT_ALL, LAYOUT_FORWARD, LAYOUT_BACKENDS };

struct port {
    const struct port_policy *policy;
    uint16_t index;   /* its own among all ports, in events and counters */
    uint16_t number;  /* 0 while any will do */
    uint16_t backend; /* position in the edition's backends */
    bool spare;       /* stays off if its number is taken, which is no more than
                       * the next one of a sequence */
};

struct layout {
    uint16_t base; /* HTTP; 0 while any will do */
    int advertise; /* what clients must add to a number to reach it */
    struct port ports[PORTS_MAX];
    size_t count;
    size_t beyond; /* spare ports for which there is no number */
};

/*
 * Lay out the ports that the settings ask for, in the order of the table.
 * Returns 0, or -1 with one sentence that names the culprit in reason.
 */
int layout_plan(struct layout *layout, const struct settings *settings,
                char *reason, size_t room);

/* The open port of that name, or NULL. */
const struct port *layout_find(const struct layout *layout, const char *name);

/* Leave out the port at that position; those behind it move up, and keep index
 * and number. */
void layout_remove(struct layout *layout, size_t position);

/* A number as clients see it (--advertise-base). */
uint16_t layout_advertised(const struct layout *layout, uint16_t number);

#endif
