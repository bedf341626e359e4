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
#include "mapisim/behaviour.h"
#include "mapisim/session.h"
#include "tests/fuzz/fuzz.h"

#define PIECES_MAX 64
#define TURNS      4   /* of the loop for each piece */
#define TURNS_MAX  200 /* until a session whose client left is over */

#define FIELDS ":9:RIPEMD160,SHA512,SHA384,SHA256,SHA224,SHA1:LIT:SHA512:"

#define HEARD_MAX (1024 * 1024)

/* What the client must hear (contract.md, section 3; ports.md, "hostile"). */
struct expected {
    const struct behaviour *behaviour; /* NULL: not even a challenge */
    bool served;                       /* orderly, to its end */
    uint8_t said[HEARD_MAX];           /* behind the challenge, framed */
    size_t length;
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

/* Payload as the behaviour has it, in room for one message. */
static size_t
frame(const struct expected *e, uint8_t *out, size_t room, struct slice text)
{
    size_t length = frame_write_blocks(out, room, text.bytes, text.length,
                                       e->behaviour->block);

    if (length == 0)
        length = frame_write(out, room, text.bytes, text.length);
    REQUIRE(length > 0);
    return length;
}

static void
say_reply(struct expected *e, struct slice text, const char *name)
{
    char apology[512];
    uint8_t reply[2 + SESSION_REPLY_MAX];
    size_t length;

    if (text.bytes == NULL) {
        snprintf(apology, sizeof apology,
                 "!Sorry, this is not a real MonetDB instance (%s): "
                 "Sorry, this is not a real MonetDB server",
                 name);
        text = slice_text(apology);
    }
    length = frame(e, reply, sizeof reply, text);
    if (e->behaviour->cuts)
        length /= 2;
    REQUIRE(e->length + length <= sizeof e->said);
    memcpy(e->said + e->length, reply, length);
    e->length += length;
}

/* The first byte of payload at or after bytes, whose blocks are all legal. */
static int
first_byte(const uint8_t *bytes)
{
    bool last;
    unsigned length;

    do {
        last = bytes[0] & 1;
        length = (bytes[0] | (unsigned)bytes[1] << 8) >> 1;
        bytes += 2;
    } while (length == 0 && !last);
    return length == 0 ? -1 : *bytes;
}

/* What follows a complete login: a command is answered, until one is bad. */
static void
expect_answers(struct expected *e, struct fuzz_input say, struct slice last,
               const char *name)
{
    struct frame_reader reader;
    enum frame_status status;
    size_t taken;

    frame_begin(&reader, SESSION_RESPONSE_MAX);
    while ((status = frame_read(&reader, say.at, say.left, &taken))
           == FRAME_COMPLETE) {
        if (first_byte(say.at) == 'X')
            say_reply(e, slice_text(""), name);
        else
            say_reply(e, last, name);
        say.at += taken;
        say.left -= taken;
    }
    e->served = status == FRAME_MORE && frame_at_boundary(&reader);
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

    e->behaviour = NULL;
    e->length = 0;
    e->served = false;
    if (proxied
        && proxy2_decode(bytes, length, &header, &size, &reason) != PROXY2_OK)
        return;
    if (header.port_name.bytes != NULL)
        log_escape(name, sizeof name, header.port_name.bytes,
                   header.port_name.length);
    if (header.behaviour.bytes != NULL)
        e->behaviour = behaviour_find(header.behaviour);
    if (e->behaviour == NULL)
        e->behaviour = &behaviour_usual;
    frame_begin(&reader, SESSION_RESPONSE_MAX);
    e->served = frame_read(&reader, bytes + size, length - size, &taken)
                == FRAME_COMPLETE;
    if (!e->served)
        return;
    if (!e->behaviour->serves) {
        say_reply(e, header.last_message, name);
        return;
    }
    say_reply(e, slice_text(""), name);
    size += taken;
    expect_answers(e, (struct fuzz_input){bytes + size, length - size},
                   header.last_message, name);
}

static void
check_heard(const struct expected *e, const uint8_t *bytes, size_t length)
{
    uint8_t challenge[512];
    char text[256];
    uint8_t salt[SALT_LENGTH + 1] = {0};
    size_t step, size;

    if (e->behaviour == NULL) {
        REQUIRE(length == 0);
        return;
    }
    /* The salt is taken from where it must be; all else must be as it was. */
    step = e->behaviour->block == 1 ? FRAME_HEADER_SIZE + 1 : 1;
    for (size_t i = 0; i < SALT_LENGTH; i++) {
        REQUIRE(length > FRAME_HEADER_SIZE + i * step);
        salt[i] = bytes[FRAME_HEADER_SIZE + i * step];
        REQUIRE(isalnum(salt[i]));
    }
    snprintf(text, sizeof text, "%s:%s" FIELDS "%s", (const char *)salt,
             e->behaviour->type, e->behaviour->options);
    size = frame(e, challenge, sizeof challenge, slice_text(text));
    REQUIRE(length >= size && memcmp(bytes, challenge, size) == 0);
    REQUIRE(length - size == e->length);
    REQUIRE(e->length == 0 || memcmp(bytes + size, e->said, e->length) == 0);
}

/* Time passes for a simulator that takes its own. */
static bool
is_slow(bool proxied, const struct fuzz_input *input)
{
    struct proxy2 header;
    const struct behaviour *behaviour;
    const char *reason;
    size_t size;

    if (!proxied
        || proxy2_decode(input->at, input->left, &header, &size, &reason)
               != PROXY2_OK
        || header.behaviour.bytes == NULL)
        return false;
    behaviour = behaviour_find(header.behaviour);
    return behaviour != NULL && behaviour->pace > 0;
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
        fuzz_read(fd, out, room, &used);
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
    static uint8_t heard[HEARD_MAX];
    struct session_pool pool;
    struct net_address peer;
    uint64_t ends = 0;
    int pair[2];
    size_t used;

    if (is_slow(config.proxy_protocol, &input))
        return 0; /* nobody waits for it here: see test_behaviour.c */
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
    REQUIRE((pool.ends[ENDING_SERVED] == 1) == expected.served);
    REQUIRE(fuzz_free_descriptor() == lowest);
    return 0;
}
