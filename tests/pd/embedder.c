/* [embedder]: another library that has Python in Pd. It runs Python on Pd's own thread: a bang sends what
   `sum(range(5))` is. EMBEDDER in the environment says how it behaves: `share` lets Python go after each call,
   `keep` takes it when the library is loaded, for ever. */

#include <Python.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "m_pd.h"

typedef struct embedder { t_object pd; t_outlet *out; } embedder;

static t_class *embedder_class;

static void embedder_bang(embedder *x)
{
    PyGILState_STATE gil = PyGILState_Ensure();
    PyObject *globals = PyDict_New();
    PyObject *sum = PyRun_String("sum(range(5))", Py_eval_input, globals, globals);
    t_float number = sum ? (t_float)PyLong_AsLong(sum) : -1;

    Py_XDECREF(sum);
    Py_DECREF(globals);
    PyGILState_Release(gil);
    outlet_float(x->out, number);
}

static void *embedder_new(void)
{
    embedder *x = (embedder *)pd_new(embedder_class);

    x->out = outlet_new(&x->pd, &s_float);
    return x;
}

void embedder_setup(void)
{
    bool keeps = !strcmp(getenv("EMBEDDER"), "keep");

    if (Py_IsInitialized()) {
        PyGILState_STATE gil = PyGILState_Ensure();
        if (!keeps)
            PyGILState_Release(gil);
    } else {
        Py_InitializeEx(0);
        if (!keeps)
            PyEval_SaveThread();
    }
    embedder_class = class_new(gensym("embedder"), (t_newmethod)embedder_new, 0, sizeof(embedder), 0, 0);
    class_addbang(embedder_class, embedder_bang);
}
