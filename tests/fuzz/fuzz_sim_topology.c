/* Topology documents: whatever is accepted has a state, can be cut, reset and freed. */
#include <assert.h>

#include "base/json.h"
#include "sim/flexils/exec.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lp_err err = LP_ERR_INIT;
    struct sim_net *net = NULL;
    json_t *doc = NULL;
    char before[65], after[65];
    size_t i;

    if (lp_json_load((const char *)data, size, &doc, &err) == LP_OK) {
        if (sim_net_load(doc, &net, &err) == LP_OK) {
            assert(sim_state_hash(net, NULL, before));
            for (i = 0; i < net->span_count; i++)
                sim_span_cut(net, &net->spans[i], true);
            assert(sim_net_reset(net, &err) == LP_OK);
            assert(sim_state_hash(net, NULL, after));
            for (i = 0; i < sizeof before; i++)
                assert(before[i] == after[i]);
            sim_net_free(net);
        } else {
            assert(err.msg[0] != '\0');
        }
    }
    json_decref(doc);
    lp_err_clear(&err);
    return 0;
}
