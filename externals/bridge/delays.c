/* What leaves an object later than its step: messages with a delay, on a clock of their own. */

#include <string.h>

#include "object.h"

/* Taken away before it is sent: what it leads to may come here, too. */
static void send_next(object *x)
{
    scratch copy;
    size_t size = later_next(&x->later)->size;
    uint8_t *bytes = scratch_take(&copy, size);

    later_take(&x->later, bytes);
    send_messages(x, bytes, size);
    scratch_give(&copy);
}

/* Rather too early than not at all: what leaves no room for one more step is sent, too. */
static bool next_leaves(const object *x)
{
    const later_message *next = later_next(&x->later);

    return next && (next->due <= clock_getlogicaltime() + LATER_HAIR || later_is_crowded(&x->later));
}

void send_due(object *x)
{
    uint32_t number = x->number;
    const later_message *next;

    while (object_numbered(number) && next_leaves(x))
        send_next(x);
    if (object_numbered(number) && (next = later_next(&x->later)))
        clock_set(x->later_clock, next->due);
}

/* False when the message leaves now. */
static bool put_off_one(object *x, const result_message *m, double ms)
{
    later_message head = {.step = atomic_load(&x->steps.view->released), .size = m->size};

    if (!m->delay && !x->later.size)
        return false;
    head.due = clock_getsystimeafter(m->delay * ms);
    head.note = note_of(x, m);
    if (head.note != LATER_NO_NOTE)
        later_hurry(&x->later, &head);
    return m->delay > 0 && later_put(&x->later, &head, m);
}

size_t put_off(object *x, uint8_t *bytes, size_t size, double ms)
{
    size_t at, left = 0, one;

    for (at = 0; at < size; at += one) {
        const result_message *m = (const result_message *)(bytes + at);
        one = m->size;
        if (put_off_one(x, m, ms))
            continue;
        if (left != at)
            memmove(bytes + left, m, one);
        left += one;
    }
    return left;
}
