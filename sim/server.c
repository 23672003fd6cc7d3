#include "sim/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "sim/rest/tls.h"
#include "sim/rest/web.h"

#define SWEEP_US 100000

int64_t
sim_real_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void
sim_server_time(struct sim_server *server)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    server->net->now_us = sim_real_us() + server->shift_us;
    server->net->utc_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000 + server->shift_us;
}

enum lp_code
sim_watch(struct sim_server *server, struct sim_source *source, uint32_t events, struct lp_err *err)
{
    struct epoll_event event = {.events = events, .data.ptr = source};

    if (epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, source->fd, &event) != 0)
        return lp_fail(err, LP_INTERNAL, "epoll_ctl: %s", strerror(errno));
    return LP_OK;
}

void
sim_unwatch(struct sim_server *server, struct sim_source *source)
{
    (void)epoll_ctl(server->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
}

/* ---- connections ---- */

static void
conn_events(struct sim_server *server, struct sim_conn *conn, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = &conn->source};

    if (conn->waiting == events)
        return;
    conn->waiting = events;
    (void)epoll_ctl(server->epoll_fd, EPOLL_CTL_MOD, conn->source.fd, &event);
}

/* The memory goes at the end of the round: events of this round may still point to it. */
void
sim_conn_kill(struct sim_server *server, struct sim_conn *conn, bool reset)
{
    struct linger hard = {.l_onoff = 1, .l_linger = 0};

    if (conn->dead)
        return;
    conn->dead = true;
    conn->busy = false;
    if (reset)
        (void)setsockopt(conn->source.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    if (conn->tls != NULL) {
        if (conn->polite && !reset)
            sim_tls_goodbye(conn->tls);
        sim_tls_close(conn->tls);
        conn->tls = NULL;
    }
    sim_unwatch(server, &conn->source);
    close(conn->source.fd);
    sim_session_close(server, conn);
    while (conn->out != NULL) {
        struct sim_chunk *chunk = conn->out;

        conn->out = chunk->next;
        free(chunk);
    }
    conn->out_end = &conn->out;
}

void
sim_conns_reap(struct sim_server *server)
{
    struct sim_conn *conn, *next;

    for (conn = server->conns; conn != NULL; conn = next) {
        next = conn->next;
        if (!conn->dead)
            continue;
        if (conn->prev != NULL)
            conn->prev->next = conn->next;
        else
            server->conns = conn->next;
        if (conn->next != NULL)
            conn->next->prev = conn->prev;
        server->conn_count--;
        sim_session_free(conn);
        sim_web_free(conn);
        free(conn);
    }
}

static struct sim_chunk *
chunk_new(struct sim_server *server, struct sim_conn *conn, const void *data, size_t len)
{
    struct sim_chunk *chunk = NULL;

    if (conn->dead || conn->frozen)
        return NULL;
    if (conn->out_bytes + len <= SIM_MAX_OUT)
        chunk = malloc(sizeof *chunk + len);
    if (chunk == NULL) { /* it does not read what it asked for */
        server->overflows++;
        sim_conn_kill(server, conn, true);
        return NULL;
    }
    *chunk = (struct sim_chunk){.len = len};
    if (len > 0)
        memcpy(chunk->data, data, len);
    conn->out_bytes += len;
    return chunk;
}

bool
sim_conn_send(struct sim_server *server, struct sim_conn *conn, const void *data, size_t len,
              const struct sim_chunk *how)
{
    struct sim_chunk *chunk = chunk_new(server, conn, data, len);

    if (chunk == NULL)
        return false;
    chunk->at_us = how->at_us;
    chunk->bytes_per_s = how->bytes_per_s;
    chunk->after = how->after;
    chunk->last = how->last;
    *conn->out_end = chunk;
    conn->out_end = &chunk->next;
    return true;
}

void
sim_conn_interject(struct sim_server *server, struct sim_conn *conn, const void *data, size_t len)
{
    struct sim_chunk *chunk = chunk_new(server, conn, data, len);
    struct sim_chunk **at = &conn->out;

    if (chunk == NULL)
        return;
    while (*at != NULL && ((*at)->sent > 0 || (*at)->at_us == 0)) /* behind what is being written */
        at = &(*at)->next;
    chunk->next = *at;
    *at = chunk;
    if (chunk->next == NULL)
        conn->out_end = &chunk->next;
    sim_conn_flush(server, conn);
}

/* How much of a chunk may leave now; moves its time on when it drips. */
static size_t
chunk_allowance(struct sim_chunk *chunk, int64_t now)
{
    size_t left = chunk->len - chunk->sent;
    int64_t allowed;

    if (chunk->bytes_per_s <= 0)
        return left;
    if (chunk->at_us == 0)
        chunk->at_us = now;
    allowed = (now - chunk->at_us) * chunk->bytes_per_s / 1000000 + 1 - (int64_t)chunk->sent;
    if (allowed <= 0)
        return 0;
    return (size_t)allowed < left ? (size_t)allowed : left;
}

static void
chunk_done(struct sim_server *server, struct sim_conn *conn, struct sim_chunk *chunk)
{
    enum sim_after after = chunk->after;
    bool last = chunk->last;

    conn->out = chunk->next;
    if (conn->out == NULL)
        conn->out_end = &conn->out;
    conn->out_bytes -= chunk->len;
    free(chunk);
    if (last)
        conn->busy = false;
    if (after == SIM_FIN || after == SIM_RESET)
        sim_conn_kill(server, conn, after == SIM_RESET);
    else if (after == SIM_FREEZE)
        conn->frozen = true;
}

static ssize_t
conn_write(const struct sim_conn *conn, const void *data, size_t len)
{
    if (conn->tls != NULL)
        return sim_tls_write(conn->tls, data, len);
    return send(conn->source.fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* false: nothing more can leave now. */
static bool
flush_one(struct sim_server *server, struct sim_conn *conn, int64_t now)
{
    struct sim_chunk *chunk = conn->out;
    size_t most;
    ssize_t n;

    if (chunk->at_us > now)
        return false;
    most = chunk_allowance(chunk, now);
    if (chunk->len > chunk->sent && most == 0)
        return false;
    if (most > 0) {
        n = conn_write(conn, chunk->data + chunk->sent, most);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            conn_events(server, conn, EPOLLIN | EPOLLOUT);
            return false;
        }
        if (n < 0) {
            sim_conn_kill(server, conn, false);
            return false;
        }
        chunk->sent += (size_t)n;
    }
    if (chunk->sent == chunk->len)
        chunk_done(server, conn, chunk);
    return true;
}

void
sim_conn_flush(struct sim_server *server, struct sim_conn *conn)
{
    int64_t now = sim_real_us();

    while (!conn->dead && !conn->frozen && conn->out != NULL && flush_one(server, conn, now))
        continue;
    if (!conn->dead && conn->out == NULL)
        conn_events(server, conn, conn->frozen ? 0 : EPOLLIN);
}

/* What TLS has decrypted is not seen by epoll: it is read to the end. */
static void
conn_read_tls(struct sim_server *server, struct sim_conn *conn)
{
    char bytes[16384];
    bool wants_write = false;
    ssize_t n = -1;

    while (!conn->dead && (n = sim_tls_read(conn->tls, bytes, sizeof bytes, &wants_write)) > 0)
        sim_web_bytes(server, conn, bytes, (size_t)n);
    if (conn->dead)
        return;
    if (n < 0 && errno == EAGAIN)
        conn_events(server, conn, wants_write ? EPOLLIN | EPOLLOUT : conn->waiting);
    else
        sim_conn_kill(server, conn, false);
}

static void
conn_read(struct sim_server *server, struct sim_conn *conn)
{
    char bytes[16384];
    ssize_t n;

    if (conn->tls != NULL) {
        conn_read_tls(server, conn);
        return;
    }
    n = recv(conn->source.fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        sim_conn_kill(server, conn, false);
        return;
    }
    if (!conn->muted && conn->box == NULL)
        sim_session_bytes(server, conn, bytes, (size_t)n);
}

static void
conn_next(struct sim_server *server, struct sim_conn *conn)
{
    if (conn->box == NULL)
        sim_session_next(server, conn);
    else if (conn->tls != NULL)
        sim_web_next(server, conn);
}

static void
conn_ready(struct sim_server *server, struct sim_source *source, uint32_t events)
{
    struct sim_conn *conn = (struct sim_conn *)source;

    if (conn->dead)
        return;
    if (conn->frozen) { /* half open: what comes is read by nobody */
        conn_events(server, conn, 0);
        if ((events & (EPOLLERR | EPOLLHUP)) != 0)
            sim_conn_kill(server, conn, false);
        return;
    }
    if ((events & EPOLLOUT) != 0) {
        conn_events(server, conn, EPOLLIN);
        sim_conn_flush(server, conn);
    }
    if (!conn->dead && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
        conn_read(server, conn);
    if (!conn->dead)
        conn_next(server, conn);
}

struct sim_conn *
sim_conn_adopt(struct sim_server *server, int fd, struct sim_node *node, struct sim_box *box,
               bool ssh, const char *peer)
{
    struct sim_conn *conn = server->conn_count < SIM_MAX_CONNS ? calloc(1, sizeof *conn) : NULL;
    struct lp_err err = LP_ERR_INIT;

    if (conn == NULL) {
        close(fd);
        return NULL;
    }
    conn->source = (struct sim_source){.ready = conn_ready, .fd = fd};
    conn->id = ++server->conn_ids;
    conn->node = node;
    conn->box = box;
    conn->ssh = ssh;
    conn->out_end = &conn->out;
    conn->waiting = EPOLLIN;
    snprintf(conn->peer, sizeof conn->peer, "%s", peer);
    lp_tl1_input_init(&conn->input, (size_t)server->net->options.max_command);
    if (sim_watch(server, &conn->source, EPOLLIN, &err) != LP_OK) {
        lp_err_clear(&err);
        lp_tl1_input_free(&conn->input);
        free(conn);
        close(fd);
        return NULL;
    }
    conn->next = server->conns;
    if (server->conns != NULL)
        server->conns->prev = conn;
    server->conns = conn;
    server->conn_count++;
    server->connections++;
    sim_server_time(server);
    if (box != NULL)
        sim_web_open(server, conn);
    else
        sim_session_open(server, conn);
    return conn;
}

/* ---- listeners ---- */

static void
accept_one(struct sim_server *server, struct sim_listener *listener)
{
    struct sockaddr_in from;
    socklen_t len = sizeof from;
    int one = 1, fd = accept4(listener->source.fd, (struct sockaddr *)&from, &len,
                              SOCK_CLOEXEC | SOCK_NONBLOCK);
    char address[INET_ADDRSTRLEN] = "?", peer[64];

    if (fd < 0)
        return;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    (void)inet_ntop(AF_INET, &from.sin_addr, address, sizeof address);
    snprintf(peer, sizeof peer, "%s:%u", address, ntohs(from.sin_port));
    if (listener->ssh)
        sim_ssh_accept(server->ssh, fd, listener->node->index, peer);
    else
        sim_conn_adopt(server, fd, listener->node, listener->box, false, peer);
}

static void
listener_ready(struct sim_server *server, struct sim_source *source, uint32_t events)
{
    (void)events;
    accept_one(server, (struct sim_listener *)source);
}

static enum lp_code
listener_open(struct sim_server *server, struct sim_listener *listener, struct lp_err *err)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)listener->port)};
    socklen_t len = sizeof at;
    int one = 1, fd;

    if (inet_pton(AF_INET, listener->address, &at.sin_addr) != 1)
        return lp_fail(err, LP_INVALID, "'%s' is no IPv4 address", listener->address);
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return lp_fail(err, LP_INTERNAL, "socket: %s", strerror(errno));
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) != 0 || listen(fd, 128) != 0
        || getsockname(fd, (struct sockaddr *)&at, &len) != 0) {
        close(fd);
        return lp_fail(err, LP_CONFLICT, "cannot listen on %s port %d: %s", listener->address,
                       listener->port, strerror(errno));
    }
    listener->port = ntohs(at.sin_port);
    listener->source = (struct sim_source){.ready = listener_ready, .fd = fd};
    return sim_watch(server, &listener->source, EPOLLIN, err);
}

static void
listener_close(struct sim_server *server, struct sim_listener *listener)
{
    if (listener->source.fd < 0)
        return;
    sim_unwatch(server, &listener->source);
    close(listener->source.fd);
    listener->source.fd = -1;
}

static void
nth_address(const struct sim_listen_options *options, const char *own, size_t index, char *out,
            size_t size)
{
    struct in_addr at;

    if (own[0] != '\0' || options->address_base == NULL
        || inet_pton(AF_INET, options->address_base, &at) != 1) {
        snprintf(out, size, "%s", own[0] != '\0' ? own : options->address);
        return;
    }
    at.s_addr = htonl(ntohl(at.s_addr) + (uint32_t)index);
    (void)inet_ntop(AF_INET, &at, out, (socklen_t)size);
}

/* Opens the next listener, for the index-th element, on a port counted from base. */
static enum lp_code
listen_next(struct sim_server *server, const struct sim_listen_options *options, int base,
            const char *own, size_t index, struct lp_err *err)
{
    struct sim_listener *listener = &server->listeners[server->listener_count];

    listener->source.fd = -1;
    nth_address(options, own, index, listener->address, sizeof listener->address);
    listener->port = base;
    if (base > 0 && !options->one_port && options->address_base == NULL && own[0] == '\0')
        listener->port = base + (int)index;
    if (listener->port > 65535)
        return lp_fail(err, LP_INVALID, "port %d is above 65535", listener->port);
    server->listener_count++;
    return listener_open(server, listener, err);
}

static enum lp_code
listen_node(struct sim_server *server, const struct sim_listen_options *options,
            struct sim_node *node, bool ssh, struct lp_err *err)
{
    int base = ssh ? options->ssh_base : options->tcp_base;

    if (base < 0 || node->subtended)
        return LP_OK;
    server->listeners[server->listener_count] = (struct sim_listener){.node = node, .ssh = ssh};
    return listen_next(server, options, base, node->address, node->index, err);
}

static enum lp_code
listen_box(struct sim_server *server, const struct sim_listen_options *options, struct sim_box *box,
           struct lp_err *err)
{
    if (options->https_base < 0)
        return LP_OK;
    server->listeners[server->listener_count] = (struct sim_listener){.box = box};
    return listen_next(server, options, options->https_base, box->address,
                       server->net->node_count + box->index, err);
}

enum lp_code
sim_server_listen(struct sim_server *server, const struct sim_listen_options *options,
                  struct lp_err *err)
{
    size_t i, first = 0;
    enum lp_code rc = LP_OK;

    server->ca_file = options->ca_file;
    server->listeners =
        calloc(server->net->node_count * 2 + server->net->box_count + 1, sizeof *server->listeners);
    if (server->listeners == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for listeners");
    for (i = 0; options->one_port && i < server->net->node_count; i++)
        if (server->net->nodes[i].gateway) {
            first = i;
            break;
        }
    for (i = first; rc == LP_OK && i < server->net->node_count; i++) {
        rc = listen_node(server, options, &server->net->nodes[i], false, err);
        if (rc == LP_OK)
            rc = listen_node(server, options, &server->net->nodes[i], true, err);
        if (options->one_port)
            break;
    }
    for (i = 0; rc == LP_OK && i < server->net->box_count; i++)
        rc = listen_box(server, options, &server->net->boxes[i], err);
    return rc == LP_OK ? sim_web_identities(server, err) : rc;
}

static const char *
listener_name(const struct sim_listener *listener)
{
    return listener->node != NULL ? listener->node->name : listener->box->name;
}

json_t *
sim_server_ports(const struct sim_server *server)
{
    json_t *out = json_object();
    size_t i;

    for (i = 0; i < server->listener_count; i++) {
        const struct sim_listener *listener = &server->listeners[i];
        json_t *row = json_object_get(out, listener_name(listener));

        if (row == NULL) {
            row = json_pack("{s:s}", "address", listener->address);
            if (json_object_set_new(out, listener_name(listener), row) != 0)
                break;
        }
        if (listener->box != NULL) {
            (void)json_object_set_new(row, "https", json_integer(listener->port));
            (void)json_object_set_new(row, "pin",
                                      json_string(sim_tls_pin(listener->box->identity)));
            if (server->ca_file != NULL)
                (void)json_object_set_new(row, "ca", json_string(server->ca_file));
            continue;
        }
        (void)json_object_set_new(row, listener->ssh ? "ssh" : "tcp", json_integer(listener->port));
    }
    return out;
}

/* ---- elements that are down ---- */

void
sim_server_down(struct sim_server *server, struct sim_node *node, int64_t for_us)
{
    struct sim_conn *conn;
    size_t i;

    node->down_until_us = sim_real_us() + for_us;
    server->any_down = true;
    for (i = 0; i < server->listener_count; i++)
        if (server->listeners[i].node == node)
            listener_close(server, &server->listeners[i]);
    for (conn = server->conns; conn != NULL; conn = conn->next) {
        struct sim_login *login = sim_login_find(conn, node);

        if (conn->node == node)
            sim_conn_kill(server, conn, true);
        else if (login != NULL) /* behind a gateway */
            sim_login_end(server, conn, login);
    }
    node->seat_count = 0; /* it knows nothing of them any more */
    node->bad_logins = 0;
    node->locked_until_us = 0;
}

void
sim_box_down(struct sim_server *server, struct sim_box *box, int64_t for_us)
{
    struct sim_conn *conn;
    size_t i;

    box->down_until_us = sim_real_us() + for_us;
    server->any_down = true;
    for (i = 0; i < server->listener_count; i++)
        if (server->listeners[i].box == box)
            listener_close(server, &server->listeners[i]);
    for (conn = server->conns; conn != NULL; conn = conn->next)
        if (conn->box == box)
            sim_conn_kill(server, conn, true);
}

static int64_t
down_until(const struct sim_listener *listener)
{
    return listener->node != NULL ? listener->node->down_until_us : listener->box->down_until_us;
}

static void
come_back(struct sim_server *server, int64_t now)
{
    size_t i;

    server->any_down = false;
    for (i = 0; i < server->listener_count; i++) {
        struct sim_listener *listener = &server->listeners[i];
        struct lp_err err = LP_ERR_INIT;

        if (listener->source.fd >= 0)
            continue;
        if (down_until(listener) > now || listener_open(server, listener, &err) != LP_OK)
            server->any_down = true; /* again in the next round */
        lp_err_clear(&err);
    }
}

/* ---- the loop ---- */

static void
ssh_streams(struct sim_server *server, struct sim_source *source, uint32_t events)
{
    struct sim_ssh_stream stream;

    (void)source;
    (void)events;
    while (sim_ssh_next(server->ssh, &stream)) {
        struct sim_node *node = &server->net->nodes[stream.element];

        if (sim_real_us() < node->down_until_us)
            close(stream.fd);
        else
            sim_conn_adopt(server, stream.fd, node, NULL, true, stream.peer);
    }
}

/* Milliseconds until something is due; -1: never. */
static int
next_due(const struct sim_server *server, int64_t now)
{
    const struct sim_conn *conn;
    int64_t due = INT64_MAX;

    if (server->conns != NULL || server->any_down || server->net->box_count > 0)
        due = server->next_sweep_us;
    for (conn = server->conns; conn != NULL; conn = conn->next) {
        const struct sim_chunk *chunk = conn->out;

        if (chunk == NULL || conn->dead || conn->frozen || (conn->waiting & EPOLLOUT) != 0)
            continue;
        if (chunk->at_us < due && chunk->bytes_per_s == 0)
            due = chunk->at_us;
        else if (chunk->bytes_per_s > 0 && now + 1000 < due)
            due = chunk->at_us > now ? chunk->at_us : now + 1000;
    }
    if (due == INT64_MAX)
        return -1;
    return due <= now ? 0 : (int)((due - now + 999) / 1000);
}

static void
run_due(struct sim_server *server)
{
    int64_t now = sim_real_us();
    struct sim_conn *conn, *next;

    for (conn = server->conns; conn != NULL; conn = next) {
        next = conn->next;
        if (conn->dead || conn->out == NULL || conn->out->at_us > now)
            continue;
        sim_conn_flush(server, conn);
        conn_next(server, conn);
    }
    if (now >= server->next_sweep_us) {
        server->next_sweep_us = now + SWEEP_US;
        sim_server_time(server);
        sim_session_sweep(server);
        sim_web_sweep(server);
        if (server->any_down)
            come_back(server, now);
    }
    sim_conns_reap(server);
}

static void
signal_ready(struct sim_server *server, struct sim_source *source, uint32_t events)
{
    (void)source;
    (void)events;
    server->stop = true;
}

enum lp_code
sim_server_run(struct sim_server *server, int signal_fd, struct lp_err *err)
{
    struct sim_source signals = {.ready = signal_ready, .fd = signal_fd};
    struct epoll_event events[64];
    enum lp_code rc = sim_watch(server, &signals, EPOLLIN, err);

    if (rc == LP_OK && server->ssh != NULL) {
        server->ssh_ready =
            (struct sim_source){.ready = ssh_streams, .fd = sim_ssh_ready_fd(server->ssh)};
        rc = sim_watch(server, &server->ssh_ready, EPOLLIN, err);
    }
    while (rc == LP_OK && !server->stop) {
        int n =
            epoll_wait(server->epoll_fd, events, LP_COUNT(events), next_due(server, sim_real_us()));
        int i;

        if (n < 0 && errno != EINTR)
            rc = lp_fail(err, LP_INTERNAL, "epoll_wait: %s", strerror(errno));
        for (i = 0; i < n; i++) {
            struct sim_source *source = events[i].data.ptr;

            source->ready(server, source, events[i].events);
        }
        run_due(server);
    }
    return rc;
}

/* ---- life ---- */

enum lp_code
sim_server_new(struct sim_net *net, struct lp_log *log, struct sim_server **out, struct lp_err *err)
{
    struct sim_server *server = calloc(1, sizeof *server);
    size_t i;

    if (server == NULL
        || (server->transcripts = calloc(net->node_count + 1, sizeof(int))) == NULL) {
        free(server);
        return lp_fail(err, LP_NOMEM, "no memory for a server");
    }
    server->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (server->epoll_fd < 0) {
        free(server->transcripts);
        free(server);
        return lp_fail(err, LP_INTERNAL, "epoll_create1: %s", strerror(errno));
    }
    pthread_mutex_init(&server->users_lock, NULL);
    server->net = net;
    server->log = log;
    server->transcript_dir = -1;
    for (i = 0; i < net->node_count; i++)
        server->transcripts[i] = -1;
    server->faults.random = (uint64_t)net->options.seed;
    net->emit = sim_session_emit;
    net->emit_arg = server;
    net->box_emit = sim_web_emit;
    net->box_emit_arg = server;
    sim_server_time(server);
    *out = server;
    return LP_OK;
}

void
sim_server_free(struct sim_server *server)
{
    struct sim_conn *conn;
    size_t i;

    if (server == NULL)
        return;
    for (conn = server->conns; conn != NULL; conn = conn->next)
        sim_conn_kill(server, conn, false);
    sim_conns_reap(server);
    for (i = 0; i < server->listener_count; i++)
        listener_close(server, &server->listeners[i]);
    free(server->listeners);
    sim_control_close(server);
    sim_ssh_stop(server->ssh);
    pthread_mutex_destroy(&server->users_lock);
    for (i = 0; i < server->net->node_count; i++)
        if (server->transcripts[i] >= 0)
            close(server->transcripts[i]);
    if (server->transcript_dir >= 0)
        close(server->transcript_dir);
    free(server->transcripts);
    sim_faults_clear(&server->faults, true);
    lp_tl1_scratch_free(&server->scratch);
    server->net->emit = NULL;
    server->net->box_emit = NULL;
    close(server->epoll_fd);
    free(server);
}
