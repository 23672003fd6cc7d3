#include "sim/fault.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

#define MAX_RULES   10000
#define MAX_JOURNAL 100000

static const struct sim_fault_info infos[] = {
#define SIM_FAULT(symbol, fault_name, run, members, words)                                         \
    [SIM_FAULT_##                                                                                  \
        symbol] = {.name = (fault_name), .executed = (run), .args = (members), .text = (words)},
#include "sim/faults.def"
#undef SIM_FAULT
};

const struct sim_fault_info *
sim_fault_info(enum sim_fault fault)
{
    return &infos[fault];
}

/* ---- reading ---- */

/* A pattern under one of two names: what is a verb in TL1 is a method in HTTP. */
static enum lp_code
text_member(const json_t *doc, const char *name, const char *other, char **out, struct lp_err *err)
{
    const char *text = "*";
    enum lp_code rc = lp_json_opt_string(doc, other, &text, err);

    if (rc == LP_OK)
        rc = lp_json_opt_string(doc, name, &text, err);

    if (rc != LP_OK)
        return rc;
    *out = strdup(text);
    return *out == NULL ? lp_fail(err, LP_NOMEM, "no memory for a rule") : LP_OK;
}

static enum lp_code
match_read(const json_t *doc, struct sim_rule *rule, struct lp_err *err)
{
    static const char *const members[] = {"verb", "tid", "aid", "path", "method", "element"};
    json_auto_t *all = NULL;
    enum lp_code rc;

    if (doc != NULL && !json_is_object(doc))
        return lp_fail(err, LP_INVALID, "'match' is no object");
    if (doc == NULL)
        doc = all = json_object();
    rc = lp_json_only(doc, members, LP_COUNT(members), err);
    if (rc == LP_OK)
        rc = text_member(doc, "verb", "method", &rule->verb, err);
    if (rc == LP_OK)
        rc = text_member(doc, "tid", "element", &rule->tid, err);
    return rc == LP_OK ? text_member(doc, "aid", "path", &rule->aid, err) : rc;
}

static enum lp_code
number_member(const json_t *doc, const char *name, int64_t low, int64_t *out, struct lp_err *err)
{
    enum lp_code rc = lp_json_opt_int(doc, name, out, err);

    if (rc == LP_OK && (*out < low || *out > 1000000000))
        rc = lp_fail(err, LP_INVALID, "'%s' is out of range", name);
    return rc;
}

static enum lp_code
when_read(const json_t *doc, struct sim_rule *rule, struct lp_err *err)
{
    static const char *const members[] = {"nth", "times", "prob", "every", "after_ms", "state"};
    const json_t *prob = json_object_get(doc, "prob");
    const char *state = NULL;
    int64_t after_ms = 0;
    enum lp_code rc = LP_OK;

    rule->nth = rule->times = rule->every = 1;
    if (doc == NULL)
        return LP_OK;
    if (!json_is_object(doc))
        return lp_fail(err, LP_INVALID, "'when' is no object");
    rc = lp_json_only(doc, members, LP_COUNT(members), err);
    if (rc == LP_OK)
        rc = number_member(doc, "nth", 1, &rule->nth, err);
    if (rc == LP_OK)
        rc = number_member(doc, "times", 0, &rule->times, err);
    if (rc == LP_OK)
        rc = number_member(doc, "every", 1, &rule->every, err);
    if (rc == LP_OK)
        rc = number_member(doc, "after_ms", 0, &after_ms, err);
    if (rc == LP_OK)
        rc = lp_json_opt_string(doc, "state", &state, err);
    if (rc != LP_OK)
        return rc;
    if (prob != NULL
        && (!json_is_number(prob) || json_number_value(prob) < 0 || json_number_value(prob) > 1))
        return lp_fail(err, LP_INVALID, "'prob' is no number from 0 to 1");
    rule->prob = prob == NULL ? 0 : json_number_value(prob);
    rule->after_us = after_ms * 1000;
    if (state == NULL)
        return LP_OK;
    if (strcmp(state, "executed") != 0 && strcmp(state, "not-executed") != 0)
        return lp_fail(err, LP_INVALID, "'state' is executed or not-executed");
    rule->executed = strcmp(state, "executed") == 0;
    return LP_OK;
}

/* What a row of faults.def says about a member: NULL when it has none of this name, else the words
   it may be, up to the next '|' ("": anything). */
static const char *
member_words(const char *args, const char *name)
{
    size_t len = strlen(name);

    while (*args == '|' && args[1] != '\0') {
        args++;
        if (strncmp(args, name, len) == 0 && (args[len] == '|' || args[len] == '='))
            return args[len] == '=' ? args + len + 1 : "";
        args += strcspn(args, "|");
    }
    return NULL;
}

static bool
word_among(const char *words, const char *word)
{
    size_t len = strlen(word);

    while (*words != '\0' && *words != '|') {
        size_t n = strcspn(words, ",|");

        if (n == len && memcmp(words, word, n) == 0)
            return true;
        words += n + (words[n] == ',' ? 1 : 0);
    }
    return false;
}

static enum lp_code
member_check(const struct sim_fault_info *info, const char *name, const json_t *value,
             struct lp_err *err)
{
    const char *words = member_words(info->args, name);

    if (words == NULL)
        return lp_fail(err, LP_INVALID, "fault %s has no member '%.64s'", info->name, name);
    if (words[0] != '\0'
        && (!json_is_string(value) || !word_among(words, json_string_value(value))))
        return lp_fail(err, LP_INVALID, "fault %s: '%s' is one of %.*s", info->name, name,
                       (int)strcspn(words, "|"), words);
    return LP_OK;
}

static enum lp_code
do_read(json_t *doc, struct sim_rule *rule, struct lp_err *err)
{
    const char *name, *member;
    json_t *value;
    int i;
    enum lp_code rc = lp_json_get_string(doc, "fault", &name, err);

    if (rc != LP_OK)
        return rc;
    for (i = 0; i < SIM_FAULT_COUNT && strcmp(infos[i].name, name) != 0; i++)
        continue;
    if (i == SIM_FAULT_COUNT)
        return lp_fail(err, LP_INVALID, "there is no fault '%.64s'", name);
    json_object_foreach(doc, member, value)
    {
        if (strcmp(member, "fault") != 0)
            rc = member_check(&infos[i], member, value, err);
        if (rc != LP_OK)
            return rc;
    }
    rule->fault = (enum sim_fault)i;
    rule->executed = infos[i].executed;
    rule->args = json_incref(doc);
    return LP_OK;
}

static void
rule_clear(struct sim_rule *rule)
{
    free(rule->verb);
    free(rule->tid);
    free(rule->aid);
    json_decref(rule->args);
}

static enum lp_code
rule_read(const json_t *doc, struct sim_rule *rule, struct lp_err *err)
{
    static const char *const members[] = {"match", "when", "do", "comment"};
    json_t *action = NULL;
    enum lp_code rc;

    *rule = (struct sim_rule){.times = 1};
    if (!json_is_object(doc))
        return lp_fail(err, LP_INVALID, "a rule is an object");
    rc = lp_json_only(doc, members, LP_COUNT(members), err);
    if (rc == LP_OK)
        rc = lp_json_get_object(doc, "do", &action, err);
    if (rc == LP_OK)
        rc = do_read(action, rule, err);
    if (rc == LP_OK)
        rc = match_read(json_object_get(doc, "match"), rule, err);
    return rc == LP_OK ? when_read(json_object_get(doc, "when"), rule, err) : rc;
}

static void
rules_drop(struct sim_faults *faults, size_t from)
{
    while (faults->count > from)
        rule_clear(&faults->rules[--faults->count]);
}

enum lp_code
sim_faults_add(struct sim_faults *faults, const json_t *rules, int64_t now_us, struct lp_err *err)
{
    size_t had = faults->count, more = json_is_array(rules) ? json_array_size(rules) : 1, i;
    struct sim_rule *grown;
    enum lp_code rc = LP_OK;

    if (had + more > MAX_RULES)
        return lp_fail(err, LP_TOO_LARGE, "more than %d rules", MAX_RULES);
    grown = reallocarray(faults->rules, had + more + 1, sizeof *grown);
    if (grown == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for rules");
    faults->rules = grown;
    for (i = 0; rc == LP_OK && i < more; i++) {
        const json_t *doc = json_is_array(rules) ? json_array_get(rules, i) : rules;

        faults->count++;
        rc = rule_read(doc, &grown[had + i], err);
        if (rc != LP_OK)
            lp_err_prefix(err, "rule %zu: ", i + 1);
    }
    if (rc != LP_OK)
        rules_drop(faults, had);
    else if (had == 0)
        faults->since_us = now_us;
    return rc;
}

enum lp_code
sim_faults_file(struct sim_faults *faults, const char *path, int64_t now_us, struct lp_err *err)
{
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t cap = 0, number = 0;
    ssize_t len;
    enum lp_code rc = LP_OK;

    if (file == NULL)
        return lp_fail(err, LP_INVALID, "%s cannot be read", path);
    while (rc == LP_OK && (len = getline(&line, &cap, file)) >= 0) {
        json_t *doc = NULL;

        number++;
        if (strspn(line, " \t\r\n") == (size_t)len || line[0] == '#')
            continue;
        rc = lp_json_load(line, (size_t)len, &doc, err);
        if (rc == LP_OK)
            rc = sim_faults_add(faults, doc, now_us, err);
        if (rc != LP_OK)
            lp_err_prefix(err, "%s line %zu: ", path, number);
        json_decref(doc);
    }
    free(line);
    fclose(file);
    return rc;
}

void
sim_faults_clear(struct sim_faults *faults, bool journal)
{
    rules_drop(faults, 0);
    free(faults->rules);
    faults->rules = NULL;
    if (journal) {
        json_decref(faults->journal);
        faults->journal = NULL;
    }
}

/* ---- firing ---- */

static double
chance(struct sim_faults *faults)
{
    uint64_t x = faults->random += 0x9e3779b97f4a7c15u;

    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return (double)((x ^ (x >> 31)) >> 11) / 9007199254740992.0;
}

static bool
rule_fires(struct sim_faults *faults, struct sim_rule *rule, int64_t now_us)
{
    rule->seen++;
    if (rule->seen < rule->nth || (rule->times != 0 && rule->fired >= rule->times)
        || (rule->seen - rule->nth) % rule->every != 0
        || now_us - faults->since_us < rule->after_us)
        return false;
    return rule->prob <= 0 || chance(faults) < rule->prob;
}

static void
journal_add(struct sim_faults *faults, const struct sim_rule *rule, const char *verb,
            const char *tid, const char *aid, int64_t now_us)
{
    json_t *row =
        json_pack("{s:I,s:s,s:s,s:s,s:s,s:b,s:I}", "rule", (json_int_t)(rule - faults->rules) + 1,
                  "fault", infos[rule->fault].name, "verb", verb, "tid", tid, "aid", aid,
                  "executed", rule->executed, "t_us", (json_int_t)now_us);

    if (faults->journal == NULL)
        faults->journal = json_array();
    if (row == NULL || json_array_size(faults->journal) >= MAX_JOURNAL) {
        json_decref(row); /* not UTF-8, or too much of it */
        return;
    }
    (void)json_array_append_new(faults->journal, row);
}

const struct sim_rule *
sim_faults_fire(struct sim_faults *faults, const char *verb, const char *tid, const char *aid,
                int64_t now_us)
{
    size_t i;

    for (i = 0; i < faults->count; i++) {
        struct sim_rule *rule = &faults->rules[i];

        /* what is no command is matched by its own name only: "*" means any command */
        if (strcmp(verb, "CONNECT") == 0 && strcmp(rule->verb, verb) != 0)
            continue;
        if (fnmatch(rule->verb, verb, 0) != 0 || fnmatch(rule->tid, tid, 0) != 0
            || fnmatch(rule->aid, aid, 0) != 0 || !rule_fires(faults, rule, now_us))
            continue;
        rule->fired++;
        journal_add(faults, rule, verb, tid, aid, now_us);
        return rule;
    }
    return NULL;
}

bool
sim_faults_any(const struct sim_faults *faults, enum sim_fault fault, const char *tid)
{
    size_t i;

    for (i = 0; i < faults->count; i++)
        if (faults->rules[i].fault == fault && fnmatch(faults->rules[i].tid, tid, 0) == 0)
            return true;
    return false;
}

int64_t
sim_rule_int(const struct sim_rule *rule, const char *name, int64_t unset)
{
    return lp_json_int(rule->args, name, unset);
}

const char *
sim_rule_text(const struct sim_rule *rule, const char *name, const char *unset)
{
    return lp_json_str(rule->args, name, unset);
}
