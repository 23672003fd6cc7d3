/**
 * SSH in front of simulated elements: a few threads do the cryptography and turn each channel into
 * a plain stream (one end of a socket pair), which the owner's event loop serves like a TCP
 * connection. Source: libssh 0.10; RFC 4252 to 4254.
 */
#ifndef LP_SIM_SSH_H
#define LP_SIM_SSH_H

#include <stdint.h>

#include "base/err.h"

/** May this user log in at this element? Called from the threads; must not block. */
typedef bool sim_ssh_auth_fn(void *arg, uint32_t element, const char *user, const char *password);

struct sim_ssh_options {
    unsigned threads;
    const char *key_file; /* NULL: a new key for this run; missing: made and kept there */
    sim_ssh_auth_fn *auth;
    void *arg;
    const char *subsystem;  /* "tl1telnet" */
    const char *shell_user; /* may ask for a shell, with an empty password; NULL: nobody */
};

/** A channel that is open: its plain end (owned by the receiver) and where it belongs. */
struct sim_ssh_stream {
    int fd;
    uint32_t element;
    char peer[64];
};

struct sim_ssh;
enum lp_code sim_ssh_start(const struct sim_ssh_options *options, struct sim_ssh **out,
                           struct lp_err *err) LP_MUST_CHECK;
/** Ends every connection and thread. */
void sim_ssh_stop(struct sim_ssh *ssh);
/** Takes over an accepted connection. */
void sim_ssh_accept(struct sim_ssh *ssh, int fd, uint32_t element, const char *peer);
/** Readable when streams are waiting. */
int sim_ssh_ready_fd(const struct sim_ssh *ssh);
bool sim_ssh_next(struct sim_ssh *ssh, struct sim_ssh_stream *out);
/** From now on an element shows another host key (it was replaced). */
enum lp_code sim_ssh_new_key(struct sim_ssh *ssh, uint32_t element,
                             struct lp_err *err) LP_MUST_CHECK;

#endif
