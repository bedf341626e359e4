/* GET /api/connections; see routes.h.  SPDX-License-Identifier: MPL-2.0 */
#include <stdlib.h>
#include <string.h>

#include "proxy/account.h"
#include "proxy/filter.h"
#include "proxy/routes.h"

#define LIMIT_USUAL 100

/* Where an answer ends, whatever the limit is; `next` leads on. */
#define ANSWER_BYTES (1000 * 1000)

/* What a line's indentation adds to a record inside of the answer. */
#define RECORD_EXTRA 160

bool
routes_wants(const void *wanted, const void *record)
{
    const struct filter *filter = wanted;
    const struct record *news = record;

    return news->sequence >= filter->since.value
           && filter_matches(filter, news);
}

/* The log's object, and what was made of it. */
static json_t *
record_json(const struct record *record)
{
    struct record_view view;
    json_t *json;

    records_view(record, &view);
    json = account_json(&view.event, record->port, record->row);
    json_object_del(json, "event");
    if (record->row == NULL) /* an operator's backend is nobody's business */
        json_object_set_new(json, "backend", json_null());
    json_object_set_new(json, "time", account_time(record->accepted));
    json_object_set_new(
        json, "test",
        record->test == NULL
            ? json_null()
            : account_bytes(record->test, strlen(record->test)));
    json_object_set_new(json, "verdict",
                        json_string(verdict_names[view.judgement.verdict]));
    json_object_set_new(json, "why", json_string(view.judgement.why));
    return json;
}

/* Where to begin for the newest `limit` records that match. */
static uint64_t
newest(const struct records *records, const struct filter *filter,
       uint64_t limit)
{
    uint64_t at = records_next(records);

    while (at > records_first(records) && limit > 0) {
        at--;
        limit -= filter_matches(filter, records_get(records, at));
    }
    return at;
}

static uint64_t
begin(const struct records *records, const struct filter *filter,
      uint64_t limit)
{
    if (!filter->since.given)
        return newest(records, filter, limit);
    /* A number that has not been given yet is one of another run's: all that
     * there is has come since. */
    if (filter->since.value > records_next(records)
        || filter->since.value < records_first(records))
        return records_first(records);
    return filter->since.value;
}

/* Add the records from *at on; *at is then where the next answer goes on. */
static json_t *
list_records(const struct records *records, const struct filter *filter,
             uint64_t limit, uint64_t *at)
{
    json_t *list = json_array();
    size_t size = 0;

    for (; *at < records_next(records); (*at)++) {
        const struct record *record = records_get(records, *at);
        json_t *json;

        if (!filter_matches(filter, record))
            continue;
        if (json_array_size(list) == limit || size > ANSWER_BYTES)
            break;
        json = record_json(record);
        size += json_dumpb(json, NULL, 0, JSON_INDENT(1)) + RECORD_EXTRA;
        json_array_append_new(list, json);
    }
    return list;
}

/* Hold the request until a record comes, or one from that number on changes.
 * False: it has to be answered. */
static bool
wait_for_record(const struct http_request *request, const struct filter *filter,
                uint64_t from, struct http_reply *reply)
{
    struct filter *wanted;

    if (filter->wait.value == 0 || request->waiting == HTTP_WAITED)
        return false;
    if (request->waiting == HTTP_FULL) {
        routes_reply_error(reply, 429,
                           "wait: too many requests wait already, of all or "
                           "of this client's");
        return true;
    }
    wanted = malloc(sizeof *wanted);
    if (wanted == NULL)
        return false;
    *wanted = *filter;
    wanted->since = (struct query_number){true, from};
    reply->wanted = wanted;
    reply->hold = (double)filter->wait.value;
    return true;
}

void
route_connections(const struct routes_context *context,
                  const struct http_request *request, struct http_reply *reply)
{
    const struct records *records = context->records;
    struct filter filter;
    uint64_t limit = LIMIT_USUAL;
    uint64_t from, at;
    json_t *list;

    if (!routes_filter(context, request, &filter, reply))
        return;
    if (filter.limit.given)
        limit = filter.limit.value;
    from = at = begin(records, &filter, limit);
    list = list_records(records, &filter, limit, &at);
    if (json_array_size(list) == 0 && limit > 0
        && wait_for_record(request, &filter, from, reply)) {
        json_decref(list);
        return;
    }
    routes_reply_json(reply, json_pack("{s:o, s:I}", "connections", list,
                                       "next", (json_int_t)at));
}
