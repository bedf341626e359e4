/*
 * resumption.h - a server with tickets and a client that comes back
 *
 * For the tests of tickets.h.  The clock is ours (the linker's --wrap=time),
 * OpenSSL's own is not: no session expires here, only the keys of its ticket.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef TESTS_RESUMPTION_H
#define TESTS_RESUMPTION_H

/* cmocka.h needs these four before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "proxy/tickets.h"
#include "wound_clock.h"

#define EPOCH TICKETS_EPOCH_SECONDS
#define NOON  (1000 * (time_t)EPOCH + EPOCH / 2) /* amid an epoch */

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

static const uint8_t secrets[2][TICKETS_SECRET_BYTES] = {"one", "two"};
static const uint8_t ids[2][SSL_MAX_SID_CTX_LENGTH] = {"port", "harbour"};

static EVP_PKEY *key;
static X509 *certificate;
static SSL_CTX *client_context;

/* The client's newest session, and how many it got in one connection. */
static SSL_SESSION *newest;
static unsigned received;

static int
on_session(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl;
    SSL_SESSION_free(newest);
    newest = session;
    received++;
    return 1;
}

static int
setup(void **state)
{
    (void)state;
    now = NOON;
    key = EVP_EC_gen("P-256");
    certificate = X509_new();
    client_context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_session_cache_mode(
        client_context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(client_context, on_session);
    X509_set_pubkey(certificate, key);
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    return X509_sign(certificate, key, EVP_sha256()) > 0 ? 0 : -1;
}

static int
teardown(void **state)
{
    (void)state;
    SSL_SESSION_free(newest);
    SSL_CTX_free(client_context);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return 0;
}

/* A server's context, without tickets of ours. */
static SSL_CTX *
plain_server(const uint8_t *id)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());

    assert_non_null(context);
    assert_int_equal(SSL_CTX_use_certificate(context, certificate), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(context, key), 1);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    assert_int_equal(SSL_CTX_set_session_id_context(context, id, sizeof ids[0]),
                     1);
    return context;
}

static SSL_CTX *
new_server(const uint8_t *secret, const uint8_t *id)
{
    SSL_CTX *context = plain_server(id);

    assert_int_equal(tickets_use(context, secret, id, sizeof ids[0]), 0);
    return context;
}

/* A renewed ticket of TLS 1.2 is not worth a callback to OpenSSL's client. */
static void
look_for_renewal(SSL *client, const SSL_SESSION *session)
{
    SSL_SESSION *after = SSL_get1_session(client);
    const unsigned char *old, *new;
    size_t old_length, new_length;

    SSL_SESSION_get0_ticket(session, &old, &old_length);
    SSL_SESSION_get0_ticket(after, &new, &new_length);
    if (new_length == old_length && memcmp(old, new, new_length) == 0)
        SSL_SESSION_free(after);
    else
        on_session(client, after);
}

/*
 * Shake hands, a byte each way after it.  Returns whether the session was
 * resumed; that something fails is an error here in any case.
 */
static bool
resumes(SSL_CTX *server_context, SSL_SESSION *session, int version,
        const char *name)
{
    SSL *server = SSL_new(server_context);
    SSL *client = SSL_new(client_context);
    BIO *ends[2];
    char byte = 'x';
    bool resumed;
    int done = 0;

    received = 0;
    assert_int_equal(BIO_new_bio_pair(&ends[0], 0, &ends[1], 0), 1);
    SSL_set_bio(server, ends[0], ends[0]);
    SSL_set_bio(client, ends[1], ends[1]);
    SSL_set_accept_state(server);
    SSL_set_connect_state(client);
    assert_int_equal(SSL_set_max_proto_version(client, version), 1);
    if (name != NULL)
        assert_int_equal(SSL_set_tlsext_host_name(client, name), 1);
    if (session != NULL) {
        /* OpenSSL's client would not use the session itself again. */
        SSL_SESSION *copy = SSL_SESSION_dup(session);

        assert_int_equal(SSL_set_session(client, copy), 1);
        SSL_SESSION_free(copy);
    }
    for (int i = 0; i < 10 && done != 2; i++)
        done =
            (SSL_do_handshake(client) == 1) + (SSL_do_handshake(server) == 1);
    if (done != 2)
        ERR_print_errors_fp(stderr);
    assert_int_equal(done, 2);
    assert_int_equal(SSL_version(client), version);
    assert_int_equal(SSL_write(server, &byte, 1), 1);
    assert_int_equal(SSL_read(client, &byte, 1), 1);
    assert_int_equal(SSL_write(client, &byte, 1), 1);
    assert_int_equal(SSL_read(server, &byte, 1), 1);
    /* A left error would make a mere "again" of the next call a failure. */
    assert_int_equal(ERR_peek_error(), 0);
    resumed = SSL_session_reused(server) == 1;
    assert_int_equal(SSL_session_reused(client), resumed);
    if (resumed && version == TLS1_2_VERSION)
        look_for_renewal(client, session);
    /* Otherwise OpenSSL spoils the client's session. */
    SSL_set_shutdown(client, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(server);
    SSL_free(client);
    return resumed;
}

/* A session with a ticket of that server, which the caller frees. */
static SSL_SESSION *
session_of(SSL_CTX *server, int version)
{
    SSL_SESSION *session;

    assert_false(resumes(server, NULL, version, NULL));
    assert_int_equal(received, 1);
    session = newest;
    newest = NULL;
    assert_true(SSL_SESSION_has_ticket(session));
    return session;
}

#endif
