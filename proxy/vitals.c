/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/vitals.h"

#include <string.h>
#include <time.h>

#include "base/log.h"

const char *const vitals_names[] = {
    [VITALS_UNKNOWN] = "unknown",
    [VITALS_REACHABLE] = "reachable",
    [VITALS_FAILING] = "failing",
};

const char *
vitals_error_text(int error)
{
    return error == VITALS_CLOSED ? "closed without a challenge"
                                  : strerror(error);
}

/* Change the state, if it is another; true for the one caller who did. */
static bool
change(struct vitals *vitals, uint64_t to)
{
    uint64_t state = counted(&vitals->state);

    if (state == to
        || !atomic_compare_exchange_strong(&vitals->state, &state, to))
        return false;
    atomic_store(&vitals->since, (uint64_t)time(NULL));
    return state != VITALS_UNKNOWN;
}

void
vitals_fail(struct vitals *vitals, const char *port, const char *place,
            int error)
{
    atomic_store(&vitals->error, (uint64_t)error);
    (void)change(vitals, VITALS_FAILING);
    atomic_fetch_add(&vitals->failed, 1);
    if (board_may_warn(&vitals->warned))
        log_warning("port '%s': the database server at %s cannot be reached: "
                    "%s",
                    port, place, vitals_error_text(error));
}

void
vitals_answer(struct vitals *vitals, const char *port)
{
    if (!change(vitals, VITALS_REACHABLE))
        return;
    atomic_store(&vitals->warned, 0); /* what fails next is news */
    log_info("port '%s': the database server answers again", port);
}
