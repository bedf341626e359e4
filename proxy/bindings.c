/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/bindings.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "proxy/keyed.h"

#define BUCKETS 16384

/* One binding; a client's newest comes first. */
struct entry {
    struct entry *older;
    double from;
    uint64_t number;
    int port;
    char name[]; /* "": from here on none */
};

/* A client; whoever bound last stands last in the line. */
struct bound {
    struct client client;
    struct bound *chain; /* in its bucket */
    struct bound *before, *after;
    struct entry *newest;
    size_t count;
};

struct bindings {
    struct keyed keyed;
    uint64_t number; /* of the last binding */
    size_t clients, count;
    struct bound *first, *last;
    struct bound *buckets[BUCKETS];
};

double
bindings_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

struct bindings *
bindings_new(void)
{
    struct bindings *bindings = calloc(1, sizeof *bindings);

    if (bindings == NULL) {
        log_error("no memory for the names of tests");
        return NULL;
    }
    if (keyed_init(&bindings->keyed) == 0)
        return bindings;
    free(bindings);
    return NULL;
}

static size_t
bucket_of(const struct bindings *bindings, const struct client *client)
{
    return keyed_hash(&bindings->keyed, client->ip, sizeof client->ip)
           % BUCKETS;
}

static struct bound *
find_client(const struct bindings *bindings, const struct client *client)
{
    struct bound *bound = bindings->buckets[bucket_of(bindings, client)];

    while (bound != NULL && !client_equal(&bound->client, client))
        bound = bound->chain;
    return bound;
}

static void
leave_line(struct bindings *bindings, struct bound *bound)
{
    *(bound->before != NULL ? &bound->before->after : &bindings->first) =
        bound->after;
    *(bound->after != NULL ? &bound->after->before : &bindings->last) =
        bound->before;
}

static void
join_line(struct bindings *bindings, struct bound *bound)
{
    bound->after = NULL;
    bound->before = bindings->last;
    *(bindings->last != NULL ? &bindings->last->after : &bindings->first) =
        bound;
    bindings->last = bound;
}

/* Forget what is behind the first `most` entries. */
static void
cut(struct bindings *bindings, struct bound *bound, size_t most)
{
    struct entry **at = &bound->newest;

    for (size_t i = 0; i < most && *at != NULL; i++)
        at = &(*at)->older;
    while (*at != NULL) {
        struct entry *gone = *at;

        *at = gone->older;
        free(gone);
        bound->count--;
        bindings->count--;
    }
}

static void
forget(struct bindings *bindings, struct bound *bound)
{
    struct bound **at = &bindings->buckets[bucket_of(bindings, &bound->client)];

    while (*at != bound)
        at = &(*at)->chain;
    *at = bound->chain;
    leave_line(bindings, bound);
    cut(bindings, bound, 0);
    bindings->clients--;
    free(bound);
}

static struct bound *
add_client(struct bindings *bindings, const struct client *client)
{
    struct bound *bound = calloc(1, sizeof *bound);
    size_t bucket = bucket_of(bindings, client);

    if (bound == NULL)
        return NULL;
    bound->client = *client;
    bound->chain = bindings->buckets[bucket];
    bindings->buckets[bucket] = bound;
    join_line(bindings, bound);
    bindings->clients++;
    return bound;
}

static void
keep_bounds(struct bindings *bindings, struct bound *bound)
{
    cut(bindings, bound, BINDINGS_EACH_MAX);
    /* One client alone is far below these bounds: it is never forgotten. */
    while (bindings->clients > BINDINGS_CLIENTS_MAX
           || bindings->count > BINDINGS_MAX)
        forget(bindings, bindings->first);
}

bool
bindings_bind(struct bindings *bindings, const struct client *client,
              double now, int port, const char *name, size_t length)
{
    struct bound *bound = find_client(bindings, client);
    struct entry *entry;

    if (length > BINDINGS_NAME_MAX || memchr(name, '\0', length) != NULL)
        return false;
    if (bound == NULL && length == 0)
        return true; /* nothing to end */
    if (bound == NULL)
        bound = add_client(bindings, client);
    entry = malloc(sizeof *entry + length + 1);
    if (bound == NULL || entry == NULL) {
        free(entry);
        return false;
    }
    *entry = (struct entry){bound->newest, now, ++bindings->number, port};
    memcpy(entry->name, name, length);
    entry->name[length] = '\0';
    bound->newest = entry;
    bound->count++;
    bindings->count++;
    leave_line(bindings, bound);
    join_line(bindings, bound);
    keep_bounds(bindings, bound);
    return true;
}

struct binding
bindings_find(const struct bindings *bindings, const struct client *client,
              int port, double when)
{
    const struct bound *bound = find_client(bindings, client);
    const struct entry *entry = bound != NULL ? bound->newest : NULL;

    while (entry != NULL
           && (entry->from > when
               || (entry->port != BINDINGS_ALL_PORTS && entry->port != port)))
        entry = entry->older;
    if (entry == NULL || entry->name[0] == '\0'
        || when - entry->from > BINDINGS_SECONDS)
        return (struct binding){NULL, 0};
    return (struct binding){entry->name, entry->number};
}

size_t
bindings_clients(const struct bindings *bindings)
{
    return bindings->clients;
}

size_t
bindings_count(const struct bindings *bindings)
{
    return bindings->count;
}

void
bindings_free(struct bindings *bindings)
{
    while (bindings != NULL && bindings->first != NULL)
        forget(bindings, bindings->first);
    free(bindings);
}
