/* Cross-connects of clients with lines, and the time slots that they take. */
#include <stdlib.h>
#include <string.h>

#include "clients/infinera/g42/g42.h"

static const struct lp_restconf_query list = {.content = LP_RESTCONF_CONTENT_ALL, .depth = 2};

/* ---- time slots ---- */

static bool
slot_number(const char **at, unsigned long *out)
{
    char *end;

    if (**at < '0' || **at > '9')
        return false;
    *out = strtoul(*at, &end, 10);
    *at = end;
    return *out > 0 && *out < 100000;
}

/* "1..80" or "7"; *at behind it. */
static bool
slot_range(const char **at, unsigned long *low, unsigned long *high)
{
    if (!slot_number(at, low))
        return false;
    *high = *low;
    if (strncmp(*at, "..", 2) == 0) {
        *at += 2;
        if (!slot_number(at, high))
            return false;
    }
    return *high >= *low;
}

static const char *
slot_text(struct lp_arena *arena, unsigned long low, unsigned long high)
{
    return lp_arena_printf(arena, "%lu..%lu", low, high);
}

const char *
g42_slots(struct lp_arena *arena, const char *available, unsigned needed, const char *preferred)
{
    unsigned long low, high, first = 0, last = 0, chosen = 0;
    bool asked = preferred != NULL && slot_range(&preferred, &first, &last)
                 && last - first + 1 == needed && *preferred == '\0';

    while (*available != '\0') {
        available += strspn(available, " ,");
        if (*available == '\0')
            break;
        if (!slot_range(&available, &low, &high))
            return NULL;
        if (asked && first >= low && last <= high)
            return slot_text(arena, first, last);
        if (chosen == 0 && needed > 0 && high - low + 1 >= needed)
            chosen = low;
    }
    return chosen != 0 ? slot_text(arena, chosen, chosen + needed - 1) : NULL;
}

const char *
g42_payload(const char *rate)
{
    return strcmp(rate, "100GE") == 0 ? "100GBE" : strcmp(rate, "400GE") == 0 ? "400GBE" : NULL;
}

unsigned
g42_slots_of(const char *payload)
{
    return strcmp(payload, "100GBE") == 0 ? 80 : strcmp(payload, "400GBE") == 0 ? 320 : 0;
}

/* ---- reading ---- */

/* The name in "/ioa-ne:ne/facilities/ethernet[name='1-4-T1']", NULL: another kind of facility. */
static const char *
named(struct lp_arena *arena, const char *identifier, const char *list_name)
{
    const char *at = strrchr(identifier, '/'), *quote, *end;
    size_t len = strlen(list_name);

    at = at != NULL ? at + 1 : identifier;
    if (strchr(at, ':') != NULL && strchr(at, ':') < strchr(at, '['))
        at = strchr(at, ':') + 1;
    quote = strchr(at, '\'');
    end = quote != NULL ? strchr(quote + 1, '\'') : NULL;
    if (strncmp(at, list_name, len) != 0 || at[len] != '[' || end == NULL)
        return NULL;
    return lp_arena_strndup(arena, quote + 1, (size_t)(end - quote - 1));
}

/* "1-4-L1" of "1-4-L1-1-ODUflexi-1". */
static const char *
line_of(struct lp_arena *arena, const char *odu)
{
    const char *at = strstr(odu, "-ODU"), *port;
    const char *carrier = at != NULL ? lp_arena_strndup(arena, odu, (size_t)(at - odu)) : NULL;
    const char *dash = carrier != NULL ? strrchr(carrier, '-') : NULL;
    const char *line =
        dash != NULL ? lp_arena_strndup(arena, carrier, (size_t)(dash - carrier)) : NULL;

    return line != NULL && g42_card_of(arena, line, &port) != NULL ? line : NULL;
}

bool
g42_xcon_of(struct lp_arena *arena, const json_t *entry, struct g42_xcon *out)
{
    const char *ends[2] = {ir_text(arena, entry, "source", ""),
                           ir_text(arena, entry, "destination", "")};

    *out = (struct g42_xcon){.name = ir_text(arena, entry, "name", "")};
    for (size_t i = 0; i < 2; i++) {
        const char *client = named(arena, ends[i], "ethernet");
        const char *odu = named(arena, ends[1 - i], "odu");

        if (client != NULL && odu != NULL) {
            out->client = client;
            out->line = line_of(arena, odu);
        }
    }
    return out->client != NULL && out->line != NULL;
}

static json_t *
normal(struct lp_arena *arena, const json_t *entry, const struct g42_xcon *xcon)
{
    json_t *out = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "name", xcon->name, "line",
                            xcon->line, "payload", ir_text(arena, entry, "payload-type", ""),
                            "direction", ir_text(arena, entry, "direction", "two-way"), "label",
                            ir_text(arena, entry, "label", ""), "circuit_id_suffix",
                            ir_text(arena, entry, "circuit-id-suffix", ""));
    const char *managed = ir_text(arena, entry, "managed-by", "user");
    const char *slots = ir_text(arena, entry, "dst-time-slots", "");

    if (slots[0] != '\0') /* not every release tells */
        (void)lp_json_set_str(out, "slots", slots);
    if (strcmp(managed, "user") != 0)
        (void)lp_json_set_str(out, "managed_by", managed);
    return out;
}

enum lp_code
g42_xc_read(const struct ir_source *source, struct lp_arena *arena, const char *client,
            json_t **out, struct lp_err *err)
{
    json_auto_t *all = NULL;
    struct g42_xcon xcon;
    json_t *entry;
    size_t i;
    enum lp_code rc = source->get(source->ctx, G42_XCON, &list, &all, err);

    *out = NULL;
    json_array_foreach(all, i, entry)
    {
        if (*out == NULL && g42_xcon_of(arena, entry, &xcon) && strcmp(xcon.client, client) == 0)
            *out = normal(arena, entry, &xcon);
    }
    return rc;
}

/* ---- writing ---- */

static const char *
instance(struct lp_arena *arena, const char *name)
{
    return lp_arena_printf(arena, "%s=%s", G42_XCON, ir_encode(arena, name));
}

static enum lp_code
with_body(struct lp_arena *arena, struct ir_request *request, json_t *body, struct lp_err *err)
{
    char *text = json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS);

    json_decref(body);
    request->body = text != NULL ? lp_arena_strdup(arena, text) : NULL;
    free(text);
    return request->body != NULL && request->path != NULL
               ? LP_OK
               : lp_fail(err, LP_NOMEM, "no memory for a request");
}

static enum lp_code
choose_slots(const struct ir_source *source, struct lp_arena *arena, const char *parent,
             const json_t *operation, json_t *produced, const char **out, struct lp_err *err)
{
    const json_t *hints = json_object_get(operation, "hints");
    const json_t *after = json_object_get(operation, "after");
    const char *payload = lp_json_str(after, "payload", ""), *available;
    const char *was = lp_json_str(after, "slots", NULL); /* where a deletion is undone */
    json_auto_t *odu = NULL;
    enum lp_code rc = source->get(
        source->ctx, lp_arena_printf(arena, "%s/odu=%s", G42_FACILITIES, ir_encode(arena, parent)),
        &list, &odu, err);

    if (rc != LP_OK)
        return rc;
    if (odu == NULL)
        return lp_fail(err, LP_RETRYABLE, "%s: there is no %s (yet)", source->name, parent);
    available = ir_text(arena, odu, "available-time-slots", "");
    *out = g42_slots(arena, available, g42_slots_of(payload),
                     lp_json_str(produced, "slots", lp_json_str(hints, "slots", was)));
    if (*out == NULL)
        return lp_fail(err, LP_CONFLICT,
                       "%s: %s has no %u contiguous time slots for %s, only %.80s", source->name,
                       parent, g42_slots_of(payload), payload,
                       available[0] != '\0' ? available : "none");
    (void)lp_json_set_str(produced, "slots", *out);
    return LP_OK;
}

static enum lp_code
create(const struct ir_source *source, struct lp_arena *arena, const json_t *operation,
       json_t *produced, struct ir_request *request, struct lp_err *err)
{
    const json_t *after = json_object_get(operation, "after");
    const char *client = strchr(lp_json_str(operation, "object", ":"), ':') + 1;
    const char *parent =
        lp_arena_printf(arena, "%s-ODUCni", g42_carrier(arena, lp_json_str(after, "line", "")));
    const char *slots = "*";
    enum lp_code rc = LP_OK;

    if (parent == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for a request");
    if (source != NULL)
        rc = choose_slots(source, arena, parent, operation, produced, &slots, err);
    if (rc != LP_OK)
        return rc;
    *request =
        (struct ir_request){.method = "POST", .path = "/operations/ioa-services:create-xcon"};
    return with_body(
        arena, request,
        json_pack("{s:{s:s, s:s, s:s, s:s, s:s, s:s, s:s}}", "ioa-services:input", "source",
                  lp_arena_printf(arena, "/ioa-ne:ne/facilities/ethernet[name='%s']", client),
                  "dst-parent-odu", parent, "dst-time-slots", slots, "payload-type",
                  lp_json_str(after, "payload", ""), "direction",
                  lp_json_str(after, "direction", "two-way"), "label",
                  lp_json_str(after, "label", ""), "circuit-id-suffix",
                  lp_json_str(after, "circuit_id_suffix", "")),
        err);
}

static enum lp_code
relabel(struct lp_arena *arena, const char *name, const json_t *after, struct ir_request *request,
        struct lp_err *err)
{
    json_t *entry = json_pack("{s:s}", "name", name);

    if (json_object_get(after, "label") != NULL)
        (void)json_object_set(entry, "label", json_object_get(after, "label"));
    if (json_object_get(after, "circuit_id_suffix") != NULL)
        (void)json_object_set(entry, "circuit-id-suffix",
                              json_object_get(after, "circuit_id_suffix"));
    *request = (struct ir_request){.method = "PATCH", .path = instance(arena, name)};
    return with_body(arena, request, json_pack("{s:[o]}", "ioa-network-element:xcon", entry), err);
}

/* The key of a cross-connect is its name, which the element chose; the client's is no part of it
 * that could be relied on. */
enum lp_code
g42_xc_write(const struct ir_source *source, struct lp_arena *arena, const json_t *operation,
             const json_t *actual, json_t *produced, struct ir_request requests[static IR_REQUESTS],
             size_t *count, struct lp_err *err)
{
    const char *action = lp_json_str(operation, "action", "");
    const json_t *known = actual != NULL ? actual : json_object_get(operation, "before");
    const char *name = lp_json_str(known, "name", "*");

    *count = 1;
    if (strcmp(action, "create") == 0)
        return create(source, arena, operation, produced, &requests[0], err);
    if (strcmp(action, "set") == 0)
        return relabel(arena, name, json_object_get(operation, "after"), &requests[0], err);
    requests[0] = (struct ir_request){.method = "DELETE", .path = instance(arena, name)};
    return LP_OK;
}

/* ---- planning ---- */

static enum lp_code
check(struct ir_planner *p, const json_t *intent)
{
    const char *port;

    if (g42_card_of(p->arena, lp_json_str(intent, "client", ""), &port) == NULL || port[0] != 'T')
        return ir_bad_intent(p, intent, LP_INVALID, "its client is no client port");
    if (lp_json_true(intent, "present") && g42_payload(lp_json_str(intent, "rate", "")) == NULL)
        return ir_bad_intent(p, intent, LP_INVALID, "its rate is 100GE or 400GE");
    return LP_OK;
}

/* Of two coupled lines it is the first one, L1, that clients are connected to. */
static enum lp_code
pick_line(struct ir_planner *p, const json_t *intent, const json_t *moving, const char **out)
{
    const json_t *lines = json_object_get(intent, "lines");
    const char *port = "";
    json_t *item;
    size_t i;

    (void)moving;
    *out = lp_json_str(intent, "line", NULL);
    if (json_array_size(lines) > 0)
        *out = NULL;
    json_array_foreach((json_t *)(uintptr_t)lines, i, item)
    {
        const char *name = json_is_string(item) ? json_string_value(item) : "";

        if (g42_card_of(p->arena, name, &port) != NULL
            && (json_array_size(lines) == 1 || strcmp(port, "L1") == 0))
            *out = name;
    }
    if (*out == NULL)
        return ir_bad_intent(p, intent, LP_INVALID, "none of its lines is an L1");
    if (g42_card_of(p->arena, *out, &port) == NULL || port[0] != 'L')
        return ir_bad_intent(p, intent, LP_INVALID, "its line is no line port");
    return LP_OK;
}

static json_t *
wanted(struct ir_planner *p, const json_t *intent, const char *line)
{
    const char *name = lp_json_str(intent, "name", "");
    json_t *out = json_pack("{s:s, s:s, s:s, s:s, s:s}", "line", line, "payload",
                            g42_payload(lp_json_str(intent, "rate", "")), "direction", "two-way",
                            "label", lp_json_str(intent, "label", name), "circuit_id_suffix",
                            lp_arena_printf(p->arena, "%.48s", name));

    return out;
}

/* Adds the ports whose super-channel goes to those where it is made anew: {port: true}. */
static enum lp_code
add_emptied(struct ir_planner *p, json_t *ports)
{
    const char *reference, *rest;
    enum lp_code rc = LP_OK;
    json_t *wish;

    json_object_foreach(p->wishes, reference, wish)
    {
        const json_t *actual = NULL;

        if (rc != LP_OK || lp_json_true(wish, "present") || !ir_reference(reference, "sc", &rest))
            continue;
        rc = ir_get(p, reference, &actual);
        while (actual != NULL && rest != NULL)
            (void)json_object_set_new(ports, ir_cut(p->arena, rest, '_', &rest), json_true());
    }
    return rc;
}

enum lp_code
g42_plan_xc(struct ir_planner *p, const json_t *moving)
{
    static const struct ir_xc_rules rules = {check, NULL, pick_line, wanted};
    json_auto_t *emptied = json_copy((json_t *)(uintptr_t)moving);
    const json_t *all = NULL;
    enum lp_code rc = ir_plan_xc(p, &rules, moving);
    struct g42_xcon xcon;
    json_t *entry;
    size_t i;

    if (rc == LP_OK)
        rc = add_emptied(p, emptied);
    if (rc == LP_OK && json_object_size(emptied) > 0)
        rc = ir_ask(p, G42_XCON, &list, &all);
    json_array_foreach((json_t *)(uintptr_t)all, i, entry)
    {
        const char *object;

        if (rc != LP_OK || !g42_xcon_of(p->arena, entry, &xcon)
            || (json_object_get(emptied, xcon.line) == NULL
                && json_object_get(emptied, xcon.client) == NULL))
            continue;
        object = ir_ref(p->arena, "xc", xcon.client);
        if (json_object_get(p->state, object) != NULL)
            continue; /* planned already */
        rc = p->take_over ? ir_xc_remove(p, xcon.client, "")
                          : lp_fail(p->err, LP_CONFLICT,
                                    "%s: the line cannot change, client %s is connected to %s (%s)",
                                    p->source->name, xcon.client, xcon.line,
                                    ir_text(p->arena, entry, "label", ""));
    }
    return rc;
}
