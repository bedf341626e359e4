/* GET /api/verdicts; see routes.h.  SPDX-License-Identifier: MPL-2.0 */
#include <stdlib.h>
#include <string.h>

#include "proxy/account.h"
#include "proxy/filter.h"
#include "proxy/keyset.h"
#include "proxy/routes.h"

#define ANSWER_BYTES (1000 * 1000)
#define ROW_EXTRA    32

/* Tests of clients; those that ran last are told. */
#define GROUPS_MAX 65536

/* The run of a test, or the connections of a client to a port. */
struct group {
    uint64_t binding; /* the newest one's */
    const struct record *record;
};

/* In a run a failure counts, however often the client has passed; a verdict
 * says more than none. */
static int
weight(enum verdict verdict)
{
    switch (verdict) {
    case VERDICT_FAIL:
        return 2;
    case VERDICT_PASS:
        return 1;
    case VERDICT_OPEN:
        break;
    }
    return 0;
}

/* Records come from the newest to the oldest. */
static void
enter(struct group *group, const struct record *record)
{
    if (group->record == NULL) {
        *group = (struct group){record->binding, record};
        return;
    }
    if (record->binding != group->binding)
        return; /* an older run */
    if (record->test == NULL) {
        if (group->record->verdict == VERDICT_OPEN
            && record->verdict != VERDICT_OPEN)
            group->record = record;
    } else if (weight(record->verdict) > weight(group->record->verdict)) {
        group->record = record;
    }
}

static void
gather(const struct records *records, const struct filter *filter,
       struct keyset *keys, struct group *groups)
{
    struct filter any_verdict = *filter;

    any_verdict.verdict.given = false;
    for (uint64_t at = records_next(records); at-- > records_first(records);) {
        const struct record *record = records_get(records, at);
        size_t number;

        if (!record->probe && filter_matches(&any_verdict, record)
            && keyset_enter(keys, record->group, &number))
            enter(&groups[number], record);
    }
}

static int
by_arrival(const void *a, const void *b)
{
    const struct group *x = a, *y = b;

    return (x->record->sequence > y->record->sequence)
           - (x->record->sequence < y->record->sequence);
}

static json_t *
row_json(const struct record *record)
{
    struct record_view view;
    char client[NET_TEXT_MAX];
    json_t *test = json_null();

    records_view(record, &view);
    if (record->test != NULL)
        test = account_bytes(record->test, strlen(record->test));
    return json_pack(
        "{s:o, s:s, s:s, s:s, s:s, s:I}", "test", test, "port", record->port,
        "client", net_host_text(&view.event.client, client), "verdict",
        verdict_names[view.judgement.verdict], "why", view.judgement.why,
        "connection", (json_int_t)view.event.id);
}

/* *next is where the next answer goes on. */
static json_t *
list_groups(const struct group *groups, size_t count,
            const struct filter *filter, uint64_t *next)
{
    uint64_t limit =
        filter->limit.given ? filter->limit.value : FILTER_LIMIT_MAX;
    json_t *list = json_array();
    size_t size = 0;

    for (size_t i = 0; i < count; i++) {
        const struct record *record = groups[i].record;
        json_t *json;

        if ((filter->since.given && record->sequence < filter->since.value)
            || !filter_matches(filter, record))
            continue;
        if (json_array_size(list) == limit || size > ANSWER_BYTES) {
            *next = record->sequence;
            break;
        }
        json = row_json(record);
        size += json_dumpb(json, NULL, 0, JSON_INDENT(1)) + ROW_EXTRA;
        json_array_append_new(list, json);
    }
    return list;
}

void
route_verdicts(const struct routes_context *context,
               const struct http_request *request, struct http_reply *reply)
{
    const struct records *records = context->records;
    uint64_t next = records_next(records);
    size_t most = next - records_first(records);
    struct group *groups = NULL;
    struct keyset keys = {.most = 0};
    struct filter filter;
    json_t *list;

    if (!routes_filter(context, request, &filter, reply))
        return;
    if (most > GROUPS_MAX)
        most = GROUPS_MAX;
    groups = calloc(most + 1, sizeof *groups);
    if (groups == NULL || keyset_open(&keys, most) == -1) {
        routes_reply_error(reply, 503, "there is no memory for the answer");
        goto done;
    }
    gather(records, &filter, &keys, groups);
    qsort(groups, keys.count, sizeof *groups, by_arrival);
    list = list_groups(groups, keys.count, &filter, &next);
    routes_reply_json(reply, json_pack("{s:o, s:I}", "verdicts", list, "next",
                                       (json_int_t)next));

done:
    keyset_close(&keys);
    free(groups);
}
