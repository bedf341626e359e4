/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/child.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/log.h"
#include "proxy/control.h"
#include "proxy/worker.h"

#define EXIT_NOT_RUN 127 /* as a shell has it */

/* Seconds for a response once it has begun, and the most that mapisim takes. */
#define SIMULATOR_LOGIN   30
#define SIMULATOR_LONGEST 86400

/* The descriptors of a child beyond standard input, output and error. */
struct keep {
    int fds[PORTS_MAX * SOCKETS_ADDRESSES_MAX + WORKERS_MAX + 2];
    size_t count;
};

static void
keep(struct keep *list, int fd)
{
    list->fds[list->count++] = fd;
}

static int
by_number(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* Close every descriptor that is not in the list. */
static void
close_others(struct keep *list)
{
    unsigned next = STDERR_FILENO + 1;

    qsort(list->fds, list->count, sizeof list->fds[0], by_number);
    for (size_t i = 0; i < list->count; i++) {
        unsigned fd = (unsigned)list->fds[i];

        if (fd > next)
            close_range(next, fd - 1, 0);
        next = fd + 1;
    }
    close_range(next, UINT_MAX, 0);
}

static void
become_child(pid_t master, const char *name)
{
    static const int ignored[] = {SIGINT, SIGTERM, SIGHUP};

    /* The master's loop is not ours: its watchers, and the epoll instance that
     * a fork shares, must not be touched from here. */
    ev_loop_destroy(ev_default_loop(0));
    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
        signal(ignored[i], SIG_IGN);
    prctl(PR_SET_NAME, name);
    /* Not an end of file on the channel alone: a process that hangs would not
     * read it. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != master)
        _exit(EXIT_FAILURE);
}

static int
run_worker(const struct site *site, struct process_slot *slot, int channel)
{
    const struct sockets *sockets = &site->sockets;
    const struct worker_task task = {
        .settings = site->settings,
        .layout = &site->layout,
        .sockets = sockets,
        .material = &site->material,
        .forward = &site->forward,
        .backends = &site->backends,
        .board = site->board,
        .slot = slot,
        .index = slot->index,
        .channel = channel,
        .events = site->events[slot->index].worker,
    };
    struct keep list = {.count = 0};

    keep(&list, task.channel);
    keep(&list, task.events);
    for (size_t p = 0; p < sockets->ports; p++)
        for (size_t a = 0; a < sockets->addresses; a++)
            keep(&list, sockets_get(sockets, p, a, slot->index));
    close_others(&list);
    return worker_run(&task);
}

static int
run_control(const struct site *site, int channel)
{
    int events[WORKERS_MAX];
    struct control_task task = {
        .settings = site->settings,
        .layout = &site->layout,
        .board = site->board,
        .http = site->sockets.base,
        .http_count = site->sockets.addresses,
        .events = events,
        .event_count = (size_t)site->settings->workers,
        .channel = channel,
    };
    struct keep list = {.count = 0};

    keep(&list, channel);
    for (size_t i = 0; i < task.http_count; i++)
        keep(&list, task.http[i]);
    for (size_t i = 0; i < task.event_count; i++) {
        events[i] = site->events[i].control;
        keep(&list, events[i]);
    }
    close_others(&list);
    task.store = store_new(site->certs);
    return task.store == NULL ? EXIT_FAILURE : control_run(&task);
}

/* The worker's timer for the first byte is the one that counts: the simulator's
 * own is for what follows it, and must never be the shorter. */
static double
simulator_patience(const struct timers *timers)
{
    if (timers->first_byte == 0
        || timers->first_byte > SIMULATOR_LONGEST - SIMULATOR_LOGIN)
        return SIMULATOR_LONGEST;
    return timers->first_byte + SIMULATOR_LOGIN;
}

/* Replaces this process; returns only if that fails. */
static int
run_simulator(const struct site *site, int channel)
{
    const struct settings *settings = site->settings;
    struct keep list = {.count = 0};
    char listen_fd[16];
    char eof_fd[16];
    char login_seconds[32];
    const char *argv[] = {
        "mapisim",
        "--proxy-protocol",
        "--listen-fd",
        listen_fd,
        "--until-eof",
        eof_fd,
        "--login-timeout",
        login_seconds,
        "--log-format",
        settings->log_format == LOG_JSON ? "json" : "text",
        settings->verbose > 0 ? "-v" : NULL,
        NULL,
    };

    keep(&list, channel);
    keep(&list, site->simulator);
    close_others(&list);
    snprintf(listen_fd, sizeof listen_fd, "%d", site->simulator);
    snprintf(eof_fd, sizeof eof_fd, "%d", channel);
    snprintf(login_seconds, sizeof login_seconds, "%.3f",
             simulator_patience(&settings->timers));
    if (fcntl(channel, F_SETFD, 0) == 0
        && fcntl(site->simulator, F_SETFD, 0) == 0)
        execv(site->simulator_program, (char *const *)argv);
    log_errno("cannot run the simulator, %s", site->simulator_program);
    return EXIT_NOT_RUN;
}

static int
run(const struct site *site, struct process_slot *slot, int channel)
{
    switch (slot->kind) {
    case PROCESS_WORKER:
        return run_worker(site, slot, channel);
    case PROCESS_CONTROL:
        return run_control(site, channel);
    case PROCESS_SIMULATOR:
        return run_simulator(site, channel);
    case PROCESS_NONE:
    case PROCESS_MASTER:
        break;
    }
    return EXIT_FAILURE;
}

pid_t
child_start(const struct site *site, struct process_slot *slot, int channel)
{
    static const char *const names[] = {
        [PROCESS_WORKER] = "mapitest:worker",
        [PROCESS_CONTROL] = "mapitest:ctrl",
        [PROCESS_SIMULATOR] = "mapitest:sim",
    };
    pid_t master = getpid();
    pid_t pid = fork();

    if (pid == 0) {
        become_child(master, names[slot->kind]);
        exit(run(site, slot, channel));
    }
    if (pid > 0)
        slot->pid = pid;
    return pid;
}
