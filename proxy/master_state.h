/*
 * master_state.h - the master from the inside
 *
 * For master.c, which owns the loop and knows when to stop, children.c, which
 * starts processes and hears of their end, and rotation.c, which replaces
 * workers by ones that serve something newer.  Nobody else looks in here.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_MASTER_STATE_H
#define PROXY_MASTER_STATE_H

#include <ev.h>
#include <stdbool.h>

#include "proxy/channel.h"
#include "proxy/chart.h"
#include "proxy/operator_files.h"
#include "proxy/site.h"

/* A worker's place among those of its crew. */
enum role {
    ROLE_CURRENT, /* it serves what is in force; others than workers always */
    ROLE_NEXT,    /* it will, once all of its edition are ready */
    ROLE_OLD,     /* it accepts no more, and ends with its last connection */
};

struct child {
    struct child *next;
    struct master *master;
    struct process_slot *slot;
    enum process_kind kind;
    enum crew crew;
    enum role role;
    int index;
    unsigned number;                /* of the edition */
    struct edition *edition;        /* NULL: what is in force at each start */
    struct edition_indexes indexes; /* of its ports */
    unsigned restarts;
    pid_t pid; /* 0: waits to be restarted */
    int channel;
    bool ready;      /* it serves, or accepts if it is a worker */
    bool hurried;    /* old, and told to be done within a time */
    bool unanswered; /* a ping was, so far */
    double started;
    ev_child exited;
    ev_io message;
    ev_timer restart;
};

/*
 * New workers take over in steps.  Of the port table, so that a file that a
 * client has fetched is never older than the certificate that it is shown next;
 * of the configuration, so that whatever is wrong with the new one, the old one
 * stays.
 */
enum rotation_step {
    ROTATION_NONE,
    ROTATION_CHECKING, /* a process looks at the new configuration */
    ROTATION_STARTING, /* new workers */
    ROTATION_CLOSING,  /* the old workers' listening sockets */
};

struct rotation {
    enum rotation_step step;
    struct edition *next; /* not in force yet; NULL: the old one stays */
    struct edition *old;  /* no longer, but old workers may still accept */
    unsigned number;      /* of the newest edition */
    bool renewal;         /* of the generated certificates */
    struct operator_signature files; /* of next, before they were opened */
};

/* Files that may change at any time. */
struct watched {
    struct operator_signature files;  /* of what is in force */
    struct operator_signature glance; /* as they were seen last */
};

/* What was asked for in the middle of a reload. */
enum reload { RELOAD_NONE, RELOAD_FILES, RELOAD_ALL };

struct master {
    struct site *site;
    struct ev_loop *loop;
    struct child *children;
    struct rotation rotations[CREW_COUNT];
    struct chart chart;
    struct watched configured, trusted;
    enum reload again;
    bool serving;  /* everything was ready once */
    bool stopping; /* workers first, then the others */
    int status;
    ev_signal terminate, interrupt, hangup;
    ev_timer kill;
    ev_timer renew;
    ev_timer watch;    /* the operator's files */
    ev_timer watchdog; /* systemd's */
    ev_timer announce; /* READY=1, once more */
};

/* master.c */

/* A process cannot be had, and nothing was served yet: give up. */
void master_fail_start(struct master *m);

/* A child is ready, or no longer; or it has ended. */
void master_advance(struct master *m);

/* Tell systemd that everything serves, and what that is. */
void master_tell_systemd(struct master *m);

/* children.c */

/* Start a process; it is in the list even if it has to be tried again.  Returns
 * it, or NULL if there is no memory. */
struct child *children_add(struct master *m, enum process_kind kind,
                           enum crew crew, int index);

/* Start all workers of an edition, which is in force if role is
 * ROLE_CURRENT.  Returns 0, or -1 if there is no memory. */
int
children_add_workers(struct master *m, struct edition *edition, enum role role);

/* True if all children of a role in a crew are ready, or none is. */
bool children_are(const struct master *m, enum crew crew, enum role role,
                  bool ready);

/* Tell all running children of a kind, a crew and a role. */
void children_tell(struct master *m, enum process_kind kind, enum crew crew,
                   enum role role, const struct message *message, int fd);

/* End a child at once; it is freed when it is gone. */
void children_kill(struct child *child);

/* The one place that frees a child, whose process is gone. */
void children_free(struct child *child);

/* The same for all, at the end of a stop: close the channels, at which each
 * ends; free what waits for its restart. */
void children_dismiss(struct master *m);

/* rotation.c */

/* Renew the generated certificates; and how long until that is due. */
void rotation_renew(struct master *m);
double rotation_renew_in(const struct master *m);

/* Read the configuration again, or only the files that it names; later, if
 * this is the beginning or a reload is under way. */
void rotation_reload(struct master *m, enum reload what);

/* Read the certificate of port `trusted` again, which there is; later, if the
 * moment is bad. */
void rotation_reload_trusted(struct master *m);

/* The checker's verdict: NULL if there is nothing wrong. */
void rotation_checked(struct master *m, const char *error);

/* A new worker has died before its edition was in force. */
void rotation_abort(struct master *m, enum crew crew);

/* Go on, if what the present step waits for has come. */
void rotation_advance(struct master *m);

/* Start or replace the resolver of a crew, if its edition needs one. */
int rotation_start_resolver(struct master *m, enum crew crew);

/* Let control know what is open. */
void rotation_tell_chart(struct master *m);

#endif
