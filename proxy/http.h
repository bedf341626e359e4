/*
 * http.h - the HTTP server on the base port: libmicrohttpd inside libev
 *
 * Turns requests into calls of one handler and its reply into a response.
 * Everything about the protocol is libmicrohttpd's; limits are set here:
 * connections at once, bytes of a request, seconds without a byte, the age of a
 * connection, which cuts a client that drips its request byte by byte, and the
 * bytes of large answers that nobody reads.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_HTTP_H
#define PROXY_HTTP_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/net.h"
#include "proxy/held.h"

/* Whether a request can be held until there is something to tell. */
enum http_waiting {
    HTTP_MAY_WAIT,
    HTTP_FULL,   /* too many are held already: of all, or of this client's */
    HTTP_WAITED, /* it was held, and is to be answered now */
};

struct http_request {
    const char *path;  /* decoded, begins with '/' */
    const char *query; /* what came behind the '?', not decoded */
    size_t query_length;
    const char *accept; /* the header; "": none */
    struct net_address client;
    enum http_waiting waiting;
};

/* Filled by the handler; zeros mean 404. */
struct http_reply {
    unsigned status;
    const char *type; /* Content-Type, a constant */
    char *body;       /* allocated; taken over */
    size_t length;
    /* Instead: hold the request for so many seconds, or until http_wake() has
     * what it wants, then call the handler again.  Only for HTTP_MAY_WAIT. */
    double hold;
    void *wanted; /* allocated; taken over */
};

typedef void http_handler(void *context, const struct http_request *request,
                          struct http_reply *reply);

struct http;

struct http_task {
    struct ev_loop *loop; /* outlives the server */
    const int *fds;       /* listening sockets; they stay the caller's */
    size_t fd_count;
    unsigned most; /* connections at once; of one client, three quarters */
    http_handler *handler;
    void *context;
};

/* What became of connections. */
struct http_counters {
    unsigned long open;
    unsigned long waited;  /* times that the limit was reached: new ones wait */
    unsigned long refused; /* closed, as their client had too many */
    unsigned long cut;     /* too old */
    unsigned long held;    /* requests that wait now */
    size_t unread;         /* bytes of answers that clients have yet to take */
};

/* Returns a server that the caller frees, or NULL with the reason logged. */
struct http *http_new(const struct http_task *task);

/* What was counted; stays the server's. */
const struct http_counters *http_counters(const struct http *http);

/* Answer each held request whose `wanted` wants the news. */
void http_wake(struct http *http, held_wants *wants, const void *news);

/* Answer what is held, close all connections and free the server; NULL does
 * nothing. */
void http_free(struct http *http);

#endif
