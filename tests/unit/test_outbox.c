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
        .reason = "connection refused",
        .backend = "192.0.2.1:50000",
    };

    net_numeric("2001:db8::1", 51234, &event.client);
    event.sni = (struct event_bytes){(const uint8_t *)"db.example\0\xff", 12};
    event.client_subject = (struct event_bytes){(const uint8_t *)"CN=x", 4};
    return event;
}

static void
assert_same_bytes(const struct event_bytes *a, const struct event_bytes *b)
{
    assert_int_equal(a->length, b->length);
    if (a->length > 0)
        assert_memory_equal(a->bytes, b->bytes, a->length);
}

static void
assert_same(const struct event *a, const struct event *b)
{
    assert_int_equal(a->id, b->id);
    assert_memory_equal(a, b, offsetof(struct event, sni));
    assert_same_bytes(&a->sni, &b->sni);
    assert_same_bytes(&a->alpn_offered, &b->alpn_offered);
    assert_same_bytes(&a->alpn_selected, &b->alpn_selected);
    assert_same_bytes(&a->client_subject, &b->client_subject);
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
    uint8_t long_bytes[EVENT_TEXT_MAX];
    char long_text[EVENT_TEXT_MAX + 1] = "";
    struct event event = sample(7);
    struct event got;
    uint8_t message[OUTBOX_MESSAGE_MAX];
    const uint8_t *at = message;
    size_t length;
    int pair[2];

    (void)state;
    memset(long_bytes, 'x', sizeof long_bytes);
    memset(long_text, 'r', sizeof long_text - 1);
    event.sni = event.alpn_offered = event.alpn_selected =
        event.client_subject =
            (struct event_bytes){long_bytes, sizeof long_bytes};
    event.reason = event.backend = long_text;
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

/* A reader that needs to know which texts a worker has set, or which outlives
 * the message. */
static void
texts_are_in_the_message(void **state)
{
    static struct outbox outbox;
    struct event event = sample(1);
    struct event got;
    const uint8_t *at = outbox.message;
    const uint8_t *end;
    size_t length;

    (void)state;
    event.reason = NULL;
    outbox = (struct outbox){.channel = -1};
    assert_int_equal(outbox_add(&outbox, &event), 0);
    length = outbox.length;
    end = at + length;
    assert_true(outbox_take(&at, &length, &got));
    assert_string_equal(got.reason, "");
    assert_string_equal(got.backend, event.backend);
    assert_true(got.sni.bytes > outbox.message);
    assert_true((const uint8_t *)got.reason > got.sni.bytes + got.sni.length);
    assert_ptr_equal(got.backend + strlen(got.backend) + 1, end);
}

/* A text that is read on beyond its end: nothing says where that is. */
static void
a_text_without_its_end_is_none(void **state)
{
    static struct outbox outbox;
    struct event event = sample(1);
    struct event got;
    const uint8_t *at = outbox.message;
    size_t length;

    (void)state;
    outbox = (struct outbox){.channel = -1};
    assert_int_equal(outbox_add(&outbox, &event), 0);
    outbox.message[outbox.length - 1] = 'x';
    length = outbox.length;
    assert_false(outbox_take(&at, &length, &got));
    assert_int_equal(length, 0);
}

/* A text that is cut too late, set twice and leaked, or freed though unset. */
static void
texts_have_one_owner(void **state)
{
    char longest[2 * EVENT_TEXT_MAX] = "";
    struct event event = {.port = 1};

    (void)state;
    memset(longest, 'x', sizeof longest - 1);
    event_bytes_set(&event.sni, longest, sizeof longest);
    assert_int_equal(event.sni.length, EVENT_TEXT_MAX);
    event_bytes_set(&event.sni, event.sni.bytes + 1, 3);
    assert_int_equal(event.sni.length, 3);
    assert_memory_equal(event.sni.bytes, "xxx", 3);
    event_text_set(&event.reason, longest);
    assert_int_equal(strlen(event.reason), EVENT_TEXT_MAX);
    event_text_set(&event.reason, event.reason + EVENT_TEXT_MAX - 2);
    assert_string_equal(event.reason, "xx");
    event_clear(&event);
    assert_null(event.sni.bytes);
    assert_int_equal(event.sni.length, 0);
    assert_null(event.reason);
    event_clear(&event);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_arrive_as_they_were),
        cmocka_unit_test(a_full_channel_drops_and_counts),
        cmocka_unit_test(the_longest_event_fits),
        cmocka_unit_test(a_cut_message_gives_nothing),
        cmocka_unit_test(texts_are_in_the_message),
        cmocka_unit_test(a_text_without_its_end_is_none),
        cmocka_unit_test(texts_have_one_owner),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
