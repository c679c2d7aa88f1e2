/* The hand-over of prepared steps from Python's thread to Pd's: Pd's side.

   Read externals/bridge/HANDOVER.md first. In short: every step has a number of its own and names the step that
   it follows. Pd keeps the line of steps that follows the last released one. A step that arrives is put behind
   the step it names, and whatever stood there before is forgotten; if it names none of them, Pd has already gone
   another way and the step is stale. */

#ifndef NEURALMIDI_HANDOVER_H
#define NEURALMIDI_HANDOVER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HANDOVER_LOOKAHEAD 32            /* steps at most */
#define HANDOVER_STEP_BYTES (24 * 1024)  /* a cluster of all 128 pitches, each ended and started, fits */

/* What Python reads of an object. Pd's thread alone writes it, in this order: `accepted` before any release that
   follows; so Python, which reads `accepted` first and `released` second, never takes a dead branch for alive. */
typedef struct handover_view {
    atomic_ullong accepted;              /* the last step that Pd has looked at, stale or not */
    atomic_ullong released;              /* the last step that sounded; 0 before the first */
} handover_view;

typedef struct handover_step {
    uint64_t number;
    size_t size, room;
    uint8_t *bytes;                      /* room for the longest step that has lain here, most are short */
} handover_step;

typedef struct handover {
    handover_step steps[HANDOVER_LOOKAHEAD];    /* a circle */
    unsigned first, count;
    handover_view *view;
    uint64_t stale;                      /* how many arrived too late to be played */
} handover;

void handover_init(handover *h, handover_view *view);
void handover_free(handover *h);

/* Takes in a step; false when it is stale or does not fit, or there is no memory. */
bool handover_accept(handover *h, uint64_t number, uint64_t previous, const void *bytes, size_t size);

/* The size of the next step, or 0 when none is ready. */
size_t handover_next(const handover *h);

/* Copies the next step into `bytes`, handover_next() long, and releases it; its size, or 0 when none is ready. */
size_t handover_release(handover *h, void *bytes);

/* Forgets every prepared step: after a failure nothing that was prepared may sound. */
void handover_clear(handover *h);

#endif
