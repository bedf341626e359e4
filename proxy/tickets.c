/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/tickets.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <openssl/rand.h>
#include <string.h>
#include <time.h>

#include "base/secret.h"
#include "base/wire.h"

/* Sets HKDF's output apart from whatever else the secret may be used for. */
#define LABEL       "mapitest session ticket keys"
#define EPOCH_BYTES 8
#define IV_BYTES    16 /* of AES-CBC */
#define INFO_MAX    (sizeof LABEL + EPOCH_BYTES + SSL_MAX_SID_CTX_LENGTH)

/* Filled by HKDF as one run of bytes: no member needs padding. */
struct keys {
    uint8_t name[16]; /* RFC 5077's key_name */
    uint8_t aes[32];
    uint8_t hmac[32];
};

_Static_assert(sizeof(struct keys) == 80, "keys are one run of bytes");

enum { PREVIOUS, CURRENT, NEXT, EPOCHS };

/* What the OpenSSL context owns. */
struct tickets {
    uint8_t secret[TICKETS_SECRET_BYTES];
    uint8_t id[SSL_MAX_SID_CTX_LENGTH];
    size_t id_length;
    uint64_t epoch; /* of keys[CURRENT] */
    struct keys keys[EPOCHS];
    EVP_CIPHER *cipher;
};

static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
static int ex_index = -1;

/* OpenSSL calls it when the context goes. */
static void
free_tickets(void *context, void *data, CRYPTO_EX_DATA *all, int index,
             long number, void *pointer)
{
    struct tickets *tickets = data;

    (void)context;
    (void)all;
    (void)index;
    (void)number;
    (void)pointer;
    if (tickets == NULL)
        return;
    EVP_CIPHER_free(tickets->cipher);
    secret_free(tickets, sizeof *tickets);
}

static void
make_index(void)
{
    ex_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_tickets);
}

static size_t
write_info(const struct tickets *tickets, uint64_t epoch,
           uint8_t info[INFO_MAX])
{
    struct wire_writer w = wire_writer(info, INFO_MAX);

    wire_put(&w, LABEL, sizeof LABEL); /* with its NUL */
    wire_put_be(&w, epoch, EPOCH_BYTES);
    wire_put(&w, tickets->id, tickets->id_length);
    return sizeof LABEL + EPOCH_BYTES + tickets->id_length;
}

/* HKDF-SHA256 (RFC 5869).  The secret is uniformly random: it needs no salt. */
static int
derive(const struct tickets *tickets, uint64_t epoch, struct keys *keys)
{
    uint8_t info[INFO_MAX];
    size_t info_length = write_info(tickets, epoch, info);
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, "SHA256", 0),
        OSSL_PARAM_construct_octet_string(
            OSSL_KDF_PARAM_KEY, (void *)tickets->secret, TICKETS_SECRET_BYTES),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info,
                                          info_length),
        OSSL_PARAM_construct_end(),
    };
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *context = kdf == NULL ? NULL : EVP_KDF_CTX_new(kdf);
    int derived = 0;

    if (context != NULL)
        derived = EVP_KDF_derive(context, (unsigned char *)keys, sizeof *keys,
                                 parameters);
    EVP_KDF_CTX_free(context);
    EVP_KDF_free(kdf);
    return derived == 1 ? 0 : -1;
}

/* All three or none: what fails leaves the keys as they were. */
static int
derive_all(struct tickets *tickets, uint64_t epoch)
{
    struct keys fresh[EPOCHS];
    int result = -1;

    for (int i = 0; i < EPOCHS; i++) {
        if (derive(tickets, epoch - CURRENT + (uint64_t)i, &fresh[i]) == -1)
            goto done;
    }
    memcpy(tickets->keys, fresh, sizeof fresh);
    tickets->epoch = epoch;
    result = 0;

done:
    OPENSSL_cleanse(fresh, sizeof fresh);
    return result;
}

static uint64_t
epoch_at(time_t now)
{
    return (uint64_t)now / TICKETS_EPOCH_SECONDS;
}

/* Without memory for new keys the old ones go on: others accept them for an
 * epoch more, and the next handshake tries again. */
static void
follow_clock(struct tickets *tickets)
{
    uint64_t epoch = epoch_at(time(NULL));

    if (epoch == tickets->epoch)
        return;
    ERR_set_mark();
    (void)derive_all(tickets, epoch);
    ERR_pop_to_mark();
}

static int
start_mac(EVP_MAC_CTX *mac, const struct keys *keys)
{
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, "SHA256", 0),
        OSSL_PARAM_construct_end(),
    };

    return EVP_MAC_init(mac, keys->hmac, sizeof keys->hmac, parameters) == 1
               ? 0
               : -1;
}

/*
 * A context that tickets_use() never saw is a mistake, but OpenSSL 3.0 would
 * answer "no ticket" by a message that TLS 1.3 clients refuse.  So there is a
 * ticket, which nobody can read.
 */
static int
issue(const struct tickets *tickets, unsigned char *name, unsigned char *iv,
      EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
    struct keys unknown;
    const struct keys *keys = &unknown;
    int result = -1;

    if (tickets != NULL)
        keys = &tickets->keys[CURRENT];
    else if (RAND_priv_bytes((unsigned char *)&unknown, sizeof unknown) != 1)
        return -1;
    memcpy(name, keys->name, sizeof keys->name);
    if (RAND_bytes(iv, IV_BYTES) != 1)
        goto done;
    if (EVP_EncryptInit_ex2(
            cipher, tickets != NULL ? tickets->cipher : EVP_aes_256_cbc(),
            keys->aes, iv, NULL)
        != 1)
        goto done;
    if (start_mac(mac, keys) == 0)
        result = 1;

done:
    if (tickets == NULL)
        OPENSSL_cleanse(&unknown, sizeof unknown);
    return result;
}

/*
 * 0: unknown, a full handshake; 1: accepted; 2: accepted, and another one is
 * due.  In TLS 1.3 one is always due: there a ticket is for one use (RFC 8446,
 * appendix C.4).
 */
static int
accept_ticket(SSL *ssl, const struct tickets *tickets,
              const unsigned char *name, const unsigned char *iv,
              EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
    static const int order[EPOCHS] = {CURRENT, PREVIOUS, NEXT};
    const struct keys *keys = NULL;

    if (tickets == NULL)
        return 0;
    for (int i = 0; i < EPOCHS && keys == NULL; i++) {
        const struct keys *candidate = &tickets->keys[order[i]];

        if (memcmp(name, candidate->name, sizeof candidate->name) == 0)
            keys = candidate;
    }
    if (keys == NULL)
        return 0;
    ERR_set_mark();
    if (EVP_DecryptInit_ex2(cipher, tickets->cipher, keys->aes, iv, NULL) != 1
        || start_mac(mac, keys) == -1) {
        ERR_pop_to_mark();
        return 0;
    }
    ERR_clear_last_mark();
    if (keys != &tickets->keys[CURRENT] || SSL_version(ssl) >= TLS1_3_VERSION)
        return 2;
    return 1;
}

/*
 * OpenSSL calls the callback of the context that the connection began with,
 * whatever SSL_set_SSL_CTX() did since, and does not tell which it was.  The
 * current one decides here, as it does for the session-id context.
 */
static int
on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv,
          EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int encrypt)
{
    struct tickets *tickets =
        SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), ex_index);

    if (tickets != NULL)
        follow_clock(tickets);
    if (encrypt)
        return issue(tickets, name, iv, cipher, mac);
    return accept_ticket(ssl, tickets, name, iv, cipher, mac);
}

static struct tickets *
make_tickets(const uint8_t secret[TICKETS_SECRET_BYTES], const uint8_t *id,
             size_t id_length)
{
    struct tickets *tickets = secret_new(sizeof *tickets);

    if (tickets == NULL)
        return NULL;
    memcpy(tickets->secret, secret, TICKETS_SECRET_BYTES);
    memcpy(tickets->id, id, id_length);
    tickets->id_length = id_length;
    tickets->cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
    if (tickets->cipher == NULL
        || derive_all(tickets, epoch_at(time(NULL))) == -1) {
        free_tickets(NULL, tickets, NULL, 0, 0, NULL);
        return NULL;
    }
    return tickets;
}

int
tickets_use(SSL_CTX *context, const uint8_t secret[TICKETS_SECRET_BYTES],
            const uint8_t *id, size_t id_length)
{
    struct tickets *tickets;
    struct tickets *old;

    if (id_length > SSL_MAX_SID_CTX_LENGTH)
        return -1;
    if (CRYPTO_THREAD_run_once(&once, make_index) != 1 || ex_index == -1)
        return -1;
    tickets = make_tickets(secret, id, id_length);
    if (tickets == NULL)
        return -1;
    old = SSL_CTX_get_ex_data(context, ex_index);
    if (SSL_CTX_set_ex_data(context, ex_index, tickets) != 1) {
        free_tickets(NULL, tickets, NULL, 0, 0, NULL);
        return -1;
    }
    free_tickets(NULL, old, NULL, 0, 0, NULL);
    SSL_CTX_set_timeout(context, TICKETS_EPOCH_SECONDS);
    if (SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket) != 1)
        return -1;
    return SSL_CTX_set_num_tickets(context, 1) == 1 ? 0 : -1;
}
