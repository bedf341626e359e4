/* SPDX-License-Identifier: MPL-2.0 */
#include "base/syscalls.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* Short, for tables that are read by columns. */
#define W   FOR_WORKER
#define C   FOR_CONTROL
#define S   FOR_SIMULATOR
#define N   FOR_NAMES
#define U   FOR_UNIX
#define T   FOR_SANITIZERS
#define ALL FOR_ALL

/* Whatever the arguments. */
static const struct call {
    const char *name;
    unsigned who;
} calls[] = {
    /* Bytes in and out of what is open. */
    {"read", ALL},
    {"write", ALL},
    {"readv", ALL},
    {"writev", ALL},
    {"pread64", C | N | T},
    {"lseek", N | T},
    {"recvfrom", ALL},
    {"recvmsg", ALL},
    {"recvmmsg", N},
    {"sendfile", C},
    {"shutdown", ALL},
    {"close", ALL},

    /* Sockets; where connections go is for Landlock. */
    {"accept4", W | C | S},
    {"accept", W | C | S},
    {"connect", W | N},
    {"bind", N}, /* of netlink */
    {"getsockname", ALL},
    {"getpeername", ALL},
    {"getsockopt", ALL},

    /* Waiting. */
    {"epoll_wait", ALL},
    {"epoll_pwait", ALL},
    {"epoll_ctl", ALL},
    {"epoll_create1", ALL}, /* libev starts anew when it is in doubt */
    {"epoll_create", ALL},
    {"poll", ALL},
    {"ppoll", ALL},
    {"select", ALL},
    {"pselect6", ALL},
    {"timerfd_create", ALL},
    {"timerfd_settime", ALL},
    {"eventfd2", ALL},
    {"futex", ALL},
    {"nanosleep", ALL},
    {"clock_nanosleep", ALL},
    {"restart_syscall", ALL},
    {"sched_yield", ALL},

    /* Time, on machines where the kernel must be asked. */
    {"clock_gettime", ALL},
    {"clock_getres", ALL},
    {"gettimeofday", ALL},
    {"time", ALL},

    /* Memory. */
    {"brk", ALL},
    {"munmap", ALL},
    {"mremap", ALL},
    {"madvise", ALL},
    {"mlock2", N},

    /* Itself. */
    {"getrandom", ALL},
    {"getpid", ALL},
    {"gettid", ALL},
    {"getppid", ALL},
    {"getuid", ALL},
    {"geteuid", ALL},
    {"getgid", ALL},
    {"getegid", ALL},
    {"sysinfo", ALL},
    {"getrlimit", ALL},
    {"sched_getaffinity", ALL},
    {"uname", N},
    {"rt_sigaction", ALL},
    {"rt_sigprocmask", ALL},
    {"rt_sigreturn", ALL},
    {"sigaltstack", ALL},
    {"exit", ALL},
    {"exit_group", ALL},

    /* Files, to look at. */
    {"fstat", C | N | T},
    {"stat", N | T},
    {"lstat", N | T},
    {"access", N},
    {"faccessat", N},
    {"readlink", N | T},
    {"readlinkat", N | T},
    {"getdents64", N | T},
    {"getdents", N | T},
    {"statfs", N},
    {"fstatfs", N},

    {"ptrace", T},
    {"prctl", T},
    {"wait4", T},
};

#define SOCKET_TYPE 0xfu /* without SOCK_NONBLOCK and SOCK_CLOEXEC */
#define NO_WRITING  (O_ACCMODE | O_CREAT | O_TRUNC)

/* Stands for the process's own id. */
#define OWN_PID UINT64_MAX

struct condition {
    unsigned argument;
    uint64_t mask, value;
};

#define CONDITIONS_MAX      3
#define IS(argument, value) argument, UINT64_MAX, value
#define STREAM              1, SOCKET_TYPE, SOCK_STREAM
#define DATAGRAM            1, SOCKET_TYPE, SOCK_DGRAM
#define NO_CODE             2, PROT_EXEC, 0

/* If all the conditions of a row hold. */
static const struct conditional_call {
    const char *name;
    unsigned who;
    unsigned count;
    struct condition when[CONDITIONS_MAX];
} conditional_calls[] = {
    /* TCP can connect by sending, too, and Landlock does not look at that. */
    {"sendto", ALL, 1, {{3, MSG_FASTOPEN, 0}}},
    {"sendmsg", W | C | N, 1, {{2, MSG_FASTOPEN, 0}}},
    {"sendmmsg", N, 1, {{3, MSG_FASTOPEN, 0}}},

    {"socket", W, 3, {{IS(0, AF_INET)}, {STREAM}, {IS(2, 0)}}},
    {"socket", W, 3, {{IS(0, AF_INET6)}, {STREAM}, {IS(2, 0)}}},
    {"socket", U, 3, {{IS(0, AF_UNIX)}, {STREAM}, {IS(2, 0)}}},
    {"socket", N, 2, {{IS(0, AF_INET)}, {STREAM}}},
    {"socket", N, 2, {{IS(0, AF_INET)}, {DATAGRAM}}},
    {"socket", N, 2, {{IS(0, AF_INET6)}, {STREAM}}},
    {"socket", N, 2, {{IS(0, AF_INET6)}, {DATAGRAM}}},
    {"socket", N, 1, {{IS(0, AF_UNIX)}}},
    {"socket", N, 2, {{IS(0, AF_NETLINK)}, {IS(2, 0)}}}, /* our own addresses */

    {"setsockopt", W | C | S, 1, {{IS(1, SOL_SOCKET)}}},
    {"setsockopt", W | C | S, 1, {{IS(1, IPPROTO_TCP)}}},
    {"setsockopt", N, 0, {{0, 0, 0}}},
    {"ioctl", ALL, 1, {{IS(1, FIONREAD)}}},
    {"ioctl", W, 1, {{IS(1, SIOCATMARK)}}},
    {"fcntl", ALL, 1, {{IS(1, F_GETFL)}}},
    {"fcntl", ALL, 1, {{IS(1, F_SETFL)}}},
    {"fcntl", ALL, 1, {{IS(1, F_GETFD)}}},
    {"fcntl", ALL, 1, {{IS(1, F_SETFD)}}},

    /* New code comes with the modules of getaddrinfo() alone. */
    {"mmap", W | C | S, 1, {{NO_CODE}}},
    {"mmap", N, 0, {{0, 0, 0}}},
    {"mprotect", W | C | S, 1, {{NO_CODE}}},
    {"mprotect", N, 0, {{0, 0, 0}}},

    {"prlimit64", ALL, 2, {{IS(0, 0)}, {IS(2, 0)}}}, /* only asks */
    {"tgkill", ALL, 1, {{IS(0, OWN_PID)}}},          /* abort() */

    {"open", N | T, 1, {{1, NO_WRITING, O_RDONLY}}},
    {"openat", N | T, 1, {{2, NO_WRITING, O_RDONLY}}},
    /* Of what is open.  (Or of a path, but that a file is there, or not, is
     * all it tells.) */
    {"newfstatat", C, 1, {{3, AT_EMPTY_PATH, AT_EMPTY_PATH}}},
    {"newfstatat", N | T, 0, {{0, 0, 0}}},

    {"clone", T, 1, {{0, CLONE_VM, CLONE_VM}}}, /* a thread */
};

/* What is tried first by who wants to get out; it is nobody's. */
static const char *const refused[] = {
    "execve",
    "execveat",
    "fork",
    "vfork",
    "kill",
    "tkill",
    "process_vm_readv",
    "process_vm_writev",
    "pidfd_getfd",
    "listen",
    "socketpair",
    "memfd_create",
    "creat",
    "truncate",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "mkdir",
    "mkdirat",
    "chmod",
    "fchmodat",
    "chroot",
    "mount",
    "unshare",
    "setns",
    "setuid",
    "setresuid",
    "bpf",
    "io_uring_setup",
    "perf_event_open",
    "keyctl",
};

int
syscalls_lack(void)
{
    const uint32_t action = SECCOMP_RET_ERRNO;

    if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0)
        return 0;
    return errno == EINVAL ? ENOSYS : errno; /* before Linux 4.14 */
}

/* For a call that this machine, or this libseccomp, does not know there is
 * nothing to be said. */
static int
add(scmp_filter_ctx filter, uint32_t action, const char *name, unsigned count,
    const struct condition *when)
{
    struct scmp_arg_cmp compare[CONDITIONS_MAX];
    int number = seccomp_syscall_resolve_name(name);

    if (number < 0)
        return 0;
    for (unsigned i = 0; i < count; i++)
        compare[i] = (struct scmp_arg_cmp){
            .arg = when[i].argument,
            .op = SCMP_CMP_MASKED_EQ,
            .datum_a = when[i].mask,
            .datum_b =
                when[i].value == OWN_PID ? (uint64_t)getpid() : when[i].value,
        };
    return seccomp_rule_add_array(filter, action, number, count, compare);
}

/* True if a call, in some form, is allowed. */
static bool
has_row(const char *name, unsigned who)
{
    for (size_t i = 0; i < COUNT(calls); i++)
        if ((calls[i].who & who) != 0 && strcmp(calls[i].name, name) == 0)
            return true;
    for (size_t i = 0; i < COUNT(conditional_calls); i++)
        if ((conditional_calls[i].who & who) != 0
            && strcmp(conditional_calls[i].name, name) == 0)
            return true;
    return false;
}

static int
refuse(scmp_filter_ctx filter, const char *name, unsigned who)
{
    if (has_row(name, who))
        return 0;
    return add(filter, SCMP_ACT_ERRNO(EPERM), name, 0, NULL);
}

/* Returns 0, or libseccomp's error: a negative errno. */
static int
add_rows(scmp_filter_ctx filter, unsigned who)
{
    int error = 0;

    for (size_t i = 0; i < COUNT(calls) && error == 0; i++) {
        const struct call *call = &calls[i];

        error = (call->who & who) != 0
                    ? add(filter, SCMP_ACT_ALLOW, call->name, 0, NULL)
                    : refuse(filter, call->name, who);
    }
    for (size_t i = 0; i < COUNT(conditional_calls) && error == 0; i++) {
        const struct conditional_call *call = &conditional_calls[i];

        error = (call->who & who) != 0 ? add(filter, SCMP_ACT_ALLOW, call->name,
                                             call->count, call->when)
                                       : refuse(filter, call->name, who);
    }
    for (size_t i = 0; i < COUNT(refused) && error == 0; i++)
        error = refuse(filter, refused[i], who);
    return error;
}

/* libseccomp has an error of its own for all of the kernel's. */
static int
load(scmp_filter_ctx filter)
{
    errno = 0;
    if (seccomp_load(filter) == 0)
        return 0;
    return errno == 0 ? -EFAULT : -errno;
}

int
syscalls_limit(enum sandbox_kind kind, const struct sandbox_reach *reach)
{
    static const struct {
        enum scmp_filter_attr attribute;
        uint32_t value;
        bool optional; /* newer than some kernels */
    } attributes[] = {
        {SCMP_FLTATR_CTL_OPTIMIZE, 2, false}, /* a tree, not a list */
        {SCMP_FLTATR_CTL_LOG, 1, true},
        /* Else an older kernel slows down the whole process, against leaks
         * within it: there is but one party in it. */
        {SCMP_FLTATR_CTL_SSB, 1, true},
    };
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    int error = filter == NULL ? -ENOMEM : -syscalls_lack();

    for (size_t i = 0; i < COUNT(attributes) && error == 0; i++) {
        error = seccomp_attr_set(filter, attributes[i].attribute,
                                 attributes[i].value);
        if (attributes[i].optional)
            error = 0;
    }
    if (error == 0)
        error = add_rows(filter, rights_of(kind, reach));
    if (error == 0)
        error = load(filter);
    seccomp_release(filter);
    errno = -error;
    return error == 0 ? 0 : -1;
}
