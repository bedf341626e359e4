/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/keyed.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include "base/log.h"

int
keyed_init(struct keyed *keyed)
{
    if (RAND_bytes(keyed->secret, sizeof keyed->secret) == 1)
        return 0;
    log_tls("no random numbers");
    return -1;
}

uint64_t
keyed_hash(const struct keyed *keyed, const void *bytes, size_t length)
{
    static EVP_MAC *mac;
    EVP_MAC_CTX *context = NULL;
    uint64_t out[2] = {0, 0};
    size_t size = sizeof out;
    bool done;

    if (mac == NULL)
        mac = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
    if (mac != NULL)
        context = EVP_MAC_CTX_new(mac);
    done =
        context != NULL
        && EVP_MAC_init(context, keyed->secret, sizeof keyed->secret, NULL) == 1
        && EVP_MAC_update(context, bytes, length) == 1
        && EVP_MAC_final(context, (unsigned char *)out, &size, sizeof out) == 1;
    EVP_MAC_CTX_free(context);
    return done ? out[0] : 0;
}
