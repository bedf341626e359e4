/*
 * deeds.h - what a process may try: each returns 0, or an errno
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef TESTS_UNIT_DEEDS_H
#define TESTS_UNIT_DEEDS_H

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/net.h"

/* Two sockets that listen; one is where workers may connect to. */
static struct {
    int backend, other;
    uint16_t backend_port, other_port;
    char folder[32], path[64];
    int unix_listener;
    int open;
} there;

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
read_what_is_open(void)
{
    char byte;
    struct stat stat;

    return outcome(fstat(there.open, &stat) == -1
                       ? -1
                       : (int)pread(there.open, &byte, 1, 0));
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
    time_t then = 30 * 24 * 3600;
    struct tm local;

    for (size_t size = 1; size < 100u << 20; size *= 8)
        free(calloc(1, size));
    malloc_trim(0);
    /* libev makes another when it gets an event that it does not know. */
    if (epoll_create1(EPOLL_CLOEXEC) == -1)
        return errno;
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes
        || syscall(SYS_clock_gettime, CLOCK_REALTIME, &now) == -1
        || nanosleep(&moment, NULL) == -1
        || getrlimit(RLIMIT_NOFILE, &limit) == -1
        || localtime_r(&then, &local) == NULL)
        return EIO;
    return local.tm_year == 70 ? 0 : EIO;
}

static int
resolve(void)
{
    struct addrinfo *found;

    return getaddrinfo("localhost", "80", NULL, &found) == 0 ? 0 : EIO;
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
    there.open = memfd_create("open", MFD_CLOEXEC);
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
    net_close(&there.open);
    snprintf(path, sizeof path, "%s/socket", there.folder);
    unlink(path);
    snprintf(path, sizeof path, "%s/made", there.folder);
    unlink(path);
    unlink(there.path);
    return rmdir(there.folder);
}

#endif
