/* SPDX-License-Identifier: MPL-2.0 */
#include "base/secret.h"

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

void *
secret_new(size_t length)
{
    void *bytes = mmap(NULL, length, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (bytes == MAP_FAILED)
        return NULL;
    secret_guard(bytes, length);
    return bytes;
}

/* The kernel wipes pages before anybody has them again. */
void
secret_free(void *bytes, size_t length)
{
    if (bytes != NULL)
        munmap(bytes, length);
}

void
secret_guard(const void *bytes, size_t length)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t first = (uintptr_t)bytes & ~(page - 1);
    uintptr_t end = ((uintptr_t)bytes + length + page - 1) & ~(page - 1);

    (void)madvise((void *)first, end - first, MADV_DONTDUMP);
    /* Pages that are not used yet are not made for it. */
    (void)mlock2((void *)first, end - first, MLOCK_ONFAULT);
}
