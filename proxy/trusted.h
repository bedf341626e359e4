/*
 * trusted.h - the one port of the port table with an operator's certificate
 *
 * To what reads, checks and watches an operator's files it looks like a
 * configuration of one port.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_TRUSTED_H
#define PROXY_TRUSTED_H

#include "proxy/config.h"
#include "proxy/settings.h"

/* The configuration, its files not open yet; the caller frees it, and the
 * settings outlive it.  NULL, logged, without memory. */
struct config *trusted_config(const struct settings *settings);

#endif
