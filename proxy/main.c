/*
 * mapitest - TLS test ports for MonetDB clients, or a TLS front for a MonetDB
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/net.h"
#include "base/sandbox.h"
#include "certs/store.h"
#include "proxy/checker.h"
#include "proxy/health.h"
#include "proxy/inherited.h"
#include "proxy/master.h"
#include "proxy/notify.h"
#include "proxy/operator_files.h"
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

/* --check: with the keys in this process, which serves nothing. */
static int
check(const struct settings *settings)
{
    const struct edition_indexes none = {{false}};
    struct config *config = config_read(settings->config, settings);
    struct edition *edition = NULL;
    int result = -1;

    if (config == NULL)
        return -1;
    edition = edition_of_config(config, NULL, &none);
    if (edition == NULL) {
        config_free(config);
    } else if (operator_files_open(config, settings->allow_world_readable_keys)
                   == 0
               && checker_check(edition) == 0) {
        printf("%s: %zu ports, nothing wrong\n", config->path,
               config->front_count);
        result = 0;
    }
    edition_free(edition);
    return result;
}

/* One that comes while we start would end us: it waits for the master's loop,
 * which lets it through. */
static void
hold_hangups(void)
{
    sigset_t hangup;

    sigemptyset(&hangup);
    sigaddset(&hangup, SIGHUP);
    sigprocmask(SIG_BLOCK, &hangup, NULL);
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
    if (inherited_open() == -1)
        return EXIT_FAILURE;
    notify_open();
    if (settings.check)
        return check(&settings) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    if (net_raise_limit() == -1)
        log_errno("cannot raise the limit of open files");
    if (settings.serve)
        hold_hangups();
    if (settings.serve && !settings.no_sandbox)
        sandbox_begin();
    if (site_open(&site, &settings) == -1)
        goto done;
    if (settings.write_directory != NULL && write_files(&site) == -1)
        goto done;
    status = settings.serve ? master_run(&site) : EXIT_SUCCESS;

done:
    site_close(&site);
    return status;
}
