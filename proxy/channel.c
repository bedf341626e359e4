/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/channel.h"

#include <errno.h>
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
channel_send(int channel, enum message message, int fd)
{
    unsigned char byte = (unsigned char)message;
    struct iovec iov = {.iov_base = &byte, .iov_len = 1};
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
    return sendmsg(channel, &msg, MSG_NOSIGNAL) == 1 ? 0 : -1;
}

enum message
channel_receive(int channel, int *fd)
{
    unsigned char byte = MESSAGE_NONE;
    struct iovec iov = {.iov_base = &byte, .iov_len = 1};
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
    return (enum message)byte;
}
