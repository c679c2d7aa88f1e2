/* Time as nobody can set it: a computer's clock may be set back while somebody waits. */

#ifndef NEURALMIDI_MONOTONIC_H
#define NEURALMIDI_MONOTONIC_H

#include <errno.h>
#include <semaphore.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

#if defined __GLIBC__ && defined __GLIBC_PREREQ
#if __GLIBC_PREREQ(2, 30)
#define HAS_SEM_CLOCKWAIT
#endif
#endif

/* ms since some moment or other. */
static inline double monotonic_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1000 + (double)now.tv_nsec / 1e6;
}

#ifdef HAS_SEM_CLOCKWAIT

/* False when nobody has posted in this time. */
static inline bool monotonic_wait(sem_t *semaphore, double ms)
{
    double until = monotonic_ms() + ms;
    struct timespec at = {.tv_sec = (time_t)(until / 1000)};

    at.tv_nsec = (long)((until - (double)at.tv_sec * 1000) * 1e6);
    while (sem_clockwait(semaphore, CLOCK_MONOTONIC, &at) != 0)
        if (errno != EINTR)
            return false;
    return true;
}

#else   /* sem_timedwait knows the computer's clock only: it would wait for an hour if that were set back by one */

static inline bool monotonic_wait(sem_t *semaphore, double ms)
{
    double until = monotonic_ms() + ms;

    while (sem_trywait(semaphore) != 0) {
        if (monotonic_ms() >= until)
            return false;
        usleep(200);
    }
    return true;
}

#endif

#endif
