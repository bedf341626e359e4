/*
 * One connection through the relay for every place where something can go
 * wrong: each must end, cleanly or with an error, with its event sent, and
 * leave no descriptor and no connection behind.  (Memory is LeakSanitizer's to
 * check.)
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "certs/factory.h"
#include "faults.h"
#include "proxy/channel.h"
#include "proxy/conn.h"
#include "proxy/endpoint.h"
#include "proxy/listener.h"
#include "proxy/policy.h"
#include "proxy/tlsbio.h"

#define PAYLOAD 50000

/* Longer than any recovery, accept's rest included: a hang, not a wait. */
#define HANG_SECONDS 20.0

static struct {
    struct conn_owner owner; /* first: found by the callback */
    struct listeners listeners;
    struct listener list[1];
    struct service service;
    struct backend backend;
    struct policy_material material;
    struct settings settings;
    struct board *board;
    struct cert_set *certs;
    struct net_address address; /* the relay's */
    int events[2];
    int backend_fd;
    SSL_CTX *client_context;
    ev_async done;
    ev_timer hang;
    bool client_done;
} t;

/* --- the other two parties, in threads of their own --- */

static void *
echo(void *arg)
{
    int fd = *(int *)arg;
    char bytes[4096];
    ssize_t n;

    free(arg);
    while ((n = read(fd, bytes, sizeof bytes)) > 0)
        if (send(fd, bytes, (size_t)n, MSG_NOSIGNAL) != n)
            break;
    close(fd);
    return NULL;
}

static void *
backend_loop(void *unused)
{
    (void)unused;
    while (true) {
        int *fd = malloc(sizeof *fd);
        pthread_t thread;

        *fd = accept(t.backend_fd, NULL, NULL);
        if (*fd == -1) {
            free(fd);
            return NULL;
        }
        pthread_create(&thread, NULL, echo, fd);
        pthread_detach(thread);
    }
}

/* True if the whole payload came back. */
static bool
exchange(SSL *ssl)
{
    static char sent[PAYLOAD];
    static char received[PAYLOAD];
    int got = 0;

    memset(sent, 'x', sizeof sent);
    if (SSL_connect(ssl) != 1 || SSL_write(ssl, sent, PAYLOAD) != PAYLOAD)
        return false;
    while (got < PAYLOAD) {
        int n = SSL_read(ssl, received + got, PAYLOAD - got);

        if (n <= 0)
            return false;
        got += n;
    }
    SSL_shutdown(ssl);
    return memcmp(sent, received, PAYLOAD) == 0;
}

static void *
client(void *arg)
{
    bool *good = arg;
    SSL *ssl = SSL_new(t.client_context);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (connect(fd, &t.address.sa.any, t.address.length) == 0) {
        SSL_set_fd(ssl, fd);
        *good = exchange(ssl);
    }
    SSL_free(ssl);
    close(fd);
    ev_async_send(t.owner.loop, &t.done);
    return NULL;
}

/* --- the relay, in the main thread --- */

static void
stop_if_over(void)
{
    if (t.client_done && t.owner.open == 0)
        ev_break(t.owner.loop, EVBREAK_ALL);
}

static void
on_shaken(struct conn_owner *owner)
{
    (void)owner;
}

static void
on_closed(struct conn_owner *owner)
{
    (void)owner;
    listeners_closed_one(&t.listeners);
    stop_if_over();
}

static void
on_done(struct ev_loop *loop, ev_async *async, int ready)
{
    (void)loop;
    (void)async;
    (void)ready;
    t.client_done = true;
    stop_if_over();
}

static void
on_hang(struct ev_loop *loop, ev_timer *timer, int ready)
{
    (void)timer;
    (void)ready;
    faults_disarm();
    conn_cut_all(&t.owner);
    ev_break(loop, EVBREAK_ALL);
}

static size_t
open_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    size_t n = 0;

    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n;
}

/* The echo threads close theirs a moment after the relay has. */
static void
expect_descriptors(size_t want)
{
    for (int i = 0; i < 1000 && open_descriptors() != want; i++)
        usleep(1000);
    assert_int_equal(open_descriptors(), want);
}

static size_t
count_events(void)
{
    static uint8_t message[OUTBOX_MESSAGE_MAX];
    const uint8_t *at = message;
    struct event event;
    size_t length;
    ssize_t received;
    unsigned n = 0;

    count(&t.owner.gate.slot->lost_events, outbox_send(&t.owner.outbox));
    while ((received = recv(t.events[1], message, sizeof message, MSG_DONTWAIT))
           > 0) {
        at = message;
        length = (size_t)received;
        while (length > 0 && outbox_take(&at, &length, &event))
            n++;
    }
    return n;
}

/* One connection under a fault.  Returns whether it was met. */
static bool
one_connection(enum fault fault, unsigned nth, int error, bool *good)
{
    uint64_t before = counted(&t.owner.gate.slot->ports[0].accepted);
    uint64_t lost = counted(&t.owner.gate.slot->lost_events);
    pthread_t thread;
    bool met;

    *good = false;
    t.client_done = false;
    pthread_create(&thread, NULL, client, good);
    ev_timer_set(&t.hang, HANG_SECONDS, 0);
    ev_timer_start(t.owner.loop, &t.hang);
    faults_arm(fault, nth, error);
    ev_run(t.owner.loop, 0);
    met = faults_disarm();
    if (!ev_is_active(&t.hang))
        fail_msg("fault %d, call %u: the connection hangs", fault, nth);
    ev_timer_stop(t.owner.loop, &t.hang);
    pthread_join(thread, NULL);
    ERR_clear_error();

    assert_int_equal(t.owner.open, 0);
    assert_int_equal(t.owner.gate.slot->ports[0].active, 0);
    assert_int_equal(count_events() + counted(&t.owner.gate.slot->lost_events)
                         - lost,
                     counted(&t.owner.gate.slot->ports[0].accepted) - before);
    return met;
}

/* The nth call fails, for every n there is. */
static void
every_call(enum fault fault, int error)
{
    size_t descriptors;
    unsigned n = 1;
    bool good;

    one_connection(FAULT_NONE, 0, 0, &good);
    assert_true(good);
    usleep(20000);
    descriptors = open_descriptors();
    /* Without spare blocks the relay has to ask for one each time. */
    for (; n < 5000; n++) {
        pool_clear(&t.owner.pool);
        if (!one_connection(fault, n, error, &good))
            break;
    }
    print_message("%u calls, each failed once\n", n - 1);
    /* The last one met no fault, the one before it met some. */
    assert_true(n > 1 && n < 5000);
    assert_true(good);
    expect_descriptors(descriptors);
}

static void
own_allocations(void **state)
{
    (void)state;
    every_call(FAULT_ALLOC, ENOMEM);
}

static void
tls_allocations(void **state)
{
    (void)state;
    every_call(FAULT_TLS_ALLOC, ENOMEM);
}

static void
accept_errors(void **state)
{
    static const int errors[] = {ECONNABORTED, EINTR,  EMFILE, ENFILE,
                                 ENOBUFS,      ENOMEM, EPERM,  EPROTO};
    bool good;

    (void)state;
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        assert_true(one_connection(FAULT_ACCEPT, 1, errors[i], &good));
        assert_true(good); /* it waited, and was served */
    }
}

static void
backend_errors(void **state)
{
    bool good;

    (void)state;
    every_call(FAULT_SOCKET, EMFILE);
    every_call(FAULT_CONNECT, ECONNREFUSED);
    assert_true(one_connection(FAULT_CONNECT, 1, ENETUNREACH, &good));
    assert_false(good);
}

static void
socket_errors(void **state)
{
    (void)state;
    every_call(FAULT_RECV, ECONNRESET);
    every_call(FAULT_RECV, ETIMEDOUT);
    every_call(FAULT_SEND, EPIPE);
    every_call(FAULT_SEND, ECONNRESET);
}

/* What is no error must cost nothing but time. */
static void
slow_sockets(void **state)
{
    static const enum fault faults[] = {FAULT_SHORT, FAULT_EINTR, FAULT_EAGAIN};
    bool good;

    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        assert_true(one_connection(faults[i], 0, 0, &good));
        assert_true(good);
    }
}

static int
listen_backend(void)
{
    pthread_t thread;

    net_numeric("127.0.0.1", 0, &t.backend.addresses[0]);
    t.backend_fd = net_listen(&t.backend.addresses[0], false);
    if (t.backend_fd == -1)
        return -1;
    if (fcntl(t.backend_fd, F_SETFL, 0) == -1) /* its thread waits */
        return -1;
    t.backend.count = 1;
    pthread_create(&thread, NULL, backend_loop, NULL);
    pthread_detach(thread);
    return 0;
}

static int
setup(void **state)
{
    static const char *const hostnames[] = {"localhost"};
    int fd;

    (void)state;
    signal(SIGPIPE, SIG_IGN);
    log_setup("test", LOG_TEXT, LOG_ERROR);
    t.certs = cert_set_new(hostnames, 1);
    t.material = (struct policy_material){
        .certs = t.certs, .hostnames = hostnames, .hostname_count = 1};
    t.board = board_new();
    t.settings.timers = (struct timers){.handshake = 5,
                                        .connect = 5,
                                        .first_byte = 5,
                                        .stall = 5,
                                        .half_closed = 0.3,
                                        .linger = 1};
    t.service = (struct service){
        .policy = port_find("forward"),
        .port = {.name = "forward", .limits = &t.settings.limits},
        .timers = &t.settings.timers,
        .backend = &t.backend,
    };
    t.service.context = policy_context(t.service.policy, &t.material);
    t.client_context = SSL_CTX_new(TLS_client_method());
    if (t.certs == NULL || t.board == NULL || t.service.context == NULL
        || tlsbio_setup() == -1 || channel_pair(t.events) == -1
        || listen_backend() == -1)
        return -1;
    t.owner = (struct conn_owner){
        .loop = ev_default_loop(0),
        .gate = {.board = t.board,
                 .slot = board_take(t.board, PROCESS_WORKER, CREW_TEST, 0),
                 .all = &t.settings.limits},
        .outbox = {.channel = t.events[0]},
        .shaken = on_shaken,
        .closed = on_closed,
    };
    net_numeric("127.0.0.1", 0, &t.address);
    fd = net_listen(&t.address, false);
    t.listeners.list = t.list;
    listeners_add(&t.listeners, fd, &t.service);
    listeners_start(&t.listeners, &t.owner);
    ev_async_init(&t.done, on_done);
    ev_async_start(t.owner.loop, &t.done);
    ev_timer_init(&t.hang, on_hang, 0, 0);
    return fd == -1 ? -1 : 0;
}

static int
teardown(void **state)
{
    (void)state;
    listeners_stop(&t.listeners);
    shutdown(t.backend_fd, SHUT_RDWR); /* wakes accept() */
    pool_clear(&t.owner.pool);
    SSL_CTX_free(t.service.context);
    SSL_CTX_free(t.client_context);
    cert_set_free(t.certs);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_allocations), cmocka_unit_test(tls_allocations),
        cmocka_unit_test(accept_errors),   cmocka_unit_test(backend_errors),
        cmocka_unit_test(socket_errors),   cmocka_unit_test(slow_sockets),
    };

    if (!faults_setup())
        return EXIT_FAILURE;
    return cmocka_run_group_tests(tests, setup, teardown);
}
