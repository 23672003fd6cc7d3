/* Transcripts of the calls that drivers make: what is asked for, what goes over the wire, what
 * comes back, and what the driver gets of it. The modules are those of the program. */
#include <string.h>

#include "tests/restconf/client_env.h"

static struct client client;
static struct node *node;

struct call {
    char method[16], pattern[512], keys[4][256], sent[1024], answer[2048], gives[2048], fails[32];
    char body[2048];
    size_t key_count, line;
    struct lp_restconf_query query;
    int status;
    bool any;
};

static enum lp_restconf_method
method_of(const char *name)
{
    for (int m = 0; m < LP_RESTCONF_METHODS; m++)
        if (strcmp(lp_restconf_method_name((enum lp_restconf_method)m), name) == 0)
            return (enum lp_restconf_method)m;
    fail_msg("no method %s", name);
    return LP_RESTCONF_GET;
}

static json_t *
json_of(const char *text)
{
    struct lp_err err = LP_ERR_INIT;
    json_t *value = NULL;

    if (*text != '\0' && lp_json_load(text, strlen(text), &value, &err) != LP_OK)
        fail_msg("%s: %s", text, err.msg);
    return value;
}

/* The keys of a call stand in for the pattern's %s, one after the other. */
static void
make_path(const struct call *c, struct lp_buf *path)
{
    size_t next = 0;

    for (const char *p = c->pattern; *p != '\0'; p++) {
        if (p[0] == '%' && p[1] == 's') {
            assert_true(next < c->key_count);
            lp_restconf_encode(path, c->keys[next++]);
            p++;
        } else {
            lp_buf_char(path, *p);
        }
    }
    lp_restconf_query_add(path, &c->query);
}

static void
check_result(const char *file, const struct call *c, enum lp_code code,
             const struct lp_restconf_reply *reply, const struct lp_err *err)
{
    json_auto_t *expected = json_of(c->gives);

    if (strcmp(lp_code_info(code)->symbol, c->fails[0] != '\0' ? c->fails : "LP_OK") != 0)
        fail_msg("%s, line %zu: %s: %s", file, c->line, lp_code_info(code)->symbol, err->msg);
    if (expected != NULL && !lp_json_same(expected, reply->body))
        fail_msg("%s, line %zu: got %s", file, c->line, json_dumps(reply->body, JSON_ENCODE_ANY));
}

/* As lp_restconf_get does: nothing there is an empty list. */
static enum lp_code
empty_list(struct lp_restconf *rc, const char *path, enum lp_code code,
           struct lp_restconf_reply *reply, struct lp_err *err)
{
    struct lp_restconf_query none = {0};
    json_t *list = NULL;

    if (code != LP_NOT_FOUND || strchr(path, '?') == NULL)
        return code;
    lp_err_clear(err);
    node_plan(node, &(struct node_plan){.fault = NODE_ANSWER, .status = 404});
    code = lp_restconf_get(rc, &client.call, path, &none, &list, err);
    reply->body = list;
    return code;
}

static void
play(const char *file, struct lp_restconf *rc, const struct call *c)
{
    json_auto_t *body = json_of(c->body);
    struct lp_buf path = LP_BUF_INIT;
    struct lp_restconf_request request = {.method = method_of(c->method), .body = body};
    struct lp_restconf_reply reply = {0};
    struct lp_err err = LP_ERR_INIT;
    struct node_seen seen;
    enum lp_code code;

    make_path(c, &path);
    request.path = path.data;
    node_plan(node,
              &(struct node_plan){.fault = NODE_ANSWER, .status = c->status, .body = c->answer});
    code = lp_restconf_send(rc, &client.call, &request, &reply, &err);
    node_look(node, &seen);
    if (strcmp(seen.last, c->sent) != 0)
        fail_msg("%s, line %zu: sent %s (%s)", file, c->line, seen.last, err.msg);
    if (body != NULL) {
        json_auto_t *there = json_of(seen.last_body);

        assert_true(lp_json_same(there, body));
    }
    code = empty_list(rc, path.data, code, &reply, &err);
    check_result(file, c, code, &reply, &err);
    lp_err_clear(&err);
    lp_restconf_reply_free(&reply);
    lp_buf_free(&path);
}

static void
read_query(struct call *c, const char *text)
{
    struct lp_arena *arena = lp_arena_new();
    struct lp_err err = LP_ERR_INIT;
    char joined[256];

    (void)snprintf(joined, sizeof joined, "%s", text);
    for (char *p = joined; *p != '\0'; p++)
        if (*p == ' ')
            *p = '&';
    assert_int_equal(lp_restconf_query_parse(arena, joined, &c->query, &err), LP_OK);
    assert_null(c->query.fields);
    lp_arena_free(arena);
}

static void
read_line(struct call *c, const char *line, size_t number)
{
    const char *rest = strchr(line, ' ') != NULL ? strchr(line, ' ') + 1 : "";

    if (strncmp(line, "call ", 5) == 0) {
        c->any = true;
        c->line = number;
        assert_int_equal(sscanf(line, "call %15s %511s", c->method, c->pattern), 2);
    } else if (strncmp(line, "key ", 4) == 0) {
        (void)snprintf(c->keys[c->key_count++], sizeof c->keys[0], "%s", rest);
    } else if (strncmp(line, "query ", 6) == 0) {
        read_query(c, rest);
    } else if (strncmp(line, "body ", 5) == 0) {
        (void)snprintf(c->body, sizeof c->body, "%s", rest);
    } else if (strncmp(line, "sent ", 5) == 0) {
        (void)snprintf(c->sent, sizeof c->sent, "%s", rest);
    } else if (strncmp(line, "answer ", 7) == 0) {
        c->status = (int)strtol(rest, NULL, 10);
        (void)snprintf(c->answer, sizeof c->answer, "%s",
                       strchr(rest, ' ') != NULL ? strchr(rest, ' ') + 1 : "");
    } else if (strncmp(line, "gives ", 6) == 0) {
        (void)snprintf(c->gives, sizeof c->gives, "%s", rest);
    } else if (strncmp(line, "fails ", 6) == 0) {
        (void)snprintf(c->fails, sizeof c->fails, "%s", rest);
    } else if (strcmp(line, "done") != 0) {
        fail_msg("line %zu: %s", number, line);
    }
}

/* Plays all of a file; every call over a handle and an element of its own. */
static void
play_file(const char *name)
{
    char path[512], line[8192];
    struct call call = {0};
    size_t number = 0, played = 0;
    FILE *file;

    (void)snprintf(path, sizeof path, LP_GOLDEN "/%s.txt", name);
    file = fopen(path, "r");
    assert_non_null(file);
    for (bool more = true; more;) {
        more = fgets(line, sizeof line, file) != NULL;
        number++;
        line[more ? strcspn(line, "\n") : 0] = '\0';
        if (line[0] == '#')
            continue;
        if (line[0] != '\0') {
            read_line(&call, line, number);
        } else if (call.any) {
            struct lp_restconf *rc;

            node = node_start(NODE_GOOD);
            client_open(&client, NULL);
            client.profile.schema = name;
            client.profile.modules = NULL; /* those of the program */
            rc = client_handle(&client, node_port(node), 0);
            play(name, rc, &call);
            lp_restconf_free(rc);
            assert_null(client.evidence.data != NULL ? strstr(client.evidence.data, "geheim")
                                                     : NULL);
            client_close(&client);
            node_stop(node);
            call = (struct call){0};
            played++;
        }
    }
    (void)fclose(file);
    assert_true(played > 10);
}

static void
g30(void **state)
{
    (void)state;
    play_file("g30");
}

static void
g42(void **state)
{
    (void)state;
    play_file("g42");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(g30), cmocka_unit_test(g42)};

    return LP_RUN_TESTS(tests);
}
