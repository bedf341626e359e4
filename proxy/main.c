/*
 * mapitest - TLS test ports for MonetDB clients, or a TLS front for a MonetDB
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#include <signal.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/net.h"
#include "certs/store.h"
#include "proxy/health.h"
#include "proxy/master.h"
#include "proxy/options.h"
#include "proxy/site.h"

enum { EXIT_USAGE = 2 };

static int
write_files(const struct site *site)
{
    struct store *store = store_new(site->certs);
    int result = -1;

    if (store != NULL)
        result = store_write(store, site->settings->write_directory);
    store_free(store);
    return result;
}

int
main(int argc, char **argv)
{
    struct settings settings;
    struct site site;
    int status = EXIT_FAILURE;

    if (net_guard_standard() == -1)
        return EXIT_FAILURE;
    switch (options_parse(&settings, argc, argv)) {
    case OPTIONS_DONE:
        return EXIT_SUCCESS;
    case OPTIONS_USAGE:
        return EXIT_USAGE;
    case OPTIONS_RUN:
        break;
    }
    if (settings.health)
        return health_run(settings.health_url);
    log_setup("mapitest", settings.log_format,
              settings.verbose > 0 ? LOG_DEBUG : LOG_INFO);
    signal(SIGPIPE, SIG_IGN);
    if (net_raise_limit() == -1)
        log_errno("cannot raise the limit of open files");
    if (site_open(&site, &settings) == -1)
        goto done;
    if (settings.write_directory != NULL && write_files(&site) == -1)
        goto done;
    status = settings.serve ? master_run(&site) : EXIT_SUCCESS;

done:
    site_close(&site);
    return status;
}
