/**
 * Simulated elements on sockets: listeners, connections, answers in time. One thread and one epoll
 * set drive every element of the network, whatever it speaks: TL1 (sim/flexils/session.c), HTTPS
 * (sim/rest/web.h). SSH is decrypted by a few threads of its own that hand plain streams over
 * (sim/ssh.h).
 */
#ifndef LP_SIM_SERVER_H
#define LP_SIM_SERVER_H

#include <pthread.h>

#include "sim/fault.h"
#include "sim/flexils/exec.h"
#include "sim/ssh.h"

#define SIM_MAX_QUEUE 64                  /* commands that wait on one connection */
#define SIM_MAX_OUT   (64u * 1024 * 1024) /* answers that a client does not read */
#define SIM_MAX_CONNS 8192
#define SIM_LOGINS    64 /* elements that one connection may be logged in to */

struct sim_server;
struct sim_box;
struct sim_web;
struct sim_tls;
struct ssl_st;

/** What an epoll event belongs to. */
struct sim_source {
    void (*ready)(struct sim_server *server, struct sim_source *source, uint32_t events);
    int fd;
};

struct sim_listener {
    struct sim_source source;
    struct sim_node *node; /* FlexILS */
    struct sim_box *box;   /* else: HTTPS */
    bool ssh;
    int port;
    char address[64];
};

enum sim_after { SIM_STAY, SIM_FIN, SIM_RESET, SIM_FREEZE };

/** Bytes that leave at a time; then something may happen to the connection. */
struct sim_chunk {
    struct sim_chunk *next;
    int64_t at_us;
    int64_t bytes_per_s; /* 0: at once */
    size_t len, sent;
    enum sim_after after;
    bool last;   /* the command is answered with this one */
    char data[]; /* len bytes */
};

struct sim_login {
    struct sim_node *node;
    uint32_t seat;
    bool messages, changes; /* autonomous messages, reports of change */
    int64_t idle_us;        /* 0: the network's */
    char user[32];
};

struct sim_conn {
    struct sim_source source;
    struct sim_conn *prev, *next;
    uint64_t id;
    struct sim_node *node; /* FlexILS */
    struct sim_box *box;   /* else: HTTPS (sim/rest/web.h) */
    struct sim_web *web;
    struct ssl_st *tls;
    bool polite;                   /* TLS: it says goodbye before it closes */
    bool ssh, dead, frozen, muted; /* frozen: half open; muted: no greeting, no answers */
    uint32_t waiting;              /* epoll events asked for */
    int telnet;                    /* bytes of a telnet command to skip */
    struct lp_tl1_input input;
    char *queue[SIM_MAX_QUEUE];
    size_t queue_len[SIM_MAX_QUEUE], queue_head, queue_count;
    bool busy; /* an answer is on its way */
    struct sim_chunk *out, **out_end;
    size_t out_bytes;
    struct sim_login logins[SIM_LOGINS];
    size_t login_count;
    struct lp_buf last; /* the last answer, for faults that repeat it */
    char peer[64];
};

struct sim_server {
    struct sim_net *net;
    struct lp_log *log;
    int epoll_fd;
    struct sim_listener *listeners;
    size_t listener_count;
    struct sim_conn *conns;
    size_t conn_count;
    uint64_t conn_ids;
    uint32_t seat_ids;
    struct sim_faults faults;
    struct sim_ssh *ssh;
    struct sim_source ssh_ready;
    struct sim_tls *tls;        /* owned by whoever set it */
    pthread_mutex_t users_lock; /* guards net->users: SSH asks for passwords from its threads */
    struct sim_source *control; /* listening */
    struct sim_control_conn *controls;
    int transcript_dir; /* -1: none */
    int *transcripts;   /* by element, -1: not open */
    int64_t shift_us;   /* virtual time */
    const char *ca_file;
    struct lp_tl1_scratch scratch;
    bool stop;
    int64_t next_sweep_us;
    bool any_down;
    uint64_t exchanges, connections, overflows;
};

/** Time of this machine, never turned: for deliveries. */
int64_t sim_real_us(void);

/* ---- server.c ---- */
enum lp_code sim_server_new(struct sim_net *net, struct lp_log *log, struct sim_server **out,
                            struct lp_err *err) LP_MUST_CHECK;
void sim_server_free(struct sim_server *server);
struct sim_listen_options {
    const char *address;    /* "127.0.0.1" */
    int tcp_base, ssh_base; /* first port; 0: any free; -1: none */
    int https_base;
    const char *ca_file;      /* told in the list of ports */
    bool one_port;            /* one listener, on the first gateway (or element) */
    const char *address_base; /* NULL, or "127.9.0.1": element n listens on the n-th address, all on
                                 the same port */
};
enum lp_code sim_server_listen(struct sim_server *server, const struct sim_listen_options *options,
                               struct lp_err *err) LP_MUST_CHECK;
/** {"NAME": {"address":..., "tcp": 9090, "ssh": 9022}} */
json_t *sim_server_ports(const struct sim_server *server);
/** Runs until server->stop; signal_fd ends it when it becomes readable. */
enum lp_code sim_server_run(struct sim_server *server, int signal_fd,
                            struct lp_err *err) LP_MUST_CHECK;
enum lp_code sim_watch(struct sim_server *server, struct sim_source *source, uint32_t events,
                       struct lp_err *err) LP_MUST_CHECK;
void sim_unwatch(struct sim_server *server, struct sim_source *source);
/** Brings net->now_us and net->utc_us up to date. */
void sim_server_time(struct sim_server *server);
/** An element goes down: its connections end, new ones are refused until then. */
void sim_server_down(struct sim_server *server, struct sim_node *node, int64_t for_us);
/** The same for an element that speaks HTTPS. */
void sim_box_down(struct sim_server *server, struct sim_box *box, int64_t for_us);
struct sim_conn *sim_conn_adopt(struct sim_server *server, int fd, struct sim_node *node,
                                struct sim_box *box, bool ssh, const char *peer);
void sim_conn_kill(struct sim_server *server, struct sim_conn *conn, bool reset);
/** Frees connections that were killed (the loop does it after each round). */
void sim_conns_reap(struct sim_server *server);
/** For sim_ssh_options.auth; arg is the server. */
bool sim_session_auth(void *arg, uint32_t element, const char *user, const char *password);
/** Queues bytes; false: no memory or too much unread (the connection is dropped). */
bool sim_conn_send(struct sim_server *server, struct sim_conn *conn, const void *data, size_t len,
                   const struct sim_chunk *how);
/** Spontaneous bytes: before an answer that has not begun. */
void sim_conn_interject(struct sim_server *server, struct sim_conn *conn, const void *data,
                        size_t len);
void sim_conn_flush(struct sim_server *server, struct sim_conn *conn);

/* ---- session.c ---- */
/** Greets; the rules for CONNECT apply. */
void sim_session_open(struct sim_server *server, struct sim_conn *conn);
/** The connection is gone: its logins are counted on for a while. */
void sim_session_close(struct sim_server *server, struct sim_conn *conn);
/** What it still held; only when nobody reads or runs its commands any more. */
void sim_session_free(struct sim_conn *conn);
void sim_session_bytes(struct sim_server *server, struct sim_conn *conn, const char *bytes,
                       size_t len);
/** Goes on with queued commands. */
void sim_session_next(struct sim_server *server, struct sim_conn *conn);
struct sim_login *sim_login_find(struct sim_conn *conn, const struct sim_node *node);
void sim_login_end(struct sim_server *server, struct sim_conn *conn, struct sim_login *login);
/** Ends what was idle for too long. */
void sim_session_sweep(struct sim_server *server);
void sim_session_emit(void *server, struct sim_node *node, enum sim_event event, const char *code,
                      const char *verb, const char *body);
void sim_transcribe(struct sim_server *server, const struct sim_conn *conn,
                    const struct sim_node *node, const char *direction, const char *text,
                    size_t len);

/* ---- answer.c ---- */
/** Turns a reply into bytes and sends them, with whatever the rule does to them. */
void sim_answer(struct sim_server *server, struct sim_conn *conn, struct sim_node *node,
                const char *ctag, struct sim_reply *reply, const struct sim_rule *rule);
void sim_put_header(const struct sim_server *server, const struct sim_node *node, const char *sid,
                    struct lp_buf *out);
void sim_put_message(const struct sim_server *server, struct sim_node *node, const char *code,
                     const char *verb, const char *body, struct lp_buf *out);
int64_t sim_delay_us(struct sim_server *server, const struct sim_node *node);

/* ---- control.c ---- */
/** One request of the control socket; *reply is owned by the caller. */
enum lp_code sim_control(struct sim_server *server, const json_t *request, json_t **reply,
                         struct lp_err *err) LP_MUST_CHECK;
enum lp_code sim_control_listen(struct sim_server *server, const char *path,
                                struct lp_err *err) LP_MUST_CHECK;
void sim_control_close(struct sim_server *server);

#endif
