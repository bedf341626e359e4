/* SPDX-License-Identifier: MPL-2.0 */
#include "mapisim/behaviour.h"

#include <string.h>

#include "base/frame.h"

#define MEROVINGIAN .type = "merovingian", .options = ""
#define BLOCKS      .block = FRAME_BLOCK_MAX

const struct behaviour behaviour_usual = {.name = "usual", MEROVINGIAN, BLOCKS};

static const struct behaviour behaviours[] = {
    {.name = "cut_message", MEROVINGIAN, BLOCKS, .cuts = true},
    {.name = "tiny_blocks", MEROVINGIAN, .block = 1},
    {.name = "slow", MEROVINGIAN, BLOCKS, .pace = 0.02},
    /* The option lets pymonetdb send its settings with the login. */
    {.name = "login",
     .type = "mserver",
     .options = "sql=6:",
     BLOCKS,
     .serves = true},
};

const struct behaviour *
behaviour_find(struct slice name)
{
    for (size_t i = 0; i < sizeof behaviours / sizeof behaviours[0]; i++)
        if (strlen(behaviours[i].name) == name.length
            && memcmp(behaviours[i].name, name.bytes, name.length) == 0)
            return &behaviours[i];
    return NULL;
}
