/* What documents of both platforms have in common. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "clients/infinera/rest/link.h"

struct ir_ne *
ir_begin(struct lp_ne *ne, const struct lp_call *call)
{
    struct ir_ne *r = ne->priv;

    r->call = call;
    return r;
}

enum lp_code
ir_end(struct ir_ne *r, enum lp_code rc, json_t **made, json_t **out, struct lp_err *err)
{
    r->call = NULL;
    if (rc == LP_OK
        && (*made == NULL
            || (json_object_get(*made, "items") != NULL
                && json_object_get(*made, "as_of") == NULL)))
        rc = lp_fail(err, LP_NOMEM, "no memory for a document of %s", r->ne.element->name);
    if (rc == LP_OK)
        *out = lp_json_take(made);
    return rc;
}

json_t *
ir_list_document(const struct ir_ne *r)
{
    return json_pack("{s:I, s:[]}", "as_of",
                     (json_int_t)lp_clock_utc_us(lp_driver_host_clock(r->ne.host)), "items");
}

void
ir_add_item(json_t *document, json_t *item)
{
    if (json_array_append_new(json_object_get(document, "items"), item) != 0)
        (void)json_object_del(document, "as_of");
}

void
ir_give(struct lp_arena *arena, json_t *item, const char *as, const json_t *from, const char *name)
{
    const char *value = ir_text(arena, from, name, "");

    if (value[0] != '\0')
        (void)lp_json_set_str(item, as, value);
}

enum lp_code
ir_probe(struct lp_ne *ne, const struct lp_call *call, json_t **out, struct lp_err *err)
{
    struct ir_ne *r = ir_begin(ne, call);
    json_auto_t *made = NULL;
    enum lp_code rc = r->identify(r, &made, err);

    if (rc == LP_OK) {
        (void)lp_json_set_str(made, "vendor", "Infinera");
        (void)lp_json_set_str(made, "platform", r->platform->platform);
        ir_note_identity(r, made);
    }
    return ir_end(r, rc, &made, out, err);
}

enum lp_code
ir_read_object(struct lp_ne *ne, const struct lp_call *call, const char *object, json_t **out,
               struct lp_err *err)
{
    struct ir_ne *r = ir_begin(ne, call);
    struct ir_source source;
    json_auto_t *made = NULL;
    enum lp_code rc;

    ir_source_of(r, &source);
    rc = ir_read(r->platform, &source, call->arena, object, &made, err);
    if (rc == LP_OK && made == NULL)
        rc = lp_fail(err, LP_NOT_FOUND, "%s has no %s", ne->element->name, object);
    return ir_end(r, rc, &made, out, err);
}

/* ---- counters ---- */

static bool
is_wanted(const json_t *query, const char *name)
{
    const json_t *names = json_object_get(query, "names");
    json_t *item;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)names, i, item)
    {
        if (json_is_string(item) && strcmp(json_string_value(item), name) == 0)
            return true;
    }
    return names == NULL;
}

void
ir_add_counter(json_t *made, const json_t *query, const char *object, const char *name,
               const json_t *value, const char *unit, const char *validity)
{
    int64_t number;

    if (!is_wanted(query, name) || !ir_hundredths(value, &number))
        return;
    if (strstr(unit, "0.01") == NULL)
        number /= 100;
    ir_add_item(made, json_pack("{s:s, s:s, s:I, s:s, s:s, s:s}", "object", object, "name", name,
                                "value", (json_int_t)number, "unit", unit, "period",
                                lp_json_str(query, "period", "current"), "validity", validity));
}

const char *
ir_oper_word(const char *state)
{
    static const char *const words[][2] = {{"up", "up"},
                                           {"enabled", "up"},
                                           {"down", "down"},
                                           {"disabled", "down"},
                                           {"degraded", "degraded"}};

    for (size_t i = 0; i < LP_COUNT(words); i++) {
        if (strcasecmp(words[i][0], state) == 0)
            return words[i][1];
    }
    return "unknown";
}
