/** A host, a handle and a call for tests of the RESTCONF client. */
#ifndef LP_TESTS_RESTCONF_CLIENT_ENV_H
#define LP_TESTS_RESTCONF_CLIENT_ENV_H

#include "base/json.h"
#include "clients/host.h"
#include "clients/restconf.h"
#include "tests/restconf/node.h"
#include "tests/support/test_main.h"

struct client {
    struct lp_conf *conf;
    struct lp_log *log;
    struct lp_clock clock;
    struct lp_driver_host *host;
    char credentials[64];
    struct lp_restconf_profile profile;
    /* the call */
    struct lp_call call;
    int64_t left_ms;
    unsigned checks; /* how often it was asked before a write */
    enum lp_code check_says;
    struct lp_buf evidence; /* "protocol|sent|received|outcome\n" */
};

/** `entries`: text of the credentials file; NULL: the node's, with its authority. */
void client_open(struct client *c, const char *entries);
void client_close(struct client *c);
void client_credentials(struct client *c, const char *entries);
/** A handle for 127.0.0.1:port (second 0: no second address). */
struct lp_restconf *client_handle(struct client *c, int port, int second);
/** The text of a credentials file with this password and the test authority. */
const char *client_entry(const char *password, const char *more);

#endif
