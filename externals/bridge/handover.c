#include "handover.h"

#include <stdlib.h>
#include <string.h>

#define LEAST_ROOM 512   /* bytes: for most steps */

void handover_init(handover *h, handover_view *view)
{
    memset(h, 0, sizeof *h);
    atomic_store(&view->accepted, 0);
    atomic_store(&view->released, 0);
    h->view = view;
}

void handover_free(handover *h)
{
    unsigned n;

    for (n = 0; n < HANDOVER_LOOKAHEAD; n++)
        free(h->steps[n].bytes);
    memset(h->steps, 0, sizeof h->steps);
}

/* Grows to the double each time: soon there is always room, and nothing is allocated while it plays. */
static bool make_room(handover_step *step, size_t size)
{
    size_t room = step->room ? step->room : LEAST_ROOM;
    uint8_t *bytes;

    if (size <= step->room)
        return true;
    while (room < size)
        room *= 2;
    if (!(bytes = realloc(step->bytes, room)))
        return false;
    step->bytes = bytes;
    step->room = room;
    return true;
}

static handover_step *nth(handover *h, unsigned n)
{
    return &h->steps[(h->first + n) % HANDOVER_LOOKAHEAD];
}

/* How many steps of the line are kept when `previous` is the last of them; -1 when it is not in the line. */
static int kept_behind(handover *h, uint64_t previous)
{
    unsigned n;

    if (previous == atomic_load_explicit(&h->view->released, memory_order_relaxed))
        return 0;
    for (n = 0; n < h->count; n++)
        if (nth(h, n)->number == previous)
            return (int)n + 1;
    return -1;
}

bool handover_accept(handover *h, uint64_t number, uint64_t previous, const void *bytes, size_t size)
{
    int kept = kept_behind(h, previous);
    bool fits = kept >= 0 && kept < HANDOVER_LOOKAHEAD && size <= HANDOVER_STEP_BYTES;
    handover_step *step = fits ? nth(h, (unsigned)kept) : NULL;

    if (step && make_room(step, size)) {
        h->count = (unsigned)kept + 1;
        step->number = number;
        step->size = size;
        memcpy(step->bytes, bytes, size);
    } else {
        step = NULL;
        h->stale++;
    }
    atomic_store_explicit(&h->view->accepted, number, memory_order_release);
    return step != NULL;
}

size_t handover_next(const handover *h)
{
    return h->count ? h->steps[h->first].size : 0;
}

size_t handover_release(handover *h, void *bytes)
{
    handover_step *step = nth(h, 0);

    if (!h->count)
        return 0;
    memcpy(bytes, step->bytes, step->size);
    h->first = (h->first + 1) % HANDOVER_LOOKAHEAD;
    h->count--;
    atomic_store_explicit(&h->view->released, step->number, memory_order_release);
    return step->size;
}

void handover_clear(handover *h)
{
    h->count = 0;
}
