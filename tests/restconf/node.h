/**
 * A RESTCONF element for tests: real TLS over real sockets, strict about RFC 8040 sections 3 to 7,
 * and able to misbehave. One thread per connection; everything is under one lock but I/O.
 *
 * It refuses what a lenient server would let pass: a wrong Accept (406) or Content-Type (415),
 * query parameters that are unknown or stand twice (400), a body whose top member or keys are not
 * those of the path (400), PATCH of what is not there (404), POST of what is there (409), an
 * If-Match that does not fit (412), a body on GET and DELETE (400).
 */
#ifndef LP_TESTS_RESTCONF_NODE_H
#define LP_TESTS_RESTCONF_NODE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum node_certificate {
    NODE_GOOD,    /* of the authority, for 127.0.0.1 and localhost */
    NODE_EXPIRED, /* likewise, but since yesterday */
    NODE_NAMED,   /* for "g30.example.net" only */
    NODE_SELF,    /* signed by nobody else */
    NODE_CERTIFICATES
};

enum node_fault {
    NODE_FAULT_NONE,
    NODE_SILENT,     /* reads the request and says nothing until `until` closes it */
    NODE_DROP,       /* closes instead of answering */
    NODE_DROP_HALF,  /* closes in the middle of the body */
    NODE_DROP_STALE, /* closes as soon as the next request begins to arrive, unread */
    NODE_RAW,        /* sends `raw` as it is, then closes */
    NODE_ANSWER,     /* answers status, headers and body */
};

struct node_plan {
    const char *method; /* NULL: any */
    enum node_fault fault;
    bool executed; /* its effect happens all the same */
    unsigned skip, times;
    int status;
    const char *headers; /* "Retry-After: 3\r\n" */
    const char *body;
    const char *raw;
    size_t raw_len; /* 0: strlen */
};

struct node;
/** Files of the authority (PEM) and the pin of the good certificate's key. */
struct node_trust {
    char ca_file[128];
    char pin[NODE_CERTIFICATES][64]; /* "sha256//..." */
};
const struct node_trust *node_trust(void); /* made once, removed at exit */

struct node *node_start(enum node_certificate certificate);
void node_stop(struct node *node);
int node_port(const struct node *node);
/** Credentials that it accepts (Basic), or (token) that its /auth does. */
void node_login(struct node *node, const char *user, const char *password, bool token);
/** What the next requests that match meet, in order; plans are copied, their texts not. */
void node_plan(struct node *node, const struct node_plan *plan);
/** Replaces the data: {"box:ne":{...}}. */
void node_load(struct node *node, const char *json);
/** What it holds now; new reference. */
json_t *node_data(struct node *node);
/** Delay before every answer. */
void node_delay_ms(struct node *node, int ms);
/** Sends an event to the streams that are open. */
void node_event(struct node *node, const char *id, const char *data);
/** Invalidates the tokens that it gave out. */
void node_forget_tokens(struct node *node);

struct node_seen {
    unsigned connections, requests, writes, logins, streams;
    unsigned executed;     /* writes that had their effect */
    unsigned open;         /* connections now */
    char last[4096];       /* "METHOD /path" of the last request */
    char last_body[65536]; /* its body */
    char last_event_id[64];
};
void node_look(struct node *node, struct node_seen *seen);
/** Waits until so many requests were seen (30 s at most). */
bool node_wait_requests(struct node *node, unsigned requests);

#endif
