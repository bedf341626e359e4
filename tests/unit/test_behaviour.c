/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/frame.h"
#include "base/log.h"
#include "base/proxy2.h"
#include "mapisim/behaviour.h"
#include "mapisim/session.h"

#define FIELDS ":9:RIPEMD160,SHA512,SHA384,SHA256,SHA224,SHA1:LIT:SHA512:"
#define APOLOGY                                                                \
    "!Sorry, this is not a real MonetDB instance (p): "                        \
    "Sorry, this is not a real MonetDB server"

/* A session over one end of a pair, and what its client has heard. */
struct talk {
    struct ev_loop *loop;
    struct session_pool pool;
    int client;
    uint8_t heard[3 * SESSION_REPLY_MAX];
    size_t length; /* heard so far */
    size_t at;     /* ... and understood */
    bool end;      /* no more will be heard */
};

static const struct session_config config = {true, "test", NULL, 20, 20};

/* Let the session do all it can do now, and hear it. */
static void
turn(struct talk *t, int flags)
{
    ssize_t n;

    ev_run(t->loop, flags);
    do {
        n = recv(t->client, t->heard + t->length, sizeof t->heard - t->length,
                 0);
        t->length += n > 0 ? (size_t)n : 0;
        t->end = t->end || n == 0;
    } while (n > 0);
}

static void
say(struct talk *t, const void *bytes, size_t length)
{
    assert_int_equal(send(t->client, bytes, length, MSG_NOSIGNAL), length);
    for (int i = 0; i < 20; i++)
        turn(t, EVRUN_NOWAIT);
}

static void
begin(struct talk *t, const struct session_config *with, const char *behaviour,
      const char *last_message)
{
    struct proxy2 header = {
        .port_name = slice_text("p"),
        .behaviour = slice_text(behaviour),
    };
    uint8_t bytes[PROXY2_MAX];
    struct net_address peer;
    int pair[2];

    memset(t, 0, sizeof *t);
    t->loop = ev_loop_new(EVFLAG_AUTO);
    assert_non_null(t->loop);
    session_pool_init(&t->pool, t->loop, with);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair),
                     0);
    t->client = pair[0];
    assert_true(net_numeric("192.0.2.9", 999, &peer));
    session_start(&t->pool, pair[1], &peer);
    if (last_message != NULL)
        header.last_message = slice_text(last_message);
    say(t, bytes, proxy2_encode(&header, bytes, sizeof bytes));
}

static void
finish(struct talk *t)
{
    session_pool_close(&t->pool);
    assert_int_equal(t->pool.open, 0);
    net_close(&t->client);
    ev_loop_destroy(t->loop);
}

/* Read the next message into text; no block of it is longer than most. */
static void
understand(struct talk *t, size_t most, char *text, size_t room)
{
    size_t used = 0;
    bool last = false;

    while (!last) {
        const uint8_t *block = t->heard + t->at;
        size_t length;

        assert_true(t->length - t->at >= FRAME_HEADER_SIZE);
        length = (size_t)(block[0] | block[1] << 8) >> 1;
        last = block[0] & 1;
        assert_true(length <= most && used + length < room);
        assert_true(t->length - t->at >= FRAME_HEADER_SIZE + length);
        memcpy(text + used, block + FRAME_HEADER_SIZE, length);
        used += length;
        t->at += FRAME_HEADER_SIZE + length;
    }
    text[used] = '\0';
}

static void
expect(struct talk *t, size_t most, const char *want)
{
    char text[SESSION_REPLY_MAX + 1];

    understand(t, most, text, sizeof text);
    assert_string_equal(text, want);
}

static void
expect_challenge(struct talk *t, size_t most, const char *behind)
{
    char text[512];

    understand(t, most, text, sizeof text);
    assert_true(strlen(text) > SALT_LENGTH);
    assert_string_equal(text + SALT_LENGTH, behind);
}

static void
expect_ending(struct talk *t, enum ending ending)
{
    assert_int_equal(t->pool.open, 0);
    for (int i = 0; i < ENDINGS; i++)
        assert_int_equal(t->pool.ends[i], i == (int)ending);
}

/* Would catch a last message that is whole, or of which nothing comes. */
static void
cuts_in_the_middle(void **state)
{
    uint8_t whole[256];
    size_t length = frame_write(whole, sizeof whole, APOLOGY, strlen(APOLOGY));
    struct talk t;

    (void)state;
    begin(&t, &config, "cut_message", NULL);
    expect_challenge(&t, FRAME_BLOCK_MAX, ":merovingian" FIELDS);
    assert_int_equal(t.at, t.length);
    say(&t, "\1\0", 2);
    assert_int_equal(t.length - t.at, length / 2);
    assert_memory_equal(t.heard + t.at, whole, length / 2);
    assert_true(t.end);
    finish(&t);
}

/* Would catch blocks of another size, and a message that is lost because it
 * does not fit in such small ones. */
static void
blocks_are_tiny(void **state)
{
    static char longest[2001];
    struct talk t;

    (void)state;
    begin(&t, &config, "tiny_blocks", NULL);
    expect_challenge(&t, 1, ":merovingian" FIELDS);
    say(&t, "\1\0", 2);
    expect(&t, 1, APOLOGY);
    assert_true(t.end && t.at == t.length);
    finish(&t);

    memset(longest, 'x', sizeof longest - 1);
    begin(&t, &config, "tiny_blocks", longest);
    expect_challenge(&t, 1, ":merovingian" FIELDS);
    say(&t, "\1\0", 2);
    expect(&t, FRAME_BLOCK_MAX, longest);
    finish(&t);
}

/* Wait for so many bytes more; each turn of the loop brings one at most. */
static void
wait_for(struct talk *t, size_t length)
{
    while (t->length < length) {
        size_t before = t->length;

        turn(t, EVRUN_ONCE);
        assert_true(t->length - before <= 1);
        assert_false(t->end && t->length < length);
    }
}

/* Would catch several bytes at once, and deadlines that cut a slow message:
 * each of these is shorter than what it is for. */
static void
bytes_come_slowly(void **state)
{
    struct session_config hasty = config;
    size_t length = FRAME_HEADER_SIZE + SALT_LENGTH + strlen(":merovingian")
                    + strlen(FIELDS);
    struct talk t;

    (void)state;
    hasty.login_seconds = 1;
    begin(&t, &hasty, "slow", "!no");
    assert_true(t.length < length);
    assert_int_equal(send(t.client, "\1\0", 2, 0), 2);
    wait_for(&t, length + FRAME_HEADER_SIZE + strlen("!no"));
    expect_challenge(&t, FRAME_BLOCK_MAX, ":merovingian" FIELDS);
    expect(&t, FRAME_BLOCK_MAX, "!no");
    while (!t.end)
        turn(&t, EVRUN_ONCE);
    net_close(&t.client);
    while (t.pool.open > 0)
        ev_run(t.loop, EVRUN_ONCE);
    expect_ending(&t, ENDING_SERVED);
    finish(&t);
}

/* Would catch a pymonetdb whose connect() does not return, a command that is
 * lost in a crowd, and a client that is taken for one that failed. */
static void
logs_in(void **state)
{
    struct talk t;

    (void)state;
    begin(&t, &config, "login", NULL);
    expect_challenge(&t, FRAME_BLOCK_MAX, ":mserver" FIELDS "sql=6:");
    say(&t, "\5\0hi", 4);
    expect(&t, FRAME_BLOCK_MAX, "");
    say(&t, "\x1b\0Xauto_commit1", 15);
    expect(&t, FRAME_BLOCK_MAX, "");
    say(&t, "\x0f\0sSELECT", 9);
    expect(&t, FRAME_BLOCK_MAX, APOLOGY);
    /* Two at once, the first in two blocks; and one in pieces. */
    say(&t, "\0\0\2\0X\1\0\1\0\3", 10);
    expect(&t, FRAME_BLOCK_MAX, "");
    expect(&t, FRAME_BLOCK_MAX, APOLOGY);
    assert_int_equal(t.at, t.length);
    say(&t, "\0", 1);
    say(&t, "X", 1);
    expect(&t, FRAME_BLOCK_MAX, "");
    assert_int_equal(t.at, t.length);
    shutdown(t.client, SHUT_WR);
    for (int i = 0; i < 20; i++)
        turn(&t, EVRUN_NOWAIT);
    assert_true(t.end);
    expect_ending(&t, ENDING_SERVED);
    finish(&t);
}

/* Would catch a client that is logged in and stays for ever, in silence or in
 * the middle of a command. */
static void
does_not_wait_for_ever(void **state)
{
    static const char *const rest[] = {"", "\5"};
    struct session_config hasty = config;

    (void)state;
    hasty.login_seconds = 1;
    for (size_t i = 0; i < 2; i++) {
        struct talk t;

        begin(&t, &hasty, "login", NULL);
        say(&t, "\1\0", 2);
        say(&t, rest[i], strlen(rest[i]));
        while (t.pool.open > 0)
            ev_run(t.loop, EVRUN_ONCE);
        expect_ending(&t, ENDING_IDLE);
        finish(&t);
    }
}

/* Would catch a crash, or a client that is not served at all. */
static void
unknown_ones_are_usual(void **state)
{
    static const char *const names[] = {"", "slo", "slowly", "usual\n"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct talk t;

        assert_null(behaviour_find(slice_text(names[i])));
        begin(&t, &config, names[i], NULL);
        expect_challenge(&t, FRAME_BLOCK_MAX, ":merovingian" FIELDS);
        say(&t, "\1\0", 2);
        expect(&t, FRAME_BLOCK_MAX, APOLOGY);
        assert_true(t.end && t.at == t.length);
        finish(&t);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_in_the_middle),
        cmocka_unit_test(blocks_are_tiny),
        cmocka_unit_test(bytes_come_slowly),
        cmocka_unit_test(logs_in),
        cmocka_unit_test(does_not_wait_for_ever),
        cmocka_unit_test(unknown_ones_are_usual),
    };

    log_setup("test", LOG_TEXT, LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
