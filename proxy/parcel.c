/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/parcel.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/net.h"

int
parcel_make(const struct cert_set *set)
{
    struct store *store = store_new(set);
    uint8_t *blob = NULL;
    size_t length = 0;
    int fd = -1;

    if (store == NULL)
        goto done;
    blob = store_pack(store, &length);
    if (blob == NULL)
        goto done;
    fd = memfd_create("certificates", MFD_CLOEXEC);
    if (fd != -1 && write(fd, blob, length) != (ssize_t)length)
        net_close(&fd);

done:
    if (fd == -1)
        log_errno("cannot pack the certificates");
    free(blob);
    store_free(store);
    return fd;
}

struct store *
parcel_open(int fd)
{
    struct store *store = NULL;
    struct stat stat;
    void *blob;

    if (fstat(fd, &stat) == 0 && stat.st_size > 0) {
        blob = mmap(NULL, (size_t)stat.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (blob != MAP_FAILED) {
            store = store_unpack(blob, (size_t)stat.st_size);
            munmap(blob, (size_t)stat.st_size);
        }
    }
    if (store == NULL)
        log_error("certificates did not arrive whole");
    return store;
}
