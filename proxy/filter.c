/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/filter.h"

#include <stdio.h>
#include <string.h>

/* What is asked for, before it is understood. */
struct asked {
    struct query_text port, client, test;
    struct query_word verdict;
    struct query_number since, limit, wait;
};

static const struct query_rule rules[] = {
    {"port", QUERY_TEXT, offsetof(struct asked, port), 0, NULL},
    {"client", QUERY_TEXT, offsetof(struct asked, client), 0, NULL},
    {"test", QUERY_TEXT, offsetof(struct asked, test), 0, NULL},
    {"verdict", QUERY_WORD, offsetof(struct asked, verdict), VERDICT_OPEN + 1,
     verdict_names},
    {"since", QUERY_NUMBER, offsetof(struct asked, since), INT64_MAX, NULL},
    {"limit", QUERY_NUMBER, offsetof(struct asked, limit), FILTER_LIMIT_MAX,
     NULL},
    {"wait", QUERY_NUMBER, offsetof(struct asked, wait), FILTER_WAIT_MAX, NULL},
};

/* A NUL inside hides nothing: no name has one. */
static bool
is_text(const struct query_text *text)
{
    return strlen(text->bytes) == text->length;
}

static bool
find_port(struct filter *filter, const struct chart *chart,
          const struct query_text *asked)
{
    const char *name = asked->bytes;
    const struct chart_port *port = NULL;

    filter->port = *asked;
    if (!asked->given)
        return true;
    if (!is_text(asked) || asked->length == 0)
        return false;
    port = chart_find(chart, name);
    if (port == NULL)
        return port_find(name) != NULL; /* there is one, but it is not open */
    filter->port.length = strlen(port->name);
    memcpy(filter->port.bytes, port->name, filter->port.length + 1);
    return true;
}

static bool
find_client(struct filter *filter, const struct query_text *asked)
{
    struct net_address address;

    filter->one_client = asked->given;
    if (!asked->given)
        return true;
    if (!is_text(asked) || !net_numeric(asked->bytes, 0, &address))
        return false;
    filter->client = client_of(&address);
    return true;
}

bool
filter_read(struct filter *filter, const struct chart *chart, const char *query,
            size_t length, const struct client *asker, bool own,
            char error[QUERY_ERROR_MAX])
{
    struct asked asked = {.port = {.given = false}};

    if (!query_read(query, length, rules, sizeof rules / sizeof rules[0],
                    &asked, error))
        return false;
    *filter = (struct filter){
        .own = own,
        .asker = *asker,
        .test = asked.test,
        .verdict = asked.verdict,
        .since = asked.since,
        .limit = asked.limit,
        .wait = asked.wait,
    };
    if (!find_port(filter, chart, &asked.port)) {
        snprintf(error, QUERY_ERROR_MAX,
                 "port is neither the name nor the number of a port here");
        return false;
    }
    if (!find_client(filter, &asked.client)) {
        snprintf(error, QUERY_ERROR_MAX, "client must be an IP address");
        return false;
    }
    return true;
}

static bool
is_test(const struct query_text *asked, const char *test)
{
    if (test == NULL)
        return asked->length == 0;
    return asked->length == strlen(test)
           && memcmp(asked->bytes, test, asked->length) == 0;
}

bool
filter_matches(const struct filter *filter, const struct record *record)
{
    if (filter->own && !client_equal(&filter->asker, &record->client))
        return false;
    if (filter->one_client && !client_equal(&filter->client, &record->client))
        return false;
    if (filter->port.given && strcmp(filter->port.bytes, record->port) != 0)
        return false;
    if (filter->verdict.given
        && filter->verdict.value != (unsigned)record->verdict)
        return false;
    return !filter->test.given || is_test(&filter->test, record->test);
}
