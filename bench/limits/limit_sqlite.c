/*
 * What SQLite can do with the rows of our steps, asked by a program that does nothing else
 * (sqbench).
 *
 *   limit_sqlite FILE STEPS_PER_COMMIT SECONDS BYTES
 *
 * One thread, WAL, synchronous=FULL, automatic checkpoints at 16,000 pages. Prints one JSON object;
 * latency is that of a commit.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/limits/rows.h"

enum { MOST_SAMPLES = 1 << 22, WIDTH = 64 };

static sqlite3 *db;
static sqlite3_stmt *stmts[LIMIT_STATEMENTS], *begin, *commit;

static void
check(int code)
{
    if (code != SQLITE_OK && code != SQLITE_DONE && code != SQLITE_ROW)
        limit_die("sqlite", sqlite3_errmsg(db));
}

static void
step(sqlite3_stmt *stmt)
{
    int code;

    while ((code = sqlite3_step(stmt)) == SQLITE_ROW)
        continue;
    check(code);
    sqlite3_reset(stmt);
}

static void
write_step(struct limit_process *p)
{
    for (size_t i = 0; i < LIMIT_STATEMENTS; i++) {
        const struct limit_statement *s = &p->statements[i];

        if (limit_is_left_out(i))
            continue;
        for (int k = 0; k < s->count; k++)
            check(sqlite3_bind_text(stmts[i], k + 1, s->values[k], -1, SQLITE_STATIC));
        step(stmts[i]);
    }
    limit_process_turn(p);
}

static void
open_db(const char *path, struct limit_process *all)
{
    char url[4200], sql[400];

    (void)snprintf(url, sizeof url, "sqlite:%s", path);
    limit_open(url);
    check(sqlite3_open(path, &db));
    check(sqlite3_exec(db,
                       "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; "
                       "PRAGMA wal_autocheckpoint=16000",
                       NULL, NULL, NULL));
    for (size_t i = 0; i < WIDTH; i++)
        check(sqlite3_exec(db, limit_insert_sql(&all[i], sql, sizeof sql), NULL, NULL, NULL));
    for (size_t i = 0; i < LIMIT_STATEMENTS; i++)
        check(sqlite3_prepare_v2(db, all[0].statements[i].text, -1, &stmts[i], NULL));
    check(sqlite3_prepare_v2(db, "BEGIN IMMEDIATE", -1, &begin, NULL));
    check(sqlite3_prepare_v2(db, "COMMIT", -1, &commit, NULL));
}

int
main(int argc, char **argv)
{
    static struct limit_process all[WIDTH];
    size_t per = argc < 5 ? 0 : strtoul(argv[2], NULL, 10), count = 0, at = 0;
    double seconds = argc < 5 ? 0 : strtod(argv[3], NULL), cpu = 0;
    uint32_t *samples = calloc(MOST_SAMPLES, sizeof *samples);
    int64_t begun, warm;
    char *delta;

    if (per == 0 || per > WIDTH || seconds <= 0 || samples == NULL) {
        (void)fprintf(stderr,
                      "usage: limit_sqlite FILE STEPS_PER_COMMIT SECONDS BYTES [WITHOUT]\n");
        return 2;
    }
    if (argc > 5)
        limit_leave_out(argv[5]);
    delta = limit_delta(strtoul(argv[4], NULL, 10));
    for (size_t i = 0; i < WIDTH; i++)
        limit_process_init(&all[i], LP_DIALECT_SQLITE, (unsigned)i, delta);
    open_db(argv[1], all);
    warm = limit_now_ns() + 500000000;
    begun = 0;
    while (begun == 0 || limit_now_ns() < begun + (int64_t)(seconds * 1e9)) {
        int64_t from = limit_now_ns();

        if (begun == 0 && from >= warm) {
            begun = from;
            cpu = limit_cpu_us();
        }
        step(begin);
        for (size_t i = 0; i < per; i++)
            write_step(&all[at++ % WIDTH]);
        step(commit);
        for (size_t i = 0; begun != 0 && i < per && count < MOST_SAMPLES; i++)
            samples[count++] = (uint32_t)(limit_now_ns() - from);
    }
    limit_report(samples, count, (double)(limit_now_ns() - begun) / 1e9, limit_cpu_us() - cpu);
    for (size_t i = 0; i < LIMIT_STATEMENTS; i++)
        sqlite3_finalize(stmts[i]);
    sqlite3_finalize(begin);
    sqlite3_finalize(commit);
    sqlite3_close(db);
    free(samples);
    free(delta);
    return 0;
}
