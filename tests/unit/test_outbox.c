/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/net.h"
#include "proxy/channel.h"
#include "proxy/outbox.h"

static struct event
sample(uint64_t id)
{
    struct event event = {
        .id = id,
        .accepted = 1234.5,
        .port = 200,
        .first = FIRST_TLS,
        .tls = true,
        .tls_version = 0x0304,
        .cipher = "TLS_AES_256_GCM_SHA384",
        .alert_received = 48,
        .alert_sent = EVENT_NO_ALERT,
        .bytes_down = UINT64_MAX,
        .end = END_BACKEND,
        .phase = PHASE_ANNOUNCE,
        .framed = true,
        .mapi = MAPI_COMPLETE,
        .reason = "connection refused",
        .backend = "192.0.2.1:50000",
    };

    net_numeric("2001:db8::1", 51234, &event.client);
    event_bytes_set(&event.sni, "db.example\0\xff", 12);
    event_bytes_set(&event.client_subject, "CN=x", 4);
    return event;
}

static void
assert_same(const struct event *a, const struct event *b)
{
    assert_int_equal(a->id, b->id);
    assert_memory_equal(a, b, offsetof(struct event, sni));
    assert_int_equal(a->sni.length, b->sni.length);
    assert_memory_equal(a->sni.bytes, b->sni.bytes, a->sni.length);
    assert_int_equal(a->alpn_offered.length, b->alpn_offered.length);
    assert_int_equal(a->client_subject.length, b->client_subject.length);
    assert_string_equal(a->reason, b->reason);
    assert_string_equal(a->backend, b->backend);
}

/* Read what has arrived; every event must have the id that is due. */
static uint64_t
take_all(int fd, uint64_t id)
{
    static uint8_t message[OUTBOX_MESSAGE_MAX];
    ssize_t n;

    while ((n = recv(fd, message, sizeof message, MSG_DONTWAIT)) > 0) {
        const uint8_t *at = message;
        size_t length = (size_t)n;
        struct event event;

        while (length > 0) {
            struct event want = sample(id++);

            assert_true(outbox_take(&at, &length, &event));
            assert_same(&want, &event);
        }
    }
    return id;
}

/* An event that arrives in another's place, or not as it was. */
static void
events_arrive_as_they_were(void **state)
{
    static struct outbox outbox;
    uint64_t taken = 0;
    int pair[2];

    (void)state;
    assert_int_equal(channel_pair(pair), 0);
    outbox = (struct outbox){.channel = pair[0]};
    for (uint64_t id = 0; id < 1000; id++) {
        struct event event = sample(id);

        assert_int_equal(outbox_add(&outbox, &event), 0);
        if (id % 100 == 99) {
            assert_int_equal(outbox_send(&outbox), 0);
            taken = take_all(pair[1], taken);
            assert_int_equal(taken, id + 1);
        }
    }
    assert_int_equal(outbox_send(&outbox), 0); /* nothing is left */
    net_close(&pair[0]);
    net_close(&pair[1]);
}

/* A worker that waits for control, or forgets what it could not tell. */
static void
a_full_channel_drops_and_counts(void **state)
{
    static struct outbox outbox;
    uint64_t lost = 0;
    uint64_t taken = 0;
    int pair[2];
    static uint8_t message[OUTBOX_MESSAGE_MAX];
    ssize_t n;

    (void)state;
    assert_int_equal(channel_pair(pair), 0);
    outbox = (struct outbox){.channel = pair[0]};
    for (uint64_t id = 0; id < 20000; id++) {
        struct event event = sample(id);

        lost += outbox_add(&outbox, &event);
    }
    lost += outbox_send(&outbox);
    assert_true(lost > 0);
    while ((n = recv(pair[1], message, sizeof message, MSG_DONTWAIT)) > 0) {
        const uint8_t *at = message;
        size_t length = (size_t)n;
        struct event event;

        while (length > 0 && outbox_take(&at, &length, &event))
            taken++;
    }
    assert_int_equal(taken + lost, 20000);
    net_close(&pair[0]);
    net_close(&pair[1]);
}

/* Every event at its longest goes through too. */
static void
the_longest_event_fits(void **state)
{
    static struct outbox outbox;
    uint8_t long_text[255];
    struct event event = sample(7);
    struct event got;
    uint8_t message[OUTBOX_MESSAGE_MAX];
    const uint8_t *at = message;
    size_t length;
    int pair[2];

    (void)state;
    memset(long_text, 'x', sizeof long_text);
    event_bytes_set(&event.sni, long_text, 255);
    event_bytes_set(&event.alpn_offered, long_text, 255);
    event_bytes_set(&event.alpn_selected, long_text, 255);
    event_bytes_set(&event.client_subject, long_text, 255);
    memset(event.reason, 'r', sizeof event.reason - 1);
    memset(event.backend, 'b', sizeof event.backend - 1);
    assert_int_equal(channel_pair(pair), 0);
    outbox = (struct outbox){.channel = pair[0]};
    for (int i = 0; i < 50; i++)
        assert_int_equal(outbox_add(&outbox, &event), 0);
    length = (size_t)recv(pair[1], message, sizeof message, MSG_DONTWAIT);
    assert_true(outbox_take(&at, &length, &got));
    assert_same(&event, &got);
    net_close(&pair[0]);
    net_close(&pair[1]);
}

/* What is cut short is no event, and nothing behind it is read. */
static void
a_cut_message_gives_nothing(void **state)
{
    static struct outbox outbox;
    struct event event = sample(1);
    struct event got;
    uint8_t message[OUTBOX_MESSAGE_MAX];
    size_t whole;
    int pair[2];

    (void)state;
    assert_int_equal(channel_pair(pair), 0);
    outbox = (struct outbox){.channel = pair[0]};
    outbox_add(&outbox, &event);
    outbox_send(&outbox);
    whole = (size_t)recv(pair[1], message, sizeof message, MSG_DONTWAIT);
    for (size_t n = 0; n < whole; n++) {
        const uint8_t *at = message;
        size_t length = n;

        assert_false(outbox_take(&at, &length, &got));
        assert_int_equal(length, 0);
    }
    net_close(&pair[0]);
    net_close(&pair[1]);
}

/* An enum that is used as an index and comes out of its range. */
static void
what_is_out_of_range_is_no_event(void **state)
{
    static struct outbox outbox;
    struct event events[] = {sample(1), sample(1), sample(1), sample(1)};
    struct event got;
    uint8_t message[OUTBOX_MESSAGE_MAX];
    int pair[2];

    (void)state;
    events[0].first = FIRST_OTHER + 1;
    events[1].end = END_BACKEND + 1;
    events[2].phase = PHASE_ANNOUNCE + 1;
    events[3].mapi = MAPI_COMPLETE + 1;
    assert_int_equal(channel_pair(pair), 0);
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        const uint8_t *at = message;
        size_t length;

        outbox = (struct outbox){.channel = pair[0]};
        outbox_add(&outbox, &events[i]);
        outbox_send(&outbox);
        length = (size_t)recv(pair[1], message, sizeof message, MSG_DONTWAIT);
        assert_false(outbox_take(&at, &length, &got));
        assert_int_equal(length, 0);
    }
    net_close(&pair[0]);
    net_close(&pair[1]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_arrive_as_they_were),
        cmocka_unit_test(a_full_channel_drops_and_counts),
        cmocka_unit_test(the_longest_event_fits),
        cmocka_unit_test(a_cut_message_gives_nothing),
        cmocka_unit_test(what_is_out_of_range_is_no_event),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
