/* Python's side of the bridge: the interpreter on a thread of its own, and the module `_neuralmidi`
   through which the package `neuralmidi` talks to Pd. Nothing in this file runs on Pd's thread but python_start. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bridge.h"

#define BATCH 1024  /* requests given to Python at one time */

static char the_folder[4096];

/* --- life ------------------------------------------------------------------------------------------------------ */

static void live(enum life life, const char *reason)
{
    snprintf(the_bridge.reason, REASON, "%s", reason);
    atomic_store(&the_bridge.life, life);
    sem_post(&the_bridge.answer);
}

/* Runs when the thread ends by whatever way, pthread_exit and cancellation among them. */
static void thread_ended(void *unused)
{
    (void)unused;
    if (atomic_load(&the_bridge.life) == RUNNING)
        live(DEAD, "the Python thread has ended");
}

static void park_if_quitting(void)
{
    if (!atomic_load(&the_bridge.quitting))
        return;
    atomic_store(&the_bridge.parked, true);
    for (;;)
        pause();
}

static PyObject *gone;  /* the exception that says so of an object */

/* --- what Python sees: reading requests ------------------------------------------------------------------------ */

static PyObject *text(const char *utf8)
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
        PyObject *value = a->symbol ? text(a->symbol) : PyFloat_FromDouble(a->number);
        if (!value) {
            Py_DECREF(atoms);
            return NULL;
        }
        PyTuple_SET_ITEM(atoms, i, value);
    }
    return Py_BuildValue("(IIIdNN)", r->kind, r->object, r->inlet, r->time, text(r->selector), atoms);
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
    if (!PyArg_ParseTuple(args, ""))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    while (sem_wait(&the_bridge.wake) != 0)
        ;
    while (sem_trywait(&the_bridge.wake) == 0)
        ;   /* many calls to wake up are one */
    park_if_quitting();
    Py_END_ALLOW_THREADS
    return pending_requests();
}

static PyObject *py_poll(PyObject *self, PyObject *args)
{
    (void)self;
    if (!PyArg_ParseTuple(args, ""))
        return NULL;
    return pending_requests();
}

static PyObject *py_answered(PyObject *self, PyObject *args)
{
    unsigned long long count;

    (void)self;
    if (!PyArg_ParseTuple(args, "K", &count))
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
    double step_ms;
    port *p;

    (void)self;
    if (!PyArg_ParseTuple(args, "I", &object))
        return NULL;
    p = port_of(object);
    accepted = atomic_load(&p->view.accepted);  /* first: see handover.h */
    released = atomic_load(&p->view.released);
    step_ms = atomic_load(&p->step_ms);
    if (atomic_load(&p->object) != object)      /* last: what was read is this object's, if it still lives here */
        return PyErr_Format(gone, "object %u has been deleted", object);
    return Py_BuildValue("(KKd)", accepted, released, step_ms);
}

static PyObject *py_counters(PyObject *self, PyObject *args)
{
    unsigned int object;

    (void)self;
    if (!PyArg_ParseTuple(args, "I", &object))
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
    while (!(r = ring_reserve(&the_bridge.results, sizeof *r + payload, 0))) {
        Py_BEGIN_ALLOW_THREADS
        park_if_quitting();
        usleep(500);
        Py_END_ALLOW_THREADS
    }
    return r;
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

/* One message: (outlet, selector, atoms). */
static bool draft_message(PyObject *message)
{
    result_message *m = draft_room(sizeof *m);
    unsigned int outlet;
    PyObject *selector, *atoms, *sequence;
    Py_ssize_t i, n;
    bool good = true;

    if (!m || !PyArg_ParseTuple(message, "IUO", &outlet, &selector, &atoms))
        return false;
    if (!(sequence = PySequence_Fast(atoms, "the atoms of a message are a sequence")))
        return false;
    n = PySequence_Fast_GET_SIZE(sequence);
    memset(m, 0, sizeof *m);
    m->outlet = outlet;
    m->count = (uint32_t)n;
    good = (m->selector_size = draft_text(selector)) != 0;
    for (i = 0; good && i < n; i++)
        good = draft_atom(PySequence_Fast_GET_ITEM(sequence, i));
    Py_DECREF(sequence);
    return good;
}

static bool draft_messages(PyObject *messages)
{
    PyObject *sequence = PySequence_Fast(messages, "messages are a sequence");
    Py_ssize_t i;
    bool good = sequence != NULL;

    draft.size = 0;
    for (i = 0; good && i < PySequence_Fast_GET_SIZE(sequence); i++)
        good = draft_message(PySequence_Fast_GET_ITEM(sequence, i));
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
    if (!PyArg_ParseTuple(args, "IO", &object, &messages) || !draft_messages(messages))
        return NULL;
    return write_draft(RESULT_MESSAGES, object, 0, 0);
}

static PyObject *py_step(PyObject *self, PyObject *args)
{
    unsigned int object;
    unsigned long long number, previous;
    PyObject *messages;

    (void)self;
    if (!PyArg_ParseTuple(args, "IKKO", &object, &number, &previous, &messages) || !draft_messages(messages))
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
    const char *name;
    int inlets, outlets, stepped, notes_outlet, status_outlet;
    klass *k;

    (void)self;
    if (!PyArg_ParseTuple(args, "siipii", &name, &inlets, &outlets, &stepped, &notes_outlet, &status_outlet))
        return NULL;
    if (the_bridge.class_count == CLASSES || atomic_load(&the_bridge.life) != STARTING)
        return PyErr_Format(PyExc_RuntimeError, "class %s: at most %d classes, declared at start", name, CLASSES);
    k = &the_bridge.classes[the_bridge.class_count++];
    *k = (klass){.inlets = inlets, .outlets = outlets, .stepped = stepped,
        .notes_outlet = notes_outlet, .status_outlet = status_outlet};
    snprintf(k->name, sizeof k->name, "%s", name);
    Py_RETURN_NONE;
}

static PyObject *py_ready(PyObject *self, PyObject *args)
{
    const char *banner;

    (void)self;
    if (!PyArg_ParseTuple(args, "s", &banner))
        return NULL;
    live(RUNNING, banner);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"declare", py_declare, METH_VARARGS, "declare(name, inlets, outlets, stepped, notes_outlet, status_outlet)"},
    {"ready", py_ready, METH_VARARGS, "ready(banner): every class is declared"},
    {"wait", py_wait, METH_VARARGS, "wait() -> requests; sleeps until there is something to look at"},
    {"poll", py_poll, METH_VARARGS, "poll() -> requests; does not sleep"},
    {"answered", py_answered, METH_VARARGS, "answered(count): so many more requests are dealt with"},
    {"view", py_view, METH_VARARGS, "view(object) -> (accepted, released, step_ms); raises Gone"},
    {"counters", py_counters, METH_VARARGS, "counters(object) -> {name: count}"},
    {"send", py_send, METH_VARARGS, "send(object, messages): out of the outlets, now"},
    {"step", py_step, METH_VARARGS, "step(object, number, previous, messages): out of the outlets when released"},
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
    return PyModule_AddObjectRef(m, "Gone", gone) == 0 && PyModule_AddIntMacro(m, REQUEST_NEW) == 0 && PyModule_AddIntMacro(m, REQUEST_FREE) == 0
        && PyModule_AddIntMacro(m, REQUEST_MESSAGE) == 0 && PyModule_AddIntMacro(m, REQUEST_STEP) == 0
        && PyModule_AddIntMacro(m, REQUEST_SILENCED) == 0 && PyModule_AddIntMacro(m, HANDOVER_LOOKAHEAD) == 0;
}

/* --- the interpreter --------------------------------------------------------------------------------------------- */

static bool exists(const char *format, const char *folder)
{
    char path[sizeof the_folder + 64];
    struct stat status;

    snprintf(path, sizeof path, format, folder);
    return stat(path, &status) == 0;
}

/* The environment around the external: the nearest folder above it that is one, or holds one named .venv. */
static bool find_environment(char *environment, size_t size)
{
    char folder[sizeof the_folder];
    char *slash;

    snprintf(folder, sizeof folder, "%s", the_folder);
    do {
        if (exists("%s/pyvenv.cfg", folder)) {
            snprintf(environment, size, "%s", folder);
            return true;
        }
        if (exists("%s/.venv/pyvenv.cfg", folder)) {
            snprintf(environment, size, "%s/.venv", folder);
            return true;
        }
        if ((slash = strrchr(folder, '/')))
            *slash = 0;
    } while (slash && *folder);
    return false;
}

/* Which python the interpreter shall believe to be; NULL leaves it to Python itself. */
static const char *find_python(char *python, size_t size)
{
    char environment[sizeof the_folder];
    const char *named = getenv("NEURALMIDI_PYTHON");

    if (named && *named)
        snprintf(python, size, "%s", named);
    else if (find_environment(environment, sizeof environment))
        snprintf(python, size, "%s/bin/python", environment);
    else
        return NULL;
    return python;
}

/* An environment made with another Python than the one this file was built for has no packages for us. */
static bool right_version(const char *python, char *why, size_t size)
{
    char lib[sizeof the_folder];
    char *slash;

    snprintf(lib, sizeof lib, "%s", python);
    if (!(slash = strrchr(lib, '/')))
        return true;
    snprintf(slash, sizeof lib - (size_t)(slash - lib), "/../lib/python%d.%d", PY_MAJOR_VERSION, PY_MINOR_VERSION);
    if (access(python, X_OK) == 0 && exists("%s", lib))
        return true;
    snprintf(why, size, "%s is not the Python %d.%d that this external was built for / run pd_patches/play, or set "
        "NEURALMIDI_PYTHON to a Python %d.%d with the package installed", python, PY_MAJOR_VERSION, PY_MINOR_VERSION,
        PY_MAJOR_VERSION, PY_MINOR_VERSION);
    return false;
}

static PyStatus initialize(const char *python)
{
    PyPreConfig pre;
    PyConfig config;
    PyStatus status;

    PyPreConfig_InitPythonConfig(&pre);
    pre.utf8_mode = 1;
    pre.configure_locale = 0;   /* the locale is Pd's */
    status = Py_PreInitialize(&pre);
    if (PyStatus_Exception(status))
        return status;
    PyConfig_InitPythonConfig(&config);
    config.install_signal_handlers = 0;
    config.parse_argv = 0;
    if (python)
        status = PyConfig_SetBytesString(&config, &config.executable, python);
    if (!PyStatus_Exception(status))
        status = Py_InitializeFromConfig(&config);
    PyConfig_Clear(&config);
    return status;
}

static void exception_text(char *reason, size_t size)
{
    PyObject *type, *value, *trace, *string;
    const char *utf8;

    PyErr_Fetch(&type, &value, &trace);
    PyErr_NormalizeException(&type, &value, &trace);
    string = value ? PyObject_Str(value) : NULL;
    utf8 = string ? PyUnicode_AsUTF8(string) : NULL;
    snprintf(reason, size, "%s: %s", type ? ((PyTypeObject *)type)->tp_name : "error", utf8 ? utf8 : "?");
    PyErr_Clear();
    Py_XDECREF(string);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(trace);
}

static bool put_first(const char *list_name, PyObject *item)
{
    PyObject *list = PySys_GetObject(list_name);
    bool good = list && item && PyList_Insert(list, 0, item) == 0;

    Py_XDECREF(item);
    return good;
}

/* The package that lies beside this file belongs to it, whichever is installed: an editable installation has a
   finder of its own, which would come before sys.path. */
static bool prefer_own_folder(void)
{
    PyObject *machinery = PyImport_ImportModule("importlib.machinery");
    bool good = machinery && put_first("path", text(the_folder))
        && put_first("meta_path", PyObject_GetAttrString(machinery, "PathFinder"));

    Py_XDECREF(machinery);
    return good;
}

/* Runs neuralmidi.pd.run() until the end of the process; when it comes back, something has gone wrong. */
static void run_package(void)
{
    char why[REASON], reason[REASON + 128];
    PyObject *m = PyModule_Create(&module);
    PyObject *package, *result = NULL;
    bool good = m && add_constants(m) && prefer_own_folder()
        && PyDict_SetItemString(PyImport_GetModuleDict(), "_neuralmidi", m) == 0;

    package = good ? PyImport_ImportModule("neuralmidi.pd") : NULL;
    if (package)
        result = PyObject_CallMethod(package, "run", NULL);
    if (result)
        snprintf(why, sizeof why, "neuralmidi.pd.run() came back");
    else
        exception_text(why, sizeof why);
    snprintf(reason, sizeof reason, "%s / %s", why, atomic_load(&the_bridge.life) == RUNNING
        ? "save the patch and start Pd again" : "run pd_patches/play, which installs what is missing");
    live(atomic_load(&the_bridge.life) == RUNNING ? DEAD : FAILED, reason);
}

static void *thread_main(void *unused)
{
    char python[sizeof the_folder + 32], why[REASON];
    const char *found;
    PyStatus status;

    (void)unused;
    pthread_cleanup_push(thread_ended, NULL);
    if (Py_IsInitialized()) {   /* another external embeds Python: there is one interpreter per process */
        PyGILState_STATE gil = PyGILState_Ensure();
        run_package();
        PyGILState_Release(gil);
    } else {
        found = find_python(python, sizeof python);
        if (found && !right_version(found, why, sizeof why))
            live(FAILED, why);
        else if (PyStatus_Exception(status = initialize(found)))
            live(FAILED, status.err_msg ? status.err_msg : "Python could not be initialised");
        else {
            run_package();
            PyEval_SaveThread();
        }
    }
    pthread_cleanup_pop(0);
    return NULL;
}

bool python_start(const char *folder)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, before;
    struct sched_param priority = {0};
    bool started;

    snprintf(the_folder, sizeof the_folder, "%s", folder);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    /* with `pd -rt` a thread would inherit the audio thread's priority, and Python would starve it */
    pthread_attr_setinheritsched(&attributes, PTHREAD_EXPLICIT_SCHED);
    pthread_attr_setschedpolicy(&attributes, SCHED_OTHER);
    pthread_attr_setschedparam(&attributes, &priority);
    sigfillset(&all);   /* signals are Pd's business */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    started = pthread_create(&thread, &attributes, thread_main, NULL) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return started;
}
