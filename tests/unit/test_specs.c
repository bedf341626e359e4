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
            assert_true(spec->use == CERT_AUTHORITY
                        || strcmp(spec->name, "selfsigned") == 0);
            continue;
        }
        issuer = find(spec->issuer, i);
        assert_non_null(issuer);
        assert_true(issuer->use == CERT_AUTHORITY
                    || issuer->use == CERT_INTERMEDIATE);
    }
}

/* Would catch a row that takes its subject, or what a server sends, from one
 * that is not made yet. */
static void
others_are_above(void **state)
{
    (void)state;
    for (size_t i = 0; i < cert_spec_count; i++) {
        const struct cert_spec *spec = &cert_specs[i];

        if (spec->subject_of != NULL)
            assert_non_null(find(spec->subject_of, i));
        for (size_t k = 0; k < CERT_SENDS_MAX && spec->sends[k] != NULL; k++)
            assert_non_null(find(spec->sends[k], i));
    }
}

/* Would catch what is kept being made from what is not: after a restart, it
 * would fit to nothing. */
static void
what_is_kept_needs_nothing_fleeting(void **state)
{
    (void)state;
    for (size_t i = 0; i < cert_spec_count; i++) {
        const struct cert_spec *spec = &cert_specs[i];
        const char *const needed[] = {spec->issuer, spec->key_of,
                                      spec->subject_of};

        for (size_t k = 0; k < 3 && !spec->fleeting; k++)
            if (needed[k] != NULL)
                assert_false(find(needed[k], i)->fleeting);
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
            assert_true(strcmp(spec->issuer, "chain_expired_ca") == 0
                        || spec->ends_seconds + (spec->use == CERT_SERVER)
                               <= find(spec->issuer, i)->ends_seconds);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_unique),
        cmocka_unit_test(issuers_are_authorities_above),
        cmocka_unit_test(others_are_above),
        cmocka_unit_test(what_is_kept_needs_nothing_fleeting),
        cmocka_unit_test(key_owners_are_above),
        cmocka_unit_test(validities_are_sound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
