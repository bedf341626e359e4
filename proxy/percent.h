/*
 * percent.h - percent-encoding (RFC 3986, 2.1)
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_PERCENT_H
#define PROXY_PERCENT_H

/* Take a byte, which may be written as %HH, off the text from *at to end, which
 * is not empty.  -1: a % without two hexadecimal digits. */
int percent_take(const char **at, const char *end);

#endif
