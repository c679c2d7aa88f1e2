/* The interpreter, on a thread of its own. Nothing in this file runs on Pd's thread but python_start. */

#define _GNU_SOURCE
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
#include "python.h"

static char the_folder[4096];   /* where the external lies */

/* --- life ------------------------------------------------------------------------------------------------------ */

void live(enum life life, const char *reason)
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
    bool good = machinery && put_first("path", python_text(the_folder))
        && put_first("meta_path", PyObject_GetAttrString(machinery, "PathFinder"));

    Py_XDECREF(machinery);
    return good;
}

/* Runs neuralmidi.pd.run() until the end of the process; when it comes back, something has gone wrong. */
static void run_package(void)
{
    char why[REASON], reason[REASON + 128];
    PyObject *m = module_new();
    PyObject *package, *result = NULL;
    bool good = m && prefer_own_folder()
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

    struct sched_param priority = {0};

    (void)unused;
    /* a thread of this kind does not push another aside when it is woken: Pd's goes on and Python waits its turn,
       which it can, working ahead */
    sched_setscheduler(0, SCHED_BATCH, &priority);
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
