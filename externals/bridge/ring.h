/* A lock-free ring of records between one writing and one reading thread.

   Records lie in one piece, so that both sides work in place: reserve, fill, commit; front, use, pop.
   A record that does not fit before the end of the buffer starts again at its beginning; SKIP marks the gap.
   `written` and `taken` count bytes for ever, and each is stored by one side only: a store with release
   order publishes everything that was written before it to the side that loads it with acquire order. */

#ifndef NEURALMIDI_RING_H
#define NEURALMIDI_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define RING_SKIP UINT32_MAX

typedef struct ring {
    uint8_t *bytes;
    size_t size;                     /* a power of two */
    _Alignas(64) atomic_size_t written;
    size_t reserved;                 /* the writer's own: where `written` will be after commit */
    _Alignas(64) atomic_size_t taken;
    size_t front_end;                /* the reader's own: where `taken` will be after pop */
} ring;

typedef struct ring_record {
    uint32_t size;                   /* of the payload, or RING_SKIP */
    uint32_t unused;                 /* keeps the payload aligned to 8 */
} ring_record;

static inline bool ring_init(ring *r, size_t size)
{
    r->bytes = malloc(size);
    r->size = size;
    atomic_init(&r->written, 0);
    atomic_init(&r->taken, 0);
    return r->bytes != NULL;
}

/* Room for `size` bytes, or NULL. `spare` bytes are left free: a reserve for records that must not be lost. */
static inline void *ring_reserve(ring *r, size_t size, size_t spare)
{
    size_t written = atomic_load_explicit(&r->written, memory_order_relaxed);
    size_t taken = atomic_load_explicit(&r->taken, memory_order_acquire);
    size_t need = sizeof(ring_record) + ((size + 7) & ~(size_t)7);
    size_t at = written & (r->size - 1);
    size_t gap = at + need > r->size ? r->size - at : 0;

    if (written - taken + gap + need + spare > r->size)
        return NULL;
    if (gap) {
        ((ring_record *)(r->bytes + at))->size = RING_SKIP;
        at = 0;
    }
    ((ring_record *)(r->bytes + at))->size = (uint32_t)size;
    r->reserved = written + gap + need;
    return r->bytes + at + sizeof(ring_record);
}

static inline void ring_commit(ring *r)
{
    atomic_store_explicit(&r->written, r->reserved, memory_order_release);
}

/* The oldest record, or NULL. It stays valid until ring_pop. */
static inline void *ring_front(ring *r)
{
    size_t taken = atomic_load_explicit(&r->taken, memory_order_relaxed);
    size_t written = atomic_load_explicit(&r->written, memory_order_acquire);
    size_t at = taken & (r->size - 1);
    ring_record *record;

    if (taken == written)
        return NULL;
    record = (ring_record *)(r->bytes + at);
    if (record->size == RING_SKIP) {
        taken += r->size - at;
        record = (ring_record *)r->bytes;
    }
    r->front_end = taken + sizeof(ring_record) + ((record->size + 7) & ~(size_t)7);
    return record + 1;
}

static inline void ring_pop(ring *r)
{
    atomic_store_explicit(&r->taken, r->front_end, memory_order_release);
}

static inline bool ring_half_full(ring *r)
{
    return atomic_load_explicit(&r->written, memory_order_acquire) - atomic_load_explicit(&r->taken,
        memory_order_relaxed) > r->size / 2;
}

#endif
