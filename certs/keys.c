/* SPDX-License-Identifier: MPL-2.0 */
#include "certs/keys.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"

struct work {
    EVP_PKEY **keys;
    const enum cert_key *kinds;
    size_t count;
    atomic_size_t next;   /* the first key that nobody makes yet */
    atomic_ulong failure; /* an OpenSSL error code, logged after the join */
};

static EVP_PKEY *
make_key(enum cert_key kind)
{
    switch (kind) {
    case CERT_RSA_2048:
        return EVP_RSA_gen(2048);
    case CERT_RSA_1024:
        return EVP_RSA_gen(1024);
    case CERT_P256:
        return EVP_EC_gen("P-256");
    }
    return NULL;
}

/* Keys take very different times, so each thread fetches one at a time. */
static void *
make_keys(void *argument)
{
    struct work *work = argument;

    for (;;) {
        size_t i = atomic_fetch_add(&work->next, 1);

        if (i >= work->count)
            return NULL;
        ERR_clear_error();
        work->keys[i] = make_key(work->kinds[i]);
        if (work->keys[i] == NULL)
            atomic_store(&work->failure, ERR_get_error());
    }
}

static size_t
thread_count(size_t keys)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);

    if (cpus < 1)
        return 1;
    return (size_t)cpus < keys ? (size_t)cpus : keys;
}

/* The caller is one of the threads: where no more can be had, keys are made all
 * the same, only later. */
static void
run(struct work *work)
{
    size_t wanted = thread_count(work->count);
    pthread_t *helpers = calloc(wanted, sizeof *helpers);
    size_t started = 0;

    while (helpers != NULL && started + 1 < wanted) {
        if (pthread_create(&helpers[started], NULL, make_keys, work) != 0)
            break;
        started++;
    }
    make_keys(work);
    for (size_t i = 0; i < started; i++)
        pthread_join(helpers[i], NULL);
    free(helpers);
}

int
keys_new(EVP_PKEY **keys, const enum cert_key *kinds, size_t count)
{
    struct work work = {.keys = keys, .kinds = kinds, .count = count};
    bool complete = true;
    const char *reason;

    for (size_t i = 0; i < count; i++)
        keys[i] = NULL;
    if (count == 0)
        return 0;
    run(&work);
    for (size_t i = 0; i < count; i++)
        complete = complete && keys[i] != NULL;
    if (complete)
        return 0;

    reason = ERR_reason_error_string(atomic_load(&work.failure));
    log_error("cannot make a key: %s",
              reason != NULL ? reason : "no reason given");
    for (size_t i = 0; i < count; i++) {
        EVP_PKEY_free(keys[i]);
        keys[i] = NULL;
    }
    return -1;
}
