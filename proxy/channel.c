/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/channel.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

int
channel_pair(int pair[2])
{
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
                      pair);
}

/* Room for one descriptor, aligned as the kernel wants it. */
union ancillary {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof(int))];
};

int
channel_send(int channel, const struct message *message, int fd)
{
    struct iovec iov = {.iov_base = (void *)message,
                        .iov_len = sizeof *message};
    union ancillary ancillary = {0};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

    if (fd != -1) {
        struct cmsghdr *header;

        msg.msg_control = ancillary.room;
        msg.msg_controllen = sizeof ancillary.room;
        header = CMSG_FIRSTHDR(&msg);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(header), &fd, sizeof fd);
    }
    return sendmsg(channel, &msg, MSG_NOSIGNAL) != -1 ? 0 : -1;
}

int
channel_push(int channel, const struct message *message)
{
    struct pollfd room = {.fd = channel, .events = POLLOUT};

    while (channel_send(channel, message, -1) == -1) {
        if (errno != EAGAIN)
            return -1;
        if (poll(&room, 1, -1) == -1 && errno != EINTR)
            return -1;
    }
    return 0;
}

int
channel_push_backend(int channel, size_t index, const struct backend *backend)
{
    struct message message = {
        .kind = MESSAGE_RESOLVED,
        .backend = (uint16_t)index,
        .count = backend->count,
    };

    memcpy(message.addresses, backend->addresses, sizeof message.addresses);
    return channel_push(channel, &message);
}

int
channel_say(int channel, enum message_kind kind)
{
    const struct message message = {.kind = kind};

    return channel_send(channel, &message, -1);
}

/* What another process sent is not believed to fit. */
static bool
is_valid(const struct message *message)
{
    if (message->kind < MESSAGE_READY || message->kind > MESSAGE_PONG
        || message->count < 0 || message->count > BACKEND_ADDRESSES_MAX)
        return false;
    for (int i = 0; i < message->count; i++) {
        int family = message->addresses[i].sa.any.sa_family;

        if ((family != AF_INET && family != AF_INET6 && family != AF_UNIX)
            || message->addresses[i].length > sizeof message->addresses[i].sa)
            return false;
    }
    return memchr(message->text, '\0', sizeof message->text) != NULL;
}

enum message_kind
channel_receive(int channel, struct message *message, int *fd)
{
    struct iovec iov = {.iov_base = message, .iov_len = sizeof *message};
    union ancillary ancillary = {0};
    struct msghdr msg = {
        .msg_iov = &iov,
        .msg_iovlen = 1,
        .msg_control = ancillary.room,
        .msg_controllen = sizeof ancillary.room,
    };
    struct cmsghdr *header;
    ssize_t n;

    *fd = -1;
    do
        n = recvmsg(channel, &msg, MSG_CMSG_CLOEXEC);
    while (n == -1 && errno == EINTR);
    if (n == -1)
        return errno == EAGAIN ? MESSAGE_NONE : MESSAGE_GONE;
    if (n == 0)
        return MESSAGE_GONE;
    header = CMSG_FIRSTHDR(&msg);
    if (header != NULL && header->cmsg_level == SOL_SOCKET
        && header->cmsg_type == SCM_RIGHTS
        && header->cmsg_len == CMSG_LEN(sizeof *fd))
        memcpy(fd, CMSG_DATA(header), sizeof *fd);
    if (n != sizeof *message || !is_valid(message))
        return MESSAGE_NONE;
    return message->kind;
}
