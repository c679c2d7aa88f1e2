/* The system's clock as a library to preload: set_back() sets it back by an hour, for this program alone. What waits
   for a moment of that clock waits as long as the real one would let it. With CLOCK=deep gettimeofday is set back,
   too, by which a Pd without a sound card goes. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define HOUR 3600

static atomic_int back;

void set_back(void)
{
    atomic_store(&back, HOUR);
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
    int done = real(clock, now);

    if (clock == CLOCK_REALTIME)
        now->tv_sec -= atomic_load(&back);
    return done;
}

time_t time(time_t *where)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    if (where)
        *where = now.tv_sec;
    return now.tv_sec;
}

int gettimeofday(struct timeval *now, void *zone)
{
    int (*real)(struct timeval *, void *) = dlsym(RTLD_NEXT, "gettimeofday");
    int done = real(now, zone);

    if (getenv("CLOCK"))
        now->tv_sec -= atomic_load(&back);
    return done;
}

int sem_timedwait(sem_t *semaphore, const struct timespec *until)
{
    struct timespec now;

    while (sem_trywait(semaphore) != 0) {
        clock_gettime(CLOCK_REALTIME, &now);
        if (now.tv_sec > until->tv_sec || (now.tv_sec == until->tv_sec && now.tv_nsec >= until->tv_nsec))
            return errno = ETIMEDOUT, -1;
        usleep(200);
    }
    return 0;
}
