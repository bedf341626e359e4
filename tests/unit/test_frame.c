/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/frame.h"

#define LIMIT 65536

static uint8_t stream[80000];

/* Append a block's header and that many bytes of payload. */
static size_t
put_block(size_t at, size_t length, int last)
{
    size_t value = length << 1 | (size_t)last;

    stream[at] = (uint8_t)value;
    stream[at + 1] = (uint8_t)(value >> 8);
    memset(stream + at + 2, 0xFF, length);
    return at + 2 + length;
}

struct result {
    enum frame_status status;
    size_t taken;
    bool boundary;
};

/* Feed bytes in pieces of at most `piece`, the first one of `first`. */
static struct result
feed(size_t limit, size_t length, size_t first, size_t piece)
{
    struct frame_reader reader;
    struct result result = {.status = FRAME_MORE};
    size_t size = first;

    frame_begin(&reader, limit);
    while (result.taken < length && result.status == FRAME_MORE) {
        size_t taken;

        if (size > length - result.taken)
            size = length - result.taken;
        result.status =
            frame_read(&reader, stream + result.taken, size, &taken);
        if (result.status == FRAME_MORE)
            assert_int_equal(taken, size);
        result.taken += taken;
        size = piece;
    }
    result.boundary = frame_at_boundary(&reader);
    return result;
}

static void
expect(struct result got, enum frame_status status, size_t taken)
{
    assert_int_equal(got.status, status);
    assert_int_equal(got.taken, taken);
}

/* Would catch: a header or payload split over two reads is misread. */
static void
every_split_gives_the_same(void **state)
{
    size_t length = 0;

    (void)state;
    for (int i = 0; i < 4; i++)
        length = put_block(length, 0, 0);
    length = put_block(length, 7, 0);
    length = put_block(length, 0, 0);
    length = put_block(length, 300, 1);
    put_block(length, 5, 1); /* the next message is not touched */
    for (size_t first = 1; first <= length; first++) {
        expect(feed(LIMIT, length + 7, first, length), FRAME_COMPLETE, length);
        expect(feed(LIMIT, length + 7, first, 1), FRAME_COMPLETE, length);
        expect(feed(LIMIT, length - 1, first, length), FRAME_MORE, length - 1);
    }
}

/* Would catch: a limit on the block's length that is off by one. */
static void
lengths_of_blocks(void **state)
{
    static const size_t good[] = {0, 1, 127, 128, 8189, 8190};
    static const size_t bad[] = {8191, 8192, 16384, 32767};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        size_t length = put_block(0, good[i], 1);

        expect(feed(LIMIT, length, length, length), FRAME_COMPLETE, length);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        for (int last = 0; last < 2; last++) {
            size_t length = put_block(0, bad[i], last);

            expect(feed(LIMIT, length, length, length), FRAME_BAD_BLOCK, 2);
            expect(feed(LIMIT, length, 1, 1), FRAME_BAD_BLOCK, 2);
        }
}

/* Would catch: a message may exceed the limit, or may not reach it. */
static void
limit_of_messages(void **state)
{
    size_t length = 0;
    size_t end;

    (void)state;
    for (int i = 0; i < 8; i++)
        length = put_block(length, 8190, 0);
    end = put_block(length, LIMIT - 8 * 8190, 1);
    expect(feed(LIMIT, end, end, end), FRAME_COMPLETE, end);
    expect(feed(LIMIT, end, 1, 4096), FRAME_COMPLETE, end);

    end = put_block(length, LIMIT - 8 * 8190 + 1, 1);
    expect(feed(LIMIT, end, end, end), FRAME_TOO_LONG, length + 2);
    expect(feed(LIMIT, end, 1, 4096), FRAME_TOO_LONG, length + 2);

    end = put_block(0, 1, 1);
    expect(feed(0, end, end, end), FRAME_TOO_LONG, 2);
    end = put_block(0, 0, 1);
    expect(feed(0, end, end, end), FRAME_COMPLETE, 2);
}

/* Would catch: the 8 NULs of a plain client count as a cut message, or a cut
 * message as none. */
static void
boundaries(void **state)
{
    size_t length = 0;

    (void)state;
    assert_true(feed(LIMIT, 0, 1, 1).boundary);
    for (int i = 0; i < 4; i++)
        length = put_block(length, 0, 0);
    assert_true(feed(LIMIT, length, 3, 1).boundary);
    assert_false(feed(LIMIT, length - 1, 3, 1).boundary);
    length = put_block(length, 2, 0);
    length = put_block(length, 0, 0);
    for (size_t i = 9; i <= length; i++)
        assert_false(feed(LIMIT, i, 1, 1).boundary);
    length = put_block(length, 0, 1);
    assert_true(feed(LIMIT, length, 1, 1).boundary);
}

/* Would catch: a reader that cannot go on with the next message. */
static void
messages_follow_one_another(void **state)
{
    struct frame_reader reader;
    size_t first = put_block(0, 10, 1);
    size_t second = put_block(first, 65, 1);
    size_t taken;

    (void)state;
    frame_begin(&reader, 70);
    assert_int_equal(frame_read(&reader, stream, second, &taken),
                     FRAME_COMPLETE);
    assert_int_equal(taken, first);
    assert_int_equal(
        frame_read(&reader, stream + first, second - first, &taken),
        FRAME_COMPLETE);
    assert_int_equal(taken, second - first);
}

/* Would catch: a wrong number of blocks, above all for multiples of 8190. */
static void
round_trip(void **state)
{
    static const struct {
        size_t length, blocks;
    } rows[] = {{0, 1},     {1, 1},     {8190, 1}, {8191, 2},
                {16380, 2}, {16381, 3}, {20000, 3}};
    static uint8_t payload[20000];

    (void)state;
    memset(payload, 'x', sizeof payload);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t want = rows[i].length + 2 * rows[i].blocks;

        assert_int_equal(
            frame_write(stream, sizeof stream, payload, rows[i].length), want);
        assert_int_equal(frame_write(stream, want, payload, rows[i].length),
                         want);
        expect(feed(rows[i].length, want, 1, 1000), FRAME_COMPLETE, want);
        assert_int_equal(frame_write(stream, want - 1, payload, rows[i].length),
                         0);
    }
    assert_int_equal(frame_write(stream, 2, NULL, 0), 2);
    assert_memory_equal(stream, "\1\0", 2);
    assert_int_equal(frame_write(stream, 9, "abc", 3), 5);
    assert_memory_equal(stream, "\7\0abc", 5);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_split_gives_the_same),
        cmocka_unit_test(lengths_of_blocks),
        cmocka_unit_test(limit_of_messages),
        cmocka_unit_test(boundaries),
        cmocka_unit_test(messages_follow_one_another),
        cmocka_unit_test(round_trip),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
