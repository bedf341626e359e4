/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/endpoint.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/net.h"
#include "proxy/facts.h"

/* Room that a full record needs beyond its plaintext, in either version. */
#define RECORD_OVERHEAD 256
#define RECORD_PLAIN    16384

/* One turn's worth of discarding: others wait. */
#define DISCARD_QUOTA (256 * 1024)

void
endpoint_init(struct endpoint *end, int fd, struct pool *pool,
              struct event *event)
{
    *end = (struct endpoint){
        .fd = fd,
        .event = event,
        .bio = {.fd = fd, .pool = pool},
    };
}

int
endpoint_start_tls(struct endpoint *end, SSL_CTX *context)
{
    BIO *bio;

    end->ssl = SSL_new(context);
    if (end->ssl == NULL)
        return -1;
    bio = tlsbio_new(&end->bio);
    if (bio == NULL)
        return -1;
    SSL_set_bio(end->ssl, bio, bio);
    SSL_set_app_data(end->ssl, end->event);
    SSL_set_accept_state(end->ssl);
    /* OpenSSL takes 40 KB for a handshake: not for a client that is silent. */
    end->bio.drained = true;
    return 0;
}

void
endpoint_wake(struct endpoint *end, unsigned ready)
{
    end->waits = 0;
    if ((ready & WAIT_READ) || end->bio.in.length > 0)
        tlsbio_turn(&end->bio);
    if (ready & WAIT_WRITE)
        end->blocked = false;
}

/* The first failure is the cause, what follows are its effects. */
static enum io
broke(struct endpoint *end, bool *direction, int error)
{
    if (!end->unreadable && !end->unwritable)
        end->error = error;
    *direction = true;
    return IO_BROKEN;
}

/* Send bytes until all are gone or the socket is full; flags are send()'s. */
static enum io
send_all(struct endpoint *end, struct buf *from, int flags)
{
    while (from->length > 0 && !end->blocked) {
        ssize_t n =
            send(end->fd, buf_peek(from), from->length, MSG_NOSIGNAL | flags);

        if (n >= 0) {
            end->blocked = (size_t)n < from->length;
            end->sent += (uint64_t)n;
            buf_consume(from, (size_t)n);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            end->blocked = true;
        } else if (errno != EINTR) {
            end->bio.reset = errno == ECONNRESET;
            return broke(end, &end->unwritable, errno);
        }
    }
    if (from->length == 0)
        return IO_DONE;
    end->waits |= WAIT_WRITE;
    return IO_AGAIN;
}

static enum io
flush(struct endpoint *end, int flags)
{
    enum io result;

    if (end->bio.out.length == 0)
        return IO_DONE;
    if (end->unwritable)
        return IO_BROKEN;
    result = send_all(end, &end->bio.out, flags);
    if (result != IO_AGAIN)
        pool_return(end->bio.pool, &end->bio.out);
    return result;
}

enum io
endpoint_flush(struct endpoint *end)
{
    return flush(end, 0);
}

bool
endpoint_has_unsent(const struct endpoint *end)
{
    return end->bio.out.length > 0;
}

/* The queue is empty almost always, and to clear it costs more than to look. */
static void
forget_errors(void)
{
    if (ERR_peek_error() != 0)
        ERR_clear_error();
}

/*
 * What a failed OpenSSL call means.  Reads the error queue, which the caller
 * emptied before the call, right after it.
 */
static enum io
tls_failure(struct endpoint *end, int rc)
{
    int what = SSL_get_error(end->ssl, rc);
    unsigned long reason = ERR_peek_error();

    forget_errors();
    switch (what) {
    case SSL_ERROR_WANT_READ:
        end->waits |= WAIT_READ;
        return IO_AGAIN;
    case SSL_ERROR_WANT_WRITE:
        end->waits |= WAIT_WRITE;
        return IO_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return IO_EOF;
    }
    if (end->bio.eof && !end->bio.established)
        return IO_EOF;
    if (end->bio.error == 0 && end->event != NULL)
        facts_failure(end->event, end->ssl, reason);
    return broke(end, &end->unreadable, end->bio.error);
}

enum io
endpoint_handshake(struct endpoint *end)
{
    enum io result;
    enum io flushed;

    if (end->bio.drained && end->bio.head_length == 0) {
        end->waits |= WAIT_READ;
        return IO_AGAIN;
    }
    do {
        int rc;

        forget_errors();
        rc = SSL_do_handshake(end->ssl);
        result = rc == 1 ? IO_DONE : tls_failure(end, rc);
        /* In TLS 1.3 the client's Finished is the last word of a handshake,
         * and proves that all before has arrived: what is left is a ticket. */
        if (result == IO_DONE && SSL_version(end->ssl) >= TLS1_3_VERSION)
            tlsbio_hold(&end->bio);
        flushed = endpoint_flush(end);
        if (flushed == IO_BROKEN && result != IO_DONE)
            result = IO_BROKEN;
        /* Waiting to write, with all written: the BIO was full, now it is not.
         */
    } while (result == IO_AGAIN && flushed == IO_DONE
             && SSL_want_write(end->ssl));

    end->event->first = end->bio.first;
    if (end->bio.first == FIRST_NONE && end->bio.head_length > 0
        && result != IO_AGAIN)
        end->event->first = FIRST_OTHER;
    if (result != IO_AGAIN)
        facts_session(end->event, end->ssl);
    if (result == IO_DONE)
        end->bio.established = true;
    return result;
}

bool
endpoint_is_dry(const struct endpoint *end)
{
    if (!end->bio.drained || end->unreadable)
        return false;
    /* The close_notify may have come right behind bytes already read. */
    return end->ssl == NULL
           || (end->bio.in.length == 0 && !SSL_has_pending(end->ssl)
               && (SSL_get_shutdown(end->ssl) & SSL_RECEIVED_SHUTDOWN) == 0);
}

void
endpoint_widen(struct endpoint *end)
{
    if (!end->wide)
        net_widen(end->fd, POOL_BULK);
    end->wide = true;
}

static enum io
read_plain(struct endpoint *end, struct buf *into)
{
    size_t room = buf_room(into);
    ssize_t n;

    if (end->bio.drained) {
        end->waits |= WAIT_READ;
        return IO_AGAIN;
    }
    do
        n = recv(end->fd, buf_space(into), room, 0);
    while (n == -1 && errno == EINTR);

    if (n > 0) {
        end->bio.drained = (size_t)n < room;
        if (end->event != NULL && end->event->first == FIRST_NONE)
            end->event->first =
                event_classify_first(buf_space(into), (size_t)n);
        buf_commit(into, (size_t)n);
        return IO_DONE;
    }
    if (n == 0 && end->bio.reset)
        return broke(end, &end->unreadable, ECONNRESET);
    if (n == 0) {
        end->bio.eof = true;
        return IO_EOF;
    }
    if (errno != EAGAIN && errno != EWOULDBLOCK)
        return broke(end, &end->unreadable, errno);
    end->bio.drained = true;
    end->waits |= WAIT_READ;
    return IO_AGAIN;
}

/*
 * How much to receive by one call.  Where `into` is for bulk data: as much as
 * will fit into it when decrypted, behind the part of a record that OpenSSL may
 * hold.  So the worker's block is empty again when the read is over, except
 * after records without data.
 */
static size_t
bulk_in(const struct buf *into)
{
    size_t room = buf_room(into);

    return pool_is_bulk(into) && room > RECORD_PLAIN + RECORD_OVERHEAD
               ? room - RECORD_PLAIN - RECORD_OVERHEAD
               : 0;
}

/* Give back the worker's block; what is in it is in vain if no more is read. */
static void
return_block(struct endpoint *end, enum io result)
{
    if (end->bio.in.length == 0 || result == IO_EOF || result == IO_BROKEN)
        pool_return(end->bio.pool, &end->bio.in);
    else if (result == IO_AGAIN)
        /* No event tells of these bytes: take another turn at once. */
        end->waits |= WAIT_READ | WAIT_WRITE;
}

static enum io
read_tls(struct endpoint *end, struct buf *into)
{
    enum io result = IO_AGAIN;
    bool moved = false;

    while (buf_room(into) > 0) {
        size_t n;
        int rc;

        end->bio.bulk_in = bulk_in(into);
        forget_errors();
        rc = SSL_read_ex(end->ssl, buf_space(into), buf_room(into), &n);
        if (rc != 1) {
            result = tls_failure(end, rc);
            break;
        }
        buf_commit(into, n);
        end->bio.turn = 0; /* into's room is what bounds data */
        moved = true;
    }
    return_block(end, moved && result == IO_AGAIN ? IO_DONE : result);
    /* OpenSSL may have answered: a KeyUpdate, an alert. */
    if (end->bio.out.length > 0 && endpoint_flush(end) == IO_BROKEN)
        result = IO_BROKEN;
    return moved ? IO_DONE : result;
}

enum io
endpoint_read(struct endpoint *end, struct buf *into)
{
    if (end->unreadable)
        return IO_BROKEN;
    return end->ssl != NULL ? read_tls(end, into) : read_plain(end, into);
}

static enum io
write_tls(struct endpoint *end, struct buf *from, bool more)
{
    enum io result = endpoint_flush(end);
    bool moved = false;

    end->bio.bulk = from->length > POOL_CHUNK;
    while (result == IO_DONE && from->length > 0) {
        size_t piece =
            from->length < RECORD_PLAIN ? from->length : RECORD_PLAIN;
        size_t n;
        int rc;

        if (end->bio.out.storage != NULL
            && buf_room(&end->bio.out) < piece + RECORD_OVERHEAD) {
            result = endpoint_flush(end);
            continue;
        }
        forget_errors();
        rc = SSL_write_ex(end->ssl, buf_peek(from), piece, &n);
        if (rc != 1) {
            result = tls_failure(end, rc);
            /* What failed although the peer has ended its direction, by a
             * fatal alert perhaps, is an orderly end to OpenSSL. */
            if (result == IO_EOF)
                result = broke(end, &end->unwritable, 0);
            break;
        }
        buf_consume(from, n);
        moved = true;
    }
    if (result != IO_BROKEN && !(more && from->length == 0))
        result = endpoint_flush(end);
    return moved && result != IO_BROKEN ? IO_DONE : result;
}

enum io
endpoint_write(struct endpoint *end, struct buf *from, bool more)
{
    size_t before = from->length;
    enum io result;

    if (end->unwritable)
        return IO_BROKEN;
    if (end->ssl != NULL)
        return write_tls(end, from, more);
    result = send_all(end, from, 0);
    return result == IO_AGAIN && from->length < before ? IO_DONE : result;
}

/* Queue a close_notify, once, where TLS is in a state to say it. */
static void
notify(struct endpoint *end)
{
    if (end->ssl == NULL || end->notified || !end->bio.established
        || end->unreadable)
        return;
    ERR_clear_error();
    (void)SSL_shutdown(end->ssl);
    ERR_clear_error();
    end->notified = true;
}

enum io
endpoint_shut(struct endpoint *end, bool cut)
{
    static const struct linger reset = {.l_onoff = 1, .l_linger = 0};
    enum io result;

    if (end->shut)
        return IO_DONE;
    /* The close_notify goes out with what is left, if there is room for it. */
    result = end->bio.out.storage == NULL
                     || buf_room(&end->bio.out) >= RECORD_OVERHEAD
                 ? IO_DONE
                 : endpoint_flush(end);
    if (result == IO_DONE && !cut)
        notify(end);
    /* FIN, which follows at once, shares the last segment. */
    if (result == IO_DONE)
        result = flush(end, MSG_MORE);
    if (result != IO_DONE)
        return result;
    end->shut = true;
    if (end->closing && !cut)
        return IO_DONE; /* the close says it */
    if (cut && end->ssl == NULL)
        (void)setsockopt(end->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    else if (shutdown(end->fd, SHUT_WR) == -1)
        return broke(end, &end->unwritable, errno);
    return IO_DONE;
}

enum io
endpoint_discard(struct endpoint *end)
{
    static uint8_t nowhere[16 * 1024];
    size_t total = 0;

    while (total < DISCARD_QUOTA) {
        ssize_t n = recv(end->fd, nowhere, sizeof nowhere, 0);

        if (n == 0)
            return IO_EOF;
        if (n > 0)
            total += (size_t)n;
        else if (errno == EAGAIN || errno == EWOULDBLOCK)
            break;
        else if (errno != EINTR)
            return broke(end, &end->unreadable, errno);
    }
    end->waits |= WAIT_READ;
    return IO_AGAIN;
}

void
endpoint_close(struct endpoint *end)
{
    SSL_free(end->ssl);
    end->ssl = NULL;
    if (end->bio.pool != NULL)
        pool_return(end->bio.pool, &end->bio.out);
    if (end->bio.pool != NULL)
        pool_return(end->bio.pool, &end->bio.in);
    free(end->bio.held);
    end->bio.held = NULL;
    net_close(&end->fd);
}

void
endpoint_info(const SSL *ssl, int where, int value)
{
    struct event *event = SSL_get_app_data(ssl);
    const struct tlsbio *io = BIO_get_data(SSL_get_rbio(ssl));
    bool fatal = value >> 8 == SSL3_AL_FATAL;
    int alert = value & 0xff;

    if ((where & SSL_CB_ALERT) == 0)
        return;
    /* RFC 8446, 6: in TLS 1.3 the level means nothing, and only these two
     * alerts are no errors; Java says good-bye with user_canceled.  Before, the
     * level alone decides, and one that is neither fatal nor a warning is no
     * alert but an error of its own. */
    if (SSL_version(ssl) < TLS1_3_VERSION
            ? !fatal
            : alert == SSL_AD_CLOSE_NOTIFY || alert == SSL_AD_USER_CANCELLED)
        return;
    if (where & SSL_CB_READ)
        event->alert_received = (int16_t)alert;
    else if (!io->mute)
        event->alert_sent = (int16_t)alert;
}
