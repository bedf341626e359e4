/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/board.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

const char *const process_names[] = {
    [PROCESS_NONE] = "none",       [PROCESS_MASTER] = "master",
    [PROCESS_CONTROL] = "control", [PROCESS_SIMULATOR] = "simulator",
    [PROCESS_WORKER] = "worker",   [PROCESS_RESOLVER] = "resolver",
    [PROCESS_CHECKER] = "checker",
};

const char *const limit_names[LIMIT_COUNT] = {
    [LIMIT_CONNECTIONS] = "connections",
    [LIMIT_ALL] = "all_connections",
    [LIMIT_PER_CLIENT] = "connections_per_client",
    [LIMIT_HANDSHAKES] = "handshakes",
};

#define WARNING_SECONDS 10

static double
wall_clock(void)
{
    struct timeval now;

    gettimeofday(&now, NULL);
    return (double)now.tv_sec + (double)now.tv_usec / 1e6;
}

struct board *
board_new(void)
{
    struct board *board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE,
                               MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (board == MAP_FAILED)
        return NULL;
    board->started = wall_clock();
    count(&board->next_id, 1);
    board_take(board, PROCESS_MASTER, CREW_TEST, 0)->pid = getpid();
    return board;
}

struct process_slot *
board_take(struct board *board, enum process_kind kind, enum crew crew,
           int index)
{
    for (size_t i = 0; i < BOARD_SLOTS; i++) {
        struct process_slot *slot = &board->slots[i];

        if (slot->kind != PROCESS_NONE)
            continue;
        slot->kind = kind;
        slot->crew = crew;
        slot->index = index;
        slot->started = wall_clock();
        if (board->used <= i)
            board->used = i + 1;
        return slot;
    }
    return NULL;
}

/* The counters of a port as an array, so that no sum forgets one. */
enum { COUNTERS = sizeof(struct port_counters) / sizeof(counter) };

static void
add(struct port_counters *to, const struct port_counters *from)
{
    counter *sum = &to->active;
    const counter *part = &from->active;

    for (size_t i = 0; i < COUNTERS; i++)
        count(&sum[i], counted(&part[i]));
}

void
board_release(struct board *board, struct process_slot *slot)
{
    struct process_slot *master = &board->slots[0];

    for (size_t i = 0; i < PORTS_MAX; i++) {
        slot->ports[i].active = 0;
        if (counted(&slot->ports[i].accepted) > 0)
            add(&master->ports[i], &slot->ports[i]);
    }
    count(&master->lost_events, counted(&slot->lost_events));
    memset(slot, 0, sizeof *slot);
}

void
board_sum(const struct board *board, size_t port, struct port_counters *sum)
{
    memset(sum, 0, sizeof *sum);
    for (size_t i = 0; i < board->used; i++)
        if (board->slots[i].kind != PROCESS_NONE)
            add(sum, &board->slots[i].ports[port]);
}

void
board_forget(struct board *board, size_t port)
{
    for (size_t i = 0; i < board->used; i++)
        memset(&board->slots[i].ports[port], 0,
               sizeof board->slots[i].ports[port]);
    memset(&board->vitals[port], 0, sizeof board->vitals[port]);
}

bool
board_may_warn(counter *warned)
{
    struct timespec now;
    uint64_t last = counted(warned);
    uint64_t seconds;

    clock_gettime(CLOCK_MONOTONIC, &now);
    seconds = (uint64_t)now.tv_sec + WARNING_SECONDS; /* never 0 */
    if (last != 0 && seconds - last < WARNING_SECONDS)
        return false;
    return atomic_compare_exchange_strong(warned, &last, seconds);
}

uint64_t
board_active(const struct board *board, size_t port)
{
    uint64_t active = 0;

    for (size_t i = 0; i < board->used; i++)
        active += counted(&board->slots[i].ports[port].active);
    return active;
}

uint64_t
board_open(const struct board *board, enum crew crew)
{
    uint64_t open = 0;

    for (size_t i = 0; i < board->used; i++)
        if (board->slots[i].crew == crew)
            open += counted(&board->slots[i].open);
    return open;
}
