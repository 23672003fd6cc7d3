/*
 * The rows that our engine writes for one step, as bare statements with texts: the fenced update of
 * the process, the step, the attempt, the audit row and its events. The texts are the engine's own
 * (store/sql), so a limit never writes less than the engine.
 */
#ifndef LP_BENCH_LIMITS_ROWS_H
#define LP_BENCH_LIMITS_ROWS_H

#include "store/db.h"

enum { LIMIT_STATEMENTS = 5, LIMIT_MOST_PARAMS = 24 };

struct limit_statement {
    const char *name, *text;
    int count;
    const char *values[LIMIT_MOST_PARAMS]; /* as libpq takes them */
};

/* One process in flight. */
struct limit_process {
    struct limit_statement statements[LIMIT_STATEMENTS];
    char id[40], step_id[40], seq[24];
    int64_t n, queued_ns;
    struct limit_process *next;
};

/** Migrates an empty database. Ends the program when that fails. */
void limit_open(const char *url);
/** Prepares a process whose rows hold `bytes` of delta text (shared). */
void limit_process_init(struct limit_process *p, enum lp_dialect dialect, unsigned index,
                        const char *delta);
/** The next step: new sequence numbers and ids. */
void limit_process_turn(struct limit_process *p);
/** The row in processes. */
const char *limit_insert_sql(const struct limit_process *p, char *sql, size_t size);
char *limit_delta(size_t bytes);
/** Leaves one of the statements out from now on ("audit_insert"): what does it cost? */
void limit_leave_out(const char *statement);
bool limit_is_left_out(size_t i);
/** The engine's statement behind place i. */
enum lp_stmt limit_statement_id(size_t i);

int64_t limit_now_ns(void);
double limit_cpu_us(void);
/** Prints one JSON object from the latencies in ns. */
void limit_report(uint32_t *samples, size_t count, double seconds, double cpu_us);
_Noreturn void limit_die(const char *what, const char *why);

#endif
