/* SPDX-License-Identifier: MPL-2.0 */
#include "mapisim/server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

#define PAUSE_SECONDS     0.1
#define COMPLAIN_SECONDS  10
#define DRAIN_SECONDS     5
#define KEEPALIVE_SECONDS 60

static void
listen_again(struct server *server)
{
    for (size_t i = 0; i < server->count; i++)
        ev_io_start(server->loop, &server->listeners[i]);
}

static void
stop_listening(struct server *server)
{
    for (size_t i = 0; i < server->count; i++)
        ev_io_stop(server->loop, &server->listeners[i]);
}

/*
 * Without a descriptor for it the connection stays in the queue, and the
 * listener readable: to poll it again at once would only burn the CPU.
 */
static void
pause_accepting(struct server *server)
{
    ev_tstamp now = ev_now(server->loop);

    if (now - server->complained >= COMPLAIN_SECONDS) {
        server->complained = now;
        log_errno("cannot accept connections");
    }
    stop_listening(server);
    server->pause.repeat = PAUSE_SECONDS;
    ev_timer_again(server->loop, &server->pause);
}

/* What accept() reports of a connection that failed in the queue, accept(2):
 * the next one may be good. */
static bool
failed_in_queue(int error)
{
    static const int errors[] = {ECONNABORTED, EINTR,        EPROTO,
                                 ENETDOWN,     ENOPROTOOPT,  EHOSTDOWN,
                                 ENONET,       EHOSTUNREACH, ENETUNREACH};

    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
        if (errors[i] == error)
            return true;
    return false;
}

static void
accept_all(struct server *server, int listener)
{
    while (true) {
        struct net_address peer;
        int fd = net_accept(listener, &peer);

        if (fd != -1)
            session_start(&server->sessions, fd, &peer);
        else if (errno == EAGAIN)
            return;
        else if (!failed_in_queue(errno)) {
            pause_accepting(server);
            return;
        }
    }
}

static void
end_if_idle(struct server *server)
{
    if (server->stopping && server->sessions.open == 0)
        ev_break(server->loop, EVBREAK_ALL);
}

/* Accept no more, and end when the sessions have, or after DRAIN_SECONDS. */
static void
stop(struct server *server)
{
    if (server->stopping)
        return;
    server->stopping = true;
    ev_timer_stop(server->loop, &server->pause);
    stop_listening(server);
    for (size_t i = 0; i < server->count; i++)
        net_close(&server->listeners[i].fd);
    server->count = 0;
    log_debug("stopping, %zu sessions are open", server->sessions.open);
    server->drain.repeat = DRAIN_SECONDS;
    ev_timer_again(server->loop, &server->drain);
    end_if_idle(server);
}

static void
on_connection(struct ev_loop *loop, ev_io *io, int events)
{
    (void)loop, (void)events;
    accept_all(io->data, io->fd);
}

static void
on_pause_over(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)events;
    ev_timer_stop(loop, timer);
    listen_again(timer->data);
}

static void
on_session_end(struct session_pool *pool)
{
    end_if_idle(pool->data);
}

static void
on_signal(struct ev_loop *loop, ev_signal *signal, int events)
{
    (void)loop, (void)events;
    stop(signal->data);
}

static void
on_drain_over(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct server *server = timer->data;

    (void)events;
    session_pool_close(&server->sessions);
    ev_break(loop, EVBREAK_ALL);
}

/* Whatever the parent writes has no meaning; only that it is still there. */
static void
on_parent(struct ev_loop *loop, ev_io *io, int events)
{
    char ignored[256];
    ssize_t n = read(io->fd, ignored, sizeof ignored);

    (void)events;
    if (n > 0 || (n == -1 && (errno == EAGAIN || errno == EINTR)))
        return;
    ev_io_stop(loop, io);
    stop(io->data);
}

void
server_init(struct server *server, struct ev_loop *loop,
            const struct session_config *config)
{
    *server = (struct server){.loop = loop, .complained = -COMPLAIN_SECONDS};
    session_pool_init(&server->sessions, loop, config);
    server->sessions.on_end = on_session_end;
    server->sessions.data = server;
    ev_init(&server->pause, on_pause_over);
    ev_init(&server->drain, on_drain_over);
    ev_io_init(&server->parent, on_parent, -1, EV_READ);
    ev_signal_init(&server->terminate, on_signal, SIGTERM);
    ev_signal_init(&server->interrupt, on_signal, SIGINT);
    server->pause.data = server->drain.data = server->parent.data = server;
    server->terminate.data = server->interrupt.data = server;
}

static int
add_listener(struct server *server, int fd)
{
    ev_io *io = &server->listeners[server->count];

    if (server->count == SERVER_LISTENERS_MAX) {
        log_error("more than %d addresses to listen on", SERVER_LISTENERS_MAX);
        net_close(&fd);
        return -1;
    }
    ev_io_init(io, on_connection, fd, EV_READ);
    io->data = server;
    server->count++;
    return 0;
}

/* An empty host stands for all addresses of both families. */
static int
resolve(const char *text, struct net_address *addresses, int max)
{
    char host[NET_HOST_MAX];
    const char *reason;
    uint16_t port;
    int count;

    reason = net_split(text, host, &port);
    if (reason == NULL && host[0] == '\0') {
        net_numeric("0.0.0.0", port, &addresses[0]);
        net_numeric("::", port, &addresses[1]);
        return 2;
    }
    count =
        reason == NULL ? net_resolve(host, port, addresses, max, &reason) : -1;
    if (count == -1)
        log_error("cannot listen on %s: %s", text, reason);
    return count;
}

int
server_listen(struct server *server, const char *text)
{
    struct net_address addresses[16];
    int count = resolve(text, addresses, 16);
    int bound = 0;

    for (int i = 0; i < count; i++) {
        char where[NET_TEXT_MAX];
        int fd = net_listen(&addresses[i], false);
        int error = errno;

        net_text(&addresses[i], where);
        if (fd != -1) {
            (void)net_set_keepalive(fd, KEEPALIVE_SECONDS, KEEPALIVE_SECONDS);
            if (add_listener(server, fd) == -1)
                return -1;
            bound++;
            continue;
        }
        /* A name may have addresses of a family that this host lacks. */
        if (count > 1 && (error == EAFNOSUPPORT || error == EADDRNOTAVAIL)) {
            log_info("not listening on %s: %s", where, strerror(error));
            continue;
        }
        log_error("cannot listen on %s: %s", where, strerror(error));
        return -1;
    }
    if (count > 0 && bound == 0)
        log_error("cannot listen on %s: none of its addresses is ours", text);
    return bound > 0 ? 0 : -1;
}

static bool
is_listening(int fd)
{
    int on = 0;
    socklen_t size = sizeof on;
    struct net_address address = {.length = sizeof address.sa};

    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &size) == 0 && on
           && getsockname(fd, &address.sa.any, &address.length) == 0
           && (address.sa.any.sa_family == AF_INET
               || address.sa.any.sa_family == AF_INET6);
}

int
server_adopt(struct server *server, int fd)
{
    if (!is_listening(fd)) {
        log_error("--listen-fd %d: not a listening TCP socket", fd);
        return -1;
    }
    if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == -1
        || fcntl(fd, F_SETFD, FD_CLOEXEC) == -1) {
        log_errno("--listen-fd %d", fd);
        return -1;
    }
    return add_listener(server, fd);
}

int
server_follow(struct server *server, int fd)
{
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) == -1) {
        log_errno("--until-eof %d", fd);
        return -1;
    }
    /* A Ctrl-C reaches the whole process group; the parent decides. */
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    ev_io_set(&server->parent, fd, EV_READ);
    ev_io_start(server->loop, &server->parent);
    return 0;
}

void
server_follow_signals(struct server *server)
{
    ev_signal_start(server->loop, &server->terminate);
    ev_signal_start(server->loop, &server->interrupt);
}

void
server_run(struct server *server)
{
    char counts[512];

    listen_again(server);
    for (size_t i = 0; i < server->count; i++) {
        struct net_address address = {.length = sizeof address.sa};
        char where[NET_TEXT_MAX];

        if (getsockname(server->listeners[i].fd, &address.sa.any,
                        &address.length)
            == 0)
            log_info("Serving MAPI on %s", net_text(&address, where));
    }
    ev_run(server->loop, 0);
    log_info("sessions: %s",
             ending_counts(server->sessions.ends, counts, sizeof counts));
}

void
server_close(struct server *server)
{
    session_pool_close(&server->sessions);
    stop(server);
    ev_timer_stop(server->loop, &server->drain);
    ev_io_stop(server->loop, &server->parent);
    ev_signal_stop(server->loop, &server->terminate);
    ev_signal_stop(server->loop, &server->interrupt);
}
