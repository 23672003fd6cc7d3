/*
 * Filter, sort, range and cursor texts of lists, one per line of the input. Whatever they say, the
 * list answers or refuses; a query that the database does not understand would be a defect, for
 * only constant pieces may reach it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/lists.h"
#include "tests/fuzz/fuzz.h"

static char dir[] = "/tmp/lp-fuzz-XXXXXX";
static char url[64];
static struct lp_store *store;
static struct lp_clock fuzz_clock;

static void
clean(void)
{
    static const char *const names[] = {"l.db", "l.db-wal", "l.db-shm", "l.db.lock"};
    char path[96];

    lp_store_close(store);
    for (size_t i = 0; i < LP_COUNT(names); i++) {
        (void)snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(dir);
}

static void
open_store(void)
{
    struct lp_store_options options = {.url = url, .pool = 1, .clock = &fuzz_clock};
    struct lp_err err = LP_ERR_INIT;
    unsigned applied;
    struct lp_unit *unit = lp_unit_new();

    if (mkdtemp(dir) == NULL)
        abort();
    (void)snprintf(url, sizeof url, "sqlite:%s/l.db", dir);
    if (lp_store_migrate(&options, &applied, &err) != LP_OK
        || lp_store_open(&options, &store, &err) != LP_OK)
        abort();
    (void)atexit(clean);
    for (int i = 0; i < 40; i++) {
        char id[16], text[32];

        (void)snprintf(id, sizeof id, "s%d", i);
        (void)snprintf(text, sizeof text, "Place-%d", i % 7);
        lp_unit_add(unit, LP_SQL_SUBSCRIPTION_INSERT,
                    LP_ARGS(lp_text("id", id), lp_text("product_id", "p"), lp_text("product", "P"),
                            lp_text("customer", id), lp_text("description", text),
                            lp_text("status", i % 3 == 0 ? "initial" : "active"),
                            lp_int("insync", i % 2), lp_null("start_date"), lp_null("end_date"),
                            lp_null("note"), lp_int("at", i / 4)));
    }
    if (lp_store_commit(store, unit, &err) != LP_OK)
        abort();
    lp_unit_free(unit);
}

static void
ask(const struct lp_list *list, const struct lp_list_request *request)
{
    struct lp_list_result result;
    struct lp_err err = LP_ERR_INIT;
    enum lp_code rc = lp_list_query(store, list, request, &result, &err);

    if (rc == LP_OK) {
        struct lp_list_request next = *request;

        if (lp_rows_count(result.rows) > 10000)
            abort();
        if (result.next_cursor != NULL) {
            struct lp_list_result more;

            next.cursor = result.next_cursor; /* our own cursor is always good */
            if (lp_list_query(store, list, &next, &more, &err) != LP_OK)
                abort();
            lp_list_result_free(&more);
        }
        lp_list_result_free(&result);
    } else if (rc != LP_INVALID || err.msg[0] == '\0' || err.pointer[0] == '\0') {
        (void)fprintf(stderr, "%s: %s\n", lp_code_info(rc)->slug, err.msg);
        abort();
    }
    lp_err_clear(&err);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1), *rest = text, *parts[4];
    struct lp_list_request request = {.limit = 10};

    if (text == NULL)
        return 0;
    if (store == NULL)
        open_store();
    memcpy(text, data, size);
    text[size] = '\0';
    for (size_t i = 0; i < LP_COUNT(parts); i++)
        parts[i] = rest == NULL ? NULL : strsep(&rest, "\n");
    request.filter = parts[0];
    request.sort = parts[1];
    request.range = parts[2];
    request.cursor = parts[3];
    ask(&lp_list_subscriptions, &request);
    ask(&lp_list_processes, &request);
    free(text);
    return 0;
}
