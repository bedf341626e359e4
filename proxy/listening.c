/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/listening.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "proxy/inherited.h"

/* The first socket is bound without SO_REUSEPORT, so that it fails, instead of
 * joining, where another instance listens. */
static int
bind_all(struct listening *l)
{
    int inherited = inherited_take(&l->address);

    l->single = inherited != -1;
    for (size_t i = 0; l->single && i < l->count; i++)
        l->fds[i] = inherited;
    if (l->single)
        return 0;
    for (size_t i = 0; i < l->count; i++) {
        l->fds[i] = net_listen(&l->address, i > 0);
        if (l->fds[i] == -1)
            return -1;
        if (i == 0 && l->count > 1 && net_allow_sharing(l->fds[0]) == -1)
            return -1;
    }
    return 0;
}

struct listening *
listening_open(const struct net_address *asked, const char *name, size_t each)
{
    struct listening *l = malloc(sizeof *l + each * sizeof l->fds[0]);
    int error;

    if (l == NULL)
        return NULL;
    *l = (struct listening){
        .users = 1, .asked = *asked, .address = *asked, .count = each};
    snprintf(l->name, sizeof l->name, "%s", name);
    for (size_t i = 0; i < each; i++)
        l->fds[i] = -1;
    if (bind_all(l) == 0)
        return l;
    error = errno;
    listening_release(l);
    errno = error;
    return NULL;
}

struct listening *
listening_share(struct listening *listening)
{
    listening->users++;
    return listening;
}

void
listening_release(struct listening *listening)
{
    if (listening == NULL || --listening->users > 0)
        return;
    for (size_t i = 0; i < (listening->single ? 1 : listening->count); i++)
        net_close(&listening->fds[i]);
    free(listening);
}

int
listening_set_keepalive(const struct listening *listening, double seconds,
                        double unsent)
{
    for (size_t i = 0; i < listening->count; i++)
        if (net_set_keepalive(listening->fds[i], seconds, unsent) == -1)
            return -1;
    return 0;
}
