/*
 * fuzz_session.c - the simulator's whole exchange with one client
 *
 * Input: one byte of flags (1: a PROXY header first), one for the size of the
 * pieces, what the client sends.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/frame.h"
#include "base/log.h"
#include "base/proxy2.h"
#include "mapisim/session.h"
#include "tests/fuzz/fuzz.h"

#define PIECES_MAX 64
#define TURNS      4   /* of the loop for each piece */
#define TURNS_MAX  200 /* until a session whose client left is over */

#define FIELDS                                                                 \
    ":merovingian:9:RIPEMD160,SHA512,SHA384,SHA256,SHA224,SHA1:LIT:SHA512:"

/* What the client must hear (contract.md, section 3). */
struct expected {
    bool challenge;
    bool reply;
    uint8_t last[2 + SESSION_REPLY_MAX]; /* the last message, framed */
    size_t last_length;
};

static struct ev_loop *loop;

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    log_setup("fuzz", LOG_TEXT, LOG_ERROR);
    loop = ev_loop_new(EVFLAG_AUTO);
    REQUIRE(loop != NULL);
    return 0;
}

static void
expect_last(struct expected *e, struct slice text, const char *name)
{
    char apology[512];

    if (text.bytes == NULL) {
        snprintf(apology, sizeof apology,
                 "!Sorry, this is not a real MonetDB instance (%s): "
                 "Sorry, this is not a real MonetDB server",
                 name);
        text = slice_text(apology);
    }
    e->last_length =
        frame_write(e->last, sizeof e->last, text.bytes, text.length);
    REQUIRE(e->last_length > 0);
}

static void
expect(struct expected *e, bool proxied, const uint8_t *bytes, size_t length)
{
    struct proxy2 header = {0};
    struct frame_reader reader;
    const char *reason;
    char name[128] = "test";
    size_t size = 0;
    size_t taken;

    memset(e, 0, sizeof *e);
    if (proxied
        && proxy2_decode(bytes, length, &header, &size, &reason) != PROXY2_OK)
        return;
    if (header.port_name.bytes != NULL)
        log_escape(name, sizeof name, header.port_name.bytes,
                   header.port_name.length);
    e->challenge = true;
    expect_last(e, header.last_message, name);
    frame_begin(&reader, SESSION_RESPONSE_MAX);
    e->reply = frame_read(&reader, bytes + size, length - size, &taken)
               == FRAME_COMPLETE;
}

static void
check_heard(const struct expected *e, const uint8_t *bytes, size_t length)
{
    size_t text = SALT_LENGTH + strlen(FIELDS);

    if (!e->challenge) {
        REQUIRE(length == 0);
        return;
    }
    REQUIRE(length >= FRAME_HEADER_SIZE + text);
    REQUIRE((size_t)(bytes[0] | bytes[1] << 8) == (text << 1 | 1));
    bytes += FRAME_HEADER_SIZE;
    for (int i = 0; i < SALT_LENGTH; i++)
        REQUIRE(isalnum(bytes[i]));
    REQUIRE(memcmp(bytes + SALT_LENGTH, FIELDS, strlen(FIELDS)) == 0);
    bytes += text;
    length -= FRAME_HEADER_SIZE + text;
    if (!e->reply) {
        REQUIRE(length == 0);
        return;
    }
    REQUIRE(length == e->last_length && memcmp(bytes, e->last, length) == 0);
}

/* Say everything, then nothing more; returns the bytes heard. */
static size_t
converse(struct session_pool *pool, int fd, struct fuzz_input say, size_t piece,
         uint8_t *out, size_t room)
{
    size_t used = 0;
    bool end = false;

    while (say.left > 0 && !end) {
        size_t n = piece < say.left ? piece : say.left;
        ssize_t sent = send(fd, say.at, n, MSG_NOSIGNAL);

        if (sent == -1 && errno != EAGAIN)
            break;
        if (sent > 0) {
            say.at += sent;
            say.left -= (size_t)sent;
        }
        for (int i = 0; i < TURNS; i++)
            ev_run(loop, EVRUN_NOWAIT);
        fuzz_read(fd, out, room, &used);
        end = pool->open == 0;
    }
    shutdown(fd, SHUT_WR);
    for (int turns = 0; pool->open > 0; turns++) {
        REQUIRE(turns < TURNS_MAX);
        ev_run(loop, EVRUN_NOWAIT);
    }
    REQUIRE(fuzz_read(fd, out, room, &used));
    return used;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static struct expected expected;
    struct fuzz_input input = {bytes, length};
    struct session_config config = {
        .proxy_protocol = fuzz_byte(&input) & 1,
        .name = "test",
        .header_seconds = 3600,
        .login_seconds = 3600,
    };
    size_t piece = (size_t)fuzz_byte(&input) * 16 + 1;
    int lowest = fuzz_free_descriptor();
    uint8_t heard[3 * SESSION_REPLY_MAX];
    struct session_pool pool;
    struct net_address peer;
    uint64_t ends = 0;
    int pair[2];
    size_t used;

    if (piece < input.left / PIECES_MAX)
        piece = input.left / PIECES_MAX;
    REQUIRE(net_numeric("192.0.2.9", 999, &peer));
    fuzz_socketpair(pair);
    session_pool_init(&pool, loop, &config);
    session_start(&pool, pair[0], &peer);
    used = converse(&pool, pair[1], input, piece, heard, sizeof heard);
    net_close(&pair[1]);
    expect(&expected, config.proxy_protocol, input.at, input.left);
    check_heard(&expected, heard, used);
    for (int i = 0; i < ENDINGS; i++)
        ends += pool.ends[i];
    REQUIRE(ends == 1 && pool.ends[ENDING_FAILED] == 0);
    REQUIRE((pool.ends[ENDING_SERVED] == 1) == expected.reply);
    REQUIRE(fuzz_free_descriptor() == lowest);
    return 0;
}
