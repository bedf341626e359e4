/*
 * urlpath.h - the path of an HTTP request target
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_URLPATH_H
#define PROXY_URLPATH_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Decode the path of a request target (RFC 9112, 3.2; origin or absolute form)
 * into out, as text ended by NUL, without the query.  Percent-decoding happens
 * once; a broken escape, a NUL, a path that does not begin with '/' or does not
 * fit makes it false.
 */
bool urlpath_decode(const char *target, size_t length, char *out, size_t room);

#endif
