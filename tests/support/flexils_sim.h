/**
 * Starts lightpath-sim network for a test (elements of every kind) and talks to its control socket.
 * The program's path comes from the environment (LIGHTPATH_SIM).
 */
#ifndef LP_TESTS_SUPPORT_FLEXILS_SIM_H
#define LP_TESTS_SUPPORT_FLEXILS_SIM_H

#include <sys/types.h>

#include "base/json.h"

struct sim {
    char folder[64]; /* temporary; removed by sim_stop */
    pid_t pid;
    int control;
    json_t
        *ports; /* {"lp.mil1": {"address", "tcp", "ssh"}, "g30.a": {"address", "https", "pin"}} */
};

/** Starts it with a topology document; returns when every listener is open. */
void sim_start(struct sim *sim, const char *topology);
void sim_stop(struct sim *sim);
/** One request; the answer, which must say ok. New reference. */
json_t *sim_ask(struct sim *sim, const char *request);
/** Asks and forgets the answer. */
void sim_do(struct sim *sim, const char *request);
/** The hash of the configuration of all elements. */
void sim_hash(struct sim *sim, char out[static 65]);
/** "tcp://127.0.0.1:4711" of an element; transport "tcp", "ssh" or "https"
 * (G30, G42, TNMS). */
void sim_address(const struct sim *sim, const char *node, const char *transport, char *out,
                 size_t size);
/** The file with the certificate of the authority that signed the HTTPS elements'. */
void sim_ca_path(const struct sim *sim, char *out, size_t size);

#endif
