/*
 * test_endpoint.c - a TLS end: what its calls say once the peer has failed it
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#include "proxy/endpoint.h"

/* cmocka.h needs these four before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/net.h"
#include "certs/factory.h"
#include "proxy/pool.h"

enum { BAD_RECORD_MAC = 20 };

static struct cert_set *certs;
static SSL_CTX *server_context;
static SSL_CTX *client_context;

static int
setup(void **state)
{
    static const char *const hostnames[] = {"localhost"};
    const struct cert *cert;

    (void)state;
    certs = cert_set_new(hostnames, 1);
    server_context = SSL_CTX_new(TLS_server_method());
    client_context = SSL_CTX_new(TLS_client_method());
    if (certs == NULL || server_context == NULL || client_context == NULL)
        return -1;
    cert = cert_set_find(certs, "server1");
    SSL_CTX_set_info_callback(server_context, endpoint_info);
    return SSL_CTX_use_certificate(server_context, cert->x509) == 1
                   && SSL_CTX_use_PrivateKey(server_context, cert->key) == 1
                   && tlsbio_setup() == 0
               ? 0
               : -1;
}

static int
teardown(void **state)
{
    (void)state;
    SSL_CTX_free(server_context);
    SSL_CTX_free(client_context);
    cert_set_free(certs);
    return 0;
}

/* An endpoint and an OpenSSL client that have shaken hands. */
struct pair {
    struct pool pool;
    struct event event;
    struct endpoint end;
    SSL *client;
    int client_fd;
};

static void
connect_pair(struct pair *pair, int version)
{
    int fds[2];
    enum io result = IO_AGAIN;

    memset(pair, 0, sizeof *pair);
    pair->event.alert_received = pair->event.alert_sent = EVENT_NO_ALERT;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds),
                     0);
    endpoint_init(&pair->end, fds[0], &pair->pool, &pair->event);
    assert_int_equal(endpoint_start_tls(&pair->end, server_context), 0);
    pair->client_fd = fds[1];
    pair->client = SSL_new(client_context);
    assert_non_null(pair->client);
    assert_int_equal(SSL_set_max_proto_version(pair->client, version), 1);
    assert_int_equal(SSL_set_fd(pair->client, fds[1]), 1);
    SSL_set_connect_state(pair->client);
    for (int i = 0; i < 10 && result == IO_AGAIN; i++) {
        (void)SSL_do_handshake(pair->client);
        endpoint_wake(&pair->end, WAIT_READ | WAIT_WRITE);
        result = endpoint_handshake(&pair->end);
    }
    assert_int_equal(result, IO_DONE);
    assert_int_equal(SSL_do_handshake(pair->client), 1);
    endpoint_wake(&pair->end, WAIT_READ | WAIT_WRITE);
}

static void
close_pair(struct pair *pair)
{
    SSL_free(pair->client);
    close(pair->client_fd);
    endpoint_close(&pair->end);
    event_clear(&pair->event);
    pool_clear(&pair->pool);
}

/* Make the client send a fatal alert: it gets a record that is none. */
static void
provoke_alert(struct pair *pair)
{
    static const uint8_t record[5 + 40] = {23, 3, 3, 0, 40};
    uint8_t byte;

    assert_int_equal(send(pair->end.fd, record, sizeof record, 0),
                     sizeof record);
    assert_int_not_equal(SSL_read(pair->client, &byte, 1), 1);
    ERR_clear_error();
}

/*
 * A worker that spins for ever: after the client's fatal alert OpenSSL calls
 * a write that fails an orderly end, and this was told as bytes sent.
 */
static void
test_write_after_alert(void **state)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

    (void)state;
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
        struct buf in = {0}, out = {0};
        struct pair pair;

        connect_pair(&pair, versions[i]);
        assert_true(pool_lend(&pair.pool, &in, POOL_CHUNK));
        assert_true(pool_lend(&pair.pool, &out, POOL_CHUNK));
        assert_true(buf_append(&out, "challenge", 9));
        provoke_alert(&pair);

        assert_int_equal(endpoint_read(&pair.end, &in), IO_BROKEN);
        assert_int_equal(pair.event.alert_received, BAD_RECORD_MAC);
        assert_int_equal(endpoint_write(&pair.end, &out, false), IO_BROKEN);
        assert_int_equal(endpoint_shut(&pair.end, false), IO_DONE);

        pool_return(&pair.pool, &in);
        pool_return(&pair.pool, &out);
        close_pair(&pair);
    }
}

/*
 * A reset that is met by a write first, and told by the read after it as the
 * peer's orderly end.
 */
static void
test_reset_met_by_a_write(void **state)
{
    static const struct linger reset = {.l_onoff = 1, .l_linger = 0};
    struct net_address address, peer;
    struct pool pool = {0};
    struct buf in = {0}, out = {0};
    struct endpoint end;
    int listener, client;

    (void)state;
    assert_true(net_numeric("127.0.0.1", 0, &address));
    listener = net_listen(&address, false);
    assert_int_not_equal(listener, -1);
    client = net_connect(&address);
    endpoint_init(&end, net_accept(listener, &peer), &pool, NULL);
    assert_int_not_equal(end.fd, -1);
    assert_true(pool_lend(&pool, &in, POOL_CHUNK));
    assert_true(pool_lend(&pool, &out, POOL_CHUNK));
    assert_true(buf_append(&out, "query", 5));
    assert_int_equal(
        setsockopt(client, SOL_SOCKET, SO_LINGER, &reset, sizeof reset), 0);
    close(client);

    assert_int_equal(endpoint_write(&end, &out, false), IO_BROKEN);
    assert_int_equal(endpoint_read(&end, &in), IO_BROKEN);
    assert_int_equal(end.error, ECONNRESET);
    assert_false(end.bio.eof);
    pool_return(&pool, &in);
    pool_return(&pool, &out);
    endpoint_close(&end);
    pool_clear(&pool);
    close(listener);
}

/*
 * A client that says hello and is gone, taken for one that looked whether the
 * port is open: its facts were forgotten when our answer could not be sent.
 */
static void
test_facts_of_an_unanswered_hello(void **state)
{
    struct event event = {.alert_received = -1, .alert_sent = -1};
    struct pool pool = {0};
    struct endpoint end;
    SSL *client = SSL_new(client_context);
    int fds[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds),
                     0);
    endpoint_init(&end, fds[0], &pool, &event);
    assert_int_equal(endpoint_start_tls(&end, server_context), 0);
    assert_int_equal(SSL_set_fd(client, fds[1]), 1);
    assert_int_equal(SSL_set_tlsext_host_name(client, "localhost"), 1);
    assert_int_equal(SSL_connect(client), -1);
    assert_int_equal(shutdown(fds[0], SHUT_WR), 0);
    endpoint_wake(&end, WAIT_READ);
    assert_int_equal(endpoint_handshake(&end), IO_BROKEN);
    assert_int_equal(event.first, FIRST_TLS);
    assert_int_equal(event.sni.length, 9);
    event_clear(&event);
    SSL_free(client);
    close(fds[1]);
    endpoint_close(&end);
    pool_clear(&pool);
}

/* What the client writes, 200 KB at most, goes out at once. */
static void
send_written(int fd, BIO *written)
{
    char *bytes;
    long length = BIO_get_mem_data(written, &bytes);

    assert_in_range(length, 1, 200 * 1000);
    assert_int_equal(send(fd, bytes, (size_t)length, 0), length);
}

/*
 * KeyUpdates without end amid a bulk upload: others never have their turn, or
 * the data behind those that are left in the worker's block never comes, as no
 * event tells of it.
 */
static void
test_key_updates_in_a_block(void **state)
{
    enum { UPDATES = 5000 };
    BIO *written = BIO_new(BIO_s_mem());
    struct buf in = {0};
    struct pair pair;
    int turns = 0;

    (void)state;
    connect_pair(&pair, TLS1_3_VERSION);
    assert_non_null(written);
    SSL_set0_wbio(pair.client, written);
    for (int i = 0; i < UPDATES; i++) {
        assert_int_equal(
            SSL_key_update(pair.client, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
        assert_int_equal(SSL_do_handshake(pair.client), 1);
    }
    assert_int_equal(SSL_write(pair.client, "behind", 6), 6);
    send_written(pair.client_fd, written);

    assert_true(pool_lend_bulk(&pair.pool, &in, POOL_BULK));
    endpoint_wake(&pair.end, WAIT_READ);
    while (endpoint_read(&pair.end, &in) == IO_AGAIN) {
        turns++;
        assert_false(endpoint_is_dry(&pair.end));
        assert_int_equal(pair.end.waits, WAIT_READ | WAIT_WRITE);
        assert_int_equal(pair.pool.bulk_lent, 2);
        endpoint_wake(&pair.end, WAIT_WRITE);
    }
    assert_int_equal(turns, UPDATES * 27 / POOL_CHUNK);
    assert_int_equal(in.length, 6);
    assert_memory_equal(buf_peek(&in), "behind", 6);
    assert_int_equal(pair.pool.bulk_lent, 1); /* ours */
    pool_return(&pair.pool, &in);
    close_pair(&pair);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write_after_alert),
        cmocka_unit_test(test_reset_met_by_a_write),
        cmocka_unit_test(test_facts_of_an_unanswered_hello),
        cmocka_unit_test(test_key_updates_in_a_block),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
