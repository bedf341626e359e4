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

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <netdb.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/landlock.h"
#include "base/net.h"
#include "base/syscalls.h"

#define NOT_ENTERED 250 /* no errno */

#define W       FOR_WORKER
#define C       FOR_CONTROL
#define S       FOR_SIMULATOR
#define N       FOR_NAMES
#define ALL     FOR_ALL
#define NOBODY  0u
#define TOOLS   (RIGHTS_SANITIZED * ALL) /* what sanitizers may */
#define OUTSIDE SANDBOX_KINDS

/* Two sockets that listen; one is where workers may connect to. */
static struct {
    int backend, other;
    uint16_t backend_port, other_port;
    char folder[32], path[64];
    int unix_listener;
} there;

/* Deeds return 0, or an errno. */

static int
outcome(int result)
{
    return result == -1 ? errno : 0;
}

static int
read_system(void)
{
    char byte;
    int fd = open("/etc/passwd", O_RDONLY);

    return fd == -1 ? errno : outcome((int)read(fd, &byte, 1));
}

static int
read_own(void)
{
    return outcome(open(there.path, O_RDONLY));
}

static int
write_file(void)
{
    return outcome(open(there.path, O_WRONLY));
}

static int
make_file(void)
{
    char path[80];

    snprintf(path, sizeof path, "%s/made", there.folder);
    return outcome(open(path, O_RDWR | O_CREAT, 0600));
}

static int
make_folder(void)
{
    char path[80];

    snprintf(path, sizeof path, "%s/folder", there.folder);
    return outcome(mkdir(path, 0700) == 0 ? rmdir(path) : -1);
}

static int
rename_file(void)
{
    return outcome(rename(there.path, there.path));
}

static int
execute(void)
{
    execl("/bin/true", "true", NULL);
    return errno;
}

static int
start_process(void)
{
    pid_t pid = fork();

    if (pid == 0)
        _exit(0);
    return outcome(pid);
}

static int
connect_to(uint16_t port)
{
    struct net_address address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd == -1)
        return errno;
    net_numeric("127.0.0.1", port, &address);
    return outcome(connect(fd, &address.sa.any, address.length));
}

static int
connect_to_backend(void)
{
    return connect_to(there.backend_port);
}

static int
connect_elsewhere(void)
{
    return connect_to(there.other_port);
}

/* Without connect(): TCP Fast Open. */
static int
connect_by_sending(void)
{
    struct net_address address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd == -1)
        return errno;
    net_numeric("127.0.0.1", there.other_port, &address);
    return outcome(
        (int)sendto(fd, "x", 1, MSG_FASTOPEN, &address.sa.any, address.length));
}

static int
connect_by_message(void)
{
    struct net_address address;
    struct iovec iov = {.iov_base = (char[]){"x"}, .iov_len = 1};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd == -1)
        return errno;
    net_numeric("127.0.0.1", there.other_port, &address);
    message.msg_name = &address.sa.any;
    message.msg_namelen = address.length;
    return outcome((int)sendmsg(fd, &message, MSG_FASTOPEN));
}

static int
connect_to_unix(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    if (fd == -1)
        return errno;
    snprintf(address.sun_path, sizeof address.sun_path, "%s/socket",
             there.folder);
    return outcome(
        connect(fd, (const struct sockaddr *)&address, sizeof address));
}

static int
send_datagram(void)
{
    struct net_address address;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    if (fd == -1)
        return errno;
    net_numeric("127.0.0.1", 9, &address);
    return outcome((int)sendto(fd, "x", 1, 0, &address.sa.any, address.length));
}

static int
bind_port(void)
{
    struct net_address address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd == -1)
        return errno;
    net_numeric("127.0.0.1", 0, &address);
    return outcome(bind(fd, &address.sa.any, address.length));
}

static int
listen_again(void)
{
    return outcome(listen(there.backend, 7));
}

static int
take_connection(void)
{
    int fd = accept4(there.backend, NULL, NULL, SOCK_NONBLOCK);

    return fd == -1 && errno != EAGAIN ? errno : 0;
}

static int
signal_another(void)
{
    return outcome(kill(getppid(), 0));
}

static int
signal_itself(void)
{
    return outcome((int)syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), 0));
}

static int
look_into_another(void)
{
    return outcome((int)ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

static int
be_dumped(void)
{
    return outcome(prctl(PR_SET_DUMPABLE, 1));
}

static int
run_made_code(void)
{
    void *page = mmap(NULL, 1, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return page == MAP_FAILED
               ? errno
               : outcome(mprotect(page, 1, PROT_READ | PROT_EXEC));
}

static int
map_code(void)
{
    return mmap(NULL, 1, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                0) == MAP_FAILED
               ? errno
               : 0;
}

static int
make_socket_pair(void)
{
    int pair[2];

    return outcome(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
}

static int
make_memory_file(void)
{
    return outcome(memfd_create("x", 0));
}

/* What goes on in every process, all its life. */
static int
live(void)
{
    const struct timespec moment = {0, 1};
    struct timespec now;
    struct rlimit limit;
    char bytes[16];
    time_t then = 0;
    struct tm local;

    for (size_t size = 1; size < 100u << 20; size *= 8)
        free(calloc(1, size));
    malloc_trim(0);
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes
        || syscall(SYS_clock_gettime, CLOCK_REALTIME, &now) == -1
        || nanosleep(&moment, NULL) == -1
        || getrlimit(RLIMIT_NOFILE, &limit) == -1
        || localtime_r(&then, &local) == NULL
        || write(there.unix_listener, "", 0) == 0)
        return EIO;
    return local.tm_year == 70 ? 0 : EIO;
}

static const struct {
    const char *name;
    int (*deed)(void);
    unsigned who; /* may do it */
    bool by_port; /* what only a newer Landlock can tell */
} deeds[] = {
    {"read a file of the system", read_system, N | TOOLS, false},
    {"read a file of ours", read_own, TOOLS, false},
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

static int
resolve(void)
{
    struct addrinfo *found;

    return getaddrinfo("localhost", "80", NULL, &found) == 0 ? 0 : EIO;
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
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    uint32_t action = SCMP_ACT_ERRNO((uint32_t)error);

    for (size_t i = 0; landlock && i < sizeof calls / sizeof calls[0]; i++)
        seccomp_rule_add(filter, action, seccomp_syscall_resolve_name(calls[i]),
                         0);
    if (seccomp) {
        seccomp_rule_add(filter, action, SCMP_SYS(seccomp), 0);
        seccomp_rule_add(filter, action, SCMP_SYS(prctl), 1,
                         SCMP_A0(SCMP_CMP_EQ, PR_SET_SECCOMP));
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

static int
listen_somewhere(uint16_t *port)
{
    struct net_address address;
    int fd;

    net_numeric("127.0.0.1", 0, &address);
    fd = net_listen(&address, false);
    *port = net_port(&address);
    return fd;
}

static int
open_all(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd;

    (void)state;
    there.backend = listen_somewhere(&there.backend_port);
    there.other = listen_somewhere(&there.other_port);
    strcpy(there.folder, "/tmp/test_sandbox.XXXXXX");
    if (there.backend == -1 || there.other == -1
        || mkdtemp(there.folder) == NULL)
        return -1;
    snprintf(there.path, sizeof there.path, "%s/file", there.folder);
    fd = open(there.path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    net_close(&fd);
    there.unix_listener = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s/socket",
             there.folder);
    return bind(there.unix_listener, (const struct sockaddr *)&address,
                sizeof address)
                       == 0
                   && listen(there.unix_listener, 64) == 0
               ? 0
               : -1;
}

static int
close_all(void **state)
{
    char path[80];

    (void)state;
    net_close(&there.backend);
    net_close(&there.other);
    net_close(&there.unix_listener);
    snprintf(path, sizeof path, "%s/socket", there.folder);
    unlink(path);
    snprintf(path, sizeof path, "%s/made", there.folder);
    unlink(path);
    unlink(there.path);
    return rmdir(there.folder);
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
