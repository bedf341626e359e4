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
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

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
        assert_int_equal(endpoint_write(&pair.end, &out), IO_BROKEN);
        assert_int_equal(endpoint_shut(&pair.end, false), IO_DONE);

        pool_return(&pair.pool, &in);
        pool_return(&pair.pool, &out);
        close_pair(&pair);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write_after_alert),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
