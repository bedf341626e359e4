/*
 * test_privileges.c - from root to another user, and not back
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#include "proxy/privileges.h"

/* cmocka.h needs these four before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"

/* What a child found: it exits with the number of the claim that fails. */
#define CLAIM(number, claim)                                                   \
    do {                                                                       \
        if (!(claim))                                                          \
            _exit(number);                                                     \
    } while (0)

static struct privileges found;

/* Run one as a child; returns its exit status. */
static int
in_child(void (*run)(void))
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        run();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void
need_root(void)
{
    if (geteuid() != 0 || getpwnam("nobody") == NULL)
        skip();
}

/* Would catch a process that keeps root's groups, or a saved user id. */
static void
drop_for_good(void)
{
    gid_t groups[PRIVILEGES_GROUPS_MAX];
    uid_t r, e, s;
    gid_t rg, eg, sg;
    int count;
    int signal_of_parent = -1;

    CLAIM(1, prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
    CLAIM(2, privileges_drop(&found) == 0);
    CLAIM(3, getresuid(&r, &e, &s) == 0 && r == e && e == s && s == found.uid);
    CLAIM(4, getresgid(&rg, &eg, &sg) == 0 && rg == eg && eg == sg
                 && sg == found.gid);
    count = getgroups(PRIVILEGES_GROUPS_MAX, groups);
    CLAIM(5, count == found.group_count);
    for (int i = 0; i < count; i++)
        CLAIM(6, groups[i] != 0);
    CLAIM(7, setuid(0) == -1 && setgid(0) == -1 && setgroups(0, NULL) == -1);
    CLAIM(8, prctl(PR_GET_DUMPABLE) == 0);
    /* As the header says: to be set again. */
    CLAIM(9, prctl(PR_GET_PDEATHSIG, &signal_of_parent) == 0
                 && signal_of_parent == 0);
}

static void
root_becomes_nobody(void **state)
{
    (void)state;
    need_root();
    assert_int_equal(privileges_find("nobody", &found), 0);
    assert_true(found.drop && found.uid != 0 && found.group_count >= 1);
    assert_int_equal(in_child(drop_for_good), 0);
    assert_int_equal(geteuid(), 0);
}

static void
try_as_nobody(void)
{
    const struct passwd *nobody = getpwnam("nobody");

    CLAIM(1, setresgid(nobody->pw_gid, nobody->pw_gid, nobody->pw_gid) == 0);
    CLAIM(2, setresuid(nobody->pw_uid, nobody->pw_uid, nobody->pw_uid) == 0);
    CLAIM(3, privileges_find("nobody", &found) == 0 && !found.drop);
    CLAIM(4, privileges_drop(&found) == 0);
    CLAIM(5, privileges_find("root", &found) == -1);
    CLAIM(6, strcmp(log_last_error(),
                    "--user 'root': only root can run as another user")
                 == 0);
    /* And if it were tried all the same: */
    found = (struct privileges){.drop = true};
    CLAIM(7, privileges_drop(&found) == -1);
}

static void
only_root_changes_the_user(void **state)
{
    (void)state;
    need_root();
    assert_int_equal(in_child(try_as_nobody), 0);
}

static void
users_are_looked_up(void **state)
{
    const struct passwd *self = getpwuid(geteuid());

    (void)state;
    assert_int_equal(privileges_find(NULL, &found), 0);
    assert_false(found.drop);
    assert_int_equal(privileges_drop(&found), 0);
    assert_int_equal(privileges_find("no-such-user", &found), -1);
    assert_string_equal(log_last_error(),
                        "--user 'no-such-user': there is no such user");
    if (self == NULL)
        skip();
    assert_int_equal(privileges_find(self->pw_name, &found), 0);
    assert_false(found.drop);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(root_becomes_nobody),
        cmocka_unit_test(only_root_changes_the_user),
        cmocka_unit_test(users_are_looked_up),
    };

    log_setup("test", LOG_TEXT, LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
