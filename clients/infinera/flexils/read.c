#include "clients/infinera/flexils/read.h"

#include <stdlib.h>
#include <string.h>

#include "clients/infinera/flexils/normal.h"

/* ---- objects ---- */

static enum lp_code
collect(enum fx_class object, const struct lp_tl1_message *reply, json_t *out, struct lp_err *err)
{
    struct lp_tl1_scratch scratch = {0};
    enum lp_code rc = LP_OK;

    for (size_t i = 0; rc == LP_OK && i < reply->line_count; i++) {
        struct lp_tl1_record record;
        char key[256];

        if (reply->lines[i].kind != LP_TL1_LINE_RECORD)
            continue;
        rc = lp_tl1_message_record(reply, i, &scratch, &record, err);
        if (rc != LP_OK || !fx_key_of(&record, key, sizeof key) || !lp_utf8_valid(key, strlen(key)))
            continue;
        if (json_object_set_new(out, key, fx_object_of(object, &record)) != 0)
            rc = lp_fail(err, LP_NOMEM, "no memory for the objects of an element");
    }
    lp_tl1_scratch_free(&scratch);
    return rc;
}

static enum lp_code
retrieve(struct fx_ne *fx, const struct fx_request *request, json_t **out, struct lp_err *err)
{
    const struct lp_tl1_message *reply = NULL;
    json_auto_t *found = json_object();
    enum lp_code rc = fx_send(fx, request, &reply, err);

    if (rc == LP_OK && found != NULL)
        rc = collect(request->object, reply, found, err);
    if (rc == LP_OK)
        *out = lp_json_take(&found);
    return rc;
}

enum lp_code
fx_read_all(struct fx_ne *fx, enum fx_class object, const json_t *named, json_t **out,
            struct lp_err *err)
{
    const struct fx_request request = {.object = object, .verb = FX_RTRV, .named = named};
    enum lp_code rc = retrieve(fx, &request, out, err);

    if (rc == LP_NOT_FOUND) { /* a filter that nothing fits */
        lp_err_clear(err);
        *out = json_object();
        rc = *out != NULL ? LP_OK : lp_fail(err, LP_NOMEM, "no memory for an empty list");
    }
    return rc;
}

enum lp_code
fx_read_one(struct fx_ne *fx, enum fx_class object, const char *aid, json_t **out,
            struct lp_err *err)
{
    const struct fx_request request = {.object = object, .verb = FX_RTRV, .aid = aid};
    json_auto_t *found = NULL;
    enum lp_code rc = retrieve(fx, &request, &found, err);

    *out = NULL;
    if (rc == LP_NOT_FOUND) {
        lp_err_clear(err);
        return LP_OK;
    }
    if (rc != LP_OK)
        return rc;
    *out = json_incref(json_object_get(found, aid)); /* whatever else it may have answered */
    return LP_OK;
}

/* ---- the reader ---- */

void
fx_reader_init(struct fx_reader *reader, struct fx_ne *fx)
{
    *reader = (struct fx_reader){.fx = fx, .single = json_object(), .kept = json_array()};
}

void
fx_reader_free(struct fx_reader *reader)
{
    for (size_t i = 0; i < FX_CLASS_COUNT; i++)
        json_decref(reader->whole[i]);
    json_decref(reader->single);
    json_decref(reader->kept);
}

static enum lp_code
reader_get(void *ctx, enum fx_class object, const char *aid, const json_t **out, struct lp_err *err)
{
    struct fx_reader *reader = ctx;
    json_t *read = NULL;
    const json_t *known;
    const char *key;
    enum lp_code rc;

    if (reader->whole[object] != NULL) {
        *out = json_object_get(reader->whole[object], aid);
        return LP_OK;
    }
    key = lp_arena_printf(reader->fx->call->arena, "%s:%s", fx_class_prefix(object), aid);
    known = json_object_get(reader->single, key);
    if (known == NULL) {
        rc = fx_read_one(reader->fx, object, aid, &read, err);
        if (rc != LP_OK)
            return rc;
        if (json_object_set_new(reader->single, key, read != NULL ? read : json_null()) != 0)
            return lp_fail(err, LP_NOMEM, "no memory for the objects of an element");
        known = json_object_get(reader->single, key);
    }
    *out = json_is_null(known) ? NULL : known;
    return LP_OK;
}

static enum lp_code
reader_all(void *ctx, enum fx_class object, const json_t **out, struct lp_err *err)
{
    struct fx_reader *reader = ctx;
    enum lp_code rc = LP_OK;

    if (reader->whole[object] == NULL)
        rc = fx_read_all(reader->fx, object, NULL, &reader->whole[object], err);
    *out = reader->whole[object];
    return rc;
}

/* Other elements have handles of their own: what they use comes with the intent. */
static enum lp_code
reader_remote(void *ctx, const char *tid, enum fx_class object, const json_t **out,
              struct lp_err *err)
{
    (void)ctx;
    (void)object;
    (void)out;
    return lp_fail(err, LP_UNSUPPORTED, "%s is not asked through another element", tid);
}

static enum lp_code
reader_power(void *ctx, const char *port, const char *circuit, const json_t **out,
             struct lp_err *err)
{
    struct fx_reader *reader = ctx;
    json_t *power = NULL;
    enum lp_code rc = fx_read_power(reader->fx, port, circuit, &power, err);

    if (rc == LP_OK && json_array_append_new(reader->kept, power) != 0)
        rc = lp_fail(err, LP_NOMEM, "no memory for a measurement");
    *out = power;
    return rc;
}

void
fx_reader_source(struct fx_reader *reader, struct fx_source *out)
{
    *out = (struct fx_source){.ctx = reader,
                              .tid = reader->fx->element.node,
                              .get = reader_get,
                              .all = reader_all,
                              .remote = reader_remote,
                              .power = reader_power};
}

/* ---- super-channels and power ---- */

static const char *
sch_of_cross(struct lp_arena *arena, const char *key, const char *port)
{
    size_t len = strcspn(key, ",");
    const char *from = lp_arena_strndup(arena, key, len);

    if (from != NULL && fx_sch_on(from, port))
        return from;
    return key[len] == ',' && fx_sch_on(key + len + 1, port) ? lp_arena_strdup(arena, key + len + 1)
                                                             : NULL;
}

enum lp_code
fx_find_cross(struct fx_ne *fx, const char *port, const char *suffix, const char **key,
              json_t **out, struct lp_err *err)
{
    json_auto_t *crosses = NULL;
    const char *name;
    json_t *cross;
    enum lp_code rc = fx_read_all(fx, FX_OCRS, NULL, &crosses, err);

    *key = NULL;
    *out = NULL;
    if (rc != LP_OK)
        return rc;
    json_object_foreach(crosses, name, cross)
    {
        if (*out == NULL && strcmp(lp_json_str(cross, "CKTIDSUFFIX", ""), suffix) == 0
            && sch_of_cross(fx->call->arena, name, port) != NULL) {
            *key = lp_arena_strdup(fx->call->arena, name);
            *out = json_incref(cross);
        }
    }
    return LP_OK;
}

enum lp_code
fx_find_sch(struct fx_ne *fx, const char *port, const char *suffix, const char **out,
            struct lp_err *err)
{
    json_auto_t *osncs = NULL, *cross = NULL;
    const char *aid, *key = NULL;
    json_t *osnc;
    enum lp_code rc = fx_read_all(fx, FX_OSNC, NULL, &osncs, err);

    *out = NULL;
    if (rc != LP_OK)
        return rc;
    json_object_foreach(osncs, aid, osnc)
    {
        if (strcmp(lp_json_str(osnc, "CKTIDSUFFIX", ""), suffix) == 0 && fx_sch_on(aid, port))
            *out = lp_arena_strdup(fx->call->arena, aid);
    }
    if (*out != NULL)
        return LP_OK;
    rc = fx_find_cross(fx, port, suffix, &key, &cross, err);
    if (rc == LP_OK && key != NULL)
        *out = sch_of_cross(fx->call->arena, key, port);
    return rc;
}

/* "AID,type : montype,value,validity,locn,dirn,tmper,mondat,montm" */
static const char *
montype_value(const struct lp_tl1_record *record, const char *montype)
{
    return strcmp(lp_tl1_record_at(record, 1, 0), montype) == 0 ? lp_tl1_record_at(record, 1, 1)
                                                                : "";
}

enum lp_code
fx_read_opr(struct fx_ne *fx, const char *sch, int64_t *out, struct lp_err *err)
{
    static const char *const positional[7] = {"OPR", "1-UP", "NEND", "RCV", "15-MIN", NULL, NULL};
    const struct fx_request request = {
        .object = FX_SCH, .verb = FX_PM, .aid = sch, .positional = positional};
    const struct lp_tl1_message *reply = NULL;
    struct lp_tl1_scratch scratch = {0};
    enum lp_code rc = fx_send(fx, &request, &reply, err);
    bool found = false;

    for (size_t i = 0; rc == LP_OK && !found && i < reply->line_count; i++) {
        struct lp_tl1_record record;
        int32_t value;

        if (reply->lines[i].kind != LP_TL1_LINE_RECORD)
            continue;
        rc = lp_tl1_message_record(reply, i, &scratch, &record, err);
        if (rc == LP_OK && montype_value(&record, "OPR")[0] != '\0') {
            rc = lp_tl1_hundredths(montype_value(&record, "OPR"), &value, err);
            *out = value;
            found = true;
        }
    }
    lp_tl1_scratch_free(&scratch);
    if (rc == LP_OK && !found)
        rc = lp_fail(err, LP_NOT_FOUND, "%s measures no received power of %s", fx->element.name,
                     sch);
    return rc;
}

/* At the tributary on FSM cards, at the intermediate super-channel elsewhere. */
static enum lp_code
measuring_point(struct fx_ne *fx, const char *sch, const json_t *cross, const char **out,
                struct lp_err *err)
{
    struct lp_arena *arena = fx->call->arena;
    const char *card = fx_parent(arena, fx_parent(arena, sch));
    json_auto_t *eqpt = NULL;
    enum lp_code rc = fx_read_one(fx, FX_EQPT, card, &eqpt, err);

    if (rc != LP_OK)
        return rc;
    *out = strcmp(lp_json_str(eqpt, "TYPE", ""), "FSM") == 0
               ? sch
               : lp_arena_strdup(arena, lp_json_str(cross, "INTERMEDIATESCHCTP", sch));
    return LP_OK;
}

enum lp_code
fx_read_power(struct fx_ne *fx, const char *port, const char *suffix, json_t **out,
              struct lp_err *err)
{
    json_auto_t *cross = NULL, *sch = NULL;
    const char *key = NULL, *at = NULL, *aid;
    int64_t measured = 0;
    int32_t target = 0;
    enum lp_code rc = fx_find_cross(fx, port, suffix, &key, &cross, err);

    if (rc != LP_OK)
        return rc;
    if (key == NULL) {
        rc = lp_fail(err, LP_NOT_FOUND, "%s has no circuit %s at %s", fx->element.name, suffix,
                     port);
        err->detail = json_pack("{s:s, s:s}", "code", "OPT-060", "device", fx->element.name);
        return rc;
    }
    aid = sch_of_cross(fx->call->arena, key, port);
    rc = measuring_point(fx, aid, cross, &at, err);
    if (rc == LP_OK)
        rc = fx_read_one(fx, FX_SCH, at, &sch, err);
    if (rc == LP_OK && lp_json_str(sch, "TARGETOPR", "")[0] == '\0')
        rc = lp_fail(err, LP_NOT_FOUND, "%s has no target power for %s", fx->element.name, at);
    if (rc == LP_OK)
        rc = lp_tl1_hundredths(lp_json_str(sch, "TARGETOPR", ""), &target, err);
    if (rc == LP_OK)
        rc = fx_read_opr(fx, at, &measured, err);
    if (rc == LP_OK)
        *out = json_pack("{s:s, s:I, s:I, s:I}", "object", at, "measured_cdbm",
                         (json_int_t)measured, "target_cdbm", (json_int_t)target, "difference_cdb",
                         (json_int_t)(measured - target));
    return rc;
}
