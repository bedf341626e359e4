/*
 * test_guard.c - what a login reply becomes, however its bytes are cut
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#include "proxy/guard.h"

/* cmocka.h needs these four before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/frame.h"
#include "base/net.h"

#define CHALLENGE                                                              \
    "4jdFJSkcMU:mserver:9:RIPEMD160,SHA512,SHA384,SHA256,SHA224,SHA1:LIT:"     \
    "SHA512:sql=6:BINARY=1:OOBINTR=1:CLIENTINFO:"
#define AGAIN "^mapi:merovingian://proxy?database=demo\n"
#define REFUSED                                                                \
    "!08001!the database server redirects to where there is no TLS, which "    \
    "this port refuses\n"
#define US "front.example:4711"

enum { ROOM = 128 * 1024 };

static bool
is_backend(const void *backend, const char *host, uint16_t port)
{
    assert_string_equal(backend, "the backend");
    return (strcmp(host, "db.internal") == 0 || strcmp(host, "::1") == 0)
           && port == 50000;
}

static const struct redirect_place place = {US, "the backend", is_backend};

struct bytes {
    size_t length;
    uint8_t at[ROOM];
};

static void
add(struct bytes *to, const char *message)
{
    size_t n = frame_write(to->at + to->length, ROOM - to->length, message,
                           strlen(message));

    assert_true(n > 0);
    to->length += n;
}

/* The same in blocks of so many bytes, and an empty one before each. */
static void
add_blocks(struct bytes *to, const char *message, size_t size)
{
    size_t left = strlen(message);

    while (left > 0) {
        size_t n = left < size ? left : size;

        to->at[to->length++] = 0;
        to->at[to->length++] = 0;
        to->at[to->length++] = (uint8_t)(n << 1 | (n == left));
        to->at[to->length++] = (uint8_t)(n >> 7);
        memcpy(to->at + to->length, message, n);
        to->length += n;
        message += n;
        left -= n;
    }
}

static void
add_raw(struct bytes *to, const void *bytes, size_t length)
{
    memcpy(to->at + to->length, bytes, length);
    to->length += length;
}

/* Feed bytes in pieces: the first of so many, and then `size` at a time. */
static enum guard_status
run(const struct redirect_place *to, const struct bytes *in, size_t first,
    size_t size, struct bytes *out)
{
    static uint8_t storage[ROOM];
    struct guard *guard = guard_new(to);
    enum guard_status status = GUARD_ON;
    struct buf buf;
    size_t at = 0;

    assert_non_null(guard);
    buf_init(&buf, storage, sizeof storage);
    while (at < in->length && status == GUARD_ON) {
        size_t n = at == 0 && first > 0 ? first : size;

        if (n > in->length - at)
            n = in->length - at;
        status = guard_feed(guard, in->at + at, n, &buf);
        at += n;
    }
    if (status == GUARD_ON)
        status = guard_end(guard, &buf);
    if (status == GUARD_REFUSED)
        assert_non_null(guard_reason(guard));
    else
        assert_true(buf_append(&buf, in->at + at, in->length - at));
    guard_free(guard);
    out->length = 0;
    add_raw(out, buf_peek(&buf), buf.length);
    return status;
}

static void
expect(const struct redirect_place *to, const struct bytes *in,
       enum guard_status status, const struct bytes *want)
{
    static struct bytes out;

    for (size_t first = 0; first < in->length; first++) {
        assert_int_equal(run(to, in, first, GUARD_PIECE, &out), status);
        assert_int_equal(out.length, want->length);
        assert_memory_equal(out.at, want->at, out.length);
    }
    assert_int_equal(run(to, in, 1, 1, &out), status);
    assert_int_equal(out.length, want->length);
    assert_memory_equal(out.at, want->at, out.length);
}

static const struct {
    const char *reply;
    const char *refused;   /* what it becomes; NULL: it passes as it is */
    const char *rewritten; /* NULL: the same */
} rows[] = {
    {"", NULL, NULL},
    {"=OK\n", NULL, NULL},
    {"!28000!invalid credentials\n", NULL, NULL},
    {"#welcome\n#to the jungle\n", NULL, NULL},
    {"^monetdbs://db.internal:50000/demo\n", NULL, NULL},
    {"#^monetdb://db.internal:50000/demo\n", NULL, NULL},
    {"see ^monetdb://db.internal:50000/demo\n", NULL, NULL},
    {"^monetdb://db.internal:50000/demo\n", REFUSED,
     "^monetdbs://" US "/demo\n"},
    {"^monetdb://db.internal/demo?x=1\n", REFUSED,
     "^monetdbs://" US "/demo?x=1\n"},
    {"^monetdb://[::1]:50000/demo", REFUSED, "^monetdbs://" US "/demo"},
    {"^monetdb://[::1]/demo", REFUSED, "^monetdbs://" US "/demo"},
    {"^mapi:monetdb://db.internal:50000/demo\n", REFUSED,
     "^monetdbs://" US "/demo\n"},
    {"^mapi:monetdb://db.internal:50000/?language=sql&database=demo\n", REFUSED,
     "^monetdbs://" US "/demo\n"},
    {"^mapi:monetdb://db.internal:50000?database=demo&user=me\n", REFUSED,
     "^monetdbs://" US "/demo\n"},
    {"^mapi:monetdb://db.internal:50000/demo?lang=sql\n", REFUSED,
     "^monetdbs://" US "/demo\n"},
    {"^monetdb://db.internal:50001/demo\n", REFUSED, REFUSED},
    {"^monetdb://elsewhere:50000/demo\n", REFUSED, REFUSED},
    {"^monetdb://me@db.internal:50000/demo\n", REFUSED, REFUSED},
    {"^monetdb:///tmp/.s.monetdb.50000?database=demo\n", REFUSED, REFUSED},
    {"^monetdb://\n", REFUSED, REFUSED},
    {"^monetdb:db.internal\n", REFUSED, REFUSED},
    {"^mapi:merovingian://proxyx\n", REFUSED, REFUSED},
    {"^Monetdb://db.internal:50000/demo\n", REFUSED,
     "^monetdbs://" US "/demo\n"},
    {"^MONETDBS://db.internal:50000/demo\n", REFUSED, REFUSED},
    {"^\n", REFUSED, REFUSED},
    {" \t^monetdb://db.internal:50000/demo \n", REFUSED,
     "^monetdbs://" US "/demo\n"},
    {"#hello\r^monetdb://db.internal:50000/demo\n", REFUSED,
     "#hello\r^monetdbs://" US "/demo\n"},
    {"#a\n^monetdbs://x:1/y\n^monetdb://db.internal:50000/demo\n!b\n", REFUSED,
     "#a\n^monetdbs://x:1/y\n^monetdbs://" US "/demo\n!b\n"},
    {"^monetdb://db.internal:50000/a\n^monetdb://db.internal:50000/b\n",
     REFUSED, "^monetdbs://" US "/a\n^monetdbs://" US "/b\n"},
    {"^monetdb://db.internal:50000/a\n^monetdb://elsewhere:50000/b\n", REFUSED,
     REFUSED},
    {AGAIN "^monetdb://db.internal:50000/a\n", REFUSED, REFUSED},
};

/* A reply in one block and in many, at once and behind a proxy redirect: what
 * is refused is the end, and all else passes, with what comes after it. */
static void
replies(void **state)
{
    static struct bytes in, want;

    (void)state;
    for (size_t i = 0; i < 6 * (sizeof rows / sizeof rows[0]); i++) {
        const char *reply = rows[i / 6].reply;
        const struct redirect_place *to = i % 2 == 0 ? NULL : &place;
        const char *becomes =
            to == NULL ? rows[i / 6].refused : rows[i / 6].rewritten;
        bool refused = becomes != NULL && strcmp(becomes, REFUSED) == 0;

        in.length = 0;
        add(&in, CHALLENGE);
        if (i % 6 >= 4) {
            add(&in, "#one moment\n" AGAIN);
            add(&in, CHALLENGE);
        }
        want = in;
        if (i % 6 >= 2 && *reply != '\0')
            add_blocks(&in, reply, 5);
        else
            add(&in, reply);
        if (becomes == NULL)
            want = in;
        else
            add(&want, becomes);
        /* After the login nothing is looked at. */
        add(&in, "^monetdb://elsewhere:50000/demo\n");
        if (!refused)
            add(&want, "^monetdb://elsewhere:50000/demo\n");
        expect(to, &in, refused ? GUARD_REFUSED : GUARD_OFF, &want);
    }
}

/* First messages that are no challenge: a redirect behind them passes. */
static void
no_challenge(void **state)
{
    static const char *const firsts[] = {
        "",
        "^monetdb://elsewhere:50000/demo\n",
        "a:b:9:c:d",
        "a:b:8:c:d:e:",
        "a:b:99:c:d:e:",
        "a:b::c:d:e:",
        "a:b:x9:c:d:e:",
        "salt:mserver:90:RIPEMD160:LIT:SHA512:",
    };
    static const uint8_t illegal[] = {0xfe, 0xff, 'x'};
    static struct bytes in;

    (void)state;
    for (size_t i = 0; i < sizeof firsts / sizeof firsts[0]; i++) {
        in.length = 0;
        add(&in, firsts[i]);
        add(&in, "^monetdb://elsewhere:50000/demo\n");
        expect(NULL, &in, GUARD_OFF, &in);
    }
    in.length = 0;
    add_raw(&in, illegal, sizeof illegal);
    add(&in, "^monetdb://elsewhere:50000/demo\n");
    expect(NULL, &in, GUARD_OFF, &in);
}

/* Whatever the first message is, each of its bytes passes as it comes. */
static void
nothing_held(void **state)
{
    static uint8_t storage[ROOM];
    static struct bytes in;
    struct guard *guard = guard_new(NULL);
    struct buf out;

    (void)state;
    in.length = 0;
    add(&in, CHALLENGE);
    buf_init(&out, storage, sizeof storage);
    for (size_t i = 0; i < in.length; i++) {
        assert_int_equal(guard_feed(guard, &in.at[i], 1, &out), GUARD_ON);
        assert_int_equal(out.length, i + 1);
    }
    guard_free(guard);
}

/* A message of over 8190 bytes is no challenge. */
static void
long_first(void **state)
{
    static struct bytes in, out;
    static char text[FRAME_BLOCK_MAX + 2];

    (void)state;
    memset(text, 'x', sizeof text - 1);
    memcpy(text, "a:b:9:c:d:e:", 12);
    in.length = 0;
    add(&in, text);
    add(&in, "^monetdb://elsewhere:50000/demo\n");
    assert_int_equal(run(NULL, &in, 0, GUARD_PIECE, &out), GUARD_OFF);
    assert_int_equal(out.length, in.length);
    assert_memory_equal(out.at, in.at, in.length);

    text[FRAME_BLOCK_MAX] = '\0';
    in.length = 0;
    add(&in, text);
    add(&in, "^monetdb://elsewhere:50000/demo\n");
    assert_int_equal(run(NULL, &in, 0, GUARD_PIECE, &out), GUARD_REFUSED);
}

/* What cannot be looked at whole is refused, in any pieces. */
static void
unreadable(void **state)
{
    static const uint8_t illegal[] = {0xfe, 0xff, '^'};
    static struct bytes in, want, out;
    static char text[2 * GUARD_REPLY_MAX];

    (void)state;
    in.length = want.length = 0;
    add(&in, CHALLENGE);
    want = in;
    add(&want, REFUSED);
    add_raw(&in, illegal, sizeof illegal);
    expect(NULL, &in, GUARD_REFUSED, &want);

    memset(text, '#', sizeof text - 1);
    in.length = 0;
    add(&in, CHALLENGE);
    add(&in, text);
    for (size_t size = 1; size <= GUARD_PIECE; size *= 4) {
        assert_int_equal(run(NULL, &in, 0, size, &out), GUARD_REFUSED);
        assert_int_equal(out.length, want.length);
        assert_memory_equal(out.at, want.at, want.length);
    }
    /* The longest that passes. */
    text[GUARD_REPLY_MAX - 3 * FRAME_HEADER_SIZE] = '\0';
    in.length = 0;
    add(&in, CHALLENGE);
    add(&in, text);
    assert_int_equal(run(NULL, &in, 0, GUARD_PIECE, &out), GUARD_OFF);
    assert_int_equal(out.length, in.length);
    assert_memory_equal(out.at, in.at, in.length);
}

/* An end in the middle of a reply: what was held goes, unless it redirects; a
 * reply that would be rewritten is not made whole. */
static void
cut(void **state)
{
    static const struct {
        const char *reply;
        size_t less;
        bool refused;
    } cuts[] = {
        {"#hello\n", 1, false},
        {"^monetdbs://db.internal:50000/demo\n", 1, false},
        {"^monetdb://db.internal:50000/demo\n", 1, true},
        {"^monetdb://db.internal:50000/demo\n", 30, true},
        {AGAIN, 2, false},
    };
    static struct bytes in, want;

    (void)state;
    for (size_t i = 0; i < 2 * sizeof cuts / sizeof cuts[0]; i++) {
        in.length = 0;
        add(&in, CHALLENGE);
        want = in;
        add(&in, cuts[i / 2].reply);
        in.length -= cuts[i / 2].less;
        if (cuts[i / 2].refused)
            add(&want, REFUSED);
        else
            want = in;
        expect(i % 2 == 0 ? NULL : &place, &in,
               cuts[i / 2].refused ? GUARD_REFUSED : GUARD_OFF, &want);
    }
}

/* Rewriting that would need more room than there is: refused. */
static void
no_room(void **state)
{
    static char authority[NET_HOST_MAX];
    const struct redirect_place far = {authority, "the backend", is_backend};
    static struct bytes in, want, out;
    static char text[GUARD_REPLY_MAX];

    (void)state;
    memset(authority, 'h', sizeof authority - 1);
    while (strlen(text) < GUARD_REPLY_MAX - 100)
        strcat(text, "^monetdb://db.internal/\n");
    in.length = 0;
    add(&in, CHALLENGE);
    want = in;
    add(&in, text);
    add(&want, REFUSED);
    assert_int_equal(run(&far, &in, 0, GUARD_PIECE, &out), GUARD_REFUSED);
    assert_int_equal(out.length, want.length);
    assert_memory_equal(out.at, want.at, want.length);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies),      cmocka_unit_test(no_challenge),
        cmocka_unit_test(nothing_held), cmocka_unit_test(long_first),
        cmocka_unit_test(unreadable),   cmocka_unit_test(cut),
        cmocka_unit_test(no_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
