/* What Python answers, through the result ring, and the notes that it starts. */

#include <stdio.h>
#include <string.h>

#include "object.h"

#define RECORDS_PER_POLL 256    /* Pd's thread never works off more at one time */

static void send_note(object *x, int pitch, int velocity, int channel)
{
    t_atom note[3];

    SETFLOAT(&note[0], (t_float)pitch);
    SETFLOAT(&note[1], (t_float)velocity);
    SETFLOAT(&note[2], (t_float)channel);
    outlet_list(x->outlets[x->klass->notes_outlet], &s_list, 3, note);
}

void end_notes(object *x)
{
    uint32_t number = x->number;
    int channel, pitch;

    for (channel = 1; channel <= CHANNELS; channel++)
        for (pitch = 0; pitch < PITCHES; pitch++)
            if (notes_sounds(&x->notes, channel, pitch)) {
                notes_follow(&x->notes, pitch, 0, channel);
                send_note(x, pitch, 0, channel);
                if (!object_numbered(number))
                    return;
            }
}

void silence(object *x)
{
    uint32_t number = x->number;

    end_notes(x);
    if (object_numbered(number))
        send_plain(x, REQUEST_SILENCED);
}

/* False for a list that is a note and need not be sent. */
static bool follow_note(object *x, unsigned outlet, const t_symbol *selector, int argc, const t_atom *argv)
{
    if ((int)outlet != x->klass->notes_outlet || selector != &s_list || argc < 3)
        return true;
    return notes_follow(&x->notes, (int)atom_getfloat(&argv[0]), (int)atom_getfloat(&argv[1]),
        (int)atom_getfloat(&argv[2]));
}

/* Reads the atoms of a message that lie at `bytes`; returns where they end. */
static const uint8_t *read_atoms(t_atom *atoms, uint32_t count, const uint8_t *bytes)
{
    uint32_t i;

    for (i = 0; i < count; i++) {
        const result_atom *a = (const result_atom *)bytes;
        bytes += sizeof *a + a->symbol_size;
        if (a->symbol_size)
            SETSYMBOL(&atoms[i], gensym((const char *)(a + 1)));
        else
            SETFLOAT(&atoms[i], (t_float)a->number);
    }
    return bytes;
}

/* Sends one message; returns where it ends. */
static const uint8_t *send_one(object *x, const uint8_t *bytes)
{
    const result_message *m = (const result_message *)bytes;
    t_symbol *selector = gensym((const char *)(m + 1));
    scratch room;
    t_atom *atoms = scratch_take(&room, m->count * sizeof *atoms);

    bytes = read_atoms(atoms, m->count, bytes + sizeof *m + m->selector_size);
    if (m->outlet < (uint32_t)x->klass->outlets && follow_note(x, m->outlet, selector, (int)m->count, atoms))
        outlet_anything(x->outlets[m->outlet], selector, (int)m->count, atoms);
    scratch_give(&room);
    return bytes;
}

void send_messages(object *x, const uint8_t *bytes, size_t size)
{
    const uint8_t *end = bytes + size;
    uint32_t number = x->number;

    while (bytes < end && object_numbered(number))  /* a message may lead to the object's deletion */
        bytes = send_one(x, bytes);
}

/* Copied off the ring: the messages may lead to another look at it before they are all sent. */
static void take_messages(object *x, const result *r)
{
    scratch copy;
    size_t size = r->size;
    uint8_t *bytes = scratch_take(&copy, size);

    memcpy(bytes, r->payload, size);
    ring_pop(&the_bridge.results);
    send_messages(x, bytes, size);
    scratch_give(&copy);
}

static void take_error(object *x, const result *r)
{
    scratch copy;
    size_t size = r->size;
    bool has_failed = r->kind == RESULT_FAILED;
    uint32_t number = x->number;
    char *complaint = (char *)scratch_take(&copy, size);

    memcpy(complaint, r->payload, size);
    ring_pop(&the_bridge.results);
    if (has_failed) {
        x->failed = true;
        handover_clear(&x->steps);
        silence(x);
    }
    if (object_numbered(number))
        object_complain(x, complaint);
    scratch_give(&copy);
}

static void take_step(object *x, const result *r)
{
    if (handover_accept(&x->steps, r->number, r->previous, r->payload, r->size))
        x->failed = false;
    ring_pop(&the_bridge.results);
    transport_start_if_waiting(x);
}

static void take_result(const result *r)
{
    object *x = object_numbered(r->object);

    if (r->object == 0)     /* of the bridge itself */
        pd_error(NULL, "%s", (const char *)r->payload);
    if (!x)     /* deleted in the meantime */
        return ring_pop(&the_bridge.results);
    switch (r->kind) {
    case RESULT_STEP:
        return take_step(x, r);
    case RESULT_MESSAGES:
        return take_messages(x, r);
    case RESULT_ERROR:
    case RESULT_FAILED:
        return take_error(x, r);
    }
}

void poll_results(void)
{
    int n;
    const result *r;

    for (n = 0; n < RECORDS_PER_POLL && (r = ring_front(&the_bridge.results)); n++)
        take_result(r);
}
