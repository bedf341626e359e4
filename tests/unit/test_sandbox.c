/*
 * test_sandbox.c - catches a sandbox that lets a process do what it should not,
 * that forbids what it needs, or that ends a program where there is none
 *
 * Every deed is tried in a process of its own: outside of any sandbox, where it
 * has to succeed, and in that of each kind.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#include "base/sandbox.h"

/* cmocka.h needs these four before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/landlock.h"
#include "base/syscalls.h"
#include "tests/unit/deeds.h"

#define NOT_ENTERED 250 /* no errno */

#define W       FOR_WORKER
#define C       FOR_CONTROL
#define S       FOR_SIMULATOR
#define N       FOR_NAMES
#define ALL     FOR_ALL
#define NOBODY  0u
#define TOOLS   (RIGHTS_SANITIZED * ALL) /* what sanitizers may */
#define OUTSIDE SANDBOX_KINDS

static const struct {
    const char *name;
    int (*deed)(void);
    unsigned who; /* may do it */
    bool by_port; /* what only a newer Landlock can tell */
} deeds[] = {
    {"read a file of the system", read_system, N | TOOLS, false},
    {"read a file of ours", read_own, TOOLS, false},
    {"read what it was handed", read_what_is_open, C | N | TOOLS, false},
    {"write to a file", write_file, NOBODY, false},
    {"make a file", make_file, NOBODY, false},
    {"make a folder", make_folder, NOBODY, false},
    {"rename a file", rename_file, NOBODY, false},
    {"execute a file", execute, NOBODY, false},
    {"start a process", start_process, NOBODY, false},
    {"connect to a backend's port", connect_to_backend, W, true},
    {"connect elsewhere", connect_elsewhere, NOBODY, true},
    {"connect by sending", connect_by_sending, NOBODY, true},
    {"connect by a message", connect_by_message, NOBODY, true},
    {"connect to a Unix socket", connect_to_unix, N, false},
    {"send a datagram", send_datagram, N, false},
    {"bind a port", bind_port, NOBODY, true},
    {"listen", listen_again, NOBODY, false},
    {"accept a connection", take_connection, W | C | S, false},
    {"signal another process", signal_another, NOBODY, false},
    {"signal itself", signal_itself, ALL, false},
    {"trace", look_into_another, TOOLS, false},
    {"be dumped", be_dumped, TOOLS, false},
    {"turn data into code", run_made_code, N, false},
    {"map code", map_code, N, false},
    {"make a pair of sockets", make_socket_pair, NOBODY, false},
    {"make a file in memory", make_memory_file, NOBODY, false},
    {"live", live, ALL, false},
};

static const char *const kinds[] = {
    [SANDBOX_WORKER] = "worker",
    [SANDBOX_CONTROL] = "control",
    [SANDBOX_SIMULATOR] = "simulator",
    [SANDBOX_NAMES] = "names",
    [OUTSIDE] = "nobody's",
};

static bool
has_ports(void)
{
    return syscall(SYS_landlock_create_ruleset, NULL, 0, 1) >= 4;
}

/* Returns what deed does in the sandbox of a kind: 0 or an errno. */
static int
attempt(int (*deed)(void), unsigned kind, bool unix_sockets)
{
    const struct sandbox_reach reach = {&there.backend_port, 1, unix_sockets};
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        if (kind != OUTSIDE) {
            sandbox_begin();
            if (sandbox_enter((enum sandbox_kind)kind,
                              kind == SANDBOX_WORKER ? &reach : NULL)
                != SANDBOX_BOTH)
                _exit(NOT_ENTERED);
        }
        _exit(deed());
    }
    assert_int_not_equal(pid, -1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void
test_deeds(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof deeds / sizeof deeds[0]; i++) {
        if (deeds[i].by_port && !has_ports())
            continue;
        for (unsigned kind = 0; kind <= OUTSIDE; kind++) {
            bool may = kind == OUTSIDE || (deeds[i].who & 1u << kind) != 0;
            int error = attempt(deeds[i].deed, kind, false);

            if (error == NOT_ENTERED || (error == 0) != may)
                fail_msg("%s, in %s sandbox: %s", deeds[i].name, kinds[kind],
                         strerror(error));
        }
    }
}

/* Catches a worker that cannot reach a backend on a Unix socket. */
static void
test_unix_sockets(void **state)
{
    (void)state;
    assert_int_equal(attempt(connect_to_unix, SANDBOX_WORKER, true), 0);
    assert_int_not_equal(attempt(send_datagram, SANDBOX_WORKER, true), 0);
}

/* Catches a resolver that can resolve nothing. */
static void
test_names(void **state)
{
    (void)state;
    assert_int_equal(attempt(resolve, OUTSIDE, false), 0);
    assert_int_equal(attempt(resolve, SANDBOX_NAMES, false), 0);
}

/* Catches --no-sandbox that is none. */
static void
test_not_wanted(void **state)
{
    (void)state;
    for (int kind = 0; kind < SANDBOX_KINDS; kind++)
        assert_int_equal(sandbox_enter((enum sandbox_kind)kind, NULL),
                         SANDBOX_NONE);
    assert_int_equal(read_own(), 0);
}

/* A container's profile that refuses seccomp, Landlock or both. */
static void
forbid(bool seccomp, bool landlock, int error)
{
    static const char *const calls[] = {"landlock_create_ruleset",
                                        "landlock_add_rule",
                                        "landlock_restrict_self"};
    const struct scmp_arg_cmp sets_filter = {
        .arg = 0, .op = SCMP_CMP_EQ, .datum_a = PR_SET_SECCOMP};
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    uint32_t action = SCMP_ACT_ERRNO((uint32_t)error);

    for (size_t i = 0; landlock && i < sizeof calls / sizeof calls[0]; i++)
        seccomp_rule_add(filter, action, seccomp_syscall_resolve_name(calls[i]),
                         0);
    if (seccomp) {
        seccomp_rule_add(filter, action, SCMP_SYS(seccomp), 0);
        seccomp_rule_add(filter, action, SCMP_SYS(prctl), 1, sets_filter);
    }
    if (seccomp_load(filter) != 0)
        _exit(NOT_ENTERED);
    seccomp_release(filter);
}

/* Catches a program that does not start where there is no sandbox to be had,
 * and one that goes on after half of one. */
static void
test_refused(void **state)
{
    static const struct {
        bool seccomp, landlock;
        int error, want;
    } cases[] = {
        {true, true, EPERM, SANDBOX_NONE},
        {true, true, ENOSYS, SANDBOX_NONE},
        {true, true, EOPNOTSUPP, SANDBOX_NONE},
        {true, false, EPERM, SANDBOX_LANDLOCK},
        {false, true, EPERM, SANDBOX_SECCOMP},
        {false, true, ENOSYS, SANDBOX_SECCOMP},
        {false, true, EOPNOTSUPP, SANDBOX_SECCOMP},
        {false, true, ENOMEM, 255},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int status;
        pid_t pid = fork();

        if (pid == 0) {
            forbid(cases[i].seccomp, cases[i].landlock, cases[i].error);
            sandbox_begin();
            _exit(sandbox_enter(SANDBOX_WORKER, NULL));
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), cases[i].want);
    }
}

/* Catches a core dump of a process with keys in it. */
static void
test_dumps(void **state)
{
    struct rlimit limit;
    int status;
    pid_t pid = fork();

    (void)state;
    if (pid == 0) {
        sandbox_forbid_dumps();
        _exit(prctl(PR_GET_DUMPABLE) == 0 && getrlimit(RLIMIT_CORE, &limit) == 0
                      && limit.rlim_cur == 0 && limit.rlim_max == 0
                  ? 0
                  : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_not_wanted), cmocka_unit_test(test_dumps),
        cmocka_unit_test(test_refused),    cmocka_unit_test(test_deeds),
        cmocka_unit_test(test_names),      cmocka_unit_test(test_unix_sockets),
    };

    /* Where there is nothing to be tested, that it is not missed is. */
    if (syscalls_lack() != 0 || landlock_lack() != 0) {
        print_message("no seccomp or no Landlock here: skipped\n");
        return 0;
    }
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, open_all, close_all);
}
