/*
 * parcel.h - a store of certificate files as a descriptor, to send elsewhere
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_PARCEL_H
#define PROXY_PARCEL_H

#include "certs/store.h"

/* The set's files in a memfd that the caller closes; -1, the reason logged. */
int parcel_make(const struct cert_set *set);

/* The store in a descriptor, which is checked and stays the caller's; the
 * caller frees it.  NULL, the reason logged. */
struct store *parcel_open(int fd);

#endif
