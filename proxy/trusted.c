/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/trusted.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

/* What errors name. */
#define PLACE "--trusted-cert"

struct config *
trusted_config(const struct settings *settings)
{
    struct config *config = calloc(1, sizeof *config);
    struct front *front = calloc(1, sizeof *front);
    char *place = strdup(PLACE);

    if (config == NULL || front == NULL || place == NULL) {
        free(config);
        free(front);
        free(place);
        log_error(PLACE ": no memory");
        return NULL;
    }
    config->path = place;
    config->fronts = front;
    config->front_count = 1;
    front->policy = *port_find("trusted");
    front->client_ca.fd = -1;
    for (int i = 0; i < FRONT_CERTIFICATES_MAX; i++)
        front->certificates[i].chain.fd = front->certificates[i].key.fd = -1;
    front->certificates[0].chain.path = settings->trusted_chain;
    front->certificates[0].key.path = settings->trusted_key;
    front->certificate_count = 1;
    return config;
}
