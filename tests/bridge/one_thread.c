/* Both sides of the bridge in one thread, for tests that choose every interleaving themselves: the real ring and
   the real hand-over, with what pd.c does to a record of one object. */

#include <string.h>

#include "handover.h"
#include "records.h"
#include "ring.h"

/* --- the ring ----------------------------------------------------------------------------------------------------- */

ring *test_ring_new(size_t size)
{
    ring *r = aligned_alloc(_Alignof(ring), sizeof *r);

    ring_init(r, size);
    return r;
}

void test_ring_free(ring *r)
{
    free(r->bytes);
    free(r);
}

void *test_ring_reserve(ring *r, size_t size, size_t spare) { return ring_reserve(r, size, spare); }
void test_ring_commit(ring *r) { ring_commit(r); }
void test_ring_pop(ring *r) { ring_pop(r); }
int test_ring_half_full(ring *r) { return ring_half_full(r); }
size_t test_ring_used(ring *r) { return r->written - r->taken; }
size_t test_ring_start(ring *r) { return (size_t)r->bytes; }

void *test_ring_front(ring *r, size_t *size)
{
    uint8_t *front = ring_front(r);

    if (front)
        *size = ((ring_record *)front - 1)->size;
    return front;
}

/* --- the hand-over ------------------------------------------------------------------------------------------------ */

typedef struct sides {
    ring results;
    handover_view view;
    handover steps;
} sides;

sides *test_new(size_t ring_size)
{
    sides *s = aligned_alloc(_Alignof(sides), sizeof *s);

    ring_init(&s->results, ring_size);
    handover_init(&s->steps, &s->view);
    return s;
}

void test_free(sides *s)
{
    handover_free(&s->steps);
    free(s->results.bytes);
    free(s);
}

uint64_t test_accepted(sides *s) { return s->view.accepted; }
uint64_t test_released(sides *s) { return s->view.released; }
unsigned test_ready(sides *s) { return s->steps.count; }
uint64_t test_stale(sides *s) { return s->steps.stale; }
void test_clear(sides *s) { handover_clear(&s->steps); }
size_t test_release(sides *s, void *bytes) { return handover_release(&s->steps, bytes); }
int test_lookahead(void) { return HANDOVER_LOOKAHEAD; }
int test_step_bytes(void) { return HANDOVER_STEP_BYTES; }
int test_is_empty(sides *s) { return s->results.written == s->results.taken; }

int test_accept(sides *s, uint64_t number, uint64_t previous, const void *bytes, size_t size)
{
    return handover_accept(&s->steps, number, previous, bytes, size);
}

/* Python's: a step, or with `number` 0 word of a failure. */
int test_send(sides *s, uint64_t number, uint64_t previous, const void *bytes, size_t size)
{
    result *r = ring_reserve(&s->results, sizeof *r + size, 0);

    if (!r)
        return 0;
    *r = (result){.kind = number ? RESULT_STEP : RESULT_FAILED, .number = number, .previous = previous, .size = size};
    memcpy(r->payload, bytes, size);
    ring_commit(&s->results);
    return 1;
}

/* Pd's: takes one record in. 1: a step was accepted, 0: it was stale, -1: a failure, -2: there was nothing. */
int test_drain(sides *s)
{
    result *r = ring_front(&s->results);
    int taken = -1;

    if (!r)
        return -2;
    if (r->kind == RESULT_FAILED)
        handover_clear(&s->steps);
    else
        taken = handover_accept(&s->steps, r->number, r->previous, r->payload, r->size);
    ring_pop(&s->results);
    return taken;
}

/* --- a state to come back to: 8-byte words, and texts padded to them --------------------------------------------- */

static uint64_t *put_text(uint64_t *to, const void *bytes, size_t size)
{
    memcpy(to, bytes, size);
    return to + (size + 7) / 8;
}

/* accepted, released, number of ready steps, of records; then (number, size, text) and (number, previous, size, text).
   It empties the ring on its way: test_load follows. */
size_t test_save(sides *s, uint64_t *words)
{
    uint64_t *to = words + 4;
    unsigned n;
    result *r;

    words[0] = s->view.accepted;
    words[1] = s->view.released;
    words[2] = s->steps.count;
    for (n = 0; n < s->steps.count; n++) {
        handover_step *step = &s->steps.steps[(s->steps.first + n) % HANDOVER_LOOKAHEAD];
        *to++ = step->number;
        *to++ = step->size;
        to = put_text(to, step->bytes, step->size);
    }
    for (words[3] = 0; (r = ring_front(&s->results)); words[3]++) {
        *to++ = r->number;
        *to++ = r->previous;
        *to++ = r->size;
        to = put_text(to, r->payload, r->size);
        ring_pop(&s->results);
    }
    return (size_t)(to - words) * 8;
}

void test_load(sides *s, const uint64_t *words)
{
    const uint64_t *from = words + 4;
    uint64_t n;

    s->view.accepted = words[0];
    s->view.released = words[1];
    s->steps.count = (unsigned)words[2];
    for (n = 0; n < words[2]; n++, from += 2 + (from[1] + 7) / 8) {
        handover_step *step = &s->steps.steps[(s->steps.first + n) % HANDOVER_LOOKAHEAD];
        step->number = from[0];
        step->size = step->room = from[1];
        step->bytes = realloc(step->bytes, step->room + 1);
        memcpy(step->bytes, from + 2, step->size);
    }
    while (ring_front(&s->results))
        ring_pop(&s->results);
    for (n = 0; n < words[3]; n++, from += 3 + (from[2] + 7) / 8)
        test_send(s, from[0], from[1], from + 3, from[2]);
}
