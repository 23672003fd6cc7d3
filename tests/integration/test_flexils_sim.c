/* The FlexILS driver against lightpath-sim, over TCP and SSH: whole circuits over several elements,
 * undoing, faults of the line, gateways, identity, events, typed commands. */
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/conf.h"
#include "clients/driver.h"
#include "clients/infinera/flexils/commands.h"
#include "tests/support/flexils_sim.h"
#include "tests/support/test_main.h"

static const char network[] =
    "{\"format\":\"lightpath-sim flexils 1\",\"options\":{\"settle_ms\":60,\"seed\":7,"
    "\"linger\":false},"
    "\"users\":[{\"name\":\"svc\",\"password\":\"s3cr3t\"}],"
    "\"nodes\":["
    "{\"name\":\"lp.mil1\",\"kind\":\"ROADM\",\"gateway\":true,\"area\":\"x\",\"serial\":"
    "\"MA0000000001\",\"cards\":["
    "{\"aid\":\"1-A-1\",\"type\":\"FRM\",\"ports\":[\"L1\",\"S1\",\"O1\"]},"
    "{\"aid\":\"1-A-2\",\"type\":\"FRM\",\"ports\":[\"L1\",\"S1\",\"O1\"]},"
    "{\"aid\":\"1-A-3\",\"type\":\"FMM\",\"ports\":[\"T1\",\"T2\"]},"
    "{\"aid\":\"1-A-4\",\"type\":\"FSM\",\"ports\":[\"T1\",\"T2\",\"S1\"]}]},"
    "{\"name\":\"lp.fir1\",\"kind\":\"ROADM\",\"area\":\"x\",\"serial\":\"MA0000000002\","
    "\"cards\":["
    "{\"aid\":\"1-A-1\",\"type\":\"FRM\",\"ports\":[\"L1\",\"S1\",\"O1\"]},"
    "{\"aid\":\"1-A-2\",\"type\":\"FRM\",\"ports\":[\"L1\",\"S1\",\"O1\"]},"
    "{\"aid\":\"1-A-5\",\"type\":\"FMM\",\"ports\":[\"T1\",\"T2\"]}]},"
    "{\"name\":\"lp.ola1\",\"kind\":\"OLA\",\"area\":\"x\",\"serial\":\"MA0000000003\","
    "\"cards\":[{\"aid\":\"1-A-1\",\"type\":\"OAM\",\"ports\":[\"L1\",\"L2\",\"O1\",\"O2\"]}]}],"
    "\"spans\":["
    "{\"id\":\"s1\",\"a\":[\"lp.mil1\",\"1-A-1-L1\"],\"b\":[\"lp.ola1\",\"1-A-1-L1\"],"
    "\"length_m\":60000,\"loss_cdb\":1300,\"provisioned\":false},"
    "{\"id\":\"s2\",\"a\":[\"lp.ola1\",\"1-A-1-L2\"],\"b\":[\"lp.fir1\",\"1-A-2-L1\"],"
    "\"length_m\":61000,\"loss_cdb\":1350,\"provisioned\":false}]}";

static struct sim sim;
static char folder[] = "/tmp/lp_flexils_XXXXXX";

struct fixture {
    struct lp_clock clock;
    struct lp_conf *conf;
    struct lp_driver_host *host;
    struct lp_arena *arena;
    struct lp_call call;
    struct lp_err err;
    int64_t until_us;
    unsigned secrets; /* exchanges whose evidence shows the password */
    unsigned exchanges;
};

static int64_t
time_left(void *ctx)
{
    const struct fixture *f = ctx;
    int64_t left = (f->until_us - lp_clock_mono_us(&f->clock)) / 1000;

    return left > 0 ? left : 0;
}

static enum lp_code
check(void *ctx, struct lp_err *err)
{
    (void)ctx;
    (void)err;
    return LP_OK;
}

static void
evidence(void *ctx, const struct lp_exchange *exchange)
{
    struct fixture *f = ctx;

    f->exchanges++;
    f->secrets += strstr(exchange->sent, "s3cr3t") != NULL
                  || (exchange->received != NULL && strstr(exchange->received, "s3cr3t") != NULL);
}

static void
progress(void *ctx, const char *text)
{
    (void)ctx;
    (void)text;
}

static void
patience(struct fixture *f, int64_t seconds)
{
    f->until_us = lp_clock_mono_us(&f->clock) + seconds * 1000000;
}

static void
setup(struct fixture *f, const char *password)
{
    char credentials[160], keys[160], entry[128], path[96];
    const char *const overrides[] = {credentials,
                                     keys,
                                     "devices.poll_ms=10",
                                     "devices.settle_ms=5000",
                                     "devices.read_ms=3000",
                                     "devices.write_ms=3000",
                                     "devices.breaker_open_ms=60000",
                                     "devices.breaker_failures=1000"};
    int fd;

    *f = (struct fixture){.clock = LP_CLOCK_INIT, .err = LP_ERR_INIT};
    (void)snprintf(path, sizeof path, "%s/credentials", folder);
    (void)snprintf(credentials, sizeof credentials, "devices.credentials=%s", path);
    (void)snprintf(keys, sizeof keys, "devices.host_keys=%s/host_keys", folder);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    (void)snprintf(entry, sizeof entry, "[infinera-flexils]\nuser = svc\npassword = %s\n",
                   password);
    assert_int_equal(write(fd, entry, strlen(entry)), (ssize_t)strlen(entry));
    (void)close(fd);
    if (lp_conf_load(NULL, overrides, LP_COUNT(overrides), &f->conf, &f->err) != LP_OK)
        fail_msg("%s", f->err.msg);
    if (lp_driver_host_new(&(struct lp_driver_host_options){f->conf, &f->clock, NULL}, &f->host,
                           &f->err)
        != LP_OK)
        fail_msg("%s", f->err.msg);
    f->arena = lp_arena_new();
    f->call = (struct lp_call){.ctx = f,
                               .time_left_ms = time_left,
                               .check = check,
                               .evidence = evidence,
                               .progress = progress,
                               .arena = f->arena};
    patience(f, 120);
}

static void
teardown(struct fixture *f)
{
    assert_int_equal(f->secrets, 0);
    lp_driver_host_free(f->host);
    lp_arena_free(f->arena);
    lp_conf_free(f->conf);
    lp_err_clear(&f->err);
    sim_do(&sim, "{\"op\":\"reset\",\"sessions\":true}");
}

static struct lp_ne *
open_at(struct fixture *f, const char *node, const char *transport, const char *serial)
{
    const struct lp_driver *driver = lp_driver_of("infinera-flexils");
    char address[96];
    const char *const addresses[] = {address};
    const struct lp_element element = {.id = node,
                                       .name = node,
                                       .node = node,
                                       .driver = driver->name,
                                       .addresses = addresses,
                                       .address_count = 1,
                                       .serial = serial};
    struct lp_ne *ne = NULL;

    sim_address(&sim, node, transport, address, sizeof address);
    assert_int_equal(driver->open(f->host, &element, &ne, &f->err), LP_OK);
    return ne;
}

static json_t *
load(const char *text)
{
    struct lp_err err = LP_ERR_INIT;
    json_t *out = NULL;

    if (lp_json_load(text, strlen(text), &out, &err) != LP_OK)
        fail_msg("%s: %s", err.msg, text);
    return out;
}

/* ---- several elements, one plan ---- */

#define FIBER(id, port, label, node, far)                                                          \
    "{\"id\":\"" id "\",\"kind\":\"fiber-end\",\"present\":%s,\"port\":\"" port                    \
    "\",\"role\":\"ols-line\",\"label\":\"" label "\",\"length_m\":60000,\"loss_cdb\":1300,"       \
    "\"peer\":{\"node\":\"" node "\",\"port\":\"" far "\",\"platform\":\"Infinera FlexILS\"}}"
#define PATCH(port)                                                                                \
    "{\"id\":\"p\",\"kind\":\"fiber-end\",\"present\":%s,\"port\":\"" port                         \
    "\",\"role\":\"ols-add-drop\",\"label\":\"g30\",\"peer\":{\"node\":\"lp.g30\",\"port\":"       \
    "\"port-1/2/1\",\"platform\":\"infinera-g30\",\"serial\":\"RO12345\"}}"
#define CIRCUIT_AT(low, high, center)                                                              \
    "{\"id\":\"c\",\"kind\":\"circuit\",\"present\":%s,\"name\":\"LP 42\",\"label\":\"f001c01\","  \
    "\"a\":{\"port\":\"1-A-3-T1\"},\"z\":{\"node\":\"lp.fir1\",\"port\":\"1-A-5-T2\"},\"route\":[" \
    "{\"node\":\"lp.mil1\",\"port\":\"1-A-1-L1\"},{\"node\":\"lp.fir1\",\"port\":\"1-A-2-L1\"}],"  \
    "\"low_mhz\":" low ",\"high_mhz\":" high ",\"carriers\":[{\"center_mhz\":" center ","          \
    "\"width_mhz\":75000}]}"
#define CIRCUIT CIRCUIT_AT("193450000", "193550000", "193500000")
#define MOVED_SHUTTER(port)                                                                        \
    "{\"id\":\"s\",\"kind\":\"shutter\",\"present\":%s,\"open\":true,\"port\":\"" port             \
    "\",\"circuit\":\"LP 42\",\"low_mhz\":194000000,\"high_mhz\":194100000}"
#define SHUTTER(port)                                                                              \
    "{\"id\":\"s\",\"kind\":\"shutter\",\"present\":%s,\"open\":true,\"port\":\"" port             \
    "\",\"circuit\":\"LP 42\"}"

static const struct part {
    const char *node, *intents; /* with a %s for each `present` */
    unsigned count;
} fibers[] =
    {
        {"lp.mil1", "[" FIBER("f", "1-A-1-L1", "to ola1", "lp.ola1", "1-A-1-L1") "]", 1},
        {"lp.ola1",
         "[" FIBER("f", "1-A-1-L1", "to mil1", "lp.mil1",
                   "1-A-1-L1") "," FIBER("g", "1-A-1-L2", "to fir1", "lp.fir1", "1-A-2-L1") "]",
         2},
        {"lp.fir1", "[" FIBER("f", "1-A-2-L1", "to ola1", "lp.ola1", "1-A-1-L2") "]", 1},
},
  moved[] =
      {
          {"lp.mil1",
           "[" PATCH("1-A-3-T1") "," CIRCUIT_AT("194000000", "194100000",
                                                "194050000") "," SHUTTER("1-A-3-T1") "]",
           3},
          {"lp.fir1", "[" PATCH("1-A-5-T2") "," MOVED_SHUTTER("1-A-5-T2") "]", 2},
},
  circuits[] = {
      {"lp.mil1", "[" PATCH("1-A-3-T1") "," CIRCUIT "," SHUTTER("1-A-3-T1") "]", 3},
      {"lp.fir1", "[" PATCH("1-A-5-T2") "," SHUTTER("1-A-5-T2") "]", 2},
};

struct network_plan {
    struct lp_ne *ne[3];
    json_t *plans[3];
    size_t count;
};

static json_t *
intents_of(const struct part *part, bool present)
{
    const char *p = present ? "true" : "false";
    char text[2048];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    (void)snprintf(text, sizeof text, part->intents, p, p, p);
#pragma GCC diagnostic pop
    return load(text);
}

/* A handle may belong to a session only for a while: the next reads anew. */
static void
plan_all(struct fixture *f, struct network_plan *all, const struct part *parts, size_t count,
         bool present)
{
    all->count = count;
    for (size_t i = 0; i < count; i++) {
        json_auto_t *intents = intents_of(&parts[i], present);

        json_decref(all->plans[i]);
        all->plans[i] = NULL;
        if (all->ne[i]->driver->plan(all->ne[i], &f->call, intents, false, &all->plans[i], &f->err)
            != LP_OK)
            fail_msg("%s: %s", parts[i].node, f->err.msg);
    }
}

/* As the engine: what may be tried again is. */
static enum lp_code
run_one(struct fixture *f, struct lp_ne *ne, const json_t *op)
{
    enum lp_code rc = LP_RETRYABLE;

    for (unsigned attempt = 0; attempt < 8; attempt++) {
        json_auto_t *report = NULL;

        usleep(attempt * 40000);
        lp_err_clear(&f->err);
        rc = ne->driver->apply_op(ne, &f->call, op, NULL, &report, &f->err);
        if (lp_code_info(rc)->retry == LP_RETRY_NEVER && rc != LP_PROTOCOL)
            break;
    }
    if (rc != LP_OK)
        print_message("%s %s: %s\n", ne->element->name, lp_json_str(op, "id", ""), f->err.msg);
    return rc;
}

/* Phase by phase over all elements, as a plan of the network is carried out. */
static enum lp_code
apply_all(struct fixture *f, const struct network_plan *all)
{
    enum lp_code rc = LP_OK;

    for (int64_t phase = LP_PHASE_DARK; phase <= LP_PHASE_ALIGN; phase += 10) {
        for (size_t i = 0; i < all->count; i++) {
            json_t *op;
            size_t n;

            json_array_foreach(json_object_get(all->plans[i], "operations"), n, op)
            {
                if (rc == LP_OK && lp_json_int(op, "phase", 0) == phase)
                    rc = run_one(f, all->ne[i], op);
            }
        }
    }
    return rc;
}

static enum lp_code
undo_phase(struct fixture *f, struct lp_ne *ne, const json_t *plan, int64_t phase)
{
    const json_t *ops = json_object_get(plan, "operations");
    enum lp_code rc = LP_OK;

    for (size_t n = json_array_size(ops); rc == LP_OK && n > 0; n--) {
        const json_t *op = json_array_get(ops, n - 1);
        const json_t *undo = json_object_get(op, "compensation");

        if (lp_json_int(op, "phase", 0) == phase && json_is_object(undo))
            rc = run_one(f, ne, undo);
    }
    return rc;
}

static enum lp_code
undo_all(struct fixture *f, const struct network_plan *all)
{
    enum lp_code rc = LP_OK;

    for (int64_t phase = LP_PHASE_ALIGN; phase >= LP_PHASE_DARK; phase -= 10) {
        for (size_t i = all->count; rc == LP_OK && i > 0; i--)
            rc = undo_phase(f, all->ne[i - 1], all->plans[i - 1], phase);
    }
    return rc;
}

static size_t
operations(const struct network_plan *all)
{
    size_t count = 0;

    for (size_t i = 0; i < all->count; i++)
        count += json_array_size(json_object_get(all->plans[i], "operations"));
    return count;
}

/* What happens on other elements behind a change needs its time. */
static void
expect_converged(struct fixture *f, struct network_plan *all, const struct part *parts,
                 size_t count, bool present)
{
    for (unsigned i = 0; i < 500; i++) {
        plan_all(f, all, parts, count, present);
        if (operations(all) == 0)
            return;
        usleep(20000);
    }
    for (size_t i = 0; i < count; i++) {
        char *text = lp_json_text(json_object_get(all->plans[i], "operations"));

        print_message("%s: %s\n", parts[i].node, text);
        free(text);
    }
    assert_int_equal(operations(all), 0);
}

static void
open_all(struct fixture *f, struct network_plan *all, const struct part *parts, size_t count,
         const char *transport)
{
    *all = (struct network_plan){.count = count};
    for (size_t i = 0; i < count; i++)
        all->ne[i] = open_at(f, parts[i].node, transport, NULL);
}

static void
close_all(struct network_plan *all)
{
    for (size_t i = 0; i < LP_COUNT(all->ne); i++) {
        if (all->ne[i] != NULL)
            all->ne[i]->driver->close(all->ne[i]);
        json_decref(all->plans[i]);
    }
}

static void
await_hash(const char *wanted)
{
    char hash[65] = "";

    for (unsigned i = 0; i < 300 && strcmp(hash, wanted) != 0; i++) {
        sim_hash(&sim, hash);
        if (strcmp(hash, wanted) != 0)
            usleep(20000);
    }
    if (strcmp(hash, wanted) != 0) {
        json_t *state = sim_ask(&sim, "{\"op\":\"state\"}");
        char *text = lp_json_text(state);

        print_message("%s\n", text);
        free(text);
        json_decref(state);
    }
    assert_string_equal(hash, wanted);
}

/* The received power is read, and within reach of its target. */
static void
align_power(struct fixture *f, struct lp_ne *ne)
{
    json_auto_t *intents = load("[{\"id\":\"w\",\"kind\":\"power\",\"present\":true,\"port\":"
                                "\"1-A-3-T1\",\"circuit\":\"LP 42\",\"tolerance_cdb\":400}]");
    json_auto_t *power = NULL, *plan = NULL;
    json_t *op;
    size_t i;

    if (ne->driver->read(ne, &f->call, "power:1-A-3-T1@LP_42", &power, &f->err) != LP_OK)
        fail_msg("%s", f->err.msg);
    assert_non_null(json_object_get(power, "measured_cdbm"));
    assert_int_equal(ne->driver->plan(ne, &f->call, intents, false, &plan, &f->err), LP_OK);
    json_array_foreach(json_object_get(plan, "operations"), i, op)
        assert_int_equal(run_one(f, ne, op), LP_OK);
}

static void
round_trip(const char *transport)
{
    struct network_plan fiber, circuit;
    char empty[65], joined[65];
    struct fixture f;

    setup(&f, "s3cr3t");
    sim_hash(&sim, empty);
    open_all(&f, &fiber, fibers, LP_COUNT(fibers), transport);
    plan_all(&f, &fiber, fibers, LP_COUNT(fibers), true);
    assert_true(operations(&fiber) >= 4);
    assert_int_equal(apply_all(&f, &fiber), LP_OK);
    sim_hash(&sim, joined);
    open_all(&f, &circuit, circuits, LP_COUNT(circuits), transport);
    plan_all(&f, &circuit, circuits, LP_COUNT(circuits), true);
    assert_int_equal(apply_all(&f, &circuit), LP_OK);
    expect_converged(&f, &circuit, circuits, LP_COUNT(circuits), true);
    align_power(&f, circuit.ne[0]);
    plan_all(&f, &circuit, moved, LP_COUNT(moved), true);
    assert_true(operations(&circuit) >= 3);
    assert_int_equal(apply_all(&f, &circuit), LP_OK);
    expect_converged(&f, &circuit, moved, LP_COUNT(moved), true);
    plan_all(&f, &circuit, circuits, LP_COUNT(circuits), false);
    assert_int_equal(apply_all(&f, &circuit), LP_OK);
    expect_converged(&f, &circuit, circuits, LP_COUNT(circuits), false);
    close_all(&circuit);
    plan_all(&f, &fiber, fibers, LP_COUNT(fibers), true);
    assert_int_equal(operations(&fiber), 0);
    close_all(&fiber);
    teardown(&f);
}

static void
circuits_come_and_go_over_tcp(void **state)
{
    (void)state;
    round_trip("tcp");
}

static void
circuits_come_and_go_over_ssh(void **state)
{
    (void)state;
    round_trip("ssh");
}

static void
undoing_restores_the_state_before(void **state)
{
    static const struct {
        const struct part *parts;
        size_t count;
    } sets[] = {{fibers, LP_COUNT(fibers)}, {circuits, LP_COUNT(circuits)}};

    (void)state;
    for (size_t i = 0; i < LP_COUNT(sets); i++) {
        struct network_plan all;
        struct fixture f;
        char before[65];

        setup(&f, "s3cr3t");
        sim_hash(&sim, before);
        open_all(&f, &all, sets[i].parts, sets[i].count, "tcp");
        plan_all(&f, &all, sets[i].parts, sets[i].count, true);
        assert_int_equal(apply_all(&f, &all), LP_OK);
        assert_int_equal(undo_all(&f, &all), LP_OK);
        await_hash(before);
        close_all(&all);
        teardown(&f);
    }
}

/* ---- faults of the line ---- */

static const struct {
    const char *name, *rule;
} faults[] = {
#define EVERY_WRITE "{\"match\":{\"verb\":\"E[DN]*\"},\"when\":{\"nth\":1,\"times\":2"
#define EVERY_ED    "{\"match\":{\"verb\":\"ED-*\"},\"when\":{\"nth\":1,\"times\":1"
#define GARBAGE(variant)                                                                           \
    "{\"match\":{\"verb\":\"*\"},\"when\":{\"nth\":4,\"times\":1},\"do\":{\"fault\":\"garbage\","  \
    "\"variant\":\"" variant "\"}}"
#define ANY_COMMAND "{\"match\":{\"verb\":\"*\"},\"when\":{\"nth\":3,\"times\":1"
    {"F1 slow", ANY_COMMAND "},\"do\":{\"fault\":\"slow-first-byte\",\"delay_ms\":300}}"},
    {"F2 drip", ANY_COMMAND "},\"do\":{\"fault\":\"slow-drip\",\"bytes_per_s\":2000}}"},
    {"F5 executed", EVERY_WRITE ",\"state\":\"executed\"},\"do\":{\"fault\":\"drop\"}}"},
    {"F5 not executed", EVERY_WRITE ",\"state\":\"not-executed\"},\"do\":{\"fault\":\"drop\"}}"},
    {"F6", EVERY_WRITE ",\"state\":\"executed\"},\"do\":{\"fault\":\"drop-mid-reply\","
                       "\"at_byte\":30}}"},
    {"F9", ANY_COMMAND "},\"do\":{\"fault\":\"logout\"}}"},
    {"F10 busy", EVERY_WRITE "},\"do\":{\"fault\":\"deny\",\"code\":\"RCBY\",\"text\":\"busy\"}}"},
    {"F11 partial", EVERY_WRITE "},\"do\":{\"fault\":\"completion\",\"word\":\"PRTL\"}}"},
    {"F11 repeat later", EVERY_WRITE "},\"do\":{\"fault\":\"acknowledge\",\"word\":\"RL\"}}"},
    {"F11 not known", EVERY_WRITE "},\"do\":{\"fault\":\"acknowledge\",\"word\":\"NA\"}}"},
    {"F13", "{\"match\":{\"verb\":\"RTRV-*\"},\"when\":{\"times\":0},\"do\":{\"fault\":\"blocks\","
            "\"records\":1,\"between\":\"autonomous\"}}"},
    {"F14", "{\"match\":{\"verb\":\"RTRV-*\"},\"when\":{\"nth\":2,\"times\":1},\"do\":{\"fault\":"
            "\"cut-blocks\",\"records\":1,\"after\":1,\"close\":true}}"},
    {"F15", "{\"match\":{\"verb\":\"*\"},\"when\":{\"times\":0},\"do\":{\"fault\":\"storm\","
            "\"count\":50,\"where\":\"before\"}}"},
    {"F17", "{\"match\":{\"verb\":\"RTRV-SCG\"},\"when\":{\"times\":0},\"do\":{\"fault\":\"text\","
            "\"attr\":\"PROVFPMPO\",\"text\":\"M  X DENY; TL1>> COMPLD\"}}"},
    {"F18", "{\"match\":{\"verb\":\"RTRV-*\"},\"when\":{\"nth\":2,\"times\":1},\"do\":{\"fault\":"
            "\"wrong-sid\",\"sid\":\"lp.xyz\"}}"},
    {"F26", "{\"match\":{\"verb\":\"RTRV-SCG\"},\"when\":{\"nth\":3,\"times\":2},\"do\":{\"fault\":"
            "\"stale\"}}"},
    {"F3", EVERY_ED "},\"do\":{\"fault\":\"silence\"}}"},
    {"F4", EVERY_ED ",\"state\":\"not-executed\"},\"do\":{\"fault\":\"refuse\",\"duration_ms\":"
                    "200}}"},
    {"F7", EVERY_ED "},\"do\":{\"fault\":\"half-open\"}}"},
    {"F8 sessions", "{\"match\":{\"verb\":\"ACT-USER\"},\"when\":{\"nth\":1,\"times\":1},\"do\":{"
                    "\"fault\":\"login\",\"variant\":\"too-many-sessions\"}}"},
    {"F16 binary", GARBAGE("binary")},
    {"F16 no header", GARBAGE("no-header")},
    {"F16 other tag", GARBAGE("wrong-ctag")},
    {"F16 tag 0", GARBAGE("ctag-0")},
    {"F16 twice", GARBAGE("double-reply")},
    {"F16 late", GARBAGE("late-reply")},
    {"F16 CR only", GARBAGE("cr-only")},
    {"F16 no end", GARBAGE("no-final-crlf")},
    {"F16 long line", GARBAGE("long-line")},
    {"F16 quote", GARBAGE("unescaped-quote")},
    {"F16 telnet", GARBAGE("telnet-iac")},
    {"F16 glued", GARBAGE("prompt-glued")},
    {"F16 no prompt", GARBAGE("no-prompt")},
    {"F27", "{\"match\":{\"verb\":\"RTRV-SCH\"},\"when\":{\"nth\":1,\"times\":3},\"do\":{\"fault\":"
            "\"hide\"}}"},
};

static void
each_fault_ends_where_no_fault_ends(void **state)
{
    char sound[65] = "";

    (void)state;
    for (size_t i = 0; i <= LP_COUNT(faults); i++) {
        struct network_plan all;
        struct fixture f;
        char request[1024];

        setup(&f, "s3cr3t");
        open_all(&f, &all, circuits, LP_COUNT(circuits), "tcp");
        plan_all(&f, &all, circuits, LP_COUNT(circuits), true);
        if (i > 0) {
            print_message("%s\n", faults[i - 1].name);
            (void)snprintf(request, sizeof request, "{\"op\":\"faults\",\"rules\":[%s]}",
                           faults[i - 1].rule);
            sim_do(&sim, request);
        }
        if (apply_all(&f, &all) == LP_REFUSED && f.err.code == LP_REFUSED) {
            plan_all(&f, &all, circuits, LP_COUNT(circuits), true); /* an operator's retry */
            assert_int_equal(apply_all(&f, &all), LP_OK);
        }
        assert_int_equal(f.err.code, LP_OK);
        sim_do(&sim, "{\"op\":\"faults-clear\"}");
        expect_converged(&f, &all, circuits, LP_COUNT(circuits), true);
        if (i == 0)
            sim_hash(&sim, sound);
        else
            await_hash(sound);
        close_all(&all);
        teardown(&f);
    }
}

/* What must end as a conflict, and never as a success: F12, F28, F29. */
static void
lies_and_strangers_are_conflicts(void **state)
{
    static const char *const rules[] = {
        "{\"match\":{\"verb\":\"ENT-OSNC\"},\"when\":{\"times\":1},\"do\":{\"fault\":"
        "\"foreign-exists\",\"attrs\":{\"CKTIDSUFFIX\":\"theirs\"}}}",
        "{\"match\":{\"verb\":\"ENT-OEL\"},\"when\":{\"times\":1},\"do\":{\"fault\":"
        "\"foreign-exists\",\"attrs\":{\"DSTNODENAME\":\"lp.x\"}}}",
        "{\"match\":{\"verb\":\"ED-SCG\"},\"when\":{\"times\":0},\"do\":{\"fault\":\"no-op\"}}",
        "{\"match\":{\"verb\":\"ED-SCG\"},\"when\":{\"times\":0},\"do\":{\"fault\":\"clamp\","
        "\"attr\":\"PROVOWREMPTP\",\"value\":\"cut\"}}",
        "{\"match\":{\"verb\":\"RTRV-SCG\"},\"when\":{\"nth\":2,\"times\":1},\"do\":{\"fault\":"
        "\"meddle\",\"class\":\"SCG\",\"aid\":\"1-A-3-T1\",\"attrs\":{\"LABEL\":\"theirs\"}}}",
    };

    (void)state;
    for (size_t i = 0; i < LP_COUNT(rules); i++) {
        struct network_plan all;
        struct fixture f;
        char request[1024];

        setup(&f, "s3cr3t");
        f.conf->devices_settle_ms = 300;
        open_all(&f, &all, circuits, LP_COUNT(circuits), "tcp");
        plan_all(&f, &all, circuits, LP_COUNT(circuits), true);
        (void)snprintf(request, sizeof request, "{\"op\":\"faults\",\"rules\":[%s]}", rules[i]);
        sim_do(&sim, request);
        assert_int_equal(apply_all(&f, &all), LP_CONFLICT);
        assert_non_null(json_object_get(f.err.detail, "actual"));
        sim_do(&sim, "{\"op\":\"faults-clear\"}");
        close_all(&all);
        teardown(&f);
    }
}

/* F8: a refused login says why, and is not repeated. */
static void
refused_logins_open_the_breaker(void **state)
{
    static const char *const variants[] = {"wrong-credentials", "lock-out", "password-expired"};

    (void)state;
    for (size_t i = 0; i < LP_COUNT(variants); i++) {
        struct fixture f;
        struct lp_ne *ne;
        json_t *out = NULL, *journal;
        char request[256];

        setup(&f, "s3cr3t");
        (void)snprintf(request, sizeof request,
                       "{\"op\":\"faults\",\"rules\":[{\"match\":{\"verb\":\"ACT-USER\"},\"when\":{"
                       "\"times\":0},\"do\":{\"fault\":\"login\",\"variant\":\"%s\"}}]}",
                       variants[i]);
        sim_do(&sim, request);
        ne = open_at(&f, "lp.mil1", "tcp", NULL);
        for (unsigned k = 0; k < 3; k++) {
            assert_int_equal(ne->driver->probe(ne, &f.call, &out, &f.err), LP_AUTH);
            lp_err_clear(&f.err);
        }
        journal = sim_ask(&sim, "{\"op\":\"journal\"}");
        assert_int_equal(json_array_size(json_object_get(journal, "journal")), 1);
        json_decref(journal);
        sim_do(&sim, "{\"op\":\"faults-clear\"}");
        ne->driver->close(ne);
        teardown(&f);
    }
}

static void
a_wrong_password_is_tried_once(void **state)
{
    struct fixture f;
    struct lp_ne *ne;
    json_t *out = NULL;

    (void)state;
    setup(&f, "wrong");
    ne = open_at(&f, "lp.mil1", "tcp", NULL);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(ne->driver->probe(ne, &f.call, &out, &f.err), LP_AUTH);
        assert_non_null(strstr(f.err.msg, "lp.mil1"));
        assert_null(strstr(f.err.msg, "wrong"));
        lp_err_clear(&f.err);
    }
    ne->driver->close(ne);
    teardown(&f);
}

static void
another_element_under_the_address_is_noticed(void **state)
{
    json_auto_t *intents = intents_of(&fibers[0], true), *plan = NULL, *report = NULL,
                *other = NULL;
    struct fixture f;
    struct lp_ne *ne;

    (void)state;
    setup(&f, "s3cr3t");
    ne = open_at(&f, "lp.mil1", "tcp", "MA0000000001");
    assert_int_equal(ne->driver->plan(ne, &f.call, intents, false, &plan, &f.err), LP_OK);
    assert_string_equal(lp_json_str(json_object_get(plan, "identity"), "serial", ""),
                        "MA0000000001");
    sim_do(&sim, "{\"op\":\"replace\",\"ne\":\"lp.mil1\",\"serial\":\"MA0000000999\"}");
    sim_do(&sim, "{\"op\":\"disconnect\",\"ne\":\"lp.mil1\"}");
    for (unsigned i = 0; i < 5; i++) { /* the first may still find the broken connection */
        lp_err_clear(&f.err);
        if (ne->driver->apply_op(ne, &f.call,
                                 json_array_get(json_object_get(plan, "operations"), 0), NULL,
                                 &report, &f.err)
            == LP_CONFLICT)
            break;
    }
    assert_int_equal(f.err.code, LP_CONFLICT);
    assert_non_null(strstr(f.err.msg, "MA0000000999"));
    lp_err_clear(&f.err);
    assert_int_equal(ne->driver->probe(ne, &f.call, &other, &f.err), LP_OK);
    assert_string_equal(lp_json_str(other, "serial", ""), "MA0000000999");
    ne->driver->close(ne);
    teardown(&f);
}

/* ---- gateways, events, typed commands ---- */

/* A port that takes connections and never says anything. */
static int
silent_listener(char *address, size_t size)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof any;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&any, sizeof any), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&any, &len), 0);
    (void)snprintf(address, size, "tcp://127.0.0.1:%u", (unsigned)ntohs(any.sin_port));
    return fd;
}

static void
elements_behind_a_gateway(void **state)
{
    const struct lp_driver *driver = lp_driver_of("infinera-flexils");
    char address[96];
    char silent[64];
    const char *gateways[] = {"tcp://127.0.0.1:1", silent, address};
    const struct lp_element element = {.id = "e",
                                       .name = "lp.ola1",
                                       .node = "lp.ola1",
                                       .driver = driver->name,
                                       .gateways = gateways,
                                       .gateway_count = 3};
    json_auto_t *identity = NULL, *ports = NULL;
    struct lp_ne *ne = NULL;
    struct fixture f;
    int listener = silent_listener(silent, sizeof silent);

    (void)state;
    setup(&f, "s3cr3t");
    f.conf->devices_gateway_probe_ms = 3000;
    sim_address(&sim, "lp.mil1", "tcp", address, sizeof address);
    assert_int_equal(driver->open(f.host, &element, &ne, &f.err), LP_OK);
    if (driver->probe(ne, &f.call, &identity, &f.err) != LP_OK)
        fail_msg("%s", f.err.msg);
    assert_string_equal(lp_json_str(identity, "serial", ""), "MA0000000003");
    assert_int_equal(driver->ports(ne, &f.call, LP_PORT_OLS_LINE, &ports, &f.err), LP_OK);
    assert_int_equal(json_array_size(json_object_get(ports, "items")), 2);
    driver->close(ne);
    (void)close(listener);
    teardown(&f);
}

static void
events_are_handed_out_one_by_one(void **state)
{
    json_t *event = NULL;
    struct fixture f;
    struct lp_ne *ne;
    bool seen = false;

    (void)state;
    setup(&f, "s3cr3t");
    ne = open_at(&f, "lp.mil1", "tcp", NULL);
    patience(&f, 0);
    assert_int_equal(ne->driver->next_event(ne, &f.call, &event, &f.err) != LP_OK, true);
    lp_err_clear(&f.err);
    patience(&f, 60);
    /* opens the event session; nothing is reported yet */
    sim_do(&sim, "{\"op\":\"alarm\",\"ne\":\"lp.mil1\",\"class\":\"OTS\",\"aid\":\"1-A-1-L1\","
                 "\"condition\":\"OLOS\",\"severity\":\"CR\",\"effect\":\"SA\",\"text\":\"Loss\"}");
    for (unsigned i = 0; i < 50 && !seen; i++) {
        f.until_us = lp_clock_mono_us(&f.clock) + 500000;
        if (ne->driver->next_event(ne, &f.call, &event, &f.err) == LP_OK) {
            seen = strcmp(lp_json_str(event, "kind", ""), "alarm") == 0
                   && strcmp(lp_json_str(event, "object", ""), "1-A-1-L1") == 0;
            json_decref(event);
        } else {
            sim_do(&sim, "{\"op\":\"alarm\",\"ne\":\"lp.mil1\",\"class\":\"OTS\",\"aid\":"
                         "\"1-A-1-L1\",\"condition\":\"OLOS\",\"clear\":true}");
            sim_do(&sim,
                   "{\"op\":\"alarm\",\"ne\":\"lp.mil1\",\"class\":\"OTS\",\"aid\":"
                   "\"1-A-1-L1\",\"condition\":\"OLOS\",\"severity\":\"CR\",\"effect\":\"SA\","
                   "\"text\":\"Loss\"}");
        }
        lp_err_clear(&f.err);
    }
    assert_true(seen);
    ne->driver->close(ne);
    teardown(&f);
}

/* D42: a typed command reaches no other element, and no session. */
static void
D42_typed_commands_stay_with_their_element(void **state)
{
    static const char *const refused[] = {
        "RTRV-OTS:lp.fir1::C1::::;", "ACT-USER:lp.mil1:svc:C1::x;", "CANC-USER:lp.mil1:svc:C1;",
        "RTRV-HDR:::c; RTRV-HDR:::c;"};
    json_t *out = NULL;
    struct fixture f;
    struct lp_ne *ne;

    (void)state;
    setup(&f, "s3cr3t");
    ne = open_at(&f, "lp.mil1", "tcp", NULL);
    assert_int_equal(
        ne->driver->raw(ne, &f.call, "RTRV-OTS:lp.mil1:1-A-1-L1:C1::::;", &out, &f.err), LP_OK);
    assert_non_null(strstr(lp_json_str(out, "text", ""), "1-A-1-L1:OTS:"));
    assert_int_equal(json_array_size(json_object_get(out, "messages")), 1);
    json_decref(out);
    assert_int_equal(ne->driver->raw(ne, &f.call, "RTRV-OTS::1-A-9-L9:C1::::", &out, &f.err),
                     LP_OK); /* a denial is an answer */
    assert_non_null(strstr(lp_json_str(out, "text", ""), "DENY"));
    json_decref(out);
    for (size_t i = 0; i < LP_COUNT(refused); i++) {
        if (ne->driver->raw(ne, &f.call, refused[i], &out, &f.err) == LP_OK)
            fail_msg("%s: %s", refused[i], lp_json_str(out, "text", ""));
        lp_err_clear(&f.err);
    }
    ne->driver->close(ne);
    teardown(&f);
}

/* Driver and simulator were written from one catalogue by different people: they agree on the shape
 * of every command. */
static void
every_command_has_the_shape_that_elements_expect(void **state)
{
    static const char *const aids[] = {"", "1-A-3-T1", "1-A-4-S1-1,1-A-3-T1-1"};
    static const char *const shape_errors[] = {"IICM", "IBMS", "IBEX", "IPNV", "IPEX", "ISPC"};
    size_t count;
    const struct fx_verb_row *rows = fx_verbs(&count);
    struct fixture f;
    struct lp_ne *ne;

    (void)state;
    setup(&f, "s3cr3t");
    ne = open_at(&f, "lp.mil1", "tcp", NULL);
    for (size_t i = 0; i < count; i++) {
        bool lists = rows[i].verb == FX_RTRV || rows[i].verb == FX_ALM_V || rows[i].verb == FX_COND;
        const struct fx_request request = {.object = rows[i].object,
                                           .verb = rows[i].verb,
                                           .tid = "lp.mil1",
                                           .aid = aids[lists                       ? 0
                                                       : rows[i].object == FX_OCRS ? 2
                                                                                   : 1]};
        const char *text = NULL, *error;
        char command[512];
        json_t *out = NULL;

        if (rows[i].verb == FX_ENT_V) /* what must be in them is tested with circuits */
            continue;
        assert_int_equal(fx_command_text(f.arena, &request, &text, &f.err), LP_OK);
        (void)snprintf(command, sizeof command, "%.*sC1%s", (int)strcspn(text, "*"), text,
                       text + strcspn(text, "*") + 1);
        if (ne->driver->raw(ne, &f.call, command, &out, &f.err) != LP_OK)
            fail_msg("%s: %s", command, f.err.msg);
        error = lp_json_str(json_array_get(json_object_get(out, "messages"), 0), "error", "");
        for (size_t k = 0; k < LP_COUNT(shape_errors); k++) {
            if (strcmp(error, shape_errors[k]) == 0)
                fail_msg("%s: %s", command, lp_json_str(out, "text", ""));
        }
        json_decref(out);
    }
    ne->driver->close(ne);
    teardown(&f);
}

static void
readings_of_a_whole_element(void **state)
{
    json_auto_t *inventory = NULL, *ports = NULL, *neighbours = NULL, *spectrum = NULL;
    json_auto_t *alarms = NULL, *counters = NULL, *query = json_object();
    struct fixture f;
    struct lp_ne *ne;

    (void)state;
    setup(&f, "s3cr3t");
    ne = open_at(&f, "lp.mil1", "tcp", NULL);
    assert_int_equal(ne->driver->inventory(ne, &f.call, &inventory, &f.err), LP_OK);
    assert_int_equal(json_array_size(json_object_get(inventory, "items")), 5);
    assert_int_equal(ne->driver->ports(ne, &f.call, -1, &ports, &f.err), LP_OK);
    assert_int_equal(json_array_size(json_object_get(ports, "items")), 9);
    assert_int_equal(ne->driver->neighbours(ne, &f.call, &neighbours, &f.err), LP_OK);
    assert_int_equal(json_array_size(json_object_get(neighbours, "items")), 1);
    assert_int_equal(ne->driver->spectrum(ne, &f.call, NULL, &spectrum, &f.err), LP_OK);
    assert_int_equal(json_array_size(json_object_get(spectrum, "items")), 0);
    sim_do(&sim, "{\"op\":\"alarm\",\"ne\":\"lp.mil1\",\"class\":\"OTS\",\"aid\":\"1-A-1-L1\","
                 "\"condition\":\"OLOS\",\"severity\":\"CR\",\"effect\":\"SA\",\"text\":\"Loss\"}");
    assert_int_equal(ne->driver->alarms(ne, &f.call, &alarms, &f.err), LP_OK);
    assert_int_equal(json_array_size(json_object_get(alarms, "items")), 1);
    assert_string_equal(
        lp_json_str(json_array_get(json_object_get(alarms, "items"), 0), "severity", ""),
        "critical");
    if (ne->driver->counters(ne, &f.call, query, &counters, &f.err) != LP_OK)
        fail_msg("%s", f.err.msg);
    ne->driver->close(ne);
    teardown(&f);
}

static int
start(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    sim_start(&sim, network);
    return 0;
}

static int
stop(void **state)
{
    char path[96];

    (void)state;
    sim_stop(&sim);
    (void)snprintf(path, sizeof path, "%s/credentials", folder);
    (void)unlink(path);
    (void)snprintf(path, sizeof path, "%s/host_keys", folder);
    (void)unlink(path);
    return rmdir(folder);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_command_has_the_shape_that_elements_expect),
        cmocka_unit_test(readings_of_a_whole_element),
        cmocka_unit_test(circuits_come_and_go_over_tcp),
        cmocka_unit_test(circuits_come_and_go_over_ssh),
        cmocka_unit_test(undoing_restores_the_state_before),
        cmocka_unit_test(each_fault_ends_where_no_fault_ends),
        cmocka_unit_test(lies_and_strangers_are_conflicts),
        cmocka_unit_test(refused_logins_open_the_breaker),
        cmocka_unit_test(a_wrong_password_is_tried_once),
        cmocka_unit_test(another_element_under_the_address_is_noticed),
        cmocka_unit_test(elements_behind_a_gateway),
        cmocka_unit_test(events_are_handed_out_one_by_one),
        cmocka_unit_test(D42_typed_commands_stay_with_their_element),
    };

    return LP_RUN_TESTS_WITH(tests, start, stop);
}
