/*
 * master.h - the process that supervises
 *
 * It starts workers, control and the simulator, replaces one that dies, renews
 * the generated certificates, and stops everything in order.  It reads nothing
 * from the network.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_MASTER_H
#define PROXY_MASTER_H

#include "proxy/site.h"

/*
 * Serve until SIGTERM or SIGINT; returns the exit status.  "Serving requests on
 * base port N" is logged once every process is ready.
 */
int master_run(struct site *site);

#endif
