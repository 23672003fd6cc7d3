/* The RESTCONF client against a strict element: methods, sessions, and bad days. */
#include <string.h>

#include "tests/restconf/client_env.h"

static struct client client;
static struct node *node;

static const char data[] =
    "{\"box:ne\":{\"name\":\"n1\",\"mhz\":193500000,\"shelf\":[{\"shelf-id\":1,\"admin\":\"up\","
    "\"port\":[{\"port-id\":1,\"kind\":\"a,b\",\"label\":\"x\"}]}],\"cross\":[]}}";

static int
begin(void **state)
{
    (void)state;
    node = node_start(NODE_GOOD);
    node_load(node, data);
    client_open(&client, NULL);
    return 0;
}

static int
end(void **state)
{
    (void)state;
    client_close(&client);
    node_stop(node);
    return 0;
}

static struct node_seen
seen(void)
{
    struct node_seen now;

    node_look(node, &now);
    return now;
}

static json_t *
json(const char *text)
{
    struct lp_err err = LP_ERR_INIT;
    json_t *value = NULL;

    assert_int_equal(lp_json_load(text, strlen(text), &value, &err), LP_OK);
    return value;
}

static enum lp_code
patch_admin(struct lp_restconf *rc, const char *admin, struct lp_err *err)
{
    return lp_restconf_write(
        rc, &client.call, LP_RESTCONF_PATCH, "/data/box:ne/shelf=1",
        json_pack("{s:[{s:i, s:s}]}", "box:shelf", "shelf-id", 1, "admin", admin), err);
}

static void
assert_shape(const json_t *value, const char *expected)
{
    json_auto_t *shape = json(expected);

    assert_true(lp_json_same(value, shape));
}

/* ---- methods ---- */

static void
reads_have_the_schemas_shape(void **state)
{
    struct lp_restconf *rc = client_handle(&client, node_port(node), 0);
    const struct lp_restconf_query query = {.content = LP_RESTCONF_CONTENT_CONFIG, .depth = 2};
    json_auto_t *one = NULL, *list = NULL, *none = NULL;
    struct lp_err err = LP_ERR_INIT;

    (void)state;
    assert_int_equal(lp_restconf_get(rc, &client.call, "/data/box:ne", &query, &one, &err), LP_OK);
    assert_shape(one, "{\"name\":\"n1\",\"mhz\":\"193500000\"}"); /* the lists were cut off */
    assert_string_equal(seen().last, "GET /restconf/data/box:ne?content=config&depth=2");
    assert_int_equal(
        lp_restconf_get(rc, &client.call, "/data/box:ne/shelf=1/port", NULL, &list, &err), LP_OK);
    assert_shape(list, "[{\"port-id\":1,\"kind\":\"a,b\",\"label\":\"x\"}]");
    /* 404 of a list means that it is empty, of an entry that there is none */
    assert_int_equal(lp_restconf_get(rc, &client.call, "/data/box:ne/cross", NULL, &none, &err),
                     LP_OK);
    assert_shape(none, "[]");
    assert_int_equal(lp_restconf_get(rc, &client.call, "/data/box:ne/shelf=2", NULL, &none, &err),
                     LP_NOT_FOUND);
    lp_err_clear(&err);
    assert_int_equal(seen().connections, 1);
    lp_restconf_free(rc);
}

static void
writes_of_every_method(void **state)
{
    struct lp_restconf *rc = client_handle(&client, node_port(node), 0);
    struct lp_buf path = LP_BUF_INIT;
    struct lp_err err = LP_ERR_INIT;
    json_auto_t *after = NULL;
    bool gone = false;

    (void)state;
    assert_int_equal(patch_admin(rc, "down", &err), LP_OK);
    assert_int_equal(lp_restconf_write(rc, &client.call, LP_RESTCONF_POST, "/data/box:ne",
                                       json_pack("{s:[{s:i}]}", "box:shelf", "shelf-id", 2), &err),
                     LP_OK);
    assert_int_equal(lp_restconf_write(rc, &client.call, LP_RESTCONF_POST, "/data/box:ne",
                                       json_pack("{s:[{s:i}]}", "box:shelf", "shelf-id", 2), &err),
                     LP_CONFLICT);
    lp_err_clear(&err);
    lp_restconf_path(&path, "/data/box:ne/cross=%s,%s", "/a[b='1']", "x,y z");
    assert_int_equal(lp_restconf_write(rc, &client.call, LP_RESTCONF_PUT, path.data,
                                       json_pack("{s:[{s:s, s:s}]}", "box:cross", "src",
                                                 "/a[b='1']", "dst", "x,y z"),
                                       &err),
                     LP_OK);
    assert_string_equal(seen().last,
                        "PUT /restconf/data/box:ne/cross=%2Fa%5Bb%3D%271%27%5D,x%2Cy%20z");
    assert_int_equal(lp_restconf_delete(rc, &client.call, path.data, &gone, &err), LP_OK);
    assert_true(gone);
    assert_int_equal(lp_restconf_delete(rc, &client.call, path.data, &gone, &err), LP_OK);
    assert_false(gone); /* it was not there: that is as well */
    assert_int_equal(lp_restconf_write(rc, &client.call, LP_RESTCONF_PATCH, "/data/box:ne/shelf=9",
                                       json_pack("{s:[{s:i}]}", "box:shelf", "shelf-id", 9), &err),
                     LP_NOT_FOUND);
    lp_err_clear(&err);
    after = node_data(node);
    assert_shape(after, "{\"box:ne\":{\"name\":\"n1\",\"mhz\":193500000,\"shelf\":[{\"shelf-id\":1,"
                        "\"admin\":\"down\",\"port\":[{\"port-id\":1,\"kind\":\"a,b\",\"label\":"
                        "\"x\"}]},{\"shelf-id\":2}],\"cross\":[]}}");
    lp_buf_free(&path);
    lp_restconf_free(rc);
}

static void
operations_run(void **state)
{
    struct lp_restconf *rc = client_handle(&client, node_port(node), 0);
    json_auto_t *out = NULL, *nothing = NULL;
    struct lp_err err = LP_ERR_INIT;

    (void)state;
    assert_int_equal(lp_restconf_rpc(rc, &client.call, "box:copy", json_pack("{s:s}", "what", "x"),
                                     false, &out, &err),
                     LP_OK);
    assert_shape(out, "{\"status\":\"x\",\"row\":[{\"n\":\"1\"}]}");
    assert_int_equal(client.checks, 1);
    assert_int_equal(lp_restconf_rpc(rc, &client.call, "box:ping", NULL, true, &nothing, &err),
                     LP_OK);
    assert_shape(nothing, "{}");
    assert_int_equal(client.checks, 1); /* it changes nothing */
    lp_restconf_free(rc);
}

static void
a_before_image_is_held_by_its_tag(void **state)
{
    struct lp_restconf *rc = client_handle(&client, node_port(node), 0);
    const struct lp_restconf_request get = {.path = "/data/box:ne/shelf=1"};
    json_auto_t *body = json("{\"box:shelf\":[{\"shelf-id\":1,\"admin\":\"down\"}]}");
    struct lp_restconf_request patch = {
        .method = LP_RESTCONF_PATCH, .path = "/data/box:ne/shelf=1", .body = body};
    struct lp_restconf_reply before, reply;
    struct lp_err err = LP_ERR_INIT;

    (void)state;
    assert_int_equal(lp_restconf_send(rc, &client.call, &get, &before, &err), LP_OK);
    assert_true(before.etag[0] == '"');
    patch.if_match = before.etag;
    assert_int_equal(lp_restconf_send(rc, &client.call, &patch, &reply, &err), LP_OK);
    lp_restconf_reply_free(&reply);
    /* somebody (we) changed it meanwhile */
    assert_int_equal(lp_restconf_send(rc, &client.call, &patch, &reply, &err), LP_CONFLICT);
    assert_int_equal(reply.status, 412);
    lp_restconf_reply_free(&reply);
    lp_err_clear(&err);
    patch.if_match = "W/\"weak\"";
    assert_int_equal(lp_restconf_send(rc, &client.call, &patch, &reply, &err), LP_INVALID);
    lp_err_clear(&err);
    assert_int_equal(seen().requests, 3);
    lp_restconf_reply_free(&before);
    lp_restconf_free(rc);
}

static void
D33_unknown_members_are_not_sent(void **state)
{
    struct lp_restconf *rc = client_handle(&client, node_port(node), 0);
    struct lp_err err = LP_ERR_INIT;

    (void)state;
    assert_int_equal(lp_restconf_write(rc, &client.call, LP_RESTCONF_PATCH, "/data/box:ne/shelf=1",
                                       json_pack("{s:[{s:i, s:s}]}", "box:shelf", "shelf-id", 1,
                                                 "admin-status", "up"),
                                       &err),
                     LP_INVALID);
    assert_string_equal(err.pointer, "/box:shelf/0/admin-status");
    lp_err_clear(&err);
    assert_int_equal(seen().requests, 0);
    assert_int_equal(seen().connections, 0);
    lp_restconf_free(rc);
}

static void
raw_requests_come_back_as_they_are(void **state)
{
    struct lp_restconf *rc = client_handle(&client, node_port(node), 0);
    const struct lp_restconf_request good = {.path = "/data/box:ne/shelf=1", .unchecked = true};
    const struct lp_restconf_request bad = {.path = "/data/no:such", .unchecked = true};
    struct lp_restconf_reply reply;
    struct lp_err err = LP_ERR_INIT;

    (void)state;
    assert_int_equal(lp_restconf_send(rc, &client.call, &good, &reply, &err), LP_OK);
    assert_non_null(strstr(reply.text, "{\"box:shelf\":[{"));
    lp_restconf_reply_free(&reply);
    assert_int_equal(lp_restconf_send(rc, &client.call, &bad, &reply, &err), LP_NOT_FOUND);
    assert_non_null(strstr(reply.text, "no such resource")); /* a refusal is an answer too */
    lp_restconf_reply_free(&reply);
    lp_err_clear(&err);
    lp_restconf_free(rc);
}

/* ---- sessions ---- */

static void
connections_are_kept(void **state)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_restconf_stats stats;

    (void)state;
    for (int i = 0; i < 5; i++) {
        struct lp_restconf *rc = client_handle(&client, node_port(node), 0);

        assert_int_equal(patch_admin(rc, i % 2 == 0 ? "up" : "down", &err), LP_OK);
        lp_restconf_free(rc);
    }
    assert_int_equal(seen().connections, 1);
    lp_restconf_pool_get_stats(lp_driver_host_restconf(client.host), &stats);
    assert_int_equal(stats.connects, 1);
    assert_int_equal(stats.requests, 5);
    assert_int_equal(stats.idle, 1);
    lp_driver_host_drop(client.host, "e1");
    lp_restconf_pool_get_stats(lp_driver_host_restconf(client.host), &stats);
    assert_int_equal(stats.sessions, 0);
}

static void
nobody_waits_for_a_session(void **state)
{
    struct lp_restconf *a = client_handle(&client, node_port(node), 0);
    struct lp_restconf *b = client_handle(&client, node_port(node), 0);
    struct lp_restconf *c = client_handle(&client, node_port(node), 0);
    struct lp_err err = LP_ERR_INIT;

    (void)state;
    assert_int_equal(patch_admin(a, "x", &err), LP_OK);
    assert_int_equal(patch_admin(b, "y", &err), LP_OK);
    assert_int_equal(patch_admin(c, "z", &err), LP_RETRYABLE);
    assert_true(lp_restconf_is_busy(&err));
    lp_err_clear(&err);
    lp_restconf_free(a);
    assert_int_equal(patch_admin(c, "z", &err), LP_OK);
    assert_int_equal(seen().connections, 2);
    lp_restconf_free(b);
    lp_restconf_free(c);
}

static void
the_second_address_is_for_connections_only(void **state)
{
    struct node *dead = node_start(NODE_GOOD);
    struct lp_restconf *rc;
    struct lp_err err = LP_ERR_INIT;
    int port = node_port(dead);

    (void)state;
    node_stop(dead);
    rc = client_handle(&client, port, node_port(node));
    assert_int_equal(patch_admin(rc, "down", &err), LP_OK); /* nothing answered at the first */
    lp_restconf_free(rc);

    rc = client_handle(&client, node_port(node), port);
    node_plan(node, &(struct node_plan){.fault = NODE_DROP, .executed = true});
    assert_int_equal(patch_admin(rc, "up", &err), LP_UNKNOWN); /* it was sent: not to the other */
    lp_err_clear(&err);
    lp_restconf_free(rc);
    assert_int_equal(seen().executed, 2);
}

static void
credentials_are_read_again(void **state)
{
    struct lp_restconf *rc = client_handle(&client, node_port(node), 0);
    struct lp_err err = LP_ERR_INIT;

    (void)state;
    assert_int_equal(patch_admin(rc, "a", &err), LP_OK);
    node_login(node, "svc", "new", false); /* changed under us */
    assert_int_equal(patch_admin(rc, "b", &err), LP_AUTH);
    lp_err_clear(&err);
    assert_int_equal(patch_admin(rc, "b", &err), LP_AUTH); /* the breaker: no second try */
    lp_err_clear(&err);
    assert_int_equal(seen().requests, 2);
    client_credentials(&client, client_entry("new", ""));
    assert_int_equal(patch_admin(rc, "b", &err), LP_OK);
    assert_int_equal(seen().executed, 2);
    lp_restconf_free(rc);
}

static void
a_token_is_renewed_once(void **state)
{
    struct lp_restconf *rc;
    struct lp_err err = LP_ERR_INIT;

    (void)state;
    client.profile.auth = LP_RESTCONF_TOKEN;
    node_login(node, "svc", "pw/\"1", true);
    rc = client_handle(&client, node_port(node), 0);
    assert_int_equal(patch_admin(rc, "a", &err), LP_OK);
    assert_int_equal(patch_admin(rc, "b", &err), LP_OK);
    assert_int_equal(seen().logins, 1);
    node_forget_tokens(node);
    assert_int_equal(patch_admin(rc, "c", &err), LP_OK);
    assert_int_equal(seen().logins, 2);
    assert_int_equal(seen().executed, 3);
    node_login(node, "svc", "other", true);
    node_forget_tokens(node);
    assert_int_equal(patch_admin(rc, "d", &err), LP_AUTH);
    lp_err_clear(&err);
    assert_int_equal(patch_admin(rc, "d", &err), LP_AUTH);
    lp_err_clear(&err);
    assert_int_equal(seen().logins, 3); /* one try, then the breaker */
    lp_restconf_free(rc);
    assert_null(strstr(client.evidence.data, "pw"));
    assert_null(strstr(client.evidence.data, "tok-"));
}

/* ---- the call ---- */

static void
a_call_that_ended_sends_nothing(void **state)
{
    struct lp_restconf *rc = client_handle(&client, node_port(node), 0);
    struct lp_err err = LP_ERR_INIT;

    (void)state;
    client.left_ms = 0;
    assert_int_equal(patch_admin(rc, "a", &err), LP_CANCELLED);
    lp_err_clear(&err);
    client.left_ms = 60000;
    client.check_says = LP_FENCED;
    assert_int_equal(patch_admin(rc, "a", &err), LP_FENCED);
    lp_err_clear(&err);
    assert_int_equal(seen().requests, 0);
    lp_restconf_free(rc);
}

static int64_t
until_seen(void *ctx)
{
    (void)ctx;
    return seen().requests == 0 ? 60000 : 0;
}

static void
a_call_that_ends_in_the_middle(void **state)
{
    struct lp_restconf *rc = client_handle(&client, node_port(node), 0);
    json_auto_t *out = NULL;
    struct lp_err err = LP_ERR_INIT;

    (void)state;
    node_plan(node, &(struct node_plan){.fault = NODE_SILENT, .executed = true, .times = 2});
    client.call.time_left_ms = until_seen;
    assert_int_equal(patch_admin(rc, "a", &err), LP_UNKNOWN);
    lp_err_clear(&err);
    lp_restconf_free(rc);
    assert_int_equal(seen().executed, 1);
    (void)out;
}

static void
secrets_are_not_in_the_evidence(void **state)
{
    struct lp_restconf *rc = client_handle(&client, node_port(node), 0);
    struct lp_err err = LP_ERR_INIT;
    enum lp_code code =
        lp_restconf_rpc(rc, &client.call, "box:copy",
                        json_pack("{s:s, s:s, s:s}", "what", "it echoes pw/\"1", "password",
                                  "geheim", "source", "sftp://repo:hidden@192.0.2.1/x"),
                        false, NULL, &err);

    (void)state;
    assert_int_equal(code, LP_OK);
    assert_null(strstr(client.evidence.data, "geheim"));
    assert_null(strstr(client.evidence.data, "hidden"));
    assert_null(strstr(client.evidence.data, "pw/"));
    assert_null(strstr(client.evidence.data, "Basic"));
    assert_non_null(strstr(client.evidence.data, "restconf|POST https://127.0.0.1:"));
    assert_non_null(strstr(client.evidence.data, "HTTP 200"));
    lp_restconf_free(rc);
}

/* ---- bad days ---- */

struct bad_day {
    const char *name;
    struct node_plan plan;
    enum lp_code read, write;
    int64_t retry_after_ms; /* of either; 0: not said */
};

#define HEAD "HTTP/1.1 200 OK\r\nContent-Type: application/yang-data+json\r\n"
static const struct bad_day days[] = {
    {"500", {.fault = NODE_ANSWER, .status = 500}, LP_RETRYABLE, LP_UNKNOWN, 0},
    {"502 in HTML",
     {.fault = NODE_ANSWER, .status = 502, .body = "<html><title>Bad Gateway</title></html>"},
     LP_RETRYABLE,
     LP_UNKNOWN,
     0},
    {"503",
     {.fault = NODE_ANSWER, .status = 503, .headers = "Retry-After: 7\r\n"},
     LP_RETRYABLE,
     LP_RETRYABLE,
     7000},
    {"429 for a year",
     {.fault = NODE_ANSWER, .status = 429, .headers = "Retry-After: 31536000\r\n"},
     LP_RETRYABLE,
     LP_RETRYABLE,
     120000},
    {"redirect",
     {.fault = NODE_ANSWER,
      .status = 307,
      .headers = "Location: https://127.0.0.1:1/elsewhere\r\n"},
     LP_PROTOCOL,
     LP_PROTOCOL,
     0},
    {"malformed JSON",
     {.fault = NODE_ANSWER, .status = 200, .body = "{\"box:shelf\":"},
     LP_PROTOCOL,
     LP_UNKNOWN,
     0},
    {"a member twice",
     {.fault = NODE_ANSWER, .status = 200, .body = "{\"box:shelf\":[],\"box:shelf\":[]}"},
     LP_PROTOCOL,
     LP_UNKNOWN,
     0},
    {"HTML with 200",
     {.fault = NODE_RAW,
      .raw = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>"},
     LP_PROTOCOL,
     LP_UNKNOWN,
     0},
    {"connection dropped", {.fault = NODE_DROP, .executed = true}, LP_RETRYABLE, LP_UNKNOWN, 0},
    {"head cut off",
     {.fault = NODE_RAW, .raw = "HTTP/1.1 204 No Content\r\nContent-Le", .executed = true},
     LP_RETRYABLE,
     LP_UNKNOWN,
     0},
    {"less than Content-Length",
     {.fault = NODE_RAW, .raw = HEAD "Content-Length: 4000\r\n\r\n{\"box:sh"},
     LP_RETRYABLE,
     LP_UNKNOWN,
     0},
    {"chunk cut off",
     {.fault = NODE_RAW, .raw = HEAD "Transfer-Encoding: chunked\r\n\r\nff\r\n{\"box:sh"},
     LP_RETRYABLE,
     LP_UNKNOWN,
     0},
    {"not HTTP", {.fault = NODE_RAW, .raw = "SSH-2.0-OpenSSH_9.2\r\n"}, LP_PROTOCOL, LP_UNKNOWN, 0},
    {"unwanted gzip",
     {.fault = NODE_RAW,
      .raw = HEAD "Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x01"},
     LP_PROTOCOL,
     LP_UNKNOWN,
     0},
    {"a number beyond 64 bits",
     {.fault = NODE_ANSWER,
      .status = 200,
      .body = "{\"box:shelf\":[{\"shelf-id\":99999999999999999999}]}"},
     LP_PROTOCOL,
     LP_UNKNOWN,
     0},
};

static void
every_bad_day_has_its_outcome(void **state)
{
    struct lp_err err = LP_ERR_INIT;

    (void)state;
    for (size_t i = 0; i < LP_COUNT(days); i++) {
        const struct bad_day *day = &days[i];
        struct lp_restconf *rc;
        json_auto_t *out = NULL;
        enum lp_code read, write;
        int64_t told;

        (void)end(NULL);
        (void)begin(NULL);
        rc = client_handle(&client, node_port(node), 0);
        node_plan(node, &day->plan);
        read = lp_restconf_get(rc, &client.call, "/data/box:ne/shelf=1", NULL, &out, &err);
        told = lp_json_int(err.detail, "retry_after_ms", 0);
        if (read != day->read || told != day->retry_after_ms)
            fail_msg("%s: a read ends %s (%s)", day->name, lp_code_info(read)->symbol, err.msg);
        lp_err_clear(&err);
        lp_restconf_free(rc);
        lp_driver_host_drop(client.host, "e1"); /* not over a connection that is closed already */
        rc = client_handle(&client, node_port(node), 0);
        node_plan(node, &day->plan);
        write = patch_admin(rc, "down", &err);
        if (write != day->write)
            fail_msg("%s: a write ends %s (%s)", day->name, lp_code_info(write)->symbol, err.msg);
        lp_err_clear(&err);
        lp_restconf_free(rc);
        assert_true(seen().requests <= 3);
        assert_int_equal(seen().writes, 1);
    }
}

/* A kept connection that dies under a write: libcurl would send it again. */
static void
a_write_is_never_sent_twice(void **state)
{
    struct lp_restconf *rc = client_handle(&client, node_port(node), 0);
    struct lp_err err = LP_ERR_INIT;
    json_auto_t *out = NULL;

    (void)state;
    node_plan(node, &(struct node_plan){.fault = NODE_DROP_STALE, .executed = true});
    assert_int_equal(lp_restconf_get(rc, &client.call, "/data/box:ne/shelf=1", NULL, &out, &err),
                     LP_OK);
    assert_int_equal(lp_restconf_rpc(rc, &client.call, "box:copy", json_pack("{s:s}", "what", "x"),
                                     false, NULL, &err),
                     LP_UNKNOWN);
    lp_err_clear(&err);
    assert_int_equal(seen().writes, 0); /* it died unread, and was not repeated */
    node_plan(node, &(struct node_plan){.fault = NODE_DROP_STALE, .executed = true});
    json_decref(out);
    out = NULL;
    assert_int_equal(lp_restconf_get(rc, &client.call, "/data/box:ne/shelf=1", NULL, &out, &err),
                     LP_OK);
    json_decref(out);
    out = NULL;
    assert_int_equal(/* a read is */
                     lp_restconf_get(rc, &client.call, "/data/box:ne/shelf=1", NULL, &out, &err),
                     LP_OK);
    lp_restconf_free(rc);
}

static void
unintelligible_elements_are_left_alone(void **state)
{
    struct lp_restconf *rc = client_handle(&client, node_port(node), 0);
    struct lp_err err = LP_ERR_INIT;
    json_auto_t *out = NULL;

    (void)state;
    node_plan(node,
              &(struct node_plan){.fault = NODE_ANSWER, .status = 200, .body = "?", .times = 9});
    for (int i = 0; i < 5; i++) {
        assert_int_equal(
            lp_restconf_get(rc, &client.call, "/data/box:ne/shelf=1", NULL, &out, &err),
            LP_PROTOCOL);
        lp_err_clear(&err);
    }
    lp_restconf_free(rc);
    rc = client_handle(&client, node_port(node), 0);
    assert_int_equal(lp_restconf_get(rc, &client.call, "/data/box:ne/shelf=1", NULL, &out, &err),
                     LP_RETRYABLE);
    lp_err_clear(&err);
    assert_int_equal(seen().requests, 5);
    lp_restconf_free(rc);
}

/* ---- who answers ---- */

static const struct {
    const char *name, *more;
    enum node_certificate certificate;
    enum lp_code outcome;
    int pin; /* of which certificate; -1: none */
} peers[] = {
    {"of the authority", "", NODE_GOOD, LP_OK, -1},
    {"expired", "", NODE_EXPIRED, LP_PROTOCOL, -1},
    {"of another name", "", NODE_NAMED, LP_PROTOCOL, -1},
    {"of the name that is expected", "tls_name = g30.example.net\n", NODE_NAMED, LP_OK, -1},
    {"signed by itself", "", NODE_SELF, LP_PROTOCOL, -1},
    {"signed by itself, key pinned", "", NODE_SELF, LP_OK, NODE_SELF},
    {"expired, key pinned", "", NODE_EXPIRED, LP_OK, NODE_EXPIRED},
    {"another key than pinned", "", NODE_GOOD, LP_PROTOCOL, NODE_SELF},
};

static void
D46_peers_prove_who_they_are(void **state)
{
    (void)state;
    for (size_t i = 0; i < LP_COUNT(peers); i++) {
        struct node *peer = node_start(peers[i].certificate);
        char pin[160] = "";
        struct lp_restconf *rc;
        struct lp_err err = LP_ERR_INIT;
        struct node_seen there;
        enum lp_code code;

        if (peers[i].pin >= 0)
            (void)snprintf(pin, sizeof pin, "[g30.test]\ntls_pin = %s\n",
                           node_trust()->pin[peers[i].pin]);
        client_close(&client);
        client_open(&client, client_entry("pw/\"1", peers[i].pin >= 0 ? pin : peers[i].more));
        node_load(peer, data);
        rc = client_handle(&client, node_port(peer), 0);
        code = patch_admin(rc, "down", &err);
        if (code != peers[i].outcome)
            fail_msg("%s: %s (%s)", peers[i].name, lp_code_info(code)->symbol, err.msg);
        lp_err_clear(&err);
        lp_restconf_free(rc);
        node_look(peer, &there);
        assert_int_equal(there.requests, code == LP_OK ? 1 : 0); /* no credentials went there */
        node_stop(peer);
    }
}

static void
plain_http_is_no_address(void **state)
{
    static const char *const bad[] = {
        "http://127.0.0.1", "ssh://x", "user:pw@host", "a b", "", "x/y", "host?x=1"};

    (void)state;
    for (size_t i = 0; i < LP_COUNT(bad); i++) {
        const struct lp_element element = {
            .id = "e", .name = "n", .node = "n", .addresses = &bad[i], .address_count = 1};
        struct lp_restconf *rc = NULL;
        struct lp_err err = LP_ERR_INIT;

        assert_int_equal(lp_restconf_new(client.host, &element, &client.profile, &rc, &err),
                         LP_INVALID);
        lp_err_clear(&err);
    }
}

/* ---- notifications ---- */

static void
events_arrive_and_streams_give_way(void **state)
{
    static const char path[] = "/streams/events";
    struct lp_restconf *rc = client_handle(&client, node_port(node), 0), *others[2];
    json_auto_t *event = NULL, *next = NULL, *none = NULL;
    struct lp_err err = LP_ERR_INIT;

    (void)state;
    assert_int_equal(lp_restconf_next(rc, &client.call, path, 1, &none, &err), LP_NOT_FOUND);
    lp_err_clear(&err);
    node_event(node, "7", "{\"ietf-restconf:notification\":{\"eventTime\":\"t\",\"box:x\":{}}}");
    assert_int_equal(lp_restconf_next(rc, &client.call, path, 30000, &event, &err), LP_OK);
    assert_shape(event, "{\"eventTime\":\"t\",\"box:x\":{}}");
    for (int i = 0; i < 2; i++)
        others[i] = client_handle(&client, node_port(node), 0);
    assert_int_equal(patch_admin(others[0], "a", &err), LP_OK);
    assert_int_equal(patch_admin(others[1], "b", &err),
                     LP_RETRYABLE); /* the stream has the other */
    assert_true(lp_restconf_is_busy(&err));
    lp_err_clear(&err);
    assert_int_equal(lp_restconf_next(rc, &client.call, path, 30000, &none, &err), LP_RETRYABLE);
    lp_err_clear(&err);
    assert_int_equal(patch_admin(others[1], "b", &err), LP_OK);
    lp_restconf_free(others[0]);
    lp_restconf_free(others[1]);
    lp_driver_host_drop(client.host, "e1");
    node_event(node, "8", "{\"n\":1}");
    assert_int_equal(lp_restconf_next(rc, &client.call, path, 30000, &next, &err), LP_OK);
    assert_string_equal(seen().last_event_id, "7"); /* goes on behind what was read */
    lp_restconf_free(rc);
}

/* A stream that breaks at once is not asked for without a pause. */
static void
a_broken_stream_rests(void **state)
{
    static const char path[] = "/streams/events";
    struct lp_restconf *rc = client_handle(&client, node_port(node), 0);
    json_auto_t *none = NULL;
    struct lp_err err = LP_ERR_INIT;
    int64_t begun;
    unsigned asked;

    (void)state;
    node_plan(node, &(struct node_plan){.method = "GET", .fault = NODE_DROP, .times = 2});
    assert_int_equal(lp_restconf_next(rc, &client.call, path, 1, &none, &err), LP_RETRYABLE);
    lp_err_clear(&err);
    assert_false(lp_restconf_listens(rc));
    asked = seen().requests;
    for (int i = 0; i < 20; i++) { /* far from a second */
        assert_int_equal(lp_restconf_next(rc, &client.call, path, 1, &none, &err), LP_RETRYABLE);
        lp_err_clear(&err);
    }
    assert_int_equal(seen().requests, asked);
    begun = lp_clock_mono_us(&client.clock);
    assert_int_equal(lp_restconf_turn(rc, &client.call, 30000, &err), LP_OK);
    assert_true(lp_clock_mono_us(&client.clock) - begun > 500000);
    for (int i = 0; i < 100 && !lp_restconf_listens(rc); i++) {
        (void)!lp_restconf_next(rc, &client.call, path, 2000, &none, &err);
        lp_err_clear(&err);
    }
    assert_true(lp_restconf_listens(rc));
    lp_restconf_free(rc);
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        CASE(reads_have_the_schemas_shape),
        CASE(writes_of_every_method),
        CASE(operations_run),
        CASE(a_before_image_is_held_by_its_tag),
        CASE(D33_unknown_members_are_not_sent),
        CASE(raw_requests_come_back_as_they_are),
        CASE(connections_are_kept),
        CASE(nobody_waits_for_a_session),
        CASE(the_second_address_is_for_connections_only),
        CASE(credentials_are_read_again),
        CASE(a_token_is_renewed_once),
        CASE(a_call_that_ended_sends_nothing),
        CASE(a_call_that_ends_in_the_middle),
        CASE(secrets_are_not_in_the_evidence),
        CASE(every_bad_day_has_its_outcome),
        CASE(a_write_is_never_sent_twice),
        CASE(unintelligible_elements_are_left_alone),
        CASE(D46_peers_prove_who_they_are),
        CASE(plain_http_is_no_address),
        CASE(events_arrive_and_streams_give_way),
        CASE(a_broken_stream_rests),
    };

    return LP_RUN_TESTS(tests);
}
