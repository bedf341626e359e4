/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/progress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define SAY(who, bytes)                                                        \
    {                                                                          \
        who, bytes, sizeof(bytes) - 1                                          \
    }

enum who { NOBODY, CLIENT, BACKEND };

struct words {
    enum who who;
    const char *bytes;
    size_t length;
};

#define CHALLENGE SAY(BACKEND, "\x09\x00salt")
#define RESPONSE  SAY(CLIENT, "\x07\x00yes")
#define LAST      SAY(BACKEND, "\x0d\x00!Sorry")
#define NULS      SAY(CLIENT, "\0\0\0\0\0\0\0\0")

static const struct {
    const char *name;
    struct words words[5];
    enum event_mapi want;
} cases[] = {
    {"nothing", {{NOBODY, NULL, 0}}, MAPI_NONE},
    {"a challenge", {CHALLENGE}, MAPI_CHALLENGE},
    {"a challenge less a byte", {SAY(BACKEND, "\x09\x00sal")}, MAPI_NONE},
    {"a login", {CHALLENGE, RESPONSE}, MAPI_RESPONSE},
    {"a login less a byte",
     {CHALLENGE, SAY(CLIENT, "\x07\x00ye")},
     MAPI_CHALLENGE},
    {"all of it", {CHALLENGE, RESPONSE, LAST}, MAPI_COMPLETE},
    {"a last message less a byte",
     {CHALLENGE, RESPONSE, SAY(BACKEND, "\x0d\x00!Sorr")},
     MAPI_RESPONSE},
    {"NULs before the challenge",
     {NULS, CHALLENGE, RESPONSE, LAST},
     MAPI_COMPLETE},
    {"NULs and no more", {CHALLENGE, NULS}, MAPI_CHALLENGE},
    {"NULs after the challenge", {CHALLENGE, NULS, RESPONSE}, MAPI_RESPONSE},
    {"a response in two blocks",
     {CHALLENGE, SAY(CLIENT, "\x04\x00ye\x03\x00s")},
     MAPI_RESPONSE},
    {"the first of two blocks",
     {CHALLENGE, SAY(CLIENT, "\x04\x00ye")},
     MAPI_CHALLENGE},
    {"an empty message", {CHALLENGE, SAY(CLIENT, "\x01\x00")}, MAPI_RESPONSE},
    {"a message too early", {RESPONSE, CHALLENGE}, MAPI_CHALLENGE},
    {"one too early, and alone", {RESPONSE}, MAPI_NONE},
    {"one too early and one in time",
     {RESPONSE, CHALLENGE, RESPONSE},
     MAPI_RESPONSE},
    {"one too early that was answered",
     {RESPONSE, CHALLENGE, LAST},
     MAPI_COMPLETE},
    {"one begun too early",
     {SAY(CLIENT, "\x07\x00y"), CHALLENGE, SAY(CLIENT, "es")},
     MAPI_RESPONSE},
    {"two messages unasked", {CHALLENGE, LAST}, MAPI_CHALLENGE},
    {"HTTP",
     {CHALLENGE, SAY(CLIENT, "GET / HTTP/1.1\r\n\r\n")},
     MAPI_CHALLENGE},
    {"HTTP and then a login",
     {CHALLENGE, SAY(CLIENT, "GET / HTTP/1.1\r\n\r\n"), RESPONSE},
     MAPI_CHALLENGE},
    {"a backend that speaks HTTP",
     {SAY(BACKEND, "HTTP/1.1 400\r\n"), RESPONSE, LAST},
     MAPI_NONE},
    {"a session that goes on",
     {CHALLENGE, RESPONSE, LAST, SAY(CLIENT, "\xff\xff"), LAST},
     MAPI_COMPLETE},
};

static void
say(struct progress *progress, const struct words *words, size_t piece)
{
    for (size_t at = 0; at < words->length; at += piece) {
        size_t left = words->length - at;

        progress_heard(progress, words->who == CLIENT,
                       (const uint8_t *)words->bytes + at,
                       piece < left ? piece : left);
    }
}

/* A fact that depends on how the network cuts the bytes, or is no fact. */
static void
exchanges_go_as_far_as_they_go(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (size_t piece = 1; piece < 32; piece++) {
            enum event_mapi reached = MAPI_COMPLETE;
            struct progress progress;

            progress_begin(&progress, &reached);
            assert_int_equal(reached, MAPI_NONE);
            for (size_t n = 0; n < 5 && cases[i].words[n].who != NOBODY; n++)
                say(&progress, &cases[i].words[n], piece);
            if (reached != cases[i].want)
                fail_msg("%s in pieces of %zu: %d", cases[i].name, piece,
                         (int)reached);
        }
}

/* What the simulator does not take is no response: see contract.md. */
static void
a_message_of_64_kib_is_the_longest(void **state)
{
    static uint8_t block[FRAME_HEADER_SIZE + 4096] = {0x00, 0x20};
    enum event_mapi reached;
    struct progress progress;
    static const struct words challenge = CHALLENGE;
    static const struct words end = SAY(CLIENT, "\x01\x00");
    static const struct words too_long = SAY(CLIENT, "\x03\x00x");

    (void)state;
    for (int longer = 0; longer < 2; longer++) {
        progress_begin(&progress, &reached);
        say(&progress, &challenge, 100);
        for (int i = 0; i < 16; i++)
            progress_heard(&progress, true, block, sizeof block);
        assert_int_equal(reached, MAPI_CHALLENGE);
        say(&progress, longer ? &too_long : &end, 100);
        assert_int_equal(reached, longer ? MAPI_CHALLENGE : MAPI_RESPONSE);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exchanges_go_as_far_as_they_go),
        cmocka_unit_test(a_message_of_64_kib_is_the_longest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
