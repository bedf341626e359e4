/*
 * test_deeds.c - hostile deeds, as OpenSSL's client meets them
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#include "proxy/deeds.h"

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

#include "base/net.h"
#include "certs/factory.h"
#include "proxy/policy.h"

enum { HANDSHAKE_FAILURE = 40 };

static struct cert_set *certs;
static SSL_CTX *client_context;

static int
setup(void **state)
{
    static const char *const hostnames[] = {"localhost"};

    (void)state;
    certs = cert_set_new(hostnames, 1);
    client_context = SSL_CTX_new(TLS_client_method());
    return certs != NULL && client_context != NULL && tlsbio_setup() == 0 ? 0
                                                                          : -1;
}

static int
teardown(void **state)
{
    (void)state;
    SSL_CTX_free(client_context);
    cert_set_free(certs);
    return 0;
}

/* A port's end and an OpenSSL client. */
struct pair {
    struct pool pool;
    struct event event;
    SSL_CTX *context;
    struct endpoint end;
    SSL *client;
    int client_fd;
};

/* Shake hands as far as it goes; returns what the port's end makes of it. */
static enum io
connect_pair(struct pair *pair, const char *port)
{
    const struct policy_material material = {.certs = certs};
    int fds[2];
    enum io result = IO_AGAIN;

    memset(pair, 0, sizeof *pair);
    pair->event.alert_received = pair->event.alert_sent = EVENT_NO_ALERT;
    pair->context = policy_context(port_find(port), &material);
    assert_non_null(pair->context);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds),
                     0);
    endpoint_init(&pair->end, fds[0], &pair->pool, &pair->event);
    assert_int_equal(endpoint_start_tls(&pair->end, pair->context), 0);
    pair->client_fd = fds[1];
    pair->client = SSL_new(client_context);
    assert_non_null(pair->client);
    assert_int_equal(SSL_set_fd(pair->client, fds[1]), 1);
    SSL_set_connect_state(pair->client);
    for (int i = 0; i < 10 && result == IO_AGAIN; i++) {
        (void)SSL_do_handshake(pair->client);
        ERR_clear_error();
        endpoint_wake(&pair->end, WAIT_READ | WAIT_WRITE);
        result = endpoint_handshake(&pair->end);
    }
    endpoint_wake(&pair->end, WAIT_READ | WAIT_WRITE);
    return result;
}

static void
close_pair(struct pair *pair)
{
    SSL_free(pair->client);
    close(pair->client_fd);
    endpoint_close(&pair->end);
    event_clear(&pair->event);
    SSL_CTX_free(pair->context);
    pool_clear(&pair->pool);
}

/* Would catch a handshake that goes on, an alert where there must be none, and
 * an event without a reason. */
static void
greetings(void **state)
{
    static const struct {
        const char *port, *answer;
        size_t length;
        int alert;
    } rows[] = {
        {"hangup", "", 0, EVENT_NO_ALERT},
        {"garbage", "HTTP/1.1 400 Bad Request\r\n", 26, EVENT_NO_ALERT},
        {"alert", "\x15\x03\x03\0\2\2\x28", 7, HANDSHAKE_FAILURE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char answer[512];
        struct pair pair;
        ssize_t n;

        assert_int_equal(connect_pair(&pair, rows[i].port), IO_BROKEN);
        assert_int_equal(pair.event.alert_sent, rows[i].alert);
        assert_int_equal(pair.event.first, FIRST_TLS);
        assert_true(strlen(pair.event.reason) > 0);
        assert_int_equal(pair.end.error, 0);
        assert_int_equal(endpoint_shut(&pair.end, false), IO_DONE);
        n = recv(pair.client_fd, answer, sizeof answer, 0);
        assert_true(n >= (ssize_t)rows[i].length);
        assert_memory_equal(answer, rows[i].answer, rows[i].length);
        assert_int_equal(recv(pair.client_fd, answer, 1, 0), 0);
        close_pair(&pair);
    }
}

/* Say text to the client, as the relay does. */
static void
say(struct pair *pair, const char *text)
{
    uint8_t storage[64];
    struct buf buf;

    buf_init(&buf, storage, sizeof storage);
    assert_true(buf_append(&buf, text, strlen(text)));
    assert_int_equal(endpoint_write(&pair->end, &buf, false), IO_DONE);
    assert_int_equal(buf.length, 0);
}

static void
expect(struct pair *pair, const char *text, size_t length)
{
    char heard[64];

    assert_int_equal(SSL_read(pair->client, heard, sizeof heard), length);
    assert_memory_equal(heard, text, length);
}

/* Would catch a close_notify, or bytes that are lost with it. */
static void
truncates(void **state)
{
    char byte;
    struct pair pair;

    (void)state;
    assert_int_equal(connect_pair(&pair, "truncate"), IO_DONE);
    assert_int_equal(deed_begin(DEED_TRUNCATE, &pair.end), DEED_NONE);
    say(&pair, "last");
    assert_int_equal(endpoint_shut(&pair.end, false), IO_DONE);
    expect(&pair, "last", 4);
    assert_int_equal(SSL_read(pair.client, &byte, 1), 0);
    assert_int_not_equal(SSL_get_shutdown(pair.client) & SSL_RECEIVED_SHUTDOWN,
                         SSL_RECEIVED_SHUTDOWN);
    ERR_clear_error();
    close_pair(&pair);
}

/* Would catch records of another size: a read gives one record at most. */
static void
records_are_tiny(void **state)
{
    struct pair pair;

    (void)state;
    assert_int_equal(connect_pair(&pair, "tiny_records"), IO_DONE);
    say(&pair, "ab");
    expect(&pair, "ab", 2); /* before the deed */
    assert_int_equal(deed_begin(DEED_TINY, &pair.end), DEED_NONE);
    say(&pair, "abc");
    expect(&pair, "a", 1);
    expect(&pair, "b", 1);
    expect(&pair, "c", 1);
    close_pair(&pair);
}

static void
count_updates(int write, int version, int type, const void *bytes,
              size_t length, SSL *ssl, void *arg)
{
    const uint8_t *message = bytes;
    unsigned *count = arg;

    (void)version;
    (void)ssl;
    if (!write && type == SSL3_RT_HANDSHAKE && length == 5
        && message[0] == SSL3_MT_KEY_UPDATE && message[4] == 1)
        (*count)++;
}

/* Would catch new keys before the client has spoken, none, or new ones for
 * ever, and an end that does not understand its own. */
static void
keys_are_updated_once(void **state)
{
    unsigned updates = 0;
    uint8_t storage[64];
    struct buf buf;
    enum port_deed deed = DEED_KEY_UPDATE;
    struct pair pair;

    (void)state;
    assert_int_equal(connect_pair(&pair, "key_update"), IO_DONE);
    SSL_set_msg_callback(pair.client, count_updates);
    SSL_set_msg_callback_arg(pair.client, &updates);
    deed = deed_begin(deed, &pair.end);
    say(&pair, "challenge");
    expect(&pair, "challenge", 9);
    assert_int_equal(updates, 0);
    deed = deed_answer(deed, &pair.end);
    assert_int_equal(deed, DEED_NONE);
    say(&pair, "last");
    expect(&pair, "last", 4);
    assert_int_equal(updates, 1);
    assert_int_equal(SSL_write(pair.client, "bye", 3), 3);
    buf_init(&buf, storage, sizeof storage);
    endpoint_wake(&pair.end, WAIT_READ);
    assert_int_equal(endpoint_read(&pair.end, &buf), IO_DONE);
    assert_int_equal(buf.length, 3);
    assert_int_equal(endpoint_shut(&pair.end, false), IO_DONE);
    assert_int_equal(SSL_read(pair.client, storage, 1), 0);
    assert_true(SSL_get_shutdown(pair.client) & SSL_RECEIVED_SHUTDOWN);
    close_pair(&pair);
}

/* Would catch ports that do what they should not. */
static void
others_do_nothing(void **state)
{
    static const enum port_deed deeds[] = {DEED_NONE, DEED_SILENT, DEED_HANG_UP,
                                           DEED_GARBAGE, DEED_ALERT};
    struct pair pair;

    (void)state;
    assert_int_equal(connect_pair(&pair, "server1"), IO_DONE);
    for (size_t i = 0; i < sizeof deeds / sizeof deeds[0]; i++) {
        assert_int_equal(deed_begin(deeds[i], &pair.end), DEED_NONE);
        assert_int_equal(deed_answer(deeds[i], &pair.end), DEED_NONE);
    }
    say(&pair, "abc");
    expect(&pair, "abc", 3);
    assert_int_equal(endpoint_shut(&pair.end, false), IO_DONE);
    assert_int_equal(SSL_read(pair.client, &pair.event, 1), 0);
    assert_true(SSL_get_shutdown(pair.client) & SSL_RECEIVED_SHUTDOWN);
    close_pair(&pair);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(greetings),
        cmocka_unit_test(truncates),
        cmocka_unit_test(records_are_tiny),
        cmocka_unit_test(keys_are_updated_once),
        cmocka_unit_test(others_do_nothing),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
