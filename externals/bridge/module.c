/* The module `_neuralmidi`, through which the package `neuralmidi` talks to Pd. Runs on Python's thread. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <math.h>
#include <string.h>
#include <unistd.h>

#include "bridge.h"
#include "python.h"

#define BATCH 1024  /* requests given to Python at one time */

static void park_if_quitting(void)
{
    if (!atomic_load(&the_bridge.quitting))
        return;
    atomic_store(&the_bridge.parked, true);
    for (;;)
        pause();
}

static PyObject *gone;          /* the exception that says so of an object */
static PyObject *abandoned;     /* what an engine gets that has been given up */

PyObject *module_abandoned(void)
{
    return abandoned;
}

/* False, with Abandoned raised, in an engine that has been given up. To be asked with the GIL held, and again whenever
   it has been let go: what follows is then done by one engine only. */
static bool may_go_on(void)
{
    if (engine_is_given_up()) {
        PyErr_SetString(abandoned, "another thread has taken the place of this one");
        return false;
    }
    if (engine_counts())    /* and not a thread of an object's own */
        atomic_fetch_add_explicit(&the_bridge.signs, 1, memory_order_relaxed);
    return true;
}

/* --- what Python sees: reading requests ------------------------------------------------------------------------ */

PyObject *python_text(const char *utf8)
{
    return PyUnicode_DecodeUTF8(utf8, (Py_ssize_t)strlen(utf8), "replace");
}

static PyObject *request_as_tuple(const request *r)
{
    PyObject *atoms = PyTuple_New(r->count);
    uint32_t i;

    if (!atoms)
        return NULL;
    for (i = 0; i < r->count; i++) {
        const request_atom *a = &r->atoms[i];
        PyObject *value = a->symbol ? python_text(a->symbol) : PyFloat_FromDouble(a->number);
        if (!value) {
            Py_DECREF(atoms);
            return NULL;
        }
        PyTuple_SET_ITEM(atoms, i, value);
    }
    return Py_BuildValue("(IIIdNN)", r->kind, r->object, r->inlet, r->time, python_text(r->selector), atoms);
}

static PyObject *pending_requests(void)
{
    PyObject *list = PyList_New(0);
    request *r;
    int n;

    for (n = 0; list && n < BATCH && (r = ring_front(&the_bridge.requests)); n++) {
        PyObject *tuple = request_as_tuple(r);
        ring_pop(&the_bridge.requests);
        if (!tuple || PyList_Append(list, tuple) < 0)
            Py_CLEAR(list);
        Py_XDECREF(tuple);
    }
    return list;
}

static PyObject *py_wait(PyObject *self, PyObject *args)
{
    (void)self;
    if (!PyArg_ParseTuple(args, "") || !may_go_on())
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    while (sem_wait(&the_bridge.wake) != 0)
        ;
    while (sem_trywait(&the_bridge.wake) == 0)
        ;   /* many calls to wake up are one */
    park_if_quitting();
    Py_END_ALLOW_THREADS
    return may_go_on() ? pending_requests() : NULL;
}

static PyObject *py_poll(PyObject *self, PyObject *args)
{
    (void)self;
    return PyArg_ParseTuple(args, "") && may_go_on() ? pending_requests() : NULL;
}

static PyObject *py_answered(PyObject *self, PyObject *args)
{
    unsigned long long count;

    (void)self;
    if (!PyArg_ParseTuple(args, "K", &count) || !may_go_on())
        return NULL;
    if (count) {
        atomic_fetch_add_explicit(&the_bridge.answered, count, memory_order_release);
        sem_post(&the_bridge.answer);
    }
    Py_RETURN_NONE;
}

static PyObject *py_view(PyObject *self, PyObject *args)
{
    unsigned int object;
    unsigned long long accepted, released;
    double beat_ms;
    port *p;

    (void)self;
    if (!PyArg_ParseTuple(args, "I", &object) || !may_go_on())
        return NULL;
    p = port_of(object);
    accepted = atomic_load(&p->view.accepted);  /* first: see handover.h */
    released = atomic_load(&p->view.released);
    beat_ms = atomic_load(&p->beat_ms);
    if (atomic_load(&p->object) != object)      /* last: what was read is this object's, if it still lives here */
        return PyErr_Format(gone, "object %u has been deleted", object);
    return Py_BuildValue("(KKd)", accepted, released, beat_ms);
}

static PyObject *py_counters(PyObject *self, PyObject *args)
{
    unsigned int object;

    (void)self;
    if (!PyArg_ParseTuple(args, "I", &object) || !may_go_on())
        return NULL;
    return Py_BuildValue("{s:I,s:I}", "underruns", atomic_load(&port_of(object)->underruns),
        "dropped", atomic_load(&port_of(object)->dropped));
}

/* --- what Python sees: writing results -------------------------------------------------------------------------- */

/* Waits for room without holding the GIL: Pd may be stopped, or busy. */
static result *reserve_result(size_t payload)
{
    result *r;

    if (payload > RECORD_BYTES) {
        PyErr_Format(PyExc_ValueError, "a message of %zu bytes is longer than the %d that the ring takes",
            payload, RECORD_BYTES);
        return NULL;
    }
    while (may_go_on()) {
        if ((r = ring_reserve(&the_bridge.results, sizeof *r + payload, 0)))
            return r;
        Py_BEGIN_ALLOW_THREADS
        park_if_quitting();
        usleep(500);
        Py_END_ALLOW_THREADS
    }
    return NULL;
}

static bool write_text(enum result_kind kind, uint32_t object, const char *utf8)
{
    size_t size = strnlen(utf8, REASON - 1) + 1;
    result *r = reserve_result(size);

    if (!r)
        return false;
    *r = (result){.kind = kind, .object = object, .size = size};
    memcpy(r->payload, utf8, size - 1);
    r->payload[size - 1] = 0;
    ring_commit(&the_bridge.results);
    return true;
}

/* Messages are first laid out here, since their size is known only at the end. Python's thread alone uses it. */
static struct { uint8_t bytes[RECORD_BYTES]; size_t size; } draft;

static void *draft_room(size_t size)
{
    void *room = draft.bytes + draft.size;

    if (draft.size + size > RECORD_BYTES) {
        PyErr_Format(PyExc_ValueError, "messages of more than %d bytes do not fit the ring", RECORD_BYTES);
        return NULL;
    }
    draft.size += size;
    return room;
}

static uint32_t draft_text(PyObject *string)
{
    Py_ssize_t length;
    const char *utf8 = PyUnicode_AsUTF8AndSize(string, &length);
    size_t padded = ((size_t)length + 8) & ~(size_t)7;
    char *room = utf8 ? draft_room(padded) : NULL;

    if (!room)
        return 0;
    memset(room + padded - 8, 0, 8);
    memcpy(room, utf8, (size_t)length);
    return (uint32_t)padded;
}

static bool draft_atom(PyObject *value)
{
    result_atom *a = draft_room(sizeof *a);

    if (!a)
        return false;
    memset(a, 0, sizeof *a);
    if (PyUnicode_Check(value))
        return (a->symbol_size = draft_text(value)) != 0;
    a->number = PyFloat_AsDouble(value);
    return !PyErr_Occurred();
}

/* One message: (outlet, selector, atoms), and its delay, if the format takes one. */
static bool draft_message(PyObject *message, const char *format)
{
    size_t start = draft.size;
    result_message *m = draft_room(sizeof *m);
    unsigned int outlet;
    double delay = 0;
    PyObject *selector, *atoms, *sequence;
    Py_ssize_t i, n;
    bool good = true;

    if (!m || !PyArg_ParseTuple(message, format, &outlet, &selector, &atoms, &delay))
        return false;
    if (!(delay >= 0) || !isfinite(delay)) {
        PyErr_SetString(PyExc_ValueError, "a delay is 0 steps or more, and it ends");
        return false;
    }
    if (!(sequence = PySequence_Fast(atoms, "the atoms of a message are a sequence")))
        return false;
    n = PySequence_Fast_GET_SIZE(sequence);
    memset(m, 0, sizeof *m);
    m->outlet = outlet;
    m->count = (uint32_t)n;
    m->delay = delay;
    good = (m->selector_size = draft_text(selector)) != 0;
    for (i = 0; good && i < n; i++)
        good = draft_atom(PySequence_Fast_GET_ITEM(sequence, i));
    m->size = (uint32_t)(draft.size - start);
    Py_DECREF(sequence);
    return good;
}

/* Behind what the draft holds already. */
static bool draft_messages(PyObject *messages, const char *format)
{
    PyObject *sequence = PySequence_Fast(messages, "messages are a sequence");
    Py_ssize_t i;
    bool good = sequence != NULL;

    for (i = 0; good && i < PySequence_Fast_GET_SIZE(sequence); i++)
        good = draft_message(PySequence_Fast_GET_ITEM(sequence, i), format);
    Py_XDECREF(sequence);
    return good;
}

static PyObject *write_draft(enum result_kind kind, uint32_t object, uint64_t number, uint64_t previous)
{
    result *r = reserve_result(draft.size);

    if (!r)
        return NULL;
    *r = (result){.kind = kind, .object = object, .number = number, .previous = previous, .size = draft.size};
    memcpy(r->payload, draft.bytes, draft.size);
    ring_commit(&the_bridge.results);
    Py_RETURN_NONE;
}

static PyObject *py_send(PyObject *self, PyObject *args)
{
    unsigned int object;
    PyObject *messages;

    (void)self;
    draft.size = 0;
    if (!PyArg_ParseTuple(args, "IO", &object, &messages) || !draft_messages(messages, "IUO"))
        return NULL;
    return write_draft(RESULT_MESSAGES, object, 0, 0);
}

static PyObject *py_step(PyObject *self, PyObject *args)
{
    unsigned int object;
    unsigned long long number, previous;
    step_head head;
    PyObject *messages;

    (void)self;
    if (!PyArg_ParseTuple(args, "IKKddO", &object, &number, &previous, &head.per_beat, &head.forgets, &messages))
        return NULL;
    if (!(head.per_beat > 0) || !isfinite(head.per_beat)) {
        PyErr_SetString(PyExc_ValueError, "a step has a length, and it ends");
        return NULL;
    }
    draft.size = 0;
    memcpy(draft_room(sizeof head), &head, sizeof head);
    if (!draft_messages(messages, "IUO|d"))
        return NULL;
    if (draft.size > HANDOVER_STEP_BYTES)
        return PyErr_Format(PyExc_ValueError, "a step of %zu bytes is larger than the %d that a step may have",
            draft.size, HANDOVER_STEP_BYTES);
    return write_draft(RESULT_STEP, object, number, previous);
}

static PyObject *py_text(PyObject *args, enum result_kind kind)
{
    unsigned int object;
    const char *utf8;

    if (!PyArg_ParseTuple(args, "Is", &object, &utf8) || !write_text(kind, object, utf8))
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *py_error(PyObject *self, PyObject *args)
{
    (void)self;
    return py_text(args, RESULT_ERROR);
}

static PyObject *py_failed(PyObject *self, PyObject *args)
{
    (void)self;
    return py_text(args, RESULT_FAILED);
}

/* --- what Python sees: the start --------------------------------------------------------------------------------- */

static PyObject *py_declare(PyObject *self, PyObject *args)
{
    const char *name, *revives = "";
    int inlets, outlets, stepped, notes_outlet, status_outlet;
    klass *k;

    (void)self;
    if (!PyArg_ParseTuple(args, "siipii|s", &name, &inlets, &outlets, &stepped, &notes_outlet, &status_outlet, &revives)
        || !may_go_on())
        return NULL;
    if (the_bridge.class_count == CLASSES || atomic_load(&the_bridge.life) != STARTING)
        return PyErr_Format(PyExc_RuntimeError, "class %s: at most %d classes, declared at start", name, CLASSES);
    k = &the_bridge.classes[the_bridge.class_count++];
    *k = (klass){.inlets = inlets, .outlets = outlets, .stepped = stepped,
        .notes_outlet = notes_outlet, .status_outlet = status_outlet};
    snprintf(k->name, sizeof k->name, "%s", name);
    snprintf(k->revives, sizeof k->revives, "%s", revives);
    Py_RETURN_NONE;
}

static PyObject *py_ready(PyObject *self, PyObject *args)
{
    const char *banner;

    (void)self;
    if (!PyArg_ParseTuple(args, "s", &banner) || !may_go_on())
        return NULL;
    snprintf(the_bridge.banner, REASON, "%s", banner);
    if (atomic_load(&the_bridge.life) == STARTING)
        live(RUNNING, "");
    else
        atomic_store(&the_bridge.revival, REVIVED);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"declare", py_declare, METH_VARARGS, "declare(name, inlets, outlets, stepped, notes_outlet, status_outlet, revives)"},
    {"ready", py_ready, METH_VARARGS, "ready(banner): every class is declared, or serves again"},
    {"wait", py_wait, METH_VARARGS, "wait() -> requests; sleeps until there is something to look at"},
    {"poll", py_poll, METH_VARARGS, "poll() -> requests; does not sleep"},
    {"answered", py_answered, METH_VARARGS, "answered(count): so many more requests are dealt with"},
    {"view", py_view, METH_VARARGS, "view(object) -> (accepted, released, beat_ms); raises Gone"},
    {"counters", py_counters, METH_VARARGS, "counters(object) -> {name: count}"},
    {"send", py_send, METH_VARARGS, "send(object, messages): out of the outlets, now"},
    {"step", py_step, METH_VARARGS,
        "step(object, number, previous, per_beat, forgets, messages): out of the outlets when released, or later"},
    {"error", py_error, METH_VARARGS, "error(object, text); object 0: the bridge itself"},
    {"failed", py_failed, METH_VARARGS, "failed(object, text): an error that ends the object's notes"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "_neuralmidi", "The bridge to Pd.", -1, methods, NULL, NULL, NULL, NULL,
};

static bool add_constants(PyObject *m)
{
    gone = PyErr_NewException("_neuralmidi.Gone", NULL, NULL);
    abandoned = PyErr_NewException("_neuralmidi.Abandoned", PyExc_BaseException, NULL);
    return PyModule_AddObjectRef(m, "Gone", gone) == 0 && PyModule_AddObjectRef(m, "Abandoned", abandoned) == 0
        && PyModule_AddIntMacro(m, REQUEST_NEW) == 0 && PyModule_AddIntMacro(m, REQUEST_FREE) == 0
        && PyModule_AddIntMacro(m, REQUEST_MESSAGE) == 0 && PyModule_AddIntMacro(m, REQUEST_STEP) == 0
        && PyModule_AddIntMacro(m, REQUEST_SILENCED) == 0 && PyModule_AddIntMacro(m, HANDOVER_LOOKAHEAD) == 0;
}

PyObject *module_new(void)
{
    PyObject *m = PyModule_Create(&module);

    if (m && !add_constants(m))
        Py_CLEAR(m);
    return m;
}
