#include "tests/support/flexils_sim.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "tests/support/test_main.h"

#define PATIENCE_S 60

static void
nap(void)
{
    const struct timespec time = {.tv_nsec = 10000000};

    (void)nanosleep(&time, NULL);
}

static void
path_of(const struct sim *sim, const char *name, char *out, size_t size)
{
    (void)snprintf(out, size, "%s/%s", sim->folder, name);
}

static void
run(const struct sim *sim)
{
    const char *program = getenv("LIGHTPATH_SIM");
    char topology[96], ports[96], control[96], output[96], ca[96];
    int fd;

    path_of(sim, "topology.json", topology, sizeof topology);
    path_of(sim, "ports.json", ports, sizeof ports);
    path_of(sim, "control.sock", control, sizeof control);
    path_of(sim, "output", output, sizeof output);
    path_of(sim, "ca.pem", ca, sizeof ca);
    fd = open(output, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    (void)dup2(fd, 1);
    (void)dup2(fd, 2);
    (void)execl(program != NULL ? program : "build/sim/lightpath-sim", "lightpath-sim", "network",
                topology, "--tcp", "0", "--ssh", "0", "--https", "0", "--ca", ca, "--ports", ports,
                "--control", control, (char *)NULL);
    _exit(127);
}

static void
connect_control(struct sim *sim)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_sec = PATIENCE_S};

    path_of(sim, "control.sock", address.sun_path, sizeof address.sun_path);
    sim->control = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(sim->control >= 0);
    (void)setsockopt(sim->control, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(sim->control, (struct sockaddr *)&address, sizeof address) != 0)
        fail_msg("control socket: %s", strerror(errno));
}

/* The file is written when everything listens. */
static void
await_ports(struct sim *sim)
{
    char path[96];

    path_of(sim, "ports.json", path, sizeof path);
    for (unsigned i = 0; i < PATIENCE_S * 100 && sim->ports == NULL; i++) {
        int status;

        if (waitpid(sim->pid, &status, WNOHANG) == sim->pid)
            fail_msg("lightpath-sim ended at once (LIGHTPATH_SIM, see %s/output)", sim->folder);
        nap();
        sim->ports = json_load_file(path, 0, NULL);
    }
    assert_non_null(sim->ports);
}

void
sim_start(struct sim *sim, const char *topology)
{
    char path[96];
    FILE *file;

    *sim = (struct sim){.folder = "/tmp/lp_sim_XXXXXX", .control = -1};
    assert_non_null(mkdtemp(sim->folder));
    path_of(sim, "topology.json", path, sizeof path);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(topology, file) >= 0);
    assert_int_equal(fclose(file), 0);
    sim->pid = fork();
    assert_true(sim->pid >= 0);
    if (sim->pid == 0)
        run(sim);
    await_ports(sim);
    connect_control(sim);
}

void
sim_stop(struct sim *sim)
{
    static const char *const files[] = {"topology.json", "ports.json", "control.sock",
                                        "output",        "ca.pem",     "ca.pem.key"};
    char path[96];

    (void)kill(sim->pid, SIGTERM);
    (void)waitpid(sim->pid, NULL, 0);
    (void)close(sim->control);
    json_decref(sim->ports);
    for (size_t i = 0; i < LP_COUNT(files); i++) {
        path_of(sim, files[i], path, sizeof path);
        (void)unlink(path);
    }
    (void)rmdir(sim->folder);
}

json_t *
sim_ask(struct sim *sim, const char *request)
{
    struct lp_buf answer = LP_BUF_INIT;
    struct lp_err err = LP_ERR_INIT;
    json_t *out = NULL;
    char byte;

    assert_int_equal(write(sim->control, request, strlen(request)), (ssize_t)strlen(request));
    assert_int_equal(write(sim->control, "\n", 1), 1);
    while (read(sim->control, &byte, 1) == 1 && byte != '\n')
        lp_buf_char(&answer, byte);
    if (lp_json_load(answer.data, answer.len, &out, &err) != LP_OK || !lp_json_true(out, "ok"))
        fail_msg("%s: %s", request, answer.data);
    lp_buf_free(&answer);
    return out;
}

void
sim_do(struct sim *sim, const char *request)
{
    json_decref(sim_ask(sim, request));
}

void
sim_hash(struct sim *sim, char out[static 65])
{
    json_t *answer = sim_ask(sim, "{\"op\":\"hash\"}");

    (void)snprintf(out, 65, "%s", lp_json_str(answer, "hash", ""));
    json_decref(answer);
}

void
sim_address(const struct sim *sim, const char *node, const char *transport, char *out, size_t size)
{
    const json_t *entry = json_object_get(sim->ports, node);

    (void)snprintf(out, size, "%s://%s:%d", transport, lp_json_str(entry, "address", ""),
                   (int)lp_json_int(entry, transport, 0));
}

void
sim_ca_path(const struct sim *sim, char *out, size_t size)
{
    path_of(sim, "ca.pem", out, size);
}
