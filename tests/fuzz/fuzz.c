/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void
fuzz_fail(const char *claim, const char *file, int line)
{
    dprintf(STDERR_FILENO, "%s:%d: does not hold: %s\n", file, line, claim);
    abort();
}

uint8_t
fuzz_byte(struct fuzz_input *input)
{
    if (input->left == 0)
        return 0;
    input->left--;
    return *input->at++;
}

uint64_t
fuzz_number(struct fuzz_input *input, size_t n)
{
    uint64_t value = 0;

    for (size_t i = 0; i < n; i++)
        value = value << 8 | fuzz_byte(input);
    return value;
}

uint8_t *
fuzz_take(struct fuzz_input *input, size_t n, size_t *length)
{
    uint8_t *copy;

    *length = n < input->left ? n : input->left;
    copy = malloc(*length > 0 ? *length : 1);
    REQUIRE(copy != NULL);
    if (*length > 0)
        memcpy(copy, input->at, *length);
    input->at += *length;
    input->left -= *length;
    return copy;
}

bool
fuzz_is_printable(const char *text)
{
    for (; *text != '\0'; text++)
        if (*text < 0x20 || *text > 0x7e)
            return false;
    return true;
}

int
fuzz_free_descriptor(void)
{
    int fd = dup(STDERR_FILENO);

    close(fd);
    return fd;
}

void
fuzz_socketpair(int pair[2])
{
    REQUIRE(
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair)
        == 0);
}

bool
fuzz_read(int fd, uint8_t *out, size_t room, size_t *used)
{
    for (;;) {
        ssize_t n = recv(fd, out + *used, room - *used, 0);

        if (n == 0)
            return room > *used;
        if (n == -1)
            return errno != EAGAIN && errno != EINTR;
        *used += (size_t)n;
    }
}
