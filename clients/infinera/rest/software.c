/* Software of an element: what runs, what is loaded, how well the element is, and the intent
 * "software" stage by stage. Objects: "sw:image", "sw:backup", "sw:health", "fw:<card>". */
#include <stdlib.h>
#include <string.h>

#include "clients/infinera/rest/rest.h"

#define REBOOT_MS  (30 * 60 * 1000)
#define RECOVER_MS (15 * 60 * 1000)

bool
ir_is_software(const char *reference)
{
    return strncmp(reference, "sw:", 3) == 0 || strncmp(reference, "fw:", 3) == 0;
}

/* ---- reading ---- */

static enum lp_code
read_card(const struct ir_platform *platform, const struct ir_source *source,
          struct lp_arena *arena, const char *card, json_t **out, struct lp_err *err)
{
    json_auto_t *cards = NULL;
    enum lp_code rc = platform->software->cards(source, arena, &cards, err);

    *out = json_incref(json_object_get(cards, card));
    return rc;
}

enum lp_code
ir_software_read(const struct ir_platform *platform, const struct ir_source *source,
                 struct lp_arena *arena, const char *reference, json_t **out, struct lp_err *err)
{
    *out = NULL;
    if (platform->software == NULL || source == NULL)
        return lp_fail(err, LP_UNSUPPORTED, "%s has no software that could be looked at",
                       platform->platform);
    if (strcmp(reference, "sw:image") == 0)
        return platform->software->image(source, arena, out, err);
    if (strcmp(reference, "sw:health") == 0)
        return platform->software->health(source, arena, out, err);
    if (strncmp(reference, "fw:", 3) == 0)
        return read_card(platform, source, arena, reference + 3, out, err);
    return LP_OK; /* of a backup nothing shows */
}

/* ---- how well it is ---- */

static bool
is_in(const json_t *list, const json_t *item)
{
    json_t *other;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)list, i, other)
    {
        if (json_equal(other, item))
            return true;
    }
    return false;
}

static void
say(json_t *problems, const char *what, const char *which)
{
    (void)json_array_append_new(problems, json_sprintf("%s: %s", what, which));
}

static void
compare_line(const char *name, const json_t *was, const json_t *is, int64_t q_drop,
             json_t *problems)
{
    static const struct {
        const char *member, *what;
        int64_t down, up; /* so much less or more is still well */
    } rows[] = {{"tx_cdbm", "transmit power fell", 50, INT32_MAX},
                {"mhz", "frequency moved", 50, 50}};
    int64_t q = lp_json_int(was, "q_cdb", 0);

    if (is == NULL) {
        say(problems, "no longer there", name);
        return;
    }
    if (q > 0 && lp_json_int(is, "q_cdb", 0) < q - q_drop)
        say(problems, "Q fell", name);
    for (size_t i = 0; i < LP_COUNT(rows); i++) {
        int64_t before = lp_json_int(was, rows[i].member, 0);
        int64_t now = lp_json_int(is, rows[i].member, 0);

        if (before != 0 && (now < before - rows[i].down || now > before + rows[i].up))
            say(problems, rows[i].what, name);
    }
}

/* Both sides are lists from the start, also empty ones; an alarm need not name a card. */
json_t *
ir_health_problems(const json_t *baseline, const json_t *now, int64_t q_drop_cdb)
{
    const json_t *lines = json_object_get(now, "lines");
    json_t *problems = json_array(), *item;
    const char *name;
    size_t i;

    json_array_foreach(json_object_get(now, "busy"), i, item)
        say(problems, "restarting", json_string_value(item));
    json_array_foreach(json_object_get(now, "alarms"), i, item)
    {
        if (!is_in(json_object_get(baseline, "alarms"), item))
            say(problems, "new alarm", json_string_value(item));
    }
    json_object_foreach(json_object_get(baseline, "lines"), name, item)
        compare_line(name, item, json_object_get(lines, name), q_drop_cdb, problems);
    return problems;
}

/* ---- planning ---- */

struct stage {
    struct ir_planner *p;
    const struct ir_software *software;
    const json_t *intent, *image, *health;
    const char *release, *active;
};

static struct ir_op
op_of(const struct stage *s, enum lp_phase phase, const char *action, const char *object)
{
    return (struct ir_op){.phase = phase,
                          .action = action,
                          .object = object,
                          .intent = lp_json_str(s->intent, "id", "")};
}

static enum lp_code
check_release(const struct stage *s)
{
    const char *next = NULL;

    if (strcmp(s->active, s->release) == 0)
        return LP_OK;
    for (size_t i = 0; i < s->software->release_count; i++) {
        if (strcmp(s->software->releases[i].from, s->active) == 0)
            next = s->software->releases[i].to;
    }
    if (next != NULL && strcmp(next, s->release) == 0)
        return LP_OK;
    return ir_bad_intent(s->p, s->intent, LP_INVALID,
                         lp_arena_printf(s->p->arena, "from %s there is no way to %s%s%s",
                                         s->active, s->release,
                                         next != NULL ? ", only to " : ": it is not known",
                                         next != NULL ? next : ""));
}

static enum lp_code
plan_load(const struct stage *s)
{
    json_auto_t *hints = json_pack("{s:s, s:s}", "file", lp_json_str(s->intent, "file", ""),
                                   "backup", lp_json_str(s->intent, "backup", ""));
    json_auto_t *before = NULL, *after = NULL;
    struct ir_op op = op_of(s, LP_PHASE_PREPARE, "action", "sw:backup");
    enum lp_code rc = LP_OK;

    if (strcmp(s->active, s->release) == 0)
        return LP_OK;
    op.hints = hints;
    op.timeout_ms = RECOVER_MS;
    op.text = "back up the database";
    if (lp_json_str(s->intent, "backup", "")[0] != '\0')
        rc = ir_add(s->p, &op);
    if (rc != LP_OK || !s->software->loads_alone
        || strcmp(lp_json_str(s->image, "loaded", ""), s->release) == 0)
        return rc;
    if (lp_json_str(s->intent, "file", "")[0] == '\0')
        return ir_bad_intent(s->p, s->intent, LP_INVALID, "it names no file to load");
    op = op_of(s, LP_PHASE_PREPARE, "action", "sw:image");
    after = json_pack("{s:s}", "loaded", s->release);
    op.before = before = ir_slice(s->image, after);
    op.after = after;
    op.hints = hints;
    op.purpose = "load";
    op.timeout_ms = REBOOT_MS;
    op.text = lp_arena_printf(s->p->arena, "load %s", s->release);
    rc = ir_add(s->p, &op);
    op.action = "wait";
    op.hints = NULL;
    op.text = lp_arena_printf(s->p->arena, "wait until %s is loaded", s->release);
    return rc == LP_OK ? ir_add(s->p, &op) : rc;
}

static enum lp_code
wait_well(const struct stage *s, enum lp_phase phase, const char *purpose)
{
    const json_t *baseline = json_object_get(s->intent, "baseline");
    json_auto_t *after = json_pack("{s:O}", "baseline", baseline != NULL ? baseline : s->health);
    struct ir_op op = op_of(s, phase, "wait", "sw:health");

    op.after = after;
    op.purpose = purpose;
    op.timeout_ms = RECOVER_MS;
    op.text = "wait until no card restarts, no alarm is new and no signal has got worse";
    return ir_add(s->p, &op);
}

static enum lp_code
plan_activate(const struct stage *s)
{
    json_auto_t *hints = json_pack("{s:s}", "file", lp_json_str(s->intent, "file", ""));
    json_auto_t *before = NULL, *after = json_pack("{s:s}", "active", s->release);
    struct ir_op op = op_of(s, LP_PHASE_CIRCUIT, "action", "sw:image");
    enum lp_code rc;

    if (strcmp(s->active, s->release) == 0)
        return LP_OK;
    op.before = before = ir_slice(s->image, after);
    op.after = after;
    op.hints = hints;
    op.purpose = "activate";
    op.flags = LP_OP_TRAFFIC | LP_OP_REBOOT | LP_OP_IRREVERSIBLE;
    op.timeout_ms = REBOOT_MS;
    op.text = lp_arena_printf(s->p->arena, "activate %s (now %s): the element restarts", s->release,
                              s->active);
    rc = ir_add(s->p, &op);
    op.action = "wait";
    op.flags = 0;
    op.hints = NULL;
    op.text = lp_arena_printf(s->p->arena, "wait until %s runs", s->release);
    if (rc == LP_OK)
        rc = ir_add(s->p, &op);
    return rc == LP_OK ? wait_well(s, LP_PHASE_CIRCUIT, "behind activation") : rc;
}

/* One card at a time: the next one only when all is well again. */
static enum lp_code
plan_card(const struct stage *s, const char *card, const json_t *row)
{
    const char *object = ir_ref(s->p->arena, "fw", card), *type = lp_json_str(row, "type", "");
    json_auto_t *after = json_pack("{s:b}", "current", 1), *before = ir_slice(row, after);
    struct ir_op op = op_of(s, LP_PHASE_ALIGN, "action", object);
    bool cold = s->software->restarts_cold(type);
    enum lp_code rc;

    op.before = before;
    op.after = after;
    op.hints = row;
    op.flags = LP_OP_REBOOT | LP_OP_IRREVERSIBLE | (cold ? LP_OP_TRAFFIC : 0);
    op.text = lp_arena_printf(s->p->arena, "restart card %s (%s, %s)", card, type,
                              cold ? "cold: its traffic is down meanwhile" : "warm");
    rc = ir_add(s->p, &op);
    op.action = "wait";
    op.flags = 0;
    op.hints = NULL;
    op.timeout_ms = RECOVER_MS;
    op.text = lp_arena_printf(s->p->arena, "wait until the firmware of card %s is current", card);
    if (rc == LP_OK)
        rc = ir_add(s->p, &op);
    return rc == LP_OK
               ? wait_well(s, LP_PHASE_ALIGN, lp_arena_printf(s->p->arena, "behind card %s", card))
               : rc;
}

static enum lp_code
plan_cards(const struct stage *s)
{
    struct ir_source source;
    json_auto_t *cards = NULL;
    const char *card;
    json_t *row;
    enum lp_code rc;

    ir_planner_source(s->p, &source);
    rc = s->software->cards(&source, s->p->arena, &cards, s->p->err);
    json_object_foreach(cards, card, row)
    {
        if (rc == LP_OK && !lp_json_true(row, "current"))
            rc = plan_card(s, card, row);
    }
    return rc;
}

static bool
has_stage(const json_t *intent, const char *name)
{
    const json_t *stages = json_object_get(intent, "stages");
    json_auto_t *text = json_string(name);

    return stages == NULL || is_in(stages, text);
}

static enum lp_code
plan_one(struct ir_planner *p, const json_t *intent)
{
    struct stage s = {.p = p, .software = p->platform->software, .intent = intent};
    json_auto_t *image = NULL, *health = NULL;
    struct ir_source source;
    enum lp_code rc;

    ir_planner_source(p, &source);
    s.release = lp_json_str(intent, "release", "");
    if (!lp_json_true(intent, "present") || s.release[0] == '\0')
        return ir_bad_intent(p, intent, LP_INVALID, "a release is wanted, and which");
    rc = s.software->image(&source, p->arena, &image, p->err);
    if (rc == LP_OK)
        rc = s.software->health(&source, p->arena, &health, p->err);
    if (rc != LP_OK)
        return rc;
    s.image = image;
    s.health = health;
    s.active = lp_json_str(image, "active", "");
    rc = check_release(&s);
    if (rc == LP_OK && json_array_size(json_object_get(health, "busy")) > 0)
        rc = ir_bad_intent(p, intent, LP_CONFLICT, "a card restarts just now");
    if (rc == LP_OK && has_stage(intent, "load"))
        rc = plan_load(&s);
    if (rc == LP_OK && has_stage(intent, "activate"))
        rc = plan_activate(&s);
    if (rc == LP_OK && has_stage(intent, "cards"))
        rc = plan_cards(&s);
    return rc;
}

enum lp_code
ir_plan_software(struct ir_planner *p)
{
    enum lp_code rc = LP_OK;
    json_t *intent;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)p->intents, i, intent)
    {
        if (rc == LP_OK && strcmp(lp_json_str(intent, "kind", ""), "software") == 0)
            rc = plan_one(p, intent);
    }
    return rc;
}

/* ---- what an element answers on its command line ---- */

/* Rows are members of the same name, which an ordinary reader would lose but for the last. */
json_t *
ir_cli_rows(const char *text)
{
    json_t *rows = json_array();

    for (const char *at = strstr(text, "\"row\""); at != NULL; at = strstr(at + 5, "\"row\"")) {
        const char *value = at + 5 + strspn(at + 5, " \t\n:");
        json_t *row = json_loadb(value, strlen(value), JSON_DISABLE_EOF_CHECK, NULL);

        if (json_is_object(row))
            (void)json_array_append(rows, row);
        json_decref(row);
    }
    return rows;
}

enum lp_code
ir_cli(const struct ir_source *source, const char *rpc, const char *command, char **out,
       struct lp_err *err)
{
    json_auto_t *answer = NULL;
    const char *result;
    enum lp_code rc =
        source->rpc(source->ctx, rpc, json_pack("{s:s, s:s}", "commands", command, "echo", "off"),
                    &answer, err);

    if (rc != LP_OK)
        return rc;
    result = lp_json_str(answer, "result", "");
    if (strstr(result, "ERROR") != NULL || json_object_get(answer, "error-location") != NULL)
        return lp_fail(err, LP_REFUSED, "%s: '%s': %.200s", source->name, command, result);
    *out = strdup(strstr(result, "object does not exist") != NULL ? "" : result);
    return *out != NULL ? LP_OK : lp_fail(err, LP_NOMEM, "no memory for an answer");
}

enum lp_code
ir_operation(struct lp_arena *arena, const char *module, const char *name, json_t *input,
             struct ir_request *request, struct lp_err *err)
{
    json_auto_t *body = json_pack("{s:o}", lp_arena_printf(arena, "%s:input", module), input);
    char *text = json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS);

    *request =
        (struct ir_request){.method = "POST",
                            .path = lp_arena_printf(arena, "/operations/%s:%s", module, name),
                            .body = text != NULL ? lp_arena_strdup(arena, text) : NULL};
    free(text);
    return request->body != NULL && request->path != NULL
               ? LP_OK
               : lp_fail(err, LP_NOMEM, "no memory for a request");
}

/* Answers of operations say in their body, with status 200, that they failed. */
enum lp_code
ir_operation_outcome(const char *name, const json_t *answer, struct lp_err *err)
{
    static const char *const results[] = {"status", "download-result", "upload-result", "result"};

    for (size_t i = 0; i < LP_COUNT(results); i++) {
        const char *text = lp_json_str(answer, results[i], "");

        if (strncmp(text, "Failed", 6) == 0 || strncmp(text, "ERROR", 5) == 0)
            return lp_fail(
                err, LP_REFUSED, "%s: %.120s %.200s", name, text,
                lp_json_str(answer, "status-message", lp_json_str(answer, "download-result", "")));
    }
    return LP_OK;
}
