/* What the three files that know CPython share. */

#ifndef NEURALMIDI_PYTHON_H
#define NEURALMIDI_PYTHON_H

#include <Python.h>

#include "bridge.h"

/* --- engine.c --- */

/* Python begins another life; `reason` says why. */
void live(enum life life, const char *reason);

/* Whether this thread is the engine, and no newer one has taken its place. With the GIL held, nobody takes it. */
bool engine_counts(void);

/* Whether this thread was the engine: a newer one has taken its place. */
bool engine_is_given_up(void);

/* --- interpreter.c --- */

/* Starts the interpreter, or finds one that another library has started; false, and why not. The GIL is not held
   afterwards. */
bool interpreter_start(char *why, size_t size);

/* neuralmidi.server, with the bridge in its place, or NULL with an exception set. */
PyObject *interpreter_package(void);

/* Puts the exception into words, and clears it. */
void exception_text(char *text, size_t size);

/* --- module.c --- */

/* The module `_neuralmidi`, or NULL with an exception set. */
PyObject *module_new(void);

/* What ends an engine that has been given up. */
PyObject *module_abandoned(void);

PyObject *python_text(const char *utf8);

#endif
