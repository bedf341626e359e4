/* SPDX-License-Identifier: MPL-2.0 */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/salt.h"

/* Would catch: salts that repeat, miss a character, or favour one; one that NSS
 * takes for the length of a TLS record, whose rest it then waits for. */
static void
salts_use_the_alphabet(void **state)
{
    struct salt_pool pool = {.left = 0};
    unsigned seen[256] = {0};
    char salt[SALT_LENGTH + 1] = "";

    (void)state;
    for (int i = 0; i < 5000; i++) {
        char last[SALT_LENGTH + 1];

        memcpy(last, salt, sizeof last);
        assert_int_equal(salt_make(&pool, salt), 0);
        assert_string_not_equal(salt, last);
        for (int j = 0; j < SALT_LENGTH; j++)
            seen[(unsigned char)salt[j]] += j != 1;
        assert_true(salt[1] << 8 > 16384 + 2048);
    }
    /* 887 expected, standard deviation 30: seven of them either way. */
    for (int i = 0; i < 256; i++)
        assert_in_range(seen[i], isalnum(i) ? 677 : 0, isalnum(i) ? 1097 : 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(salts_use_the_alphabet),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
