#include "later.h"

#include <stdlib.h>
#include <string.h>

static later_message *at(const later *l, size_t place)
{
    return (later_message *)(l->bytes + place);
}

static size_t whole(const later_message *m)
{
    return sizeof *m + m->size;
}

bool later_put(later *l, const later_message *head, const void *bytes)
{
    later_message *m;

    if (!l->bytes && !(l->bytes = malloc(LATER_BYTES)))
        return false;
    if (l->size + whole(head) > LATER_BYTES)
        return false;
    m = at(l, l->size);
    *m = *head;
    memcpy(m->bytes, bytes, head->size);
    l->size += whole(m);
    return true;
}

static later_message *next(const later *l)
{
    later_message *first = NULL, *m;
    size_t place;

    for (place = 0; place < l->size; place += whole(m)) {
        m = at(l, place);
        if (!first || m->due < first->due - LATER_HAIR)
            first = m;
    }
    return first;
}

const later_message *later_next(const later *l)
{
    return next(l);
}

void later_take(later *l, void *bytes)
{
    later_message *m = next(l);
    uint8_t *begin = (uint8_t *)m, *end = begin + whole(m);

    memcpy(bytes, m->bytes, m->size);
    l->size -= (size_t)(end - begin);
    memmove(begin, end, (size_t)(l->bytes + l->size - begin));
}

void later_hurry(later *l, const later_message *head)
{
    later_message *m;
    size_t place;

    for (place = 0; place < l->size; place += whole(m)) {
        m = at(l, place);
        if (m->note == head->note && m->step < head->step && m->due > head->due)
            m->due = head->due;
    }
}

bool later_is_crowded(const later *l)
{
    return l->size + LATER_STEP > LATER_BYTES;
}

void later_clear(later *l)
{
    l->size = 0;
}

void later_free(later *l)
{
    free(l->bytes);
    *l = (later){0};
}
