/*
 * health.h - how a running instance is: mapitest --health
 *
 * For container checks and humans: one GET of /api/status, one line on standard
 * output, one exit status.  An HTTP/1.0 client of a few lines; redirects and
 * TLS are for others.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_HEALTH_H
#define PROXY_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/net.h"

#define HEALTH_TEXT_MAX 160

struct health_url {
    char authority[NET_HOST_MAX + 16]; /* as it was given: for "Host:" */
    char host[NET_HOST_MAX];
    uint16_t port;
    char path[512];
};

/*
 * Take http://HOST[:PORT][/PATH] apart, HOST a name, an IPv4 address or an IPv6
 * one in brackets, PORT 80 and PATH /api/status if there is none.  What is
 * found fits into a request as it is.  Returns NULL, or why not: a fragment.
 */
const char *health_parse_url(const char *text, struct health_url *url);

/*
 * Judge a whole HTTP reply.  True if it is the status of an instance that has
 * ports: then out is "11 ports, 3 connections, up 2 h 5 min"; if not, it says
 * why.  Nothing of the reply's text gets there.
 */
bool health_judge(const char *reply, size_t length, char out[HEALTH_TEXT_MAX]);

/*
 * Ask the instance at url, or at $MAPITEST_HEALTH_URL if that is NULL, or at
 * http://127.0.0.1:50000/, and tell.  Takes 5 seconds at most, by SIGALRM,
 * after which the process ends.  Returns the exit status: 0 if it is healthy,
 * 1 if not.
 */
int health_run(const char *url);

#endif
