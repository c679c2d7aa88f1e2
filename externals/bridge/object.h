/* A Pd object whose class is written in Python, as Pd's thread sees it. Everything that is declared here runs on
   Pd's thread; nothing waits for Python after neuralmidi_setup(), unless `sync` asks for it. */

#ifndef NEURALMIDI_OBJECT_H
#define NEURALMIDI_OBJECT_H

#include "m_pd.h"
#include "g_canvas.h"

#include "bridge.h"
#include "later.h"
#include "notes.h"

#define INLETS 8
#define OUTLETS 8

typedef struct object object;

#define LONG_AGO -1e9      /* ms */
#define KEPT "another library in this Pd keeps Python for itself / leave that one out, or let neuralmidi play in another " \
    "Pd, or with `neuralmidi stream`"

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
    unsigned buried;        /* the life of Python at whose end this object has ended its notes and said so; 0: none */
    bool sync;              /* every message waits for its answer */
    unsigned silences;      /* how often its notes have been ended */
    /* stepped classes only */
    handover steps;
    t_clock *clock;
    later later;
    t_clock *later_clock;   /* for the next of them */
    bool playing;
    bool waiting;           /* for its first step, to start to play */
    double tempo;
    double per_beat;        /* how many steps like the one that sounded last make a beat */
    double chosen;          /* the player's `steps`, which count instead; 0: the step's own do */
    double choices;         /* how often the player has chosen */
    double last_step;       /* logical time in ms; the next one is due step_ms later */
    double interval;        /* of the last two bangs in ms that no pause parts; 0: there are none */
    unsigned missed;        /* steps in a row that were not ready */
    bool failed;            /* a step has failed, and the reason has been said */
    double last_complaint;
};

/* Room for a moment: small on the stack, since Pd lets a feedback cord go a thousand levels deep, large from the heap. */
typedef struct scratch {
    size_t size;
    void *large;
    _Alignas(8) uint8_t small[1024];
} scratch;

static inline void *scratch_take(scratch *s, size_t size)
{
    s->size = size;
    s->large = size > sizeof s->small ? getbytes(size) : NULL;
    return s->large ? s->large : s->small;
}

static inline void scratch_give(scratch *s)
{
    if (s->large)
        freebytes(s->large, s->size);
}

/* --- objects.c --- */

/* The object of this number, or NULL when it has been deleted. */
object *object_numbered(uint32_t number);

/* Whether the rest of what is being sent may follow: nothing that it led to has deleted the object, or silenced it. */
bool object_goes_on(uint32_t number, unsigned silences);

/* An error to the console, on the box, and out of the status outlet. */
void object_complain(object *x, const char *complaint);
__attribute__((format(printf, 2, 3))) void object_error(object *x, const char *format, ...);

/* Makes a Pd class of one that Python has declared. */
void class_make(klass *k);

/* Readies what all objects share. `sync`: what new objects begin with. */
void objects_setup(bool sync);

/* --- requests.c: from Pd to Python --- */

bool python_is_running(void);
double logical_ms(void);
bool send_new(object *x, int argc, const t_atom *argv);
void send_message(object *x, unsigned inlet, t_symbol *selector, int argc, const t_atom *argv);

/* What Pd's thread has obeyed already. A Python that is dead hears of it when it is back. */
void send_control(object *x, t_symbol *selector, int argc, const t_atom *argv);

/* FREE, SILENCED: never dropped. */
void send_plain(object *x, enum request_kind kind);

/* With sync: have the next step composed now. */
void send_step(object *x);

void report_dropped(object *x);

/* With sync: all that was asked is dealt with when this returns; false when Python does not answer. */
bool wait_for_answer(void);

/* --- revival.c: when Python has died or is stuck --- */

/* How often Python has been started. */
unsigned python_lives(void);

/* What a player can do about a dead Python. */
const char *revival_remedy(const object *x);

/* True when the message asks for a new start of Python, should it need one. */
bool revival_asked(const object *x, unsigned inlet, const t_symbol *selector);

/* Looks for signs of life, and starts Python again when it is stuck and the player has asked for that. */
void watch_python(void);

/* --- results.c: from Python to Pd --- */

void poll_results(void);
void send_messages(object *x, const uint8_t *bytes, size_t size);

/* Which note a message starts or ends, or LATER_NO_NOTE. */
int note_of(const object *x, const result_message *m);

/* Ends what sounds; what waits never begins. */
void end_notes(object *x);

/* Ends the notes and lets Python know. */
void silence(object *x);

/* --- delays.c: what leaves an object later than its step --- */

/* Takes the messages that are to leave later out of a step `ms` long that has just been released, and keeps copies;
   returns the size of what is left. */
size_t put_off(object *x, uint8_t *bytes, size_t size, double ms);

/* Sends what is due by now. */
void send_due(object *x);

/* --- transport.c --- */

void transport_init(object *x);
void transport_free(object *x);

/* The first step is ready: whoever waited for it starts to play. */
void transport_start_if_waiting(object *x);

/* True when the message was the transport's. */
bool transport_takes(object *x, t_symbol *selector, int argc, const t_atom *argv);

#endif
