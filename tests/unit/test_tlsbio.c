/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reading_takes_turns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
