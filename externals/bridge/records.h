/* What lies in the two rings. */

#ifndef NEURALMIDI_RECORDS_H
#define NEURALMIDI_RECORDS_H

#include <stdint.h>

#define RECORD_BYTES (64 * 1024)     /* of one record at most: a message of 4,000 atoms */

/* --- requests: Pd to Python ----------------------------------------------------------------------------------- */

enum request_kind {
    REQUEST_NEW,        /* atoms: the object's arguments, a separator, the folders to search; inlet: sync */
    REQUEST_FREE,
    REQUEST_MESSAGE,
    REQUEST_STEP,       /* prepare the next step now: Pd is waiting for it (sync) */
    REQUEST_SILENCED,   /* Pd's thread has ended every sounding note */
};

/* Pd never frees a symbol's name, so a pointer to it may cross the threads. */
typedef struct request_atom {
    const char *symbol;     /* NULL: a number */
    double number;
} request_atom;

typedef struct request {
    uint32_t kind;
    uint32_t object;
    uint32_t inlet;
    uint32_t count;         /* of atoms */
    double time;            /* logical, ms since Pd started */
    const char *selector;   /* NEW: the class's name */
    request_atom atoms[];
} request;

/* --- results: Python to Pd ------------------------------------------------------------------------------------ */

enum result_kind {
    RESULT_STEP,        /* a step_head, and messages to keep until the step is released */
    RESULT_MESSAGES,    /* messages to send now */
    RESULT_ERROR,       /* a text, for the console and the status outlet */
    RESULT_FAILED,      /* the same, and the object cannot go on: end its notes, forget its steps */
};

/* What stands at the head of a step, before its messages. */
typedef struct step_head {
    double per_beat;        /* how many steps as long as this one make a beat */
    double forgets;         /* the player's choices of `steps` up to this one count no longer */
} step_head;

/* A message lies in a record as a result_message, its selector, then its atoms: result_atom, and the text of a
   symbol behind it. Texts end with NUL and are padded to 8 bytes. */
typedef struct result_message {
    uint32_t outlet;
    uint32_t count;         /* of atoms */
    uint32_t selector_size; /* padded, with its NUL */
    uint32_t size;          /* of all that it lies in */
    double delay;           /* in lengths of its step, from the step's release on */
} result_message;

typedef struct result_atom {
    uint32_t symbol_size;   /* padded, with its NUL; 0: a number */
    uint32_t unused;
    double number;
} result_atom;

typedef struct result {
    uint32_t kind;
    uint32_t object;            /* 0: the bridge itself has something to say */
    uint64_t number, previous;  /* of a step */
    uint64_t size;              /* of the payload: messages or text */
    uint8_t payload[];
} result;

#endif
