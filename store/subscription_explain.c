/* Sentences for commits that a rule of the database refused. */
#include <string.h>

#include "store/subscription_internal.h"

void
lp_scope_field(const char *scope, char *buf, size_t size)
{
    const char *dot = strrchr(scope, '.');

    (void)snprintf(buf, size, "%s", dot == NULL ? scope : dot + 1);
    for (char *c = buf; *c != '\0'; c++)
        if (*c == '_')
            *c = ' ';
}

void
lp_key_value(const char *value, char *buf, size_t size)
{
    struct lp_err err = LP_ERR_INIT;
    json_auto_t *entry = NULL;
    const char *system, *id;

    (void)snprintf(buf, size, "%s", value);
    if (*value != '{' || lp_json_load(value, strlen(value), &entry, &err) != LP_OK) {
        lp_err_clear(&err);
        return;
    }
    system = lp_json_str(entry, "system", NULL);
    id = lp_json_str(entry, "id", NULL);
    if (system != NULL && id != NULL)
        (void)snprintf(buf, size, "%s:%s", system, id);
}

const char *
lp_scope_code(const char *scope)
{
    return strcmp(scope, "fiber.termination") == 0 ? "OPT-011" : "OPT-003";
}

/* One explanation per statement: reads what stands in the way and fails with the sentence, or
 * leaves err alone. */
typedef enum lp_code explain_fn(struct lp_store *store, const json_t *args, struct lp_err *err);

static enum lp_code
explain_key(struct lp_store *store, const json_t *args, struct lp_err *err)
{
    enum lp_code rc = err->code;
    const char *scope = lp_json_str(args, "scope", ""), *value = lp_json_str(args, "value", "");
    struct lp_err look = LP_ERR_INIT;
    char holder[LP_UUID_LEN + 1], field[64], shown[300];
    enum lp_code found = lp_subscription_by_key(store, NULL, scope, value, holder, &look);

    lp_err_clear(&look);
    lp_scope_field(scope, field, sizeof field);
    lp_key_value(value, shown, sizeof shown);
    if (found != LP_OK) {
        rc = lp_fail_at(err, LP_CONFLICT, scope, "%s %.200s was taken a moment ago; try again",
                        field, shown);
        return rc;
    }
    rc = lp_fail_at(err, LP_CONFLICT, scope, "%s %.200s is already used by subscription %s", field,
                    shown, holder);
    err->detail = json_pack("{s:s, s:s, s:s, s:s}", "code", lp_scope_code(scope), "field", field,
                            "value", shown, "subscription_id", holder);
    return rc;
}

static enum lp_code
explain_delete(struct lp_store *store, const json_t *args, struct lp_err *err)
{
    enum lp_code rc = err->code;
    const char *id = lp_json_str(args, "instance_id", "");
    struct lp_err look = LP_ERR_INIT;
    struct lp_rows *rows = NULL;

    if (lp_query(store, LP_SQL_BLOCK_USERS, LP_ARGS(lp_text("instance_id", id)), &rows, &look)
            == LP_OK
        && lp_rows_count(rows) > 0)
        rc = lp_fail_at(err, LP_CONFLICT, "block_refs.to_id",
                        "block %.40s cannot be removed: subscription %s (%.200s) uses it", id,
                        lp_rows_text(rows, 0, "id"), lp_rows_text(rows, 0, "description"));
    lp_rows_free(rows);
    lp_err_clear(&look);
    return rc;
}

static enum lp_code
explain_reference(struct lp_store *store, const json_t *args, struct lp_err *err)
{
    enum lp_code rc = err->code;
    const char *id = lp_json_str(args, "to_id", ""), *field = lp_json_str(args, "field", "");
    const char *want = lp_json_str(args, "block", NULL);
    struct lp_err look = LP_ERR_INIT;
    struct lp_rows *rows = NULL;

    if (lp_query(store, LP_SQL_BLOCK_OWNER, LP_ARGS(lp_text("instance_id", id)), &rows, &look)
        == LP_OK) {
        if (lp_rows_count(rows) == 0)
            rc = lp_fail_at(err, LP_CONFLICT, field,
                            "%s refers to block %.40s, which does not exist", field, id);
        else if (strcmp(lp_rows_text(rows, 0, "status"), "terminated") == 0)
            rc = lp_fail_at(err, LP_CONFLICT, field,
                            "%s refers to block %.40s of subscription %s, which is terminated",
                            field, id, lp_rows_text(rows, 0, "subscription_id"));
        else if (want != NULL && strcmp(lp_rows_text(rows, 0, "block"), want) != 0)
            rc = lp_fail_at(err, LP_CONFLICT, field,
                            "%s must refer to a %s block, but %.40s is a %s block", field, want, id,
                            lp_rows_text(rows, 0, "block"));
    }
    lp_rows_free(rows);
    lp_err_clear(&look);
    return rc;
}

/* "a, b and 3 more" of a relation. */
static void
name_some(const struct lp_relations *relations, char *buf, size_t size)
{
    size_t used = 0;

    *buf = '\0';
    for (size_t i = 0; i < relations->count && i < 3 && used < size; i++) {
        const struct lp_relation *r = &relations->rows[i];

        used += (size_t)snprintf(buf + used, size - used, "%s%s (%.60s, %s)", i == 0 ? "" : ", ",
                                 r->subscription_id, r->description, lp_lifecycle_name(r->status));
    }
    if (relations->count > 3 && used < size)
        (void)snprintf(buf + used, size - used, " and %zu more", relations->count - 3);
}

static enum lp_code
explain_relations(struct lp_store *store, const json_t *args, enum lp_relation_kind kind,
                  const char *what, struct lp_err *err)
{
    enum lp_code rc = err->code;
    const char *id = lp_json_str(args, "id", "");
    struct lp_relations found;
    struct lp_err look = LP_ERR_INIT;
    char names[400];

    if (lp_subscription_relations(store, NULL, id, kind, false, &found, &look) == LP_OK) {
        name_some(&found, names, sizeof names);
        rc = lp_fail_at(err, LP_CONFLICT, "subscriptions.status",
                        "the status of subscription %.40s cannot change while %s: %s", id, what,
                        names);
        lp_relations_free(&found);
    }
    lp_err_clear(&look);
    return rc;
}

static enum lp_code
explain_users(struct lp_store *store, const json_t *args, struct lp_err *err)
{
    return explain_relations(store, args, LP_RELATION_USERS, "others use it", err);
}

static enum lp_code
explain_customers(struct lp_store *store, const json_t *args, struct lp_err *err)
{
    return explain_relations(store, args, LP_RELATION_CUSTOMER_OF, "it owns others", err);
}

static enum lp_code
explain_version(struct lp_store *store, const json_t *args, struct lp_err *err)
{
    enum lp_code rc = err->code;
    const char *id = lp_json_str(args, "id", "");
    struct lp_err look = LP_ERR_INIT;
    json_auto_t *brief = NULL;

    if (lp_subscription_brief(store, NULL, id, &brief, &look) == LP_OK)
        rc =
            lp_fail_at(err, LP_CONFLICT, "subscriptions.version",
                       "Stale data: given version (%lld) does not match the current version (%lld)",
                       (long long)lp_json_int(args, "version", 0),
                       (long long)lp_json_int(brief, "version", 0));
    lp_err_clear(&look);
    return rc;
}

static enum lp_code
explain_customer(struct lp_store *store, const json_t *args, struct lp_err *err)
{
    enum lp_code rc = err->code;
    (void)store;
    if (strstr(err->pointer, "customer_id") == NULL)
        return rc;
    rc = lp_fail_at(err, LP_CONFLICT, "subscriptions.customer_id",
                    "the owning partner %.40s is terminated", lp_json_str(args, "customer", ""));
    return rc;
}

static enum lp_code
explain_foreign(struct lp_store *store, const json_t *args, struct lp_err *err)
{
    enum lp_code rc = err->code;
    const char *id = lp_json_str(args, "instance_id", NULL); /* one of several: it is not known */
    (void)store;
    rc = lp_fail_at(err, LP_CONFLICT, "blocks.subscription_id",
                    "%s %.40s belongs to another subscription and is not written from here",
                    id == NULL ? "a block that was" : "block", id == NULL ? "here" : id);
    return rc;
}

static const struct {
    const char *statement;
    explain_fn *fn;
} explanations[] = {
    {"block_key_insert", explain_key},
    {"block_delete", explain_delete},
    {"block_ref_insert", explain_reference},
    {"block_update", explain_foreign},
    {"block_updates", explain_foreign},
    {"subscription_guard_users", explain_users},
    {"subscription_guard_customers", explain_customers},
    {"subscription_update", explain_version},
    {"subscription_insert", explain_customer},
};

void
lp_subscription_explain_conflict(struct lp_store *store, struct lp_err *err)
{
    const char *statement = lp_json_str(err->detail, "statement", NULL);
    json_auto_t *args = NULL;

    if (err->code != LP_CONFLICT || statement == NULL)
        return;
    args = json_incref(json_object_get(err->detail, "arguments"));
    for (size_t i = 0; i < LP_COUNT(explanations); i++)
        if (strcmp(explanations[i].statement, statement) == 0) {
            json_decref(err->detail);
            err->detail = NULL;
            err->code = explanations[i].fn(store, args, err);
            return;
        }
}
