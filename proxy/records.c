/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/records.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "proxy/keyed.h"
#include "proxy/outbox.h"

/* How far back, among a client's records, a verdict may reach. */
#define LOOK_BACK 512

struct records {
    struct keyed keyed;
    const struct bindings *bindings;
    records_news *news;
    void *context;
    size_t most;
    uint64_t next;     /* number of the next arrival */
    uint64_t redirect; /* of the last one judged at its target; 0: none */
    struct record *ring;
    size_t buckets; /* a power of two */
    uint64_t *heads;
    struct record_counters counters[PORTS_MAX];
    char counted[PORTS_MAX][64]; /* the names of the ports that they are of */
};

struct records *
records_new(size_t most, const struct bindings *bindings)
{
    struct records *records = calloc(1, sizeof *records);

    if (records == NULL)
        goto failed;
    records->bindings = bindings;
    records->most = most;
    records->next = 1;
    records->buckets = 1;
    while (records->buckets < most)
        records->buckets *= 2;
    records->ring = calloc(most + 1, sizeof *records->ring);
    records->heads = calloc(records->buckets, sizeof *records->heads);
    if (records->ring == NULL || records->heads == NULL)
        goto failed;
    if (keyed_init(&records->keyed) == 0)
        return records;

failed:
    log_error("no memory for %zu records", most);
    records_free(records);
    return NULL;
}

void
records_watch(struct records *records, records_news *news, void *context)
{
    records->news = news;
    records->context = context;
}

uint64_t
records_next(const struct records *records)
{
    return records->next;
}

uint64_t
records_first(const struct records *records)
{
    return records->next > records->most ? records->next - records->most : 1;
}

const struct record *
records_get(const struct records *records, uint64_t sequence)
{
    if (sequence < records_first(records) || sequence >= records->next)
        return NULL;
    return &records->ring[(sequence - 1) % records->most];
}

void
records_view(const struct record *record, struct record_view *view)
{
    const uint8_t *bytes = record->packed;
    size_t length = record->length;

    (void)outbox_take(&bytes, &length, &view->event);
    outcome_classify(&view->event, record->row, &view->outcome);
    verdict_judge(&view->event, &view->outcome, record->row, record->test,
                  &view->judgement);
    switch (record->revision) {
    case REVISION_NONE:
        break;
    case REVISION_FOLLOWED:
        verdict_followed(record->row, &view->judgement);
        break;
    case REVISION_TOO_OFTEN:
        verdict_too_often(record->row, &view->judgement);
        break;
    }
}

uint64_t
records_hash(const struct records *records, const void *bytes, size_t length)
{
    return keyed_hash(&records->keyed, bytes, length);
}

const struct record_counters *
records_counters(const struct records *records, size_t port)
{
    return &records->counters[port];
}

static void
tell(const struct records *records, const struct record *record)
{
    if (records->news != NULL)
        records->news(records->context, record);
}

static void
revise(struct records *records, const struct record *found,
       enum record_revision revision)
{
    struct record *record =
        &records->ring[(found->sequence - 1) % records->most];
    struct record_view view;
    struct event event;
    const uint8_t *bytes = record->packed;
    size_t length = record->length;

    if (record->revision != REVISION_NONE)
        return;
    record->revision = revision;
    records_view(record, &view);
    record->verdict = view.judgement.verdict;
    if (outbox_take(&bytes, &length, &event))
        records->counters[event.port].revised++;
    if (record->sequence + 1 != records->next)
        tell(records, record); /* the newest is told when it is complete */
}

/* The client's record before this one, at most *steps away in its bucket. */
static const struct record *
older(const struct records *records, const struct record *record,
      unsigned *steps)
{
    const struct record *at = record;

    while (*steps > 0) {
        --*steps;
        at = records_get(records, at->older);
        if (at == NULL || client_equal(&at->client, &record->client))
            return at;
    }
    return NULL;
}

/* True if the second connection is the redirect of the first one, followed. */
static bool
follows(const struct record *redirect, const struct record *other)
{
    return redirect->row != NULL && other->row != NULL
           && redirect->row->judge == JUDGE_TARGET
           && redirect->mapi == MAPI_COMPLETE && redirect->row->target != NULL
           && strcmp(redirect->row->target, other->row->name) == 0
           && other->mapi >= MAPI_RESPONSE
           && other->binding <= redirect->binding
           && other->began >= redirect->began
           && other->began <= redirect->ended + VERDICT_TARGET_SECONDS;
}

/* The two may arrive in any order. */
static void
look_for_followed(struct records *records, const struct record *record)
{
    unsigned steps = LOOK_BACK;
    bool redirects = record->row != NULL && record->row->judge == JUDGE_TARGET;

    if (redirects)
        records->redirect = record->sequence;
    else if (record->mapi < MAPI_RESPONSE
             || records_get(records, records->redirect) == NULL)
        return; /* as nearly always */
    for (const struct record *other = older(records, record, &steps);
         other != NULL; other = older(records, other, &steps))
        if (redirects && follows(record, other))
            revise(records, record, REVISION_FOLLOWED);
        else if (follows(other, record))
            revise(records, other, REVISION_FOLLOWED);
}

static int
by_time(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* True if so many of the times in order, one of them `when`, are close. */
static bool
is_often(const double *times, size_t count, double when)
{
    for (size_t i = 0; i + VERDICT_COUNT_MOST <= count; i++) {
        double last = times[i + VERDICT_COUNT_MOST - 1];

        if (times[i] <= when && when <= last
            && last - times[i] <= VERDICT_COUNT_SECONDS)
            return true;
    }
    return false;
}

static void
count_visits(struct records *records, const struct record *record)
{
    double times[4 * VERDICT_COUNT_MOST] = {record->began};
    size_t count = 1;
    unsigned steps = LOOK_BACK;

    if (record->row == NULL || record->row->judge != JUDGE_COUNT)
        return;
    for (const struct record *other = older(records, record, &steps);
         other != NULL && count < sizeof times / sizeof times[0];
         other = older(records, other, &steps))
        if (other->row == record->row && other->binding == record->binding
            && !other->probe)
            times[count++] = other->began;
    qsort(times, count, sizeof times[0], by_time);
    if (is_often(times, count, record->began))
        revise(records, record, REVISION_TOO_OFTEN);
}

static uint64_t
group_of(const struct records *records, const struct record *record)
{
    uint8_t bytes[sizeof record->client + 1 + BINDINGS_NAME_MAX];
    struct wire_writer w = wire_writer(bytes, sizeof bytes);
    struct slice name =
        slice_text(record->test != NULL ? record->test : record->port);

    wire_put(&w, record->client.ip, sizeof record->client.ip);
    wire_put_be(&w, record->test != NULL, 1);
    wire_put(&w, name.bytes, name.length);
    return records_hash(records, bytes, sizeof bytes - w.left);
}

/* The bytes of a record: event, port, test. */
static bool
keep_bytes(struct record *record, struct slice packed, const char *port,
           const char *test)
{
    size_t port_size = strlen(port) + 1;
    size_t test_size = test != NULL ? strlen(test) + 1 : 0;
    uint8_t *bytes = malloc(packed.length + port_size + test_size);

    if (bytes == NULL)
        return false;
    memcpy(bytes, packed.bytes, packed.length);
    memcpy(bytes + packed.length, port, port_size);
    record->packed = bytes;
    record->length = (uint16_t)packed.length;
    record->port = (char *)bytes + packed.length;
    if (test != NULL)
        record->test =
            memcpy(bytes + packed.length + port_size, test, test_size);
    return true;
}

static void
link_record(struct records *records, struct record *record)
{
    size_t bucket =
        keyed_hash(&records->keyed, record->client.ip, sizeof record->client.ip)
        & (records->buckets - 1);
    struct record *place = &records->ring[(records->next - 1) % records->most];

    record->group = group_of(records, record);
    record->sequence = records->next++;
    record->older = records->heads[bucket];
    records->heads[bucket] = record->sequence;
    free(place->packed);
    *place = *record;
    look_for_followed(records, place);
    count_visits(records, place);
    tell(records, place);
}

/* An index may become another port's. */
static struct record_counters *
counters_of(struct records *records, size_t port, const char *name)
{
    char *counted = records->counted[port];

    if (strcmp(counted, name) != 0) {
        memset(&records->counters[port], 0, sizeof records->counters[port]);
        log_cut(counted, sizeof records->counted[port], name);
    }
    return &records->counters[port];
}

void
records_add(struct records *records, const struct event *event,
            struct slice packed, const char *port,
            const struct port_policy *row)
{
    struct client client = client_of(&event->client);
    struct binding test = bindings_find(records->bindings, &client, event->port,
                                        event->since_boot);
    struct record_counters *counters = counters_of(records, event->port, port);
    struct record record = {
        .binding = test.number,
        .accepted = event->accepted,
        .began = event->since_boot,
        .ended = event->since_boot + (double)event->total_seconds,
        .client = client,
        .row = row,
        .mapi = outcome_mapi(event),
    };
    struct outcome outcome;
    struct judgement judgement;

    outcome_classify(event, row, &outcome);
    verdict_judge(event, &outcome, row, test.name, &judgement);
    record.probe = outcome.probe;
    record.verdict = judgement.verdict;
    if (!outcome.probe) {
        counters->outcomes[outcome.origin][outcome.result]++;
        counters->verdicts[judgement.verdict]++;
    }
    if (records->most > 0 && keep_bytes(&record, packed, port, test.name))
        link_record(records, &record);
}

void
records_free(struct records *records)
{
    if (records == NULL)
        return;
    for (size_t i = 0; records->ring != NULL && i < records->most; i++)
        free(records->ring[i].packed);
    free(records->ring);
    free(records->heads);
    free(records);
}
