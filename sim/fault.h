/**
 * Fault scripts: rules that say which exchange goes wrong, when, and how. The same for every
 * simulator; what a fault does is up to the simulator that fires it.
 *
 *   {"match": {"verb": "ENT-OSNC", "tid": "lp.mil1", "aid": "*"},
 *    "when":  {"nth": 2, "times": 1, "prob": 0.0, "every": 1, "after_ms": 0, "state": "executed"},
 *    "do":    {"fault": "drop-mid-reply", "at_byte": 120}}
 *
 * Over HTTP the verb is the method, the tid the element's name, the aid the path (percent-encoded,
 * up to '?'); "method", "element" and "path" say the same.
 *
 * Rules are tried in order, the first that fires wins. Patterns are as in a shell (* ? []). Each
 * rule counts the exchanges that it matches. Every firing is kept in a journal.
 * Threads: one owner.
 */
#ifndef LP_SIM_FAULT_H
#define LP_SIM_FAULT_H

#include <stdint.h>

#include "base/err.h"

enum sim_fault {
#define SIM_FAULT(symbol, name, executed, args, text) SIM_FAULT_##symbol,
#include "sim/faults.def"
#undef SIM_FAULT
    SIM_FAULT_COUNT
};

struct sim_fault_info {
    const char *name;
    bool executed;    /* is the effect applied when the rule does not say? */
    const char *args; /* members that "do" may have: |a|b=word,word| */
    const char *text;
};

struct sim_rule {
    char *verb, *tid, *aid;
    int64_t nth, times, every, after_us;
    double prob;
    bool executed;
    enum sim_fault fault;
    json_t *args; /* the "do" object */
    int64_t seen, fired;
};

struct sim_faults {
    struct sim_rule *rules;
    size_t count;
    json_t *journal;
    int64_t since_us; /* when the rules were loaded */
    uint64_t random;
};

const struct sim_fault_info *sim_fault_info(enum sim_fault fault);
/** Adds rules (a JSON array, or one object). LP_INVALID names the rule and its member; then none
 * was added. */
enum lp_code sim_faults_add(struct sim_faults *faults, const json_t *rules, int64_t now_us,
                            struct lp_err *err) LP_MUST_CHECK;
/** Reads a file of JSON lines. */
enum lp_code sim_faults_file(struct sim_faults *faults, const char *path, int64_t now_us,
                             struct lp_err *err) LP_MUST_CHECK;
/** Drops rules; the journal too when asked. */
void sim_faults_clear(struct sim_faults *faults, bool journal);
/** The rule that fires for this exchange, or NULL; counts and journals. */
const struct sim_rule *sim_faults_fire(struct sim_faults *faults, const char *verb, const char *tid,
                                       const char *aid, int64_t now_us);
bool sim_faults_any(const struct sim_faults *faults, enum sim_fault fault, const char *tid);
/** Members of "do", with a value for when they are missing. */
int64_t sim_rule_int(const struct sim_rule *rule, const char *name, int64_t unset);
const char *sim_rule_text(const struct sim_rule *rule, const char *name, const char *unset);

#endif
