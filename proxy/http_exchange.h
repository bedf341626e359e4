/*
 * http_exchange.h - one HTTP request and its answer; a part of http.c
 *
 * These are the functions that libmicrohttpd calls for a request: when its
 * first line has come, when it is to be answered, and when that is done.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_HTTP_EXCHANGE_H
#define PROXY_HTTP_EXCHANGE_H

#include <microhttpd.h>

#include "proxy/http.h"

struct acceptor;

struct http {
    struct ev_loop *loop;
    struct MHD_Daemon *daemon;
    http_handler *handler;
    void *context;
    struct acceptor *acceptors;
    size_t count;
    unsigned most;
    struct http_counters counters;
    struct holding holding;
    double warned_at; /* loop time */
    ev_io epoll;
    ev_prepare prepare;
    ev_timer timer; /* libmicrohttpd's next timeout */
    ev_timer rest;  /* after EMFILE and its like */
};

/* A connection's age, ended by a timer that the drip cannot reset. */
struct age {
    ev_timer timer;
    struct http *http;
    int fd;
};

/* Called as MHD_OPTION_URI_LOG_CALLBACK; what it returns is the state of the
 * other two. */
void *exchange_begin(void *http, const char *target,
                     struct MHD_Connection *connection);

/* An MHD_AccessHandlerCallback. */
enum MHD_Result
exchange_answer(void *http, struct MHD_Connection *connection, const char *url,
                const char *method, const char *version, const char *upload,
                size_t *upload_size, void **state);

/* An MHD_RequestCompletedCallback. */
void exchange_end(void *http, struct MHD_Connection *connection, void **state,
                  enum MHD_RequestTerminationCode code);

/* A held_over: the request's wait is over. */
void exchange_wake(void *request);

#endif
