/*
 * test_specs.c - the order of the rows, on which the factory depends
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#include "certs/specs.h"

/* cmocka.h needs these four before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

/* The row of that name among the first `count`; NULL if there is none. */
static const struct cert_spec *
find(const char *name, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(cert_specs[i].name, name) == 0)
            return &cert_specs[i];
    }
    return NULL;
}

/* Would catch two certificates under one file name. */
static void
names_are_unique(void **state)
{
    (void)state;
    for (size_t i = 0; i < cert_spec_count; i++)
        assert_null(find(cert_specs[i].name, i));
}

/* Would catch a row that is issued before its authority exists. */
static void
issuers_are_authorities_above(void **state)
{
    (void)state;
    for (size_t i = 0; i < cert_spec_count; i++) {
        const struct cert_spec *spec = &cert_specs[i];
        const struct cert_spec *issuer;

        if (spec->issuer == NULL) {
            assert_int_equal(spec->use, CERT_AUTHORITY);
            continue;
        }
        issuer = find(spec->issuer, i);
        assert_non_null(issuer);
        assert_int_equal(issuer->use, CERT_AUTHORITY);
    }
}

/* Would catch a shared key that nobody has, or one that is shared twice over.
 */
static void
key_owners_are_above(void **state)
{
    (void)state;
    for (size_t i = 0; i < cert_spec_count; i++) {
        const struct cert_spec *owner;

        if (cert_specs[i].key_of == NULL)
            continue;
        owner = find(cert_specs[i].key_of, i);
        assert_non_null(owner);
        assert_null(owner->key_of);
    }
}

/* Would catch a certificate that ends before it starts, and an authority that
 * expires before what it issues. */
static void
validities_are_sound(void **state)
{
    (void)state;
    for (size_t i = 0; i < cert_spec_count; i++) {
        const struct cert_spec *spec = &cert_specs[i];

        assert_true(spec->starts_seconds < spec->ends_seconds);
        if (spec->issuer != NULL)
            assert_true(spec->ends_seconds
                        < find(spec->issuer, i)->ends_seconds);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_unique),
        cmocka_unit_test(issuers_are_authorities_above),
        cmocka_unit_test(key_owners_are_above),
        cmocka_unit_test(validities_are_sound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
