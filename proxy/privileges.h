/*
 * privileges.h - from root to the user of --user
 *
 * The user is looked up once, by the master at its start, since a child may
 * have no access to the system's files.  Children drop after their fork; the
 * master stays root, in order to start more of them.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_PRIVILEGES_H
#define PROXY_PRIVILEGES_H

#include <stdbool.h>
#include <sys/types.h>

#define PRIVILEGES_GROUPS_MAX 256

struct privileges {
    bool drop; /* false: the process is who it should be */
    uid_t uid;
    gid_t gid;
    gid_t groups[PRIVILEGES_GROUPS_MAX]; /* as initgroups(3) has them */
    int group_count;
};

/*
 * Find out what running as user means; NULL: to stay who we are.  Returns 0, or
 * -1 with the reason logged: there is no such user, or we are not root and
 * cannot become another one.
 */
int privileges_find(const char *user, struct privileges *privileges);

/* True if that user can execute the file at path; false with errno set. */
bool privileges_allow(const struct privileges *privileges, const char *path);

/*
 * Become that user for good: user, group and supplementary groups, with no way
 * back.  Returns 0, or -1 with the
 * reason logged; the process must then end, since it may be half of each.
 *
 * Two attributes of the process change with its user (prctl(2), credentials(7))
 * and are the caller's to mind:
 * - PR_SET_PDEATHSIG is cleared.  It must be set, or set again, after this
 * call, followed by a look at getppid(): the parent may be gone already.
 * - It is no longer "dumpable", whatever fs.suid_dumpable says: no core file,
 *   and no process of the same user can read its memory, where private keys
 *   are.  So its files in /proc/PID are root's, also for itself; execve() sets
 *   it back.
 * Capabilities go with the user; descriptors that are open stay.
 */
int privileges_drop(const struct privileges *privileges);

/*
 * The same in a child that was just forked, which from then on the kernel kills
 * as soon as parent, its parent, is dead.  -1 also if it is dead already.
 */
int privileges_drop_in_child(const struct privileges *privileges, pid_t parent);

#endif
