/*
 * jsontext.h - JSON as text: comments, and where a value stands in it
 *
 * jansson keeps no positions.  What its parser took is walked here once more,
 * by a loop that only counts brackets, down to the place that an error names.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_JSONTEXT_H
#define PROXY_JSONTEXT_H

#include <stddef.h>

/*
 * The line, from 1, with the first byte that is no UTF-8 (RFC 3629) or is NUL;
 * 0: there is none.  jansson would not see those that stand in comments.
 */
int jsontext_flaw(const char *text, size_t length);

/*
 * Overwrite comments, from // to the end of the line, with blanks: all that is
 * left keeps its place.  Knows what a string is, and that none spans lines.
 */
void jsontext_blank_comments(char *text, size_t length);

/*
 * Steps through a text that is valid JSON without comments, ended by NUL.  An
 * element begins with its value, a member with its key.
 *
 * The first child of the object or list that begins at container; it must have
 * one.
 */
const char *jsontext_first(const char *container);

/* The child after the one that begins at child, which must not be the last. */
const char *jsontext_next(const char *child);

/* Where the value of the member that begins at member begins. */
const char *jsontext_value(const char *member);

/* How many lines end between two places in a text. */
int jsontext_lines(const char *from, const char *to);

#endif
