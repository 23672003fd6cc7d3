/* FlexILS planning over whatever an element may say: the input is lines "CLASS record"; a list of
 * intents is planned over them. The plan is an error or operations whose commands can be built, and
 * planning twice gives equal bytes. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "clients/infinera/flexils/normal.h"
#include "clients/infinera/flexils/plan.h"
#include "clients/infinera/flexils/read.h"
#include "tests/fuzz/fuzz.h"

static const char intents_text[] =
    "[{\"id\":\"a\",\"kind\":\"fiber-end\",\"present\":true,\"port\":\"1-A-1-L1\",\"label\":\"x\","
    "\"length_m\":80000,\"loss_cdb\":2600,\"peer\":{\"node\":\"n2\",\"port\":\"1-A-2-L1\","
    "\"platform\":\"Infinera FlexILS\"}},"
    "{\"id\":\"b\",\"kind\":\"fiber-end\",\"present\":false,\"port\":\"1-A-3-T2\"},"
    "{\"id\":\"c\",\"kind\":\"circuit\",\"present\":true,\"name\":\"C 1\",\"label\":\"l\",\"a\":{"
    "\"port\":\"1-A-3-T1\"},\"z\":{\"node\":\"n2\",\"port\":\"1-A-5-T1\"},\"route\":[{\"node\":"
    "\"n1\",\"port\":\"1-A-1-L1\"},{\"node\":\"n2\",\"port\":\"1-A-2-L1\"}],\"low_mhz\":193450000,"
    "\"high_mhz\":193550000},"
    "{\"id\":\"d\",\"kind\":\"circuit\",\"present\":false,\"name\":\"C 2\",\"a\":{\"port\":"
    "\"1-A-3-T1\"},\"z\":{\"node\":\"n2\",\"port\":\"1-A-5-T1\"}},"
    "{\"id\":\"e\",\"kind\":\"shutter\",\"present\":true,\"open\":true,\"port\":\"1-A-3-T1\","
    "\"circuit\":\"C 1\",\"low_mhz\":193450000,\"high_mhz\":193550000},"
    "{\"id\":\"f\",\"kind\":\"cross-connect\",\"present\":false,\"name\":\"X\",\"from\":"
    "\"1-A-3-T2\",\"to\":\"1-A-4-S1\"}]";

static enum lp_code
get(void *ctx, enum fx_class object, const char *aid, const json_t **out, struct lp_err *err)
{
    json_t **classes = ctx;

    (void)err;
    *out = json_object_get(classes[object], aid);
    return LP_OK;
}

static enum lp_code
all(void *ctx, enum fx_class object, const json_t **out, struct lp_err *err)
{
    json_t **classes = ctx;

    (void)err;
    *out = classes[object];
    return LP_OK;
}

static enum lp_code
remote(void *ctx, const char *tid, enum fx_class object, const json_t **out, struct lp_err *err)
{
    (void)ctx, (void)object, (void)out;
    return lp_fail(err, LP_UNSUPPORTED, "%s cannot be asked", tid);
}

static enum lp_code
power(void *ctx, const char *port, const char *circuit, const json_t **out, struct lp_err *err)
{
    (void)ctx, (void)circuit, (void)out;
    return lp_fail(err, LP_NOT_FOUND, "nothing at %s", port);
}

static void
add_line(json_t **classes, const char *line, size_t len)
{
    struct lp_tl1_scratch scratch = {0};
    struct lp_tl1_record record;
    struct lp_err err = LP_ERR_INIT;
    char key[256];

    for (unsigned c = 0; c < FX_CLASS_COUNT; c++) {
        const char *prefix = fx_class_prefix((enum fx_class)c);
        size_t n = strlen(prefix);

        if (len <= n || strncmp(line, prefix, n) != 0 || line[n] != ' ')
            continue;
        if (lp_tl1_record_parse(line + n + 1, len - n - 1, &scratch, &record, &err) == LP_OK
            && fx_key_of(&record, key, sizeof key) && lp_utf8_valid(key, strlen(key)))
            (void)json_object_set_new(classes[c], key, fx_object_of((enum fx_class)c, &record));
    }
    lp_tl1_scratch_free(&scratch);
    lp_err_clear(&err);
}

static char *
plan(json_t **classes, const json_t *intents)
{
    const struct fx_source source = {classes, "n1", get, all, remote, power};
    struct lp_arena *arena = lp_arena_new();
    struct lp_err err = LP_ERR_INIT;
    json_t *ops = NULL;
    char *text = NULL;
    size_t len = 0;
    enum lp_code rc = fx_plan(&source, arena, intents, false, &ops, &err);

    assert((rc == LP_OK) == (ops != NULL) && (rc == LP_OK || err.msg[0] != '\0'));
    if (rc == LP_OK)
        assert(lp_json_canonical(ops, &text, &len, &err) == LP_OK);
    json_decref(ops);
    lp_err_clear(&err);
    lp_arena_free(arena);
    return text;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *classes[FX_CLASS_COUNT], *intents = json_loads(intents_text, 0, NULL), *link;
    const char *text = (const char *)data, *end = text + size, *aid;
    char *first, *second;

    for (size_t i = 0; i < FX_CLASS_COUNT; i++)
        classes[i] = json_object();
    while (text < end) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        const char *stop = newline != NULL ? newline : end;

        add_line(classes, text, (size_t)(stop - text));
        text = stop + (newline != NULL);
    }
    first = plan(classes, intents);
    second = plan(classes, intents);
    assert((first == NULL) == (second == NULL));
    assert(first == NULL || strcmp(first, second) == 0);
    json_object_foreach(classes[FX_OTELINK], aid, link)
        json_decref(fx_occupied(json_object_get(link, "AVAILFREQRANGELIST"), 191325000, 196125000));
    free(first);
    free(second);
    for (size_t i = 0; i < FX_CLASS_COUNT; i++)
        json_decref(classes[i]);
    json_decref(intents);
    return 0;
}
