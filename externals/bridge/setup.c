/* The library as Pd loads it: starts Python, waits for it once, and makes the classes. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "object.h"
#include "monotonic.h"

#define START_SECONDS 30    /* for Python to come up, at load */

bridge the_bridge;

/* Pd keeps `-batch` to itself. */
static bool is_batch(void)
{
    char arguments[65536];
    FILE *file = fopen("/proc/self/cmdline", "rb");
    size_t size = file ? fread(arguments, 1, sizeof arguments - 1, file) : 0, i;
    bool found = false;

    if (file)
        fclose(file);
    arguments[size] = 0;
    for (i = 0; i < size; i += strlen(arguments + i) + 1)
        if (!strcmp(arguments + i, "-batch") || !strcmp(arguments + i, "-nobatch"))
            found = !strcmp(arguments + i, "-batch");
    return found;
}

static void find_own_folder(char *folder, size_t size)
{
    Dl_info info;
    char *real = dladdr((void *)find_own_folder, &info) ? realpath(info.dli_fname, NULL) : NULL;
    char *slash = real ? strrchr(real, '/') : NULL;

    if (slash)
        *slash = 0;
    snprintf(folder, size, "%s", real ? real : ".");
    free(real);
}

static void wait_for_start(void)
{
    double until = monotonic_ms() + START_SECONDS * 1000;

    while (atomic_load(&the_bridge.life) == STARTING && monotonic_wait(&the_bridge.answer, until - monotonic_ms()))
        ;
}

/* At exit, libraries that Python's thread may be using are torn down: it is asked to stand still first. The wait is
   bounded, since it may be stuck. */
static void park_python(void)
{
    int i;

    atomic_store(&the_bridge.quitting, true);
    sem_post(&the_bridge.wake);
    for (i = 0; i < 100 && atomic_load(&the_bridge.life) == RUNNING && !atomic_load(&the_bridge.parked); i++)
        usleep(1000);
}

static bool start(void)
{
    char folder[4096];

    find_own_folder(folder, sizeof folder);
    interpreter_belongs_to(folder);
    return ring_init(&the_bridge.requests, REQUEST_BYTES) && ring_init(&the_bridge.results, RESULT_BYTES)
        && sem_init(&the_bridge.wake, 0, 0) == 0 && sem_init(&the_bridge.answer, 0, 0) == 0 && engine_start();
}

__attribute__((visibility("default")))
void neuralmidi_setup(void)
{
    int i;

    if (the_bridge.requests.bytes)  /* loaded twice */
        return;
    if (interpreter_is_kept())  /* its thread would wait for ever, and Pd's for it */
        return pd_error(NULL, "neuralmidi: cannot start: " KEPT);
    if (!start())
        return pd_error(NULL, "neuralmidi: cannot start: no memory, or no thread");
    wait_for_start();
    if (!python_is_running())
        return pd_error(NULL, "neuralmidi: cannot start: %s", atomic_load(&the_bridge.life) == STARTING
            ? "Python takes longer than 30 s" : the_bridge.reason);
    post("%s", the_bridge.banner);
    poll_results();     /* a class may have been left out */
    atexit(park_python);
    objects_setup(is_batch());
    for (i = 0; i < the_bridge.class_count; i++)
        class_make(&the_bridge.classes[i]);
}
