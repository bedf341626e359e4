/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/keyset.h"

#include <stdlib.h>

int
keyset_open(struct keyset *set, size_t most)
{
    size_t cells = 2;

    while (cells < 2 * most)
        cells *= 2;
    *set = (struct keyset){.most = most, .mask = cells - 1};
    set->keys = calloc(most + 1, sizeof *set->keys);
    set->cells = calloc(cells, sizeof *set->cells);
    if (set->keys != NULL && set->cells != NULL)
        return 0;
    keyset_close(set);
    return -1;
}

bool
keyset_enter(struct keyset *set, uint64_t key, size_t *number)
{
    size_t cell = key & set->mask;

    /* At least half of the cells are empty. */
    while (set->cells[cell] != 0) {
        *number = set->cells[cell] - 1;
        if (set->keys[*number] == key)
            return true;
        cell = (cell + 1) & set->mask;
    }
    if (set->count == set->most)
        return false;
    *number = set->count;
    set->keys[set->count++] = key;
    set->cells[cell] = (uint32_t)set->count;
    return true;
}

void
keyset_close(struct keyset *set)
{
    free(set->keys);
    free(set->cells);
    *set = (struct keyset){.most = 0};
}
