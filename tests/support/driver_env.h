/** A driver host with credentials for every platform, and elements of a simulated network. */
#ifndef LP_TESTS_SUPPORT_DRIVER_ENV_H
#define LP_TESTS_SUPPORT_DRIVER_ENV_H

#include "base/conf.h"
#include "clients/driver.h"
#include "tests/support/flexils_sim.h"

struct driver_env {
    struct sim *sim;
    struct lp_clock clock;
    struct lp_conf *conf;
    struct lp_driver_host *host;
    struct lp_arena *arena;
    struct lp_call call;
    struct lp_err err;
    int64_t until_us;
    unsigned writes;  /* exchanges that changed something, as the driver said */
    unsigned secrets; /* exchanges whose evidence shows the password */
    unsigned trimmed; /* RESTCONF questions whose answer may leave out what has its default */
    char folder[48];
};

#define DRIVER_ENV_USER     "svc"
#define DRIVER_ENV_PASSWORD "s3cr3t"

void driver_env_open(struct driver_env *env, struct sim *sim);
void driver_env_close(struct driver_env *env);
/** Gives the calls that follow so much time. */
void driver_env_patience(struct driver_env *env, int64_t seconds);
/** An element of the network; serial NULL: not known. Close with its driver's close(). */
struct lp_ne *driver_env_element(struct driver_env *env, const char *driver, const char *node,
                                 const char *serial);
json_t *driver_env_load(const char *text);

#endif
