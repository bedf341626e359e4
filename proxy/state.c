/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/state.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "certs/folder.h"
#include "certs/keep.h"

/* Another instance may make its keys meanwhile. */
#define OPEN_WAIT_SECONDS 60.0

/* A renewal waits in the master's loop, and another one only reads and writes
 * leaves. */
#define RENEW_WAIT_SECONDS 2.0

#define HEX_DIGITS (2 * TICKETS_SECRET_BYTES)

/* The line's end may be missing: an editor may have been there. */
static int
parse_secret(const struct folder_file *file,
             uint8_t secret[TICKETS_SECRET_BYTES])
{
    char digits[HEX_DIGITS + 1] = "";
    size_t length = 0;
    int parsed;

    if (file->length < HEX_DIGITS || file->length > HEX_DIGITS + 1)
        return -1;
    if (file->length > HEX_DIGITS && file->bytes[HEX_DIGITS] != '\n')
        return -1;
    memcpy(digits, file->bytes, HEX_DIGITS);
    parsed = OPENSSL_hexstr2buf_ex(secret, TICKETS_SECRET_BYTES, &length,
                                   digits, '\0');
    ERR_clear_error();
    OPENSSL_cleanse(digits, sizeof digits);
    return parsed == 1 && length == TICKETS_SECRET_BYTES ? 0 : -1;
}

static int
make_secret(uint8_t secret[TICKETS_SECRET_BYTES])
{
    if (RAND_priv_bytes(secret, TICKETS_SECRET_BYTES) == 1)
        return 0;
    log_tls("no random numbers for session tickets");
    return -1;
}

static int
write_secret(const struct folder *folder,
             const uint8_t secret[TICKETS_SECRET_BYTES])
{
    char line[HEX_DIGITS + 2];
    int result;

    for (size_t i = 0; i < TICKETS_SECRET_BYTES; i++)
        snprintf(line + 2 * i, 3, "%02x", secret[i]);
    line[HEX_DIGITS] = '\n';
    result = folder_write(folder, STATE_SECRET, true, line, HEX_DIGITS + 1);
    OPENSSL_cleanse(line, sizeof line);
    return result;
}

static int
load_secret(const struct folder *folder, uint8_t secret[TICKETS_SECRET_BYTES])
{
    struct folder_file file;
    int result;

    switch (folder_read(folder, STATE_SECRET, true, &file)) {
    case FOLDER_FAILED:
        return -1;
    case FOLDER_MISSING:
        return make_secret(secret) == 0 ? write_secret(folder, secret) : -1;
    case FOLDER_READ:
        break;
    }
    result = parse_secret(&file, secret);
    if (result == -1)
        log_error("%s/" STATE_SECRET " is not a line of %d hex digits",
                  folder->path, HEX_DIGITS);
    OPENSSL_cleanse(&file, sizeof file);
    return result;
}

/* The secret is the quicker one to fail. */
static int
load(const struct folder *folder, struct state *state,
     const char *const *hostnames, size_t count)
{
    if (load_secret(folder, state->ticket_secret) == -1)
        return -1;
    if (hostnames == NULL)
        return 0;
    state->certs = keep_open(folder, hostnames, count);
    return state->certs == NULL ? -1 : 0;
}

int
state_open(struct state *state, const char *directory,
           const char *const *hostnames, size_t count)
{
    struct folder folder;
    int result;

    *state = (struct state){.certs = NULL};
    if (directory == NULL) {
        if (make_secret(state->ticket_secret) == -1)
            return -1;
        if (hostnames == NULL)
            return 0;
        state->certs = cert_set_new(hostnames, count);
        return state->certs == NULL ? -1 : 0;
    }
    if (folder_open(&folder, directory, true, OPEN_WAIT_SECONDS) == -1)
        return -1;
    result = load(&folder, state, hostnames, count);
    folder_close(&folder);
    return result;
}

int
state_renew(const char *directory, struct cert_set *certs)
{
    struct folder folder;
    int result = -1;

    if (directory == NULL)
        return cert_set_renew(certs);
    if (folder_open(&folder, directory, false, RENEW_WAIT_SECONDS) == 0) {
        result = keep_renew(&folder, certs);
        folder_close(&folder);
    }
    if (result == 0)
        return 0;
    log_warning("%s: this instance gets certificates of its own", directory);
    return cert_set_renew(certs);
}

double
state_renew_in(const char *directory, const struct cert_set *certs,
               double renew_after)
{
    double age = directory == NULL ? 0 : (double)cert_set_age(certs);
    double left = renew_after - age;

    return left < 1 ? 1 : left;
}
