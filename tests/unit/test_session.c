/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/frame.h"
#include "base/log.h"
#include "base/proxy2.h"
#include "mapisim/session.h"

#define FIELDS                                                                 \
    ":merovingian:9:RIPEMD160,SHA512,SHA384,SHA256,SHA224,SHA1:LIT:SHA512:"
#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define APOLOGY(name)                                                          \
    "!Sorry, this is not a real MonetDB instance (" name "): "                 \
    "Sorry, this is not a real MonetDB server"

/* A pool, and one client of a session in it. */
struct fixture {
    struct ev_loop *loop;
    struct session_pool pool;
    int client;
    int free_descriptor; /* the lowest when the test began */
};

static const struct session_config plain = {false, "test", NULL, 20, 20};
static const struct session_config proxied = {true, "test", NULL, 20, 20};

/* The lowest free descriptor: one that stays open moves it. */
static int
free_descriptor(void)
{
    int fd = dup(STDERR_FILENO);

    close(fd);
    return fd;
}

static void
start_on(struct fixture *f, int server)
{
    struct net_address peer;

    assert_true(net_numeric("192.0.2.9", 999, &peer));
    session_start(&f->pool, server, &peer);
}

/* Returns the server's end. */
static int
open_pair(struct fixture *f, const struct session_config *config)
{
    int pair[2];

    f->free_descriptor = free_descriptor();
    f->loop = ev_loop_new(EVFLAG_AUTO);
    assert_non_null(f->loop);
    session_pool_init(&f->pool, f->loop, config);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair),
                     0);
    f->client = pair[0];
    return pair[1];
}

static void
begin(struct fixture *f, const struct session_config *config)
{
    start_on(f, open_pair(f, config));
}

static void
finish(struct fixture *f)
{
    session_pool_close(&f->pool);
    assert_int_equal(f->pool.open, 0);
    net_close(&f->client);
    ev_loop_destroy(f->loop);
    assert_true(free_descriptor() <= f->free_descriptor);
}

/* Let the session do all it can do now. */
static void
pump(struct fixture *f)
{
    for (int i = 0; i < 50; i++)
        ev_run(f->loop, EVRUN_NOWAIT);
}

static void
say(struct fixture *f, const void *bytes, size_t length)
{
    assert_int_equal(send(f->client, bytes, length, MSG_NOSIGNAL), length);
    pump(f);
}

/* Read one message that is one block; its text goes to out. */
static void
hear(struct fixture *f, char *out, size_t room)
{
    uint8_t header[2];
    size_t value;

    assert_int_equal(recv(f->client, header, 2, 0), 2);
    value = (size_t)(header[0] | header[1] << 8);
    assert_true(value & 1);
    assert_true(value >> 1 < room);
    assert_int_equal(recv(f->client, out, value >> 1, 0), value >> 1);
    out[value >> 1] = '\0';
}

static void
hear_nothing(struct fixture *f)
{
    char byte;

    assert_int_equal(recv(f->client, &byte, 1, 0), -1);
    assert_int_equal(errno, EAGAIN);
}

static void
hear_end(struct fixture *f)
{
    char byte;

    assert_int_equal(recv(f->client, &byte, 1, 0), 0);
}

static void
hear_challenge(struct fixture *f)
{
    char text[128];

    hear(f, text, sizeof text);
    for (int i = 0; i < SALT_LENGTH; i++)
        assert_true(isalnum((unsigned char)text[i]));
    assert_string_equal(text + SALT_LENGTH, FIELDS);
}

/* The session's last words are these. */
static void
hear_last(struct fixture *f, const char *want)
{
    char text[SESSION_REPLY_MAX + 1];

    hear(f, text, sizeof text);
    assert_string_equal(text, want);
    hear_end(f);
}

static void
expect_ending(struct fixture *f, enum ending ending)
{
    assert_int_equal(f->pool.open, 0);
    for (int i = 0; i < ENDINGS; i++)
        assert_int_equal(f->pool.ends[i], i == (int)ending);
}

/* Would catch: any change of what clients look for in the two messages. */
static void
whole_session(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f, &plain);
    hear_challenge(&f); /* at once, before the client said anything */
    pump(&f);
    hear_nothing(&f);
    say(&f, "\0\0\0\0\0\0\0\0", 8);
    hear_nothing(&f);
    say(&f, "\x0a\0hello\x0b", 8); /* "hello", then "world" as the last */
    hear_nothing(&f);
    say(&f, "\0world", 6);
    hear_last(&f, APOLOGY("test"));
    say(&f, "\1\0", 2); /* as Java does */
    assert_int_equal(f.pool.open, 1);
    net_close(&f.client);
    pump(&f);
    expect_ending(&f, ENDING_SERVED);
    finish(&f);
}

/* Would catch: a proxy's health check (LOCAL) refused, a half-closed client
 * without its answer, --reply ignored, an empty response taken for none. */
static void
half_closed_client_is_answered(void **state)
{
    struct session_config config = proxied;
    struct fixture f;

    (void)state;
    config.reply = "^monetdb://elsewhere:1/x\n";
    begin(&f, &config);
    say(&f, SIGNATURE "\x20\0\0\0\1\0", 18);
    shutdown(f.client, SHUT_WR);
    pump(&f);
    hear_challenge(&f);
    hear_last(&f, config.reply);
    expect_ending(&f, ENDING_SERVED);
    finish(&f);
}

/* A client that is done, or else leaves once it sees the session's end. */
static void
hear_end_of(struct fixture *f, bool client_first)
{
    if (client_first)
        shutdown(f->client, SHUT_WR);
    pump(f);
    hear_end(f);
    net_close(&f->client);
    pump(f);
}

/* Would catch: an answer to what is no response or no PROXY header, and a
 * client that merely left being counted as an error. */
static void
no_reply_to_these(void **state)
{
    static uint8_t over[2 * 9 + 8 * 8190];
    const struct {
        const struct session_config *config;
        const void *bytes;
        size_t length;
        enum ending ending;
        bool end_of_file;
    } rows[] = {
        {&plain, "", 0, ENDING_LEFT, true},
        {&plain, "\0\0\0\0\0\0\0\0", 8, ENDING_LEFT, true},
        {&plain, "\xfe\x3f", 2, ENDING_BAD_BLOCK, false}, /* 8191, not last */
        {&plain, "\xff\xff", 2, ENDING_BAD_BLOCK, false},
        {&plain, over, sizeof over, ENDING_TOO_LONG, false},
        {&plain, "\x0b", 1, ENDING_CUT, true},
        {&plain, "\x0b\0worl", 6, ENDING_CUT, true},
        {&plain, "\x0a\0world", 7, ENDING_CUT, true},
        {&proxied, "", 0, ENDING_LEFT, true},
        {&proxied, "\r\n\r\n", 4, ENDING_CUT_PROXY, true},
        {&proxied, "\r\n\r\nX", 5, ENDING_BAD_PROXY, false},
        {&proxied, "\0", 1, ENDING_BAD_PROXY, false},
        {&proxied, SIGNATURE "\x21\x11\xff\xff", 16, ENDING_BAD_PROXY, false},
    };
    size_t at = 0;

    (void)state;
    for (int i = 0; i < 8; i++, at += 2 + 8190)
        memcpy(over + at, "\xfc\x3f", 2);
    memcpy(over + at, "\x23\0", 2); /* 17 bytes more: one over 64 KiB */
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture f;

        begin(&f, rows[i].config);
        if (rows[i].config == &plain)
            hear_challenge(&f);
        say(&f, rows[i].bytes, rows[i].length);
        hear_end_of(&f, rows[i].end_of_file);
        expect_ending(&f, rows[i].ending);
        finish(&f);
    }
}

static size_t
make_header(uint8_t bytes[PROXY2_MAX], const char *last_message)
{
    struct proxy2 header = {
        .source = {4, {10, 1, 2, 3}, 4321},
        .destination = {4, {10, 0, 0, 1}, 443},
        .port_name = slice_text("tls12"),
    };
    size_t length;

    if (last_message != NULL)
        header.last_message = slice_text(last_message);
    length = proxy2_encode(&header, bytes, PROXY2_MAX);
    assert_int_not_equal(length, 0);
    return length;
}

/*
 * Would catch: a header that must come in one piece, a challenge before it is
 * complete, bytes lost that follow it in the same segment, and a last message
 * of the proxy's that is ignored or does not fit.
 */
static void
headers_in_pieces(void **state)
{
    static const size_t pieces[] = {1, 7, 4095, 5000};
    static char longest[PROXY2_MAX];
    const char *messages[] = {NULL, "^monetdbs://h:1?certhash=sha256:0\n", "",
                              longest};
    uint8_t bytes[PROXY2_MAX + 12];

    (void)state;
    memset(longest, 'x', PROXY2_MAX - make_header(bytes, ""));
    for (size_t i = 0; i < 16; i++) {
        const char *message = messages[i / 4];
        size_t piece = pieces[i % 4];
        size_t length = make_header(bytes, message);
        size_t end = length + 12;
        struct fixture f;

        memcpy(bytes + length, "\0\0\0\0\0\0\0\0\5\0hi", 12);
        begin(&f, &proxied);
        for (size_t at = 0; at < end; at += piece) {
            if (at < length)
                hear_nothing(&f);
            say(&f, bytes + at, piece < end - at ? piece : end - at);
        }
        hear_challenge(&f);
        hear_last(&f, message != NULL ? message : APOLOGY("tls12"));
        finish(&f);
    }
}

static void
send_byte(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct fixture *f = timer->data;

    (void)loop, (void)events;
    (void)send(f->client, f->pool.config.proxy_protocol ? "\r" : "\0", 1,
               MSG_NOSIGNAL);
}

/* Would catch: a deadline that every byte moves on or that never comes, and
 * a client cut off before it could read the last message. */
static void
deadlines(void **state)
{
    static const struct {
        bool proxy_protocol;
        const char *response;
        double seconds, interval; /* until the end, between two bytes */
        enum ending ending;
    } rows[] = {
        {false, "", 0.1, 0.03, ENDING_LOGIN_TIMEOUT},
        {true, "", 0.1, 0.2, ENDING_NO_PROXY},
        {false, "\1\0", 2, 0.3, ENDING_SERVED}, /* discarding */
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct session_config config = {rows[i].proxy_protocol, "test", NULL,
                                        0.1, 0.1};
        struct fixture f;
        ev_timer drip;
        ev_tstamp began = ev_time();

        begin(&f, &config);
        say(&f, rows[i].response, rows[i].ending == ENDING_SERVED ? 2 : 0);
        ev_timer_init(&drip, send_byte, rows[i].interval, rows[i].interval);
        drip.data = &f;
        ev_timer_start(f.loop, &drip);
        ev_unref(f.loop); /* the loop ends with the session */
        ev_run(f.loop, 0);
        assert_true(ev_time() - began > 0.9 * rows[i].seconds);
        expect_ending(&f, rows[i].ending);
        ev_ref(f.loop);
        ev_timer_stop(f.loop, &drip);
        finish(&f);
    }
}

/* Would catch: a challenge lost where the socket takes nothing yet. */
static void
waits_for_room(void **state)
{
    static char junk[4096];
    struct fixture f;
    size_t filled = 0;
    int server = open_pair(&f, &plain);
    ssize_t n;

    (void)state;
    do {
        n = send(server, junk, filled == 0 ? sizeof junk : 1, MSG_NOSIGNAL);
        filled += n > 0 ? (size_t)n : 0;
    } while (n > 0);
    start_on(&f, server);
    pump(&f);
    while (filled > 0) {
        n = recv(f.client, junk, filled < 4096 ? filled : 4096, 0);
        assert_true(n > 0);
        filled -= (size_t)n;
    }
    pump(&f);
    hear_challenge(&f);
    finish(&f);
}

/*
 * Over TCP: a close with unread bytes makes a reset of it, which overtakes the
 * last message.  Would catch: a client with more to say that never reads it.
 */
static void
no_reset_over_tcp(void **state)
{
    static char rest[200000];
    struct net_address address, peer;
    struct fixture f;
    int listener, server, client;

    (void)state;
    assert_true(net_numeric("127.0.0.1", 0, &address));
    listener = net_listen(&address, false);
    assert_int_not_equal(listener, -1);
    client = net_connect(&address);
    server = net_accept(listener, &peer);
    assert_int_not_equal(server, -1);
    net_close(&listener);
    close(open_pair(&f, &plain));
    net_close(&f.client);
    f.client = client;
    start_on(&f, server);
    pump(&f);
    hear_challenge(&f);
    say(&f, "\1\0", 2);
    for (int i = 0; i < 20; i++) {
        (void)send(client, rest, sizeof rest, MSG_NOSIGNAL);
        pump(&f);
    }
    hear_last(&f, APOLOGY("test"));
    assert_int_equal(net_error(client), 0);
    net_close(&f.client);
    pump(&f);
    expect_ending(&f, ENDING_SERVED);
    finish(&f);
}

/* Would catch: a port's name that writes into the log or the reply. */
static void
names_are_escaped(void **state)
{
    struct proxy2 header = {.port_name = slice_text("a\n!b\"")};
    uint8_t bytes[PROXY2_MAX];
    char line[512];
    struct fixture f;
    int out[2], saved = dup(STDERR_FILENO);
    ssize_t n;

    (void)state;
    begin(&f, &proxied);
    say(&f, bytes, proxy2_encode(&header, bytes, sizeof bytes));
    assert_int_equal(pipe(out), 0);
    dup2(out[1], STDERR_FILENO);
    log_setup("test", LOG_TEXT, LOG_WARNING);
    say(&f, "\xff\xff", 2);
    net_close(&f.client);
    pump(&f);
    log_setup("test", LOG_TEXT, LOG_ERROR);
    dup2(saved, STDERR_FILENO);
    close(out[1]);
    n = read(out[0], line, sizeof line - 1);
    assert_true(n > 0);
    line[n] = '\0';
    assert_string_equal(line, "test: warning: 192.0.2.9:999 on a\\x0a!b\\\": "
                              "block of more than 8190 bytes: \\xff\\xff "
                              "(1 so far)\n");
    close(saved);
    close(out[0]);
    finish(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_session),
        cmocka_unit_test(half_closed_client_is_answered),
        cmocka_unit_test(no_reply_to_these),
        cmocka_unit_test(headers_in_pieces),
        cmocka_unit_test(deadlines),
        cmocka_unit_test(waits_for_room),
        cmocka_unit_test(no_reset_over_tcp),
        cmocka_unit_test(names_are_escaped),
    };

    log_setup("test", LOG_TEXT, LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
