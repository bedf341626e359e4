/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/urgent.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static void
broke(struct endpoint *end, bool *direction)
{
    if (!end->unreadable && !end->unwritable)
        end->error = errno;
    *direction = true;
}

bool
urgent_is_next(struct endpoint *end)
{
    int at_mark = 0;
    uint8_t next;
    ssize_t n;

    if (end->unreadable || end->bio.drained)
        return false;
    /* What comes between a look and the read would be read as if it were not
     * urgent: only a byte that is there already can be asked about. */
    n = recv(end->fd, &next, 1, MSG_PEEK);
    if (n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
        end->bio.drained = true;
    else if (n == -1 && errno != EINTR)
        broke(end, &end->unreadable); /* the kernel tells it only once */
    if (n != 1)
        return false;
    return ioctl(end->fd, SIOCATMARK, &at_mark) == 0 && at_mark;
}

enum io
urgent_write(struct endpoint *end, struct buf *from)
{
    ssize_t n;

    if (end->unwritable)
        return IO_BROKEN;
    if (!end->blocked) {
        n = send(end->fd, buf_peek(from), 1, MSG_NOSIGNAL | MSG_OOB);
        if (n == 1 || errno == EOPNOTSUPP) {
            end->sent++;
            buf_consume(from, 1);
            return IO_DONE;
        }
        if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
            broke(end, &end->unwritable);
            return IO_BROKEN;
        }
        end->blocked = errno != EINTR;
    }
    end->waits |= WAIT_WRITE;
    return IO_AGAIN;
}
