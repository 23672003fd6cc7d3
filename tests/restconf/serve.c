/* RFC 8040 on a tree of JSON: strict, and without a schema but for the keys of its lists. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "tests/restconf/node_internal.h"

#define MODULE "box"

static const struct {
    const char *list, *keys[2];
} lists[] = {
    {"shelf", {"shelf-id", NULL}}, {"port", {"port-id", "kind"}}, {"cross", {"src", "dst"}}};

static const char *const *
keys_of(const char *list)
{
    for (size_t i = 0; i < LP_COUNT(lists); i++)
        if (strcmp(lists[i].list, list) == 0)
            return lists[i].keys;
    return NULL;
}

static void
fail(struct node_answer *a, int status, const char *tag, const char *message)
{
    a->status = status;
    lp_buf_reset(&a->body);
    lp_buf_printf(&a->body,
                  "{\"ietf-restconf:errors\":{\"error\":[{\"error-type\":\"application\","
                  "\"error-tag\":\"%s\",\"error-message\":\"%s\"}]}}",
                  tag, message);
}

/* ---- the path ---- */

static int
hex(char c)
{
    return isdigit((unsigned char)c) ? c - '0' : toupper((unsigned char)c) - 'A' + 10;
}

static bool
decode(char *text)
{
    char *to = text;

    for (const char *p = text; *p != '\0'; p++) {
        if (*p != '%') {
            if (strchr(":/?#[]@!$&'()*+,;=\" ", *p) != NULL)
                return false; /* reserved: a strict server wants it encoded */
            *to++ = *p;
            continue;
        }
        if (!isxdigit((unsigned char)p[1]) || !isxdigit((unsigned char)p[2]))
            return false;
        *to++ = (char)(hex(p[1]) * 16 + hex(p[2]));
        p += 2;
    }
    *to = '\0';
    return true;
}

static bool
key_is(const json_t *entry, const char *key, const char *value)
{
    const json_t *found = json_object_get(entry, key);
    char text[64];

    if (json_is_string(found))
        return strcmp(json_string_value(found), value) == 0;
    (void)snprintf(text, sizeof text, "%lld", (long long)json_integer_value(found));
    return found != NULL && strcmp(text, value) == 0;
}

struct place {
    json_t *parent; /* object that holds the node */
    char name[128];
    char keys[2][256];
    size_t key_count;
    json_t *node; /* value, or entry of a list; NULL: not there */
};

static json_t *
find_entry(const json_t *array, const struct place *p, size_t *index)
{
    const char *const *keys = keys_of(p->name);
    json_t *entry;
    size_t i;

    json_array_foreach(array, i, entry)
    {
        bool same = true;

        for (size_t k = 0; k < p->key_count; k++)
            same = same && key_is(entry, keys[k], p->keys[k]);
        if (same) {
            if (index != NULL)
                *index = i;
            return entry;
        }
    }
    return NULL;
}

/* One part: "name" or "name=key,key"; the module stands on the first and nowhere else. */
static bool
read_part(char *part, bool first, struct place *p)
{
    char *equals = strchr(part, '='), *value = equals != NULL ? equals + 1 : NULL;
    const char *const *keys;

    if (equals != NULL)
        *equals = '\0';
    if (first != (strncmp(part, MODULE ":", strlen(MODULE) + 1) == 0))
        return false;
    (void)snprintf(p->name, sizeof p->name, "%s", first ? part : part);
    p->key_count = 0;
    keys = keys_of(first ? part + strlen(MODULE) + 1 : part);
    while (value != NULL) {
        char *comma = strchr(value, ',');

        if (comma != NULL)
            *comma++ = '\0';
        if (keys == NULL || p->key_count == 2 || !decode(value))
            return false;
        (void)snprintf(p->keys[p->key_count++], sizeof p->keys[0], "%s", value);
        value = comma;
    }
    return p->key_count == 0 || p->key_count == (keys[1] != NULL ? 2u : 1u);
}

static bool
walk(json_t *data, const char *path, struct place *p)
{
    char *copy = strdup(path), *rest = copy, *part;
    bool first = true, ok = true;
    json_t *at = data;

    while (ok && (part = strsep(&rest, "/")) != NULL) {
        ok = *part != '\0' && at != NULL && read_part(part, first, p);
        if (!ok)
            break;
        first = false;
        p->parent = at;
        p->node = json_object_get(at, p->name);
        if (p->node != NULL && p->key_count > 0)
            p->node = find_entry(p->node, p, NULL);
        at = p->node;
        if (rest == NULL)
            break;
    }
    free(copy);
    return ok;
}

/* ---- queries ---- */

static bool
query_is_fine(const char *query, unsigned *depth, bool *config)
{
    char copy[2048], *rest = copy, *part, seen[8][32];
    size_t count = 0;

    (void)snprintf(copy, sizeof copy, "%s", query);
    while (*query != '\0' && (part = strsep(&rest, "&")) != NULL) {
        char *value = strchr(part, '=');

        if (value == NULL || count == 8)
            return false;
        *value++ = '\0';
        for (size_t i = 0; i < count; i++)
            if (strcmp(seen[i], part) == 0)
                return false;
        (void)snprintf(seen[count++], sizeof seen[0], "%.31s", part);
        if (strcmp(part, "depth") == 0)
            *depth = strcmp(value, "unbounded") == 0 ? 0 : (unsigned)strtoul(value, NULL, 10);
        else if (strcmp(part, "content") == 0)
            *config = strcmp(value, "config") == 0;
        else if (strcmp(part, "fields") != 0 && strcmp(part, "with-defaults") != 0)
            return false;
    }
    return true;
}

/* Below the depth everything with members becomes {}. */
static json_t *
cut(const json_t *value, unsigned depth)
{
    json_t *out, *member;
    const char *name;
    size_t i;

    if (json_is_array(value)) {
        out = json_array();
        json_array_foreach(value, i, member) json_array_append_new(out, cut(member, depth));
        return out;
    }
    if (!json_is_object(value))
        return json_deep_copy(value);
    out = json_object();
    if (depth == 1)
        return out;
    json_object_foreach((json_t *)(uintptr_t)value, name, member)
    {
        bool inner = depth == 2 && (json_is_object(member) || keys_of(name) != NULL);

        json_object_set_new(out, name,
                            inner ? json_object() : cut(member, depth > 0 ? depth - 1 : 0));
    }
    return out;
}

/* ---- methods ---- */

static void
qualified(const struct place *p, char out[static 160])
{
    (void)snprintf(out, 160, "%s%s", strchr(p->name, ':') == NULL ? MODULE ":" : "", p->name);
}

static void
etag_of(const json_t *node, char out[static 70])
{
    char hash[65], *text = json_dumps(node, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);

    lp_sha256_hex(text, strlen(text), hash);
    (void)snprintf(out, 70, "\"%.16s\"", hash);
    free(text);
}

static void
get(const struct place *p, const struct node_request *r, struct node_answer *a)
{
    unsigned depth = 0;
    bool config = false;
    char name[160], tag[70], *text;
    json_t *body;

    if (!query_is_fine(r->query, &depth, &config)) {
        fail(a, 400, "invalid-value", "query");
        return;
    }
    if (p->node == NULL || (json_is_array(p->node) && json_array_size(p->node) == 0)) {
        fail(a, 404, "invalid-value", "no such instance");
        return;
    }
    qualified(p, name);
    body = json_pack(p->key_count > 0 ? "{s:[o]}" : "{s:o}", name, cut(p->node, depth));
    text = json_dumps(body, JSON_COMPACT);
    a->status = 200;
    lp_buf_str(&a->body, text);
    etag_of(p->node, tag);
    (void)snprintf(a->headers, sizeof a->headers, "ETag: %s\r\n", tag);
    free(text);
    json_decref(body);
}

/* The one member of a body, which must be called so. */
static json_t *
only(const json_t *body, const char *name)
{
    return json_object_size(body) == 1 ? json_object_get(body, name) : NULL;
}

static bool
keys_agree(const struct place *p, const json_t *entry)
{
    const char *const *keys = keys_of(p->name);

    for (size_t k = 0; k < p->key_count; k++)
        if (!key_is(entry, keys[k], p->keys[k]))
            return false;
    return true;
}

static void
merge(json_t *to, const json_t *from)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)from, name, value)
    {
        json_t *mine = json_object_get(to, name);

        if (json_is_object(mine) && json_is_object(value))
            merge(mine, value);
        else
            json_object_set_new(to, name, json_deep_copy(value));
    }
}

static void
change(const struct place *p, const struct node_request *r, const json_t *body,
       struct node_answer *a)
{
    bool put = strcmp(r->method, "PUT") == 0;
    char name[160];
    json_t *value, *list;
    size_t index = 0;

    qualified(p, name);
    value = only(body, name);
    if (p->key_count > 0 && value != NULL)
        value = json_array_size(value) == 1 ? json_array_get(value, 0) : NULL;
    if (!json_is_object(value) || (p->key_count > 0 && !keys_agree(p, value))) {
        fail(a, 400, "invalid-value", "the body is not what the path names");
        return;
    }
    if (p->node == NULL && !put) {
        fail(a, 404, "invalid-value", "nothing to patch");
        return;
    }
    a->status = p->node == NULL ? 201 : 204;
    if (!put) {
        merge(p->node, value);
        return;
    }
    if (p->key_count == 0) {
        json_object_set_new(p->parent, p->name, json_deep_copy(value));
        return;
    }
    list = json_object_get(p->parent, p->name);
    if (list == NULL) {
        list = json_array();
        json_object_set_new(p->parent, p->name, list);
    }
    if (p->node != NULL && find_entry(list, p, &index) != NULL)
        json_array_set_new(list, index, json_deep_copy(value));
    else
        json_array_append_new(list, json_deep_copy(value));
}

static void
create(const struct place *p, const json_t *body, struct node_answer *a)
{
    const char *name = json_object_iter_key(json_object_iter((json_t *)(uintptr_t)body));
    json_t *value = json_object_iter_value(json_object_iter((json_t *)(uintptr_t)body)), *list;
    struct place child = {0};
    const char *const *keys;

    if (p->node == NULL) {
        fail(a, 404, "invalid-value", "no parent");
        return;
    }
    if (json_object_size(body) != 1 || strncmp(name, MODULE ":", strlen(MODULE) + 1) != 0) {
        fail(a, 400, "malformed-message", "one qualified member");
        return;
    }
    (void)snprintf(child.name, sizeof child.name, "%.100s", name + strlen(MODULE) + 1);
    keys = keys_of(child.name);
    if (keys == NULL || json_array_size(value) != 1) {
        fail(a, 400, "malformed-message", "one entry of a list");
        return;
    }
    for (size_t k = 0; k < 2 && keys[k] != NULL; k++) {
        const json_t *key = json_object_get(json_array_get(value, 0), keys[k]);

        if (key == NULL) {
            fail(a, 400, "missing-element", "a key");
            return;
        }
        if (json_is_string(key))
            (void)snprintf(child.keys[k], sizeof child.keys[k], "%.250s", json_string_value(key));
        else
            (void)snprintf(child.keys[k], sizeof child.keys[k], "%lld",
                           (long long)json_integer_value(key));
        child.key_count++;
    }
    list = json_object_get(p->node, child.name);
    if (find_entry(list, &child, NULL) != NULL) {
        fail(a, 409, "data-exists", "it is there");
        return;
    }
    if (list == NULL) {
        list = json_array();
        json_object_set_new(p->node, child.name, list);
    }
    json_array_append_new(list, json_deep_copy(json_array_get(value, 0)));
    a->status = 201;
    (void)snprintf(a->headers, sizeof a->headers, "Location: /restconf/data/new\r\n");
}

static void
erase(const struct place *p, struct node_answer *a)
{
    size_t index = 0;

    if (p->node == NULL) {
        fail(a, 404, "invalid-value", "no such instance");
        return;
    }
    a->status = 204;
    if (p->key_count == 0)
        (void)json_object_del(p->parent, p->name);
    else if (find_entry(json_object_get(p->parent, p->name), p, &index) != NULL)
        (void)json_array_remove(json_object_get(p->parent, p->name), index);
}

static void
operate(const char *name, const json_t *body, struct node_answer *a)
{
    if (strcmp(name, MODULE ":ping") == 0) {
        a->status = 204;
    } else if (strcmp(name, MODULE ":copy") == 0) {
        const json_t *input = json_object_get(body, MODULE ":input");
        const char *what = lp_json_str(input, "what", NULL);

        if (what == NULL) {
            fail(a, 400, "missing-element", "what");
            return;
        }
        a->status = 200;
        lp_buf_str(&a->body, "{\"box:output\":{\"row\":{\"n\":1},\"status\":");
        lp_buf_json_string(&a->body, what, strlen(what));
        lp_buf_str(&a->body, "}}");
    } else {
        fail(a, 404, "operation-not-supported", "no such operation");
    }
}

/* ---- one request ---- */

static bool
head_is_fine(const struct node_request *r, struct node_answer *a)
{
    bool body = strcmp(r->method, "POST") == 0 || strcmp(r->method, "PUT") == 0
                || strcmp(r->method, "PATCH") == 0;

    if (strcmp(r->accept, "application/yang-data+json") != 0)
        fail(a, 406, "invalid-value", "Accept");
    else if (!body && r->body_len > 0)
        fail(a, 400, "malformed-message", "no body here");
    else if (r->body_len > 0 && strcmp(r->content_type, "application/yang-data+json") != 0)
        fail(a, 415, "invalid-value", "Content-Type");
    else if (strcmp(r->method, "GET") != 0 && r->query[0] != '\0')
        fail(a, 400, "invalid-value", "query");
    else
        return true;
    return false;
}

static bool
condition_holds(const struct place *p, const struct node_request *r)
{
    char tag[70];

    if (r->if_match[0] == '\0')
        return true;
    if (p->node == NULL)
        return false;
    etag_of(p->node, tag);
    return strcmp(tag, r->if_match) == 0;
}

void
node_serve(json_t *data, const struct node_request *r, struct node_answer *a)
{
    static const char root[] = "/restconf/data/", operations[] = "/restconf/operations/";
    struct lp_err err = LP_ERR_INIT;
    json_auto_t *body = NULL;
    struct place p = {0};

    if (!head_is_fine(r, a))
        return;
    if (r->body_len > 0 && lp_json_load(r->body, r->body_len, &body, &err) != LP_OK) {
        fail(a, 400, "malformed-message", "JSON");
        return;
    }
    if (strncmp(r->path, operations, strlen(operations)) == 0) {
        if (strcmp(r->method, "POST") == 0)
            operate(r->path + strlen(operations), body, a);
        else
            fail(a, 405, "operation-not-supported", "POST");
        return;
    }
    if (strncmp(r->path, root, strlen(root)) != 0 || !walk(data, r->path + strlen(root), &p)) {
        fail(a, 404, "invalid-value", "no such resource");
        return;
    }
    if (!condition_holds(&p, r)) {
        fail(a, 412, "operation-failed", "the entity has changed");
        return;
    }
    if (strcmp(r->method, "GET") == 0)
        get(&p, r, a);
    else if (strcmp(r->method, "DELETE") == 0)
        erase(&p, a);
    else if (body == NULL)
        fail(a, 400, "malformed-message", "a body is needed");
    else if (strcmp(r->method, "POST") == 0)
        create(&p, body, a);
    else
        change(&p, r, body, a);
}
