/*
 * state_directory.h - a state directory to copy, to spoil and to compare with
 *
 * For the tests of state.h.  The clock is ours (the linker's --wrap=time).
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef TESTS_STATE_DIRECTORY_H
#define TESTS_STATE_DIRECTORY_H

/* cmocka.h needs these four before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "proxy/state.h"
#include "wound_clock.h"

#define DAY 86400L

static const char *const hostnames[] = {"localhost", "127.0.0.1"};

/* A directory for everything, and in it the state that all tests start from,
 * since keys are slow. */
static char root[] = "/tmp/test_state.XXXXXX";
static char full[64];
static struct state original;

/* The state directory of the test, a copy of `full`. */
static char dir[64];

static void
shell(const char *format, ...)
{
    char command[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    assert_int_equal(system(command), 0);
}

static int
setup(void **state)
{
    (void)state;
    now = 1800000000;
    if (mkdtemp(root) == NULL)
        return -1;
    snprintf(full, sizeof full, "%s/full", root);
    snprintf(dir, sizeof dir, "%s/dir", root);
    return state_open(&original, full, hostnames, 2);
}

static int
teardown(void **state)
{
    (void)state;
    cert_set_free(original.certs);
    shell("rm -rf %s", root);
    return 0;
}

static int
copy(void **state)
{
    (void)state;
    now = 1800000000;
    shell("rm -rf %s && cp -a %s %s", dir, full, dir);
    return 0;
}

static struct state
open_state(void)
{
    struct state state;

    assert_int_equal(state_open(&state, dir, hostnames, 2), 0);
    assert_int_equal(ERR_peek_error(), 0);
    return state;
}

static bool
is_leaf(const struct cert *cert)
{
    return cert->spec->use != CERT_AUTHORITY;
}

/* Compare with the original what is kept: all but, or also, the leaves'
 * certificates. */
static void
assert_original(const struct state *state, bool leaves)
{
    assert_memory_equal(state->ticket_secret, original.ticket_secret,
                        TICKETS_SECRET_BYTES);
    assert_int_equal(state->certs->count, original.certs->count);
    for (size_t i = 0; i < state->certs->count; i++) {
        const struct cert *cert = &state->certs->certs[i];
        const struct cert *want = &original.certs->certs[i];

        assert_int_equal(X509_verify(cert->x509, cert->issuer->key), 1);
        if (cert->spec->fleeting)
            continue;
        assert_int_equal(EVP_PKEY_eq(cert->key, want->key), 1);
        assert_int_equal(X509_cmp(cert->x509, want->x509) == 0,
                         leaves || !is_leaf(cert));
    }
}

#endif
