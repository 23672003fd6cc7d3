#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "store/internal.h"

enum {
    BATCH_WAIT_MS = 60000,
    ANSWER_WAIT_MS = 3600000,
    READ_WAIT_MS = 35000,
    OID_BOOL = 16,
    OID_INT8 = 20,
    OID_INT2 = 21,
    OID_INT4 = 23
};
enum { SERVER_LEAST = 130000, HOLD_TRIES = 50, HOLD_PAUSE_MS = 100 };

enum prepared { NOT_PREPARED, PREPARE_SENT, PREPARED };

/* What was put into the pipeline, in order. */
struct command {
    struct lp_item *item; /* NULL: a Parse */
    enum lp_stmt stmt;
    unsigned char width; /* its place in widths */
};

/* Rows of one statement, each width prepared for itself. */
enum { WIDTHS = 6, WIDE_PARAMS = 512 };
static const unsigned widths[WIDTHS] = {1, 2, 4, 8, 16, 32};

struct lp_conn {
    PGconn *pg;
    enum lp_role role;
    bool dead;                 /* must not be used again, whatever libpq thinks of it */
    bool draining;             /* the end of a read transaction was sent, its answer not read yet */
    const char *begin_pending; /* goes out with the first statement: saves a round trip */
    bool lz4;                  /* the server can compress with it */
    int64_t limit_ms;          /* an answer that takes longer never comes */
    struct command *commands;
    size_t command_count, command_cap;
    unsigned char prepared[LP_SQL_COUNT][WIDTHS];
    struct lp_item **appends; /* of the batch in work: what goes to its end */
    size_t append_count, append_cap;
};

const char *
lp_pg_schema(const struct lp_store_options *options)
{
    return options->schema == NULL ? "lightpath" : options->schema;
}

/* ---- errors ---- */

static void
one_line(const char *text, char *out, size_t size)
{
    size_t used = 0;

    for (; *text != '\0' && used + 1 < size; text++)
        if (*text != '\n')
            out[used++] = *text;
        else if (text[1] != '\0')
            out[used++] = ' ';
    out[used] = '\0';
}

static enum lp_code
lost(struct lp_conn *conn, enum lp_code code, struct lp_err *err)
{
    char text[300];

    one_line(PQerrorMessage(conn->pg), text, sizeof text);
    return lp_fail(err, code, "PostgreSQL: connection lost: %s",
                   *text == '\0' ? "no answer" : text);
}

struct state_row {
    const char *prefix; /* of the SQLSTATE; the first that fits */
    enum lp_code code;
};
static const struct state_row states[] = {
    {"40001", LP_RETRYABLE}, /* serialization failure */
    {"40P01", LP_RETRYABLE}, /* deadlock */
    {"55P03", LP_RETRYABLE}, /* lock timeout */
    {"22021", LP_INVALID},   /* not UTF-8 */
    {"54000", LP_TOO_LARGE}, /* program limit */
    {"25006", LP_STORE},     /* read-only */
    {"42501", LP_STORE},     /* not permitted */
    {"42P01", LP_STORE},     /* the schema has gone */
    {"3F000", LP_STORE},     {"0A000", LP_STORE}, {"08", LP_STORE}, {"28", LP_STORE},
    {"3D", LP_STORE},        {"53", LP_STORE},    {"57", LP_STORE}, {"58", LP_STORE},
    {"F0", LP_STORE},        {"XX", LP_STORE},
};

static enum lp_code
state_code(const char *state)
{
    for (size_t i = 0; i < LP_COUNT(states); i++)
        if (strncmp(state, states[i].prefix, strlen(states[i].prefix)) == 0)
            return states[i].code;
    return LP_INTERNAL;
}

static const char *
field(const PGresult *res, int code)
{
    const char *text = PQresultErrorField(res, code);

    return text == NULL ? "" : text;
}

static enum lp_code
constraint_error(const PGresult *res, const struct lp_sql *sql, const char *state,
                 struct lp_err *err)
{
    char place[128];

    if (strcmp(state, "23502") == 0) {
        snprintf(place, sizeof place, "%s.%s", field(res, PG_DIAG_TABLE_NAME),
                 field(res, PG_DIAG_COLUMN_NAME));
        return lp_fail_not_null(err, place);
    }
    if (strcmp(state, "23505") == 0 || strcmp(state, "23P01") == 0) /* unique, exclusion */
        return lp_fail_unique(err, field(res, PG_DIAG_CONSTRAINT_NAME));
    if (strcmp(state, "23503") == 0)
        return lp_fail_foreign(err, sql == NULL ? NULL : sql->table);
    return lp_fail(err, LP_INTERNAL, "statement %s: %s", sql == NULL ? "query" : sql->name,
                   field(res, PG_DIAG_MESSAGE_PRIMARY));
}

static enum lp_code
result_error(struct lp_conn *conn, const PGresult *res, const struct lp_sql *sql,
             struct lp_err *err)
{
    const char *state = field(res, PG_DIAG_SQLSTATE);
    enum lp_code code = state_code(state);
    char text[300];

    if (strncmp(state, "23", 2) == 0)
        return constraint_error(res, sql, state, err);
    if (*state == '\0')
        return lost(conn, LP_STORE, err);
    one_line(field(res, PG_DIAG_MESSAGE_PRIMARY), text, sizeof text);
    if (code == LP_INTERNAL)
        return lp_fail(err, code, "statement %s: %s", sql == NULL ? "query" : sql->name, text);
    return lp_fail(err, code, "PostgreSQL: %s", text);
}

/* ---- values ---- */

struct params {
    const char *texts[WIDE_PARAMS];
    char numbers[WIDE_PARAMS][24];
    size_t count;
};

static const char *
print_int(int64_t value, char out[static 24])
{
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    char *p = out + 23;

    *p = '\0';
    do
        *--p = (char)('0' + rest % 10);
    while ((rest /= 10) != 0);
    if (value < 0)
        *--p = '-';
    return p;
}

static void
print_values(struct params *params, const struct lp_value *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t at = params->count++;

        switch (values[i].kind) {
        case LP_VALUE_NULL:
            params->texts[at] = NULL;
            break;
        case LP_VALUE_INT:
            params->texts[at] = print_int(values[i].i, params->numbers[at]);
            break;
        case LP_VALUE_TEXT:
            params->texts[at] = values[i].s;
            break;
        }
    }
}

/* ---- rows ---- */

static void
drop_result(void *owner)
{
    PQclear(owner);
}

static void
fill_cell(const PGresult *res, int row, int column, struct lp_cell *cell)
{
    if (PQgetisnull(res, row, column))
        return;
    cell->text = PQgetvalue(res, row, column);
    if (PQftype(res, column) != OID_BOOL) {
        cell->i = strtoll(cell->text, NULL, 10);
        return;
    }
    cell->i = *cell->text == 't';
    cell->text = cell->i != 0 ? "1" : "0"; /* as SQLite says it */
}

/* Takes the result: the texts stay in it. NULL without memory. */
static struct lp_rows *
rows_take(PGresult *res)
{
    int columns = PQnfields(res), count = PQntuples(res);
    struct lp_rows *rows = lp_rows_new((size_t)columns);

    if (rows == NULL) {
        PQclear(res);
        return NULL;
    }
    rows->owner = res;
    rows->drop = drop_result;
    for (int i = 0; i < columns; i++)
        rows->names[i] = PQfname(res, i);
    rows->cap = (size_t)count;
    rows->cells = calloc((size_t)count + 1, ((size_t)columns + 1) * sizeof *rows->cells);
    if (rows->cells == NULL) {
        lp_rows_free(rows);
        return NULL;
    }
    for (int row = 0; row < count; row++)
        for (int i = 0; i < columns; i++)
            fill_cell(res, row, i, rows->cells + (size_t)row * (size_t)columns + i);
    rows->count = (size_t)count;
    return rows;
}

static int64_t
changed_of(PGresult *res)
{
    return PQresultStatus(res) == PGRES_COMMAND_OK || PQntuples(res) >= 0
               ? strtoll(PQcmdTuples(res), NULL, 10)
               : 0;
}

/* ---- one statement ---- */

static void
drain(struct lp_conn *conn)
{
    PGresult *res;

    if (!conn->draining)
        return;
    conn->draining = false;
    while ((res = PQgetResult(conn->pg)) != NULL)
        PQclear(res);
}

/* Sends what is pending, the statement, and a Sync, as one pipeline: one round trip. *parts =
 * answers to come before the Sync. */
static bool
send_call(struct lp_conn *conn, const struct lp_call *call, int *parts)
{
    struct params params;
    const char *const *texts = params.texts;
    int count = (int)call->count;

    params.count = 0;
    print_values(&params, call->values, call->count);
    if (conn->begin_pending != NULL) {
        if (!PQsendQueryParams(conn->pg, conn->begin_pending, 0, NULL, NULL, NULL, NULL, 0))
            return false;
        ++*parts;
        conn->begin_pending = NULL;
    }
    if (call->sql != NULL && conn->prepared[call->sql - lp_sql_table][0] != PREPARED) {
        if (!PQsendPrepare(conn->pg, call->sql->name, call->sql->text[LP_DIALECT_POSTGRES], 0,
                           NULL))
            return false;
        ++*parts;
    }
    ++*parts;
    if (call->sql != NULL
            ? !PQsendQueryPrepared(conn->pg, call->sql->name, count, texts, NULL, NULL, 0)
            : !PQsendQueryParams(conn->pg, call->text, count, NULL, texts, NULL, NULL, 0))
        return false;
    return PQpipelineSync(conn->pg) != 0;
}

static int64_t
mono_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The next answer, or the end of the connection's use: a server that was stopped keeps its sockets
   open. */
static PGresult *
take_result(struct lp_conn *conn, int64_t end_ms)
{
    while (PQisBusy(conn->pg)) {
        struct pollfd fd = {.fd = PQsocket(conn->pg), .events = POLLIN};
        int left = PQflush(conn->pg);
        int64_t wait = end_ms - mono_ms();
        int ready;

        if (left > 0)
            fd.events |= POLLOUT;
        ready = wait <= 0 || left < 0 ? 0 : poll(&fd, 1, (int)wait);
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0 || (fd.revents != POLLOUT && !PQconsumeInput(conn->pg))) {
            conn->dead = true;
            return NULL;
        }
    }
    return PQgetResult(conn->pg);
}

/* The answers in order; the last one is the statement's own and is kept. */
static enum lp_code
read_answers(struct lp_conn *conn, const struct lp_call *call, int parts, PGresult **own,
             struct lp_err *err)
{
    int64_t end_ms = mono_ms() + conn->limit_ms;
    enum lp_code rc = LP_OK;

    for (int i = 0; i < parts; i++) {
        PGresult *res = take_result(conn, end_ms), *end;
        ExecStatusType status = PQresultStatus(res);

        if (res == NULL)
            return rc != LP_OK ? rc : lost(conn, LP_STORE, err);
        if (rc == LP_OK && status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
            rc = result_error(conn, res, call->sql, err);
        if (rc == LP_OK && i + 1 == parts)
            *own = res;
        else
            PQclear(res);
        end = PQgetResult(conn->pg);
        PQclear(end);
        if (PQstatus(conn->pg) == CONNECTION_BAD)
            return rc != LP_OK ? rc : lost(conn, LP_STORE, err);
    }
    return rc;
}

static enum lp_code
run(struct lp_conn *conn, const struct lp_call *call, struct lp_rows **rows, int64_t *changed,
    struct lp_err *err)
{
    PGresult *own = NULL, *sync;
    int parts = 0;
    enum lp_code rc;

    drain(conn);
    if (PQstatus(conn->pg) == CONNECTION_BAD || !PQenterPipelineMode(conn->pg)
        || !send_call(conn, call, &parts))
        return lost(conn, LP_STORE, err);
    rc = read_answers(conn, call, parts, &own, err);
    for (int i = 0; i < 3 && PQstatus(conn->pg) != CONNECTION_BAD && !conn->dead; i++) {
        bool done;

        sync = PQgetResult(conn->pg);
        done = PQresultStatus(sync) == PGRES_PIPELINE_SYNC;
        PQclear(sync);
        if (done)
            break;
    }
    if (!PQexitPipelineMode(conn->pg) && rc == LP_OK)
        rc = lost(conn, LP_STORE, err);
    if (rc != LP_OK) {
        PQclear(own);
        return rc;
    }
    if (call->sql != NULL)
        conn->prepared[call->sql - lp_sql_table][0] = PREPARED;
    if (changed != NULL)
        *changed = changed_of(own);
    if (rows == NULL)
        PQclear(own);
    else if ((*rows = rows_take(own)) == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for the rows of a query");
    return LP_OK;
}

/* Simple protocol, several statements at once. */
static enum lp_code
exec(struct lp_conn *conn, const char *text, PGresult **out, struct lp_err *err)
{
    PGresult *res = PQexec(conn->pg, text);
    ExecStatusType status = PQresultStatus(res);
    enum lp_code rc = LP_OK;

    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        rc = res == NULL ? lost(conn, LP_STORE, err) : result_error(conn, res, NULL, err);
    if (rc == LP_OK && out != NULL)
        *out = res;
    else
        PQclear(res);
    return rc;
}

static enum lp_code
begin(struct lp_conn *conn, bool write, struct lp_err *err)
{
    (void)err;
    drain(conn);
    conn->begin_pending = write ? "BEGIN ISOLATION LEVEL READ COMMITTED"
                                : "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    return LP_OK;
}

static enum lp_code
commit(struct lp_conn *conn, struct lp_err *err)
{
    PGresult *res = NULL;
    enum lp_code rc;

    if (conn->begin_pending != NULL) {
        conn->begin_pending = NULL; /* nothing was done */
        return LP_OK;
    }
    rc = exec(conn, "COMMIT", &res, err);
    if (rc == LP_OK && strcmp(PQcmdStatus(res), "COMMIT") != 0)
        rc = lp_fail(err, LP_STORE, "PostgreSQL rolled the transaction back");
    PQclear(res);
    if (rc == LP_STORE && PQstatus(conn->pg) == CONNECTION_BAD)
        err->code = rc = LP_UNKNOWN; /* the COMMIT had been sent */
    return rc;
}

static void
rollback(struct lp_conn *conn)
{
    PGTransactionStatusType status;

    conn->begin_pending = NULL;
    status = PQtransactionStatus(conn->pg);
    if (status == PQTRANS_IDLE || status == PQTRANS_UNKNOWN)
        return;
    /* Nobody waits for the answer; the next user of the connection picks it up. */
    if (PQsendQuery(conn->pg, "ROLLBACK")) {
        conn->draining = true;
        PQflush(conn->pg);
    }
}

/* A server without lz4 refuses the word: everything else is the same. */
static char *
without_lz4(const char *text)
{
    static const char word[] = " COMPRESSION lz4";
    struct lp_buf buf = LP_BUF_INIT;
    const char *at;

    while ((at = strstr(text, word)) != NULL) {
        lp_buf_add(&buf, text, (size_t)(at - text));
        text = at + sizeof word - 1;
    }
    lp_buf_str(&buf, text);
    return lp_buf_take(&buf);
}

static enum lp_code
script(struct lp_conn *conn, const char *text, struct lp_err *err)
{
    enum lp_code rc = LP_OK;
    char *plain = NULL;

    drain(conn);
    if (conn->begin_pending != NULL) {
        rc = exec(conn, conn->begin_pending, NULL, err);
        conn->begin_pending = NULL;
    }
    if (!conn->lz4 && (plain = without_lz4(text)) == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for a migration");
    if (rc == LP_OK)
        rc = exec(conn, plain == NULL ? text : plain, NULL, err);
    free(plain);
    return rc;
}

/* ---- a batch: one pipeline, one Sync, hence one transaction ---- */

static enum lp_code
push_command(struct lp_conn *conn, enum lp_stmt stmt, size_t width, struct lp_item *item,
             struct lp_err *err)
{
    if (conn->command_count == conn->command_cap) {
        size_t cap = conn->command_cap == 0 ? 256 : conn->command_cap * 2;
        struct command *commands = reallocarray(conn->commands, cap, sizeof *commands);

        if (commands == NULL)
            return lp_fail(err, LP_NOMEM, "no memory for a batch of %zu statements", cap);
        conn->commands = commands;
        conn->command_cap = cap;
    }
    conn->commands[conn->command_count++] = (struct command){item, stmt, (unsigned char)width};
    return LP_OK;
}

/* The text for several rows: "... VALUES ($1, $2), ($3, $4)". */
static char *
wide_text(const struct lp_sql *sql, unsigned rows)
{
    const char *text = sql->text[LP_DIALECT_POSTGRES], *tuple = strstr(text, "VALUES ");
    struct lp_buf buf = LP_BUF_INIT;

    tuple += strlen("VALUES ");
    lp_buf_str(&buf, text);
    for (unsigned row = 1; row < rows; row++) {
        lp_buf_str(&buf, ", ");
        for (const char *at = tuple; *at != '\0';) {
            char *end;

            if (*at != '$') {
                lp_buf_char(&buf, *at++);
                continue;
            }
            lp_buf_printf(&buf, "$%lu", strtoul(at + 1, &end, 10) + row * sql->param_count);
            at = end;
        }
    }
    return lp_buf_take(&buf);
}

/* The name it is prepared under: of one row that of the statement. */
static const char *
wide_name(const struct lp_sql *sql, size_t width, char name[static 80])
{
    if (width == 0)
        return sql->name;
    snprintf(name, 80, "%s %u", sql->name, widths[width]);
    return name;
}

static enum lp_code
queue_prepare(struct lp_conn *conn, enum lp_stmt stmt, size_t width, struct lp_err *err)
{
    const struct lp_sql *sql = &lp_sql_table[stmt];
    char *text = NULL, name[80];
    enum lp_code rc;

    if (conn->prepared[stmt][width] != NOT_PREPARED)
        return LP_OK;
    if (width > 0 && (text = wide_text(sql, widths[width])) == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for a statement");
    rc = push_command(conn, stmt, width, NULL, err);
    if (rc == LP_OK
        && !PQsendPrepare(conn->pg, wide_name(sql, width, name),
                          text == NULL ? sql->text[LP_DIALECT_POSTGRES] : text, 0, NULL))
        rc = lost(conn, LP_STORE, err);
    free(text);
    conn->prepared[stmt][width] = PREPARE_SENT;
    return rc;
}

/* One statement with the rows of as many items as its width says. */
static enum lp_code
queue_rows(struct lp_conn *conn, struct lp_item *const *items, size_t width, struct lp_err *err)
{
    const struct lp_sql *sql = &lp_sql_table[items[0]->stmt];
    struct params params;
    char name[80];
    enum lp_code rc = queue_prepare(conn, items[0]->stmt, width, err);

    if (rc == LP_OK)
        rc = push_command(conn, items[0]->stmt, width, items[0], err);
    if (rc != LP_OK)
        return rc;
    params.count = 0;
    for (unsigned i = 0; i < widths[width]; i++)
        print_values(&params, items[i]->values, sql->param_count);
    if (!PQsendQueryPrepared(conn->pg, wide_name(sql, width, name), (int)params.count, params.texts,
                             NULL, NULL, 0))
        return lost(conn, LP_STORE, err);
    return LP_OK;
}

static enum lp_code
queue_item(struct lp_conn *conn, struct lp_item *item, struct lp_err *err)
{
    if (!lp_sql_table[item->stmt].append)
        return queue_rows(conn, &item, 0, err);
    if (conn->append_count == conn->append_cap) {
        size_t cap = conn->append_cap == 0 ? 256 : conn->append_cap * 2;
        struct lp_item **appends =
            (struct lp_item **)reallocarray((void *)conn->appends, cap, sizeof(struct lp_item *));

        if (appends == NULL)
            return lp_fail(err, LP_NOMEM, "no memory for a batch of %zu rows", cap);
        conn->appends = appends;
        conn->append_cap = cap;
    }
    conn->appends[conn->append_count++] = item;
    return LP_OK;
}

static size_t
widest(size_t rows, unsigned param_count)
{
    size_t width = 0;

    while (width + 1 < WIDTHS && widths[width + 1] <= rows
           && widths[width + 1] * param_count <= WIDE_PARAMS)
        width++;
    return width;
}

/* The rows of one statement, in the order in which they came. */
static enum lp_code
queue_same(struct lp_conn *conn, struct lp_item *const *items, size_t count, struct lp_err *err)
{
    enum lp_code rc = LP_OK;

    for (size_t i = 0; rc == LP_OK && i < count;) {
        size_t width = widest(count - i, lp_sql_table[items[0]->stmt].param_count);

        rc = queue_rows(conn, items + i, width, err);
        for (unsigned k = 0; k < widths[width]; k++)
            items[i++]->changed = 1;
    }
    return rc;
}

/* What may go to the end goes there, sorted by statement: a row costs the server half as much in
 * the company of others as in a statement of its own. */
static enum lp_code
queue_appends(struct lp_conn *conn, struct lp_err *err)
{
    struct lp_item **items = conn->appends;
    size_t count = conn->append_count, done = 0;
    enum lp_code rc = LP_OK;

    while (rc == LP_OK && done < count) {
        size_t end = done + 1;

        for (size_t i = end; i < count; i++)
            if (items[i]->stmt == items[done]->stmt) {
                struct lp_item *item = items[i];

                memmove((void *)(items + end + 1), (void *)(items + end),
                        (i - end) * sizeof *items);
                items[end++] = item;
            }
        rc = queue_same(conn, items + done, end - done, err);
        done = end;
    }
    return rc;
}

/* Waits for the next answer, sending what is left meanwhile: a blocking send could meet a server
   that blocks on sending to us. false: the connection is lost. *sent turns true when the last byte,
   the Sync, has left. */
static bool
next_answer(struct lp_conn *conn, bool *sent, PGresult **out)
{
    for (;;) {
        int left = PQflush(conn->pg);
        struct pollfd fd = {.fd = PQsocket(conn->pg), .events = POLLIN};
        int ready;

        if (left == 0)
            *sent = true;
        if (!PQisBusy(conn->pg)) {
            *out = PQgetResult(conn->pg);
            return PQstatus(conn->pg) != CONNECTION_BAD || *out != NULL;
        }
        if (left < 0)
            return false;
        if (left > 0)
            fd.events |= POLLOUT;
        ready = poll(&fd, 1, BATCH_WAIT_MS);
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0 || !PQconsumeInput(conn->pg))
            return false;
    }
}

static enum lp_code
take_answer(struct lp_conn *conn, const struct command *command, PGresult *res, struct lp_err *err)
{
    ExecStatusType status = PQresultStatus(res);
    struct lp_item *item = command->item;

    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
        enum lp_code rc = result_error(conn, res, &lp_sql_table[command->stmt], err);

        if (item != NULL)
            lp_conflict_detail(&lp_sql_table[command->stmt], item->values, err);
        PQclear(res);
        return rc;
    }
    if (item == NULL) {
        conn->prepared[command->stmt][command->width] = PREPARED;
        PQclear(res);
        return LP_OK;
    }
    if (command->width > 0) {
        PQclear(res);
        return LP_OK;
    }
    item->changed = changed_of(res);
    if (!item->want_rows)
        PQclear(res);
    else if ((item->rows = rows_take(res)) == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for the rows of a statement");
    return LP_OK;
}

/* All answers up to the Sync. What a lost connection means depends on how far it got: an answer
   that was an error, or a Sync that never left, says that nothing was committed. */
static enum lp_code
read_batch(struct lp_conn *conn, struct lp_err *err)
{
    enum lp_code rc = LP_OK;
    bool sent = false;
    size_t at = 0;

    for (;;) {
        PGresult *res = NULL;
        ExecStatusType status;

        if (!next_answer(conn, &sent, &res)) {
            conn->dead = true; /* a late answer must not be taken for that of another batch */
            return rc != LP_OK ? rc : lost(conn, sent ? LP_UNKNOWN : LP_STORE, err);
        }
        if (res == NULL)
            continue; /* the end of one statement's answers */
        status = PQresultStatus(res);
        if (status == PGRES_PIPELINE_SYNC) {
            PQclear(res);
            return rc;
        }
        if (rc == LP_OK && at < conn->command_count)
            rc = take_answer(conn, &conn->commands[at], res, err);
        else if (rc == LP_OK) {
            rc = result_error(conn, res, NULL, err); /* the commit itself was refused */
            if (PQstatus(conn->pg) == CONNECTION_BAD
                || strncmp(field(res, PG_DIAG_SQLSTATE), "57", 2) == 0)
                err->code = rc = LP_UNKNOWN;
            PQclear(res);
        } else
            PQclear(res);
        at++;
    }
}

static void
forget_unconfirmed(struct lp_conn *conn)
{
    for (size_t i = 0; i < conn->command_count; i++)
        if (conn->commands[i].item == NULL
            && conn->prepared[conn->commands[i].stmt][conn->commands[i].width] == PREPARE_SENT)
            conn->prepared[conn->commands[i].stmt][conn->commands[i].width] = NOT_PREPARED;
}

static enum lp_code
batch(struct lp_conn *conn, struct lp_unit *const *units, size_t count, struct lp_err *err)
{
    enum lp_code rc = LP_OK;

    conn->command_count = conn->append_count = 0;
    if (PQpipelineStatus(conn->pg) == PQ_PIPELINE_OFF
        && (!PQenterPipelineMode(conn->pg) || PQsetnonblocking(conn->pg, 1) != 0))
        return lost(conn, LP_STORE, err);
    for (size_t i = 0; rc == LP_OK && i < count; i++)
        for (size_t k = 0; rc == LP_OK && k < units[i]->count; k++)
            rc = queue_item(conn, &units[i]->items[k], err);
    if (rc == LP_OK)
        rc = queue_appends(conn, err);
    if (rc == LP_OK && !PQpipelineSync(conn->pg))
        rc = lost(conn, LP_STORE, err);
    if (rc == LP_OK)
        rc = read_batch(conn, err);
    else                   /* PQfinish drops it */
        conn->dead = true; /* half a batch is in the buffer: it must never be sent */
    if (rc != LP_OK)
        forget_unconfirmed(conn);
    return rc;
}

/* ---- connections ---- */

static void
no_notices(void *arg, const PGresult *res)
{
    (void)arg;
    (void)res;
}

static PGconn *
connect_pg(const char *url)
{
    /* What stands before dbname is a default that the URL may override. */
    static const char *const names[] = {
        "connect_timeout",  "keepalives_idle",  "keepalives_interval",
        "keepalives_count", "tcp_user_timeout", "application_name",
        "dbname",           "client_encoding",  NULL};
    const char *values[] = {"5", "10", "5", "3", "15000", "lightpath", url, "UTF8", NULL};

    return PQconnectdbParams(names, values, 1);
}

/* Statements that write know their rows by key. A plan made while a table is small, and kept, must
 * not read the whole of it once it has grown. */
static const char point_writes[] =
    "; SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off";

static enum lp_code
set_session(struct lp_conn *conn, const struct lp_store_options *options, struct lp_err *err)
{
    static const char *const extra[] = {
        [LP_CONN_READER] = "SET statement_timeout = 30000",
        [LP_CONN_WRITER] = "SET lock_timeout = 700", /* everybody's commits wait behind it */
        [LP_CONN_CLAIMER] = "SET lock_timeout = 5000",
        [LP_CONN_ADMIN] = "SET lock_timeout = 3000",
    };
    struct lp_buf buf = LP_BUF_INIT;
    char *schema =
        PQescapeIdentifier(conn->pg, lp_pg_schema(options), strlen(lp_pg_schema(options)));
    PGresult *res = NULL;
    enum lp_code rc;

    lp_buf_printf(&buf,
                  "SET client_min_messages = warning; SET search_path TO %s; %s%s; SELECT "
                  "set_config('synchronous_commit', 'on', false) WHERE "
                  "current_setting('synchronous_commit') = 'off'; SELECT count(*) FROM "
                  "pg_catalog.pg_settings WHERE name = 'default_toast_compression' AND 'lz4' = "
                  "ANY (enumvals)",
                  schema == NULL ? "" : schema, extra[conn->role],
                  conn->role == LP_CONN_WRITER || conn->role == LP_CONN_CLAIMER ? point_writes
                                                                                : "");
    rc = schema == NULL || buf.failed ? lp_fail(err, LP_NOMEM, "no memory to connect")
                                      : exec(conn, buf.data, &res, err);
    if (rc == LP_OK)
        conn->lz4 = *PQgetvalue(res, 0, 0) != '0';
    PQclear(res);
    PQfreemem(schema);
    lp_buf_free(&buf);
    return rc;
}

static enum lp_code
has_schema(struct lp_conn *conn, bool *there, struct lp_err *err)
{
    PGresult *res = NULL;
    enum lp_code rc = exec(conn, "SELECT current_schema() IS NOT NULL", &res, err);

    *there = rc == LP_OK && *PQgetvalue(res, 0, 0) == 't';
    PQclear(res);
    return rc;
}

/* Migrations make the schema they need; CREATE SCHEMA would ask for a right even when it is there.
 * IF NOT EXISTS fails all the same when two daemons make it at one moment: the slower one finds it.
 */
static enum lp_code
make_schema(struct lp_conn *conn, const struct lp_store_options *options, struct lp_err *err)
{
    const char *name = lp_pg_schema(options);
    char *schema = PQescapeIdentifier(conn->pg, name, strlen(name));
    char text[300] = "";
    bool there;
    enum lp_code rc = has_schema(conn, &there, err);

    if (rc == LP_OK && !there) {
        snprintf(text, sizeof text, "CREATE SCHEMA IF NOT EXISTS %s", schema == NULL ? "" : schema);
        rc = exec(conn, text, NULL, err);
        if (rc == LP_CONFLICT && has_schema(conn, &there, NULL) == LP_OK && there) {
            lp_err_clear(err);
            rc = LP_OK;
        }
    }
    PQfreemem(schema);
    return rc;
}

/* Held by every store that is open for writing; a migration wants it alone (migrate.c) and is
 * waited for. */
static enum lp_code
hold_schema(struct lp_conn *conn, struct lp_err *err)
{
    const struct timespec pause = {.tv_nsec = HOLD_PAUSE_MS * 1000000L};

    for (int i = 0; i < HOLD_TRIES; i++) {
        PGresult *res = NULL;
        enum lp_code rc = exec(conn,
                               "SELECT COALESCE(pg_try_advisory_lock_shared(hashtextextended("
                               "'lightpath:' || current_schema(), 0)), true)",
                               &res, err);
        bool got = rc == LP_OK && *PQgetvalue(res, 0, 0) == 't';

        PQclear(res);
        if (rc != LP_OK || got)
            return rc;
        nanosleep(&pause, NULL);
    }
    return lp_fail(err, LP_STORE, "a migration of this database is running");
}

static void
conn_close(struct lp_conn *conn)
{
    if (conn == NULL)
        return;
    PQfinish(conn->pg);
    free(conn->commands);
    free((void *)conn->appends);
    free(conn);
}

static enum lp_code
conn_open(const struct lp_store_options *options, enum lp_role role, struct lp_conn **out,
          struct lp_err *err)
{
    struct lp_conn *conn = calloc(1, sizeof *conn);
    enum lp_code rc = LP_OK;

    if (conn == NULL || (conn->pg = connect_pg(options->url)) == NULL) {
        free(conn);
        return lp_fail(err, LP_NOMEM, "no memory for a connection");
    }
    conn->role = role;
    conn->limit_ms = role == LP_CONN_READER ? READ_WAIT_MS : ANSWER_WAIT_MS;
    PQsetNoticeReceiver(conn->pg, no_notices, NULL);
    if (PQstatus(conn->pg) != CONNECTION_OK) {
        char text[300];

        one_line(PQerrorMessage(conn->pg), text, sizeof text);
        rc = lp_fail(err, LP_STORE, "PostgreSQL: %s", text);
    } else if (PQserverVersion(conn->pg) < SERVER_LEAST) {
        rc = lp_fail(err, LP_STORE, "PostgreSQL %d is too old: 13 is the least",
                     PQserverVersion(conn->pg) / 10000);
    }
    if (rc == LP_OK)
        rc = set_session(conn, options, err);
    if (rc == LP_OK && role == LP_CONN_ADMIN)
        rc = make_schema(conn, options, err);
    if (rc == LP_OK && role == LP_CONN_WRITER)
        rc = hold_schema(conn, err);
    if (rc != LP_OK) {
        conn_close(conn);
        return rc;
    }
    *out = conn;
    return LP_OK;
}

/* An idle connection has nothing to say: what arrives is its end, or a notice. */
static bool
broken(struct lp_conn *conn)
{
    if (conn->dead)
        return true;
    drain(conn);
    for (int i = 0; i < 3 && PQstatus(conn->pg) == CONNECTION_OK; i++) {
        struct pollfd fd = {.fd = PQsocket(conn->pg), .events = POLLIN};

        if (poll(&fd, 1, 0) == 0)
            return false;
        if (!PQconsumeInput(conn->pg))
            return true;
        (void)PQisBusy(conn->pg); /* reads the messages */
    }
    return PQstatus(conn->pg) != CONNECTION_OK;
}

static void
limit(struct lp_conn *conn, int64_t ms)
{
    int64_t own = conn->role == LP_CONN_READER ? READ_WAIT_MS : ANSWER_WAIT_MS;

    conn->limit_ms = ms > 0 ? ms : own;
}

/* Ready for single statements again. */
static void
settle(struct lp_conn *conn)
{
    if (PQpipelineStatus(conn->pg) != PQ_PIPELINE_OFF && PQexitPipelineMode(conn->pg))
        (void)PQsetnonblocking(conn->pg, 0);
}

const struct lp_backend lp_backend_postgres = {
    .dialect = LP_DIALECT_POSTGRES,
    .name = "PostgreSQL",
    .open = conn_open,
    .close = conn_close,
    .broken = broken,
    .run = run,
    .begin = begin,
    .commit = commit,
    .rollback = rollback,
    .batch = batch,
    .script = script,
    .limit = limit,
    .settle = settle,
};

/* ---- for child programs ---- */

int
lp_pg_server_major(struct lp_conn *conn)
{
    return PQserverVersion(conn->pg) / 10000;
}

const char *
lp_pg_database(struct lp_conn *conn)
{
    return PQdb(conn->pg);
}

static bool
env_add(char **env, size_t *count, const char *name, const char *value)
{
    if (value == NULL || *value == '\0')
        return true;
    if (asprintf(&env[*count], "%s=%s", name, value) < 0) {
        env[*count] = NULL;
        return false;
    }
    ++*count;
    return true;
}

char **
lp_pg_env(struct lp_conn *conn)
{
    PQconninfoOption *options = PQconninfo(conn->pg);
    size_t most = 4, count = 0;
    char **env;
    bool ok;

    for (const PQconninfoOption *o = options; o != NULL && o->keyword != NULL; o++)
        most++;
    env = calloc(most, sizeof *env);
    ok = options != NULL && env != NULL && env_add(env, &count, "PATH", getenv("PATH"))
         && env_add(env, &count, "HOME", getenv("HOME"));
    /* The environment, not the command line, which everybody may read, carries the password. */
    for (const PQconninfoOption *o = options; ok && o->keyword != NULL; o++)
        if (o->envvar != NULL)
            ok = env_add(env, &count, o->envvar, o->val);
    PQconninfoFree(options);
    if (ok)
        return env;
    lp_pg_env_free(env);
    return NULL;
}

void
lp_pg_env_free(char **env)
{
    for (size_t i = 0; env != NULL && env[i] != NULL; i++)
        free(env[i]);
    free(env);
}
