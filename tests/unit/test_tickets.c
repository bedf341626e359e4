/*
 * test_tickets.c - who resumes whose sessions, and when
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#include "proxy/tickets.h"

#include "resumption.h"

static int
reset_clock(void **state)
{
    (void)state;
    now = NOON;
    return 0;
}

/* Would catch keys that another process does not derive as well, or that
 * another secret or port has too. */
static void
secret_and_id_decide(void **state)
{
    (void)state;
    for (size_t v = 0; v < 2; v++) {
        SSL_CTX *issuer = new_server(secrets[0], ids[0]);
        SSL_SESSION *session = session_of(issuer, versions[v]);

        SSL_CTX_free(issuer);
        for (int secret = 0; secret < 2; secret++) {
            for (int id = 0; id < 2; id++) {
                SSL_CTX *server = new_server(secrets[secret], ids[id]);

                assert_int_equal(resumes(server, session, versions[v], NULL),
                                 secret == 0 && id == 0);
                SSL_CTX_free(server);
            }
        }
        SSL_SESSION_free(session);
    }
}

/* The name in front of a session's ticket says under which keys it is. */
static void
ticket_name(const SSL_SESSION *session, uint8_t name[16])
{
    const unsigned char *ticket;
    size_t length;

    SSL_SESSION_get0_ticket(session, &ticket, &length);
    assert_true(length > 16);
    memcpy(name, ticket, 16);
}

/* Would catch a version that derives other keys than the one before it, with
 * which it may share a secret: computed by other means, for epoch 1000. */
static void
derivation_stays(void **state)
{
    static const uint8_t want[16] = {0xfc, 0x77, 0x0e, 0x76, 0x02, 0x9f,
                                     0x60, 0xf3, 0xce, 0xfc, 0xd8, 0xed,
                                     0xad, 0xce, 0x0c, 0x70};
    SSL_CTX *server = new_server(secrets[0], ids[0]);
    SSL_SESSION *session = session_of(server, TLS1_3_VERSION);
    uint8_t name[16];

    (void)state;
    ticket_name(session, name);
    assert_memory_equal(name, want, sizeof want);
    SSL_SESSION_free(session);
    SSL_CTX_free(server);
}

/* Would catch that only OpenSSL's check of the session-id context keeps a
 * ticket from another port, and keys that do not follow the clock. */
static void
key_names_differ(void **state)
{
    uint8_t names[4][16];
    time_t times[] = {NOON, NOON, NOON, NOON + EPOCH};

    (void)state;
    for (int i = 0; i < 4; i++) {
        SSL_CTX *server = new_server(secrets[i == 1], ids[i == 2]);
        SSL_SESSION *session;

        now = times[i];
        session = session_of(server, TLS1_3_VERSION);
        ticket_name(session, names[i]);
        SSL_SESSION_free(session);
        SSL_CTX_free(server);
        for (int k = 0; k < i; k++)
            assert_memory_not_equal(names[i], names[k], 16);
    }
}

/* Would catch an epoch too much or too few, and a ticket that is not renewed
 * when its key is about to go.  renewed: in TLS 1.2; in 1.3 always. */
static void
epochs(void **state)
{
    static const struct row {
        const char *what;
        time_t issued, used;
        bool resumed, renewed;
    } rows[] = {
        {"same second", NOON, NOON, true, false},
        {"last second", NOON, NOON + EPOCH / 2 - 1, true, false},
        {"previous begins", NOON, NOON + EPOCH / 2, true, true},
        {"previous ends", NOON, NOON + EPOCH / 2 + EPOCH - 1, true, true},
        {"older", NOON, NOON + EPOCH / 2 + EPOCH, false, true},
        {"next begins", NOON, NOON - EPOCH / 2 - 1, true, true},
        {"next ends", NOON, NOON - EPOCH / 2 - EPOCH, true, true},
        {"after next", NOON, NOON - EPOCH / 2 - EPOCH - 1, false, true},
        {"years", NOON, NOON + 4000 * (time_t)EPOCH, false, true},
    };

    (void)state;
    for (size_t i = 0; i < 2 * sizeof rows / sizeof rows[0]; i++) {
        const struct row *row = &rows[i / 2];
        int version = versions[i % 2];
        bool always = version == TLS1_3_VERSION;
        SSL_CTX *server = new_server(secrets[0], ids[0]);
        SSL_SESSION *session;

        now = row->issued;
        session = session_of(server, version);
        now = row->used;
        if (resumes(server, session, version, NULL) != row->resumed)
            fail_msg("%s, version %x: resumed is not %d", row->what, version,
                     row->resumed);
        if (received != (always || row->renewed))
            fail_msg("%s, version %x: %u tickets", row->what, version,
                     received);
        SSL_SESSION_free(session);
        SSL_CTX_free(server);
    }
}

/* Would catch a renewed ticket that is under the old key again. */
static void
renewal_is_under_the_new_key(void **state)
{
    (void)state;
    for (size_t v = 0; v < 2; v++) {
        SSL_CTX *server = new_server(secrets[0], ids[0]);
        SSL_SESSION *session;

        now = NOON;
        session = session_of(server, versions[v]);
        for (int i = 0; i < 5; i++) {
            now += EPOCH;
            assert_true(resumes(server, session, versions[v], NULL));
            assert_int_equal(received, 1);
            SSL_SESSION_free(session);
            session = newest;
            newest = NULL;
        }
        SSL_SESSION_free(session);
        SSL_CTX_free(server);
    }
}

/* Would catch a client that is told to keep a ticket for longer than its key
 * is accepted. */
static void
lifetime(void **state)
{
    (void)state;
    for (size_t v = 0; v < 2; v++) {
        SSL_CTX *server = new_server(secrets[0], ids[0]);
        SSL_SESSION *session = session_of(server, versions[v]);

        assert_int_equal(SSL_SESSION_get_ticket_lifetime_hint(session), EPOCH);
        SSL_SESSION_free(session);
        SSL_CTX_free(server);
    }
}

/* Whereto a connection is switched that asks for the name "other". */
static SSL_CTX *other;

static int
by_server_name(SSL *ssl, int *alert, void *unused)
{
    (void)alert;
    (void)unused;
    if (SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) != NULL)
        SSL_set_SSL_CTX(ssl, other);
    return SSL_TLSEXT_ERR_OK;
}

static int
by_client_hello(SSL *ssl, int *alert, void *unused)
{
    const unsigned char *extension;
    size_t length;

    (void)alert;
    (void)unused;
    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &extension,
                                  &length))
        SSL_set_SSL_CTX(ssl, other);
    return SSL_CLIENT_HELLO_SUCCESS;
}

/* Would catch a switch of contexts that ends handshakes, or that makes a ticket
 * of one context worth something in another with an id of its own. */
static void
contexts_are_switched(void **state)
{
    static const struct row {
        const char *what;
        bool early;      /* by the client-hello callback */
        bool same_id;    /* both contexts have */
        bool tickets;    /* the other context has */
        bool resumed;    /* switched both times */
        bool unswitched; /* switched the first time only */
    } rows[] = {
        {"hello, one id", true, true, true, true, true},
        {"hello, two ids", true, false, true, true, false},
        {"name, one id", false, true, true, true, true},
        {"name, two ids", false, false, true, false, false},
        {"hello, no tickets", true, true, false, false, false},
        {"name, no tickets", false, true, false, false, false},
    };

    (void)state;
    for (size_t i = 0; i < 2 * sizeof rows / sizeof rows[0]; i++) {
        const struct row *row = &rows[i / 2];
        const uint8_t *id = ids[row->same_id ? 0 : 1];
        int version = versions[i % 2];
        SSL_CTX *first = new_server(secrets[0], ids[0]);
        SSL_SESSION *session;

        other = row->tickets ? new_server(secrets[0], id) : plain_server(id);
        if (row->early)
            SSL_CTX_set_client_hello_cb(first, by_client_hello, NULL);
        else
            SSL_CTX_set_tlsext_servername_callback(first, by_server_name);
        assert_false(resumes(first, NULL, version, "other"));
        assert_int_equal(received, 1);
        session = newest;
        newest = NULL;
        if (resumes(first, session, version, "other") != row->resumed)
            fail_msg("%s, version %x, switched", row->what, version);
        (void)SSL_SESSION_set1_hostname(session, NULL);
        if (resumes(first, session, version, NULL) != row->unswitched)
            fail_msg("%s, version %x, not switched", row->what, version);
        SSL_SESSION_free(session);
        SSL_CTX_free(first);
        SSL_CTX_free(other);
    }
}

/* Would catch a leak, or a double free, when a context is given other keys. */
static void
keys_are_replaced(void **state)
{
    SSL_CTX *server = new_server(secrets[0], ids[0]);
    SSL_SESSION *session = session_of(server, TLS1_3_VERSION);

    (void)state;
    assert_int_equal(tickets_use(server, secrets[1], ids[0], sizeof ids[0]), 0);
    assert_false(resumes(server, session, TLS1_3_VERSION, NULL));
    assert_int_equal(tickets_use(server, secrets[0], ids[0], sizeof ids[0]), 0);
    assert_true(resumes(server, session, TLS1_3_VERSION, NULL));
    assert_int_equal(
        tickets_use(server, secrets[0], secrets[0], SSL_MAX_SID_CTX_LENGTH + 1),
        -1);
    SSL_SESSION_free(session);
    SSL_CTX_free(server);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, reset_clock)
    const struct CMUnitTest tests[] = {
        TEST(secret_and_id_decide),
        TEST(derivation_stays),
        TEST(key_names_differ),
        TEST(epochs),
        TEST(renewal_is_under_the_new_key),
        TEST(lifetime),
        TEST(contexts_are_switched),
        TEST(keys_are_replaced),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
