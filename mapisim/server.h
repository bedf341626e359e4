/*
 * server.h - the simulator's listeners, and when it stops
 *
 * One event loop: accepts connections, hands them to sessions, and at an
 * orderly stop lets the sessions finish.  Functions that return an int return
 * -1, with the reason logged, if the server cannot start.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef MAPISIM_SERVER_H
#define MAPISIM_SERVER_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>

#include "mapisim/session.h"

#define SERVER_LISTENERS_MAX 64

struct server {
    struct ev_loop *loop;
    struct session_pool sessions;
    ev_io listeners[SERVER_LISTENERS_MAX];
    size_t count;
    ev_timer pause;       /* until accept() is tried again */
    ev_tstamp complained; /* when a failing accept() was last logged */
    ev_io parent;
    ev_signal terminate;
    ev_signal interrupt;
    ev_timer drain; /* until sessions are no longer waited for */
    bool stopping;
};

void server_init(struct server *server, struct ev_loop *loop,
                 const struct session_config *config);

/* Listen on all addresses of "HOST:PORT". */
int server_listen(struct server *server, const char *text);

/* Accept from fd, a listening socket that was inherited. */
int server_adopt(struct server *server, int fd);

/* Stop when fd is at its end of file; signals no longer do. */
int server_follow(struct server *server, int fd);

/* Stop at SIGTERM and SIGINT. */
void server_follow_signals(struct server *server);

/* Accept and serve until the server is stopped; says where it listens. */
void server_run(struct server *server);

/* Close what is still open. */
void server_close(struct server *server);

#endif
