/*
 * records.h - what clients did, for as long as there is room
 *
 * The newest records of finished connections, each as it was sent, with the
 * test that it belongs to and the verdict on it.  Arrivals are numbered: ids
 * are given when a connection begins, and it arrives when it is over.
 *
 * A verdict may change with what arrives later: a redirect that was followed, a
 * client that comes again and again (verdict.h).  Only connections of the same
 * client count, and none that belongs to a test which was bound later.
 *
 * Memory is bounded by the number of records, and by the length of one.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_RECORDS_H
#define PROXY_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/wire.h"
#include "proxy/bindings.h"
#include "proxy/client.h"
#include "proxy/event.h"
#include "proxy/outcome.h"
#include "proxy/ports.h"
#include "proxy/verdict.h"

#define RECORDS_MOST 1000000

/* What has changed a verdict. */
enum record_revision {
    REVISION_NONE,
    REVISION_FOLLOWED,  /* the redirect */
    REVISION_TOO_OFTEN, /* the client came */
};

struct record {
    uint64_t sequence; /* its number among all arrivals, from 1 */
    uint64_t older;    /* number of one before it in the same bucket, or 0 */
    uint64_t group;    /* the same for the same client and test; without one,
                          for the same client and port */
    uint64_t binding;  /* of the test: a higher one was bound later; 0: none */
    double accepted;   /* seconds since 1970 */
    double began;      /* the same moment, and the end, since boot */
    double ended;
    struct client client;
    const struct port_policy *row; /* NULL: an operator's port */
    const char *port;
    const char *test; /* NULL: none */
    uint8_t *packed;  /* the event, as in outbox.h; port and test behind it */
    uint16_t length;  /* of the event */
    enum event_mapi mapi;
    bool probe;
    enum verdict verdict;
    enum record_revision revision;
};

/* All that is known of a record. */
struct record_view {
    struct event event; /* its texts are the record's */
    struct outcome outcome;
    struct judgement judgement;
};

/* What was counted of a port since control began, whatever is kept. */
struct record_counters {
    uint64_t outcomes[ORIGIN_ORDERLY + 1][RESULT_VALIDATION_FAILURE + 1];
    uint64_t verdicts[VERDICT_OPEN + 1]; /* as they were at first */
    uint64_t revised;
};

struct records;

/* Called for each record that has arrived or changed. */
typedef void records_news(void *context, const struct record *record);

/* At most so many records; 0 keeps none.  Names of tests are looked up in
 * bindings, which outlives it.  NULL with the reason logged. */
struct records *records_new(size_t most, const struct bindings *bindings);

void records_watch(struct records *records, records_news *news, void *context);

/*
 * Add an event; packed are its bytes as outbox_take() took them.  port is the
 * name of its port, row that of the port table.  Without memory it is lost.
 */
void records_add(struct records *records, const struct event *event,
                 struct slice packed, const char *port,
                 const struct port_policy *row);

/* Numbers of the oldest record that is kept and of the next to arrive. */
uint64_t records_first(const struct records *records);
uint64_t records_next(const struct records *records);

/* The record of that number, or NULL; valid until the next records_add(). */
const struct record *
records_get(const struct records *records, uint64_t sequence);

/* Look at a record; valid as long as the record is. */
void records_view(const struct record *record, struct record_view *view);

/* A keyed hash (keyed.h), for who merges records. */
uint64_t
records_hash(const struct records *records, const void *bytes, size_t length);

/* What was counted of the port of that index. */
const struct record_counters *
records_counters(const struct records *records, size_t port);

/* NULL does nothing. */
void records_free(struct records *records);

#endif
