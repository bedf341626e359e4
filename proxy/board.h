/*
 * board.h - what all processes know of each other: a page of shared memory
 *
 * The master writes who lives; each worker counts in its own slot, which nobody
 * else writes; control reads all of it for /api/status.  Counting costs a store
 * to memory that no other CPU writes, and survives the process that counted.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_BOARD_H
#define PROXY_BOARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/sandbox.h"
#include "proxy/event.h"
#include "proxy/ports.h"

enum process_kind {
    PROCESS_NONE, /* the slot is free */
    PROCESS_MASTER,
    PROCESS_CONTROL,
    PROCESS_SIMULATOR,
    PROCESS_WORKER,
    PROCESS_RESOLVER,
    PROCESS_CHECKER, /* of a new configuration, and gone again */
};

#define BOARD_ENDS (END_BACKEND + 1)
/* As many workers as there can be, in all editions that a reload waits for. */
#define BOARD_SLOTS (64 * 18 + 16)

typedef _Atomic uint64_t counter;

/* What can be reached; see limits.h. */
enum limit {
    LIMIT_CONNECTIONS, /* of a port */
    LIMIT_ALL,         /* connections of all ports of the crew */
    LIMIT_PER_CLIENT,
    LIMIT_HANDSHAKES,
    LIMIT_COUNT,
};

struct port_counters {
    counter active; /* open now */
    counter accepted;
    counter probes;
    counter handshakes;        /* completed */
    counter alerts;            /* received: the client refused us */
    counter ended[BOARD_ENDS]; /* by enum event_end, probes left out */
    counter bytes_up, bytes_down;
    counter limited[LIMIT_COUNT]; /* not let in, or made to wait */
};

/* A port's backend; see vitals.h.  Times are seconds since 1970. */
struct vitals {
    counter state;  /* enum vitals_state */
    counter since;  /* when */
    counter error;  /* the last one */
    counter failed; /* connections that found it failing */
    counter warned;
};

struct process_slot {
    enum process_kind kind;
    enum crew crew;   /* whose ports it serves */
    int index;        /* workers: 0, 1, ... */
    unsigned edition; /* of the crew's ports; its newest number is in force */
    pid_t pid;
    unsigned restarts;    /* how often this one was replaced after a crash */
    double started;       /* seconds since 1970 */
    enum sandbox sandbox; /* its own word; the simulator has none to say */
    counter lost_events;
    counter open; /* connections */
    struct port_counters ports[PORTS_MAX];
};

struct board {
    double started;
    counter next_id;  /* the next connection's id */
    counter renewals; /* how often the leaves were issued again */
    counter warned[PORTS_MAX][LIMIT_COUNT]; /* see board_may_warn() */
    struct vitals vitals[PORTS_MAX];
    _Atomic size_t used; /* no slot from here on was ever taken */
    struct process_slot slots[BOARD_SLOTS]; /* [0] is the master's */
};

extern const char *const process_names[];
extern const char *const limit_names[LIMIT_COUNT];

/* A board shared with all processes forked later; NULL with errno set. */
struct board *board_new(void);

/* A free slot, now taken for kind, with all counters 0; NULL if there is none.
 */
struct process_slot *board_take(struct board *board, enum process_kind kind,
                                enum crew crew, int index);

/* Free the slot of a process that is gone.  What it counted is added to the
 * master's slot, what it had open is not open any more. */
void board_release(struct board *board, struct process_slot *slot);

/* Forget what was counted for a port: its index is another port's now. */
void board_forget(struct board *board, size_t port);

/* Connections that are open now: of one port, and of a crew. */
uint64_t board_active(const struct board *board, size_t port);
uint64_t board_open(const struct board *board, enum crew crew);

/* All slots' counters of one port added up. */
void
board_sum(const struct board *board, size_t port, struct port_counters *sum);

/* True for one caller in 10 s, over all processes; *warned is when that was
 * last, 0 for never. */
bool board_may_warn(counter *warned);

/* Count n in one's own slot. */
static inline void
count(counter *c, uint64_t n)
{
    uint64_t was = atomic_load_explicit(c, memory_order_relaxed);

    atomic_store_explicit(c, was + n, memory_order_relaxed);
}

static inline uint64_t
counted(const counter *c)
{
    return atomic_load_explicit(c, memory_order_relaxed);
}

#endif
