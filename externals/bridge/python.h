/* What the two files that know CPython share. */

#ifndef NEURALMIDI_PYTHON_H
#define NEURALMIDI_PYTHON_H

#include <Python.h>

#include "bridge.h"

/* Python begins another life; `reason` says why, or what it is. */
void live(enum life life, const char *reason);

/* The module `_neuralmidi`, or NULL with an exception set. */
PyObject *module_new(void);

PyObject *python_text(const char *utf8);

#endif
