/* An object that plays step by step: its clock, its bangs, and the steps that are ready. */

#define _GNU_SOURCE
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "monotonic.h"
#include "object.h"

#define LONGEST 10000.0     /* ms that a step may take; bangs further apart than that tell nothing of it */

static double beat_ms(const object *x)
{
    return 60000.0 / x->tempo;
}

static double per_beat(const object *x)
{
    return x->chosen ? x->chosen : x->per_beat;
}

static double step_ms(const object *x)
{
    return beat_ms(x) / per_beat(x);
}

static void publish_beat_ms(object *x, double ms)
{
    atomic_store_explicit(&port_of(x->number)->beat_ms, ms, memory_order_relaxed);
}

/* The console hears of it once a second at most, by the clock of whoever reads it, for logical time may catch up with
   a stop; the status outlet always. */
static void underrun(object *x)
{
    t_atom count;
    uint32_t number = x->number;

    SETFLOAT(&count, (t_float)(atomic_fetch_add(&port_of(number)->underruns, 1) + 1));
    if (++x->missed == 2)   /* one step late is a longer note; two are a stuck one */
        silence(x);
    if (object_numbered(number) && x->klass->status_outlet >= 0)
        outlet_anything(x->outlets[x->klass->status_outlet], gensym("underrun"), 1, &count);
    if (!object_numbered(number) || x->failed || monotonic_ms() - x->last_complaint < 1000)
        return;
    x->last_complaint = monotonic_ms();
    pd_error(x, "%s: underrun: no step was ready: no model is loaded yet, or Python is stuck or slower than the steps "
        "/ send `info`, a slower tempo, or a larger `lookahead`; if Python is stuck, %s", x->klass->name,
        revival_remedy(x));
}

/* How long the step lasts that has just been released, in ms: bangs tell by their distance. */
static double length(const object *x)
{
    return x->playing || !x->interval ? step_ms(x) : x->interval;
}

/* A step is as long as its performer's grid says, until the player chooses. */
static void keep_grid(object *x, const step_head *head)
{
    double before = step_ms(x);

    x->per_beat = head->per_beat;
    if (head->forgets >= x->choices)
        x->chosen = 0;
    if (x->playing && step_ms(x) != before)
        clock_delay(x->clock, step_ms(x));
}

static void sound_step(object *x, size_t size)
{
    scratch copy;
    uint8_t *bytes = scratch_take(&copy, size);     /* what it leads to may bring new steps into its place */
    const step_head *head = (const step_head *)bytes;
    uint8_t *messages = bytes + sizeof *head;
    uint32_t number = x->number;
    unsigned silences = x->silences;

    handover_release(&x->steps, bytes);
    x->missed = 0;
    keep_grid(x, head);
    size = put_off(x, messages, size - sizeof *head, length(x));
    send_due(x);    /* this step may have hurried it */
    if (object_goes_on(number, silences))
        send_messages(x, messages, size);
    scratch_give(&copy);
}

static void release_step(object *x)
{
    uint32_t number = x->number;
    unsigned silences = x->silences;
    size_t size;

    x->last_step = logical_ms();
    send_due(x);    /* of the steps before this one */
    if (!object_goes_on(number, silences))
        return;
    poll_results();     /* what has just been prepared is newer than what lies here */
    if (object_numbered(number) && x->sync)
        send_step(x);
    if (!object_numbered(number))   /* what came in has led to its deletion */
        return;
    if ((size = handover_next(&x->steps)))
        sound_step(x, size);
    else
        underrun(x);
    if (python_is_running())
        sem_post(&the_bridge.wake);     /* last: the notes come first */
}

static void object_tick(object *x)
{
    clock_delay(x->clock, step_ms(x));
    release_step(x);
}

void transport_start_if_waiting(object *x)
{
    if (!x->waiting)
        return;
    x->waiting = false;
    object_tick(x);
}

static void object_bang(object *x)
{
    double since = logical_ms() - x->last_step;

    if (since > 0 && since < LONGEST) {
        x->interval = since;
        publish_beat_ms(x, since * per_beat(x));
    }
    release_step(x);
}

static void set_play(object *x, double on)
{
    if ((on != 0) == x->playing)
        return;
    x->playing = on != 0;
    if (!x->playing) {
        clock_unset(x->clock);
        x->waiting = false;
        return silence(x);
    }
    publish_beat_ms(x, beat_ms(x));
    x->waiting = x->steps.count == 0 && !x->sync;   /* it starts when its first step is ready */
    if (!x->waiting)
        object_tick(x);
}

/* The share of the running step that has gone by is kept, so that a tempo change bends time and does not cut it. */
static void set_step_length(object *x, double *which, double value)
{
    double before = step_ms(x), left;

    *which = value;
    publish_beat_ms(x, beat_ms(x));
    if (!x->playing || x->waiting)
        return;
    left = (before - (logical_ms() - x->last_step)) * step_ms(x) / before;
    x->last_step = logical_ms() + left - step_ms(x);
    clock_delay(x->clock, left > 0 ? left : 0);
}

static void set_tempo(object *x, double bpm)
{
    set_step_length(x, &x->tempo, bpm);
}

static void set_steps(object *x, double chosen)
{
    x->choices++;
    set_step_length(x, &x->chosen, chosen);
}

static void set_sync(object *x, double on)
{
    x->sync = on != 0;
    if (x->sync)    /* from now on nothing is prepared unasked */
        transport_start_if_waiting(x);
}

static const struct control {
    const char *name;
    double low, high;
    bool whole;
    const char *unit;
    void (*set)(object *, double);
} controls[] = {
    {"play", 0, 1, true, "", set_play},
    {"tempo", 1, 1000, false, " beats a minute", set_tempo},
    {"steps", 1, 48, true, " steps a beat", set_steps},
    {"sync", 0, 1, true, "", set_sync},
};

static bool in_range(object *x, const struct control *c, int argc, const t_atom *argv)
{
    char legal[96];
    double value;

    snprintf(legal, sizeof legal, "send a %snumber from %g to %g%s", c->whole ? "whole " : "", c->low, c->high, c->unit);
    if (argc < 1)
        return object_error(x, "%s: the value is missing / %s", c->name, legal), false;
    if (argv[0].a_type != A_FLOAT)
        return object_error(x, "%s: %.40s is not a number / %s", c->name, atom_getsymbol(&argv[0])->s_name, legal), false;
    value = argv[0].a_w.w_float;
    if (!isfinite(value) || value < c->low || value > c->high)
        return object_error(x, "%s: %g is outside %g to %g / %s", c->name, value, c->low, c->high, legal), false;
    if (c->whole && value != floor(value))
        return object_error(x, "%s: %g is not a whole number / %s", c->name, value, legal), false;
    return true;
}

/* Python hears of it, too, and which choice it was if it was one. */
static void set_control(object *x, const struct control *c, t_symbol *selector, double value)
{
    uint32_t number = x->number;
    t_atom heard[2];

    c->set(x, value);
    if (!object_numbered(number))   /* what it has ended may lead to its deletion */
        return;
    SETFLOAT(&heard[0], (t_float)value);
    SETFLOAT(&heard[1], (t_float)x->choices);
    send_control(x, selector, 2, heard);
}

bool transport_takes(object *x, t_symbol *selector, int argc, const t_atom *argv)
{
    size_t i;

    if (selector == &s_bang)
        return object_bang(x), true;
    if (selector == gensym("panic"))
        return silence(x), true;
    for (i = 0; i < sizeof controls / sizeof *controls; i++)
        if (!strcmp(selector->s_name, controls[i].name)) {
            if (in_range(x, &controls[i], argc, argv))
                set_control(x, &controls[i], selector, argv[0].a_w.w_float);
            return true;
        }
    return false;
}

void transport_init(object *x)
{
    x->tempo = 120;
    x->per_beat = 4;        /* until a step says more */
    x->chosen = x->choices = 0;
    x->last_step = x->last_complaint = LONG_AGO;
    x->clock = clock_new(x, (t_method)object_tick);
    x->later_clock = clock_new(x, (t_method)send_due);
    publish_beat_ms(x, beat_ms(x));
}

void transport_free(object *x)
{
    clock_free(x->clock);
    clock_free(x->later_clock);
    later_free(&x->later);
    handover_free(&x->steps);
}
