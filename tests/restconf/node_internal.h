/** Inside of the test element: TLS, and what a request does to the data. */
#ifndef LP_TESTS_RESTCONF_NODE_INTERNAL_H
#define LP_TESTS_RESTCONF_NODE_INTERNAL_H

#include <openssl/ssl.h>

#include "base/buf.h"
#include "tests/restconf/node.h"

struct node_request {
    char method[16], path[4096]; /* path without query */
    char query[2048];
    char accept[256], content_type[128], authorization[512], if_match[128], last_event_id[64];
    char *body;
    size_t body_len;
};
struct node_answer {
    int status;
    char headers[256];
    struct lp_buf body;
    const char *type; /* NULL: yang-data+json */
};

SSL_CTX *node_tls(enum node_certificate which);
/** RFC 8040 on a JSON tree; `data` is changed when it executes. */
void node_serve(json_t *data, const struct node_request *request, struct node_answer *answer);

#endif
