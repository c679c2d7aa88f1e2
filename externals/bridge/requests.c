/* What Pd asks of Python, through the request ring. */

#define _GNU_SOURCE
#include <string.h>

#include "object.h"
#include "monotonic.h"

#define ANSWER_SECONDS 10   /* for Python to answer, with sync */
#define SEPARATOR "\x1f"    /* between the arguments of an object and the folders it searches */

static unsigned long long asked;    /* requests written */

double logical_ms(void)
{
    return clock_gettimesince(0);
}

/* A request to fill and commit, or NULL when the ring is full. `spare` bytes of it are left free. */
static request *reserve_sparing(object *x, enum request_kind kind, const char *selector, unsigned count, size_t spare)
{
    size_t size = sizeof(request) + count * sizeof(request_atom);
    request *r = size > RECORD_BYTES ? NULL : ring_reserve(&the_bridge.requests, size, spare);

    if (r)
        *r = (request){.kind = kind, .object = x->number, .count = count, .time = logical_ms(), .selector = selector};
    return r;
}

static request *reserve_request(object *x, enum request_kind kind, const char *selector, unsigned count)
{
    return reserve_sparing(x, kind, selector, count, kind == REQUEST_MESSAGE || kind == REQUEST_STEP ? RESERVE : 0);
}

static void commit_request(void)
{
    asked++;
    ring_commit(&the_bridge.requests);
    sem_post(&the_bridge.wake);
}

bool python_is_running(void)
{
    return atomic_load_explicit(&the_bridge.life, memory_order_acquire) == RUNNING;
}

bool wait_for_answer(void)
{
    double waited = 0;

    while (atomic_load_explicit(&the_bridge.answered, memory_order_acquire) < asked) {
        if (!python_is_running() || waited > ANSWER_SECONDS)
            return false;
        if (!monotonic_wait(&the_bridge.answer, 5))
            waited += 0.005;
        watch_python();
        if (ring_half_full(&the_bridge.results))
            poll_results();     /* Python may be waiting for room */
    }
    return true;
}

/* Python is to prepare ahead again, when it has come back to itself. */
static void send_sync_off(object *x)
{
    request *r = reserve_request(x, REQUEST_MESSAGE, "sync", 1);

    if (!r)
        return;
    r->atoms[0] = (request_atom){.number = 0};
    commit_request();
}

static void synchronize(object *x)
{
    if (wait_for_answer()) {
        while (ring_front(&the_bridge.results))
            poll_results();     /* the answer may lie behind more than one look takes in */
        return;
    }
    if (!python_is_running())   /* it has died over it: the next poll says so */
        return;
    x->sync = false;
    send_sync_off(x);
    object_error(x, "sync: Python has not answered for %d s / sync is off now", ANSWER_SECONDS);
}

static void request_atoms(request_atom *to, int argc, const t_atom *argv)
{
    int i;

    for (i = 0; i < argc; i++)
        to[i] = argv[i].a_type == A_FLOAT ? (request_atom){.number = argv[i].a_w.w_float}
            : (request_atom){.symbol = argv[i].a_type == A_SYMBOL ? argv[i].a_w.w_symbol->s_name : "(pointer)"};
}

static bool write_message(object *x, unsigned inlet, t_symbol *selector, int argc, const t_atom *argv, size_t spare)
{
    request *r = reserve_sparing(x, REQUEST_MESSAGE, selector->s_name, (unsigned)argc, spare);

    if (!r && x->sync) {
        wait_for_answer();
        r = reserve_sparing(x, REQUEST_MESSAGE, selector->s_name, (unsigned)argc, spare);
    }
    if (!r) {
        x->dropped++;
        atomic_fetch_add(&port_of(x->number)->dropped, 1);
        return false;
    }
    r->inlet = inlet;
    request_atoms(r->atoms, argc, argv);
    commit_request();
    return true;
}

static void say_that_python_is_not_running(object *x, const t_symbol *selector)
{
    object_error(x, "%s: Python is not running: %s / %s", selector->s_name, the_bridge.reason, revival_remedy(x));
}

void send_message(object *x, unsigned inlet, t_symbol *selector, int argc, const t_atom *argv)
{
    bool revives = revival_asked(x, inlet, selector);

    if (!python_is_running())
        say_that_python_is_not_running(x, selector);
    else if (write_message(x, inlet, selector, argc, argv, revives ? 0 : RESERVE) && x->sync)
        synchronize(x);
}

void send_control(object *x, t_symbol *selector, int argc, const t_atom *argv)
{
    bool written = write_message(x, 0, selector, argc, argv, RESERVE);

    if (!python_is_running())
        say_that_python_is_not_running(x, selector);
    else if (written && x->sync)
        synchronize(x);
}

/* It has its reserve in the ring. A Python that is dead hears of it when it is back. */
void send_plain(object *x, enum request_kind kind)
{
    if (reserve_request(x, kind, "", 0))
        commit_request();
}

void report_dropped(object *x)
{
    uint32_t dropped = x->dropped;

    x->dropped = 0;
    object_error(x, "%u messages dropped: they were longer than %d atoms, or more than Python could take in / "
        "send fewer at a time", dropped, (int)(RECORD_BYTES / sizeof(request_atom)) - 4);
}

void send_step(object *x)
{
    if (!python_is_running() || !reserve_request(x, REQUEST_STEP, "", 0))
        return;
    commit_request();
    synchronize(x);
}

typedef struct folders { request_atom atoms[64]; unsigned count; } folders;

static int add_folder(const char *path, void *to)
{
    folders *f = to;

    if (f->count < sizeof f->atoms / sizeof *f->atoms)
        f->atoms[f->count++].symbol = gensym(path)->s_name;
    return 1;
}

bool send_new(object *x, int argc, const t_atom *argv)
{
    folders f = {.count = 0};
    request *r;

    add_folder(canvas_getdir(x->canvas)->s_name, &f);   /* the patch's own comes before the paths that it declares */
    canvas_path_iterate(x->canvas, add_folder, &f);
    if (!(r = reserve_request(x, REQUEST_NEW, x->klass->name, (unsigned)argc + 1 + f.count)))
        return false;
    r->inlet = x->sync;
    request_atoms(r->atoms, argc, argv);
    r->atoms[argc] = (request_atom){.symbol = SEPARATOR};
    memcpy(&r->atoms[argc + 1], f.atoms, f.count * sizeof *f.atoms);
    commit_request();
    return true;
}
