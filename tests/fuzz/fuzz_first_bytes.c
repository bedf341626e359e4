/*
 * fuzz_first_bytes.c - what comes first on a TLS port, and what goes back
 *
 * Every TLS port of the table, with its real context, over a socket pair.
 *
 * Input: one byte for the port, one for the size of the pieces, what the client
 * sends.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/net.h"
#include "proxy/endpoint.h"
#include "proxy/journal.h"
#include "proxy/policy.h"
#include "tests/fuzz/fuzz.h"

#define PIECES_MAX 64
#define HEAD_MAX   8 /* first bytes that are looked at */

static const char *const hostnames[] = {"localhost", "db.example.org"};
static SSL_CTX *contexts[PORTS_MAX];
static size_t context_count;
static struct pool pool;

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static struct policy_material material = {.hostnames = hostnames,
                                              .hostname_count = 2};

    (void)argc, (void)argv;
    log_setup("fuzz", LOG_TEXT, LOG_ERROR);
    material.certs = cert_set_new(hostnames, 2);
    REQUIRE(material.certs != NULL && tlsbio_setup() == 0);
    for (size_t i = 0; i < port_table_count; i++) {
        if (port_table[i].certificate == NULL)
            continue;
        contexts[context_count] = policy_context(&port_table[i], &material);
        REQUIRE(contexts[context_count] != NULL);
        context_count++;
    }
    return 0;
}

static bool
is_tls(const uint8_t *bytes, size_t length)
{
    return length >= 2 && bytes[0] == 0x16 && bytes[1] == 0x03;
}

/* Bytes that come later do not make TLS of what is none, or the reverse. */
static void
check_classification(const uint8_t *bytes, size_t length)
{
    for (size_t n = 0; n <= length && n <= HEAD_MAX; n++) {
        enum first_bytes first = event_classify_first(bytes, n);

        REQUIRE((first == FIRST_TLS) == is_tls(bytes, n));
        REQUIRE((first == FIRST_NONE)
                == (n == 0 || (n == 1 && bytes[0] == 0x16)));
    }
}

/* Feed the handshake; heard is what went back. */
static enum io
shake_hands(struct endpoint *end, int client, struct fuzz_input say,
            size_t piece, uint8_t *heard, size_t room, size_t *used)
{
    const uint8_t *begin = say.at;
    enum io result = endpoint_handshake(end);

    REQUIRE(result == IO_AGAIN);
    while (say.left > 0 && result == IO_AGAIN) {
        size_t n = piece < say.left ? piece : say.left;
        size_t said;

        REQUIRE(send(client, say.at, n, MSG_NOSIGNAL) == (ssize_t)n);
        say.at += n;
        say.left -= n;
        said = (size_t)(say.at - begin);
        endpoint_wake(end, WAIT_READ | WAIT_WRITE);
        result = endpoint_handshake(end);
        fuzz_read(client, heard, room, used);
        if (event_classify_first(begin, said) == FIRST_NONE)
            REQUIRE(result == IO_AGAIN);
        else if (!is_tls(begin, said))
            REQUIRE(result == IO_BROKEN); /* at once, never in a hang */
    }
    if (result == IO_AGAIN) {
        shutdown(client, SHUT_WR);
        endpoint_wake(end, WAIT_READ | WAIT_WRITE);
        result = endpoint_handshake(end);
        REQUIRE(result == IO_EOF || result == IO_BROKEN);
    }
    return result;
}

static void
check_record(const struct event *event, const uint8_t *said, size_t length,
             const uint8_t *heard, size_t used)
{
    char line[4096];

    if (!is_tls(said, length)) {
        REQUIRE(used == 0);
        REQUIRE(event->first != FIRST_TLS);
        REQUIRE(event->alert_sent == EVENT_NO_ALERT);
    } else {
        REQUIRE(event->first == FIRST_TLS);
    }
    if (event->alert_sent != EVENT_NO_ALERT)
        REQUIRE(used > 0);
    /* An alert in the clear is the one that is recorded. */
    if (used >= 7 && heard[0] == 0x15)
        REQUIRE(heard[6] == event->alert_sent);
    journal_line(event, "server1", line, sizeof line);
    REQUIRE(fuzz_is_printable(line));
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct fuzz_input input = {bytes, length};
    SSL_CTX *context = contexts[fuzz_byte(&input) % context_count];
    size_t piece = (size_t)fuzz_byte(&input) * 8 + 1;
    int lowest = fuzz_free_descriptor();
    static uint8_t heard[64 * 1024];
    struct event event = {.tls = true,
                          .alert_received = EVENT_NO_ALERT,
                          .alert_sent = EVENT_NO_ALERT};
    struct endpoint end;
    int pair[2];
    size_t used = 0;
    enum io result;

    if (piece < input.left / PIECES_MAX)
        piece = input.left / PIECES_MAX;
    check_classification(input.at, input.left);
    REQUIRE(net_numeric("192.0.2.9", 999, &event.client));
    fuzz_socketpair(pair);
    endpoint_init(&end, pair[0], &pool, &event);
    REQUIRE(endpoint_start_tls(&end, context) == 0);
    result =
        shake_hands(&end, pair[1], input, piece, heard, sizeof heard, &used);
    event.end = result == IO_EOF ? END_EOF : END_REFUSED;

    endpoint_wake(&end, WAIT_READ | WAIT_WRITE);
    endpoint_shut(&end, false);
    endpoint_discard(&end);
    endpoint_close(&end);
    fuzz_read(pair[1], heard, sizeof heard, &used);
    net_close(&pair[1]);
    if (event.reason == NULL)
        event_text_set(&event.reason, "");
    check_record(&event, input.at, input.left, heard, used);
    event_clear(&event);
    REQUIRE(fuzz_free_descriptor() == lowest);
    return 0;
}
