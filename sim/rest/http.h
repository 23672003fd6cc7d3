/**
 * HTTP/1.1 requests out of a stream of bytes, and answers. Pure; strict: what is ambiguous is
 * refused. Source: RFC 9112.
 */
#ifndef LP_SIM_REST_HTTP_H
#define LP_SIM_REST_HTTP_H

#include "base/buf.h"

#define SIM_HTTP_MAX_HEAD 65536
#define SIM_HTTP_MAX_BODY (16u * 1024 * 1024)
#define SIM_HTTP_HEADERS  64

struct sim_http_header {
    char *name, *value;
};

struct sim_http_request {
    char *text;                  /* owns what is below */
    char *method, *path, *query; /* path: up to '?'; query: behind it, or NULL */
    struct sim_http_header headers[SIM_HTTP_HEADERS];
    size_t header_count;
    char *body; /* NUL-terminated */
    size_t body_len;
    bool close; /* the client wants no other exchange on this connection */
};

enum sim_http_state { SIM_HTTP_MORE, SIM_HTTP_READY, SIM_HTTP_CONTINUE, SIM_HTTP_BAD };

/** Takes one request out of the front of `in`. MORE: bytes are missing; CONTINUE: the client waits
 * for "100 Continue"; BAD: *status is what to answer before closing. */
enum sim_http_state sim_http_take(struct lp_buf *in, struct sim_http_request *out, int *status);
void sim_http_request_free(struct sim_http_request *request);
/** Value of a header (name in any case), or NULL. */
const char *sim_http_header(const struct sim_http_request *request, const char *name);
const char *sim_http_reason(int status);

#endif
