/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/proxy2.h"

#define SIGNATURE    "\r\n\r\n\0\r\nQUIT\n"
#define VECTOR(text) text, sizeof text - 1

static struct proxy2
full_header(void)
{
    return (struct proxy2){
        .source = {4, {192, 0, 2, 1}, 40000},
        .destination = {4, {198, 51, 100, 7}, 443},
        .alpn = slice_text("mapi/9"),
        .authority = slice_text("db.example.org"),
        .unique_id = slice_text("0123456789abcdef"),
        .tls = true,
        .client_certificate = true,
        .verify = 0x01020304,
        .tls_version = slice_text("TLSv1.3"),
        .tls_cn = slice_text("Jos\xc3\xa9"),
        .tls_cipher = slice_text("TLS_AES_256_GCM_SHA384"),
        .port_name = slice_text("server1"),
        .last_message = slice_text("^monetdbs://h:1?certhash=sha256:0\n"),
        .behaviour = slice_text("slow"),
    };
}

static void
same_slice(struct slice a, struct slice b)
{
    assert_int_equal(a.bytes == NULL, b.bytes == NULL);
    assert_int_equal(a.length, b.length);
    if (a.length > 0)
        assert_memory_equal(a.bytes, b.bytes, a.length);
}

static void
same_address(struct proxy2_address a, struct proxy2_address b)
{
    assert_int_equal(a.length, b.length);
    assert_int_equal(a.port, b.port);
    assert_memory_equal(a.ip, b.ip, sizeof a.ip);
}

static void
same_header(const struct proxy2 *a, const struct proxy2 *b)
{
    assert_int_equal(a->local, b->local);
    same_address(a->source, b->source);
    same_address(a->destination, b->destination);
    same_slice(a->alpn, b->alpn);
    same_slice(a->authority, b->authority);
    same_slice(a->unique_id, b->unique_id);
    assert_int_equal(a->tls, b->tls);
    assert_int_equal(a->client_certificate, b->client_certificate);
    assert_int_equal(a->verify, b->verify);
    same_slice(a->tls_version, b->tls_version);
    same_slice(a->tls_cn, b->tls_cn);
    same_slice(a->tls_cipher, b->tls_cipher);
    same_slice(a->port_name, b->port_name);
    same_slice(a->last_message, b->last_message);
    same_slice(a->behaviour, b->behaviour);
}

/* Decode a copy of exactly that length, so that the sanitizer sees overruns. */
static enum proxy2_status
decode(const void *bytes, size_t length)
{
    uint8_t *copy = malloc(length > 0 ? length : 1);
    struct proxy2 header;
    const char *reason;
    size_t size;
    enum proxy2_status status;

    assert_non_null(copy);
    memcpy(copy, bytes, length);
    status = proxy2_decode(copy, length, &header, &size, &reason);
    if (status == PROXY2_OK)
        assert_true(size <= length);
    if (status == PROXY2_INVALID)
        assert_non_null(reason);
    free(copy);
    return status;
}

/* Would catch: a field that one of the two directions forgets or mixes up. */
static void
round_trip(void **state)
{
    struct proxy2 headers[] = {
        full_header(),
        full_header(),
        {.port_name = slice_text(""), .last_message = slice_text("")},
        {.behaviour = slice_text("")},
        {.tls = true, .verify = 1},
        {.local = true},
    };

    (void)state;
    headers[1].source =
        (struct proxy2_address){16, {0x20, 1, 0x0d, 0xb8, [15] = 1}, 65535};
    headers[1].destination = (struct proxy2_address){16, {[15] = 1}, 0};
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        uint8_t bytes[PROXY2_MAX];
        struct proxy2 got;
        const char *reason;
        size_t size;
        size_t length = proxy2_encode(&headers[i], bytes, sizeof bytes - 1);

        assert_true(length >= 16);
        bytes[length] = 'x'; /* the client's first byte stays behind it */
        assert_int_equal(proxy2_decode(bytes, length + 1, &got, &size, &reason),
                         PROXY2_OK);
        assert_int_equal(size, length);
        same_header(&headers[i], &got);
        for (size_t room = 0; room < length; room++)
            assert_int_equal(proxy2_encode(&headers[i], bytes, room), 0);
    }
}

/* Would catch: a header without a client certificate that claims (by 0) that
 * one was verified. */
static void
no_certificate_is_not_verified(void **state)
{
    struct proxy2 header = {.tls = true};
    uint8_t bytes[PROXY2_MAX];
    const char *reason;
    size_t size = proxy2_encode(&header, bytes, sizeof bytes);

    (void)state;
    assert_int_equal(proxy2_decode(bytes, size, &header, &size, &reason),
                     PROXY2_OK);
    assert_int_not_equal(header.verify, 0);
}

/* Would catch: values too long for their field, written with a wrong length. */
static void
values_too_long(void **state)
{
    static uint8_t big[70000];
    static uint8_t out[300000];
    struct proxy2 header = {.unique_id = {big, 128}};

    (void)state;
    assert_int_not_equal(proxy2_encode(&header, out, sizeof out), 0);
    header.unique_id.length = 129;
    assert_int_equal(proxy2_encode(&header, out, sizeof out), 0);
    header = (struct proxy2){.authority = {big, 65536}};
    assert_int_equal(proxy2_encode(&header, out, sizeof out), 0);
    header = (struct proxy2){.authority = {big, 65000}, .alpn = {big, 600}};
    assert_int_equal(proxy2_encode(&header, out, sizeof out), 0);
}

/* Would catch: a header in two segments that is refused, or read too early. */
static void
truncation_is_more(void **state)
{
    struct proxy2 header = full_header();
    uint8_t bytes[PROXY2_MAX];
    size_t length = proxy2_encode(&header, bytes, sizeof bytes);

    (void)state;
    for (size_t i = 0; i < length; i++)
        assert_int_equal(decode(bytes, i), PROXY2_MORE);
    assert_int_equal(decode(bytes, length), PROXY2_OK);
}

/* Would catch: overruns on corrupt input; a wrong signature found only after
 * waiting for bytes that a client of another protocol will never send. */
static void
corruption(void **state)
{
    struct proxy2 header = full_header();
    uint8_t bytes[PROXY2_MAX];
    size_t length = proxy2_encode(&header, bytes, sizeof bytes);

    (void)state;
    for (size_t i = 0; i < length; i++) {
        uint8_t good = bytes[i];

        for (int flip = 1; flip < 256; flip++) {
            bytes[i] = (uint8_t)(good ^ flip);
            decode(bytes, length);
            if (i >= 12)
                continue;
            for (size_t n = i + 1; n <= 16; n++)
                assert_int_equal(decode(bytes, n), PROXY2_INVALID);
        }
        bytes[i] = good;
    }
}

/*
 * Headers written by hand after the specification.  Would catch: an encoder
 * and a decoder that share a mistake.
 */
static void
vectors(void **state)
{
    static const struct {
        const char *what;
        const char *bytes;
        size_t length;
        enum proxy2_status status;
    } rows[] = {
        {"HAProxy's health check", VECTOR(SIGNATURE "\x20\0\0\0"), PROXY2_OK},
        {"LOCAL with a block that means nothing",
         VECTOR(SIGNATURE "\x20\xff\0\3zzz"), PROXY2_OK},
        {"AF_UNSPEC", VECTOR(SIGNATURE "\x21\0\0\0"), PROXY2_OK},
        {"AF_UNSPEC with a TLV", VECTOR(SIGNATURE "\x21\0\0\4\xe0\0\1x"),
         PROXY2_OK},
        {"TCP over IPv4",
         VECTOR(SIGNATURE "\x21\x11\0\x0c\1\2\3\4\5\6\7\x08\0\1\0\2"),
         PROXY2_OK},
        {"UDP over IPv4",
         VECTOR(SIGNATURE "\x21\x12\0\x0c\1\2\3\4\5\6\7\x08\0\1\0\2"),
         PROXY2_OK},
        {"NOOP and an unknown TLV",
         VECTOR(SIGNATURE "\x21\0\0\x0b\4\0\2\0\0\xee\0\3abc"), PROXY2_OK},
        {"a good CRC32C", VECTOR(SIGNATURE "\x21\0\0\7\3\0\4\x3e\xc9\x89\x4e"),
         PROXY2_OK},
        {"a wrong CRC32C", VECTOR(SIGNATURE "\x21\0\0\7\3\0\4\0\0\0\0"),
         PROXY2_INVALID},
        {"a short CRC32C", VECTOR(SIGNATURE "\x21\0\0\6\3\0\3\0\0\0"),
         PROXY2_INVALID},
        {"version 1", VECTOR(SIGNATURE "\x11"), PROXY2_INVALID},
        {"command 2", VECTOR(SIGNATURE "\x22"), PROXY2_INVALID},
        {"family 4", VECTOR(SIGNATURE "\x21\x41"), PROXY2_INVALID},
        {"transport 3", VECTOR(SIGNATURE "\x21\x13"), PROXY2_INVALID},
        {"4097 bytes", VECTOR(SIGNATURE "\x21\x11\x0f\xf1"), PROXY2_INVALID},
        {"4096 bytes", VECTOR(SIGNATURE "\x21\x11\x0f\xf0"), PROXY2_MORE},
        {"half an address",
         VECTOR(SIGNATURE "\x21\x11\0\x0b\1\2\3\4\5\6\7\x08\0\1\0"),
         PROXY2_INVALID},
        {"IPv6 with too few bytes",
         VECTOR(SIGNATURE "\x21\x21\0\x0c\1\2\3\4\5\6\7\x08\0\1\0\2"),
         PROXY2_INVALID},
        {"half a TLV header", VECTOR(SIGNATURE "\x21\0\0\2\xe0\0"),
         PROXY2_INVALID},
        {"a TLV over the end", VECTOR(SIGNATURE "\x21\0\0\4\xe0\0\2x"),
         PROXY2_INVALID},
        {"a short SSL TLV", VECTOR(SIGNATURE "\x21\0\0\7\x20\0\4\1\0\0\0"),
         PROXY2_INVALID},
        {"a sub-TLV over the end",
         VECTOR(SIGNATURE "\x21\0\0\x0c\x20\0\x09\1\0\0\0\0\x21\0\2x"),
         PROXY2_INVALID},
        {"nothing", VECTOR(""), PROXY2_MORE},
        {"a plain client", VECTOR("\0\0\0\0\0\0\0\0"), PROXY2_INVALID},
        {"a TLS client", VECTOR("\x16\3\1"), PROXY2_INVALID},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (decode(rows[i].bytes, rows[i].length) != rows[i].status)
            fail_msg("%s", rows[i].what);
}

/* Would catch: swapped addresses or ports, and addresses that AF_UNIX has not
 * got. */
static void
addresses(void **state)
{
    static const char inet[] =
        SIGNATURE "\x21\x11\0\x0c\1\2\3\4\5\6\7\x08\x1f\x90\x01\xbb";
    uint8_t paths[16 + 216 + 4] = SIGNATURE "\x21\x31\0\xdc";
    struct proxy2 header;
    const char *reason;
    size_t size;

    (void)state;
    assert_int_equal(proxy2_decode((const uint8_t *)inet, sizeof inet - 1,
                                   &header, &size, &reason),
                     PROXY2_OK);
    same_address(header.source, (struct proxy2_address){4, {1, 2, 3, 4}, 8080});
    same_address(header.destination,
                 (struct proxy2_address){4, {5, 6, 7, 8}, 443});

    memcpy(paths + 16 + 216, "\xe0\0\1x", 4);
    assert_int_equal(
        proxy2_decode(paths, sizeof paths, &header, &size, &reason), PROXY2_OK);
    assert_int_equal(header.source.length, 0);
    same_slice(header.port_name, slice_text("x"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(no_certificate_is_not_verified),
        cmocka_unit_test(values_too_long),
        cmocka_unit_test(truncation_is_more),
        cmocka_unit_test(corruption),
        cmocka_unit_test(vectors),
        cmocka_unit_test(addresses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
