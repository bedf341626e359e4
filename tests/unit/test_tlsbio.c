/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <stdlib.h>

#include "proxy/tlsbio.h"

/* A client's TLS records without end: SSL_read() that goes on for as long as
 * there are some, KeyUpdates for example, would be the only thing that goes on
 * in this worker. */
static void
reading_takes_turns(void **state)
{
    static char bytes[16 * 1024];
    struct pool pool = {0};
    struct tlsbio io = {.pool = &pool};
    size_t total = 0;
    int pair[2];
    BIO *bio;

    (void)state;
    assert_int_equal(tlsbio_setup(), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair),
                     0);
    io.fd = pair[0];
    bio = tlsbio_new(&io);
    assert_non_null(bio);
    memset(bytes, 0x16, sizeof bytes);
    bytes[1] = 0x03;
    for (int turn = 1; turn <= 3; turn++) {
        while (true) {
            int n;

            assert_int_equal(send(pair[1], bytes, sizeof bytes, 0),
                             sizeof bytes);
            n = BIO_read(bio, bytes, sizeof bytes);
            if (n <= 0)
                break;
            total += (size_t)n;
            assert_in_range(total, 1, (size_t)turn * 128 * 1024);
        }
        assert_true(BIO_should_read(bio));
        assert_true(io.drained);
        /* What endpoint_wake() does when the socket is readable, and what was
         * sent in vain. */
        tlsbio_turn(&io);
        assert_int_equal(recv(pair[0], bytes, sizeof bytes, 0), sizeof bytes);
    }
    assert_in_range(total, 3 * sizeof bytes, SIZE_MAX);
    BIO_free(bio);
    close(pair[0]);
    close(pair[1]);
}

/* A BIO over one end of a pair, as it is amid a bulk upload. */
static BIO *
bulk_bio(struct tlsbio *io, struct pool *pool, int pair[2], size_t bulk_in)
{
    assert_int_equal(tlsbio_setup(), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair),
                     0);
    *io = (struct tlsbio){.fd = pair[0],
                          .pool = pool,
                          .first = FIRST_TLS,
                          .established = true,
                          .bulk_in = bulk_in};
    return tlsbio_new(io);
}

/* Bytes of a bulk upload that are lost, doubled or out of order on their way
 * through the worker's block; or received beyond what was allowed. */
static void
bulk_data_comes_through_a_block(void **state)
{
    static char sent[40 * 1000], got[40 * 1000];
    struct pool pool = {0};
    struct tlsbio io;
    size_t total = 0;
    int pair[2];
    BIO *bio = bulk_bio(&io, &pool, pair, 30 * 1000);

    (void)state;
    for (size_t i = 0; i < sizeof sent; i++)
        sent[i] = (char)(i * 31 + i / 251);
    assert_int_equal(send(pair[1], sent, sizeof sent, 0), sizeof sent);
    while (total < 30 * 1000) {
        int n = BIO_read(bio, got + total, 7000);

        assert_in_range(n, 1, 7000);
        total += (size_t)n;
        assert_int_equal(io.in.length, 30 * 1000 - total);
    }
    /* There is more, but it is others' turn. */
    assert_int_equal(BIO_read(bio, got + total, 7000), -1);
    assert_true(BIO_should_read(bio));
    tlsbio_turn(&io);
    for (int n; (n = BIO_read(bio, got + total, 7000)) > 0;)
        total += (size_t)n;
    assert_int_equal(total, sizeof sent);
    assert_memory_equal(got, sent, sizeof sent);
    pool_return(&pool, &io.in);
    pool_clear(&pool);
    BIO_free(bio);
    close(pair[0]);
    close(pair[1]);
}

/* Records without data, in a block, that keep SSL_read() going until all of it
 * is done. */
static void
a_block_takes_turns_too(void **state)
{
    const size_t size = 200 * 1000;
    char *bytes = calloc(1, size);
    struct pool pool = {0};
    struct tlsbio io;
    size_t total = 0;
    int pair[2];
    BIO *bio = bulk_bio(&io, &pool, pair, size);

    (void)state;
    assert_non_null(bytes);
    assert_int_equal(send(pair[1], bytes, size, 0), (int)size);
    for (int n; (n = BIO_read(bio, bytes, 16000)) > 0;)
        total += (size_t)n;
    assert_true(BIO_should_read(bio));
    assert_in_range(total, 1, 100 * 1000);
    assert_int_equal(io.in.length, size - total);
    tlsbio_turn(&io);
    assert_int_equal(BIO_read(bio, bytes, 16000), 16000);
    pool_return(&pool, &io.in);
    pool_clear(&pool);
    BIO_free(bio);
    free(bytes);
    close(pair[0]);
    close(pair[1]);
}

/* Without a block the socket is read as OpenSSL asks; and an end of file comes
 * after the bytes before it, not in their place. */
static void
without_a_block_nothing_is_lost(void **state)
{
    char bytes[16];
    struct pool pool = {.bulk_lent = POOL_BULK_MAX};
    struct tlsbio io;
    int pair[2];
    BIO *bio = bulk_bio(&io, &pool, pair, 1000);

    (void)state;
    assert_int_equal(send(pair[1], "abcdef", 6, 0), 6);
    assert_int_equal(shutdown(pair[1], SHUT_WR), 0);
    assert_int_equal(BIO_read(bio, bytes, 2), 2);
    assert_null(io.in.storage);
    pool.bulk_lent = 0;
    assert_int_equal(BIO_read(bio, bytes + 2, 2), 2);
    tlsbio_turn(&io);
    assert_int_equal(BIO_read(bio, bytes + 4, 8), 2);
    assert_memory_equal(bytes, "abcdef", 6);
    assert_int_equal(BIO_read(bio, bytes, 8), 0);
    assert_true(io.eof);
    pool_return(&pool, &io.in);
    pool_clear(&pool);
    BIO_free(bio);
    close(pair[0]);
    close(pair[1]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reading_takes_turns),
        cmocka_unit_test(bulk_data_comes_through_a_block),
        cmocka_unit_test(a_block_takes_turns_too),
        cmocka_unit_test(without_a_block_nothing_is_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
