/* What Python answers, through the result ring, and the notes that it starts. */

#include <stdio.h>
#include <string.h>

#include "object.h"

#define RECORDS_PER_POLL 256    /* Pd's thread never works off more at one time */
#define ATOMS 4096

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
    int channel, pitch;

    for (channel = 1; channel <= CHANNELS; channel++)
        for (pitch = 0; pitch < PITCHES; pitch++)
            if (notes_sounds(&x->notes, channel, pitch)) {
                notes_follow(&x->notes, pitch, 0, channel);
                send_note(x, pitch, 0, channel);
            }
}

void silence(object *x)
{
    end_notes(x);
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

/* Sends the messages of a record out of the outlets. */
void send_messages(object *x, const uint8_t *bytes, size_t size)
{
    static t_atom scratch[ATOMS];
    static bool scratch_taken;
    t_atom small[8], *atoms;
    const uint8_t *end = bytes + size;
    uint32_t number = x->number, i;

    while (bytes < end) {
        const result_message *m = (const result_message *)bytes;
        t_symbol *selector = gensym((const char *)(m + 1));
        bool is_small = m->count <= 8;

        bytes += sizeof *m + m->selector_size;
        if (!is_small && scratch_taken)     /* a long message that led to another long one */
            atoms = getbytes(m->count * sizeof *atoms);
        else
            atoms = is_small ? small : scratch;
        for (i = 0; i < m->count; i++) {
            const result_atom *a = (const result_atom *)bytes;
            bytes += sizeof *a + a->symbol_size;
            if (a->symbol_size)
                SETSYMBOL(&atoms[i], gensym((const char *)(a + 1)));
            else
                SETFLOAT(&atoms[i], (t_float)a->number);
        }
        if (m->outlet < (uint32_t)x->klass->outlets
            && follow_note(x, m->outlet, selector, (int)m->count, atoms)) {
            bool took = atoms == scratch;
            if (took)
                scratch_taken = true;
            outlet_anything(x->outlets[m->outlet], selector, (int)m->count, atoms);
            if (took)
                scratch_taken = false;
        }
        if (atoms != small && atoms != scratch)
            freebytes(atoms, m->count * sizeof *atoms);
        if (object_numbered(number) != x)     /* the message led to the object's deletion */
            return;
    }
}

static void take_result(const result *r)
{
    object *x = object_numbered(r->object);
    uint8_t payload[HANDOVER_STEP_BYTES];

    if (r->object == 0)     /* of the bridge itself */
        pd_error(NULL, "%s", (const char *)r->payload);
    if (!x)     /* deleted in the meantime */
        return ring_pop(&the_bridge.results);
    switch (r->kind) {
    case RESULT_STEP:
        handover_accept(&x->steps, r->number, r->previous, r->payload, r->size);
        ring_pop(&the_bridge.results);
        return transport_start_if_waiting(x);
    case RESULT_MESSAGES:
        /* copied: the messages may lead to another look at the ring, before they are all sent */
        if (r->size <= sizeof payload) {
            size_t size = r->size;
            memcpy(payload, r->payload, size);
            ring_pop(&the_bridge.results);
            return send_messages(x, payload, size);
        } else {
            size_t size = r->size;
            uint8_t *large = getbytes(size);
            memcpy(large, r->payload, size);
            ring_pop(&the_bridge.results);
            send_messages(x, large, size);
            return freebytes(large, size);
        }
    case RESULT_FAILED:
    case RESULT_ERROR: {
        /* popped first: the notes that end may lead to another look at the ring */
        bool has_failed = r->kind == RESULT_FAILED;
        char complaint[REASON];
        snprintf(complaint, sizeof complaint, "%s", (const char *)r->payload);
        ring_pop(&the_bridge.results);
        if (has_failed) {
            handover_clear(&x->steps);
            silence(x);
        }
        return object_complain(x, complaint);
    }
    default:
        ring_pop(&the_bridge.results);
    }
}

void poll_results(void)
{
    int n;
    const result *r;

    for (n = 0; n < RECORDS_PER_POLL && (r = ring_front(&the_bridge.results)); n++)
        take_result(r);
}
