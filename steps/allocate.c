/* Numbers that are given out: the lowest that nobody has. */
#include "steps/allocate.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/claims.h"

enum { AT_ONCE = 16, VALUE_SIZE = 128 };

struct lp_number_range
lp_numbers_och(const struct lp_conf *conf)
{
    return (struct lp_number_range){lp_conf_live_int(&conf->numbers_och_low),
                                    lp_conf_live_int(&conf->numbers_och_high)};
}

struct lp_number_range
lp_numbers_flow(const struct lp_conf *conf)
{
    return (struct lp_number_range){lp_conf_live_int(&conf->numbers_flow_low),
                                    lp_conf_live_int(&conf->numbers_flow_high)};
}

struct lp_number_range
lp_numbers_client(const struct lp_conf *conf)
{
    return (struct lp_number_range){lp_conf_live_int(&conf->numbers_client_low),
                                    lp_conf_live_int(&conf->numbers_client_high)};
}

/** What is looked for, and where. */
struct search {
    struct lp_run *run;
    enum lp_stmt stmt;
    const char *scope, *what;
    struct lp_number_range range;
    lp_number_fn *value;
    void *arg;
    const json_t *except;
};

static void
value_of(const struct search *s, int64_t number, char *buf)
{
    if (s->value == NULL)
        (void)snprintf(buf, VALUE_SIZE, "%" PRId64, number);
    else
        s->value(s->arg, number, buf, VALUE_SIZE);
}

static bool
excepted(const struct search *s, int64_t number)
{
    const json_t *one;
    size_t i;

    json_array_foreach(s->except, i, one)
    {
        if (json_integer_value(one) == number)
            return true;
    }
    return false;
}

static bool
is_held(const struct lp_rows *rows, const char *value)
{
    for (size_t i = 0; i < lp_rows_count(rows); i++)
        if (strcmp(lp_rows_text(rows, i, "value"), value) == 0)
            return true;
    return false;
}

/** Of the numbers from `first` on, sixteen at most; 0 in *number: none of them. */
static enum lp_code
look_at(const struct search *s, int64_t first, int64_t *number, struct lp_err *err)
{
    static const char *const names[AT_ONCE] = {"v0",  "v1",  "v2",  "v3", "v4",  "v5",
                                               "v6",  "v7",  "v8",  "v9", "v10", "v11",
                                               "v12", "v13", "v14", "v15"};
    char values[AT_ONCE][VALUE_SIZE];
    struct lp_arg args[AT_ONCE + 1];
    struct lp_rows *rows = NULL;
    enum lp_code rc;

    for (int i = 0; i < AT_ONCE; i++) {
        int64_t one = first + i <= s->range.high ? first + i : s->range.high;

        value_of(s, one, values[i]);
        args[i] = lp_text(names[i], values[i]);
    }
    args[AT_ONCE] = lp_text("scope", s->scope);
    rc = lp_txn_query(s->run->txn, s->stmt, args, LP_COUNT(args), &rows, err);
    for (int i = AT_ONCE - 1; rc == LP_OK && i >= 0; i--)
        if (first + i <= s->range.high && !excepted(s, first + i) && !is_held(rows, values[i]))
            *number = first + i;
    lp_rows_free(rows);
    return rc;
}

static enum lp_code
take_turn(struct lp_run *run, const char *scope, struct lp_err *err)
{
    char turn[200];

    if (run->txn == NULL)
        return lp_fail(err, LP_INTERNAL, "numbers are given out in a transaction");
    (void)snprintf(turn, sizeof turn, "numbers:%s", scope);
    return lp_claims_turn(run->txn, turn, err);
}

static enum lp_code
none_left(const char *what, const struct lp_number_range *range, struct lp_err *err)
{
    return lp_fail(err, LP_CONFLICT, "no free %.64s between %" PRId64 " and %" PRId64, what,
                   range->low, range->high);
}

static enum lp_code
lowest(const struct search *s, int64_t *number, struct lp_err *err)
{
    enum lp_code rc = take_turn(s->run, s->scope, err);

    *number = 0;
    for (int64_t at = s->range.low; rc == LP_OK && *number == 0 && at <= s->range.high;
         at += AT_ONCE)
        rc = look_at(s, at, number, err);
    return rc == LP_OK && *number == 0 ? none_left(s->what, &s->range, err) : rc;
}

enum lp_code
lp_allocate_key(struct lp_run *run, const char *scope, const char *what,
                struct lp_number_range range, lp_number_fn *value, void *arg, const json_t *except,
                int64_t *number, struct lp_err *err)
{
    const struct search s = {run, LP_SQL_NUMBERS_KEYS, scope, what, range, value, arg, except};

    return lowest(&s, number, err);
}

enum lp_code
lp_allocate_value(struct lp_run *run, const char *leaf, const char *what,
                  struct lp_number_range range, const json_t *except, int64_t *number,
                  struct lp_err *err)
{
    const struct search s = {run, LP_SQL_NUMBERS_VALUES, leaf, what, range, NULL, NULL, except};

    return lowest(&s, number, err);
}

/* ---- values made of a prefix and a number ---- */

struct affix {
    const char *prefix;
    int digits;
};

static void
affixed(void *arg, int64_t number, char *buf, size_t size)
{
    const struct affix *affix = arg;

    (void)snprintf(buf, size, "%s%0*" PRId64, affix->prefix, affix->digits, number);
}

enum lp_code
lp_allocate_number(struct lp_run *run, const char *scope, const char *prefix, int digits,
                   const struct lp_number_range *range, const json_t *except, int64_t *number,
                   struct lp_err *err)
{
    struct affix affix = {prefix, digits};
    const struct search s = {run,   LP_SQL_NUMBERS_KEYS, scope, scope, *range, affixed, &affix,
                             except};

    return lowest(&s, number, err);
}

/** The number between prefix and separator, or -1. */
static int64_t
number_in(const char *value, const char *prefix, const char *separator)
{
    size_t len = strlen(prefix);
    char *end;
    long long number;

    if (strncmp(value, prefix, len) != 0 || value[len] < '0' || value[len] > '9')
        return -1;
    number = strtoll(value + len, &end, 10);
    return strncmp(end, separator, strlen(separator)) == 0 ? number : -1;
}

enum lp_code
lp_allocate_group(struct lp_run *run, const char *scope, const char *prefix, int digits,
                  const char *separator, const struct lp_number_range *range, int64_t *number,
                  struct lp_err *err)
{
    size_t span = (size_t)(range->high - range->low + 1);
    bool *used = calloc(span, sizeof *used);
    struct lp_rows *rows = NULL;
    enum lp_code rc =
        used == NULL ? lp_fail(err, LP_NOMEM, "no memory for numbers") : take_turn(run, scope, err);

    (void)digits; /* numbers are read as such, however many digits they were written with */
    if (rc == LP_OK)
        rc = lp_txn_query(run->txn, LP_SQL_NUMBERS_ALL, LP_ARGS(lp_text("scope", scope)), &rows,
                          err);
    for (size_t i = 0; rc == LP_OK && i < lp_rows_count(rows); i++) {
        int64_t n = number_in(lp_rows_text(rows, i, "value"), prefix, separator);
        if (n >= range->low && n <= range->high)
            used[n - range->low] = true;
    }
    *number = 0;
    for (size_t i = 0; rc == LP_OK && *number == 0 && i < span; i++)
        if (!used[i])
            *number = range->low + (int64_t)i;
    lp_rows_free(rows);
    free(used);
    return rc == LP_OK && *number == 0 ? none_left(scope, range, err) : rc;
}
