/*
 * wound_clock.h - time(2) as the tests set it (linked by --wrap=time)
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef TESTS_UNIT_WOUND_CLOCK_H
#define TESTS_UNIT_WOUND_CLOCK_H

#include <stddef.h>
#include <time.h>

static time_t now;

time_t __wrap_time(time_t *out);

time_t
__wrap_time(time_t *out)
{
    if (out != NULL)
        *out = now;
    return now;
}

#endif
