/* SPDX-License-Identifier: MPL-2.0 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "proxy/child.h"
#include "proxy/master_state.h"

/* A process that dies sooner than this after its start is restarted with a
 * pause, so that one that cannot live does not eat a CPU. */
#define YOUNG_SECONDS   1.0
#define RESTART_SECONDS 0.5

static void start(struct child *child);

void
children_free(struct child *child)
{
    struct master *m = child->master;
    struct child **at = &m->children;

    while (*at != child)
        at = &(*at)->next;
    *at = child->next;
    ev_timer_stop(m->loop, &child->restart);
    free(child);
}

bool
children_are(const struct master *m, enum crew crew, enum role role, bool ready)
{
    for (const struct child *c = m->children; c != NULL; c = c->next)
        if (c->kind == PROCESS_WORKER && c->crew == crew && c->role == role
            && c->ready != ready)
            return false;
    return true;
}

void
children_tell(struct master *m, enum process_kind kind, enum crew crew,
              enum role role, const struct message *message, int fd)
{
    for (struct child *c = m->children; c != NULL; c = c->next)
        if (c->kind == kind && c->crew == crew && c->role == role && c->pid > 0
            && channel_send(c->channel, message, fd) == -1)
            log_errno("cannot tell %s %d", process_names[kind], c->index);
}

void
children_kill(struct child *child)
{
    if (child->pid > 0)
        kill(child->pid, SIGKILL);
    else
        children_free(child); /* it waits for its restart */
}

void
children_dismiss(struct master *m)
{
    for (struct child *c = m->children, *next; c != NULL; c = next) {
        next = c->next;
        if (c->pid == 0) {
            children_free(c);
            continue;
        }
        ev_io_stop(m->loop, &c->message);
        net_close(&c->channel);
        if (c->kind == PROCESS_RESOLVER || c->kind == PROCESS_CHECKER)
            children_kill(c); /* it may be waiting for a name server */
    }
}

/* The resolver has found out where a backend is now. */
static void
pass_addresses(struct child *child, const struct message *message)
{
    struct master *m = child->master;
    struct edition *edition = m->site->editions[child->crew];

    if (child->kind == PROCESS_CHECKER)
        edition = m->rotations[child->crew].next;
    if (edition == NULL || child->role == ROLE_OLD)
        return;
    edition_take_addresses(edition, message->backend, message->addresses,
                           message->count);
    if (child->kind != PROCESS_RESOLVER)
        return;
    children_tell(m, PROCESS_WORKER, child->crew, ROLE_CURRENT, message, -1);
    if (m->rotations[child->crew].next == NULL) /* a renewal: one edition */
        children_tell(m, PROCESS_WORKER, child->crew, ROLE_NEXT, message, -1);
}

static void
take(struct child *child, const struct message *message)
{
    struct master *m = child->master;

    switch (message->kind) {
    case MESSAGE_READY:
        child->ready = true;
        if (child->kind == PROCESS_CHECKER)
            rotation_checked(m, NULL);
        else
            master_advance(m);
        break;
    case MESSAGE_CLOSED:
        child->ready = false;
        master_advance(m);
        break;
    case MESSAGE_FAILED:
        child->ready = true; /* it has said its last word */
        rotation_checked(m, message->text);
        break;
    case MESSAGE_RESOLVED:
        pass_addresses(child, message);
        break;
    case MESSAGE_PONG:
        child->unanswered = false;
        break;
    case MESSAGE_NONE:
    case MESSAGE_GONE:
    case MESSAGE_STOP:
    case MESSAGE_DRAIN:
    case MESSAGE_STORE:
    case MESSAGE_CHART:
    case MESSAGE_PING:
        break;
    }
}

static void
on_message(struct ev_loop *loop, ev_io *io, int ready)
{
    struct child *child = io->data;
    struct message message = {.kind = MESSAGE_NONE};
    int fd;

    (void)ready;
    if (channel_receive(io->fd, &message, &fd) == MESSAGE_GONE)
        ev_io_stop(loop, io); /* on_exit_status() says the rest */
    else
        take(child, &message);
    net_close(&fd);
}

static void
exit_text(int status, char out[64])
{
    if (WIFSIGNALED(status))
        snprintf(out, 64, "killed by signal %d (%s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    else
        snprintf(out, 64, "ended with status %d", WEXITSTATUS(status));
}

static void
replace(struct child *child, int status)
{
    struct master *m = child->master;
    double lived = ev_now(m->loop) - child->started;
    char how[64];

    exit_text(status, how);
    log_warning("%s %d (pid %d) %s: starting another",
                process_names[child->kind], child->index,
                (int)child->exited.pid, how);
    child->restarts++;
    ev_timer_set(&child->restart, lived < YOUNG_SECONDS ? RESTART_SECONDS : 0,
                 0);
    ev_timer_start(m->loop, &child->restart);
}

/* What the end of a process means, while the program goes on. */
static void
note_exit(struct child *child, int status)
{
    struct master *m = child->master;
    enum crew crew = child->crew;
    char how[64];

    if (child->kind == PROCESS_CHECKER) {
        bool spoke = child->ready;

        exit_text(status, how);
        children_free(child);
        if (!spoke)
            rotation_checked(m, how);
        rotation_advance(m); /* another reload may wait for the end of this */
    } else if (child->role == ROLE_OLD) {
        children_free(child);
        rotation_advance(m);
    } else if (child->role == ROLE_NEXT && crew == CREW_CONFIGURED) {
        exit_text(status, how);
        log_error("a worker of the new configuration %s", how);
        children_free(child);
        rotation_abort(m, crew);
        rotation_advance(m); /* as above */
    } else if (!m->serving) {
        exit_text(status, how);
        log_error("%s %d %s before it could serve", process_names[child->kind],
                  child->index, how);
        children_free(child);
        master_fail_start(m);
    } else {
        child->ready = false;
        replace(child, status);
    }
}

/* Take back what the process had of the site. */
static void
release(struct child *child)
{
    struct site *site = child->master->site;

    if (child->slot != NULL) {
        tally_clear(site->tally, (size_t)(child->slot - site->board->slots));
        board_release(site->board, child->slot);
    }
    child->slot = NULL;
    child->pid = 0;
    net_close(&child->channel);
}

static void
on_exit_status(struct ev_loop *loop, ev_child *watcher, int ready)
{
    struct child *child = watcher->data;
    struct master *m = child->master;
    struct message message = {.kind = MESSAGE_NONE};
    int fd = -1;

    (void)ready;
    ev_child_stop(loop, watcher);
    /* Its last words may be in the channel still. */
    while (ev_is_active(&child->message)
           && channel_receive(child->channel, &message, &fd) > MESSAGE_GONE) {
        net_close(&fd);
        if (!m->stopping)
            take(child, &message);
    }
    ev_io_stop(loop, &child->message);
    release(child);
    if (m->stopping) {
        children_free(child);
        master_advance(m);
    } else {
        note_exit(child, watcher->rstatus);
    }
}

static void
on_restart(struct ev_loop *loop, ev_timer *timer, int ready)
{
    struct child *child = timer->data;

    (void)loop;
    (void)ready;
    if (!child->master->stopping)
        start(child);
}

/* Try again later, or give up if this is the beginning. */
static void
start_failed(struct child *child)
{
    struct master *m = child->master;

    log_errno("cannot start %s %d", process_names[child->kind], child->index);
    release(child);
    if (!m->serving) {
        master_fail_start(m);
        return;
    }
    ev_timer_set(&child->restart, RESTART_SECONDS, 0);
    ev_timer_start(m->loop, &child->restart);
}

static void
start(struct child *child)
{
    struct master *m = child->master;
    struct child_task task = {.site = m->site, .chart = &m->chart};
    int pair[2] = {-1, -1};

    errno = EAGAIN;
    child->slot =
        board_take(m->site->board, child->kind, child->crew, child->index);
    if (child->slot == NULL || channel_pair(pair) == -1) {
        start_failed(child);
        return;
    }
    child->slot->restarts = child->restarts;
    child->slot->edition = child->number;
    child->channel = pair[0];
    task.edition = child->edition != NULL ? child->edition
                                          : m->site->editions[child->crew];
    task.slot = child->slot;
    task.channel = pair[1];
    child->pid = child_start(&task);
    net_close(&pair[1]);
    if (child->pid == -1) {
        start_failed(child);
        return;
    }
    child->started = ev_time();
    child->unanswered = false;
    /* The simulator's socket listens already; it has nothing else to say. */
    child->ready = child->kind == PROCESS_SIMULATOR;
    ev_child_init(&child->exited, on_exit_status, child->pid, 0);
    ev_io_init(&child->message, on_message, child->channel, EV_READ);
    child->exited.data = child->message.data = child;
    ev_child_start(m->loop, &child->exited);
    ev_io_start(m->loop, &child->message);
}

static struct child *
make(struct master *m, enum process_kind kind, enum crew crew, int index)
{
    struct child *child = calloc(1, sizeof *child);

    if (child == NULL)
        return NULL;
    child->master = m;
    child->kind = kind;
    child->crew = crew;
    child->index = index;
    child->number = m->rotations[crew].number;
    child->channel = -1;
    ev_timer_init(&child->restart, on_restart, 0, 0);
    child->restart.data = child;
    child->next = m->children;
    m->children = child;
    return child;
}

struct child *
children_add(struct master *m, enum process_kind kind, enum crew crew,
             int index)
{
    struct child *child = make(m, kind, crew, index);

    if (child == NULL)
        return NULL;
    if (kind == PROCESS_CHECKER)
        child->edition = m->rotations[crew].next;
    start(child);
    return child;
}

int
children_add_workers(struct master *m, struct edition *edition, enum role role)
{
    for (int i = 0; i < m->site->settings->workers && !m->stopping; i++) {
        struct child *child = make(m, PROCESS_WORKER, edition->crew, i);

        if (child == NULL)
            return -1;
        child->role = role;
        child->edition = edition;
        for (size_t p = 0; p < edition->layout.count; p++)
            child->indexes.taken[edition->layout.ports[p].index] = true;
        start(child);
    }
    return 0;
}
