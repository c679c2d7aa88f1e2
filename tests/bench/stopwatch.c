/* [stopwatch FILE]: times what happens on Pd's thread, from outside of what it times.

   Inlet: what the [composer] plays (its first two outlets), and these messages:
     phase NAME  from now on records belong to this phase; `phase -`: to none, and nothing is recorded
     bang        send a bang out of the left outlet, and time how long Pd's thread is in it
     call        the same for a call of a trivial Python function on Pd's own thread
     tick        compare logical time with real time
     turn        send another `channel N` out of the right outlet, and time how long it takes to a note on it
     dim         the same with `intensity 0` and `intensity 1`, to a note, new or sounding, that shows it
     steps ON    note down when each step comes
     now         note the real time down
     write       write the records, a line each: PHASE WHAT NUMBER NUMBER */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "m_pd.h"

#define RECORDS 500000
#define EVEN 5e-3               /* s: what follows the last one sooner is Pd catching up */
#define SOFTEST 1               /* nothing has a higher velocity at an intensity of 0; everything has at 1 */

typedef struct record {
    t_symbol *phase;
    const char *what;
    double a, b;
} record;

typedef struct stopwatch {
    t_object pd;
    t_outlet *bangs, *messages;
    t_symbol *file, *phase;
    record *records;
    unsigned count, lost;
    double last;                /* when something was last timed, in seconds */
    unsigned steps;             /* that have left the composer */
    PyObject *trivial;          /* the Python function */
    bool each;                  /* step is noted down */
    int channel;                /* the one that was sent last */
    bool loud;                  /* the intensity that was sent last is 1 */
    bool waiting;               /* for a note that shows what was sent last */
    bool dimmed;                /* that was the intensity, not the channel */
    double sent;                /* when, in seconds */
    unsigned steps_since;       /* 1 when it is the next step that shows it */
    bool rested;                /* one of them was silent, and could show nothing */
} stopwatch;

static t_class *stopwatch_class;

static double seconds(clockid_t which)
{
    struct timespec t;

    clock_gettime(which, &t);
    return (double)t.tv_sec + t.tv_nsec * 1e-9;
}

static void note_down(stopwatch *x, const char *what, double a, double b)
{
    if (x->phase == gensym("-"))
        return;
    if (x->count == RECORDS)
        x->lost++;
    else
        x->records[x->count++] = (record){x->phase, what, a, b};
}

/* --- how long Pd's thread is busy: wall time and its own processor time, in us ------------------------------------ */

/* A Pd that catches up does many things at once, and finds all but the first of them in its caches. */
static bool is_even(stopwatch *x, double begin)
{
    bool even = begin - x->last >= EVEN;

    x->last = begin;
    return even;
}

static void stopwatch_bang(stopwatch *x)
{
    bool even = is_even(x, seconds(CLOCK_MONOTONIC));
    unsigned before = x->steps;
    double cpu = seconds(CLOCK_THREAD_CPUTIME_ID), wall = seconds(CLOCK_MONOTONIC);

    outlet_bang(x->bangs);
    wall = seconds(CLOCK_MONOTONIC) - wall;
    cpu = seconds(CLOCK_THREAD_CPUTIME_ID) - cpu;
    note_down(x, x->steps == before ? "underrun" : even ? "released" : "hurried", wall * 1e6, cpu * 1e6);
}

/* The thread's state is made once and kept, so that a call costs the lock and the call, and nothing else. */
static void prepare_call(stopwatch *x)
{
    PyObject *globals;

    PyGILState_Ensure();
    globals = PyDict_New();
    x->trivial = PyRun_String("lambda: None", Py_eval_input, globals, globals);
    PyEval_SaveThread();
}

static void stopwatch_call(stopwatch *x)
{
    bool even = is_even(x, seconds(CLOCK_MONOTONIC));
    double cpu, wall;
    PyGILState_STATE gil;

    if (!x->trivial)
        prepare_call(x);
    cpu = seconds(CLOCK_THREAD_CPUTIME_ID);
    wall = seconds(CLOCK_MONOTONIC);
    gil = PyGILState_Ensure();
    Py_XDECREF(PyObject_CallObject(x->trivial, NULL));
    PyGILState_Release(gil);
    wall = seconds(CLOCK_MONOTONIC) - wall;
    cpu = seconds(CLOCK_THREAD_CPUTIME_ID) - cpu;
    note_down(x, even ? "called" : "hurried", wall * 1e6, cpu * 1e6);
}

/* --- how late Pd's thread is: real time less logical time, in ms; only differences mean anything ------------------ */

static void stopwatch_tick(stopwatch *x)
{
    note_down(x, "tick", seconds(CLOCK_MONOTONIC) * 1e3 - clock_gettimesince(0), 0);
}

/* --- from a message to the note that shows it: ms, and steps ------------------------------------------------------ */

static void send(stopwatch *x, const char *selector, t_float value)
{
    t_atom atom;

    x->waiting = true;
    x->steps_since = 0;
    x->rested = false;
    x->sent = seconds(CLOCK_MONOTONIC);
    SETFLOAT(&atom, value);
    outlet_anything(x->messages, gensym(selector), 1, &atom);
}

static void stopwatch_turn(stopwatch *x)
{
    if (x->waiting)
        return;
    x->channel = x->channel % 16 + 1;
    x->dimmed = false;
    send(x, "channel", (t_float)x->channel);
}

static void stopwatch_dim(stopwatch *x)
{
    if (x->waiting)
        return;
    x->loud = !x->loud;
    x->dimmed = true;
    send(x, "intensity", x->loud);
}

static bool shows(const stopwatch *x, t_float velocity, t_float channel)
{
    return x->dimmed ? (velocity > SOFTEST) == x->loud : (int)channel == x->channel;
}

/* `step NUMBER PITCHES...` comes before the notes of that step. */
static void stopwatch_step(stopwatch *x, t_symbol *selector, int argc, t_atom *argv)
{
    (void)selector, (void)argv;
    x->steps++;
    x->steps_since++;
    x->rested |= argc < 2;
    if (x->each)
        note_down(x, "step", seconds(CLOCK_MONOTONIC) * 1e3, clock_gettimesince(0));
}

static void stopwatch_list(stopwatch *x, t_symbol *selector, int argc, t_atom *argv)
{
    (void)selector;
    if (!x->waiting || argc < 3 || atom_getfloat(&argv[1]) <= 0
        || !shows(x, atom_getfloat(&argv[1]), atom_getfloat(&argv[2])))
        return;
    x->waiting = false;
    note_down(x, x->rested ? "rested" : "shown", (seconds(CLOCK_MONOTONIC) - x->sent) * 1e3, x->steps_since);
}

/* `vel PITCH VELOCITY CHANNEL`: a note that sounds already gets another velocity. */
static void stopwatch_vel(stopwatch *x, t_symbol *selector, int argc, t_atom *argv)
{
    if (x->dimmed)
        stopwatch_list(x, selector, argc, argv);
}

static void stopwatch_steps(stopwatch *x, t_float on)
{
    x->each = on != 0;
}

static void stopwatch_now(stopwatch *x)
{
    note_down(x, "now", seconds(CLOCK_MONOTONIC), 0);
}

/* --- the records -------------------------------------------------------------------------------------------------- */

static void stopwatch_phase(stopwatch *x, t_symbol *phase)
{
    x->phase = phase;
    x->waiting = false;     /* what was sent in another phase counts in none */
}

static void stopwatch_write(stopwatch *x)
{
    FILE *file = fopen(x->file->s_name, "w");
    unsigned i;

    if (!file)
        return pd_error(x, "stopwatch: cannot write %s", x->file->s_name);
    for (i = 0; i < x->count; i++)
        fprintf(file, "%s %s %.9g %.9g\n", x->records[i].phase->s_name, x->records[i].what, x->records[i].a,
            x->records[i].b);
    if (fclose(file) != 0 || x->lost)
        pd_error(x, "stopwatch: %s is not complete: %u records did not fit", x->file->s_name, x->lost);
}

static void *stopwatch_new(t_symbol *file)
{
    stopwatch *x = (stopwatch *)pd_new(stopwatch_class);

    x->file = file;
    x->phase = gensym("-");
    x->records = malloc(RECORDS * sizeof *x->records);
    memset(x->records, 1, RECORDS * sizeof *x->records);    /* no page is touched first while something is timed */
    x->bangs = outlet_new(&x->pd, &s_bang);
    x->messages = outlet_new(&x->pd, &s_anything);
    return x;
}

static void stopwatch_free(stopwatch *x)
{
    free(x->records);
}

void stopwatch_setup(void)
{
    t_class *c = class_new(gensym("stopwatch"), (t_newmethod)stopwatch_new, (t_method)stopwatch_free, sizeof(stopwatch),
        CLASS_DEFAULT, A_SYMBOL, 0);

    stopwatch_class = c;
    class_addbang(c, stopwatch_bang);
    class_addlist(c, stopwatch_list);
    class_addmethod(c, (t_method)stopwatch_call, gensym("call"), 0);
    class_addmethod(c, (t_method)stopwatch_tick, gensym("tick"), 0);
    class_addmethod(c, (t_method)stopwatch_turn, gensym("turn"), 0);
    class_addmethod(c, (t_method)stopwatch_dim, gensym("dim"), 0);
    class_addmethod(c, (t_method)stopwatch_steps, gensym("steps"), A_FLOAT, 0);
    class_addmethod(c, (t_method)stopwatch_step, gensym("step"), A_GIMME, 0);
    class_addmethod(c, (t_method)stopwatch_vel, gensym("vel"), A_GIMME, 0);
    class_addmethod(c, (t_method)stopwatch_phase, gensym("phase"), A_SYMBOL, 0);
    class_addmethod(c, (t_method)stopwatch_now, gensym("now"), 0);
    class_addmethod(c, (t_method)stopwatch_write, gensym("write"), 0);
}
