/*
 * sockets.h - all listening sockets of an edition, made and kept by the master
 *
 * A row for each port and address; the base port's sockets stand apart, as
 * control serves them.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_SOCKETS_H
#define PROXY_SOCKETS_H

#include <stddef.h>

#include "proxy/config.h"
#include "proxy/layout.h"
#include "proxy/listening.h"
#include "proxy/settings.h"

struct socket_row {
    size_t port; /* position in the layout */
    struct listening *listening;
};

struct sockets {
    size_t count, room;
    struct socket_row *rows;
    struct listening *base[SETTINGS_LIST_MAX]; /* HTTP: one socket each */
    size_t base_count;
};

/*
 * Bind everything that the layout of the port table lists, and fill in the
 * numbers that were 0.  Returns 0, or -1 with the culprit named in the log.
 */
int sockets_open_table(struct sockets *sockets, struct layout *layout,
                       const struct settings *settings);

/*
 * The same for the ports of a configuration, whose layout is in the same order.
 * What previous listens on already, NULL if there is none, is shared.
 */
int sockets_open_fronts(struct sockets *sockets, struct layout *layout,
                        const struct config *config, size_t workers,
                        const struct sockets *previous);

/* Listen for HTTP on an address of the configuration's.  Returns as above. */
int sockets_open_http(struct sockets *sockets, const struct config *config);

/* Let all go; whose last user this was is closed. */
void sockets_close(struct sockets *sockets);

#endif
