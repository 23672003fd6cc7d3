#include "clients/tl1_link.h"

#include <errno.h>
#include <libssh/libssh.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wire/telnet.h"

#define SLICE_MS 200 /* how long a cancel may stay unseen */

struct tl1_link {
    int fd;              /* TCP; with SSH libssh owns it */
    ssh_session session; /* NULL: TCP */
    ssh_channel channel;
    struct lp_telnet telnet;
};

/* ---- waiting ---- */

int64_t
tl1_now(const struct lp_clock *clock)
{
    static const struct lp_clock real = LP_CLOCK_INIT;

    return lp_clock_mono_us(clock != NULL ? clock : &real);
}

/* Milliseconds that may still be waited, at most a slice; *why when it is none. */
static int
slice(const struct tl1_limits *limits, enum tl1_wake *why)
{
    const struct lp_tl1_wait *wait = limits->wait;
    int64_t until = limits->until_us, left;

    if (wait != NULL && wait->deadline_us > 0 && wait->deadline_us < until)
        until = wait->deadline_us;
    left = (until - tl1_now(limits->clock) + 999) / 1000;
    *why = TL1_TIMEOUT;
    if (wait != NULL && wait->left_ms != NULL) {
        int64_t allowed = wait->left_ms(wait->left_arg);

        if (allowed <= 0)
            *why = TL1_STOPPED;
        left = allowed < left ? allowed : left;
    }
    return left <= 0 ? 0 : left < SLICE_MS ? (int)left : SLICE_MS;
}

enum tl1_wake
tl1_look(const struct tl1_limits *limits)
{
    struct pollfd cancel = {.fd = limits->wait == NULL ? -1 : limits->wait->cancel_fd,
                            .events = POLLIN};
    enum tl1_wake why;

    if (poll(&cancel, 1, 0) > 0)
        return TL1_STOPPED;
    return slice(limits, &why) == 0 ? why : TL1_READY;
}

enum tl1_wake
tl1_wait(const struct tl1_limits *limits, int fd, short events)
{
    struct pollfd fds[2] = {
        {.fd = fd, .events = events},
        {.fd = limits->wait == NULL ? -1 : limits->wait->cancel_fd, .events = POLLIN},
    };
    enum tl1_wake why;
    int ms = slice(limits, &why);

    if (ms == 0)
        return why;
    if (poll(fds, 2, ms) > 0 && fds[1].revents != 0)
        return TL1_STOPPED;
    return TL1_READY;
}

static enum lp_code
ended(enum tl1_wake wake, const struct lp_tl1_address *address, const char *what,
      struct lp_err *err)
{
    if (wake == TL1_STOPPED)
        return lp_fail(err, LP_CANCELLED, "stopped while %s %s", what, address->host);
    return lp_fail(err, LP_RETRYABLE, "%s %s took too long", what, address->host);
}

/* ---- TCP ---- */

static uint16_t
port_of(const struct lp_tl1_address *address)
{
    if (address->port != 0)
        return address->port;
    return address->transport == LP_TL1_SSH ? 22 : 9090;
}

/* A dead peer is noticed within a minute when something was sent, else by keep-alive. */
static void
tune(int fd)
{
    static const struct {
        int level, name, value;
    } options[] = {
        {SOL_SOCKET, SO_KEEPALIVE, 1},    {IPPROTO_TCP, TCP_KEEPIDLE, 60},
        {IPPROTO_TCP, TCP_KEEPINTVL, 60}, {IPPROTO_TCP, TCP_KEEPCNT, 6},
        {IPPROTO_TCP, TCP_NODELAY, 1},    {IPPROTO_TCP, TCP_USER_TIMEOUT, 60000},
    };

    for (size_t i = 0; i < LP_COUNT(options); i++) /* each is an improvement only */
        (void)setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof(int));
}

static enum lp_code
connect_one(const struct addrinfo *to, const struct lp_tl1_address *address,
            const struct tl1_limits *limits, int *out, struct lp_err *err)
{
    int fd = socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), failed = 0;
    socklen_t len = sizeof failed;
    enum tl1_wake wake = TL1_READY;
    struct pollfd ready = {.fd = fd, .events = POLLOUT};

    if (fd < 0)
        return lp_fail(err, LP_RETRYABLE, "no socket: %s", strerror(errno));
    if (connect(fd, to->ai_addr, to->ai_addrlen) != 0) {
        failed = errno;
        while (failed == EINPROGRESS && wake == TL1_READY && poll(&ready, 1, 0) == 0)
            wake = tl1_wait(limits, fd, POLLOUT);
        if (failed == EINPROGRESS && wake == TL1_READY
            && getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &len) != 0)
            failed = errno;
    }
    if (failed == 0) {
        tune(fd);
        *out = fd;
        return LP_OK;
    }
    (void)close(fd);
    if (wake != TL1_READY)
        return ended(wake, address, "connecting to", err);
    return lp_fail(err, LP_RETRYABLE, "cannot connect to %s port %u: %s", address->host,
                   port_of(address), strerror(failed));
}

/* Names are resolved by the system's resolver with its own time-outs; inventories should hold
   addresses, which need none. */
static enum lp_code
connect_tcp(const struct lp_tl1_address *address, const struct tl1_limits *limits, int *out,
            struct lp_err *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST}, *list;
    enum lp_code rc = LP_OK;
    char port[8];
    int failed;

    (void)snprintf(port, sizeof port, "%u", (unsigned)port_of(address));
    failed = getaddrinfo(address->host, port, &hints, &list);
    if (failed != 0) {
        hints.ai_flags = AI_ADDRCONFIG;
        failed = getaddrinfo(address->host, port, &hints, &list);
    }
    if (failed != 0)
        return lp_fail(err, LP_RETRYABLE, "cannot resolve '%.100s': %s", address->host,
                       gai_strerror(failed));
    for (const struct addrinfo *to = list; to != NULL; to = to->ai_next) {
        rc = connect_one(to, address, limits, out, err);
        if (rc == LP_OK || rc == LP_CANCELLED)
            break;
    }
    freeaddrinfo(list);
    return rc;
}

/* ---- SSH ---- */

/* One SSH connection that is being made. */
struct dial {
    const struct tl1_link_options *options;
    const struct tl1_limits *limits;
    ssh_session session;
    ssh_channel channel;
};

static enum lp_code
ssh_failed(const struct dial *dial, enum lp_code code, const char *what, struct lp_err *err)
{
    return lp_fail(err, code, "SSH to %s: %s: %.200s", dial->options->address->host, what,
                   ssh_get_error(dial->session));
}

static enum lp_code
ssh_pause(const struct dial *dial, struct lp_err *err)
{
    short events = POLLIN;
    enum tl1_wake wake;

    if ((ssh_get_poll_flags(dial->session) & SSH_WRITE_PENDING) != 0)
        events |= POLLOUT;
    wake = tl1_wait(dial->limits, ssh_get_fd(dial->session), events);
    return wake == TL1_READY ? LP_OK : ended(wake, dial->options->address, "the SSH login to", err);
}

static enum lp_code
ssh_greet(const struct dial *dial, struct lp_err *err)
{
    enum lp_code rc = LP_OK;
    int done;

    while ((done = ssh_connect(dial->session)) == SSH_AGAIN && rc == LP_OK)
        rc = ssh_pause(dial, err);
    if (rc != LP_OK)
        return rc;
    return done == SSH_OK ? LP_OK : ssh_failed(dial, LP_RETRYABLE, "handshake failed", err);
}

static void
tell_host_key(const struct dial *dial, const char *print, bool changed)
{
    const struct lp_tl1_pool_options *pool = dial->options->pool;

    if (pool->host_key != NULL)
        pool->host_key(pool->host_key_arg, dial->options->address->host,
                       port_of(dial->options->address), print, changed);
}

static enum lp_code
check_known_hosts(const struct dial *dial, const char *print, struct lp_err *err)
{
    static pthread_mutex_t file = PTHREAD_MUTEX_INITIALIZER; /* one writer of known_hosts */
    enum ssh_known_hosts_e known = SSH_KNOWN_HOSTS_UNKNOWN;
    bool first_use = dial->options->pool->host_keys == LP_TL1_HOSTS_FIRST_USE;
    bool saved = true;

    pthread_mutex_lock(&file);
    known = ssh_session_is_known_server(dial->session);
    if ((known == SSH_KNOWN_HOSTS_UNKNOWN || known == SSH_KNOWN_HOSTS_NOT_FOUND) && first_use)
        saved = ssh_session_update_known_hosts(dial->session) == SSH_OK;
    pthread_mutex_unlock(&file);
    if (known == SSH_KNOWN_HOSTS_OK)
        return LP_OK;
    if (known == SSH_KNOWN_HOSTS_CHANGED || known == SSH_KNOWN_HOSTS_OTHER) {
        tell_host_key(dial, print, true);
        return lp_fail(err, LP_PROTOCOL, "the SSH host key of %s has changed to %s",
                       dial->options->address->host, print);
    }
    if (known == SSH_KNOWN_HOSTS_ERROR)
        return ssh_failed(dial, LP_PROTOCOL, "known hosts cannot be read", err);
    if (!first_use)
        return lp_fail(err, LP_PROTOCOL, "the SSH host key %s of %s is not known", print,
                       dial->options->address->host);
    if (!saved)
        return ssh_failed(dial, LP_PROTOCOL, "the host key cannot be remembered", err);
    tell_host_key(dial, print, false);
    return LP_OK;
}

static enum lp_code
ssh_check_host(const struct dial *dial, struct lp_err *err)
{
    const struct lp_tl1_pool_options *pool = dial->options->pool;
    const char *pinned = dial->options->address->host_key;
    unsigned char *hash = NULL;
    char *print = NULL;
    size_t len = 0;
    ssh_key key = NULL;
    enum lp_code rc = LP_OK;

    if (ssh_get_server_publickey(dial->session, &key) == SSH_OK
        && ssh_get_publickey_hash(key, SSH_PUBLICKEY_HASH_SHA256, &hash, &len) == SSH_OK)
        print = ssh_get_fingerprint_hash(SSH_PUBLICKEY_HASH_SHA256, hash, len);
    if (print == NULL) {
        rc = ssh_failed(dial, LP_PROTOCOL, "no host key", err);
    } else if (pinned != NULL && strcmp(pinned, print) != 0) {
        tell_host_key(dial, print, true);
        rc = lp_fail(err, LP_PROTOCOL, "the SSH host key of %s is %s, not %s",
                     dial->options->address->host, print, pinned);
    } else if (pinned == NULL && pool->host_keys != LP_TL1_HOSTS_ANY) {
        rc = check_known_hosts(dial, print, err);
    }
    ssh_string_free_char(print);
    ssh_clean_pubkey_hash(&hash);
    ssh_key_free(key);
    return rc;
}

/* ---- SSH login: each method is tried until it is decided ---- */

static const char *
ssh_password(const struct dial *dial)
{
    const struct lp_tl1_credentials *own = dial->options->credentials;

    return own->ssh_user[0] != '\0' ? own->ssh_password : own->password;
}

static int
try_none(struct dial *dial)
{
    return ssh_userauth_none(dial->session, NULL);
}

static int
try_password(struct dial *dial)
{
    return ssh_userauth_password(dial->session, NULL, ssh_password(dial));
}

static int
try_questions(struct dial *dial)
{
    int done = ssh_userauth_kbdint(dial->session, NULL, NULL);

    for (int round = 0; done == SSH_AUTH_INFO && round < 5; round++) {
        int prompts = ssh_userauth_kbdint_getnprompts(dial->session);

        for (int i = 0; i < prompts; i++)
            if (ssh_userauth_kbdint_setanswer(dial->session, (unsigned)i, ssh_password(dial)) < 0)
                return SSH_AUTH_ERROR;
        done = ssh_userauth_kbdint(dial->session, NULL, NULL);
    }
    return done;
}

static int
try_key(struct dial *dial)
{
    const char *file = dial->options->credentials->ssh_key_file;
    ssh_key key = NULL;
    int done = SSH_AUTH_DENIED;

    if (ssh_pki_import_privkey_file(file, NULL, NULL, NULL, &key) == SSH_OK)
        done = ssh_userauth_publickey(dial->session, NULL, key);
    ssh_key_free(key);
    return done;
}

static enum lp_code
ssh_try(struct dial *dial, int (*method)(struct dial *), int *done, struct lp_err *err)
{
    enum lp_code rc = LP_OK;

    while ((*done = method(dial)) == SSH_AUTH_AGAIN && rc == LP_OK)
        rc = ssh_pause(dial, err);
    return rc;
}

static enum lp_code
ssh_login(struct dial *dial, struct lp_err *err)
{
    const struct lp_tl1_credentials *own = dial->options->credentials;
    struct {
        int (*run)(struct dial *);
        bool wanted;
        int method;
    } methods[] = {
        {try_none, true, 0}, /* also tells which methods there are */
        {try_key, own->ssh_key_file[0] != '\0', SSH_AUTH_METHOD_PUBLICKEY},
        {try_password, !own->ssh_no_password, SSH_AUTH_METHOD_PASSWORD},
        {try_questions, !own->ssh_no_password, SSH_AUTH_METHOD_INTERACTIVE},
    };
    int offered = ~0;

    for (size_t i = 0; i < LP_COUNT(methods); i++) {
        enum lp_code rc;
        int done = SSH_AUTH_DENIED;

        if (!methods[i].wanted || (methods[i].method & offered) != methods[i].method)
            continue;
        rc = ssh_try(dial, methods[i].run, &done, err);
        if (rc != LP_OK)
            return rc;
        if (done == SSH_AUTH_SUCCESS)
            return LP_OK;
        if (done == SSH_AUTH_ERROR)
            return ssh_failed(dial, LP_RETRYABLE, "login failed", err);
        if (i == 0)
            offered = ssh_userauth_list(dial->session, NULL);
    }
    return lp_fail(err, LP_AUTH, "SSH to %s refused the login", dial->options->address->host);
}

static enum lp_code
ssh_open_channel(struct dial *dial, struct lp_err *err)
{
    const char *subsystem = dial->options->address->ssh_subsystem;
    enum lp_code rc = LP_OK;
    int done = SSH_ERROR;

    if (subsystem == NULL)
        subsystem = "tl1telnet";
    dial->channel = ssh_channel_new(dial->session);
    if (dial->channel == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for an SSH channel");
    while ((done = ssh_channel_open_session(dial->channel)) == SSH_AGAIN && rc == LP_OK)
        rc = ssh_pause(dial, err);
    if (rc == LP_OK && done != SSH_OK)
        return ssh_failed(dial, LP_RETRYABLE, "no channel", err);
    while (rc == LP_OK) {
        done = subsystem[0] == '\0' ? ssh_channel_request_shell(dial->channel)
                                    : ssh_channel_request_subsystem(dial->channel, subsystem);
        if (done != SSH_AGAIN)
            break;
        rc = ssh_pause(dial, err);
    }
    if (rc == LP_OK && done != SSH_OK)
        return ssh_failed(dial, LP_PROTOCOL, "no TL1 there", err);
    return rc;
}

/* Takes fd over, also when it fails. Nothing is read from the user's own SSH configuration. */
static enum lp_code
ssh_prepare(struct dial *dial, int fd, struct lp_err *err)
{
    const struct tl1_link_options *o = dial->options;
    const char *user =
        o->credentials->ssh_user[0] != '\0' ? o->credentials->ssh_user : o->credentials->user;
    const char *hosts = o->pool->known_hosts != NULL ? o->pool->known_hosts : "/dev/null";
    unsigned port = port_of(o->address);
    bool no = false;

    dial->session = ssh_new();
    if (dial->session == NULL) {
        (void)close(fd);
        return lp_fail(err, LP_NOMEM, "no memory for an SSH session");
    }
    if (ssh_options_set(dial->session, SSH_OPTIONS_PROCESS_CONFIG, &no) != 0
        || ssh_options_set(dial->session, SSH_OPTIONS_HOST, o->address->host) != 0
        || ssh_options_set(dial->session, SSH_OPTIONS_PORT, &port) != 0
        || ssh_options_set(dial->session, SSH_OPTIONS_USER, user) != 0
        || ssh_options_set(dial->session, SSH_OPTIONS_KNOWNHOSTS, hosts) != 0
        || ssh_options_set(dial->session, SSH_OPTIONS_GLOBAL_KNOWNHOSTS, "/dev/null") != 0
        || ssh_options_set(dial->session, SSH_OPTIONS_FD, &fd) != 0) {
        (void)close(fd);
        return ssh_failed(dial, LP_INVALID, "option refused", err);
    }
    ssh_set_blocking(dial->session, 0);
    return LP_OK;
}

/* libssh closes a descriptor that it was given when the peer went first, and leaves it open when we
   go first: whether it is still our socket is told by its inode. */
static void
ssh_drop(ssh_session session, ssh_channel channel)
{
    struct stat before, after;
    int fd;

    if (session == NULL)
        return;
    fd = (int)ssh_get_fd(session);
    if (fd >= 0 && fstat(fd, &before) != 0)
        fd = -1;
    if (channel != NULL)
        ssh_channel_free(channel);
    ssh_disconnect(session);
    ssh_free(session);
    if (fd >= 0 && fstat(fd, &after) == 0 && S_ISSOCK(after.st_mode)
        && after.st_ino == before.st_ino)
        (void)close(fd);
}

static enum lp_code
open_ssh(const struct tl1_link_options *options, const struct tl1_limits *limits, int fd,
         struct tl1_link *link, struct lp_err *err)
{
    struct dial dial = {.options = options, .limits = limits};
    enum lp_code rc = ssh_prepare(&dial, fd, err);

    if (rc == LP_OK)
        rc = ssh_greet(&dial, err);
    if (rc == LP_OK)
        rc = ssh_check_host(&dial, err);
    if (rc == LP_OK)
        rc = ssh_login(&dial, err);
    if (rc == LP_OK)
        rc = ssh_open_channel(&dial, err);
    if (rc != LP_OK) {
        ssh_drop(dial.session, dial.channel);
        return rc;
    }
    link->session = dial.session;
    link->channel = dial.channel;
    return LP_OK;
}

/* ---- the link ---- */

enum lp_code
tl1_link_open(const struct tl1_link_options *options, const struct tl1_limits *limits,
              struct tl1_link **out, struct lp_err *err)
{
    enum tl1_wake wake = tl1_look(limits);
    struct tl1_link *link;
    enum lp_code rc;
    int fd = -1;

    if (wake != TL1_READY)
        return ended(wake, options->address, "connecting to", err);
    link = calloc(1, sizeof *link);
    if (link == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for a connection");
    rc = connect_tcp(options->address, limits, &fd, err);
    link->fd = fd;
    if (rc == LP_OK && options->address->transport == LP_TL1_SSH) {
        link->fd = -1;
        rc = open_ssh(options, limits, fd, link, err);
    }
    if (rc != LP_OK) {
        free(link);
        return rc;
    }
    *out = link;
    return LP_OK;
}

void
tl1_link_close(struct tl1_link *link)
{
    if (link == NULL)
        return;
    if (link->session != NULL)
        ssh_drop(link->session, link->channel);
    else
        (void)close(link->fd);
    free(link);
}

int
tl1_link_fd(const struct tl1_link *link)
{
    return link->session != NULL ? ssh_get_fd(link->session) : link->fd;
}

short
tl1_link_events(const struct tl1_link *link)
{
    short events = POLLIN;

    if (link->session != NULL && (ssh_get_poll_flags(link->session) & SSH_WRITE_PENDING) != 0)
        events |= POLLOUT;
    return events;
}

short
tl1_link_write_events(const struct tl1_link *link)
{
    return link->session != NULL ? tl1_link_events(link) : POLLIN | POLLOUT;
}

static ssize_t
read_ssh(struct tl1_link *link, char *buf, size_t size)
{
    uint32_t take = size > INT32_MAX ? INT32_MAX : (uint32_t)size;
    int got = ssh_channel_read_nonblocking(link->channel, buf, take, 0);

    if (got > 0)
        return got;
    if (got == 0 || got == SSH_AGAIN)
        return ssh_channel_is_eof(link->channel) || !ssh_channel_is_open(link->channel) ? -1 : 0;
    return -1;
}

/* What telnet answers is dropped when it cannot be sent at once: a peer that asks without reading.
 */
static ssize_t
read_tcp(struct tl1_link *link, char *buf, size_t size)
{
    ssize_t got = recv(link->fd, buf, size, 0);
    char answers[LP_TELNET_MAX_ANSWER];
    size_t answer_len = 0, len;

    if (got < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -1;
    if (got == 0)
        return -1;
    len = lp_telnet_strip(&link->telnet, buf, (size_t)got, answers, &answer_len);
    if (answer_len > 0)
        (void)send(link->fd, answers, answer_len, MSG_NOSIGNAL);
    return (ssize_t)len;
}

ssize_t
tl1_link_read(struct tl1_link *link, char *buf, size_t size)
{
    return link->session != NULL ? read_ssh(link, buf, size) : read_tcp(link, buf, size);
}

ssize_t
tl1_link_write(struct tl1_link *link, const char *data, size_t len)
{
    ssize_t done;

    if (link->session != NULL) {
        int taken =
            ssh_channel_write(link->channel, data, len > INT32_MAX ? INT32_MAX : (uint32_t)len);

        return taken >= 0 ? taken : taken == SSH_AGAIN ? 0 : -1;
    }
    do
        done = send(link->fd, data, len, MSG_NOSIGNAL);
    while (done < 0 && errno == EINTR);
    return done >= 0 ? done : errno == EAGAIN ? 0 : -1;
}
