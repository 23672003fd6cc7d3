/* Releases, images, firmware and health of a G42. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "clients/infinera/g42/g42.h"

#define SW    G42_NE "/system/sw-management"
#define PAGES 50 /* of one question for signals */

static const struct lp_restconf_query two = {.content = LP_RESTCONF_CONTENT_ALL, .depth = 2};

/* The element runs a release when all its places do and the activation is complete. */
static void
take_load(struct lp_arena *arena, const json_t *item, json_t *made)
{
    const char *version = ir_text(arena, item, "swload-version", "");
    bool active = strcasecmp(ir_text(arena, item, "swload-state", ""), "active") == 0;
    const char *status = ir_text(arena, item, "swload-status", "activate-complete");
    const char *known = lp_json_str(made, "active", "");

    if (!active) {
        (void)lp_json_set_str(made, "loaded", version);
        return;
    }
    if ((known[0] != '\0' && strcmp(known, version) != 0)
        || strcmp(status, "activate-in-progress") == 0)
        version = "mixed";
    (void)lp_json_set_str(made, "active", version);
}

static enum lp_code
image(const struct ir_source *source, struct lp_arena *arena, json_t **out, struct lp_err *err)
{
    json_auto_t *loads = NULL, *places = NULL;
    json_t *item;
    size_t i;
    enum lp_code rc = source->get(source->ctx, SW "/software-load", &two, &loads, err);

    if (rc == LP_OK)
        rc = source->get(source->ctx, SW "/software-location", &two, &places, err);
    if (rc != LP_OK)
        return rc;
    *out = json_pack("{s:s, s:s}", "active", "", "loaded", "");
    json_array_foreach(loads, i, item) take_load(arena, item, *out);
    json_array_foreach(places, i, item)
    {
        if (strcasecmp(ir_text(arena, item, "swload-state", ""), "active") == 0)
            take_load(arena, item, *out);
    }
    return LP_OK;
}

static void
take_signals(struct lp_arena *arena, const json_t *records, json_t *lines)
{
    json_t *record;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)records, i, record)
    {
        int64_t q = 0;

        if (ir_hundredths(ir_member(record, "pm-value"), &q))
            (void)json_object_set_new(lines, ir_text(arena, record, "AID", "?"),
                                      json_pack("{s:I}", "q_cdb", (json_int_t)q));
    }
}

/* Page by page: a signal that is left out would be one that nobody misses afterwards. */
static enum lp_code
add_signals(const struct ir_source *source, struct lp_arena *arena, json_t *lines,
            struct lp_err *err)
{
    size_t skip = 0;

    for (unsigned page = 0; page < PAGES; page++) {
        json_auto_t *answer = NULL;
        json_t *input = json_pack("{s:s, s:[{s:i, s:s}]}", "data-type", "real-time", "filter",
                                  "filter-id", 1, "parameter", "gx:pre-fec-q");
        const json_t *records;
        enum lp_code rc;

        if (skip > 0)
            (void)lp_json_set_int(input, "skip-records", (int64_t)skip);
        rc = source->rpc(source->ctx, "ioa-pm:get-pm", input, &answer, err);
        if (rc != LP_OK)
            return rc;
        records = ir_member(answer, "pm-record");
        take_signals(arena, records, lines);
        skip += json_array_size(records);
        if (!json_is_true(ir_member(answer, "additional-records-available"))
            || json_array_size(records) == 0)
            return LP_OK;
    }
    return lp_fail(err, LP_PROTOCOL, "%s has more signals than can be read", source->name);
}

/* Alarms of cards on their way up say that a card restarts; they need not name it. */
static bool
is_passing(const char *type)
{
    static const char *const types[] = {"EQPTCPRESET", "SW-INIT", "INIT",
                                        "NO-CTRLR-MODULE-REDUNDANCY"};

    for (size_t i = 0; i < LP_COUNT(types); i++) {
        if (strcmp(types[i], type) == 0)
            return true;
    }
    return false;
}

static void
take_alarm(struct lp_arena *arena, const json_t *alarm, json_t *made)
{
    const char *type = ir_text(arena, alarm, "alarm-type", "");
    const char *severity = ir_text(arena, alarm, "perceived-severity", "");

    if (strcmp(severity, "not-reported") == 0 || strcmp(severity, "cleared") == 0)
        return;
    if (is_passing(type))
        (void)json_array_append_new(
            json_object_get(made, "busy"),
            json_string(ir_text(arena, alarm, "AID", "a card that the alarm does not name")));
    else
        (void)json_array_append_new(
            json_object_get(made, "alarms"),
            json_sprintf("%s;%s;%s;%s;%s;%s", severity, ir_text(arena, alarm, "resource", ""), type,
                         ir_text(arena, alarm, "alarm-type-description", ""),
                         ir_text(arena, alarm, "direction", ""),
                         ir_text(arena, alarm, "location", "")));
}

static enum lp_code
health(const struct ir_source *source, struct lp_arena *arena, json_t **out, struct lp_err *err)
{
    json_auto_t *list = NULL, *found = NULL, *made = NULL;
    json_t *item;
    size_t i;
    enum lp_code rc =
        source->get(source->ctx, "/data/ioa-alarm:alarms/current-alarms/alarm", &two, &list, err);

    if (rc == LP_OK)
        rc = source->get(source->ctx, G42_NE "/equipment/card", &two, &found, err);
    made = json_pack("{s:[], s:{}, s:[]}", "alarms", "lines", "busy");
    json_array_foreach(list, i, item) take_alarm(arena, item, made);
    json_array_foreach(found, i, item)
    {
        if (strcmp(ir_text(arena, item, "oper-state", "enabled"), "enabled") != 0
            && strcmp(ir_text(arena, item, "admin-state", "unlock"), "unlock") == 0)
            (void)json_array_append_new(json_object_get(made, "busy"),
                                        json_string(ir_text(arena, item, "name", "?")));
    }
    if (rc == LP_OK)
        rc = add_signals(source, arena, json_object_get(made, "lines"), err);
    if (rc == LP_OK)
        *out = lp_json_take(&made);
    return rc;
}

/* "current-fw-1-4/DCO-MCU-DSP-P   not-current": a card whose module waits for its firmware. */
static bool
has_old_firmware(const char *text, const char *card)
{
    struct lp_buf name = LP_BUF_INIT;
    bool found;

    lp_buf_printf(&name, "current-fw-%s/DCO-MCU-DSP-P", card);
    found = name.data != NULL && strstr(text, name.data) != NULL;
    lp_buf_free(&name);
    return found;
}

static enum lp_code
cards(const struct ir_source *source, struct lp_arena *arena, json_t **out, struct lp_err *err)
{
    json_auto_t *list = NULL;
    char *text = NULL;
    json_t *card;
    size_t i;
    enum lp_code rc = source->get(source->ctx, G42_NE "/equipment/card", &two, &list, err);

    if (rc == LP_OK)
        rc = ir_cli(source, "ioa-rpc:cli-command",
                    "show current-fw fw-status=not-current | inc DCO-MCU-DSP-P", &text, err);
    if (rc != LP_OK)
        return rc;
    *out = json_object();
    json_array_foreach(list, i, card)
    {
        const char *name = ir_text(arena, card, "name", "");

        (void)json_object_set_new(*out, name,
                                  json_pack("{s:s, s:b}", "type",
                                            ir_text(arena, card, "required-type", ""), "current",
                                            (int)!has_old_firmware(text, name)));
    }
    free(text);
    return LP_OK;
}

static bool
restarts_cold(const char *type)
{
    return strstr(type, "CHM6") != NULL;
}

static enum lp_code
write_software(struct lp_arena *arena, const json_t *operation, struct ir_request *request,
               struct lp_err *err)
{
    const char *object = lp_json_str(operation, "object", "");
    const json_t *hints = json_object_get(operation, "hints");

    if (strcmp(object, "sw:backup") == 0)
        return ir_operation(arena, "ioa-rpc", "upload",
                            json_pack("{s:s, s:s}", "filetype", "database", "destination",
                                      lp_json_str(hints, "backup", "")),
                            request, err);
    if (strncmp(object, "fw:", 3) == 0)
        return ir_operation(
            arena, "ioa-rpc", "restart",
            json_pack("{s:s, s:s}", "resource",
                      lp_arena_printf(arena, "/ioa-ne:ne/equipment/card[name='%s']", object + 3),
                      "type", "cold"),
            request, err);
    return ir_operation(arena, "ioa-rpc", "download",
                        json_pack("{s:s, s:s, s:b, s:b, s:s}", "filetype", "swimage", "source",
                                  lp_json_str(hints, "file", ""), "async", 1, "unattended", 1,
                                  "db-action", "upgrade-db"),
                        request, err);
}

static const struct ir_release releases[] = {
    {"R6.0.0", "R6.0.1"}, {"R6.0.1", "R7.1.1"}, {"R7.1.1", "R8.0.2"}};

/* An image is loaded and activated in one go, in the background. */
const struct ir_software g42_software = {
    .releases = releases,
    .release_count = LP_COUNT(releases),
    .q_drop_cdb = 100,
    .image = image,
    .health = health,
    .cards = cards,
    .restarts_cold = restarts_cold,
    .write = write_software,
};
