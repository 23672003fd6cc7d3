/* HTTP pieces: request targets, Host, Origin, bearer, entity tags, framing fields, search texts.
 * The first byte chooses the piece. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "api/http.h"
#include "api/lists.h"
#include "base/json.h"
#include "fuzz.h"
#include "tests/support/catalog_env.h"

static void
check_target(struct lp_arena *arena, const char *text)
{
    struct lp_http_target target;
    struct lp_err err = LP_ERR_INIT;

    if (lp_http_target_parse(arena, text, &target, &err) == LP_OK) {
        assert(text[0] == '/');
        for (size_t i = 0; i < target.segment_count; i++) {
            assert(target.segments[i][0] != '\0');
            assert(lp_http_text_sane(target.segments[i], strlen(target.segments[i])));
        }
        for (size_t i = 0; i < target.query_count; i++) {
            const struct lp_http_pair *pair = &target.query[i];

            assert(lp_http_text_sane(pair->name, strlen(pair->name)));
            assert(lp_http_text_sane(pair->value, strlen(pair->value)));
            assert(lp_http_query(&target, pair->name) == pair->value); /* never given twice */
        }
    } else {
        assert(err.msg[0] != '\0');
        assert(lp_utf8_valid(err.msg, strlen(err.msg)));
    }
    lp_err_clear(&err);
}

static void
check_fields(const char *text)
{
    const char *token = lp_http_bearer(text);

    assert(token == NULL || (token > text && *token != '\0'));
    (void)lp_http_is_json(text);
    (void)lp_http_none_match_hit(text, "\"0123456789abcdef\"");
    if (lp_http_id_sane(text))
        assert(strlen(text) <= 64 && strpbrk(text, " \r\n\"<>") == NULL);
    if (lp_http_host_allowed(text, "a.example,b.example:81"))
        assert(strpbrk(text, "@/ ") == NULL);
    assert(!lp_http_origin_listed("null", text));
    (void)lp_http_origin_is_host(text, "localhost");
}

static void
check_framing(char *text)
{
    struct lp_http_framing framing = {.lengths = 0};
    struct lp_err err = LP_ERR_INIT;

    while (*text != '\0') {
        char *end = text + strcspn(text, "\n");
        bool last = *end == '\0';
        char *colon;

        *end = '\0';
        colon = strchr(text, ':');
        if (colon != NULL) {
            *colon = '\0';
            lp_http_framing_field(&framing, text, colon + 1);
        }
        text = last ? end : end + 1;
    }
    if (lp_http_framing_check(&framing, &err) == LP_OK)
        assert(framing.lengths + framing.transfers <= 1 && framing.hosts <= 1);
    lp_err_clear(&err);
}

static const struct lp_catalog *
catalog(void)
{
    static struct lp_catalog *loaded; /* once for all inputs */

    if (loaded == NULL)
        loaded = lp_test_catalog(false);
    return loaded;
}

static void
check_search(struct lp_arena *arena, const char *text)
{
    struct lp_search *search = lp_arena_alloc(arena, sizeof *search);
    struct lp_err err = LP_ERR_INIT;

    assert(search != NULL);
    search->arena = arena;
    search->catalog = catalog();
    if (lp_search_parse(text, search, &err) == LP_OK) {
        /* what came from outside is never in the SQL */
        assert(strpbrk(search->sql.data, "\";%") == NULL);
        assert(search->arg_count <= LP_COUNT(search->args));
    }
    lp_buf_free(&search->sql);
    lp_err_clear(&err);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lp_arena *arena = lp_arena_new();
    char *text = calloc(1, size + 1);

    assert(arena != NULL && text != NULL);
    if (size > 0) {
        memcpy(text, data + 1, size - 1);
        switch (data[0] % 4) {
        case 0:
            check_target(arena, text);
            break;
        case 1:
            check_fields(text);
            break;
        case 2:
            check_framing(text);
            break;
        default:
            check_search(arena, text);
        }
    }
    free(text);
    lp_arena_free(arena);
    return 0;
}
