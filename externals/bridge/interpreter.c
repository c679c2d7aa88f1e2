/* The interpreter: which Python it is, and where the package lies. Nothing in this file runs on Pd's thread but
   interpreter_is_kept. */

#define _GNU_SOURCE
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bridge.h"
#include "python.h"

static char the_folder[4096];   /* where the external lies */
static bool is_ours;            /* no other library has started the interpreter */

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

void exception_text(char *text, size_t size)
{
    PyObject *type, *value, *trace, *string;
    const char *utf8;

    PyErr_Fetch(&type, &value, &trace);
    PyErr_NormalizeException(&type, &value, &trace);
    string = value ? PyObject_Str(value) : NULL;
    utf8 = string ? PyUnicode_AsUTF8(string) : NULL;
    snprintf(text, size, "%s: %s", type ? ((PyTypeObject *)type)->tp_name : "error", utf8 ? utf8 : "?");
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

/* Another library's interpreter knows nothing of the environment that our packages are in. */
static bool add_packages(void)
{
    char python[sizeof the_folder + 32], folder[sizeof python + 64];
    char *slash = find_python(python, sizeof python) ? strrchr(python, '/') : NULL;
    PyObject *site, *done;

    if (!slash)
        return true;
    *slash = 0;
    snprintf(folder, sizeof folder, "%s/../lib/python%d.%d/site-packages", python, PY_MAJOR_VERSION, PY_MINOR_VERSION);
    site = PyImport_ImportModule("site");
    done = site ? PyObject_CallMethod(site, "addsitedir", "N", python_text(folder)) : NULL;
    Py_XDECREF(site);
    Py_XDECREF(done);
    return done != NULL;
}

PyObject *interpreter_package(void)
{
    PyObject *m = module_new();
    bool good = m && (is_ours || add_packages()) && prefer_own_folder()
        && PyDict_SetItemString(PyImport_GetModuleDict(), "_neuralmidi", m) == 0;

    return good ? PyImport_ImportModule("neuralmidi.server") : NULL;
}

bool interpreter_is_kept(void)
{
    return Py_IsInitialized() && PyGILState_Check();
}

bool interpreter_start(char *why, size_t size)
{
    char python[sizeof the_folder + 32];
    const char *found = find_python(python, sizeof python);
    PyStatus status;

    if (Py_IsInitialized())     /* there is one interpreter per process */
        return true;
    if (found && !right_version(found, why, size))
        return false;
    status = initialize(found);
    if (PyStatus_Exception(status)) {
        snprintf(why, size, "%s", status.err_msg ? status.err_msg : "Python could not be initialised");
        return false;
    }
    is_ours = true;
    PyEval_SaveThread();
    return true;
}

void interpreter_belongs_to(const char *folder)
{
    snprintf(the_folder, sizeof the_folder, "%s", folder);
}
