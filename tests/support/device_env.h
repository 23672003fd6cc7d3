/**
 * Subscriptions of the test catalog as devices and lines over them, with workflows made of the
 * device steps, on the fake driver. A Rack with one port is a device; a Cable is a line: it
 * wants an object "port:<line>" at each of its ends, and an object "label" there that names all
 * lines that end at that port.
 */
#ifndef LP_TESTS_SUPPORT_DEVICE_ENV_H
#define LP_TESTS_SUPPORT_DEVICE_ENV_H

#include "steps/devices.h"
#include "tests/support/fake_driver.h"
#include "tests/support/run_env.h"

/** make_line, change_line, remove_line, check_line, repair_line, task_read, task_command,
 * task_write_command. */
extern const struct lp_workflow_set lp_device_workflows;
extern struct lp_services lp_device_services;

/** Opens, resets the fake driver, starts an engine; everything may be written. */
void lp_device_env_open(struct lp_run_env *env, enum lp_dialect dialect);
/** An active device; block gets its instance id. */
void lp_device_env_site(struct lp_run_env *env, const char *name, char *id, char *block);
/** What the next make_line makes: a line over sites (block ids, at most 4, NULL ends). */
void lp_device_env_line(const char *name, const char *comment, const char *const *blocks);
/** The comment that the next change_line sets. */
void lp_device_env_comment(const char *comment);
/** Starts a workflow without form on a subscription (NULL: CREATE). */
void lp_device_env_start(struct lp_run_env *env, const char *workflow, const char *subscription,
                         bool dry_run, char id[static LP_UUID_LEN + 1]);
/** Starts make_line and waits for its end; the subscription. */
void lp_device_env_make(struct lp_run_env *env, char *subscription);

#endif
