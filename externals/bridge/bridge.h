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
enum revival { NO_REVIVAL, UNDER_WAY, REVIVED };

/* A Pd class, as Python declares it at start. */
typedef struct klass {
    char name[64];
    int inlets, outlets;
    bool stepped;               /* has a transport and prepared steps */
    int notes_outlet;           /* where lists are `pitch velocity channel`; -1: none */
    int status_outlet;          /* where errors go besides the console; -1: none */
    char revives[64];           /* the message that brings Python back, as a player writes it; "": none does */
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
    atomic_int revival;         /* of a Python that was dead or stuck */
    atomic_uint generation;     /* of the engine that counts: see engine.c */
    atomic_uint signs;          /* of life: how often that engine has called the bridge */
    atomic_bool quitting;       /* the process ends: Python's thread parks */
    atomic_bool parked;
    char reason[REASON];        /* why it failed or died */
    char banner[REASON];        /* what runs */
    klass classes[CLASSES];
    int class_count;
    port ports[OBJECTS];
} bridge;

extern bridge the_bridge;

static inline port *port_of(uint32_t object)
{
    return &the_bridge.ports[object % OBJECTS];
}

/* Where the external lies: the package is beside it. */
void interpreter_belongs_to(const char *folder);

/* Whether the thread that asks, Pd's, has Python for itself: then nobody else ever gets it. */
bool interpreter_is_kept(void);

/* Starts Python on a thread of its own. Returns at once; `life` tells more. */
bool engine_start(void);

/* Starts another thread in place of one that has died, or is to be given up. Returns at once; `revival` tells more. */
bool engine_start_again(void);

#endif
