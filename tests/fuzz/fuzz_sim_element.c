/* What reaches a running simulator: lines that begin with '{' go to the control socket, everything
 * else is typed at an element. */
#include <assert.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/json.h"
#include "sim/server.h"
#include "tests/fuzz/fuzz.h"

static struct sim_server *
server_make(void)
{
    static const char topology[] =
        "{\"format\":\"lightpath-sim flexils 1\",\"options\":{\"settle_ms\":0},"
        "\"users\":[{\"name\":\"u\",\"password\":\"p\"}],\"nodes\":["
        "{\"name\":\"a\",\"gateway\":true,\"cards\":[{\"aid\":\"1-A-1\",\"type\":\"FRM\",\"ports\":"
        "["
        "\"L1\",\"S1\"]},{\"aid\":\"1-A-3\",\"type\":\"FSM\",\"ports\":[\"T1\",\"T2\"]}]},"
        "{\"name\":\"b\",\"cards\":[{\"aid\":\"1-A-1\",\"type\":\"FRM\",\"ports\":[\"L1\"]},"
        "{\"aid\":\"1-A-5\",\"type\":\"FMM\",\"ports\":[\"T1\",\"T2\"]}]}],"
        "\"spans\":[{\"id\":\"s\",\"a\":[\"a\",\"1-A-1-L1\"],\"b\":[\"b\",\"1-A-1-L1\"]}],"
        "\"setup\":[\"ENT-OEL:a:w:1:::SRCNODENAME=a,DSTNODENAME=b,MODULATION=PM-NONE,RATE=NA,"
        "SPECTYPE=NA,CARDTYPE=X,FREQSLOTPLANTYPE=N,EXPLICITROUTE=a&1-A-1-L1&b&1-A-1-L1:IS;\"]}";
    struct lp_err err = LP_ERR_INIT;
    struct sim_server *server = NULL;
    struct sim_net *net = NULL;
    json_t *doc = NULL;

    assert(lp_json_load(topology, strlen(topology), &doc, &err) == LP_OK);
    assert(sim_net_load(doc, &net, &err) == LP_OK);
    json_decref(doc);
    assert(sim_server_new(net, NULL, &server, &err) == LP_OK);
    return server;
}

static void
control(struct sim_server *server, const char *line, size_t len)
{
    struct lp_err err = LP_ERR_INIT;
    json_t *request = NULL, *reply = NULL;

    if (lp_json_load(line, len, &request, &err) == LP_OK
        && sim_control(server, request, &reply, &err) == LP_OK)
        assert(reply != NULL);
    json_decref(reply);
    json_decref(request);
    lp_err_clear(&err);
}

static void
type(struct sim_server *server, struct sim_conn *conn, int fd, const char *line, size_t len)
{
    char seen[4096];

    if (!conn->dead && !conn->frozen)
        sim_session_bytes(server, conn, line, len);
    if (!conn->dead)
        sim_conn_flush(server, conn);
    while (recv(fd, seen, sizeof seen, MSG_DONTWAIT) > 0)
        continue;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *at = (const char *)data, *end = at + size;
    struct sim_server *server = server_make();
    struct sim_net *net = server->net;
    struct sim_conn *conn;
    int pair[2];

    assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
    conn = sim_conn_adopt(server, pair[0], sim_node_find(net, "a"), NULL, false, "fuzz");
    assert(conn != NULL);
    type(server, conn, pair[1], "ACT-USER:a:u:1::p;", 18);
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t len = (size_t)((stop == NULL ? end : stop) - at);

        if (len > 0 && *at == '{')
            control(server, at, len);
        else
            type(server, conn, pair[1], at, len);
        at += len + (stop == NULL ? 0 : 1);
    }
    sim_session_sweep(server);
    close(pair[1]);
    sim_server_free(server);
    sim_net_free(net);
    return 0;
}
