/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/child.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/log.h"
#include "base/sandbox.h"
#include "base/secret.h"
#include "proxy/checker.h"
#include "proxy/confine.h"
#include "proxy/control.h"
#include "proxy/operator_files.h"
#include "proxy/resolver.h"
#include "proxy/worker.h"

#define EXIT_NOT_RUN 127 /* as a shell has it */

/* Between two resolutions of -b and -f, if they are names. */
#define RESOLVE_SECONDS 30.0

/* Seconds for a response once it has begun, and the most that mapisim takes. */
#define SIMULATOR_LOGIN   30
#define SIMULATOR_LONGEST 86400

/* The descriptors of a child beyond standard input, output and error. */
struct keep {
    int *fds;
    size_t count, room;
};

/* Without memory there is no child. */
static void
keep(void *context, int fd)
{
    struct keep *list = context;

    if (list->count == list->room) {
        list->room = 2 * list->room + 64;
        list->fds = realloc(list->fds, list->room * sizeof *list->fds);
        if (list->fds == NULL)
            _exit(EXIT_FAILURE);
    }
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
    free(list->fds);
    *list = (struct keep){.count = 0};
}

static void
become_child(pid_t master, const char *name,
             const struct privileges *privileges)
{
    static const int ignored[] = {SIGINT, SIGTERM, SIGHUP};

    /* The master's loop is not ours: its watchers, and the epoll instance that
     * a fork shares, must not be touched from here. */
    ev_loop_destroy(ev_default_loop(0));
    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
        signal(ignored[i], SIG_IGN);
    prctl(PR_SET_NAME, name);
    sandbox_forbid_dumps();
    /* Not an end of file on the channel alone: a process that hangs would not
     * read it. */
    if (privileges_drop_in_child(privileges, master) == -1)
        _exit(EXIT_FAILURE);
}

/* Whoever reads a process that talks to strangers, and makes no tickets, shall
 * not find there what opens the operator's. */
static void
forget_secret(const struct child_task *task)
{
    struct policy_material *material = &task->site->material;

    if (task->slot->kind != PROCESS_WORKER)
        OPENSSL_cleanse(material->ticket_secret,
                        sizeof material->ticket_secret);
    else
        secret_guard(material->ticket_secret, sizeof material->ticket_secret);
}

static int
run_worker(const struct child_task *task)
{
    const struct site *site = task->site;
    const struct edition *edition = task->edition;
    const struct process_slot *slot = task->slot;
    const struct worker_task work = {
        .settings = site->settings,
        .edition = task->edition,
        .material = &site->material,
        .board = site->board,
        .tally = site->tally,
        .slot = task->slot,
        .channel = task->channel,
        .events = site->events[slot->crew][slot->index].worker,
    };
    struct keep list = {.count = 0};

    keep(&list, work.channel);
    keep(&list, work.events);
    for (size_t i = 0; i < edition->sockets.count; i++)
        keep(&list, edition->sockets.rows[i].listening->fds[slot->index]);
    if (edition->config != NULL)
        operator_files_each(edition->config, keep, &list);
    if (edition->trusted != NULL)
        operator_files_each(edition->trusted, keep, &list);
    close_others(&list);
    return worker_run(&work);
}

/* Add an edition's HTTP sockets to fds. */
static size_t
add_http(int *fds, size_t count, const struct sockets *sockets,
         struct keep *list)
{
    for (size_t i = 0; i < sockets->base_count; i++) {
        fds[count++] = sockets->base[i]->fds[0];
        keep(list, fds[count - 1]);
    }
    return count;
}

static int
run_control(const struct child_task *task)
{
    const struct site *site = task->site;
    int events[CREW_COUNT * WORKERS_MAX];
    int http[2 * SETTINGS_LIST_MAX];
    struct keep list = {.count = 0};
    struct control_task work = {
        .settings = site->settings,
        .chart = task->chart,
        .board = site->board,
        .slot = task->slot,
        .http = http,
        .events = events,
        .channel = task->channel,
    };

    keep(&list, task->channel);
    if (site->editions[CREW_TEST] != NULL)
        work.http_count =
            add_http(http, 0, &site->editions[CREW_TEST]->sockets, &list);
    work.http_count = add_http(http, work.http_count, &site->http, &list);
    for (int c = 0; c < CREW_COUNT; c++)
        for (int i = 0; i < WORKERS_MAX; i++)
            if (site->events[c][i].control != -1) {
                events[work.event_count++] = site->events[c][i].control;
                keep(&list, site->events[c][i].control);
            }
    close_others(&list);
    work.store = store_new(site->certs);
    return work.store == NULL ? EXIT_FAILURE : control_run(&work);
}

static int
run_resolver(const struct child_task *task)
{
    struct keep list = {.count = 0};
    const struct config *config = task->edition->config;

    keep(&list, task->channel);
    close_others(&list);
    if (confine(SANDBOX_NAMES, task->edition, task->slot) == -1)
        return EXIT_FAILURE;
    return resolver_run(task->edition,
                        config != NULL ? config->resolve_seconds
                                       : RESOLVE_SECONDS,
                        task->channel);
}

static int
run_checker(const struct child_task *task)
{
    struct keep list = {.count = 0};

    keep(&list, task->channel);
    operator_files_each(task->edition->config, keep, &list);
    close_others(&list);
    if (confine(SANDBOX_NAMES, task->edition, task->slot) == -1)
        return EXIT_FAILURE;
    return checker_report(task->edition, task->channel);
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
run_simulator(const struct child_task *task)
{
    const struct site *site = task->site;
    const struct settings *settings = site->settings;
    int channel = task->channel;
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
        log_format_names[settings->log_format],
        NULL, /* -v */
        NULL, /* --no-sandbox */
        NULL,
    };
    const char **more = argv;

    while (*more != NULL)
        more++;
    if (settings->verbose > 0)
        *more++ = "-v";
    if (settings->no_sandbox)
        *more++ = "--no-sandbox";
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
run(const struct child_task *task)
{
    switch (task->slot->kind) {
    case PROCESS_WORKER:
        return run_worker(task);
    case PROCESS_CONTROL:
        return run_control(task);
    case PROCESS_SIMULATOR:
        return run_simulator(task);
    case PROCESS_RESOLVER:
        return run_resolver(task);
    case PROCESS_CHECKER:
        return run_checker(task);
    case PROCESS_NONE:
    case PROCESS_MASTER:
        break;
    }
    return EXIT_FAILURE;
}

pid_t
child_start(const struct child_task *task)
{
    static const char *const names[] = {
        [PROCESS_WORKER] = "mapitest:worker",
        [PROCESS_CONTROL] = "mapitest:ctrl",
        [PROCESS_SIMULATOR] = "mapitest:sim",
        [PROCESS_RESOLVER] = "mapitest:names",
        [PROCESS_CHECKER] = "mapitest:check",
    };
    pid_t master = getpid();
    pid_t pid = fork();

    if (pid == 0) {
        become_child(master, names[task->slot->kind], &task->site->privileges);
        forget_secret(task);
        exit(run(task));
    }
    if (pid > 0)
        task->slot->pid = pid;
    return pid;
}
