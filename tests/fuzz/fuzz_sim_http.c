/* What reaches a simulated element over HTTPS, behind the TLS: the first byte chooses the element,
 * the rest is its stream of bytes. Requests that are whole are executed as if their sender had
 * logged in. */
#include <assert.h>
#include <string.h>

#include "base/json.h"
#include "sim/rest/web.h"
#include "tests/fuzz/fuzz.h"

static struct sim_net *
network(void)
{
    static const char topology[] =
        "{\"format\":\"lightpath-sim network 1\",\"nodes\":[{\"name\":\"a\",\"kind\":\"G30\","
        "\"password\":\"\",\"cards\":[{\"slot\":1,\"type\":\"CHM1\"},{\"slot\":2,\"type\":"
        "\"CHM2T\"}"
        "]},{\"name\":\"b\",\"kind\":\"G42\",\"password\":\"\",\"cards\":[{\"name\":\"1-4\"}]},"
        "{\"name\":\"c\",\"kind\":\"TNMS\",\"password\":\"\"},{\"name\":\"r\",\"kind\":\"ROADM\","
        "\"cards\":[{\"aid\":\"1-A-3\",\"type\":\"FSM\",\"ports\":[\"T1\"]}]}],\"patches\":[{\"a\":"
        "["
        "\"a\",\"port-1/2/1\"],\"b\":[\"b\",\"1-4-L1\"]},{\"a\":[\"a\",\"port-1/2/"
        "2\"],\"b\":[\"r\","
        "\"1-A-3-T1\"]}]}";
    struct lp_err err = LP_ERR_INIT;
    struct sim_net *net = NULL;
    json_t *doc = NULL;

    assert(lp_json_load(topology, strlen(topology), &doc, &err) == LP_OK);
    assert(sim_net_load(doc, &net, &err) == LP_OK);
    json_decref(doc);
    net->now_us = net->utc_us = INT64_C(1800000000000000);
    return net;
}

static void
answer(struct sim_net *net, struct sim_box *box, const struct sim_http_request *request)
{
    struct sim_web_answer out = {.status = 0};

    sim_web_execute(net, box, request, false, &out);
    assert(out.status >= 200 && out.status < 600);
    assert(!out.body.failed && !out.headers.failed);
    (void)sim_web_writes(box, request);
    sim_web_answer_free(&out);
}

/* The sender has logged in: a header more. */
static void
authorize(struct sim_net *net, struct sim_box *box, struct sim_http_request *request, char *value)
{
    static char name[] = "Authorization";
    static char basic[] = "Basic dTo="; /* "u:" */
    char token[33];

    if (request->header_count == SIM_HTTP_HEADERS)
        return;
    if (box->kind->bearer) {
        sim_web_token(net, box, 1000000, token);
        memcpy(value, "Bearer ", 7);
        memcpy(value + 7, token, sizeof token);
    } else {
        memcpy(value, basic, sizeof basic);
    }
    memmove(request->headers + 1, request->headers,
            request->header_count * sizeof request->headers[0]);
    request->headers[0].name = name;
    request->headers[0].value = value;
    request->header_count++;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sim_net *net = network();
    struct sim_box *box = &net->boxes[size == 0 ? 0 : data[0] % 3];
    struct lp_buf in = LP_BUF_INIT;
    struct sim_http_request request;
    char value[48], hash[65];
    int status = 0;

    if (size > 1)
        lp_buf_add(&in, data + 1, size - 1);
    while (in.len > 0 && sim_http_take(&in, &request, &status) == SIM_HTTP_READY) {
        authorize(net, box, &request, value);
        answer(net, box, &request);
        sim_http_request_free(&request);
        net->now_us += 1000000;
        net->utc_us += 1000000;
    }
    assert(sim_state_hash(net, NULL, hash));
    lp_buf_free(&in);
    sim_net_free(net);
    return 0;
}
