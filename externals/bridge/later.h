/* What is to leave an object later: messages of its steps, each at a logical time of its own.

   They lie one behind the other as they came. There are a few at a time, so whoever wants the next one looks
   through them all. Memory is taken when the first one comes: most objects never need any. */

#ifndef NEURALMIDI_LATER_H
#define NEURALMIDI_LATER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "handover.h"

#define LATER_STEP (2 * HANDOVER_STEP_BYTES)    /* what a whole step may need here, at most */
#define LATER_BYTES (128 * 1024)                /* 787 notes, and a step */
#define LATER_NO_NOTE (-1)
#define LATER_HAIR 0.1                          /* 7 ns in Pd's unit of time: two that are closer are due at one time */

typedef struct later_message {
    double due;             /* when it leaves, in Pd's system time */
    uint64_t step;          /* number of the step that it belongs to */
    int32_t note;           /* which note it starts or ends, or LATER_NO_NOTE */
    uint32_t size;          /* of the message, a multiple of 8 */
    uint8_t bytes[];
} later_message;

typedef struct later {
    uint8_t *bytes;         /* NULL: nothing has ever waited here */
    size_t size;            /* how much of them is used */
} later;

/* Takes a copy of the message that follows its `head`; false when there is no room. */
bool later_put(later *l, const later_message *head, const void *bytes);

/* The message that leaves next, or NULL: of those due at one time the one that came first. */
const later_message *later_next(const later *l);

/* Takes the message that leaves next away, into `bytes`, as long as it is. */
void later_take(later *l, void *bytes);

/* A message about a note is not to overtake those of older steps about the same note: these leave by then, too. */
void later_hurry(later *l, const later_message *head);

/* True when a whole step may not find room any more. */
bool later_is_crowded(const later *l);

/* Nothing of what waits leaves. */
void later_clear(later *l);

void later_free(later *l);

#endif
