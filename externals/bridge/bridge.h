/* All that Pd's thread and Python's thread share. Nothing else is touched by both. */

#ifndef NEURALMIDI_BRIDGE_H
#define NEURALMIDI_BRIDGE_H

#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "handover.h"
#include "records.h"
#include "ring.h"

#define OBJECTS 1024            /* alive at one time, at most */
#define CLASSES 64
#define REQUEST_BYTES (1 << 20)
#define RESULT_BYTES (1 << 22)
#define RESERVE (64 * 1024)     /* of the request ring, kept for NEW, FREE and SILENCED: these are never dropped */
#define REASON 2048

enum life { STARTING, RUNNING, FAILED, DEAD };

/* A Pd class, as Python declares it at start. */
typedef struct klass {
    char name[64];
    int inlets, outlets;
    bool stepped;               /* has a transport and prepared steps */
    int notes_outlet;           /* where lists are `pitch velocity channel`; -1: none */
    int status_outlet;          /* where errors go besides the console; -1: none */
    void *pd_class;
} klass;

/* An object as Python sees it. An object's number is its place here with a generation above it, so that what
   is still on its way to a deleted object finds nobody. */
typedef struct port {
    atomic_uint object;         /* the number of the object that lives here; 0: nobody */
    handover_view view;
    _Atomic double beat_ms;     /* length of a beat */
    atomic_uint underruns, dropped;
} port;

typedef struct bridge {
    ring requests, results;
    sem_t wake;                 /* there is something for Python to look at */
    sem_t answer;               /* Python has answered, or has come to life, or has died */
    atomic_ullong answered;     /* how many requests Python has dealt with */
    atomic_int life;
    atomic_bool quitting;       /* the process ends: Python's thread parks */
    atomic_bool parked;
    char reason[REASON];        /* why it failed or died; or, while it runs, what it is */
    klass classes[CLASSES];
    int class_count;
    port ports[OBJECTS];
} bridge;

extern bridge the_bridge;

static inline port *port_of(uint32_t object)
{
    return &the_bridge.ports[object % OBJECTS];
}

/* Starts Python on a thread of its own. `folder` is where the external lies. Returns at once; `life` tells more. */
bool python_start(const char *folder);

#endif
