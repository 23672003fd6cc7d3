/* YAML documents of operators, read as rules of notifications: what is accepted can be asked. */
#include <stdlib.h>
#include <string.h>

#include "base/docfile.h"
#include "scheduler/rules.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct lp_facts facts = {
        .kind = "process_failed", .severity = "error", .workflow = "create_pop"};
    struct lp_err err = LP_ERR_INIT;
    struct lp_rules *rules = NULL;
    json_t *doc = NULL;

    if (lp_yaml_text("input", (const char *)data, size, &doc, &err) == LP_OK
        && lp_rules_from("input", doc, &rules, &err) == LP_OK) {
        json_t *names = lp_rules_targets(rules, &facts);
        size_t i;
        json_t *name;

        json_array_foreach(names, i, name)
        {
            if (lp_rules_target(rules, json_string_value(name)) == NULL)
                abort();
        }
        json_decref(names);
    }
    lp_rules_free(rules);
    json_decref(doc);
    lp_err_clear(&err);
    return 0;
}
