#include "clients/ops.h"

#include <stdlib.h>
#include <time.h>

#include "clients/host.h"

#define SLICE_MS 100 /* a cancelled call ends within this time */

json_t *
lp_ops_flags(unsigned flags)
{
    static const char *const names[] = {"traffic-affecting", "irreversible", "needs-oos", "reboot"};
    json_t *out = json_array();

    for (unsigned i = 0; i < LP_COUNT(names); i++) {
        if ((flags & LP_BIT(i)) != 0)
            (void)json_array_append_new(out, json_string(names[i]));
    }
    return out;
}

json_t *
lp_ops_sorted(const json_t *ops)
{
    json_t *out = json_array(), *op;
    int64_t phase = INT64_MIN;
    size_t i;

    while (json_array_size(out) < json_array_size(ops)) {
        int64_t next = INT64_MAX;

        json_array_foreach((json_t *)(uintptr_t)ops, i, op)
        {
            int64_t own = lp_json_int(op, "phase", 0);

            if (own > phase && own < next)
                next = own;
        }
        json_array_foreach((json_t *)(uintptr_t)ops, i, op)
        {
            if (lp_json_int(op, "phase", 0) == next && json_array_append(out, op) != 0)
                return out;
        }
        phase = next;
    }
    return out;
}

void
lp_ops_put_values(struct lp_buf *buf, const json_t *values)
{
    const char *name, *separator = "";
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)values, name, value)
    {
        lp_buf_printf(buf, "%s%s to ", separator, name);
        lp_buf_json(buf, value);
        separator = ", ";
    }
}

static enum lp_code
hash_of(const json_t *value, char out[static 65], struct lp_err *err)
{
    char *text = NULL;
    size_t len = 0;
    enum lp_code rc = lp_json_canonical(value, &text, &len, err);

    if (rc == LP_OK)
        lp_sha256_hex(text, len, out);
    free(text);
    return rc;
}

/* The before-images of all operations: what the plan stands on. */
static json_t *
images_of(const json_t *ops)
{
    json_t *out = json_array(), *op;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)ops, i, op)(void) json_array_append_new(
        out, json_pack("[O, O]", json_object_get(op, "object"), json_object_get(op, "before")));
    return out;
}

enum lp_code
lp_ops_document(const struct lp_ne *ne, json_t *identity, const json_t *intents, json_t *ops,
                json_t **out, struct lp_err *err)
{
    json_auto_t *images = images_of(ops), *who = identity;
    char wanted[65], before[65];
    enum lp_code rc = hash_of(intents, wanted, err);

    if (rc == LP_OK)
        rc = hash_of(images, before, err);
    if (rc != LP_OK)
        return rc;
    *out = json_pack("{s:s, s:s, s:O, s:I, s:s, s:s, s:O}", "element", ne->element->name, "driver",
                     ne->driver->name, "identity", who, "as_of",
                     (json_int_t)lp_clock_utc_us(lp_driver_host_clock(ne->host)), "intents_hash",
                     wanted, "before_hash", before, "operations", ops);
    return *out != NULL ? LP_OK : lp_fail(err, LP_NOMEM, "no memory for a plan");
}

bool
lp_ops_pause(const struct lp_call *call, int64_t ms)
{
    while (ms > 0) {
        int64_t slice = ms < SLICE_MS ? ms : SLICE_MS;
        const struct timespec nap = {.tv_nsec = (long)(slice * 1000000)};

        if (call->time_left_ms(call->ctx) <= slice)
            return false;
        (void)nanosleep(&nap, NULL);
        ms -= slice;
    }
    return true;
}
