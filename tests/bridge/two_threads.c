/* The ring and the hand-over between two real threads, for ThreadSanitizer: what it calls a race, and what a law
   forbids, ends the program with an error. Arguments: which of the two tests, and for how many records or steps. */

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "handover.h"
#include "records.h"
#include "ring.h"

#define RING_BYTES 4096         /* small: it runs full, and over its end, all the time */
#define LONGEST 500
#define LOOK_AHEAD 4

static ring results;
static handover_view view;
static handover steps;
static uint64_t count;
static atomic_bool over;

static void law(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "law broken: %s\n", what);
    exit(1);
}

static unsigned draw(unsigned *state, unsigned below)
{
    *state = *state * 1664525 + 1013904223;
    return (*state >> 16) % below;
}

/* --- the ring alone ------------------------------------------------------------------------------------------ */

static void *write_records(void *unused)
{
    unsigned random = 1;
    uint64_t n;

    for (n = 0; n < count; n++) {
        size_t size = draw(&random, LONGEST), i;
        uint8_t *bytes;
        while (!(bytes = ring_reserve(&results, size, draw(&random, 2) * 100)))
            sched_yield();
        for (i = 0; i < size; i++)
            bytes[i] = (uint8_t)(n + i);
        ring_commit(&results);
    }
    return unused;
}

static void *read_records(void *unused)
{
    uint64_t n;

    for (n = 0; n < count; n++) {
        uint8_t *bytes;
        size_t size, i;
        while (!(bytes = ring_front(&results)))
            sched_yield();
        size = ((ring_record *)bytes - 1)->size;
        for (i = 0; i < size; i++)
            law(bytes[i] == (uint8_t)(n + i), "a record comes out as it went in, in its turn");
        ring_pop(&results);
    }
    return unused;
}

/* --- the hand-over ------------------------------------------------------------------------------------------- */

/* What neuralmidi/handover.py keeps, in numbers alone. */
static struct { uint64_t base, first, next; bool older_may_sound; } python = {.next = 1};

static uint64_t line_length(void)
{
    return python.first ? python.next - python.first : 0;
}

static void rewind_line(void)
{
    python.older_may_sound |= python.first != 0;
    python.first = 0;
}

static void look(void)
{
    uint64_t accepted = atomic_load(&view.accepted);    /* first, as in the bridge */
    uint64_t released = atomic_load(&view.released);

    if (released != python.base) {
        python.base = released;
        if (python.first && released >= python.first) {
            python.first = released + 1 < python.next ? released + 1 : 0;
            python.older_may_sound = false;
        } else {
            law(python.older_may_sound, "no step sounds that Python has forgotten");
            rewind_line();
        }
    }
    if (python.first && accepted >= python.first)
        python.older_may_sound = false;
}

static void send_step(unsigned size)
{
    result *r;

    while (!(r = ring_reserve(&results, sizeof *r + size, 0))) {
        if (atomic_load(&over))
            return;
        sched_yield();
    }
    *r = (result){.kind = RESULT_STEP, .number = python.next, .size = size,
        .previous = python.first ? python.next - 1 : python.base};
    memcpy(r->payload, &r->previous, sizeof r->previous);
    memset(r->payload + sizeof r->previous, (int)(python.next & 255), size - sizeof r->previous);
    if (!python.first)
        python.first = python.next;
    python.next++;
    ring_commit(&results);
}

static void *prepare_steps(void *unused)
{
    unsigned random = 2;

    while (!atomic_load(&over)) {
        look();
        if (draw(&random, 8) == 0)
            rewind_line();
        if (line_length() < LOOK_AHEAD)
            send_step(sizeof(uint64_t) + draw(&random, LONGEST));
        else
            sched_yield();
    }
    return unused;
}

static void drain(void)
{
    result *r = ring_front(&results);

    if (!r)
        return;
    handover_accept(&steps, r->number, r->previous, r->payload, r->size);
    ring_pop(&results);
}

static void *release_steps(void *unused)
{
    static uint8_t bytes[HANDOVER_STEP_BYTES];
    unsigned random = 3;
    uint64_t last = 0, previous, n = 0;
    size_t size, i;

    while (n < count) {
        drain();
        if (draw(&random, 4))
            continue;
        if (!(size = handover_release(&steps, bytes))) {
            sched_yield();
            continue;
        }
        memcpy(&previous, bytes, sizeof previous);
        law(previous == last, "a step follows the one that it was prepared behind");
        last = atomic_load(&view.released);
        for (i = sizeof previous; i < size; i++)
            law(bytes[i] == (uint8_t)last, "a step comes out as it went in");
        n++;
    }
    printf("%llu steps released, %llu stale\n", (unsigned long long)n, (unsigned long long)steps.stale);
    atomic_store(&over, true);
    return unused;
}

int main(int argc, char **argv)
{
    bool is_ring = argc > 2 && !strcmp(argv[1], "ring");
    pthread_t python_thread, pd_thread;

    law(argc > 2, "arguments: ring|handover COUNT");
    count = strtoull(argv[2], NULL, 10);
    ring_init(&results, RING_BYTES);
    handover_init(&steps, &view);
    pthread_create(&python_thread, NULL, is_ring ? write_records : prepare_steps, NULL);
    pthread_create(&pd_thread, NULL, is_ring ? read_records : release_steps, NULL);
    pthread_join(pd_thread, NULL);
    pthread_join(python_thread, NULL);
    handover_free(&steps);
    free(results.bytes);
    return 0;
}
