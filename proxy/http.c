/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/http.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "proxy/http_exchange.h"

#define REQUEST_MEMORY      (16 * 1024) /* request line and headers */
#define SILENCE_SECONDS     15
#define AGE_SECONDS         60
#define ACCEPT_REST_SECONDS 0.1
#define WARNING_SECONDS     10
/* What an answer that nobody reads may take of the kernel's memory, which else
 * makes room for all of it. */
#define SEND_BUFFER (64 * 1024)

struct acceptor {
    ev_io io;
    struct http *http;
};

static void
warn(struct http *http, const char *what)
{
    double now = ev_now(http->loop);

    if (http->warned_at != 0 && now - http->warned_at < WARNING_SECONDS)
        return;
    http->warned_at = now;
    log_warning("http: limit of %u connections: %s", http->most, what);
}

static void
on_old(struct ev_loop *loop, ev_timer *timer, int ready)
{
    struct age *age = timer->data;

    (void)loop;
    (void)ready;
    age->http->counters.cut++;
    /* libmicrohttpd owns the socket: it sees the end of file and closes. */
    (void)shutdown(age->fd, SHUT_RDWR);
}

static void
accepting(struct http *http, bool on)
{
    for (size_t i = 0; i < http->count; i++)
        if (on)
            ev_io_start(http->loop, &http->acceptors[i].io);
        else
            ev_io_stop(http->loop, &http->acceptors[i].io);
}

static void
on_connection(void *cls, struct MHD_Connection *connection, void **slot,
              enum MHD_ConnectionNotificationCode code)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct http *http = cls;
    struct age *age = *slot;

    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        http->counters.open++;
        age = calloc(1, sizeof *age);
        *slot = age;
        if (age == NULL)
            return; /* still bounded, by its silence alone */
        age->http = http;
        age->fd = info->connect_fd;
        ev_timer_init(&age->timer, on_old, AGE_SECONDS, 0);
        age->timer.data = age;
        ev_timer_start(http->loop, &age->timer);
        return;
    }
    http->counters.open--;
    if (age != NULL)
        ev_timer_stop(http->loop, &age->timer);
    free(age);
    if (!ev_is_active(&http->rest))
        accepting(http, true);
}

static void
on_accept(struct ev_loop *loop, ev_io *io, int ready)
{
    static const int send_buffer = SEND_BUFFER;
    struct acceptor *acceptor = io->data;
    struct http *http = acceptor->http;

    (void)ready;
    while (http->counters.open < http->most) {
        struct net_address peer;
        int fd = net_accept(io->fd, &peer);

        if (fd == -1) {
            if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
                accepting(http, false);
                ev_timer_start(loop, &http->rest);
            }
            break;
        }
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_buffer,
                         sizeof send_buffer);
        /* Closes fd if it fails. */
        if (MHD_add_connection(http->daemon, fd, &peer.sa.any, peer.length)
            == MHD_YES)
            continue;
        http->counters.refused++;
        warn(http, "one client has three quarters of them, its new ones are "
                   "closed");
    }
    if (http->counters.open >= http->most) {
        accepting(http, false); /* the surplus waits in the kernel's queue */
        http->counters.waited++;
        warn(http, "new ones wait");
    }
    MHD_run(http->daemon);
}

static void
on_rested(struct ev_loop *loop, ev_timer *timer, int ready)
{
    (void)loop;
    (void)ready;
    accepting(timer->data, true);
}

static void
on_epoll(struct ev_loop *loop, ev_io *io, int ready)
{
    struct http *http = io->data;

    (void)loop;
    (void)ready;
    MHD_run(http->daemon);
}

static void
on_timer(struct ev_loop *loop, ev_timer *timer, int ready)
{
    struct http *http = timer->data;

    (void)loop;
    (void)ready;
    MHD_run(http->daemon);
}

/* Before the loop sleeps: not longer than libmicrohttpd says. */
static void
on_prepare(struct ev_loop *loop, ev_prepare *prepare, int ready)
{
    struct http *http = prepare->data;
    MHD_UNSIGNED_LONG_LONG milliseconds;

    (void)ready;
    ev_timer_stop(loop, &http->timer);
    if (MHD_get_timeout(http->daemon, &milliseconds) != MHD_YES)
        return;
    ev_timer_set(&http->timer, (double)milliseconds / 1e3, 0);
    ev_timer_start(loop, &http->timer);
}

/* Paths are decoded once, by us, where a NUL is noticed. */
static size_t
leave_escaped(void *cls, struct MHD_Connection *connection, char *text)
{
    (void)cls;
    (void)connection;
    return strlen(text);
}

static void log_message(void *cls, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

static void
log_message(void *cls, const char *format, va_list args)
{
    char text[512];

    (void)cls;
    vsnprintf(text, sizeof text, format, args);
    text[strcspn(text, "\r\n")] = '\0';
    log_debug("http: %s", text);
}

static struct MHD_Daemon *
start_daemon(struct http *http)
{
    return MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ERROR_LOG
            | MHD_ALLOW_SUSPEND_RESUME,
        0, NULL, NULL, exchange_answer, http, MHD_OPTION_EXTERNAL_LOGGER,
        log_message, NULL, MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, NULL,
        MHD_OPTION_CONNECTION_LIMIT, http->most,
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, (http->most * 3 + 3) / 4,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)REQUEST_MEMORY,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)SILENCE_SECONDS,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, http,
        MHD_OPTION_URI_LOG_CALLBACK, exchange_begin, http,
        MHD_OPTION_NOTIFY_COMPLETED, exchange_end, NULL, MHD_OPTION_END);
}

static void
start_watchers(struct http *http)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);

    ev_io_init(&http->epoll, on_epoll, info->epoll_fd, EV_READ);
    ev_prepare_init(&http->prepare, on_prepare);
    ev_timer_init(&http->timer, on_timer, 0, 0);
    ev_timer_init(&http->rest, on_rested, ACCEPT_REST_SECONDS, 0);
    http->epoll.data = http->prepare.data = http;
    http->timer.data = http->rest.data = http;
    ev_io_start(http->loop, &http->epoll);
    ev_prepare_start(http->loop, &http->prepare);
    accepting(http, true);
}

struct http *
http_new(const struct http_task *task)
{
    struct http *http = calloc(1, sizeof *http);

    if (http == NULL)
        goto failed;
    *http = (struct http){.loop = task->loop,
                          .handler = task->handler,
                          .context = task->context,
                          .most = task->most,
                          .count = task->fd_count};
    http->acceptors = calloc(http->count + 1, sizeof *http->acceptors);
    if (http->acceptors == NULL)
        goto failed;
    for (size_t i = 0; i < http->count; i++) {
        struct acceptor *acceptor = &http->acceptors[i];

        acceptor->http = http;
        ev_io_init(&acceptor->io, on_accept, task->fds[i], EV_READ);
        acceptor->io.data = acceptor;
    }
    if (holding_open(&http->holding, http->loop, http->most / 2, exchange_wake)
        == -1)
        goto failed;
    http->daemon = start_daemon(http);
    if (http->daemon == NULL)
        goto failed;
    start_watchers(http);
    return http;

failed:
    log_error("cannot start the HTTP server on the base port");
    http_free(http);
    return NULL;
}

const struct http_counters *
http_counters(const struct http *http)
{
    return &http->counters;
}

void
http_wake(struct http *http, held_wants *wants, const void *news)
{
    holding_wake(&http->holding, wants, news);
}

void
http_free(struct http *http)
{
    if (http == NULL)
        return;
    if (http->daemon != NULL) {
        http->holding.most = 0; /* nor is any held in the last turn */
        holding_wake(&http->holding, NULL, NULL);
        MHD_run(http->daemon); /* nothing may be suspended at the stop */
        ev_io_stop(http->loop, &http->epoll);
        ev_prepare_stop(http->loop, &http->prepare);
        ev_timer_stop(http->loop, &http->timer);
        MHD_stop_daemon(http->daemon);
        ev_timer_stop(http->loop, &http->rest);
        accepting(http, false);
    }
    holding_close(&http->holding);
    free(http->acceptors);
    free(http);
}
