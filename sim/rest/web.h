/**
 * HTTPS in front of the elements of sim/rest/box.h: requests to answers, with the rules of the
 * fault script in between. Runs inside the loop of sim/server.h.
 */
#ifndef LP_SIM_REST_WEB_H
#define LP_SIM_REST_WEB_H

#include "sim/rest/box.h"
#include "sim/rest/http.h"
#include "sim/server.h"

struct sim_web_answer {
    int status;
    const char *type; /* of the body; NULL: yang-data+json */
    struct lp_buf headers, body;
    bool close, stream; /* stream: the connection carries events from now on */
};

/** Fills an answer with JSON (taken over). */
void sim_web_json(struct sim_web_answer *answer, int status, json_t *value);
void sim_web_refuse(struct sim_web_answer *answer, const struct sim_why *why);
/** A token that opens the element until then; written to out (hex). */
void sim_web_token(struct sim_net *net, struct sim_box *box, int64_t life_ms, char out[static 33]);

/** What the element answers to a request, faults aside; `half` members of the body are dropped by
 * the caller before. Free with sim_web_answer_free. */
void sim_web_execute(struct sim_net *net, struct sim_box *box,
                     const struct sim_http_request *request, bool stale,
                     struct sim_web_answer *answer);
void sim_web_answer_free(struct sim_web_answer *answer);
/** Does a request change anything? */
bool sim_web_writes(const struct sim_box *box, const struct sim_http_request *request);

/* ---- called by the loop ---- */
void sim_web_open(struct sim_server *server, struct sim_conn *conn);
void sim_web_bytes(struct sim_server *server, struct sim_conn *conn, const char *bytes, size_t len);
void sim_web_next(struct sim_server *server, struct sim_conn *conn);
void sim_web_free(struct sim_conn *conn);
/** Time passes: pending restarts, streams. */
void sim_web_sweep(struct sim_server *server);
/** For sim_net.box_emit: a notification (taken over) to every stream of the element. */
void sim_web_emit(void *server, struct sim_box *box, json_t *event);
/** A request of the control socket that is about one of these elements or about a patch; false: it
 * is not. */
bool sim_box_control(struct sim_server *server, const char *op, const json_t *body, json_t *reply,
                     enum lp_code *rc, struct lp_err *err);
/** What there is, for "nodes" and "spans". */
json_t *sim_box_rows(const struct sim_net *net);
json_t *sim_patch_rows(const struct sim_net *net);
/** Gives every element its certificate. */
enum lp_code sim_web_identities(struct sim_server *server, struct lp_err *err) LP_MUST_CHECK;

#endif
