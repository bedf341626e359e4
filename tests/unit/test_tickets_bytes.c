/*
 * test_tickets_bytes.c - tickets that nobody issued
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#include "proxy/tickets.h"

#include "resumption.h"

#include <stdlib.h>

/* Write a DER header of tag and length, which is below 2^16, to out: in the
 * shortest form, as DER wants it. OpenSSL 3.0.19 insists on it. */
static size_t
put_header(uint8_t *out, uint8_t tag, size_t length)
{
    size_t n = 0;

    out[n++] = tag;
    if (length > 0xff)
        out[n++] = 0x82;
    else if (length > 0x7f)
        out[n++] = 0x81;
    if (length > 0xff)
        out[n++] = (uint8_t)(length >> 8);
    out[n++] = (uint8_t)length;
    return n;
}

/* The length of the DER header at `at`. */
static size_t
header_length(const uint8_t *at)
{
    return at[1] < 0x80 ? 2 : 2 + (at[1] & 0x7f);
}

/* session with other bytes for its ticket: field [10] of OpenSSL's ASN.1, in
 * an OCTET STRING. */
static SSL_SESSION *
with_ticket(SSL_SESSION *session, const uint8_t *bytes, size_t length)
{
    uint8_t *der = NULL;
    size_t size = (size_t)i2d_SSL_SESSION(session, &der);
    const unsigned char *ticket;
    size_t ticket_length;
    uint8_t body[2048], out[4096], string[4];
    const uint8_t *in = out;
    const uint8_t *first = der + header_length(der);
    const uint8_t *found, *field, *rest;
    size_t string_header, n, m;
    SSL_SESSION *changed;

    SSL_SESSION_get0_ticket(session, &ticket, &ticket_length);
    found = memmem(der, size, ticket, ticket_length);
    assert_non_null(found);
    for (field = found; *field != 0xaa; field--)
        assert_true(found - field < 8);
    rest = found + ticket_length;
    assert_true(size + length + 16 < sizeof body);

    n = (size_t)(field - first);
    memcpy(body, first, n);
    string_header = put_header(string, 0x04, length);
    n += put_header(body + n, 0xaa, string_header + length);
    n += put_header(body + n, 0x04, length);
    memcpy(body + n, bytes, length);
    n += length;
    memcpy(body + n, rest, size - (size_t)(rest - der));
    n += size - (size_t)(rest - der);
    m = put_header(out, 0x30, n);
    memcpy(out + m, body, n);
    changed = d2i_SSL_SESSION(NULL, &in, (long)(m + n));
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
