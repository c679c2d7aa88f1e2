/* Pd's side of the bridge: classes, objects, their outlets and their clock. Everything here runs on Pd's thread, and
   after neuralmidi_setup() nothing here waits for Python, unless `sync` asks for it. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "m_pd.h"
#include "m_imp.h"
#include "g_canvas.h"

#include "bridge.h"
#include "notes.h"

#define POLL_SAMPLES 64     /* of logical time between two looks at the result ring */
#define RECORDS_PER_POLL 256
#define ATOMS 4096
#define INLETS 8
#define OUTLETS 8
#define START_SECONDS 30    /* for Python to come up, at load */
#define ANSWER_SECONDS 10   /* for Python to answer, with sync */
#define SEPARATOR "\x1f"    /* between the arguments of an object and the folders it searches */

bridge the_bridge;

typedef struct object object;

typedef struct proxy {      /* an inlet right of the first */
    t_pd pd;
    object *owner;
    unsigned index;
} proxy;

struct object {
    t_object pd;
    const klass *klass;
    uint32_t number;
    t_canvas *canvas;
    t_outlet *outlets[OUTLETS];
    proxy inlets[INLETS];
    notes notes;
    uint32_t dropped;       /* messages since the last report */
    bool buried;            /* Python has died and this object has said so */
    /* stepped classes only */
    handover steps;
    t_clock *clock;
    bool playing;
    bool waiting;           /* for its first step, to start to play */
    bool sync;
    double tempo, steps_per_beat;
    double last_step;       /* logical time in ms; the next one is due step_ms later */
    unsigned missed;        /* steps in a row that were not ready */
    double last_complaint;
};

static object *objects[OBJECTS];
static uint32_t generations[OBJECTS];
static unsigned object_count;
static unsigned long long asked;    /* requests written */
static t_class *proxy_class;
static t_clock *poll_clock;
static t_widgetbehavior widget;
static t_method canvas_free_method;
static bool is_batch;

static void poll_results(void);
static void object_tick(object *x);

/* --- errors -------------------------------------------------------------------------------------------------------- */

/* To the console, on the box, and out of the status outlet. */
static void object_complain(object *x, const char *complaint)
{
    t_atom atom;

    pd_error(x, "%s", complaint);
    if (x->klass->status_outlet < 0)
        return;
    SETSYMBOL(&atom, gensym(complaint));
    outlet_anything(x->outlets[x->klass->status_outlet], gensym("error"), 1, &atom);
}

__attribute__((format(printf, 2, 3)))
static void object_error(object *x, const char *format, ...)
{
    char complaint[512];
    int n = snprintf(complaint, sizeof complaint, "%s: ", x->klass->name);
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(complaint + n, sizeof complaint - (size_t)n, format, arguments);
    va_end(arguments);
    object_complain(x, complaint);
}

/* --- requests ------------------------------------------------------------------------------------------------------ */

static double now(void)
{
    return clock_gettimesince(0);
}

/* A request to fill and commit, or NULL when the ring is full. */
static request *reserve_request(object *x, enum request_kind kind, const char *selector, unsigned count)
{
    size_t size = sizeof(request) + count * sizeof(request_atom);
    size_t spare = kind == REQUEST_MESSAGE || kind == REQUEST_STEP ? RESERVE : 0;
    request *r = size > RECORD_BYTES ? NULL : ring_reserve(&the_bridge.requests, size, spare);

    if (r)
        *r = (request){.kind = kind, .object = x->number, .count = count, .time = now(), .selector = selector};
    return r;
}

static void commit_request(void)
{
    asked++;
    ring_commit(&the_bridge.requests);
    sem_post(&the_bridge.wake);
}

static bool is_running(void)
{
    return atomic_load_explicit(&the_bridge.life, memory_order_acquire) == RUNNING;
}

/* `sync`: everything asked so far is dealt with when this returns. False when Python does not answer. */
static bool wait_for_answer(void)
{
    struct timespec until;
    double waited = 0;

    while (atomic_load_explicit(&the_bridge.answered, memory_order_acquire) < asked) {
        if (!is_running() || waited > ANSWER_SECONDS)
            return false;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += 5 * 1000 * 1000;
        if (until.tv_nsec >= 1000000000) {
            until.tv_nsec -= 1000000000;
            until.tv_sec++;
        }
        if (sem_timedwait(&the_bridge.answer, &until) != 0 && errno == ETIMEDOUT)
            waited += 0.005;
        if (ring_half_full(&the_bridge.results))
            poll_results();     /* Python may be waiting for room */
    }
    return true;
}

static void synchronize(object *x)
{
    if (wait_for_answer())
        return poll_results();
    x->sync = false;
    object_error(x, "sync: Python has not answered for %d s / sync is off now", ANSWER_SECONDS);
}

static void request_atoms(request_atom *to, int argc, const t_atom *argv)
{
    int i;

    for (i = 0; i < argc; i++)
        to[i] = argv[i].a_type == A_FLOAT ? (request_atom){.number = argv[i].a_w.w_float}
            : (request_atom){.symbol = argv[i].a_type == A_SYMBOL ? argv[i].a_w.w_symbol->s_name : "(pointer)"};
}

static void send_message(object *x, unsigned inlet, t_symbol *selector, int argc, const t_atom *argv)
{
    request *r;

    if (!is_running())
        return object_error(x, "%s: Python is not running: %s", selector->s_name, the_bridge.reason);
    if (!(r = reserve_request(x, REQUEST_MESSAGE, selector->s_name, (unsigned)argc)) && x->sync) {
        wait_for_answer();
        r = reserve_request(x, REQUEST_MESSAGE, selector->s_name, (unsigned)argc);
    }
    if (!r) {
        x->dropped++;
        atomic_fetch_add(&port_of(x->number)->dropped, 1);
        return;
    }
    r->inlet = inlet;
    request_atoms(r->atoms, argc, argv);
    commit_request();
    if (x->sync)
        synchronize(x);
}

/* NEW, FREE and SILENCED have their reserve in the ring, so they are never dropped. */
static void send_plain(object *x, enum request_kind kind)
{
    if (is_running() && reserve_request(x, kind, "", 0))
        commit_request();
}

static void report_dropped(object *x)
{
    uint32_t dropped = x->dropped;

    x->dropped = 0;
    object_error(x, "%u messages dropped: they were longer than %d atoms, or more than Python could take in / "
        "send fewer at a time", dropped, (int)(RECORD_BYTES / sizeof(request_atom)) - 4);
}

/* --- notes --------------------------------------------------------------------------------------------------------- */

static void send_note(object *x, int pitch, int velocity, int channel)
{
    t_atom note[3];

    SETFLOAT(&note[0], (t_float)pitch);
    SETFLOAT(&note[1], (t_float)velocity);
    SETFLOAT(&note[2], (t_float)channel);
    outlet_list(x->outlets[x->klass->notes_outlet], &s_list, 3, note);
}

static void end_notes(object *x)
{
    int channel, pitch;

    for (channel = 1; channel <= CHANNELS; channel++)
        for (pitch = 0; pitch < PITCHES; pitch++)
            if (notes_sounds(&x->notes, channel, pitch)) {
                notes_follow(&x->notes, pitch, 0, channel);
                send_note(x, pitch, 0, channel);
            }
}

static void silence(object *x)
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

/* --- results ------------------------------------------------------------------------------------------------------- */

/* Sends the messages of a record out of the outlets. */
static void send_messages(object *x, const uint8_t *bytes, size_t size)
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
        if (objects[number % OBJECTS] != x)     /* the message led to the object's deletion */
            return;
    }
}

static void start_if_waiting(object *x)
{
    if (!x->waiting)
        return;
    x->waiting = false;
    object_tick(x);
}

static void take_result(const result *r)
{
    object *x = objects[r->object % OBJECTS];
    uint8_t payload[HANDOVER_STEP_BYTES];

    if (r->object == 0)     /* of the bridge itself */
        pd_error(NULL, "%s", (const char *)r->payload);
    if (!x || x->number != r->object)   /* deleted in the meantime */
        return ring_pop(&the_bridge.results);
    switch (r->kind) {
    case RESULT_STEP:
        handover_accept(&x->steps, r->number, r->previous, r->payload, r->size);
        ring_pop(&the_bridge.results);
        return start_if_waiting(x);
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
        handover_clear(&x->steps);
        silence(x);
        /* fall through */
    case RESULT_ERROR: {
        char complaint[REASON];
        snprintf(complaint, sizeof complaint, "%s", (const char *)r->payload);
        ring_pop(&the_bridge.results);
        return object_complain(x, complaint);
    }
    default:
        ring_pop(&the_bridge.results);
    }
}

static void poll_results(void)
{
    int n;
    const result *r;

    for (n = 0; n < RECORDS_PER_POLL && (r = ring_front(&the_bridge.results)); n++)
        take_result(r);
}

/* --- steps --------------------------------------------------------------------------------------------------------- */

static double step_ms(const object *x)
{
    return 60000.0 / x->tempo / x->steps_per_beat;
}

static void publish_step_ms(object *x, double ms)
{
    atomic_store_explicit(&port_of(x->number)->step_ms, ms, memory_order_relaxed);
}

/* The console hears of it once a second at most; the status outlet always. */
static void underrun(object *x)
{
    t_atom count;

    SETFLOAT(&count, (t_float)(atomic_fetch_add(&port_of(x->number)->underruns, 1) + 1));
    if (++x->missed == 2)   /* one step late is a longer note; two are a stuck one */
        silence(x);
    if (x->klass->status_outlet >= 0)
        outlet_anything(x->outlets[x->klass->status_outlet], gensym("underrun"), 1, &count);
    if (now() - x->last_complaint < 1000)
        return;
    x->last_complaint = now();
    pd_error(x, "%s: underrun: no step was ready: Python is loading, stuck, or slower than the steps / send `info`, "
        "a slower tempo, or a larger `lookahead`", x->klass->name);
}

static void release_step(object *x)
{
    uint8_t bytes[HANDOVER_STEP_BYTES];
    size_t size;

    poll_results();     /* what has just been prepared is newer than what lies here */
    if (x->sync && is_running() && reserve_request(x, REQUEST_STEP, "", 0)) {
        commit_request();
        synchronize(x);
    }
    x->last_step = now();
    size = handover_release(&x->steps, bytes);
    if (is_running())
        sem_post(&the_bridge.wake);
    if (!size)
        return underrun(x);
    x->missed = 0;
    send_messages(x, bytes, size);
}

static void object_tick(object *x)
{
    clock_delay(x->clock, step_ms(x));
    release_step(x);
}

static void object_bang(object *x)
{
    double since = now() - x->last_step;

    if (since > 0 && since < 10000)
        publish_step_ms(x, since);
    release_step(x);
}

/* --- transport ----------------------------------------------------------------------------------------------------- */

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
    publish_step_ms(x, step_ms(x));
    x->waiting = x->steps.count == 0 && !x->sync;   /* it starts when its first step is ready */
    if (!x->waiting)
        object_tick(x);
}

/* The share of the running step that has gone by is kept, so that a tempo change bends time and does not cut it. */
static void set_step_length(object *x, double *which, double value)
{
    double before = step_ms(x), left;

    *which = value;
    publish_step_ms(x, step_ms(x));
    if (!x->playing || x->waiting)
        return;
    left = (before - (now() - x->last_step)) * step_ms(x) / before;
    x->last_step = now() + left - step_ms(x);
    clock_delay(x->clock, left > 0 ? left : 0);
}

static void set_tempo(object *x, double bpm)
{
    set_step_length(x, &x->tempo, bpm);
}

static void set_steps(object *x, double per_beat)
{
    set_step_length(x, &x->steps_per_beat, per_beat);
}

static void set_sync(object *x, double on)
{
    x->sync = on != 0;
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
        return object_error(x, "%s: %s is not a number / %s", c->name, atom_getsymbol(&argv[0])->s_name, legal), false;
    value = argv[0].a_w.w_float;
    if (!isfinite(value) || value < c->low || value > c->high)
        return object_error(x, "%s: %g is outside %g to %g / %s", c->name, value, c->low, c->high, legal), false;
    if (c->whole && value != floor(value))
        return object_error(x, "%s: %g is not a whole number / %s", c->name, value, legal), false;
    return true;
}

/* True when the message was all Pd's; what Python must know of too goes on to it. */
static bool transport_takes(object *x, t_symbol *selector, int argc, const t_atom *argv)
{
    size_t i;

    if (selector == &s_bang)
        return object_bang(x), true;
    if (selector == gensym("panic"))
        return silence(x), true;
    for (i = 0; i < sizeof controls / sizeof *controls; i++)
        if (!strcmp(selector->s_name, controls[i].name)) {
            if (!in_range(x, &controls[i], argc, argv))
                return true;
            controls[i].set(x, argv[0].a_w.w_float);
            return false;
        }
    return false;
}

static void object_message(object *x, t_symbol *selector, int argc, t_atom *argv)
{
    if (!x->klass->stepped || !transport_takes(x, selector, argc, argv))
        send_message(x, 0, selector, argc, argv);
}

static void proxy_message(proxy *p, t_symbol *selector, int argc, t_atom *argv)
{
    send_message(p->owner, p->index, selector, argc, argv);
}

/* --- the beat of the bridge ---------------------------------------------------------------------------------------- */

/* Python's thread is gone for good: end what sounds and say why, on every object. */
static void bury(object *x)
{
    x->buried = true;
    handover_clear(&x->steps);
    end_notes(x);
    object_error(x, "Python has stopped: %s", the_bridge.reason);
}

static void poll(void *unused)
{
    unsigned i;
    bool is_dead = atomic_load_explicit(&the_bridge.life, memory_order_acquire) == DEAD;

    (void)unused;
    poll_results();
    for (i = 0; i < OBJECTS; i++) {
        object *x = objects[i];
        if (x && x->dropped)
            report_dropped(x);
        if (x && is_dead && !x->buried)
            bury(x);
    }
    if (object_count)
        clock_delay(poll_clock, POLL_SAMPLES);
}

/* --- objects ------------------------------------------------------------------------------------------------------- */

typedef struct folders { request_atom atoms[64]; unsigned count; } folders;

static int add_folder(const char *path, void *to)
{
    folders *f = to;

    if (f->count < sizeof f->atoms / sizeof *f->atoms)
        f->atoms[f->count++].symbol = gensym(path)->s_name;
    return 1;
}

static bool send_new(object *x, int argc, const t_atom *argv)
{
    folders f = {.count = 0};
    request *r;

    add_folder(canvas_getdir(x->canvas)->s_name, &f);   /* the patch's own comes before the paths that it declares */
    canvas_path_iterate(x->canvas, add_folder, &f);
    if (!is_running() || !(r = reserve_request(x, REQUEST_NEW, x->klass->name, (unsigned)argc + 1 + f.count)))
        return false;
    r->inlet = x->sync;
    request_atoms(r->atoms, argc, argv);
    r->atoms[argc] = (request_atom){.symbol = SEPARATOR};
    memcpy(&r->atoms[argc + 1], f.atoms, f.count * sizeof *f.atoms);
    commit_request();
    return true;
}

static bool find_place(object *x)
{
    uint32_t i;

    for (i = 0; i < OBJECTS && objects[i]; i++)
        ;
    if (i == OBJECTS)
        return false;
    x->number = ++generations[i] * OBJECTS + i;
    objects[i] = x;
    if (object_count++ == 0)
        clock_delay(poll_clock, POLL_SAMPLES);
    return true;
}

static const klass *klass_named(const char *name)
{
    const char *slash = strrchr(name, '/');     /* [neuralmidi/composer] is [composer] */
    int i;

    for (i = 0; i < the_bridge.class_count; i++)
        if (!strcmp(the_bridge.classes[i].name, slash ? slash + 1 : name))
            return &the_bridge.classes[i];
    return NULL;
}

static void make_ports(object *x)
{
    int i;

    for (i = 1; i < x->klass->inlets; i++) {
        x->inlets[i] = (proxy){.pd = proxy_class, .owner = x, .index = (unsigned)i};
        inlet_new(&x->pd, &x->inlets[i].pd, 0, 0);
    }
    for (i = 0; i < x->klass->outlets; i++)
        x->outlets[i] = outlet_new(&x->pd, 0);
}

static void make_transport(object *x)
{
    x->tempo = 120;
    x->steps_per_beat = 4;
    x->last_step = x->last_complaint = -1e9;
    x->clock = clock_new(x, (t_method)object_tick);
    publish_step_ms(x, step_ms(x));
}

static void *object_new(t_symbol *name, int argc, t_atom *argv)
{
    const klass *k = klass_named(name->s_name);
    object *x = k ? (object *)pd_new(k->pd_class) : NULL;
    port *p;

    if (!x)
        return NULL;
    x->klass = k;
    x->canvas = canvas_getcurrent();
    x->sync = is_batch;
    make_ports(x);
    if (!find_place(x)) {
        pd_error(x, "%s: there are %d objects already, and no place for one more", k->name, OBJECTS);
        x->klass = NULL;
        pd_free(&x->pd.ob_pd);
        return NULL;
    }
    p = port_of(x->number);
    atomic_store(&p->underruns, 0);
    atomic_store(&p->dropped, 0);
    handover_init(&x->steps, &p->view);
    make_transport(x);
    atomic_store(&p->object, x->number);
    if (!send_new(x, argc, argv))
        object_error(x, "Python does not run: %s", the_bridge.reason);
    else if (x->sync)
        wait_for_answer();  /* what it says is taken later, when the outlets are connected */
    return x;
}

static void object_free(object *x)
{
    if (!x->klass)      /* never came to life */
        return;
    end_notes(x);
    send_plain(x, REQUEST_FREE);
    atomic_store(&port_of(x->number)->object, 0);
    objects[x->number % OBJECTS] = NULL;
    object_count--;
    clock_free(x->clock);
    handover_free(&x->steps);
}

/* Pd cuts an object's cords before it frees the object. The notes must be ended before that. */
static void object_deleting(t_gobj *gobj, t_glist *glist)
{
    end_notes((object *)gobj);
    text_widgetbehavior.w_deletefn(gobj, glist);
}

/* A graph on its parent hides text boxes, and knows them by their widget: so ours must hide itself. */
static void object_show(t_gobj *gobj, t_glist *glist, int flag)
{
    if (glist->gl_havewindow)
        text_widgetbehavior.w_visfn(gobj, glist, flag);
}

static bool is_inside(const t_canvas *inner, const t_canvas *outer)
{
    for (; inner; inner = inner->gl_owner)
        if (inner == outer)
            return true;
    return false;
}

/* A patch that closes deletes its objects one by one, a [noteout] perhaps before the composer that feeds it. */
static void canvas_closing(t_canvas *closing)
{
    unsigned i;

    for (i = 0; i < OBJECTS; i++)
        if (objects[i] && is_inside(objects[i]->canvas, closing))
            end_notes(objects[i]);
    ((void (*)(t_canvas *))canvas_free_method)(closing);
}

/* --- setup --------------------------------------------------------------------------------------------------------- */

static void make_class(klass *k)
{
    t_class *c = class_new(gensym(k->name), (t_newmethod)object_new, (t_method)object_free, sizeof(object),
        CLASS_DEFAULT, A_GIMME, 0);

    class_addanything(c, (t_method)object_message);
    class_setwidget(c, &widget);
    k->pd_class = c;
    if (k->outlets > OUTLETS)
        k->outlets = OUTLETS;
    if (k->inlets > INLETS)
        k->inlets = INLETS;
}

static void hook_canvas(void)
{
    if ((void *)canvas_class->c_freemethod != (void *)canvas_free)
        return;     /* a Pd that is built otherwise: notes still end with their own object */
    canvas_free_method = (t_method)canvas_class->c_freemethod;
    canvas_class->c_freemethod = (t_method)canvas_closing;
}

/* Pd keeps `-batch` to itself. */
static bool find_batch(void)
{
    char arguments[65536];
    FILE *file = fopen("/proc/self/cmdline", "rb");
    size_t size = file ? fread(arguments, 1, sizeof arguments - 1, file) : 0, i;
    bool found = false;

    if (file)
        fclose(file);
    arguments[size] = 0;
    for (i = 0; i < size; i += strlen(arguments + i) + 1)
        if (!strcmp(arguments + i, "-batch") || !strcmp(arguments + i, "-nobatch"))
            found = !strcmp(arguments + i, "-batch");
    return found;
}

static void find_own_folder(char *folder, size_t size)
{
    Dl_info info;
    char *real = dladdr((void *)find_own_folder, &info) ? realpath(info.dli_fname, NULL) : NULL;
    char *slash = real ? strrchr(real, '/') : NULL;

    if (slash)
        *slash = 0;
    snprintf(folder, size, "%s", real ? real : ".");
    free(real);
}

static void wait_for_start(void)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += START_SECONDS;
    while (atomic_load(&the_bridge.life) == STARTING && (sem_timedwait(&the_bridge.answer, &until) == 0 || errno == EINTR))
        ;
}

/* At exit, libraries that Python's thread may be using are torn down: it is asked to stand still first. The wait is
   bounded, since it may be stuck. */
static void park_python(void)
{
    int i;

    atomic_store(&the_bridge.quitting, true);
    sem_post(&the_bridge.wake);
    for (i = 0; i < 100 && atomic_load(&the_bridge.life) == RUNNING && !atomic_load(&the_bridge.parked); i++)
        usleep(1000);
}

static bool start(void)
{
    char folder[4096];

    find_own_folder(folder, sizeof folder);
    return ring_init(&the_bridge.requests, REQUEST_BYTES) && ring_init(&the_bridge.results, RESULT_BYTES)
        && sem_init(&the_bridge.wake, 0, 0) == 0 && sem_init(&the_bridge.answer, 0, 0) == 0 && python_start(folder);
}

__attribute__((visibility("default")))
void neuralmidi_setup(void)
{
    int i;

    if (the_bridge.requests.bytes)  /* loaded twice */
        return;
    is_batch = find_batch();
    if (!start())
        return pd_error(NULL, "neuralmidi: cannot start: no memory, or no thread");
    wait_for_start();
    if (!is_running())
        return pd_error(NULL, "neuralmidi: cannot start: %s", atomic_load(&the_bridge.life) == STARTING
            ? "Python takes longer than 30 s" : the_bridge.reason);
    post("%s", the_bridge.reason);
    poll_results();
    atexit(park_python);
    widget = text_widgetbehavior;
    widget.w_deletefn = object_deleting;
    widget.w_visfn = object_show;
    proxy_class = class_new(gensym("neuralmidi inlet"), 0, 0, sizeof(proxy), CLASS_PD, 0);
    class_addanything(proxy_class, (t_method)proxy_message);
    for (i = 0; i < the_bridge.class_count; i++)
        make_class(&the_bridge.classes[i]);
    poll_clock = clock_new(NULL, (t_method)poll);
    clock_setunit(poll_clock, 1, 1);
    hook_canvas();
}
