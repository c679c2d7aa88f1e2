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

static void end_sounding(object *x)
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

void end_notes(object *x)
{
    uint32_t number = x->number;

    x->silences++;
    later_clear(&x->later);
    end_sounding(x);
    if (object_numbered(number))
        later_clear(&x->later);     /* of a step that the end of a note has led to */
}

void silence(object *x)
{
    uint32_t number = x->number;

    end_notes(x);
    if (!object_numbered(number))
        return;
    if (!x->playing)
        x->last_step = LONG_AGO;    /* the bang after a pause does not tell how long a step is */
    send_plain(x, REQUEST_SILENCED);
}

/* False for a list that is a note and need not be sent. A note that begins while it sounds ends first: a step that was
   prepared before the notes were ended may have begun it, and its composer takes it for ended. */
static bool follow_note(object *x, unsigned outlet, const t_symbol *selector, int argc, const t_atom *argv)
{
    int pitch, velocity, channel;
    uint32_t number = x->number;

    if ((int)outlet != x->klass->notes_outlet || selector != &s_list || argc < 3)
        return true;
    pitch = (int)atom_getfloat(&argv[0]);
    velocity = (int)atom_getfloat(&argv[1]);
    channel = (int)atom_getfloat(&argv[2]);
    if (velocity > 0 && notes_has(pitch, channel) && notes_sounds(&x->notes, channel, pitch)) {
        notes_follow(&x->notes, pitch, 0, channel);
        send_note(x, pitch, 0, channel);
        if (!object_numbered(number))
            return false;
    }
    return notes_follow(&x->notes, pitch, velocity, channel);
}

static void read_atoms(t_atom *atoms, uint32_t count, const uint8_t *bytes)
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
}

static const uint8_t *atoms_of(const result_message *m)
{
    return (const uint8_t *)(m + 1) + m->selector_size;
}

int note_of(const object *x, const result_message *m)
{
    const result_atom *a = (const result_atom *)atoms_of(m);    /* pitch, velocity, channel */
    int pitch, channel;

    if ((int)m->outlet != x->klass->notes_outlet || m->count < 3 || strcmp((const char *)(m + 1), "list"))
        return LATER_NO_NOTE;
    if (a[0].symbol_size || a[1].symbol_size || a[2].symbol_size)
        return LATER_NO_NOTE;
    pitch = (int)a[0].number;
    channel = (int)a[2].number;
    return notes_has(pitch, channel) ? channel * PITCHES + pitch : LATER_NO_NOTE;
}

static void send_one(object *x, const result_message *m)
{
    t_symbol *selector = gensym((const char *)(m + 1));
    scratch room;
    t_atom *atoms = scratch_take(&room, m->count * sizeof *atoms);

    read_atoms(atoms, m->count, atoms_of(m));
    if (m->outlet < (uint32_t)x->klass->outlets && follow_note(x, m->outlet, selector, (int)m->count, atoms))
        outlet_anything(x->outlets[m->outlet], selector, (int)m->count, atoms);
    scratch_give(&room);
}

void send_messages(object *x, const uint8_t *bytes, size_t size)
{
    const uint8_t *end = bytes + size;
    uint32_t number = x->number;
    unsigned silences = x->silences;

    for (; bytes < end && object_goes_on(number, silences); bytes += ((const result_message *)bytes)->size)
        send_one(x, (const result_message *)bytes);
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
