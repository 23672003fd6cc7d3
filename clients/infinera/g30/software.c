/* Releases, images, firmware and health of a G30. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "clients/infinera/g30/g30.h"

static const struct lp_restconf_query two = {.content = LP_RESTCONF_CONTENT_ALL, .depth = 2};
static const struct lp_restconf_query tree = {.content = LP_RESTCONF_CONTENT_ALL, .depth = 8};

static enum lp_code
image(const struct ir_source *source, struct lp_arena *arena, json_t **out, struct lp_err *err)
{
    json_auto_t *loads = NULL;
    json_t *made, *item;
    size_t i;
    enum lp_code rc = source->get(source->ctx, "/data/ne:ne/system/sw-management/softwareload",
                                  &two, &loads, err);

    if (rc != LP_OK)
        return rc;
    made = json_pack("{s:s, s:s}", "active", "", "loaded", "");
    json_array_foreach(loads, i, item)
    {
        bool active = strcasecmp(ir_text(arena, item, "swload-state", ""), "active") == 0;

        (void)lp_json_set_str(made, active ? "active" : "loaded",
                              ir_text(arena, item, "swload-version", ""));
    }
    *out = made;
    return LP_OK;
}

static void
add_line(struct lp_arena *arena, const json_t *slot, const char *shelf, const json_t *port,
         json_t *lines)
{
    const json_t *och = ir_member(port, "och-os");
    int64_t q = 0, power = 0;
    json_t *line;

    if (och == NULL || strcmp(ir_text(arena, och, "admin-status", ""), "up") != 0)
        return;
    line = json_object();
    if (ir_hundredths(ir_member(och, "Q-factor"), &q))
        (void)lp_json_set_int(line, "q_cdb", q);
    if (ir_hundredths(ir_member(och, "actual-tx-optical-power"), &power))
        (void)lp_json_set_int(line, "tx_cdbm", power);
    (void)lp_json_set_int(line, "mhz",
                          strtol(ir_text(arena, och, "actual-frequency", "0"), NULL, 10));
    (void)json_object_set_new(lines,
                              lp_arena_printf(arena, "port-%s/%s/%s", shelf,
                                              ir_text(arena, slot, "slot-id", ""),
                                              ir_text(arena, port, "port-id", "")),
                              line);
}

static void
add_lines(struct lp_arena *arena, const json_t *shelves, json_t *made)
{
    json_t *shelf, *slot, *port;
    size_t i, j, k;

    json_array_foreach((json_t *)(uintptr_t)shelves, i, shelf)
    {
        const char *id = ir_text(arena, shelf, "shelf-id", "");

        json_array_foreach((json_t *)(uintptr_t)ir_member(shelf, "slot"), j, slot)
        {
            const json_t *card = ir_member(slot, "card");

            /* one that is taken out of service is down, and will stay so */
            if (strcmp(ir_text(arena, card, "oper-status", "up"), "up") != 0
                && strcmp(ir_text(arena, card, "admin-status", "up"), "down") != 0)
                (void)json_array_append_new(
                    json_object_get(made, "busy"),
                    json_sprintf("%s/%s", id, ir_text(arena, slot, "slot-id", "")));
            json_array_foreach((json_t *)(uintptr_t)ir_member(card, "port"), k, port)
                add_line(arena, slot, id, port, json_object_get(made, "lines"));
        }
    }
}

static enum lp_code
health(const struct ir_source *source, struct lp_arena *arena, json_t **out, struct lp_err *err)
{
    json_auto_t *conditions = NULL, *shelves = NULL;
    json_t *item;
    size_t i;
    enum lp_code rc =
        source->get(source->ctx, "/data/ne:ne/fault/standing-condition", &two, &conditions, err);

    if (rc == LP_OK)
        rc = source->get(source->ctx, "/data/ne:ne/shelf", &tree, &shelves, err);
    if (rc != LP_OK)
        return rc;
    *out = json_pack("{s:[], s:{}, s:[]}", "alarms", "lines", "busy");
    json_array_foreach(conditions, i, item)
    {
        const char *severity = ir_text(arena, item, "severity-level", "");

        if (strcasecmp(severity, "critical") == 0 || strcasecmp(severity, "major") == 0)
            (void)json_array_append_new(
                json_object_get(*out, "alarms"),
                json_sprintf("%s;%s;%s;%s;%s", ir_text(arena, item, "fm-entity", ""),
                             ir_text(arena, item, "location", ""),
                             ir_text(arena, item, "direction", ""),
                             ir_text(arena, item, "condition-type", ""),
                             ir_text(arena, item, "condition-description", "")));
    }
    add_lines(arena, shelves, *out);
    return LP_OK;
}

static enum lp_code
cards(const struct ir_source *source, struct lp_arena *arena, json_t **out, struct lp_err *err)
{
    json_auto_t *rows = NULL;
    char *text = NULL;
    json_t *row;
    size_t i;
    enum lp_code rc = ir_cli(source, "coriant-rpc:cli-command",
                             "show current-fw-version | display json", &text, err);

    if (rc != LP_OK)
        return rc;
    rows = ir_cli_rows(text);
    free(text);
    *out = json_object();
    json_array_foreach(rows, i, row)
    {
        const char *card = ir_text(arena, row, "card", "");
        const json_t *known = json_object_get(*out, card); /* a card has a row for each firmware */
        bool current = strcmp(ir_text(arena, row, "fw-state", ""), "current") == 0
                       && (known == NULL || lp_json_true(known, "current"));

        if (card[0] != '\0')
            (void)json_object_set_new(*out, card,
                                      json_pack("{s:s, s:b}", "type",
                                                ir_text(arena, row, "fw-equipment-type", ""),
                                                "current", (int)current));
    }
    return LP_OK;
}

static bool
restarts_cold(const char *type)
{
    return strcmp(type, "CHM1") == 0; /* the others take new firmware in a warm restart */
}

static json_t *
restart_input(struct lp_arena *arena, const char *card, const char *type)
{
    const char *slot = NULL, *shelf = ir_cut(arena, card, '/', &slot);
    json_t *input =
        json_pack("{s:s, s:s}", "entity-id",
                  lp_arena_printf(arena, "/ne:ne/shelf[shelf-id='%s']/slot[slot-id='%s']/card",
                                  shelf, slot != NULL ? slot : ""),
                  "restart-type", restarts_cold(type) ? "cold" : "warm");

    if (strcmp(type, "OCC2") == 0)
        (void)json_object_set_new(input, "fpga-upgrade", json_pack("[n]"));
    else if (!restarts_cold(type))
        (void)json_object_set_new(input, "dsp-upgrade", json_pack("[n]"));
    return input;
}

static enum lp_code
write_software(struct lp_arena *arena, const json_t *operation, struct ir_request *request,
               struct lp_err *err)
{
    const char *object = lp_json_str(operation, "object", "");
    const json_t *hints = json_object_get(operation, "hints");
    const json_t *after = json_object_get(operation, "after");
    const char *rpc = "download";
    json_t *input;

    if (strcmp(object, "sw:backup") == 0) {
        rpc = "upload";
        input = json_pack("{s:s, s:s}", "filetype", "database", "destination",
                          lp_json_str(hints, "backup", ""));
    } else if (strncmp(object, "fw:", 3) == 0) {
        rpc = "restart";
        input = restart_input(arena, object + 3, lp_json_str(hints, "type", ""));
    } else if (json_object_get(after, "active") != NULL) {
        rpc = "activate-file";
        input = json_pack("{s:s, s:s}", "filetype", "swimage", "db-action", "upgrade-db");
    } else {
        input = json_pack("{s:s, s:s}", "filetype", "swimage", "source",
                          lp_json_str(hints, "file", ""));
    }
    return ir_operation(arena, "coriant-rpc", rpc, input, request, err);
}

static const struct ir_release releases[] = {{"FP4.5.2", "FP4.7.2"}, {"FP4.7.2", "FP4.8.0"}};

const struct ir_software g30_software = {
    .releases = releases,
    .release_count = LP_COUNT(releases),
    .loads_alone = true,
    .q_drop_cdb = 50,
    .image = image,
    .health = health,
    .cards = cards,
    .restarts_cold = restarts_cold,
    .write = write_software,
};
