/**
 * Locks that are held for a moment only, by threads on several processors. Threads: any.
 */
#ifndef LP_BASE_MUTEX_H
#define LP_BASE_MUTEX_H

#include <pthread.h>

/** A lock that is tried for a moment before the thread sleeps: where it is never held across I/O,
 * that is shorter than falling asleep and being woken. Released with pthread_mutex_destroy. */
static inline void
lp_mutex_init_short(pthread_mutex_t *mutex)
{
    pthread_mutexattr_t attr;

    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ADAPTIVE_NP);
    pthread_mutex_init(mutex, &attr);
    pthread_mutexattr_destroy(&attr);
}

#endif
