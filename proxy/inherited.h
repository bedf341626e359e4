/*
 * inherited.h - listening sockets that systemd opened for us
 *
 * Socket activation (sd_listen_fds(3), systemd.socket(5)): descriptors from 3
 * on that listen already, so that a service needs no rights of its own for
 * ports below 1024, and no connection is refused while it restarts.
 *
 * A socket belongs to this module until it is taken.  It is one socket, also
 * for several workers: others cannot join it by SO_REUSEPORT, which the kernel
 * allows to the user that made the first one only.  So all workers accept from
 * it.  One on [::] may take IPv4 too, which is what systemd makes by default.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_INHERITED_H
#define PROXY_INHERITED_H

#include "base/net.h"

#define INHERITED_MAX 1024

/*
 * Take over what $LISTEN_PID, $LISTEN_FDS and $LISTEN_FDNAMES describe, and
 * remove them from the environment.  To be called after net_guard_standard(),
 * which leaves numbers that are in use alone, and before anything else opens a
 * descriptor.  Returns 0, also if there is nothing; or -1 if one of them is no
 * listening TCP socket, which is logged with its number and name.
 */
int inherited_open(void);

/*
 * The socket that is bound to exactly this address and number, which the caller
 * then owns; -1 if there is none, or none left.  It is as net_listen() makes
 * them: close-on-exec, non-blocking, TCP_NODELAY.
 */
int inherited_take(const struct net_address *address);

/* Log each socket that nobody has taken as a warning, and close it. */
void inherited_warn_untaken(void);

#endif
