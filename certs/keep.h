/*
 * keep.h - a set of certificates that lasts
 *
 * A folder holds NAME.key for every row with a key of its own and NAME.crt for
 * every row, in the form of store.h, but nothing of rows that are fleeting.
 * Authorities, which clients trust, and keys are made once and never replaced;
 * leaves are issued again whenever that is due.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef CERTS_KEEP_H
#define CERTS_KEEP_H

#include "certs/factory.h"
#include "certs/folder.h"

/*
 * The folder's set.  What is missing is made and written: rows that the folder
 * does not have yet, a leaf's key, an authority's certificate if its key is
 * there, which is what a start that was cut off leaves behind.  All leaves
 * are issued again, with their keys, if one of them is missing or broken, was
 * not issued by its authority for its key and exactly these host names, or is
 * past half of its life; or if one that shall have expired has not.
 *
 * Returns a set that the caller frees; or NULL, with one line in the log that
 * names the file, if a key or an authority's certificate cannot be used, or
 * they do not belong together.
 */
struct cert_set *keep_open(const struct folder *folder,
                           const char *const *hostnames, size_t count);

/*
 * Renew the set's leaves: issue those that are fleeting; of the others, take
 * the folder's if they are good, as above, and newer than the set's, and else
 * issue them and write them there.  That they cannot be written is logged, and
 * no failure.  Returns 0, or -1, logged, with set and folder as they were.
 */
int keep_renew(const struct folder *folder, struct cert_set *set);

#endif
