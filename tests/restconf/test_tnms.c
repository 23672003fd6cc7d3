/* The TNMS: lists, fibers, TL1 scripts, and life without it. */
#include <string.h>

#include "clients/infinera/tnms/tnms.h"
#include "tests/restconf/client_env.h"

static struct client client;
static struct node *node;
static struct lp_tnms *tnms;

static int
begin(void **state)
{
    char url[128], entries[512];
    struct lp_err err = LP_ERR_INIT;

    (void)state;
    node = node_start(NODE_GOOD);
    node_login(node, "svc", "geheim", true);
    (void)snprintf(url, sizeof url, " https://127.0.0.1:%d/ ", node_port(node));
    assert_int_equal(setenv("LIGHTPATH_TNMS_URL", url, 1), 0);
    (void)snprintf(entries, sizeof entries, "[tnms]\nuser = svc\npassword = geheim\ntls_ca = %s\n",
                   node_trust()->ca_file);
    client_open(&client, entries);
    assert_int_equal(lp_tnms_open(client.host, &tnms, &err), LP_OK);
    return 0;
}

static int
end(void **state)
{
    (void)state;
    lp_tnms_close(tnms);
    client_close(&client);
    node_stop(node);
    return unsetenv("LIGHTPATH_TNMS_URL");
}

static json_t *
json(const char *text)
{
    struct lp_err err = LP_ERR_INIT;
    json_t *value = NULL;

    assert_int_equal(lp_json_load(text, strlen(text), &value, &err), LP_OK);
    return value;
}

static void
assert_shape(const json_t *value, const char *expected)
{
    json_auto_t *shape = json(expected);

    assert_true(lp_json_same(value, shape));
}

static void
answers(const char *body)
{
    node_plan(node, &(struct node_plan){.fault = NODE_ANSWER, .status = 200, .body = body});
}

#define CONTEXT(text) "{\"tapi-equipment:physical-context\":" text "}"

/* ---- lists ---- */

/* A network with one device is a list of one device: the schema says so, not the data. */
static void
D38_one_device_is_a_list(void **state)
{
    static const char *const bodies[] = {
        CONTEXT("{\"device\":[{\"uuid\":\"d1\",\"name\":[{\"value-name\":\"NAME\",\"value\":"
                "\"lp.mil1\"}],\"access-port\":[{\"uuid\":\"p1\",\"name\":[{\"value\":\"Line PTP "
                "1-A-1.L1\"}]}]}]}"),
        CONTEXT("{\"device\":{\"uuid\":\"d1\",\"name\":{\"value\":\"lp.mil1\"},\"access-port\":"
                "{\"uuid\":\"p1\",\"name\":{\"value\":\"Line PTP 1-A-1.L1\"}}}}"),
    };
    struct lp_err err = LP_ERR_INIT;

    (void)state;
    for (size_t i = 0; i < LP_COUNT(bodies); i++) {
        json_auto_t *list = NULL;
        struct node_seen seen;

        answers(bodies[i]);
        assert_int_equal(lp_tnms_devices(tnms, &client.call, &list, &err), LP_OK);
        assert_shape(json_object_get(list, "items"),
                     "[{\"uuid\":\"d1\",\"name\":\"lp.mil1\",\"ports\":[{\"uuid\":\"p1\",\"name\":"
                     "\"Line PTP 1-A-1.L1\"}]}]");
        assert_true(lp_json_int(list, "as_of", 0) > 0);
        node_look(node, &seen);
        assert_string_equal(seen.last,
                            "GET /data/tapi-common:context/tapi-equipment:physical-context?fields="
                            "device(uuid;name(value);access-port(uuid;name(value)))");
    }
}

static const char devices_text[] =
    "{\"as_of\":5,\"items\":["
    "{\"uuid\":\"d1\",\"name\":\"lp.mil1\",\"ports\":[{\"uuid\":\"p1\",\"name\":\"Line PTP "
    "1-A-1.L1\"},{\"uuid\":\"p2\",\"name\":\"Line PTP 1-A-2.L1\"},{\"uuid\":\"p3\",\"name\":"
    "\"Trib PTP 1-A-3.T1\"}]},"
    "{\"uuid\":\"d2\",\"name\":\"lp.fir1\",\"ports\":[{\"uuid\":\"q1\",\"name\":\"Line PTP "
    "1-A-1.L1\"},{\"uuid\":\"q2\",\"name\":\"Optical-TTP 1-1.1\"}]},"
    "{\"uuid\":\"d3\",\"name\":\"\",\"ports\":[{\"uuid\":\"r1\",\"name\":\"1-A-1.L1\"}]}]}";

#define SPAN(uuid, a, ap, z, zp)                                                                   \
    "{\"uuid\":\"" uuid "\",\"ends\":[{\"device_uuid\":\"" a "\",\"port_uuid\":\"" ap              \
    "\"},{\"device_uuid\":\"" z "\",\"port_uuid\":\"" zp "\"}]}"

static void
fibers_are_told_from_the_rest(void **state)
{
    static const char spans_text[] =
        "{\"as_of\":7,\"items\":[" SPAN("s1", "d1", "p1", "d2", "q1") "," SPAN(
            "s2", "d2", "q1", "d1",
            "p1") "," SPAN("s3", "d1", "p1", "d1",
                           "p2") "," SPAN("s4", "d1", "p3", "d2",
                                          "q1") "," SPAN("s5", "d1", "p9", "d2",
                                                         "q1") "," SPAN("s6", "d1", "p1", "d3",
                                                                        "r1") ",{\"uuid\":"
                                                                              "\"s7\","
                                                                              "\"ends\":[]}"
                                                                              "," SPAN("s8", "d1",
                                                                                       "p2", "d2",
                                                                                       "q2") "]}";
    const struct lp_tnms_filter filter = {"lp\\.[a-z]+[0-9]", "[0-9]+-A-[0-9]+-L[0-9]+|port-1/1/1"};
    json_auto_t *devices = json(devices_text), *spans = json(spans_text), *out = NULL;
    struct lp_err err = LP_ERR_INIT;

    (void)state;
    assert_int_equal(lp_tnms_match(devices, spans, &filter, &out, &err), LP_OK);
    assert_shape(
        out,
        "{\"as_of\":7,\"items\":[{\"uuid\":\"s1\",\"ends\":[{\"node\":\"lp.mil1\",\"port\":"
        "\"1-A-1-L1\",\"other_port\":\"port-1/A/1/"
        "L1\"},{\"node\":\"lp.fir1\",\"port\":\"1-A-1-L1\","
        "\"other_port\":\"port-1/A/1/L1\"}]},{\"uuid\":\"s8\",\"ends\":[{\"node\":\"lp.mil1\","
        "\"port\":\"1-A-2-L1\",\"other_port\":\"port-1/A/2/L1\"},{\"node\":\"lp.fir1\",\"port\":"
        "\"1-1-1\",\"other_port\":\"port-1/1/1\"}]}],\"left_out\":["
        "{\"uuid\":\"s2\",\"why\":\"it is listed the other way round already\"},"
        "{\"uuid\":\"s3\",\"why\":\"both ends are on one node\"},"
        "{\"uuid\":\"s4\",\"why\":\"an end does not match the patterns\"},"
        "{\"uuid\":\"s5\",\"why\":\"an end is a port that the TNMS does not list\"},"
        "{\"uuid\":\"s6\",\"why\":\"an end is on a device without a name\"},"
        "{\"uuid\":\"s7\",\"why\":\"it has not exactly two ends\"}]}");
    assert_int_equal(lp_tnms_match(devices, spans, &(struct lp_tnms_filter){"(", NULL}, &out, &err),
                     LP_INVALID);
    lp_err_clear(&err);
}

static void
fibers_are_read_in_two_questions(void **state)
{
    json_auto_t *out = NULL;
    struct lp_err err = LP_ERR_INIT;
    struct node_seen seen;

    (void)state;
    answers(
        CONTEXT("{\"device\":[{\"uuid\":\"d1\",\"name\":[{\"value\":\"n1\"}],\"access-port\":[{"
                "\"uuid\":\"p\",\"name\":[{\"value\":\"Line PTP 1-A-1.L1\"}]}]},{\"uuid\":"
                "\"d2\",\"name\":[{\"value\":\"n2\"}],\"access-port\":[{\"uuid\":\"p\",\"name\":"
                "[{\"value\":\"Line PTP 1-A-1.L1\"}]}]}]}"));
    answers(CONTEXT("{\"physical-span\":[{\"uuid\":\"s\",\"access-port\":[{\"device-uuid\":\"d1\","
                    "\"access-port-uuid\":\"p\"},{\"device-uuid\":\"d2\",\"access-port-uuid\":\"p\""
                    "}]}]}"));
    assert_int_equal(
        lp_tnms_fibers(tnms, &client.call, &(struct lp_tnms_filter){NULL, NULL}, &out, &err),
        LP_OK);
    assert_int_equal(json_array_size(json_object_get(out, "items")), 1);
    node_look(node, &seen);
    assert_int_equal(seen.logins, 1);
    assert_int_equal(seen.connections, 1);
    assert_null(strstr(client.evidence.data, "geheim"));
}

/* ---- scripts ---- */

static const char *const device = "5e1f";
static const char *const commands[] = {"ACT-USER:lp.mil1:svc:W1::geheim2;",
                                       "RTRV-OTS:lp.mil1::W1::::;"};
static const struct lp_tnms_script script = {&device, 1, commands, 2, false, false};
#define OUTPUT(text) "{\"tapi-equipment-extensions-cli:output\":" text "}"

static void
scripts_are_waited_for(void **state)
{
    json_auto_t *out = NULL;
    struct lp_err err = LP_ERR_INIT;
    struct node_seen seen;

    (void)state;
    /* plans are met in order: the start, then three looks */
    answers(OUTPUT("{\"id\":4711}"));
    answers(OUTPUT("{\"id\":4711,\"status\":\"PENDING\",\"device-results\":[]}"));
    answers(OUTPUT("{\"id\":4711,\"status\":\"RUNNING\",\"device-results\":[]}"));
    answers(
        OUTPUT("{\"id\":4711,\"status\":\"FINISHED\",\"device-results\":[{\"device-ref\":\"5e1f\","
               "\"responses\":[{\"output\":\"M  W1 COMPLD\",\"status\":\"FINISHED\"}]}]}"));
    {
        int64_t id = 0;

        assert_int_equal(lp_tnms_script_start(tnms, &client.call, &script, &id, &err), LP_OK);
        node_look(node, &seen);
        assert_string_equal(seen.last,
                            "POST /operations/tapi-equipment-extensions-cli:run-cli-script/");
        assert_string_equal(
            seen.last_body,
            "{\"tapi-equipment-extensions-cli:input\":{\"device-list\":[\"5e1f\"],\"commands\":["
            "\"ACT-USER:lp.mil1:svc:W1::geheim2;\",\"RTRV-OTS:lp.mil1::W1::::;\"],\"channel\":"
            "\"TL1\",\"error-policy\":\"ABORT\"}}");
        assert_int_equal(lp_tnms_script_wait(tnms, &client.call, id, &out, &err), LP_OK);
    }
    assert_shape(out, "{\"id\":4711,\"status\":\"finished\",\"results\":[{\"device\":\"5e1f\","
                      "\"outputs\":[{\"text\":\"M  W1 COMPLD\",\"status\":\"FINISHED\"}]}]}");
    assert_int_equal(client.checks, 1); /* the script writes, looking at it does not */
    assert_null(strstr(client.evidence.data, "geheim"));
}

static void
a_finished_script_may_have_failed(void **state)
{
    json_auto_t *out = NULL, *next = NULL;
    struct lp_err err = LP_ERR_INIT;
    int64_t id = 0;

    (void)state;
    answers(OUTPUT("{\"id\":4711}"));
    answers(
        OUTPUT("{\"id\":4711,\"status\":\"FINISHED\",\"device-results\":[{\"device-ref\":\"5e1f\","
               "\"responses\":[{\"output\":\"ok\",\"status\":\"FINISHED\"},{\"output\":\"DENY\","
               "\"status\":\"FAILED\"}]}]}"));
    assert_int_equal(lp_tnms_script_start(tnms, &client.call, &script, &id, &err), LP_OK);
    assert_int_equal(lp_tnms_script_wait(tnms, &client.call, id, &out, &err), LP_REFUSED);
    assert_string_equal(lp_json_str(err.detail, "text", ""), "DENY");
    lp_err_clear(&err);
    answers(OUTPUT("{\"id\":4711,\"status\":\"FAILED\"}"));
    assert_int_equal(lp_tnms_script_wait(tnms, &client.call, 4711, &next, &err), LP_REFUSED);
    lp_err_clear(&err);
}

static void
a_lost_script_is_not_run_again(void **state)
{
    json_auto_t *out = NULL;
    struct lp_err err = LP_ERR_INIT;
    struct node_seen seen;
    int64_t id = 0;

    (void)state;
    node_plan(node, &(struct node_plan){.fault = NODE_DROP});
    assert_int_equal(lp_tnms_script_start(tnms, &client.call, &script, &id, &err), LP_UNKNOWN);
    lp_err_clear(&err);
    node_plan(node, &(struct node_plan){.fault = NODE_ANSWER, .status = 404});
    assert_int_equal(lp_tnms_script_wait(tnms, &client.call, 4711, &out, &err), LP_UNKNOWN);
    assert_int_equal(lp_json_int(err.detail, "id", 0), 4711);
    lp_err_clear(&err);
    node_look(node, &seen);
    assert_int_equal(seen.requests, 2);
}

/* ---- without it ---- */

static void
D43_nothing_needs_the_tnms(void **state)
{
    struct client other;
    struct lp_tnms *none = NULL;
    struct lp_err err = LP_ERR_INIT;
    struct node_seen seen;

    (void)state;
    node_look(node, &seen);
    assert_int_equal(seen.connections, 0); /* opened, and nothing was asked yet */
    assert_int_equal(setenv("LIGHTPATH_TNMS_URL", "", 1), 0);
    client_open(&other, NULL); /* the host stands without it */
    assert_int_equal(lp_tnms_open(other.host, &none, &err), LP_PRECONDITION);
    lp_err_clear(&err);
    client_close(&other);
    assert_int_equal(setenv("LIGHTPATH_TNMS_URL", "https://127.0.0.1:1,https://127.0.0.1:1", 1), 0);
    client_open(&other, client_entry("x", "[tnms]\nuser = a\npassword = b\n"));
    assert_int_equal(lp_tnms_open(other.host, &none, &err), LP_OK);
    {
        json_t *out = NULL;

        assert_int_equal(lp_tnms_devices(none, &other.call, &out, &err), LP_RETRYABLE);
        lp_err_clear(&err);
    }
    lp_tnms_close(none);
    client_close(&other);
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        CASE(D38_one_device_is_a_list),          CASE(fibers_are_told_from_the_rest),
        CASE(fibers_are_read_in_two_questions),  CASE(scripts_are_waited_for),
        CASE(a_finished_script_may_have_failed), CASE(a_lost_script_is_not_run_again),
        CASE(D43_nothing_needs_the_tnms),
    };

    return LP_RUN_TESTS(tests);
}
