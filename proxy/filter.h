/*
 * filter.h - which records somebody asks for, and may see
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_FILTER_H
#define PROXY_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proxy/chart.h"
#include "proxy/client.h"
#include "proxy/query.h"
#include "proxy/records.h"

#define FILTER_LIMIT_MAX 1000
#define FILTER_WAIT_MAX  60 /* seconds */

struct filter {
    bool own; /* only those of the one who asks */
    struct client asker;
    bool one_client;
    struct client client;
    struct query_text port; /* the name of one */
    struct query_text test; /* "" is: of no test */
    struct query_word verdict;
    struct query_number since, limit, wait;
};

/*
 * Read a filter from the query of a request; own is true if the asker may see
 * its own records only.  False: error is one sentence that names the parameter.
 */
bool filter_read(struct filter *filter, const struct chart *chart,
                 const char *query, size_t length, const struct client *asker,
                 bool own, char error[QUERY_ERROR_MAX]);

/* True if the record is one of them, whatever its number is. */
bool filter_matches(const struct filter *filter, const struct record *record);

#endif
