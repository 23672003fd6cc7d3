#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "api/internal.h"

#define ACCEPTS_PER_WAKE 64
#define POOL_PER_CONN    (16 * 1024) /* head of a request and of its answer */
#define TRIM_ABOVE       256 /* connections, after which memory is given back when they are gone */
#define ACCEPT_PAUSE_US  1000000
#define UNSENT_GRACE_US  2000000
#define BACKLOG          1024

enum { EV_TCP, EV_UNIX, EV_WAKE, EV_MHD };

/* ---- listening ---- */

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un un;
};

/** "127.0.0.1:8420", "[::1]:8420", "localhost:8420", ":8420" or "8420". */
static enum lp_code
parse_listen(const char *text, union address *out, socklen_t *len, bool *loopback,
             struct lp_err *err)
{
    const char *colon = strrchr(text, ':');
    const char *port = colon == NULL ? text : colon + 1;
    size_t host_len = colon == NULL ? 0 : (size_t)(colon - text);
    char host[64] = "0.0.0.0";
    char *end = NULL;
    unsigned long number = strtoul(port, &end, 10);

    if (*port == '\0' || *end != '\0' || number > 65535)
        return lp_fail_at(err, LP_INVALID, "api.listen", "api.listen '%s' has no port", text);
    if (host_len >= sizeof host)
        return lp_fail_at(err, LP_INVALID, "api.listen", "api.listen '%s' is no address", text);
    if (host_len > 0)
        snprintf(host, sizeof host, "%.*s", (int)host_len, text);
    if (strcmp(host, "localhost") == 0)
        snprintf(host, sizeof host, "127.0.0.1");
    memset(out, 0, sizeof *out);
    if (host[0] == '[' && host[host_len - 1] == ']') {
        host[host_len - 1] = '\0';
        out->v6 =
            (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)number)};
        *len = sizeof out->v6;
        if (inet_pton(AF_INET6, host + 1, &out->v6.sin6_addr) == 1) {
            *loopback = IN6_IS_ADDR_LOOPBACK(&out->v6.sin6_addr);
            return LP_OK;
        }
    } else {
        out->v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)number)};
        *len = sizeof out->v4;
        if (inet_pton(AF_INET, host, &out->v4.sin_addr) == 1) {
            *loopback = (ntohl(out->v4.sin_addr.s_addr) >> 24) == 127;
            return LP_OK;
        }
    }
    return lp_fail_at(
        err, LP_INVALID, "api.listen",
        "api.listen '%s' is no address (names other than localhost are not looked up)", text);
}

static void
note_url(struct lp_api *api)
{
    union address real;
    socklen_t len = sizeof real;
    char host[INET6_ADDRSTRLEN] = "127.0.0.1";

    if (getsockname(api->tcp_fd, &real.any, &len) != 0)
        return;
    if (real.any.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &real.v6.sin6_addr, host, sizeof host);
        snprintf(api->url, sizeof api->url, "http://[%s]:%u", host, ntohs(real.v6.sin6_port));
    } else {
        inet_ntop(AF_INET, &real.v4.sin_addr, host, sizeof host);
        snprintf(api->url, sizeof api->url, "http://%s:%u", host, ntohs(real.v4.sin_port));
    }
}

static enum lp_code
listen_tcp(struct lp_api *api, struct lp_err *err)
{
    const struct lp_conf *conf = api->options.conf;
    union address where;
    socklen_t len = 0;
    bool loopback = false;
    int on = 1;
    enum lp_code rc = parse_listen(conf->api_listen, &where, &len, &loopback, err);

    if (rc != LP_OK)
        return rc;
    if (!loopback && !conf->api_auth)
        return lp_fail_at(
            err, LP_PRECONDITION, "api.listen",
            "refusing to listen on %s without authentication: set api.auth, or listen "
            "on a loopback address",
            conf->api_listen);
    api->tcp_fd = socket(where.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (api->tcp_fd < 0)
        return lp_fail(err, LP_INTERNAL, "no socket: %s", strerror(errno));
    setsockopt(api->tcp_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (where.any.sa_family == AF_INET6)
        setsockopt(api->tcp_fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (bind(api->tcp_fd, &where.any, len) != 0 || listen(api->tcp_fd, BACKLOG) != 0)
        return lp_fail_at(err, LP_CONFLICT, "api.listen", "cannot listen on %s: %s",
                          conf->api_listen, strerror(errno));
    note_url(api);
    return LP_OK;
}

/** A socket file nobody answers on is a leftover. */
static bool
socket_is_dead(const struct sockaddr_un *where)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool dead = false;

    if (fd >= 0) {
        dead = connect(fd, (const struct sockaddr *)where, sizeof *where) != 0
               && errno == ECONNREFUSED;
        close(fd);
    }
    return dead;
}

static enum lp_code
listen_unix(struct lp_api *api, struct lp_err *err)
{
    struct sockaddr_un where = {.sun_family = AF_UNIX};
    mode_t old;
    int rc;

    if (strlen(api->socket_path) >= sizeof where.sun_path)
        return lp_fail_at(err, LP_INVALID, "api.socket", "the socket path '%s' is longer than %zu",
                          api->socket_path, sizeof where.sun_path - 1);
    memcpy(where.sun_path, api->socket_path, strlen(api->socket_path));
    api->unix_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (api->unix_fd < 0)
        return lp_fail(err, LP_INTERNAL, "no socket: %s", strerror(errno));
    old = umask(0117); /* 0660 from the first moment */
    rc = bind(api->unix_fd, (const struct sockaddr *)&where, sizeof where);
    if (rc != 0 && errno == EADDRINUSE && socket_is_dead(&where) && unlink(where.sun_path) == 0)
        rc = bind(api->unix_fd, (const struct sockaddr *)&where, sizeof where);
    umask(old);
    if (rc == 0)
        rc = listen(api->unix_fd, BACKLOG);
    if (rc != 0) {
        rc = errno;
        close(api->unix_fd);
        api->unix_fd = -1; /* the file is not ours to remove */
        return lp_fail_at(err, LP_CONFLICT, "api.socket", "cannot listen on %s: %s",
                          api->socket_path, strerror(rc));
    }
    return LP_OK;
}

static enum lp_code
watch(struct lp_api *api, int fd, uint32_t what, struct lp_err *err)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = what};

    if (epoll_ctl(api->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
        return lp_fail(err, LP_INTERNAL, "epoll: %s", strerror(errno));
    return LP_OK;
}

static enum lp_code
setup(struct lp_api *api, struct lp_err *err)
{
    enum lp_code rc;

    api->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    api->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (api->epoll_fd < 0 || api->wake_fd < 0)
        return lp_fail(err, LP_INTERNAL, "no descriptors: %s", strerror(errno));
    rc = listen_tcp(api, err);
    if (rc == LP_OK)
        rc = listen_unix(api, err);
    if (rc == LP_OK)
        rc = watch(api, api->tcp_fd, EV_TCP, err);
    if (rc == LP_OK)
        rc = watch(api, api->unix_fd, EV_UNIX, err);
    if (rc == LP_OK)
        rc = watch(api, api->wake_fd, EV_WAKE, err);
    return rc;
}

enum lp_code
lp_api_listen(const struct lp_api_options *options, struct lp_api **out, struct lp_err *err)
{
    struct lp_api *api = calloc(1, sizeof *api);
    const char *path = options->conf->api_socket;
    enum lp_code rc;

    if (api == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for the API");
    api->options = *options;
    api->tcp_fd = api->unix_fd = api->epoll_fd = api->wake_fd = -1;
    pthread_mutex_init(&api->done_lock, NULL);
    pthread_mutex_init(&api->fixed_lock, NULL);
    pthread_mutex_init(&api->metrics_lock, NULL);
    pthread_mutex_init(&api->long_lock, NULL);
    api->data_dir = strdup(options->data_dir);
    if (path != NULL && path[0] != '\0')
        api->socket_path = strdup(path);
    else if (asprintf(&api->socket_path, "%s/lightpathd.sock", options->data_dir) < 0)
        api->socket_path = NULL;
    if (api->data_dir == NULL || api->socket_path == NULL)
        rc = lp_fail(err, LP_NOMEM, "no memory for the API");
    else
        rc = setup(api, err);
    if (rc != LP_OK) {
        lp_api_free(api);
        return rc;
    }
    *out = api;
    return LP_OK;
}

const char *
lp_api_url(const struct lp_api *api)
{
    return api->url;
}

const char *
lp_api_socket(const struct lp_api *api)
{
    return api->socket_path;
}

/* ---- connections ---- */

void
lp_conn_deadline(struct lp_conn *conn, int64_t at_us)
{
    struct lp_api *api = conn->api;

    conn->deadline_us = at_us;
    if (at_us != 0 && (api->next_deadline_us == 0 || at_us < api->next_deadline_us))
        api->next_deadline_us = at_us;
}

static bool
by_fd_reserve(struct lp_api *api, int fd)
{
    size_t want = (size_t)fd + 1;
    struct lp_conn **grown;

    if (want <= api->by_fd_size)
        return true;
    want = (want + 255) / 256 * 256;
    grown = realloc(api->by_fd, want * sizeof(struct lp_conn *));
    if (grown == NULL)
        return false;
    memset(grown + api->by_fd_size, 0, (want - api->by_fd_size) * sizeof(struct lp_conn *));
    api->by_fd = grown;
    api->by_fd_size = want;
    return true;
}

static void conn_free(struct lp_conn *conn);

static void
conn_link(struct lp_api *api, struct lp_conn *conn)
{
    if (api->by_fd[conn->fd] != NULL)
        conn_free(api->by_fd[conn->fd]); /* the library gave that one up without telling */
    conn->next = api->conns;
    if (conn->next != NULL)
        conn->next->prev = conn;
    api->conns = conn;
    api->by_fd[conn->fd] = conn;
    atomic_fetch_add(&api->stats.connections, 1);
}

static void
conn_free(struct lp_conn *conn)
{
    struct lp_api *api = conn->api;

    if (conn->prev != NULL)
        conn->prev->next = conn->next;
    else
        api->conns = conn->next;
    if (conn->next != NULL)
        conn->next->prev = conn->prev;
    if (api->by_fd[conn->fd] == conn)
        api->by_fd[conn->fd] = NULL;
    atomic_fetch_sub(&api->stats.connections, 1);
    free(conn->uri);
    free(conn);
}

static void
notify_connection(void *cls, struct MHD_Connection *mhd, void **context,
                  enum MHD_ConnectionNotificationCode code)
{
    struct lp_api *api = cls;

    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);

        *context = info == NULL ? NULL : api->by_fd[info->connect_fd];
    } else if (*context != NULL) {
        conn_free(*context);
        *context = NULL;
    }
}

struct lp_conn *
lp_request_conn(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info == NULL ? NULL : info->socket_context;
}

static void
say_and_close(int fd, const char *status, const char *slug, const char *detail)
{
    char body[256];
    char head[512];
    struct lp_uuid id = lp_uuid_v4();
    int body_len = snprintf(body, sizeof body,
                            "{\"type\":\"%s\",\"title\":\"%s\",\"status\":%.3s,\"detail\":\"%s\"}",
                            slug, status + 4, status, detail);
    int len = snprintf(head, sizeof head,
                       "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
                       "X-Request-ID: %s\r\nX-Process-Time: 0.000000\r\nRetry-After: 1\r\n"
                       "Connection: close\r\n\r\n%s",
                       status, body_len, id.text, body);

    (void)!send(fd, head, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL);
    shutdown(fd, SHUT_WR);
}

static void
address_text(const union address *peer, char *out, size_t size)
{
    out[0] = '\0';
    if (peer->any.sa_family == AF_INET)
        inet_ntop(AF_INET, &peer->v4.sin_addr, out, (socklen_t)size);
    else if (peer->any.sa_family == AF_INET6)
        inet_ntop(AF_INET6, &peer->v6.sin6_addr, out, (socklen_t)size);
}

static bool
too_many(struct lp_api *api, const char *address)
{
    const struct lp_conf *conf = api->options.conf;
    int64_t same = 0;

    if (atomic_load(&api->stats.connections) >= conf->api_max_connections)
        return true;
    if (conf->api_max_connections_per_ip == 0 || address[0] == '\0')
        return false;
    for (const struct lp_conn *conn = api->conns; conn != NULL; conn = conn->next)
        same += strcmp(conn->address, address) == 0;
    return same >= conf->api_max_connections_per_ip;
}

/** Hands an accepted socket to libmicrohttpd; the descriptor is closed when that fails. */
static void
adopt(struct lp_api *api, int fd, const union address *peer, socklen_t len, bool local)
{
    const struct lp_conf *conf = api->options.conf;
    struct lp_conn *conn;
    struct ucred cred = {.uid = (uid_t)-1};
    socklen_t cred_len = sizeof cred;
    char address[64];
    int on = 1;

    address_text(peer, address, sizeof address);
    if (too_many(api, address)) {
        atomic_fetch_add(&api->stats.refused_connections, 1);
        say_and_close(fd, "503 Service Unavailable", "try-again", "too many connections");
        close(fd);
        return;
    }
    conn = calloc(1, sizeof *conn);
    if (conn == NULL || !by_fd_reserve(api, fd)) {
        free(conn);
        close(fd);
        return;
    }
    conn->api = api;
    conn->fd = fd;
    conn->local_socket = local;
    conn->peer_uid = (uid_t)-1;
    memcpy(conn->address, address, sizeof address);
    if (local && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &cred_len) == 0)
        conn->peer_uid = cred.uid;
    if (!local)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    conn_link(api, conn);
    lp_conn_deadline(
        conn, lp_api_now(api)
                  + (conf->api_idle_timeout_s + lp_conf_live_int(&conf->api_request_timeout_s))
                        * 1000000);
    if (MHD_add_connection(api->mhd, fd, &peer->any, len) != MHD_YES && api->by_fd[fd] == conn)
        conn_free(conn); /* libmicrohttpd has closed the socket */
}

static void
accept_some(struct lp_api *api, int listener, bool local)
{
    for (int i = 0; i < ACCEPTS_PER_WAKE; i++) {
        union address peer;
        socklen_t len = sizeof peer;
        int fd;

        memset(&peer, 0, sizeof peer);
        fd = accept4(listener, &peer.any, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            adopt(api, fd, &peer, len, local);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            /* The listener stays readable: leave it alone for a moment instead of spinning. */
            struct epoll_event none = {.events = 0, .data.u32 = local ? EV_UNIX : EV_TCP};

            epoll_ctl(api->epoll_fd, EPOLL_CTL_MOD, listener, &none);
            api->accept_again_us = lp_api_now(api) + ACCEPT_PAUSE_US;
        }
        return;
    }
}

static void
accept_again(struct lp_api *api)
{
    struct epoll_event tcp = {.events = EPOLLIN, .data.u32 = EV_TCP};
    struct epoll_event local = {.events = EPOLLIN, .data.u32 = EV_UNIX};

    api->accept_again_us = 0;
    if (api->tcp_fd >= 0)
        epoll_ctl(api->epoll_fd, EPOLL_CTL_MOD, api->tcp_fd, &tcp);
    if (api->unix_fd >= 0)
        epoll_ctl(api->epoll_fd, EPOLL_CTL_MOD, api->unix_fd, &local);
}

/** Ends connections whose request did not arrive, or whose answer was not taken, in time. */
static void
check_deadlines(struct lp_api *api, int64_t now)
{
    int64_t next = 0;

    if (api->next_deadline_us == 0 || now < api->next_deadline_us)
        return;
    for (struct lp_conn *conn = api->conns; conn != NULL; conn = conn->next) {
        if (conn->deadline_us == 0)
            continue;
        if (conn->deadline_us <= now) {
            conn->deadline_us = 0;
            conn->timed_out = true;
            atomic_fetch_add(&api->stats.timed_out, 1);
            if (!conn->answering)
                say_and_close(conn->fd, "408 Request Timeout", "timeout",
                              "the request did not arrive in time");
            shutdown(conn->fd, SHUT_RDWR); /* libmicrohttpd sees the end and cleans up */
        } else if (next == 0 || conn->deadline_us < next) {
            next = conn->deadline_us;
        }
    }
    api->next_deadline_us = next;
}

/* ---- the loop ---- */

void
lp_api_wake(struct lp_api *api)
{
    uint64_t one = 1;

    (void)!write(api->wake_fd, &one, sizeof one);
}

void
lp_api_done(struct lp_api *api, struct lp_request *req)
{
    bool first;

    pthread_mutex_lock(&api->done_lock);
    first = api->done == NULL;
    req->next = api->done;
    api->done = req;
    pthread_mutex_unlock(&api->done_lock);
    if (first)
        lp_api_wake(api);
}

static void
take_done(struct lp_api *api)
{
    struct lp_request *req;

    pthread_mutex_lock(&api->done_lock);
    req = api->done;
    api->done = NULL;
    pthread_mutex_unlock(&api->done_lock);
    while (req != NULL) {
        struct lp_request *next = req->next;

        req->state = LP_REQ_DONE;
        api->in_work--;
        MHD_resume_connection(req->mhd);
        req = next;
    }
}

static void
soonest(int64_t *best, int64_t at)
{
    if (at != 0 && (*best == 0 || at < *best))
        *best = at;
}

/** Milliseconds to sleep, -1 = until something happens. */
static int
sleep_ms(struct lp_api *api, int64_t now, int64_t stream_at)
{
    MHD_UNSIGNED_LONG_LONG mhd_ms = 0;
    int64_t at = 0;

    if (MHD_get_timeout(api->mhd, &mhd_ms) == MHD_YES) {
        if (mhd_ms == 0)
            return 0;
        at = now + (int64_t)(mhd_ms > 3600000 ? 3600000 : mhd_ms) * 1000;
    }
    soonest(&at, api->next_deadline_us);
    soonest(&at, stream_at);
    soonest(&at, api->accept_again_us);
    if (atomic_load(&api->stopping))
        soonest(&at, now + 20000);
    if (at == 0)
        return -1;
    return at <= now ? 0 : (int)((at - now + 999) / 1000);
}

static void
handle_events(struct lp_api *api, const struct epoll_event *events, int count)
{
    uint64_t drained;

    for (int i = 0; i < count; i++) {
        if (events[i].data.u32 == EV_TCP && api->tcp_fd >= 0)
            accept_some(api, api->tcp_fd, false);
        else if (events[i].data.u32 == EV_UNIX && api->unix_fd >= 0)
            accept_some(api, api->unix_fd, true);
        else if (events[i].data.u32 == EV_WAKE)
            (void)!read(api->wake_fd, &drained, sizeof drained);
    }
}

static void
stop_listening(struct lp_api *api)
{
    if (api->tcp_fd >= 0)
        close(api->tcp_fd);
    if (api->unix_fd >= 0) {
        close(api->unix_fd);
        unlink(api->socket_path);
    }
    api->tcp_fd = api->unix_fd = -1;
}

/** True when the loop may end: everything in work was answered, or the time is over. */
static bool
may_end(struct lp_api *api, int64_t now)
{
    if (!atomic_load(&api->stopping))
        return false;
    if (api->tcp_fd >= 0 || api->unix_fd >= 0) {
        stop_listening(api);
        lp_streams_close_all(api->streams);
        return false; /* one more round, to let the streams go */
    }
    return api->in_work == 0 || now >= api->stop_by_us;
}

/** After a crowd has gone its buffers go back to the system: an idle daemon is small again. */
static void
give_back(struct lp_api *api)
{
    int now = atomic_load(&api->stats.connections);

    if (now > api->most_connections)
        api->most_connections = now;
    if (now > 0 || api->most_connections < TRIM_ABOVE)
        return;
    api->most_connections = 0;
    malloc_trim(0);
}

uint64_t
lp_api_turns(struct lp_api *api)
{
    uint64_t turns = atomic_load_explicit(&api->turns, memory_order_relaxed);

    lp_api_wake(api);
    return turns;
}

static void *
loop(void *arg)
{
    struct lp_api *api = arg;
    struct epoll_event events[16];
    int64_t stream_at = 0;

    for (;;) {
        int64_t now = lp_api_now(api);
        int count;

        if (may_end(api, now))
            return NULL;
        count = epoll_wait(api->epoll_fd, events, LP_COUNT(events), sleep_ms(api, now, stream_at));
        atomic_fetch_add_explicit(&api->turns, 1, memory_order_relaxed);
        handle_events(api, events, count);
        now = lp_api_now(api);
        if (api->accept_again_us != 0 && now >= api->accept_again_us)
            accept_again(api);
        take_done(api);
        stream_at = lp_streams_tick(api->streams, now);
        check_deadlines(api, now);
        MHD_run(api->mhd); /* never waits: our own epoll is the only place that does */
        give_back(api);
    }
}

static enum lp_code
start_mhd(struct lp_api *api, struct lp_err *err)
{
    const struct lp_conf *conf = api->options.conf;
    const union MHD_DaemonInfo *info;

    api->mhd = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL,
        lp_request_access, api, MHD_OPTION_NOTIFY_CONNECTION, notify_connection, api,
        MHD_OPTION_NOTIFY_COMPLETED, lp_request_completed, api, MHD_OPTION_URI_LOG_CALLBACK,
        lp_request_uri, api, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)conf->api_idle_timeout_s,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)conf->api_max_connections + 16,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)POOL_PER_CONN, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
    if (api->mhd == NULL)
        return lp_fail(err, LP_INTERNAL, "the HTTP library did not start");
    info = MHD_get_daemon_info(api->mhd, MHD_DAEMON_INFO_EPOLL_FD);
    if (info == NULL)
        return lp_fail(err, LP_INTERNAL, "the HTTP library has no epoll descriptor");
    return watch(api, info->epoll_fd, EV_MHD, err);
}

enum lp_code
lp_api_run(struct lp_api *api, const struct lp_api_services *services, struct lp_err *err)
{
    enum lp_code rc;

    api->services = *services;
    rc = start_mhd(api, err);
    if (rc == LP_OK)
        rc = lp_pool_new(api, (unsigned)api->options.conf->api_threads, &api->pool, err);
    if (rc != LP_OK)
        return rc;
    api->streams = lp_streams_new(api);
    if (api->streams == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for the event streams");
    if (pthread_create(&api->loop, NULL, loop, api) != 0)
        return lp_fail(err, LP_INTERNAL, "cannot start the API thread");
    pthread_setname_np(api->loop, "api-loop");
    api->loop_started = true;
    return LP_OK;
}

void
lp_api_stop(struct lp_api *api, int64_t timeout_ms)
{
    int64_t until;

    if (!api->loop_started)
        return;
    api->stop_by_us = lp_api_now(api) + timeout_ms * 1000;
    atomic_store(&api->stopping, true);
    lp_api_wake(api);
    pthread_join(api->loop, NULL);
    api->loop_started = false;
    lp_engine_on_events(api->services.engine, NULL, NULL);
    lp_pool_free(api->pool); /* joins the handlers: nothing is in work afterwards */
    api->pool = NULL;
    /* From here this thread is the loop: send what is still unsent, then close. */
    take_done(api);
    lp_streams_close_all(
        api->streams); /* those that were being read for, too: nothing stays suspended */
    until = lp_api_now(api) + UNSENT_GRACE_US;
    do {
        MHD_UNSIGNED_LONG_LONG ms = 1;

        MHD_run(api->mhd);
        if (MHD_get_timeout(api->mhd, &ms) != MHD_YES || ms != 0)
            break;
    } while (lp_api_now(api) < until);
}

void
lp_api_free(struct lp_api *api)
{
    if (api == NULL)
        return;
    if (api->loop_started)
        lp_api_stop(api, 0);
    if (api->mhd != NULL)
        MHD_stop_daemon(api->mhd);
    lp_pool_free(api->pool);
    lp_streams_free(api->streams);
    stop_listening(api);
    if (api->wake_fd >= 0)
        close(api->wake_fd);
    if (api->epoll_fd >= 0)
        close(api->epoll_fd);
    pthread_mutex_destroy(&api->done_lock);
    pthread_mutex_destroy(&api->fixed_lock);
    (void)lp_metrics_forget(api);
    pthread_mutex_destroy(&api->metrics_lock);
    pthread_mutex_destroy(&api->long_lock);
    free(api->openapi);
    free(api->by_fd);
    free(api->data_dir);
    free(api->socket_path);
    free(api);
}
