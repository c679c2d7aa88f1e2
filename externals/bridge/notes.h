/* The notes of one object that sound, so that Pd's thread can end them without asking anybody. */

#ifndef NEURALMIDI_NOTES_H
#define NEURALMIDI_NOTES_H

#include <stdbool.h>
#include <stdint.h>

#define CHANNELS 16
#define PITCHES 128

typedef struct notes {
    uint64_t sounding[CHANNELS][PITCHES / 64];
} notes;

static inline bool notes_sounds(const notes *n, int channel, int pitch)
{
    return n->sounding[channel - 1][pitch / 64] >> (pitch % 64) & 1;
}

/* Whether that is a MIDI note. */
static inline bool notes_has(int pitch, int channel)
{
    return pitch >= 0 && pitch < PITCHES && channel >= 1 && channel <= CHANNELS;
}

/* Follows one note; false when it need not be played: it ends a note that does not sound, or is no MIDI note. */
static inline bool notes_follow(notes *n, int pitch, int velocity, int channel)
{
    uint64_t *word;
    uint64_t bit;
    bool sounded;

    if (!notes_has(pitch, channel))
        return false;
    word = &n->sounding[channel - 1][pitch / 64];
    bit = (uint64_t)1 << (pitch % 64);
    sounded = *word & bit;
    if (velocity > 0)
        *word |= bit;
    else
        *word &= ~bit;
    return sounded || velocity > 0;
}

#endif
