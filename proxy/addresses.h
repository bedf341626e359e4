/*
 * addresses.h - what the port table listens on: names and families made numbers
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_ADDRESSES_H
#define PROXY_ADDRESSES_H

#include <stddef.h>

#include "proxy/settings.h"

struct addresses {
    struct net_address list[SETTINGS_LIST_MAX]; /* port 0 */
    size_t count;
};

/*
 * All addresses of -l that a socket can be bound to, once each; 127.0.0.1 and
 * ::1 if there is no -l.  A family that this machine lacks is left out, which
 * is logged.  Returns 0, or -1 with the culprit named in the log.
 */
int
addresses_find(struct addresses *addresses, const struct settings *settings);

#endif
