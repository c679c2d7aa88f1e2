/* Bringing Python back: when its thread has died, or is stuck in an endless loop, and the player asks for it. */

#define _GNU_SOURCE
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "object.h"
#include "monotonic.h"

#define STUCK 2000.0        /* ms without a sign of life: then a player who asks for a new start gets it at once */
#define PATIENCE 10000.0    /* ms: who asks before that gets it now, in case Python is only loading something long */
#define HOPELESS 2000.0     /* ms in which a new start should have come about */
#define GLANCE 100.0        /* ms that one look stands for, at most: in a process that was stopped nobody was slow */

static unsigned lives = 1;
static double silent;               /* ms that Python has been called without a sign of life */
static double patience = INFINITY;  /* how long it may be silent; INFINITY: nobody has asked for a new start */
static double under_way;            /* ms since the new start */
static bool said_hopeless;

unsigned python_lives(void)
{
    return lives;
}

const char *revival_remedy(const object *x)
{
    static char remedy[256];
    const klass *k = x->klass;
    int i;

    for (i = 0; !*k->revives && i < the_bridge.class_count; i++)
        k = &the_bridge.classes[i];
    if (!*k->revives)
        return "save the patch and start Pd again";
    snprintf(remedy, sizeof remedy, "send `%s`%s%s, which starts it again", k->revives,
        k == x->klass ? "" : " to a ", k == x->klass ? "" : k->name);
    return remedy;
}

static bool is_revival(const object *x, unsigned inlet, const t_symbol *selector)
{
    size_t length = strcspn(x->klass->revives, " ");

    return inlet == 0 && length && !strncmp(selector->s_name, x->klass->revives, length) && !selector->s_name[length];
}

static void start_again(void)
{
    patience = INFINITY;
    silent = under_way = 0;
    said_hopeless = false;
    if (engine_start_again())
        lives++;
    else
        pd_error(NULL, "neuralmidi: Python cannot be started again: there is no thread for it / save the patch and start "
            "Pd again");
}

bool revival_asked(const object *x, unsigned inlet, const t_symbol *selector)
{
    if (!is_revival(x, inlet, selector))
        return false;
    if (!python_is_running())
        start_again();
    else
        patience = fmin(patience, silent < STUCK ? PATIENCE : 0);
    return true;
}

/* Whether something waits for Python to look at it. */
static bool is_called(void)
{
    int calls;

    return sem_getvalue(&the_bridge.wake, &calls) == 0 && calls > 0;
}

/* ms since the last look, or 0 after a while in which there was nothing to look at. */
static double glance(bool looking)
{
    static double last;
    double now = looking ? monotonic_ms() : 0, ms = last && now ? fmin(now - last, GLANCE) : 0;

    last = now;
    return ms;
}

static void follow_revival(enum revival revival, double ms)
{
    if (revival == REVIVED) {
        atomic_store(&the_bridge.revival, NO_REVIVAL);
        return post("%s", the_bridge.banner);
    }
    if ((under_way += ms) < HOPELESS || said_hopeless)
        return;
    said_hopeless = true;
    pd_error(NULL, "neuralmidi: Python cannot be started again: %s", interpreter_is_kept()
        ? KEPT : "it is in a library's code that does not come back / save the patch and start Pd again");
}

void watch_python(void)
{
    static unsigned seen;
    unsigned signs = atomic_load_explicit(&the_bridge.signs, memory_order_relaxed);
    enum revival revival = (enum revival)atomic_load(&the_bridge.revival);
    bool is_silent = signs == seen && python_is_running() && is_called();
    double ms = glance(is_silent || revival != NO_REVIVAL);

    seen = signs;
    silent = is_silent ? silent + ms : 0;
    if (revival != NO_REVIVAL)
        return follow_revival(revival, ms);
    if (!is_silent)
        patience = INFINITY;
    else if (silent >= patience)
        start_again();
}
