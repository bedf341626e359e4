/*
 * test_tickets_bytes.c - tickets that nobody issued
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#include "proxy/tickets.h"

#include "resumption.h"

#include <stdlib.h>

/* Write a DER header of tag and length to out. */
static size_t
put_header(uint8_t *out, uint8_t tag, size_t length)
{
    uint8_t header[4] = {tag, 0x82, (uint8_t)(length >> 8), (uint8_t)length};

    memcpy(out, header, sizeof header);
    return sizeof header;
}

/* The length of the DER header at `at`. */
static size_t
header_length(const uint8_t *at)
{
    return at[1] < 0x80 ? 2 : 2 + (at[1] & 0x7f);
}

/* session with other bytes for its ticket: field [10] of OpenSSL's ASN.1, in
 * an OCTET STRING.  All lengths are written in the long form. */
static SSL_SESSION *
with_ticket(SSL_SESSION *session, const uint8_t *bytes, size_t length)
{
    uint8_t *der = NULL;
    size_t size = (size_t)i2d_SSL_SESSION(session, &der);
    const unsigned char *ticket;
    size_t ticket_length;
    uint8_t out[4096];
    const uint8_t *in = out;
    const uint8_t *found, *field;
    size_t n = 4;
    SSL_SESSION *changed;

    SSL_SESSION_get0_ticket(session, &ticket, &ticket_length);
    found = memmem(der, size, ticket, ticket_length);
    assert_non_null(found);
    for (field = found; *field != 0xaa; field--)
        assert_true(found - field < 8);
    memcpy(out + n, der + header_length(der),
           (size_t)(field - der) - header_length(der));
    n += (size_t)(field - der) - header_length(der);
    n += put_header(out + n, 0xaa, length + 4);
    n += put_header(out + n, 0x04, length);
    memcpy(out + n, bytes, length);
    n += length;
    found += ticket_length;
    memcpy(out + n, found, size - (size_t)(found - der));
    n += size - (size_t)(found - der);
    put_header(out, 0x30, n - 4);
    changed = d2i_SSL_SESSION(NULL, &in, (long)n);
    assert_non_null(changed);
    OPENSSL_free(der);
    return changed;
}

/* A ticket of these bytes must lead to a full handshake. */
static void
assert_refused(SSL_CTX *server, SSL_SESSION *session, const uint8_t *bytes,
               size_t length, int version)
{
    SSL_SESSION *garbage = with_ticket(session, bytes, length);

    assert_false(resumes(server, garbage, version, NULL));
    assert_int_equal(received, 1);
    SSL_SESSION_free(garbage);
}

/* Would catch a ticket that ends a handshake: garbage and cut ones of every
 * length, with a key's name in front and without. */
static void
garbage_is_a_full_handshake(void **state)
{
    (void)state;
    for (size_t v = 0; v < 2; v++) {
        SSL_CTX *server = new_server(secrets[0], ids[0]);
        SSL_SESSION *session = session_of(server, versions[v]);
        SSL_SESSION *same;
        const unsigned char *ticket;
        uint8_t bytes[256];
        size_t length;

        SSL_SESSION_get0_ticket(session, &ticket, &length);
        same = with_ticket(session, ticket, length);
        assert_true(resumes(server, same, versions[v], NULL));
        SSL_SESSION_free(same);
        for (size_t n = 0; n <= sizeof bytes; n++) {
            for (size_t i = 0; i < n; i++)
                bytes[i] = (uint8_t)rand();
            assert_refused(server, session, bytes, n, versions[v]);
            if (n < length)
                assert_refused(server, session, ticket, n, versions[v]);
            if (n > 16) {
                memcpy(bytes, ticket, 16);
                assert_refused(server, session, bytes, n, versions[v]);
            }
        }
        SSL_SESSION_free(session);
        SSL_CTX_free(server);
    }
}

/* Would catch a byte of the ticket that nothing protects. */
static void
flipped_bits_are_a_full_handshake(void **state)
{
    (void)state;
    for (size_t v = 0; v < 2; v++) {
        SSL_CTX *server = new_server(secrets[0], ids[0]);
        SSL_SESSION *session = session_of(server, versions[v]);
        const unsigned char *ticket;
        uint8_t bytes[1024];
        size_t length;

        SSL_SESSION_get0_ticket(session, &ticket, &length);
        assert_true(length <= sizeof bytes);
        memcpy(bytes, ticket, length);
        for (size_t i = 0; i < length; i++) {
            bytes[i] ^= (uint8_t)(1 << i % 8);
            assert_refused(server, session, bytes, length, versions[v]);
            bytes[i] ^= (uint8_t)(1 << i % 8);
        }
        SSL_SESSION_free(session);
        SSL_CTX_free(server);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(garbage_is_a_full_handshake),
        cmocka_unit_test(flipped_bits_are_a_full_handshake),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
