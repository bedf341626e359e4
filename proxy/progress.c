/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/progress.h"

/* contract.md, section 3: the longest response that the simulator takes. */
#define MESSAGE_MOST (64 * 1024)

void
progress_begin(struct progress *progress, enum event_mapi *reached)
{
    *progress = (struct progress){.reached = reached};
    *reached = MAPI_NONE;
    frame_begin(&progress->client.reader, MESSAGE_MOST);
    frame_begin(&progress->backend.reader, MESSAGE_MOST);
}

static void
client_has_sent(struct progress *progress)
{
    progress->client.messages = 1;
    if (*progress->reached == MAPI_CHALLENGE)
        *progress->reached = MAPI_RESPONSE;
}

static void
backend_has_sent(struct progress *progress)
{
    if (progress->backend.messages++ == 0)
        *progress->reached = MAPI_CHALLENGE;
    else if (progress->client.messages > 0)
        *progress->reached = MAPI_COMPLETE;
}

static void
has_sent(struct progress *progress, bool from_client)
{
    if (from_client)
        client_has_sent(progress);
    else
        backend_has_sent(progress);
}

/* True if the bytes are one message in one block, as they mostly are: then they
 * need no reader. */
static bool
are_a_message(const struct progress_side *side, const uint8_t *bytes,
              size_t length)
{
    return !side->lost && !side->reader.started && length >= FRAME_HEADER_SIZE
           && length <= FRAME_HEADER_SIZE + FRAME_BLOCK_MAX
           && (bytes[0] | (size_t)bytes[1] << 8)
                  == ((length - FRAME_HEADER_SIZE) << 1 | 1);
}

void
progress_heard(struct progress *progress, bool from_client,
               const uint8_t *bytes, size_t length)
{
    struct progress_side *side =
        from_client ? &progress->client : &progress->backend;

    if (are_a_message(side, bytes, length)) {
        has_sent(progress, from_client);
        return;
    }
    while (length > 0 && !side->lost && *progress->reached != MAPI_COMPLETE) {
        size_t taken;

        switch (frame_read(&side->reader, bytes, length, &taken)) {
        case FRAME_MORE:
            break;
        case FRAME_COMPLETE:
            has_sent(progress, from_client);
            break;
        case FRAME_BAD_BLOCK:
        case FRAME_TOO_LONG:
            side->lost = true;
            break;
        }
        bytes += taken;
        length -= taken;
    }
}
