/* RESTCONF decoding: paths, queries, error bodies, redaction, bodies against YANG. The first byte
 * chooses; nothing may crash, and what was made can be read again. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "clients/yang_check.h"
#include "tests/fuzz/fuzz.h"
#include "wire/restconf.h"

static const char module_text[] =
    "module m { yang-version 1.1; namespace 'urn:m'; prefix m;"
    " container c { leaf s { type string { length '0..9'; } } leaf n { type uint64; }"
    "  leaf d { type decimal64 { fraction-digits 2; } } leaf b { type boolean; }"
    "  leaf e { type empty; } leaf-list ll { type int8; } leaf u { type union { type uint8; type"
    "  enumeration { enum x; } } }"
    "  list l { key k; leaf k { type string; } container i { leaf v { type string; } } } }"
    " rpc r { input { leaf a { type string; } } output { leaf z { type uint32; } } } }";
static const struct lp_yang_source sources[] = {{"f", "m", module_text}};

static void
fuzz_path(const char *text)
{
    struct lp_arena *arena = lp_arena_new();
    struct lp_restconf_target t;
    struct lp_restconf_query query;
    struct lp_err err = LP_ERR_INIT;

    if (lp_restconf_path_parse(arena, text, &t, &err) == LP_OK) {
        struct lp_buf again = LP_BUF_INIT;

        for (size_t i = 0; i < t.count; i++)
            for (size_t k = 0; k < t.segments[i].key_count; k++) { /* a key survives the journey */
                struct lp_restconf_target back;

                lp_buf_reset(&again);
                lp_restconf_path(&again, "/l=%s", t.segments[i].keys[k]);
                if (again.len > LP_RESTCONF_MAX_PATH)
                    continue;
                assert(lp_restconf_path_parse(arena, again.data, &back, &err) == LP_OK);
                assert(strcmp(back.segments[0].keys[0], t.segments[i].keys[k]) == 0);
            }
        lp_buf_free(&again);
    }
    lp_err_clear(&err);
    (void)!lp_restconf_query_parse(arena, text, &query, &err);
    lp_err_clear(&err);
    lp_arena_free(arena);
}

static void
fuzz_answer(const char *text, size_t len)
{
    const struct lp_restconf_answer answer = {
        .status = 100 + (len > 0 ? (unsigned char)text[0] * 2 : 0), .body = text, .len = len};
    struct lp_err err = LP_ERR_INIT;
    struct lp_buf shown = LP_BUF_INIT;
    static const char *const secrets[] = {"se\"cret", NULL};

    if (lp_restconf_outcome(&answer, true, false, 0, &err) != LP_OK)
        assert(lp_utf8_valid(err.msg, strlen(err.msg)) && err.detail != NULL);
    lp_err_clear(&err);
    lp_restconf_redact(&shown, text, len, secrets);
    assert(shown.data == NULL || memmem(shown.data, shown.len, "se\"cret", 7) == NULL);
    lp_buf_free(&shown);
    assert(lp_restconf_retry_after_ms(text, 0) <= LP_RESTCONF_RETRY_MAX_MS);
    (void)lp_restconf_etag_usable(text);
    (void)lp_restconf_media_of(text);
}

/* What was put into shape keeps its shape. */
static void
fuzz_body(const char *text, size_t len)
{
    static struct lp_yang *yang;
    static const char *const paths[] = {"/data/m:c", "/data/m:c/l", "/data/m:c/l=a",
                                        "/operations/m:r"};
    json_auto_t *body = NULL;
    struct lp_err err = LP_ERR_INIT;

    if (yang == NULL && lp_yang_new_from(sources, 1, "f", &yang, &err) != LP_OK)
        abort();
    if (lp_json_load(text, len, &body, &err) != LP_OK)
        body = NULL;
    lp_err_clear(&err);
    for (size_t i = 0; body != NULL && i < LP_COUNT(paths); i++) {
        json_auto_t *out = NULL, *notes = NULL, *wrapped = NULL, *again = NULL;

        if (lp_yang_take(yang, paths[i], body, &out, &notes, &err) == LP_OK) {
            wrapped = json_pack(i == 2 ? "{s:[O]}" : "{s:O}",
                                i == 0   ? "m:c"
                                : i == 3 ? "m:output"
                                         : "m:l",
                                out);
            assert(lp_yang_take(yang, paths[i], wrapped, &again, NULL, &err) == LP_OK);
            assert(lp_json_same(out, again));
        }
        lp_err_clear(&err);
        (void)!lp_yang_check_data(yang, paths[i], false, body, &err);
        lp_err_clear(&err);
        (void)!lp_yang_check_rpc(yang, paths[i], body, &err);
        lp_err_clear(&err);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text;

    if (size == 0)
        return 0;
    text = malloc(size);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    if (data[0] % 3 == 0)
        fuzz_path(text);
    else if (data[0] % 3 == 1)
        fuzz_answer(text, size - 1);
    else
        fuzz_body(text, size - 1);
    free(text);
    return 0;
}
