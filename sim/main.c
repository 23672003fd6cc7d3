/* lightpath-sim: simulated network elements that speak their real protocols over real sockets. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/log.h"
#include "sim/generate.h"
#include "sim/rest/box.h"
#include "sim/rest/tls.h"
#include "sim/server.h"

#define MAX_TOPOLOGY (256L * 1024 * 1024)

static const char usage[] =
    "lightpath-sim network TOPOLOGY [--address A] [--address-base A] [--tcp PORT] [--ssh PORT]\n"
    "    [--https PORT] [--ca FILE] [--certificate FILE] [--key FILE]\n"
    "    [--one-port] [--ssh-threads N] [--host-key FILE] [--control SOCKET] [--transcript DIR]\n"
    "    [--faults FILE] [--users FILE] [--ports FILE] [--latency MS] [--seed N]\n"
    "lightpath-sim flexils|g30|g42|tnms TOPOLOGY ...  (the same, for elements of one kind)\n"
    "lightpath-sim topology --sites FILE --links FILE [--spacing KM] [--prefix TEXT] [--user "
    "NAME]\n"
    "    [--password TEXT] [--subtended] [--seed N] [--g30 CODE,CODE...]\n"
    "    [--csv nodes|fibers|patches]\n"
    "lightpath-sim control SOCKET 'JSON'...\n"
    "lightpath-sim check TOPOLOGY\n"
    "see lightpath-sim(1)\n";

static int
complain(struct lp_err *err)
{
    int status = lp_code_info(err->code)->exit;

    fprintf(stderr, "lightpath-sim: %s%s%s\n", err->msg, err->pointer[0] == '\0' ? "" : " at ",
            err->pointer);
    lp_err_clear(err);
    return status == 0 ? 1 : status;
}

/* ---- files ---- */

static enum lp_code
file_json(const char *path, json_t **out, struct lp_err *err)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    struct lp_buf text = LP_BUF_INIT;
    char piece[65536];
    size_t n;
    enum lp_code rc;

    if (file == NULL)
        return lp_fail(err, LP_NOT_FOUND, "%s cannot be read: %s", path, strerror(errno));
    while ((n = fread(piece, 1, sizeof piece, file)) > 0 && text.len < MAX_TOPOLOGY)
        lp_buf_add(&text, piece, n);
    if (file != stdin)
        fclose(file);
    rc = text.failed || text.data == NULL ? lp_fail(err, LP_INVALID, "%s is empty", path)
                                          : lp_json_load(text.data, text.len, out, err);
    if (rc != LP_OK)
        lp_err_prefix(err, "%s: ", path);
    lp_buf_free(&text);
    return rc;
}

/* Written beside and renamed: whoever waits for the file sees all of it. */
static enum lp_code
file_write(const char *path, const json_t *value, struct lp_err *err)
{
    struct lp_buf text = LP_BUF_INIT, name = LP_BUF_INIT;
    FILE *file;
    bool ok;

    lp_buf_printf(&name, "%s.new", path);
    lp_buf_json(&text, value);
    lp_buf_char(&text, '\n');
    file = name.failed ? NULL : fopen(name.data, "we");
    ok = file != NULL && !text.failed && fwrite(text.data, 1, text.len, file) == text.len;
    if (file != NULL && fclose(file) != 0)
        ok = false;
    ok = ok && rename(name.data, path) == 0;
    lp_buf_free(&text);
    lp_buf_free(&name);
    return ok ? LP_OK : lp_fail(err, LP_STORE, "%s cannot be written", path);
}

/* ---- flexils ---- */

struct flexils_options {
    struct sim_listen_options listen;
    const char *topology, *host_key, *control, *transcript, *faults, *users, *ports;
    struct sim_tls_options tls;
    long ssh_threads, latency, seed;
};

enum {
    OPT_ADDRESS = 256,
    OPT_ADDRESS_BASE,
    OPT_TCP,
    OPT_SSH,
    OPT_HTTPS,
    OPT_CA,
    OPT_CERTIFICATE,
    OPT_CERTIFICATE_KEY,
    OPT_ONE_PORT,
    OPT_THREADS,
    OPT_KEY,
    OPT_CONTROL,
    OPT_TRANSCRIPT,
    OPT_FAULTS,
    OPT_USERS,
    OPT_PORTS,
    OPT_LATENCY,
    OPT_SEED,
    OPT_SITES,
    OPT_LINKS,
    OPT_SPACING,
    OPT_PREFIX,
    OPT_USER,
    OPT_PASSWORD,
    OPT_SUBTENDED,
    OPT_CSV,
    OPT_G30
};

static const struct option flexils_long[] = {
    {"address", required_argument, NULL, OPT_ADDRESS},
    {"address-base", required_argument, NULL, OPT_ADDRESS_BASE},
    {"tcp", required_argument, NULL, OPT_TCP},
    {"ssh", required_argument, NULL, OPT_SSH},
    {"https", required_argument, NULL, OPT_HTTPS},
    {"ca", required_argument, NULL, OPT_CA},
    {"certificate", required_argument, NULL, OPT_CERTIFICATE},
    {"key", required_argument, NULL, OPT_CERTIFICATE_KEY},
    {"one-port", no_argument, NULL, OPT_ONE_PORT},
    {"ssh-threads", required_argument, NULL, OPT_THREADS},
    {"host-key", required_argument, NULL, OPT_KEY},
    {"control", required_argument, NULL, OPT_CONTROL},
    {"transcript", required_argument, NULL, OPT_TRANSCRIPT},
    {"faults", required_argument, NULL, OPT_FAULTS},
    {"users", required_argument, NULL, OPT_USERS},
    {"ports", required_argument, NULL, OPT_PORTS},
    {"latency", required_argument, NULL, OPT_LATENCY},
    {"seed", required_argument, NULL, OPT_SEED},
    {NULL, 0, NULL, 0},
};

static bool
number_arg(const char *text, long low, long high, long *out)
{
    char *end;

    errno = 0;
    *out = strtol(text, &end, 10);
    if (end != text && *end == '\0' && errno == 0 && *out >= low && *out <= high)
        return true;
    fprintf(stderr, "lightpath-sim: '%s' is no number from %ld to %ld\n", text, low, high);
    return false;
}

static bool
port_arg(const char *text, int *out)
{
    long port;

    if (!number_arg(text, -1, 65535, &port))
        return false;
    *out = (int)port;
    return true;
}

static bool
flexils_arg(struct flexils_options *o, int option)
{
    const struct {
        int option;
        const char **text;
    } texts[] = {{OPT_ADDRESS, &o->listen.address},
                 {OPT_ADDRESS_BASE, &o->listen.address_base},
                 {OPT_KEY, &o->host_key},
                 {OPT_CONTROL, &o->control},
                 {OPT_TRANSCRIPT, &o->transcript},
                 {OPT_FAULTS, &o->faults},
                 {OPT_USERS, &o->users},
                 {OPT_PORTS, &o->ports},
                 {OPT_CA, &o->tls.ca_file},
                 {OPT_CERTIFICATE, &o->tls.cert_file},
                 {OPT_CERTIFICATE_KEY, &o->tls.key_file}};
    size_t i;

    for (i = 0; i < LP_COUNT(texts); i++)
        if (texts[i].option == option) {
            *texts[i].text = optarg;
            return true;
        }
    if (option == OPT_ONE_PORT)
        return o->listen.one_port = true;
    if (option == OPT_TCP || option == OPT_SSH)
        return port_arg(optarg, option == OPT_TCP ? &o->listen.tcp_base : &o->listen.ssh_base);
    if (option == OPT_HTTPS)
        return port_arg(optarg, &o->listen.https_base);
    if (option == OPT_THREADS)
        return number_arg(optarg, 1, 64, &o->ssh_threads);
    if (option == OPT_LATENCY)
        return number_arg(optarg, 0, 600000, &o->latency);
    return option == OPT_SEED && number_arg(optarg, 0, INT32_MAX, &o->seed);
}

static enum lp_code
users_load(struct sim_net *net, const char *path, struct lp_err *err)
{
    json_t *users = NULL;
    enum lp_code rc;

    if (path == NULL)
        return LP_OK;
    rc = file_json(path, &users, err);
    if (rc == LP_OK)
        rc = sim_users_read(net, users, err);
    json_decref(users);
    return rc;
}

static enum lp_code
net_load(const struct flexils_options *o, struct sim_net **out, struct lp_err *err)
{
    json_t *topology = NULL;
    enum lp_code rc = file_json(o->topology, &topology, err);

    if (rc == LP_OK && o->seed >= 0) {
        json_t *options = json_object_get(topology, "options");

        if (options == NULL && json_is_object(topology)) {
            options = json_object();
            (void)json_object_set_new(topology, "options", options);
        }
        (void)json_object_set_new(options, "seed", json_integer(o->seed));
    }
    if (rc == LP_OK)
        rc = sim_net_load(topology, out, err);
    json_decref(topology);
    if (rc == LP_OK)
        rc = users_load(*out, o->users, err);
    if (rc == LP_OK && o->latency >= 0)
        (*out)->options.latency_ms = o->latency;
    return rc;
}

static enum lp_code
ssh_start(struct sim_server *server, const struct flexils_options *o, struct lp_err *err)
{
    struct sim_ssh_options options = {.threads = (unsigned)o->ssh_threads,
                                      .key_file = o->host_key,
                                      .auth = sim_session_auth,
                                      .arg = server,
                                      .subsystem = "tl1telnet",
                                      .shell_user = "tl1telnet"};

    return o->listen.ssh_base < 0 ? LP_OK : sim_ssh_start(&options, &server->ssh, err);
}

static enum lp_code
transcript_open(struct sim_server *server, const char *path, struct lp_err *err)
{
    if (path == NULL)
        return LP_OK;
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return lp_fail(err, LP_INVALID, "%s cannot be made: %s", path, strerror(errno));
    server->transcript_dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return server->transcript_dir >= 0 ? LP_OK : lp_fail(err, LP_INVALID, "%s is no folder", path);
}

static enum lp_code
server_prepare(struct sim_server *server, const struct flexils_options *o, struct lp_err *err)
{
    json_t *ports;
    enum lp_code rc = transcript_open(server, o->transcript, err);

    if (rc == LP_OK && o->faults != NULL)
        rc = sim_faults_file(&server->faults, o->faults, sim_real_us(), err);
    if (rc == LP_OK)
        rc = ssh_start(server, o, err);
    if (rc == LP_OK && server->net->box_count > 0)
        rc = sim_tls_new(&o->tls, &server->tls, err);
    if (rc == LP_OK)
        rc = sim_server_listen(server, &o->listen, err);
    if (rc == LP_OK && o->control != NULL)
        rc = sim_control_listen(server, o->control, err);
    if (rc != LP_OK)
        return rc;
    ports = sim_server_ports(server);
    if (o->ports != NULL)
        rc = file_write(o->ports, ports, err);
    json_decref(ports);
    return rc;
}

static int
signals_open(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    (void)signal(SIGPIPE, SIG_IGN); /* libssh writes to sockets that are gone */
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static enum lp_code
flexils_run(const struct flexils_options *o, struct lp_err *err)
{
    struct lp_clock clock = LP_CLOCK_INIT;
    struct lp_log *log = lp_log_new(2, LP_LOG_INFO, &clock);
    struct sim_net *net = NULL;
    struct sim_server *server = NULL;
    int signals = signals_open();
    enum lp_code rc = net_load(o, &net, err);

    if (rc == LP_OK)
        rc = sim_server_new(net, log, &server, err);
    if (rc == LP_OK)
        rc = server_prepare(server, o, err);
    if (rc == LP_OK) {
        lp_logf(log, LP_LOG_INFO, "sim.ready", "s:I,s:I,s:I,s:s", "elements",
                (json_int_t)(net->node_count + net->box_count), "fibers",
                (json_int_t)(net->span_count + net->patch_count), "listeners",
                (json_int_t)server->listener_count, "ca",
                o->tls.ca_file == NULL ? "" : o->tls.ca_file);
        rc = sim_server_run(server, signals, err);
    }
    if (server != NULL)
        sim_tls_free(server->tls);
    sim_server_free(server);
    sim_net_free(net);
    lp_log_free(log);
    if (signals >= 0)
        close(signals);
    return rc;
}

/* "flexils" opens TL1, "g30" and the like open HTTPS, "network" both, unless told otherwise. */
static void
defaults(const char *verb, struct flexils_options *o)
{
    bool all = strcmp(verb, "network") == 0, tl1 = all || strcmp(verb, "flexils") == 0;

    *o = (struct flexils_options){.listen = {.address = "127.0.0.1",
                                             .tcp_base = tl1 ? 9090 : -1,
                                             .ssh_base = -1,
                                             .https_base = all || !tl1 ? 8181 : -1},
                                  .ssh_threads = 2,
                                  .latency = -1,
                                  .seed = -1};
}

static int
network_main(int argc, char **argv)
{
    struct flexils_options o;
    struct lp_err err = LP_ERR_INIT;
    int option;

    defaults(argv[0], &o);

    while ((option = getopt_long(argc, argv, "", flexils_long, NULL)) != -1)
        if (option == '?' || !flexils_arg(&o, option))
            return 2;
    if (optind + 1 != argc) {
        fputs(usage, stderr);
        return 2;
    }
    o.topology = argv[optind];
    o.listen.ca_file = o.tls.ca_file;
    return flexils_run(&o, &err) == LP_OK ? 0 : complain(&err);
}

/* ---- topology ---- */

static const struct option topology_long[] = {
    {"sites", required_argument, NULL, OPT_SITES},
    {"links", required_argument, NULL, OPT_LINKS},
    {"spacing", required_argument, NULL, OPT_SPACING},
    {"prefix", required_argument, NULL, OPT_PREFIX},
    {"user", required_argument, NULL, OPT_USER},
    {"password", required_argument, NULL, OPT_PASSWORD},
    {"subtended", no_argument, NULL, OPT_SUBTENDED},
    {"seed", required_argument, NULL, OPT_SEED},
    {"csv", required_argument, NULL, OPT_CSV},
    {"g30", required_argument, NULL, OPT_G30},
    {NULL, 0, NULL, 0},
};

static bool
topology_arg(struct sim_generate_options *o, int option, const char **csv)
{
    long number = 0;

    if (option == OPT_SUBTENDED)
        return o->gateways_only = true;
    if (option == OPT_SEED || option == OPT_SPACING) {
        if (!number_arg(optarg, 0, 1000000, &number))
            return false;
        if (option == OPT_SEED)
            o->seed = (int)number;
        else
            o->spacing_km = (double)number;
        return true;
    }
    if (option == OPT_SITES)
        o->sites = optarg;
    else if (option == OPT_LINKS)
        o->links = optarg;
    else if (option == OPT_PREFIX)
        o->prefix = optarg;
    else if (option == OPT_USER)
        o->user = optarg;
    else if (option == OPT_PASSWORD)
        o->password = optarg;
    else if (option == OPT_G30)
        o->g30 = optarg;
    else
        *csv = optarg;
    return true;
}

/* The table that is asked for; -1: there is none of this name. */
static int
csv_find(const char *name)
{
    static const char *const names[] = {
        [SIM_CSV_NODES] = "nodes", [SIM_CSV_FIBERS] = "fibers", [SIM_CSV_PATCHES] = "patches"};
    size_t i;

    for (i = 0; i < LP_COUNT(names); i++)
        if (strcmp(names[i], name) == 0)
            return (int)i;
    return -1;
}

static enum lp_code
topology_put(const struct sim_generate_options *o, const char *csv, struct lp_err *err)
{
    json_t *topology = NULL;
    enum lp_code rc = sim_generate(o, &topology, err);

    if (rc == LP_OK && csv != NULL)
        rc = sim_generate_csv(topology, (enum sim_csv)csv_find(csv), err);
    else if (rc == LP_OK
             && (json_dumpf(topology, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(8)) != 0
                 || putchar('\n') == EOF || fflush(stdout) != 0))
        rc = lp_fail(err, LP_STORE, "the topology cannot be written");
    json_decref(topology);
    return rc;
}

static int
topology_main(int argc, char **argv)
{
    struct sim_generate_options o = {.spacing_km = 80,
                                     .prefix = "flex.",
                                     .user = "lightpath",
                                     .password = "lightpath",
                                     .seed = 1};
    struct lp_err err = LP_ERR_INIT;
    const char *csv = NULL;
    int option;

    while ((option = getopt_long(argc, argv, "", topology_long, NULL)) != -1)
        if (option == '?' || !topology_arg(&o, option, &csv))
            return 2;
    if (o.sites == NULL || o.links == NULL || optind != argc
        || (csv != NULL && csv_find(csv) < 0)) {
        fputs(usage, stderr);
        return 2;
    }
    return topology_put(&o, csv, &err) == LP_OK ? 0 : complain(&err);
}

/* ---- control, check ---- */

static bool
line_copy(FILE *stream)
{
    char *line = NULL;
    size_t cap = 0;
    bool ok = getline(&line, &cap, stream) > 0;

    if (ok)
        fputs(line, stdout);
    ok = ok && strncmp(line, "{\"ok\":true", 10) == 0;
    free(line);
    return ok;
}

static int
control_main(int argc, char **argv)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), i, status = 0;
    FILE *stream;

    if (argc < 3 || strlen(argv[1]) >= sizeof at.sun_path || fd < 0) {
        fputs(usage, stderr);
        return 2;
    }
    memcpy(at.sun_path, argv[1], strlen(argv[1]));
    if (connect(fd, (struct sockaddr *)&at, sizeof at) != 0
        || (stream = fdopen(fd, "r+")) == NULL) {
        fprintf(stderr, "lightpath-sim: %s: %s\n", argv[1], strerror(errno));
        close(fd);
        return 7;
    }
    for (i = 2; i < argc && status == 0; i++) {
        fprintf(stream, "%s\n", argv[i]);
        fflush(stream);
        status = line_copy(stream) ? 0 : 1;
    }
    fclose(stream);
    return status;
}

static int
check_main(int argc, char **argv)
{
    struct lp_err err = LP_ERR_INIT;
    json_t *topology = NULL;
    struct sim_net *net = NULL;
    char hash[65] = "";
    enum lp_code rc;

    if (argc != 2) {
        fputs(usage, stderr);
        return 2;
    }
    rc = file_json(argv[1], &topology, &err);
    if (rc == LP_OK)
        rc = sim_net_load(topology, &net, &err);
    json_decref(topology);
    if (rc != LP_OK)
        return complain(&err);
    if (sim_state_hash(net, NULL, hash))
        printf("%zu elements, %zu fibers, %zu TE links, state %s\n",
               net->node_count + net->box_count, net->span_count + net->patch_count,
               net->link_count, hash);
    sim_net_free(net);
    return 0;
}

int
main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(int argc, char **argv);
    } verbs[] = {{"network", network_main}, {"flexils", network_main}, {"g30", network_main},
                 {"g42", network_main},     {"tnms", network_main},    {"topology", topology_main},
                 {"control", control_main}, {"check", check_main}};
    size_t i;

    for (i = 0; argc > 1 && i < LP_COUNT(verbs); i++)
        if (strcmp(argv[1], verbs[i].name) == 0)
            return verbs[i].run(argc - 1, argv + 1);
    if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        fputs(usage, stdout);
        return 0;
    }
    fputs(usage, stderr);
    return 2;
}
