/*
 * hearing.h - the line that the code under test logs
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef TESTS_UNIT_HEARING_H
#define TESTS_UNIT_HEARING_H

/* cmocka.h needs these four before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int file = -1, real = -1;

/* Standard error goes to a file until heard(). */
static void
listen_to_log(void)
{
    file = memfd_create("log", MFD_CLOEXEC);
    real = dup(STDERR_FILENO);
    assert_int_equal(dup2(file, STDERR_FILENO), STDERR_FILENO);
}

/* The one line that was logged, without its newline. */
static char *
heard(void)
{
    static char line[8192];
    ssize_t n;

    assert_int_equal(dup2(real, STDERR_FILENO), STDERR_FILENO);
    n = pread(file, line, sizeof line, 0);
    close(file);
    close(real);
    assert_true(n > 0 && (size_t)n < sizeof line && line[n - 1] == '\n');
    line[n - 1] = '\0';
    assert_null(strchr(line, '\n'));
    return line;
}

#endif
