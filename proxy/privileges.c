/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"

/* What getpwnam(3) may leave in errno when there is just no such user. */
static bool
is_absence(int error)
{
    return error == 0 || error == ENOENT || error == ESRCH || error == EBADF
           || error == EPERM;
}

int
privileges_find(const char *user, struct privileges *p)
{
    const struct passwd *entry;

    *p = (struct privileges){.drop = false};
    if (user == NULL)
        return 0;
    errno = 0;
    entry = getpwnam(user);
    if (entry == NULL) {
        if (is_absence(errno))
            log_error("--user '%s': there is no such user", user);
        else
            log_errno("--user '%s': cannot be looked up", user);
        return -1;
    }
    p->uid = entry->pw_uid;
    p->gid = entry->pw_gid;
    if (p->uid == getuid() && p->uid == geteuid())
        return 0;
    if (geteuid() != 0) {
        log_error("--user '%s': only root can run as another user", user);
        return -1;
    }
    p->group_count = PRIVILEGES_GROUPS_MAX;
    if (getgrouplist(user, p->gid, p->groups, &p->group_count) == -1) {
        log_error("--user '%s': is in more than %d groups", user,
                  PRIVILEGES_GROUPS_MAX);
        return -1;
    }
    p->drop = true;
    return 0;
}

/* True if nothing of who we were is left, and cannot be had again. */
static bool
is_for_good(const struct privileges *p)
{
    uid_t uid[3];
    gid_t gid[3];

    if (getresuid(&uid[0], &uid[1], &uid[2]) == -1
        || getresgid(&gid[0], &gid[1], &gid[2]) == -1)
        return false;
    for (int i = 0; i < 3; i++)
        if (uid[i] != p->uid || gid[i] != p->gid)
            return false;
    return (p->uid == 0 || setresuid((uid_t)-1, 0, (uid_t)-1) == -1)
           && (p->gid == 0 || setresgid((gid_t)-1, 0, (gid_t)-1) == -1);
}

int
privileges_drop(const struct privileges *p)
{
    if (!p->drop)
        return 0;
    /* The groups first: once the user is another, they cannot be changed. */
    if (setgroups((size_t)p->group_count, p->groups) == -1
        || setresgid(p->gid, p->gid, p->gid) == -1
        || setresuid(p->uid, p->uid, p->uid) == -1
        || prctl(PR_SET_DUMPABLE, 0) == -1) {
        log_errno("cannot become user %ju", (uintmax_t)p->uid);
        return -1;
    }
    if (!is_for_good(p)) {
        log_error("user %ju could become root again", (uintmax_t)p->uid);
        return -1;
    }
    return 0;
}

int
privileges_drop_in_child(const struct privileges *p, pid_t parent)
{
    if (privileges_drop(p) == -1)
        return -1;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    return getppid() == parent ? 0 : -1;
}

/* Another process has to try: access(2) asks for root's rights here. */
bool
privileges_allow(const struct privileges *p, const char *path)
{
    pid_t pid;
    int status;

    if (!p->drop)
        return access(path, X_OK) == 0;
    pid = fork();
    if (pid == 0)
        _exit(privileges_drop(p) == -1   ? EPERM
              : access(path, X_OK) == -1 ? errno
                                         : 0);
    if (pid == -1)
        return false;
    while (waitpid(pid, &status, 0) == -1)
        if (errno != EINTR)
            return false;
    errno = WIFEXITED(status) ? WEXITSTATUS(status) : EPERM;
    return errno == 0;
}
