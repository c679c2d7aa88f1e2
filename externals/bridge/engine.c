/* Engines: the thread that runs the package, and whoever takes its place. Nothing in this file runs on Pd's thread
   but the two functions that start one.

   One engine counts at a time: the one of the newest generation. An older one may still be there, in an endless loop
   or asleep. Whatever it calls of the bridge raises Abandoned (module.c), which ends it, and it touches nothing: a new
   engine takes over with the GIL held, and the bridge's functions look with the GIL held. */

#define _GNU_SOURCE
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "bridge.h"
#include "python.h"

static _Thread_local unsigned own_generation;
static atomic_ulong engine;     /* the thread that counts, as Python numbers threads; 0: it has ended */
static unsigned signs_before;   /* how often the old engine had called the bridge when a new one was sent for */

bool engine_counts(void)
{
    return own_generation == atomic_load(&the_bridge.generation);
}

bool engine_is_given_up(void)
{
    return own_generation && !engine_counts();
}

void live(enum life life, const char *reason)
{
    snprintf(the_bridge.reason, REASON, "%s", reason);
    atomic_store(&the_bridge.life, life);
    sem_post(&the_bridge.answer);
}

static void become_engine(void)
{
    own_generation = atomic_fetch_add(&the_bridge.generation, 1) + 1;
    atomic_store(&engine, PyThread_get_thread_ident());
}

/* An engine that counts has come to its end. */
static void end(const char *why)
{
    atomic_store(&engine, 0);
    atomic_store(&the_bridge.revival, NO_REVIVAL);
    live(atomic_load(&the_bridge.life) == STARTING ? FAILED : DEAD, why);
}

/* Runs when the thread ends by whatever way, pthread_exit and cancellation among them. Its thread state stays: what
   it was doing can be neither finished nor undone. */
static void killed(void *unused)
{
    (void)unused;
    if (Py_IsInitialized() && PyGILState_Check())
        PyEval_SaveThread();
    if (engine_counts())
        end("the Python thread has ended");
}

/* Calls a function of the package that serves for ever; when it comes back, something has gone wrong. */
static void serve(PyObject *package, const char *function)
{
    char why[REASON];
    PyObject *result = package ? PyObject_CallMethod(package, function, NULL) : NULL;

    if (engine_counts()) {
        snprintf(why, sizeof why, "neuralmidi.server.%s() came back", function);
        if (!result)
            exception_text(why, sizeof why);
        if (atomic_load(&the_bridge.life) == STARTING)
            strncat(why, " / run pd_patches/play, which installs what is missing", sizeof why - strlen(why) - 1);
        end(why);
    }
    PyErr_Clear();
    Py_XDECREF(result);
    Py_XDECREF(package);
}

/* The old engine may have come back to itself while this one waited for the GIL: then it goes on. */
static bool take_over(void)
{
    unsigned long old = atomic_load(&engine);

    if (atomic_load(&the_bridge.signs) != signs_before) {
        atomic_store(&the_bridge.revival, NO_REVIVAL);
        return false;
    }
    become_engine();
    atomic_store(&the_bridge.life, RUNNING);    /* it may have died since */
    if (old)
        PyThreadState_SetAsyncExc(old, module_abandoned());
    return true;
}

static void first(void)
{
    char why[REASON];
    PyGILState_STATE gil;

    if (!interpreter_start(why, sizeof why))
        return live(FAILED, why);
    gil = PyGILState_Ensure();
    become_engine();
    serve(interpreter_package(), "run");
    PyGILState_Release(gil);
}

static void next(void)
{
    PyGILState_STATE gil = PyGILState_Ensure();

    if (take_over())
        serve(PyImport_ImportModule("neuralmidi.server"), "resume");
    PyGILState_Release(gil);
}

static void *thread_main(void *run)
{
    struct sched_param priority = {0};

    /* a thread of this kind does not push another aside when it is woken: Pd's goes on and Python waits its turn,
       which it can, working ahead */
    sched_setscheduler(0, SCHED_BATCH, &priority);
    pthread_cleanup_push(killed, NULL);
    ((void (*)(void))run)();
    pthread_cleanup_pop(0);
    return NULL;
}

static bool start(void (*run)(void))
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, before;
    struct sched_param priority = {0};
    bool started;

    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    /* with `pd -rt` a thread would inherit the audio thread's priority, and Python would starve it */
    pthread_attr_setinheritsched(&attributes, PTHREAD_EXPLICIT_SCHED);
    pthread_attr_setschedpolicy(&attributes, SCHED_OTHER);
    pthread_attr_setschedparam(&attributes, &priority);
    sigfillset(&all);   /* signals are Pd's business */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    started = pthread_create(&thread, &attributes, thread_main, (void *)run) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return started;
}

bool engine_start(void)
{
    return start(first);
}

bool engine_start_again(void)
{
    signs_before = atomic_load(&the_bridge.signs);
    atomic_store(&the_bridge.revival, UNDER_WAY);
    atomic_store(&the_bridge.life, RUNNING);
    if (start(next))
        return true;
    atomic_store(&the_bridge.revival, NO_REVIVAL);
    return false;
}
