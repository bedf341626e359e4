/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/tlsbio.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/*
 * Bytes of one turn.  What carries no data, a KeyUpdate above all, keeps
 * SSL_read() going for as long as the client sends: others would wait for ever.
 */
#define TURN_QUOTA POOL_CHUNK

static BIO_METHOD *method;

/* Note the client's first bytes, and what they make of it. */
static void
classify(struct tlsbio *io, const char *bytes, size_t length)
{
    size_t room = sizeof io->head - io->head_length;

    if (io->first != FIRST_NONE)
        return;
    if (length > room)
        length = room;
    memcpy(io->head + io->head_length, bytes, length);
    io->head_length += (uint8_t)length;
    io->first = event_classify_first(io->head, io->head_length);
}

/* Bytes that were received before. */
static ssize_t
take(struct tlsbio *io, char *bytes, size_t length)
{
    size_t n = length < io->in.length ? length : io->in.length;

    memcpy(bytes, buf_peek(&io->in), n);
    buf_consume(&io->in, n);
    return (ssize_t)n;
}

/* As recv(); bulk data goes into the worker's block first, if there is one. */
static ssize_t
receive(struct tlsbio *io, char *bytes, size_t length)
{
    bool bulk = io->bulk_in > length
                && pool_lend_bulk(io->pool, &io->in, POOL_BULK_BLOCK);
    size_t room = bulk ? buf_room(&io->in) : length;
    ssize_t n;

    if (bulk && room > io->bulk_in)
        room = io->bulk_in;
    do
        n = recv(io->fd, bulk ? (char *)buf_space(&io->in) : bytes, room, 0);
    while (n == -1 && errno == EINTR);

    /* The socket may have more for a block, but then it is others' turn. */
    if (n > 0)
        io->drained = bulk || (size_t)n < room;
    if (n <= 0 || !bulk)
        return n;
    buf_commit(&io->in, (size_t)n);
    return take(io, bytes, length);
}

static int
bio_read(BIO *bio, char *bytes, int length)
{
    struct tlsbio *io = BIO_get_data(bio);
    ssize_t n;

    BIO_clear_retry_flags(bio);
    if (io->eof)
        return 0;
    if (io->error != 0 || length <= 0)
        return -1;
    if (io->turn >= TURN_QUOTA || (io->drained && io->in.length == 0)) {
        BIO_set_retry_read(bio);
        return -1;
    }
    n = io->in.length > 0 ? take(io, bytes, (size_t)length)
                          : receive(io, bytes, (size_t)length);
    if (n > 0) {
        io->turn += (size_t)n;
        io->drained = io->drained || io->turn >= TURN_QUOTA;
        classify(io, bytes, (size_t)n);
        if (io->first == FIRST_TLS || io->first == FIRST_NONE)
            return (int)n;
        io->mute = true;
        return -1;
    }
    if (n == 0 && io->reset) {
        io->error = ECONNRESET;
        return -1;
    }
    if (n == 0) {
        io->eof = true;
        /* OpenSSL answers this with decode_error: nobody refused anybody. */
        io->mute = io->mute || !io->established;
        return 0;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
        io->drained = true;
        BIO_set_retry_read(bio);
    } else {
        io->error = errno;
    }
    return -1;
}

/* What was held goes first, into a block that is empty. */
static void
release(struct tlsbio *io)
{
    buf_append(&io->out, io->held, io->held_length);
    free(io->held);
    io->held = NULL;
}

void
tlsbio_hold(struct tlsbio *io)
{
    if (io->held != NULL || io->out.length == 0)
        return;
    io->held = malloc(io->out.length);
    if (io->held == NULL)
        return; /* then it goes out now */
    io->held_length = io->out.length;
    memcpy(io->held, buf_peek(&io->out), io->held_length);
    pool_return(io->pool, &io->out);
}

static int
bio_write(BIO *bio, const char *bytes, int length)
{
    struct tlsbio *io = BIO_get_data(bio);
    size_t taken = (size_t)length;

    BIO_clear_retry_flags(bio);
    if (io->mute || length <= 0)
        return length;
    if (!(io->bulk && pool_lend_bulk(io->pool, &io->out, POOL_BULK_BLOCK))
        && !pool_lend(io->pool, &io->out, POOL_BLOCK))
        return -1;
    if (io->held != NULL)
        release(io);
    if (taken > buf_room(&io->out))
        taken = buf_room(&io->out);
    if (taken == 0) {
        BIO_set_retry_write(bio);
        return -1;
    }
    buf_append(&io->out, bytes, taken);
    return (int)taken;
}

static long
bio_control(BIO *bio, int command, long number, void *pointer)
{
    const struct tlsbio *io = BIO_get_data(bio);

    (void)number;
    (void)pointer;
    switch (command) {
    case BIO_CTRL_FLUSH:
        return 1; /* the endpoint sends when the burst is over */
    case BIO_CTRL_EOF:
        return io->eof;
    }
    return 0;
}

int
tlsbio_setup(void)
{
    if (method != NULL)
        return 0;
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK,
                          "mapitest socket");
    if (method == NULL)
        return -1;
    BIO_meth_set_read(method, bio_read);
    BIO_meth_set_write(method, bio_write);
    BIO_meth_set_ctrl(method, bio_control);
    return 0;
}

void
tlsbio_turn(struct tlsbio *io)
{
    io->drained = false;
    io->turn = 0;
}

BIO *
tlsbio_new(struct tlsbio *io)
{
    BIO *bio = BIO_new(method);

    if (bio == NULL)
        return NULL;
    BIO_set_data(bio, io);
    BIO_set_init(bio, 1);
    return bio;
}
