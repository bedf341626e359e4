/*
 * notify.h - what systemd is told of the service (sd_notify(3))
 *
 * The protocol is a datagram of lines to the socket that $NOTIFY_SOCKET names.
 * It is stable, and its manual recommends a few lines of one's own rather than
 * linking libsystemd.  Without that variable every call does nothing.
 *
 * For the master: by default systemd listens to the main process alone.  No
 * call blocks.  A message that cannot be sent is logged once, not each time.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_NOTIFY_H
#define PROXY_NOTIFY_H

#include <stdbool.h>

/* Longer texts of a status are cut. */
#define NOTIFY_STATUS_MAX 256

/*
 * Read $NOTIFY_SOCKET, $WATCHDOG_USEC and $WATCHDOG_PID, and remove them from
 * the environment, so that no child takes them for its own.
 */
void notify_open(void);

void notify_close(void);

/*
 * These return false if the message was not sent: systemd's queue is full, and
 * a later call may succeed.  True if it was, or if nobody wants it.
 */

/* The service serves; also ends a reload.  status is a text for a human. */
bool notify_ready(const char *status);

/* The configuration is being read again (Type=notify-reload). */
bool notify_reloading(void);

/* The service is on its way to its end. */
bool notify_stopping(void);

/* Alive: to be called at most notify_watchdog_seconds() after the last time,
 * better after half of that. */
bool notify_watchdog(void);

/* 0: nobody watches. */
double notify_watchdog_seconds(void);

#endif
