/* One suite over all drivers, each against its simulated element: what the engine may rely on. A
 * driver takes part by a row in `subjects`. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "tests/support/driver_env.h"
#include "tests/support/test_main.h"

#define G30(name)                                                                                  \
    "{\"name\":\"" name "\",\"kind\":\"G30\",\"release\":\"FP4.7.2\",\"serial\":\"RO0000000001\"," \
    "\"cards\":[{\"slot\":2,\"type\":\"CHM2T\"},{\"slot\":3,\"type\":\"OCC2\"}]}"
#define G42(name)                                                                                  \
    "{\"name\":\"" name                                                                            \
    "\",\"kind\":\"G42\",\"release\":\"R7.1.1\",\"serial\":\"GX0000000001\",\"cards\":[{"          \
    "\"name\":\"1-4\",\"type\":\"gx:CHM6\",\"subtype\":\"C14\"}]}"
static const char network[] =
    "{\"format\":\"lightpath-sim network 1\",\"options\":{\"settle_ms\":30,\"seed\":7,"
    "\"linger\":false},\"users\":[{\"name\":\"" DRIVER_ENV_USER
    "\",\"password\":\"" DRIVER_ENV_PASSWORD "\"}],\"nodes\":["
    "{\"name\":\"lp.mil1\",\"kind\":\"ROADM\",\"area\":\"x\",\"serial\":\"MA0000000001\","
    "\"cards\":[{\"aid\":\"1-A-1\",\"type\":\"FRM\",\"ports\":[\"L1\",\"S1\",\"O1\"]},"
    "{\"aid\":\"1-A-3\",\"type\":\"FMM\",\"ports\":[\"T1\",\"T2\"]}]},"
    "{\"name\":\"lp.fir1\",\"kind\":\"ROADM\",\"area\":\"x\",\"serial\":\"MA0000000002\","
    "\"cards\":[{\"aid\":\"1-A-2\",\"type\":\"FRM\",\"ports\":[\"L1\",\"S1\",\"O1\"]},"
    "{\"aid\":\"1-A-5\",\"type\":\"FMM\",\"ports\":[\"T1\",\"T2\"]}]}," G30("g30.a") "," G42(
        "g42.a") "],"
                 "\"spans\":[{\"id\":\"s\",\"a\":[\"lp.mil1\",\"1-A-1-L1\"],\"b\":[\"lp.fir1\",\"1-"
                 "A-2-L1\"],"
                 "\"length_m\":60000,\"loss_cdb\":1300,\"provisioned\":true}]}";

/* ---- who takes part ---- */

/* `p` in the intents is true or false. */
static const struct subject {
    const char *driver, *node, *serial;
    const char *intents;
    const char *prepare;                /* what must hold before, of the same element; or NULL */
    const char *writes[3];              /* patterns of the commands that write, for fault rules */
    const char *object;                 /* something to read */
    const char *counted;                /* and to measure */
    const char *read_text, *write_text; /* as operators type them */
    const char *release, *file;         /* to upgrade to; or NULL */
    const char *coupled;                /* lines of two carriers that are one super-channel */
} subjects[] = {
    {.driver = "infinera-flexils",
     .node = "lp.mil1",
     .serial = "MA0000000001",
     .intents =
         "[{\"id\":\"f\",\"kind\":\"fiber-end\",\"present\":p,\"port\":\"1-A-3-T1\",\"role\":"
         "\"ols-add-drop\",\"label\":\"g30\",\"peer\":{\"node\":\"g30.a\",\"port\":\"port-1/2/1\","
         "\"platform\":\"Groove G30\",\"serial\":\"RO0000000001\"}},"
         "{\"id\":\"c\",\"kind\":\"circuit\",\"present\":p,\"name\":\"LP 42\",\"label\":\"f001c01\""
         ",\"a\":{\"port\":\"1-A-3-T1\"},\"z\":{\"node\":\"lp.fir1\",\"port\":\"1-A-5-T2\"},"
         "\"route\":[{\"node\":\"lp.mil1\",\"port\":\"1-A-1-L1\"},{\"node\":\"lp.fir1\",\"port\":"
         "\"1-A-2-L1\"}],\"low_mhz\":193450000,\"high_mhz\":193550000,\"carriers\":[{"
         "\"center_mhz\":193500000,\"width_mhz\":75000}]},"
         "{\"id\":\"s\",\"kind\":\"shutter\",\"present\":p,\"open\":true,\"port\":\"1-A-3-T1\","
         "\"circuit\":\"LP 42\"}]",
     .prepare = "[{\"id\":\"l\",\"kind\":\"fiber-end\",\"present\":p,\"port\":\"1-A-1-L1\","
                "\"role\":\"ols-line\",\"label\":\"to fir1\",\"length_m\":60000,\"loss_cdb\":1300,"
                "\"peer\":{\"node\":\"lp.fir1\",\"port\":\"1-A-2-L1\",\"platform\":"
                "\"Infinera FlexILS\"}}]",
     .writes = {"E[DN]*", "DLT-*", "R[MS]*"},
     .object = "ots:1-A-1-L1",
     .read_text = "RTRV-HDR:lp.mil1::1;",
     .write_text = "ED-OTS:lp.mil1:1-A-1-L1:1;"},
    {.driver = "infinera-g30",
     .node = "g30.a",
     .serial = "RO0000000001",
     .intents =
         "[{\"id\":\"f\",\"kind\":\"fiber-end\",\"present\":p,\"port\":\"port-1/2/1\",\"role\":"
         "\"trx-line\",\"label\":\"x\",\"same_element\":false,\"peer\":{\"node\":\"lp.mil1\","
         "\"fqdn\":\"lp.mil1\",\"port\":\"1-A-3-T1\",\"platform\":\"Infinera FlexILS\"}},"
         "{\"id\":\"l\",\"kind\":\"line\",\"present\":p,\"port\":\"port-1/2/1\",\"mode\":"
         "\"16QAM_400G\",\"center_mhz\":193500000,\"label\":\"LP-42\",\"laser\":true,"
         "\"power_cdbm\":150},{\"id\":\"c\",\"kind\":\"client\",\"present\":p,\"port\":"
         "\"port-1/2/3\",\"rate\":\"100GE\",\"label\":\"LP-42\"},{\"id\":\"x\",\"kind\":\"odu-xc\","
         "\"present\":p,\"name\":\"LP-42\",\"client\":\"port-1/2/3\",\"line\":\"port-1/2/1\","
         "\"rate\":\"100GE\",\"label\":\"LP-42\"}]",
     .writes = {"P*", "DELETE", NULL},
     .coupled = "[{\"id\":\"l\",\"kind\":\"line\",\"present\":true,\"port\":\"port-1/2/1\","
                "\"mode\":\"16QAM_400G\",\"center_mhz\":194000000,\"label\":\"x\",\"laser\":false,"
                "\"carriers\":[{\"port\":\"port-1/2/1\",\"center_mhz\":194000000},{\"port\":"
                "\"port-1/2/2\",\"center_mhz\":194100000}]}]",
     .object = "port:port-1/2/1",
     .counted = "och:port-1/2/1",
     .release = "FP4.8.0",
     .file = "sftp://repo@192.0.2.10/img/FP4.8.0.tar",
     .read_text = "GET /data/ne:ne?depth=1",
     .write_text = "PATCH /data/ne:ne {\"ne:ne\":{\"ne-site\":\"x\"}}"},
    {.driver = "infinera-g42",
     .node = "g42.a",
     .serial = "GX0000000001",
     .intents =
         "[{\"id\":\"f\",\"kind\":\"fiber-end\",\"present\":p,\"port\":\"1-4-L1\",\"role\":"
         "\"trx-line\",\"label\":\"x\",\"same_element\":false,\"peer\":{\"node\":\"lp.mil1\","
         "\"fqdn\":\"lp.mil1\",\"port\":\"1-A-3-T2\",\"platform\":\"Infinera FlexILS\"}},"
         "{\"id\":\"l\",\"kind\":\"line\",\"present\":p,\"port\":\"1-4-L1\",\"mode\":\"400E.63P\","
         "\"center_mhz\":194000000,\"label\":\"LP-43\",\"laser\":true,\"power_cdbm\":150},"
         "{\"id\":\"c\",\"kind\":\"client\",\"present\":p,\"port\":\"1-4-T1\",\"rate\":\"100GE\","
         "\"label\":\"LP-43\"},{\"id\":\"x\",\"kind\":\"odu-xc\",\"present\":p,\"name\":\"LP-43\","
         "\"client\":\"1-4-T1\",\"line\":\"1-4-L1\",\"rate\":\"100GE\",\"label\":\"LP-43\"}]",
     .writes = {"P*", "DELETE", NULL},
     .coupled =
         "[{\"id\":\"l\",\"kind\":\"line\",\"present\":true,\"port\":\"1-4-L1\",\"mode\":"
         "\"400E.63P\",\"center_mhz\":194000000,\"label\":\"x\",\"laser\":false,\"carriers\":"
         "[{\"port\":\"1-4-L1\",\"center_mhz\":194000000},{\"port\":\"1-4-L2\","
         "\"center_mhz\":194100000}]}]",
     .object = "port:1-4-L1",
     .counted = "oc:1-4-L1-1",
     .release = "R8.0.2",
     .file = "sftp://repo@192.0.2.10/img/gx-8.0.2.bin",
     .read_text = "GET /data/ioa-network-element:ne?depth=1",
     .write_text =
         "PATCH /data/ioa-network-element:ne {\"ioa-network-element:ne\":{\"label\":\"x\"}}"},
};

static struct sim sim;

/* ---- running ---- */

struct bench {
    struct driver_env env;
    const struct subject *subject;
    struct lp_ne *ne;
};

static void
reopen(struct bench *b)
{
    if (b->ne != NULL)
        b->ne->driver->close(b->ne);
    b->ne = driver_env_element(&b->env, b->subject->driver, b->subject->node, b->subject->serial);
}

static json_t *
intents_of(const char *text, bool present)
{
    struct lp_buf out = LP_BUF_INIT;
    json_t *made;

    for (const char *at = text; *at != '\0'; at++) {
        if (strncmp(at, "\"present\":p", 11) == 0) {
            lp_buf_printf(&out, "\"present\":%s", present ? "true" : "false");
            at += 10;
        } else {
            lp_buf_char(&out, *at);
        }
    }
    made = driver_env_load(out.data);
    lp_buf_free(&out);
    return made;
}

static json_t *
plan_of(struct bench *b, const char *text, bool present)
{
    json_auto_t *intents = intents_of(text, present);
    json_t *plan = NULL;

    if (b->ne->driver->plan(b->ne, &b->env.call, intents, false, &plan, &b->env.err) != LP_OK)
        fail_msg("%s: %s", b->subject->driver, b->env.err.msg);
    return plan;
}

/* As the engine: what may be tried again is, with a new handle each time. */
static void
run_op(struct bench *b, const json_t *op)
{
    enum lp_code rc = LP_RETRYABLE;

    for (unsigned attempt = 0; attempt < 8; attempt++) {
        json_auto_t *report = NULL;

        if (attempt > 0)
            reopen(b);
        lp_err_clear(&b->env.err);
        rc = b->ne->driver->apply_op(b->ne, &b->env.call, op, NULL, &report, &b->env.err);
        if (lp_code_info(rc)->retry == LP_RETRY_NEVER && rc != LP_PROTOCOL)
            break;
    }
    if (rc != LP_OK)
        fail_msg("%s %s: %s", b->subject->driver, lp_json_str(op, "id", ""), b->env.err.msg);
}

static void
apply(struct bench *b, const json_t *plan)
{
    json_t *op;
    size_t i;

    json_array_foreach(json_object_get(plan, "operations"), i, op) run_op(b, op);
}

static void
assert_empty(struct bench *b, const char *text, bool present)
{
    json_auto_t *plan = plan_of(b, text, present);
    char *left = json_dumps(json_object_get(plan, "operations"), JSON_INDENT(1));

    if (json_array_size(json_object_get(plan, "operations")) > 0)
        fail_msg("%s: still to do: %s", b->subject->driver, left);
    free(left);
}

static void
bench_open(struct bench *b, const struct subject *subject)
{
    *b = (struct bench){.subject = subject};
    driver_env_open(&b->env, &sim);
    reopen(b);
    if (subject->prepare != NULL) {
        json_auto_t *plan = plan_of(b, subject->prepare, true);

        apply(b, plan);
    }
}

static void
bench_close(struct bench *b)
{
    b->ne->driver->close(b->ne);
    driver_env_close(&b->env);
}

static void
make(struct bench *b, bool present)
{
    json_auto_t *plan = plan_of(b, b->subject->intents, present);

    apply(b, plan);
    assert_empty(b, b->subject->intents, present);
}

/* ---- what holds for all ---- */

static void
what_is_there_is_not_planned(const struct subject *subject)
{
    json_auto_t *first = NULL, *second = NULL;
    struct bench b;

    bench_open(&b, subject);
    first = plan_of(&b, subject->intents, true);
    second = plan_of(&b, subject->intents, true);
    assert_true(json_array_size(json_object_get(first, "operations")) > 0);
    assert_true(
        json_equal(json_object_get(first, "operations"), json_object_get(second, "operations")));
    assert_string_equal(lp_json_str(first, "before_hash", "a"),
                        lp_json_str(second, "before_hash", "b"));
    make(&b, true);
    assert_empty(&b, subject->intents, true); /* once more, by another handle */
    reopen(&b);
    assert_empty(&b, subject->intents, true);
    make(&b, false);
    bench_close(&b);
}

static void
a_dry_run_writes_nothing(const struct subject *subject)
{
    struct bench b;
    char before[65], after[65];
    unsigned writes;

    bench_open(&b, subject);
    sim_hash(&sim, before);
    writes = b.env.writes;
    json_decref(plan_of(&b, subject->intents, true));
    json_decref(plan_of(&b, subject->intents, false));
    assert_int_equal(b.env.trimmed, 0); /* a default that is left out would be a difference */
    sim_hash(&sim, after);
    assert_string_equal(before, after);
    assert_int_equal(b.env.writes, writes);
    bench_close(&b);
}

/* The configuration of all elements. Which super-channel of a port a circuit has is the element's
 * choice: those numbers are left out. malloc'ed. */
static char *
canonical_state(void)
{
    json_auto_t *state = sim_ask(&sim, "{\"op\":\"state\"}");
    char *text, *at;

    (void)json_object_del(state, "hash");
    text = json_dumps(state, JSON_SORT_KEYS);
    for (at = text; (at = strchr(at, '-')) != NULL; at++) {
        size_t port = strspn(at + 2, "0123456789");

        if (strchr("LTS", at[1]) == NULL || port == 0 || at[2 + port] != '-')
            continue;
        for (char *index = at + 3 + port; *index >= '0' && *index <= '9'; index++)
            *index = '*';
    }
    return text;
}

/* Circuits come and go a moment behind the command. */
static bool
state_becomes(const char *wanted)
{
    for (unsigned i = 0; i < 3000; i++) {
        char *now = canonical_state();
        bool same = strcmp(now, wanted) == 0;

        free(now);
        if (same)
            return true;
        usleep(10000);
    }
    return false;
}

static void
undo(struct bench *b, const json_t *plan, size_t done)
{
    const json_t *ops = json_object_get(plan, "operations");

    for (size_t i = done; i-- > 0;) {
        const json_t *compensation = json_object_get(json_array_get(ops, i), "compensation");

        if (json_is_object(compensation))
            run_op(b, compensation);
    }
}

/* Also half-way, and of a removal. */
static void
undoing_restores_what_was(const struct subject *subject)
{
    struct bench b;

    bench_open(&b, subject);
    for (int present = 1; present >= 0; present--) {
        json_auto_t *plan = plan_of(&b, subject->intents, present != 0);
        const json_t *ops = json_object_get(plan, "operations");
        size_t count = json_array_size(ops), stops[] = {count / 2, count};

        for (size_t s = 0; s < LP_COUNT(stops); s++) {
            char *before = canonical_state();

            for (size_t i = 0; i < stops[s]; i++)
                run_op(&b, json_array_get(ops, i));
            undo(&b, plan, stops[s]);
            if (!state_becomes(before))
                fail_msg("%s: undoing %zu of %zu operations left something", subject->driver,
                         stops[s], count);
            free(before);
        }
        make(&b, present != 0);
    }
    bench_close(&b);
}

/* Answered as done, of the leaves the first half was taken: whoever goes on may complete it, and
 * may undo it. */
static void
what_was_taken_by_halves_is_ours(const struct subject *subject)
{
    json_auto_t *plan = NULL;
    const json_t *op;
    struct bench b;
    unsigned halves = 0;
    size_t i;

    bench_open(&b, subject);
    b.env.conf->devices_settle_ms = 50; /* what is ignored never comes */
    plan = plan_of(&b, subject->intents, true);
    json_array_foreach(json_object_get(plan, "operations"), i, op)
    {
        char *before = canonical_state();

        for (int undone = 1; undone >= 0 && strcmp(lp_json_str(op, "action", ""), "set") == 0
                             && json_is_object(json_object_get(op, "compensation"));
             undone--) {
            json_auto_t *report = NULL;

            sim_do(&sim, "{\"op\":\"faults\",\"replace\":true,\"rules\":[{\"match\":{\"verb\":"
                         "\"PATCH\"},\"do\":{\"fault\":\"ignore\"}}]}");
            halves += b.ne->driver->apply_op(b.ne, &b.env.call, op, NULL, &report, &b.env.err)
                      == LP_CONFLICT;
            sim_do(&sim, "{\"op\":\"faults\",\"rules\":[],\"replace\":true}");
            reopen(&b);
            if (undone == 0)
                break;
            run_op(&b, json_object_get(op, "compensation"));
            if (!state_becomes(before))
                fail_msg("%s: undoing half of %s left something", subject->driver,
                         lp_json_str(op, "text", ""));
        }
        run_op(&b, op);
        free(before);
    }
    assert_empty(&b, subject->intents, true);
    if (strcmp(subject->writes[0], "P*") == 0)
        assert_true(halves > 0);
    make(&b, false);
    bench_close(&b);
}

/* Every write loses its answer: all of them when they take effect, the first try of each when they
 * do not. */
static void
plant(const struct subject *subject, bool executed)
{
    struct lp_buf request = LP_BUF_INIT;

    lp_buf_str(&request, "{\"op\":\"faults\",\"rules\":[");
    for (size_t i = 0; i < LP_COUNT(subject->writes) && subject->writes[i] != NULL; i++)
        lp_buf_printf(&request,
                      "%s{\"match\":{\"verb\":\"%s\",\"tid\":\"%s\"},\"when\":{\"nth\":1,"
                      "\"times\":0,\"every\":%d,\"state\":\"%s\"},\"do\":{\"fault\":\"drop\"}}",
                      i == 0 ? "" : ",", subject->writes[i], subject->node, executed ? 1 : 2,
                      executed ? "executed" : "not-executed");
    lp_buf_str(&request, "]}");
    sim_do(&sim, request.data);
    lp_buf_free(&request);
}

/* Each operation loses its answer once, whether it took effect or not, and whoever goes on knows
 * nothing but the plan. */
static void
a_crash_after_each_operation_converges(const struct subject *subject)
{
    char *wanted = NULL;

    for (int run = 0; run < 3; run++) {
        json_auto_t *plan = NULL;
        struct bench b;

        bench_open(&b, subject);
        plan = plan_of(&b, subject->intents, true);
        if (run > 0)
            plant(subject, run == 1);
        apply(&b, plan);
        sim_do(&sim, "{\"op\":\"faults\",\"rules\":[],\"replace\":true}");
        assert_empty(&b, subject->intents, true);
        if (run == 0)
            wanted = canonical_state();
        else if (!state_becomes(wanted))
            fail_msg("%s: writes without an answer (%s): another result", subject->driver,
                     run == 1 ? "executed" : "not executed");
        bench_close(&b);
    }
    free(wanted);
}

/* ---- capabilities ---- */

static size_t
ports_with(struct bench *b, enum lp_port_role role)
{
    json_auto_t *ports = NULL;
    json_t *port;
    size_t i;

    if (b->ne->driver->ports(b->ne, &b->env.call, (int)role, &ports, &b->env.err) != LP_OK)
        fail_msg("%s: %s", b->subject->driver, b->env.err.msg);
    json_array_foreach(json_object_get(ports, "items"), i, port)
        assert_string_equal(lp_json_str(port, "role", ""), lp_port_role_name(role));
    return json_array_size(json_object_get(ports, "items"));
}

static enum lp_code
planned(struct bench *b, const char *intents)
{
    json_auto_t *wanted = driver_env_load(intents), *plan = NULL;
    enum lp_code rc = b->ne->driver->plan(b->ne, &b->env.call, wanted, false, &plan, &b->env.err);

    lp_err_clear(&b->env.err);
    return rc;
}

static bool
counts(struct bench *b, const char *period)
{
    json_auto_t *query = json_pack("{s:s, s:s*}", "period", period, "object", b->subject->counted);
    json_auto_t *counters = NULL;
    enum lp_code rc =
        b->ne->driver->counters != NULL
            ? b->ne->driver->counters(b->ne, &b->env.call, query, &counters, &b->env.err)
            : LP_UNSUPPORTED;

    if (rc != LP_OK && rc != LP_UNSUPPORTED)
        fail_msg("%s %s: %s", b->subject->driver, period, b->env.err.msg);
    lp_err_clear(&b->env.err);
    return rc == LP_OK;
}

static bool
takes_raw(struct bench *b)
{
    json_auto_t *answer = NULL;
    const struct lp_driver *driver = b->ne->driver;

    if (driver->raw == NULL)
        return false;
    assert_false(driver->raw_writes(b->subject->read_text));
    assert_true(driver->raw_writes(b->subject->write_text));
    if (driver->raw(b->ne, &b->env.call, b->subject->read_text, &answer, &b->env.err) != LP_OK)
        fail_msg("%s: %s", b->subject->driver, b->env.err.msg);
    return lp_json_str(answer, "text", "")[0] != '\0';
}

static bool
alarms_listed(struct bench *b)
{
    json_auto_t *alarms = NULL;

    return b->ne->driver->alarms != NULL
           && b->ne->driver->alarms(b->ne, &b->env.call, &alarms, &b->env.err) == LP_OK
           && json_is_array(json_object_get(alarms, "items"));
}

static bool
spectrum_read(struct bench *b)
{
    json_auto_t *spectrum = NULL;

    return b->ne->driver->spectrum != NULL
           && b->ne->driver->spectrum(b->ne, &b->env.call, NULL, &spectrum, &b->env.err) == LP_OK;
}

/* An intent that a driver knows is planned or found wrong; of one it does not it says so. */
static bool
knows(struct bench *b, const char *kind)
{
    struct lp_buf text = LP_BUF_INIT;
    enum lp_code rc;

    lp_buf_printf(&text, "[{\"id\":\"i\",\"kind\":\"%s\",\"present\":true}]", kind);
    rc = planned(b, text.data);
    lp_buf_free(&text);
    return rc != LP_UNSUPPORTED;
}

/* Silence is an answer too. */
static bool
hears(struct bench *b)
{
    json_auto_t *event = NULL;
    enum lp_code rc = LP_UNSUPPORTED;

    driver_env_patience(&b->env, 2);
    if (b->ne->driver->next_event != NULL)
        rc = b->ne->driver->next_event(b->ne, &b->env.call, &event, &b->env.err);
    driver_env_patience(&b->env, 240);
    if (rc != LP_OK && rc != LP_NOT_FOUND && rc != LP_UNSUPPORTED)
        fail_msg("%s: %s", b->subject->driver, b->env.err.msg);
    lp_err_clear(&b->env.err);
    return rc != LP_UNSUPPORTED;
}

/* Is there one object that holds two line ports of the element? */
static bool
couples(struct bench *b)
{
    json_auto_t *plan = NULL;
    json_t *op;
    size_t i;
    bool one = false;

    if (b->subject->coupled == NULL)
        return false;
    make(b, false); /* nothing rides on the lines */
    plan = plan_of(b, b->subject->coupled, true);
    json_array_foreach(json_object_get(plan, "operations"), i, op)
    {
        const char *object = lp_json_str(op, "object", "");

        one |= strstr(object, "L1_") != NULL && strstr(object, "L2") != NULL;
    }
    make(b, true);
    return one;
}

/* The objects that the subject's intents speak of. New reference. */
static json_t *
objects_of(struct bench *b, bool present)
{
    json_auto_t *plan = plan_of(b, b->subject->intents, present);
    json_t *objects = json_array(), *op;
    size_t i;

    json_array_foreach(json_object_get(plan, "operations"), i, op)
        json_array_append(objects, json_object_get(op, "object"));
    return objects;
}

static size_t
changes_since(struct bench *b, const json_t *point)
{
    json_auto_t *diff = NULL;

    if (b->ne->driver->rollback_diff(b->ne, &b->env.call, point, &diff, &b->env.err) != LP_OK)
        fail_msg("%s: %s", b->subject->driver, b->env.err.msg);
    return json_array_size(json_object_get(diff, "changes"));
}

/* A point tells what has changed since, and leads back only where nothing else has changed. */
static bool
remembers(struct bench *b)
{
    const struct lp_driver *d = b->ne->driver;
    json_auto_t *point = NULL, *objects = NULL, *none = json_array();
    char before[65], after[65];

    if (d->rollback_point == NULL && d->rollback_diff == NULL && d->rollback == NULL)
        return false;
    make(b, true);
    objects = objects_of(b, false);
    sim_hash(&sim, before);
    if (d->rollback_point(b->ne, &b->env.call, "test", &point, &b->env.err) != LP_OK)
        fail_msg("%s: %s", b->subject->driver, b->env.err.msg);
    sim_hash(&sim, after);
    assert_string_equal(before, after); /* to remember changes nothing */
    assert_int_equal(changes_since(b, point), 0);
    make(b, false);
    assert_true(changes_since(b, point) > 0);
    sim_hash(&sim, after);
    assert_int_equal(d->rollback(b->ne, &b->env.call, point, none, &b->env.err), LP_CONFLICT);
    assert_true(json_array_size(json_object_get(b->env.err.detail, "foreign")) > 0);
    lp_err_clear(&b->env.err);
    sim_hash(&sim, before);
    assert_string_equal(before, after); /* refused: nothing was touched */
    if (d->rollback(b->ne, &b->env.call, point, objects, &b->env.err) != LP_OK)
        fail_msg("%s: %s", b->subject->driver, b->env.err.msg);
    assert_int_equal(changes_since(b, point), 0);
    assert_empty(b, b->subject->intents, true);
    return true;
}

static bool
can(struct bench *b, enum lp_cap cap)
{
    switch (cap) {
    case LP_CAP_OLS_LINE:
        return ports_with(b, LP_PORT_OLS_LINE) > 0;
    case LP_CAP_ADD_DROP:
        return ports_with(b, LP_PORT_OLS_ADD_DROP) > 0;
    case LP_CAP_TRX_LINE:
        return ports_with(b, LP_PORT_TRX_LINE) > 0 && knows(b, "line");
    case LP_CAP_TRX_CLIENT:
        return ports_with(b, LP_PORT_TRX_CLIENT) > 0 && knows(b, "client");
    case LP_CAP_ODU_XC:
        return knows(b, "odu-xc");
    case LP_CAP_OPTICAL_XC:
        return knows(b, "cross-connect");
    case LP_CAP_SIGNALLED_CIRCUIT:
    case LP_CAP_EXPLICIT_ROUTE:
        return knows(b, "circuit");
    case LP_CAP_SPECTRUM_READ:
        return spectrum_read(b);
    case LP_CAP_POWER_CONTROL:
        return knows(b, "line") && knows(b, "power");
    case LP_CAP_PM_CURRENT:
        return counts(b, "current");
    case LP_CAP_PM_HISTORY:
        return counts(b, "15min");
    case LP_CAP_ALARMS:
        return alarms_listed(b);
    case LP_CAP_EVENTS:
        return hears(b);
    case LP_CAP_ROLLBACK_POINT:
        return remembers(b);
    case LP_CAP_SW_UPGRADE:
        return knows(b, "software");
    case LP_CAP_RAW:
        return takes_raw(b);
    case LP_CAP_COUPLED_LINES:
        return couples(b);
    case LP_CAP_COUNT:
        break;
    }
    return false;
}

static void
what_a_driver_says_it_can_it_can(const struct subject *subject)
{
    struct bench b;

    bench_open(&b, subject);
    make(&b, true);
    for (enum lp_cap cap = 0; cap < LP_CAP_COUNT; cap++) {
        if (can(&b, cap) != lp_driver_can(b.ne->driver, cap))
            fail_msg("%s says %s about '%s', and it is not so: %s", subject->driver,
                     lp_driver_can(b.ne->driver, cap) ? "yes" : "no", lp_cap_name(cap),
                     b.env.err.msg);
    }
    bench_close(&b);
}

/* ---- documents ---- */

static void
it_tells_who_it_is(const struct subject *subject)
{
    json_auto_t *identity = NULL, *inventory = NULL, *object = NULL, *peers = NULL;
    const struct lp_driver *driver;
    struct bench b;

    bench_open(&b, subject);
    driver = b.ne->driver;
    make(&b, true);
    assert_int_equal(driver->probe(b.ne, &b.env.call, &identity, &b.env.err), LP_OK);
    assert_string_equal(lp_json_str(identity, "node", ""), subject->node);
    assert_string_equal(lp_json_str(identity, "vendor", ""), "Infinera");
    if (subject->serial != NULL)
        assert_string_equal(lp_json_str(identity, "serial", ""), subject->serial);
    assert_int_equal(driver->inventory(b.ne, &b.env.call, &inventory, &b.env.err), LP_OK);
    assert_true(json_array_size(json_object_get(inventory, "items")) > 0);
    assert_int_equal(driver->read(b.ne, &b.env.call, subject->object, &object, &b.env.err), LP_OK);
    assert_int_equal(driver->neighbours(b.ne, &b.env.call, &peers, &b.env.err), LP_OK);
    assert_true(json_array_size(json_object_get(peers, "items")) > 0);
    bench_close(&b);
}

/* ---- events ---- */

/* A carrier that is on and sees no light raises an alarm, and whoever listens is told. */
static void
an_alarm_is_told(const struct subject *subject)
{
    json_auto_t *first = NULL;
    struct bench b, listener;
    int64_t end;
    bool told = false;

    if (strcmp(subject->driver, "infinera-flexils") == 0)
        return; /* test_flexils_sim.c */
    bench_open(&b, subject);
    make(&b, false);
    listener = b;
    listener.ne = driver_env_element(&b.env, subject->driver, subject->node, subject->serial);
    driver_env_patience(&b.env, 1);
    (void)!listener.ne->driver->next_event(listener.ne, &b.env.call, &first, &b.env.err);
    lp_err_clear(&b.env.err); /* that opened the stream */
    driver_env_patience(&b.env, 240);
    make(&b, true);
    end = lp_clock_mono_us(&b.env.clock) + 60000000;
    while (!told && lp_clock_mono_us(&b.env.clock) < end) {
        json_auto_t *event = NULL;
        enum lp_code rc;

        driver_env_patience(&b.env, 1);
        lp_err_clear(&b.env.err);
        rc = listener.ne->driver->next_event(listener.ne, &b.env.call, &event, &b.env.err);
        told = rc == LP_OK && strcmp(lp_json_str(event, "kind", ""), "alarm") == 0;
    }
    driver_env_patience(&b.env, 240);
    if (!told)
        fail_msg("%s: nobody told of the alarm (%s)", subject->driver, b.env.err.msg);
    listener.ne->driver->close(listener.ne);
    bench_close(&b);
}

/* Another call of the same handle, a second long; *event may stay NULL. */
static enum lp_code
listen_once(struct bench *b, struct lp_ne *ne)
{
    json_auto_t *event = NULL;
    enum lp_code rc;

    lp_err_clear(&b->env.err);
    driver_env_patience(&b->env, 1);
    rc = ne->driver->next_event(ne, &b->env.call, &event, &b->env.err);
    driver_env_patience(&b->env, 240);
    return rc;
}

/* Until the outcome is one of two; fails after a minute. */
static void
listen_until(struct bench *b, struct lp_ne *ne, enum lp_code wanted, enum lp_code or_else)
{
    int64_t end = lp_clock_mono_us(&b->env.clock) + 60000000;
    enum lp_code rc = LP_RETRYABLE;

    while (rc != wanted && rc != or_else && lp_clock_mono_us(&b->env.clock) < end)
        rc = listen_once(b, ne);
    if (rc != wanted && rc != or_else)
        fail_msg("%s: %s", b->subject->driver, b->env.err.msg);
}

static void
replace(const char *node, const char *what, const char *value)
{
    char text[200];

    (void)snprintf(text, sizeof text, "{\"op\":\"replace\",\"ne\":\"%s\",\"%s\":\"%s\"}", node,
                   what, value);
    sim_do(&sim, text);
    (void)snprintf(text, sizeof text, "{\"op\":\"disconnect\",\"ne\":\"%s\"}", node);
    sim_do(&sim, text);
}

/* Whoever answers behind a new connection has to prove anew who he is: to TLS, and by his serial
 * number, before he is listened to and before he is written to. */
static void
behind_a_break_nobody_is_believed(const struct subject *subject)
{
    json_auto_t *plan = NULL, *report = NULL;
    char before[65], after[65];
    struct bench b;

    if (strcmp(subject->driver, "infinera-flexils") == 0)
        return; /* a session belongs to one connection: test_flexils_driver.c */
    bench_open(&b, subject);
    make(&b, false);
    listen_until(&b, b.ne, LP_NOT_FOUND, LP_NOT_FOUND);
    replace(subject->node, "certificate", "self-signed");
    listen_until(&b, b.ne, LP_PROTOCOL, LP_AUTH);
    assert_int_not_equal(listen_once(&b, b.ne), LP_OK);
    replace(subject->node, "certificate", "good");
    listen_until(&b, b.ne, LP_NOT_FOUND, LP_OK);
    replace(subject->node, "serial", "XX0000000000");
    listen_until(&b, b.ne, LP_CONFLICT, LP_CONFLICT);
    replace(subject->node, "serial", subject->serial);
    listen_until(&b, b.ne, LP_NOT_FOUND, LP_OK);
    lp_err_clear(&b.env.err);

    plan = plan_of(&b, subject->intents, true);
    run_op(&b, json_array_get(json_object_get(plan, "operations"), 0));
    replace(subject->node, "serial", "XX0000000000");
    sim_hash(&sim, before);
    assert_int_equal(b.ne->driver->apply_op(b.ne, &b.env.call,
                                            json_array_get(json_object_get(plan, "operations"), 1),
                                            NULL, &report, &b.env.err),
                     LP_CONFLICT);
    sim_hash(&sim, after);
    assert_string_equal(before, after);
    replace(subject->node, "serial", subject->serial);
    lp_err_clear(&b.env.err);
    make(&b, false);
    bench_close(&b);
}

/* ---- software ---- */

static json_t *
stage_plan(struct bench *b, const char *release, const char *stage)
{
    json_auto_t *intents =
        json_pack("[{s:s, s:s, s:b, s:s, s:s, s:[s]}]", "id", "sw", "kind", "software", "present",
                  1, "release", release, "file", b->subject->file, "stages", stage);
    json_t *plan = NULL;

    if (b->ne->driver->plan(b->ne, &b->env.call, intents, false, &plan, &b->env.err) != LP_OK)
        fail_msg("%s %s: %s", b->subject->driver, stage, b->env.err.msg);
    return plan;
}

/* Waits are looked at anew until they hold, as a process that parks does. */
static void
run_patiently(struct bench *b, const json_t *op)
{
    int64_t end = lp_clock_mono_us(&b->env.clock) + 120000000;
    enum lp_code rc = LP_RETRYABLE;

    while (rc == LP_RETRYABLE && lp_clock_mono_us(&b->env.clock) < end) {
        json_auto_t *report = NULL;

        lp_err_clear(&b->env.err);
        driver_env_patience(&b->env, 1);
        rc = b->ne->driver->apply_op(b->ne, &b->env.call, op, NULL, &report, &b->env.err);
    }
    driver_env_patience(&b->env, 240);
    if (rc != LP_OK)
        fail_msg("%s %s: %s", b->subject->driver, lp_json_str(op, "id", ""), b->env.err.msg);
}

/* Each stage by itself; behind each the process may stop. */
static void
software_comes_stage_by_stage(const struct subject *subject)
{
    static const char *const stages[] = {"load", "activate", "cards"};
    json_auto_t *identity = NULL;
    struct bench b;

    if (subject->release == NULL)
        return;
    bench_open(&b, subject);
    for (size_t i = 0; i < LP_COUNT(stages); i++) {
        json_auto_t *plan = stage_plan(&b, subject->release, stages[i]), *rest = NULL;
        json_t *op;
        size_t n;

        json_array_foreach(json_object_get(plan, "operations"), n, op) run_patiently(&b, op);
        rest = stage_plan(&b, subject->release, stages[i]);
        assert_int_equal(json_array_size(json_object_get(rest, "operations")), 0);
    }
    reopen(&b);
    assert_int_equal(b.ne->driver->probe(b.ne, &b.env.call, &identity, &b.env.err), LP_OK);
    assert_string_equal(lp_json_str(identity, "software", ""), subject->release);
    assert_int_equal(planned(&b, "[{\"id\":\"sw\",\"kind\":\"software\",\"present\":true,"
                                 "\"release\":\"X1.0\",\"file\":\"f\"}]"),
                     LP_INVALID); /* no way from here to there */
    bench_close(&b);
}

/* An action that was done and whose answer is lost is not sent a second time: a card that restarts
 * would do so twice. What follows it tells whether it was done. */
static void
an_action_whose_answer_is_lost_is_sent_once(const struct subject *subject)
{
    const char *stage = strcmp(subject->driver, "infinera-g30") == 0 ? "load" : "activate";
    json_auto_t *plan = NULL;
    struct bench b;
    json_t *op;
    size_t i;

    if (subject->release == NULL)
        return;
    bench_open(&b, subject);
    plan = stage_plan(&b, subject->release, stage);
    json_array_foreach(json_object_get(plan, "operations"), i, op)
    {
        unsigned writes = b.env.writes;

        if (strcmp(lp_json_str(op, "action", ""), "action") != 0) {
            run_patiently(&b, op);
            continue;
        }
        plant(subject, true);
        run_op(&b, op);
        sim_do(&sim, "{\"op\":\"faults\",\"rules\":[],\"replace\":true}");
        assert_int_equal(b.env.writes, writes + 1);
    }
    bench_close(&b);
}

/* An error from inside the element, or an attempt that nobody saw the end of: what shows of it
 * counts, and where nothing shows a person decides. It is not sent a second time. */
static void
an_action_that_failed_there_is_not_repeated(const struct subject *subject)
{
    static const char *const states[] = {"not-executed", "executed"};
    const char *stage = strcmp(subject->driver, "infinera-g30") == 0 ? "load" : "activate";
    json_auto_t *plan = NULL, *sent = json_pack("{s:b}", "sent", 1);
    struct bench b;
    json_t *op;
    size_t n;

    if (subject->release == NULL)
        return;
    bench_open(&b, subject);
    plan = stage_plan(&b, subject->release, stage);
    op = json_array_get(json_object_get(plan, "operations"), 0);
    assert_non_null(op);
    for (size_t i = 0; i < LP_COUNT(states); i++) {
        json_auto_t *report = NULL, *again = NULL;
        enum lp_code wanted = i == 0 ? LP_REFUSED : LP_OK;
        unsigned writes = b.env.writes;
        char rule[300];

        (void)snprintf(
            rule, sizeof rule,
            "{\"op\":\"faults\",\"rules\":[{\"match\":{\"verb\":\"POST\",\"path\":"
            "\"*download*\",\"tid\":\"%s\"},\"when\":{\"state\":\"%s\"},\"do\":{\"fault\":"
            "\"status\",\"status\":500}}]}",
            subject->node, states[i]);
        sim_do(&sim, rule);
        driver_env_patience(&b.env, 2);
        assert_int_equal(b.ne->driver->apply_op(b.ne, &b.env.call, op, NULL, &report, &b.env.err),
                         wanted);
        lp_err_clear(&b.env.err);
        driver_env_patience(&b.env, 2);
        assert_int_equal(b.ne->driver->apply_op(b.ne, &b.env.call, op, sent, &again, &b.env.err),
                         wanted);
        lp_err_clear(&b.env.err);
        driver_env_patience(&b.env, 240);
        assert_int_equal(b.env.writes, writes + 1);
    }
    sim_do(&sim, "{\"op\":\"faults\",\"rules\":[],\"replace\":true}");
    json_array_foreach(json_object_get(plan, "operations"), n, op) run_patiently(&b, op);
    bench_close(&b);
}

/* An address that another element has by now: nothing is written. */
static void
another_element_is_not_written_to(const struct subject *subject)
{
    struct subject other = *subject;
    json_auto_t *plan = NULL, *report = NULL;
    struct bench b;
    char before[65], after[65];

    if (subject->serial == NULL)
        return;
    bench_open(&b, subject);
    plan = plan_of(&b, subject->intents, true);
    other.serial = "XX0000000000";
    b.subject = &other;
    sim_hash(&sim, before);
    reopen(&b);
    assert_int_equal(b.ne->driver->apply_op(b.ne, &b.env.call,
                                            json_array_get(json_object_get(plan, "operations"), 0),
                                            NULL, &report, &b.env.err),
                     LP_CONFLICT);
    sim_hash(&sim, after);
    assert_string_equal(before, after);
    bench_close(&b);
}

/* ---- all of it for all of them ---- */

static void
for_all(void (*check)(const struct subject *subject))
{
    for (size_t i = 0; i < LP_COUNT(subjects); i++) {
        const char *only = getenv("LP_TEST_DRIVER");

        if (only == NULL || strcmp(only, subjects[i].driver) == 0)
            check(&subjects[i]);
    }
}

#define FOR_ALL(name)                                                                              \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        for_all(name);                                                                             \
    }
FOR_ALL(what_is_there_is_not_planned)
FOR_ALL(a_dry_run_writes_nothing)
FOR_ALL(undoing_restores_what_was)
FOR_ALL(what_was_taken_by_halves_is_ours)
FOR_ALL(a_crash_after_each_operation_converges)
FOR_ALL(what_a_driver_says_it_can_it_can)
FOR_ALL(it_tells_who_it_is)
FOR_ALL(an_alarm_is_told)
FOR_ALL(behind_a_break_nobody_is_believed)
FOR_ALL(software_comes_stage_by_stage)
FOR_ALL(an_action_whose_answer_is_lost_is_sent_once)
FOR_ALL(an_action_that_failed_there_is_not_repeated)
FOR_ALL(another_element_is_not_written_to)

/* No driver is left out. */
static void
every_driver_takes_part(void **state)
{
    size_t count;
    const struct lp_driver *const *drivers = lp_drivers(&count);

    (void)state;
    for (size_t d = 0; d < count; d++) {
        bool found = false;

        for (size_t i = 0; i < LP_COUNT(subjects); i++)
            found |= strcmp(subjects[i].driver, drivers[d]->name) == 0;
        if (!found)
            fail_msg("%s is not in the suite", drivers[d]->name);
    }
}

static int
start(void **state)
{
    (void)state;
    sim_start(&sim, network);
    return 0;
}

static int
stop(void **state)
{
    (void)state;
    sim_stop(&sim);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_driver_takes_part),
        cmocka_unit_test(test_it_tells_who_it_is),
        cmocka_unit_test(test_what_is_there_is_not_planned),
        cmocka_unit_test(test_a_dry_run_writes_nothing),
        cmocka_unit_test(test_undoing_restores_what_was),
        cmocka_unit_test(test_what_was_taken_by_halves_is_ours),
        cmocka_unit_test(test_what_a_driver_says_it_can_it_can),
        cmocka_unit_test(test_another_element_is_not_written_to),
        cmocka_unit_test(test_an_action_that_failed_there_is_not_repeated),
        cmocka_unit_test(test_software_comes_stage_by_stage),
        cmocka_unit_test(test_an_action_whose_answer_is_lost_is_sent_once),
        cmocka_unit_test(test_an_alarm_is_told),
        cmocka_unit_test(test_behind_a_break_nobody_is_believed),
        cmocka_unit_test(test_a_crash_after_each_operation_converges),
    };

    return LP_RUN_TESTS_WITH(tests, start, stop);
}
