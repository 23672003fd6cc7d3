#include "sim/ssh.h"

#include <errno.h>
#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <libssh/server.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define HANDSHAKE_S  30 /* from the connection to the open channel */
#define MAX_ATTEMPTS 3
#define MAX_CLIENTS  4096

/* A connection that was accepted and waits for its thread. */
struct arrival {
    struct arrival *next;
    int fd;
    uint32_t element;
    char peer[64];
};

struct thread;

struct client {
    struct client *next;
    struct thread *thread;
    ssh_session session;
    ssh_channel channel;
    struct ssh_server_callbacks_struct server_callbacks;
    struct ssh_channel_callbacks_struct channel_callbacks;
    int plain;    /* our end of the stream; -1 before the channel is a terminal */
    bool shell;   /* logged in as the shell user */
    bool over;    /* to be freed after this round */
    bool watched; /* plain is in the event set */
    unsigned attempts;
    time_t since;
    uint32_t element;
    char peer[64];
};

struct thread {
    pthread_t id;
    struct sim_ssh *ssh;
    ssh_event event;
    int wake;
    struct client *clients;
    struct arrival *arrivals; /* guarded by ssh->lock */
};

struct key {
    struct key *next;
    uint32_t element;
    ssh_key key;
};

struct stream {
    struct stream *next;
    struct sim_ssh_stream stream;
};

struct sim_ssh {
    struct sim_ssh_options options;
    struct thread *threads;
    unsigned thread_count, turn;
    pthread_mutex_t lock; /* guards arrivals, streams, keys, stop, clients */
    struct stream *first, **last;
    struct key *keys;
    ssh_key key;
    int ready;
    bool stop;
    unsigned clients;
};

static time_t
seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

static void
kick(int fd)
{
    uint64_t one = 1;

    if (write(fd, &one, sizeof one) < 0)
        return; /* full: it is awake already */
}

static void
drain(int fd)
{
    uint64_t count;

    if (read(fd, &count, sizeof count) < 0)
        return;
}

/* ---- the stream ---- */

static int on_plain(socket_t fd, int revents, void *arg);

static void
plain_watch(struct client *client, bool on)
{
    if (client->watched == on || client->plain < 0)
        return;
    if (on)
        client->watched =
            ssh_event_add_fd(client->thread->event, client->plain, POLLIN, on_plain, client)
            == SSH_OK;
    else {
        (void)ssh_event_remove_fd(client->thread->event, client->plain);
        client->watched = false;
    }
}

/* What the element says goes into the channel, as far as the other side lets it. */
static int
on_plain(socket_t fd, int revents, void *arg)
{
    struct client *client = arg;
    char bytes[32768];
    uint32_t window = ssh_channel_window_size(client->channel);
    ssize_t n;

    (void)revents;
    if (client->over)
        return SSH_OK;
    if (window == 0) {
        plain_watch(client, false); /* again when the window opens */
        return SSH_OK;
    }
    n = recv(fd, bytes, window < sizeof bytes ? window : sizeof bytes, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return SSH_OK;
    if (n <= 0 || ssh_channel_write(client->channel, bytes, (uint32_t)n) != n)
        client->over = true;
    return SSH_OK;
}

/* What the client says goes to the element; one that does not listen loses it. */
static int
on_data(ssh_session session, ssh_channel channel, void *data, uint32_t len, int is_stderr,
        void *arg)
{
    struct client *client = arg;
    struct pollfd out = {.fd = client->plain, .events = POLLOUT};
    const char *at = data;
    uint32_t left = len;

    (void)session;
    (void)channel;
    while (left > 0 && client->plain >= 0 && is_stderr == 0) {
        ssize_t n = send(client->plain, at, left, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n > 0) {
            at += n;
            left -= (uint32_t)n;
        } else if (n < 0 && errno != EAGAIN && errno != EINTR) {
            client->over = true;
            break;
        } else if (poll(&out, 1, 200) <= 0) {
            break;
        }
    }
    return (int)len;
}

static void
on_end(ssh_session session, ssh_channel channel, void *arg)
{
    struct client *client = arg;

    (void)session;
    (void)channel;
    client->over = true;
}

/* ---- log in, channel ---- */

static int
on_password(ssh_session session, const char *user, const char *password, void *arg)
{
    struct client *client = arg;
    const struct sim_ssh_options *options = &client->thread->ssh->options;

    (void)session;
    if (options->shell_user != NULL && strcmp(user, options->shell_user) == 0
        && password[0] == '\0') {
        client->shell = true;
        return SSH_AUTH_SUCCESS;
    }
    if (options->auth(options->arg, client->element, user, password))
        return SSH_AUTH_SUCCESS;
    if (++client->attempts >= MAX_ATTEMPTS)
        client->over = true;
    return SSH_AUTH_DENIED;
}

static int
on_none(ssh_session session, const char *user, void *arg)
{
    struct client *client = arg;
    const char *shell_user = client->thread->ssh->options.shell_user;

    (void)session;
    if (shell_user == NULL || strcmp(user, shell_user) != 0)
        return SSH_AUTH_DENIED;
    client->shell = true;
    return SSH_AUTH_SUCCESS;
}

static void
stream_offer(struct client *client, int fd)
{
    struct sim_ssh *ssh = client->thread->ssh;
    struct stream *stream = calloc(1, sizeof *stream);

    if (stream == NULL) {
        close(fd);
        client->over = true;
        return;
    }
    stream->stream.fd = fd;
    stream->stream.element = client->element;
    memcpy(stream->stream.peer, client->peer, sizeof stream->stream.peer);
    pthread_mutex_lock(&ssh->lock);
    *ssh->last = stream;
    ssh->last = &stream->next;
    pthread_mutex_unlock(&ssh->lock);
    kick(ssh->ready);
}

/* The channel becomes a TL1 terminal. */
static int
terminal_open(struct client *client)
{
    int pair[2];

    if (client->plain >= 0
        || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0)
        return SSH_ERROR;
    client->plain = pair[0];
    plain_watch(client, true);
    stream_offer(client, pair[1]);
    return SSH_OK;
}

static int
on_subsystem(ssh_session session, ssh_channel channel, const char *name, void *arg)
{
    struct client *client = arg;

    (void)session;
    (void)channel;
    if (strcmp(name, client->thread->ssh->options.subsystem) != 0)
        return SSH_ERROR;
    return terminal_open(client);
}

static int
on_shell(ssh_session session, ssh_channel channel, void *arg)
{
    struct client *client = arg;

    (void)session;
    (void)channel;
    return client->shell ? terminal_open(client) : SSH_ERROR;
}

static int
on_pty(ssh_session session, ssh_channel channel, const char *term, int width, int height,
       int px_width, int px_height, void *arg)
{
    struct client *client = arg;

    (void)session;
    (void)channel;
    (void)term;
    (void)width;
    (void)height;
    (void)px_width;
    (void)px_height;
    return client->shell ? SSH_OK : SSH_ERROR;
}

static ssh_channel
on_channel(ssh_session session, void *arg)
{
    struct client *client = arg;

    if (client->channel != NULL) /* one channel a connection */
        return NULL;
    client->channel = ssh_channel_new(session);
    if (client->channel != NULL) {
        ssh_callbacks_init(&client->channel_callbacks);
        (void)ssh_set_channel_callbacks(client->channel, &client->channel_callbacks);
    }
    return client->channel;
}

/* ---- clients ---- */

static void
client_free(struct client *client)
{
    struct sim_ssh *ssh = client->thread->ssh;

    plain_watch(client, false);
    if (client->plain >= 0)
        close(client->plain);
    (void)ssh_event_remove_session(client->thread->event, client->session);
    if (client->channel != NULL) {
        ssh_remove_channel_callbacks(client->channel, &client->channel_callbacks);
        (void)ssh_channel_send_eof(client->channel);
        (void)ssh_channel_close(client->channel);
    }
    ssh_disconnect(client->session); /* frees its channels */
    ssh_free(client->session);
    free(client);
    pthread_mutex_lock(&ssh->lock);
    ssh->clients--;
    pthread_mutex_unlock(&ssh->lock);
}

static ssh_key
key_of(struct sim_ssh *ssh, uint32_t element)
{
    const struct key *key;
    ssh_key copy;

    pthread_mutex_lock(&ssh->lock);
    for (key = ssh->keys; key != NULL && key->element != element; key = key->next)
        continue;
    copy = ssh_key_dup(key == NULL ? ssh->key : key->key);
    pthread_mutex_unlock(&ssh->lock);
    return copy;
}

/* Takes the connection over into a session; false: the caller still owns the socket. */
static bool
session_begin(struct client *client, int fd)
{
    ssh_bind binding = ssh_bind_new();
    ssh_key key = key_of(client->thread->ssh, client->element);
    bool ok;

    if (binding == NULL || key == NULL) {
        ssh_bind_free(binding);
        ssh_key_free(key);
        return false;
    }
    ok = ssh_bind_options_set(binding, SSH_BIND_OPTIONS_IMPORT_KEY, key) == SSH_OK;
    if (!ok)
        ssh_key_free(key); /* otherwise it belongs to the binding */
    ok = ok && ssh_bind_accept_fd(binding, client->session, fd) == SSH_OK;
    ssh_bind_free(binding);
    return ok;
}

static void
client_begin(struct thread *thread, const struct arrival *arrival)
{
    struct client *client = calloc(1, sizeof *client);
    int rc;

    if (client == NULL || (client->session = ssh_new()) == NULL) {
        free(client);
        close(arrival->fd);
        return;
    }
    client->thread = thread;
    client->plain = -1;
    client->element = arrival->element;
    client->since = seconds();
    memcpy(client->peer, arrival->peer, sizeof client->peer);
    client->server_callbacks =
        (struct ssh_server_callbacks_struct){.userdata = client,
                                             .auth_password_function = on_password,
                                             .auth_none_function = on_none,
                                             .channel_open_request_session_function = on_channel};
    client->channel_callbacks =
        (struct ssh_channel_callbacks_struct){.userdata = client,
                                              .channel_data_function = on_data,
                                              .channel_eof_function = on_end,
                                              .channel_close_function = on_end,
                                              .channel_pty_request_function = on_pty,
                                              .channel_shell_request_function = on_shell,
                                              .channel_subsystem_request_function = on_subsystem};
    ssh_callbacks_init(&client->server_callbacks);
    ssh_set_auth_methods(client->session, SSH_AUTH_METHOD_PASSWORD | SSH_AUTH_METHOD_NONE);
    if (!session_begin(client, arrival->fd)) {
        ssh_free(client->session);
        free(client);
        close(arrival->fd);
        return;
    }
    (void)ssh_set_server_callbacks(client->session, &client->server_callbacks);
    ssh_set_blocking(client->session, 0);
    rc = ssh_handle_key_exchange(client->session);
    client->next = thread->clients;
    thread->clients = client;
    pthread_mutex_lock(&thread->ssh->lock);
    thread->ssh->clients++;
    pthread_mutex_unlock(&thread->ssh->lock);
    if ((rc != SSH_OK && rc != SSH_AGAIN)
        || ssh_event_add_session(thread->event, client->session) != SSH_OK)
        client->over = true;
}

static bool
client_over(const struct client *client)
{
    if (client->over || (ssh_get_status(client->session) & (SSH_CLOSED | SSH_CLOSED_ERROR)) != 0)
        return true;
    return client->plain < 0 && seconds() - client->since > HANDSHAKE_S;
}

static void
clients_sweep(struct thread *thread, bool all)
{
    struct client **at = &thread->clients;

    while (*at != NULL) {
        struct client *client = *at;

        if (all || client_over(client)) {
            *at = client->next;
            client_free(client);
            continue;
        }
        if (!client->watched && client->plain >= 0 && client->channel != NULL
            && ssh_channel_window_size(client->channel) > 0)
            plain_watch(client, true);
        at = &client->next;
    }
}

/* ---- threads ---- */

static int
on_wake(socket_t fd, int revents, void *arg)
{
    (void)revents;
    (void)arg;
    drain(fd);
    return SSH_OK;
}

static struct arrival *
arrival_take(struct thread *thread, bool *stop)
{
    struct arrival *arrival;

    pthread_mutex_lock(&thread->ssh->lock);
    arrival = thread->arrivals;
    if (arrival != NULL)
        thread->arrivals = arrival->next;
    *stop = thread->ssh->stop;
    pthread_mutex_unlock(&thread->ssh->lock);
    return arrival;
}

static void *
thread_run(void *arg)
{
    struct thread *thread = arg;
    bool stop = false;

    while (!stop) {
        struct arrival *arrival;

        (void)ssh_event_dopoll(thread->event, thread->clients == NULL ? -1 : 1000);
        while ((arrival = arrival_take(thread, &stop)) != NULL) {
            client_begin(thread, arrival);
            free(arrival);
        }
        clients_sweep(thread, false);
    }
    clients_sweep(thread, true);
    return NULL;
}

static enum lp_code
thread_start(struct sim_ssh *ssh, struct thread *thread, struct lp_err *err)
{
    thread->ssh = ssh;
    thread->event = ssh_event_new();
    thread->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (thread->event == NULL || thread->wake < 0
        || ssh_event_add_fd(thread->event, thread->wake, POLLIN, on_wake, thread) != SSH_OK
        || pthread_create(&thread->id, NULL, thread_run, thread) != 0) {
        if (thread->event != NULL)
            ssh_event_free(thread->event);
        if (thread->wake >= 0)
            close(thread->wake);
        return lp_fail(err, LP_INTERNAL, "no thread for SSH");
    }
    ssh->thread_count++;
    return LP_OK;
}

static enum lp_code
key_load(struct sim_ssh *ssh, struct lp_err *err)
{
    const char *file = ssh->options.key_file;

    if (file != NULL && ssh_pki_import_privkey_file(file, NULL, NULL, NULL, &ssh->key) == SSH_OK)
        return LP_OK;
    if (file != NULL && access(file, F_OK) == 0)
        return lp_fail(err, LP_INVALID, "%s is no private key", file);
    if (ssh_pki_generate(SSH_KEYTYPE_ED25519, 0, &ssh->key) != SSH_OK)
        return lp_fail(err, LP_INTERNAL, "no host key could be made");
    if (file != NULL
        && (ssh_pki_export_privkey_file(ssh->key, NULL, NULL, NULL, file) != SSH_OK
            || chmod(file, 0600) != 0))
        return lp_fail(err, LP_INVALID, "the host key cannot be written to %s", file);
    return LP_OK;
}

enum lp_code
sim_ssh_start(const struct sim_ssh_options *options, struct sim_ssh **out, struct lp_err *err)
{
    struct sim_ssh *ssh = calloc(1, sizeof *ssh);
    unsigned i;
    enum lp_code rc;

    if (ssh == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for SSH");
    ssh->options = *options;
    ssh->last = &ssh->first;
    ssh->ready = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&ssh->lock, NULL);
    ssh->threads = calloc(options->threads, sizeof *ssh->threads);
    rc = ssh->threads == NULL || ssh->ready < 0 ? lp_fail(err, LP_NOMEM, "no memory for SSH")
                                                : key_load(ssh, err);
    for (i = 0; rc == LP_OK && i < options->threads; i++)
        rc = thread_start(ssh, &ssh->threads[i], err);
    if (rc != LP_OK) {
        sim_ssh_stop(ssh);
        return rc;
    }
    *out = ssh;
    return LP_OK;
}

void
sim_ssh_stop(struct sim_ssh *ssh)
{
    unsigned i;
    struct sim_ssh_stream stream;

    if (ssh == NULL)
        return;
    pthread_mutex_lock(&ssh->lock);
    ssh->stop = true;
    pthread_mutex_unlock(&ssh->lock);
    for (i = 0; i < ssh->thread_count; i++) {
        struct arrival *arrival;

        kick(ssh->threads[i].wake);
        pthread_join(ssh->threads[i].id, NULL);
        (void)ssh_event_remove_fd(ssh->threads[i].event, ssh->threads[i].wake);
        ssh_event_free(ssh->threads[i].event);
        close(ssh->threads[i].wake);
        while ((arrival = ssh->threads[i].arrivals) != NULL) {
            ssh->threads[i].arrivals = arrival->next;
            close(arrival->fd);
            free(arrival);
        }
    }
    while (sim_ssh_next(ssh, &stream))
        close(stream.fd);
    while (ssh->keys != NULL) {
        struct key *key = ssh->keys;

        ssh->keys = key->next;
        ssh_key_free(key->key);
        free(key);
    }
    ssh_key_free(ssh->key);
    if (ssh->ready >= 0)
        close(ssh->ready);
    pthread_mutex_destroy(&ssh->lock);
    free(ssh->threads);
    free(ssh);
}

void
sim_ssh_accept(struct sim_ssh *ssh, int fd, uint32_t element, const char *peer)
{
    struct arrival *arrival = calloc(1, sizeof *arrival);
    struct thread *thread = &ssh->threads[ssh->turn++ % ssh->thread_count];

    pthread_mutex_lock(&ssh->lock);
    if (arrival == NULL || ssh->clients >= MAX_CLIENTS) {
        pthread_mutex_unlock(&ssh->lock);
        close(fd);
        free(arrival);
        return;
    }
    arrival->fd = fd;
    arrival->element = element;
    snprintf(arrival->peer, sizeof arrival->peer, "%s", peer);
    arrival->next = thread->arrivals;
    thread->arrivals = arrival;
    pthread_mutex_unlock(&ssh->lock);
    kick(thread->wake);
}

int
sim_ssh_ready_fd(const struct sim_ssh *ssh)
{
    return ssh->ready;
}

bool
sim_ssh_next(struct sim_ssh *ssh, struct sim_ssh_stream *out)
{
    struct stream *stream;

    pthread_mutex_lock(&ssh->lock);
    stream = ssh->first;
    if (stream != NULL) {
        ssh->first = stream->next;
        if (ssh->first == NULL)
            ssh->last = &ssh->first;
    } else if (ssh->ready >= 0) {
        drain(ssh->ready);
    }
    pthread_mutex_unlock(&ssh->lock);
    if (stream == NULL)
        return false;
    *out = stream->stream;
    free(stream);
    return true;
}

enum lp_code
sim_ssh_new_key(struct sim_ssh *ssh, uint32_t element, struct lp_err *err)
{
    struct key *key = calloc(1, sizeof *key);

    if (key == NULL || ssh_pki_generate(SSH_KEYTYPE_ED25519, 0, &key->key) != SSH_OK) {
        free(key);
        return lp_fail(err, LP_INTERNAL, "no host key could be made");
    }
    key->element = element;
    pthread_mutex_lock(&ssh->lock);
    key->next = ssh->keys; /* the newest is found first */
    ssh->keys = key;
    pthread_mutex_unlock(&ssh->lock);
    return LP_OK;
}
