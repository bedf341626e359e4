/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/tally.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#include "base/log.h"
#include "proxy/keyed.h"

#define CELLS 8192

struct row {
    bool used;
    _Atomic uint32_t cells[2][CELLS];
};

struct tally {
    struct keyed keyed;
    size_t count;
    struct row rows[];
};

struct tally *
tally_new(size_t rows)
{
    size_t size = sizeof(struct tally) + rows * sizeof(struct row);
    struct tally *tally = mmap(NULL, size, PROT_READ | PROT_WRITE,
                               MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (tally == MAP_FAILED) {
        log_errno("cannot share memory between processes");
        return NULL;
    }
    tally->count = rows;
    if (keyed_init(&tally->keyed) == 0)
        return tally;
    munmap(tally, size);
    return NULL;
}

struct tally_key
tally_key(const struct tally *tally, const struct net_address *client,
          uint32_t scope)
{
    const struct in6_addr *ip6 = &client->sa.v6.sin6_addr;
    uint8_t bytes[13] = {4}; /* the family, the address, the scope */
    uint64_t hash;
    uint16_t cells[2];

    if (client->sa.any.sa_family == AF_INET) {
        memcpy(bytes + 1, &client->sa.v4.sin_addr, 4);
    } else if (IN6_IS_ADDR_V4MAPPED(ip6)) {
        memcpy(bytes + 1, ip6->s6_addr + 12, 4);
    } else {
        bytes[0] = 6;
        memcpy(bytes + 1, ip6, 8);
    }
    memcpy(bytes + 9, &scope, sizeof scope);
    hash = keyed_hash(&tally->keyed, bytes, sizeof bytes);
    memcpy(cells, &hash, sizeof cells);
    return (struct tally_key){{cells[0] % CELLS, cells[1] % CELLS}};
}

unsigned
tally_add(struct tally *tally, size_t row, size_t rows, struct tally_key key)
{
    unsigned sums[2] = {0, 0};

    tally->rows[row].used = true;
    for (int i = 0; i < 2; i++)
        atomic_fetch_add(&tally->rows[row].cells[i][key.cells[i]], 1);
    /* Ours is counted before others' are read, in this order for all: of two
     * that come at once, one at least sees the other. */
    for (size_t r = 0; r < rows && r < tally->count; r++)
        for (int i = 0; tally->rows[r].used && i < 2; i++)
            sums[i] += atomic_load(&tally->rows[r].cells[i][key.cells[i]]);
    return sums[0] < sums[1] ? sums[0] : sums[1];
}

void
tally_remove(struct tally *tally, size_t row, struct tally_key key)
{
    for (int i = 0; i < 2; i++)
        atomic_fetch_sub(&tally->rows[row].cells[i][key.cells[i]], 1);
}

void
tally_clear(struct tally *tally, size_t row)
{
    if (tally->rows[row].used)
        memset(&tally->rows[row], 0, sizeof tally->rows[row]);
}
