/* The objects: their table, their birth and death, and the clock on which they hear from Python. */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "m_pd.h"
#include "m_imp.h"

#include "object.h"

#define POLL_SAMPLES 64     /* of logical time between two looks at the result ring */

static object *objects[OBJECTS];
static unsigned objects_end;            /* no object lives at or behind this place */
static uint32_t generations[OBJECTS];
static t_clock *poll_clock;
static t_class *proxy_class;
static t_widgetbehavior widget;
static t_method canvas_free_method;
static bool new_objects_sync;

/* --- errors -------------------------------------------------------------------------------------------------- */

void object_complain(object *x, const char *complaint)
{
    t_atom atom;

    pd_error(x, "%s", complaint);
    if (x->klass->status_outlet < 0)
        return;
    SETSYMBOL(&atom, gensym(complaint));
    outlet_anything(x->outlets[x->klass->status_outlet], gensym("error"), 1, &atom);
}

void object_error(object *x, const char *format, ...)
{
    char complaint[512], *letter;
    int n = snprintf(complaint, sizeof complaint, "%s: ", x->klass->name);
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(complaint + n, sizeof complaint - (size_t)n, format, arguments);
    va_end(arguments);
    for (letter = complaint; *letter; letter++)     /* what was sent stands in it */
        if ((unsigned char)*letter < ' ')
            *letter = '?';
    object_complain(x, complaint);
}

/* --- messages ------------------------------------------------------------------------------------------------ */

static void object_message(object *x, t_symbol *selector, int argc, t_atom *argv)
{
    if (!x->klass->stepped || !transport_takes(x, selector, argc, argv))
        send_message(x, 0, selector, argc, argv);
}

static void proxy_message(proxy *p, t_symbol *selector, int argc, t_atom *argv)
{
    send_message(p->owner, p->index, selector, argc, argv);
}

static void say_that_python_is_dead(object *x)
{
    object_error(x, "Python has stopped: %s / %s", the_bridge.reason, revival_remedy(x));
}

/* --- the clock ----------------------------------------------------------------------------------------------- */

/* Python's thread is gone: end what sounds and say why, on every object. */
static void bury(object *x)
{
    uint32_t number = x->number;

    x->buried = python_lives();
    handover_clear(&x->steps);
    silence(x);
    if (object_numbered(number))
        say_that_python_is_dead(x);
}

static void poll(void *unused)
{
    unsigned i;
    bool is_dead = atomic_load_explicit(&the_bridge.life, memory_order_acquire) == DEAD;

    (void)unused;
    watch_python();
    poll_results();
    for (i = 0; i < objects_end; i++) {
        if (objects[i] && objects[i]->dropped)
            report_dropped(objects[i]);
        if (is_dead && objects[i] && objects[i]->buried != python_lives())  /* a report may have led to a deletion */
            bury(objects[i]);
    }
    if (objects_end)
        clock_delay(poll_clock, POLL_SAMPLES);
}

/* --- birth and death ----------------------------------------------------------------------------------------- */

object *object_numbered(uint32_t number)
{
    object *x = objects[number % OBJECTS];

    return x && x->number == number ? x : NULL;
}

bool object_goes_on(uint32_t number, unsigned silences)
{
    const object *x = object_numbered(number);

    return x && x->silences == silences;
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
    if (i >= objects_end)
        objects_end = i + 1;
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

static void *object_new(t_symbol *name, int argc, t_atom *argv)
{
    const klass *k = klass_named(name->s_name);
    object *x = k ? (object *)pd_new(k->pd_class) : NULL;
    port *p;

    if (!x)
        return NULL;
    x->klass = k;
    x->canvas = canvas_getcurrent();
    x->sync = new_objects_sync;
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
    transport_init(x);
    handover_init(&x->steps, &p->view);
    atomic_store(&p->object, x->number);
    if (!send_new(x, argc, argv))
        object_error(x, "too many objects were made at one moment / delete this one and make it again");
    else if (x->sync)
        wait_for_answer();  /* what it says is taken later, when the outlets are connected */
    return x;   /* if Python is dead it hears of this object when it is back; the next poll says so */
}

static void object_free(object *x)
{
    if (!x->klass)      /* never came to life */
        return;
    end_notes(x);
    send_plain(x, REQUEST_FREE);
    atomic_store(&port_of(x->number)->object, 0);
    objects[x->number % OBJECTS] = NULL;
    while (objects_end && !objects[objects_end - 1])
        objects_end--;
    transport_free(x);
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

    for (i = 0; i < objects_end; i++)
        if (objects[i] && is_inside(objects[i]->canvas, closing))
            end_notes(objects[i]);
    ((void (*)(t_canvas *))canvas_free_method)(closing);
}

/* --- setup --------------------------------------------------------------------------------------------------- */

void class_make(klass *k)
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

void objects_setup(bool sync)
{
    new_objects_sync = sync;
    widget = text_widgetbehavior;
    widget.w_deletefn = object_deleting;
    widget.w_visfn = object_show;
    proxy_class = class_new(gensym("neuralmidi inlet"), 0, 0, sizeof(proxy), CLASS_PD, 0);
    class_addanything(proxy_class, (t_method)proxy_message);
    poll_clock = clock_new(NULL, (t_method)poll);
    clock_setunit(poll_clock, 1, 1);
    hook_canvas();
}
