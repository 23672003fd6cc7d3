/**
 * A driver for tests: elements that live in memory, whose objects are flat attribute maps, and that
 * can be told to misbehave. An intent {"id","kind","present"?, "object", "attributes": {...},
 * "traffic"?: true, "phase"?} wants an object with these attributes.
 *
 * It also watches: never more sessions on one element than allowed, never two writers at a time.
 * Threads: any; one lock guards everything.
 */
#ifndef LP_TESTS_SUPPORT_FAKE_DRIVER_H
#define LP_TESTS_SUPPORT_FAKE_DRIVER_H

#include "clients/driver.h"

extern const struct lp_driver lp_fake_driver;
/** lp_services.driver_of: "fake" or NULL. */
const struct lp_driver *lp_fake_driver_of(const char *name);

/** Forgets everything. */
void lp_fake_reset(void);
/** What an object of an element holds ("[...]" of attributes), or NULL. New reference. */
json_t *lp_fake_object(const char *element, const char *object);
/** Somebody else changes the element: attributes NULL deletes. The reference is taken. */
void lp_fake_put(const char *element, const char *object, json_t *attributes);
void lp_fake_serial(const char *element, const char *serial);
/** Canonical text of all objects of all elements; malloc'ed. */
char *lp_fake_all(void);

enum lp_fake_call { LP_FAKE_OPEN, LP_FAKE_PROBE, LP_FAKE_PLAN, LP_FAKE_APPLY, LP_FAKE_RAW };
/** The nth call (1 = the next) of that kind, and `times` of them, fail with a code; executed: the
 * change is made all the same (apply only). */
void lp_fake_fail(enum lp_fake_call call, int nth, int times, enum lp_code code, bool executed);
/** Called before every change, on the step's thread; NULL = nothing. */
extern void (*lp_fake_before_write)(const char *element, const char *object);
/** The same behind it. */
extern void (*lp_fake_after_write)(const char *element, const char *object);
/** From now on the elements offer rollback points, as after an upgrade; lp_fake_reset ends it. */
void lp_fake_points(void);
/** After so many plans, the next ones see nothing of what the element holds. */
void lp_fake_hide(int after, int times);
/** From now on all elements are kept in a file (NULL: no more); a program that comes later reads
 * it.
 */
void lp_fake_keep(const char *path);
void lp_fake_load(const char *path);
extern unsigned lp_fake_latency_ms; /* of every call */

struct lp_fake_seen {
    int calls, writes, changed;
    int sessions_most; /* on one element at one time */
    int writers_most;  /* likewise */
    int sessions_now;  /* over all elements */
    int threads_most;  /* inside the driver at one time */
};
struct lp_fake_seen lp_fake_seen(void);

#endif
