/*
 * preload.c - LD_PRELOAD: processes that wait at a gate, and a clock to wind
 *
 * MAPITEST_GATES names a folder: a process whose name, as set by prctl(), is a
 * file there does not go on until the file is gone.  MAPITEST_CLOCK names a
 * file with one int64_t: the seconds by which all clocks are ahead.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define NAP_MILLISECONDS 10

static const volatile int64_t *ahead;

__attribute__((constructor)) static void
map_clock(void)
{
    const char *path = getenv("MAPITEST_CLOCK");
    int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);

    if (fd == -1)
        return;
    ahead = mmap(NULL, sizeof *ahead, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
}

static int64_t
offset(void)
{
    return ahead == NULL ? 0 : *ahead;
}

long
syscall(long number, ...)
{
    static long (*real)(long, ...);
    va_list list;
    long a[6];
    long result;

    if (real == NULL)
        real = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
    va_start(list, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(list, long);
    va_end(list);
    result = real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    if (number == SYS_clock_gettime && result == 0)
        ((struct timespec *)a[1])->tv_sec += offset();
    return result;
}

int
clock_gettime(clockid_t clock, struct timespec *now)
{
    return (int)syscall(SYS_clock_gettime, (long)clock, now, 0L, 0L, 0L, 0L);
}

int
gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec precise;

    (void)zone;
    clock_gettime(CLOCK_REALTIME, &precise);
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return 0;
}

time_t
time(time_t *out)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    if (out != NULL)
        *out = now.tv_sec;
    return now.tv_sec;
}

/* Who sleeps for a minute would not see that the clock was wound. */
int
epoll_wait(int epoll, struct epoll_event *events, int room, int timeout)
{
    static int (*real)(int, struct epoll_event *, int, int);

    if (real == NULL)
        real = (int (*)(int, struct epoll_event *, int, int))dlsym(
            RTLD_NEXT, "epoll_wait");
    if (ahead != NULL && (timeout < 0 || timeout > NAP_MILLISECONDS))
        timeout = NAP_MILLISECONDS;
    return real(epoll, events, room, timeout);
}

int
prctl(int option, ...)
{
    static int (*real)(int, ...);
    const char *gates = getenv("MAPITEST_GATES");
    va_list list;
    unsigned long a[4];
    char path[4096];

    if (real == NULL)
        real = (int (*)(int, ...))dlsym(RTLD_NEXT, "prctl");
    va_start(list, option);
    for (int i = 0; i < 4; i++)
        a[i] = va_arg(list, unsigned long);
    va_end(list);
    if (option == PR_SET_NAME && gates != NULL) {
        snprintf(path, sizeof path, "%s/%s", gates, (const char *)a[0]);
        while (access(path, F_OK) == 0)
            usleep(NAP_MILLISECONDS * 1000);
    }
    return real(option, a[0], a[1], a[2], a[3]);
}
