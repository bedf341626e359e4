/*
 * progress.h - how far a MAPI exchange has come, read off the relayed bytes
 *
 * Only for connections to the simulator, of which the whole exchange is known:
 * a challenge, the client's response, the last message.  Each is reached with
 * the last byte of its last block.  Empty blocks that do not end a message,
 * with which plain clients begin, are part of what follows them.
 *
 * A message from the client that comes before the challenge answers nothing and
 * is no response; if the simulator takes it for one, its last message shows
 * that.  A side that sends no MAPI blocks, or a message longer than the
 * simulator takes, is not followed any further.
 *
 * Pure: any split of the bytes gives the same result.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_PROGRESS_H
#define PROXY_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/frame.h"
#include "proxy/event.h"

/* One side's messages. */
struct progress_side {
    struct frame_reader reader;
    unsigned messages; /* that were complete; no more than matter */
    bool lost;         /* it sends something else */
};

struct progress {
    enum event_mapi *reached; /* not owned: in the connection's event */
    struct progress_side client, backend;
};

/* Begin at the first byte of both; *reached outlives the progress. */
void progress_begin(struct progress *progress, enum event_mapi *reached);

/* The client, or else the backend, has sent these bytes. */
void progress_heard(struct progress *progress, bool from_client,
                    const uint8_t *bytes, size_t length);

#endif
