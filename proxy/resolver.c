/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/resolver.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "proxy/channel.h"

/* A name that fails is logged now and then, not each time. */
#define COMPLAINT_ROUNDS 20

bool
resolver_is_needed(const struct edition *edition)
{
    for (size_t i = 0; i < edition->backend_count; i++)
        if (backend_has_names(&edition->backends[i]))
            return true;
    return false;
}

/* Resolve one backend; true if its addresses are others than before. */
static bool
refresh(struct backend *backend, const char *name, unsigned *failures)
{
    struct net_address before[BACKEND_ADDRESSES_MAX];
    int count = backend->count;
    bool quiet = *failures % COMPLAINT_ROUNDS != 0;

    memcpy(before, backend->addresses, sizeof before);
    if (backend_resolve(backend, quiet ? NULL : name) != 0) {
        (*failures)++;
    } else if (*failures > 0) {
        log_info("%s: resolved again", name);
        *failures = 0;
    }
    if (count != backend->count)
        return true;
    for (int i = 0; i < count; i++)
        if (!net_equal(&before[i], &backend->addresses[i]))
            return true;
    return false;
}

static void
log_change(const struct backend *backend, const char *name)
{
    char list[BACKEND_ADDRESSES_MAX * NET_TEXT_MAX] = "";
    char text[NET_TEXT_MAX];

    for (int i = 0; i < backend->count; i++) {
        strcat(list, i > 0 ? ", " : "");
        strcat(list, backend_text(backend, i, text));
    }
    log_info("%s: the backend is now at %s", name, list);
}

static void
refresh_all(struct edition *edition, unsigned *failures, int channel)
{
    char name[96];

    for (size_t i = 0; i < edition->backend_count; i++) {
        struct backend *backend = &edition->backends[i];

        if (!backend_has_names(backend))
            continue;
        edition_backend_name(edition, i, name);
        if (!refresh(backend, name, &failures[i]))
            continue;
        log_change(backend, name);
        if (channel_push_backend(channel, i, backend) == -1)
            log_errno("cannot tell the new addresses");
    }
}

int
resolver_run(struct edition *edition, double seconds, int channel)
{
    unsigned *failures = calloc(edition->backend_count, sizeof *failures);
    struct pollfd poll_fd = {.fd = channel, .events = POLLIN};
    struct message message;
    int fd;

    if (failures == NULL || channel_say(channel, MESSAGE_READY) == -1)
        return EXIT_FAILURE;
    while (true) {
        int n = poll(&poll_fd, 1, (int)(seconds * 1e3));

        if (n == 0) {
            refresh_all(edition, failures, channel);
        } else if (n > 0) {
            enum message_kind kind = channel_receive(channel, &message, &fd);

            net_close(&fd);
            if (kind == MESSAGE_GONE || kind == MESSAGE_STOP
                || kind == MESSAGE_DRAIN)
                break;
        } else if (errno != EINTR) {
            break;
        }
    }
    free(failures);
    return EXIT_SUCCESS;
}
