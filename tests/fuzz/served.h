/*
 * served.h - a base port's content for the HTTP targets, and what to claim
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef TESTS_FUZZ_SERVED_H
#define TESTS_FUZZ_SERVED_H

#include "proxy/routes.h"

/* All ports, and some files; made once. */
struct routes_context *served(void);

/* True if there is something under this path. */
bool served_path(const char *path);

/* Require that the reply to path is what it has to be. */
void served_check(const char *path, const struct http_reply *reply);

#endif
