/**
 * Server-sent events for any number of listeners without a thread each. New events are fetched once
 * by a handler thread into a small ring and copied from there; a listener that is further behind
 * gets its own pages. A listener with nothing to send is suspended.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/handlers.h"
#include "api/internal.h"
#include "base/json.h"

#define RING          1024
#define PAGE          500
#define KEEP_ALIVE_US 15000000
#define STALLED_US    60000000   /* a listener that takes nothing for so long is cut off */
#define MAX_AGE_US    3600000000 /* then it reconnects, and its token is looked at again */
#define BLOCK         4096
#define RENDER_MAX    16384

struct event {
    int64_t id;
    char *text;
};

struct lp_stream {
    struct lp_stream *prev, *next;
    struct lp_api *api;
    struct MHD_Connection *mhd;
    struct lp_conn *conn;
    int64_t after;     /* id of the last event that was rendered */
    struct lp_buf out; /* rendered, not sent yet */
    size_t sent;       /* of out */
    bool linked, suspended, fetching, ended, keep_alive;
    atomic_bool fetched; /* the handler thread is done with this stream */
    int64_t base;        /* newest id when the listener came */
    int64_t progress_us, born_us;
};

struct lp_streams {
    struct lp_api *api;
    struct lp_stream *first; /* loop thread */
    int64_t keep_alive_us;   /* loop thread; 0 = no listeners */
    bool news_fetching;      /* loop thread */
    bool look;               /* loop thread: read once, whatever was announced */
    atomic_bool news_done;
    atomic_llong newest;  /* as the engine said */
    pthread_mutex_t lock; /* guards the ring */
    struct event ring[RING];
    size_t head, count;  /* oldest, how many */
    int64_t ring_newest; /* 0 = empty */
};

/* ---- the ring ---- */

static void
ring_clear(struct lp_streams *streams)
{
    for (size_t i = 0; i < streams->count; i++)
        free(streams->ring[(streams->head + i) % RING].text);
    streams->head = streams->count = 0;
    streams->ring_newest = 0;
}

static void
ring_add(struct lp_streams *streams, int64_t id, char *text)
{
    if (streams->count == RING) {
        free(streams->ring[streams->head].text);
        streams->head = (streams->head + 1) % RING;
        streams->count--;
    }
    streams->ring[(streams->head + streams->count) % RING] = (struct event){id, text};
    streams->count++;
    streams->ring_newest = id;
}

static int64_t
ring_newest(struct lp_streams *streams)
{
    int64_t newest;

    pthread_mutex_lock(&streams->lock);
    newest = streams->ring_newest;
    pthread_mutex_unlock(&streams->lock);
    return newest;
}

/** Copies what follows stream->after; false when the ring does not reach back that far. */
static bool
ring_render(struct lp_streams *streams, struct lp_stream *stream)
{
    bool reaches;

    pthread_mutex_lock(&streams->lock);
    reaches = stream->after >= streams->ring_newest
              || (streams->count > 0 && streams->ring[streams->head].id <= stream->after + 1);
    for (size_t i = 0; reaches && i < streams->count && stream->out.len < RENDER_MAX; i++) {
        const struct event *event = &streams->ring[(streams->head + i) % RING];

        if (event->id <= stream->after)
            continue;
        lp_buf_str(&stream->out, event->text);
        stream->after = event->id;
    }
    pthread_mutex_unlock(&streams->lock);
    return reaches;
}

static void
render(struct lp_buf *buf, int64_t id, const json_t *data)
{
    lp_buf_printf(buf, "id: %" PRId64 "\ndata: ", id);
    lp_buf_json(buf, data);
    lp_buf_str(buf, "\n\n");
}

/* ---- handler threads ---- */

static json_t *
fetch(struct lp_api *api, int64_t after)
{
    struct lp_err err = LP_ERR_INIT;
    json_t *rows = NULL;

    if (lp_engine_events(api->services.engine, after, PAGE, &rows, &err) != LP_OK)
        lp_log_err(api->options.log, LP_LOG_WARN, "events.unread", &err);
    lp_err_clear(&err);
    return rows;
}

static void
fetch_news(void *arg)
{
    struct lp_streams *streams = arg;
    json_t *rows;
    json_t *row;
    size_t got;
    size_t i;

    do {
        rows = fetch(streams->api, ring_newest(streams));
        got = json_array_size(rows);
        pthread_mutex_lock(&streams->lock);
        json_array_foreach(rows, i, row)
        {
            struct lp_buf buf = LP_BUF_INIT;
            int64_t id = lp_json_int(row, "id", 0);

            render(&buf, id, json_object_get(row, "data"));
            if (!buf.failed && id > streams->ring_newest)
                ring_add(streams, id, lp_buf_take(&buf));
            lp_buf_free(&buf);
        }
        pthread_mutex_unlock(&streams->lock);
        json_decref(rows);
    } while (got == PAGE);
    atomic_store(&streams->news_done, true);
    lp_api_wake(streams->api);
}

/** One page for one listener that is behind the ring. The stream is suspended meanwhile: nobody
 * else touches it. */
static void
fetch_page(void *arg)
{
    struct lp_stream *stream = arg;
    struct lp_api *api = stream->api;
    json_t *rows = fetch(api, stream->after);
    json_t *row;
    size_t i;

    json_array_foreach(rows, i, row)
    {
        int64_t id = lp_json_int(row, "id", 0);

        if (i == 0 && id > stream->after + 1)
            lp_buf_printf(&stream->out,
                          "event: gap\ndata: {\"from\":%" PRId64 ",\"to\":%" PRId64 "}\n\n",
                          stream->after + 1, id - 1);
        render(&stream->out, id, json_object_get(row, "data"));
        stream->after = id;
    }
    if (rows == NULL)
        stream->ended = true; /* the store does not answer: the client comes back later */
    else if (json_array_size(rows) == 0)
        stream->after = ring_newest(api->streams); /* retention took them */
    json_decref(rows);
    atomic_store(&stream->fetched, true);
    lp_api_wake(api);
}

/* ---- loop thread ---- */

static void
suspend(struct lp_stream *stream)
{
    stream->suspended = true;
    MHD_suspend_connection(stream->mhd);
}

static void
resume(struct lp_stream *stream)
{
    stream->suspended = false;
    stream->progress_us = lp_api_now(stream->api);
    MHD_resume_connection(stream->mhd);
}

static ssize_t
send_some(struct lp_stream *stream, char *buf, size_t max)
{
    size_t n = stream->out.len - stream->sent;

    if (n > max)
        n = max;
    memcpy(buf, stream->out.data + stream->sent, n);
    stream->sent += n;
    if (stream->sent == stream->out.len) {
        lp_buf_free(&stream->out); /* an idle listener holds no buffer */
        stream->sent = 0;
    }
    return (ssize_t)n;
}

static ssize_t
reader(void *arg, uint64_t pos, char *buf, size_t max)
{
    struct lp_stream *stream = arg;
    struct lp_streams *streams = stream->api->streams;
    int64_t now = lp_api_now(stream->api);

    (void)pos;
    stream->progress_us = now;
    if (stream->out.failed)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (stream->out.len == 0 && !stream->ended && !ring_render(streams, stream)) {
        stream->fetching = lp_pool_call(stream->api->pool, fetch_page, stream);
        suspend(stream);
        return 0;
    }
    if (stream->out.len > 0)
        return send_some(stream, buf, max);
    if (stream->ended || now - stream->born_us > MAX_AGE_US)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (stream->keep_alive) {
        stream->keep_alive = false;
        lp_buf_str(&stream->out, ": keep-alive\n\n");
        return stream->out.failed ? MHD_CONTENT_READER_END_WITH_ERROR : send_some(stream, buf, max);
    }
    suspend(stream);
    return 0;
}

void
lp_stream_drop(struct lp_stream *stream)
{
    lp_buf_free(&stream->out);
    free(stream);
}

static void
unlink_stream(void *arg)
{
    struct lp_stream *stream = arg;
    struct lp_streams *streams = stream->api->streams;

    if (stream->linked) {
        if (stream->prev != NULL)
            stream->prev->next = stream->next;
        else
            streams->first = stream->next;
        if (stream->next != NULL)
            stream->next->prev = stream->prev;
        atomic_fetch_sub(&stream->api->stats.streams, 1);
    }
    lp_stream_drop(stream);
}

struct MHD_Response *
lp_stream_response(struct lp_stream *stream, struct lp_request *req)
{
    struct lp_streams *streams = stream->api->streams;
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, reader, stream, unlink_stream);

    if (response == NULL) {
        lp_stream_drop(stream);
        return NULL;
    }
    MHD_add_response_header(response, "Content-Type", "text/event-stream");
    MHD_add_response_header(response, "Cache-Control", "no-store");
    MHD_add_response_header(response, "X-Accel-Buffering", "no");
    MHD_set_connection_option(req->mhd, MHD_CONNECTION_OPTION_TIMEOUT, 0u);
    stream->mhd = req->mhd;
    stream->conn = req->conn;
    stream->born_us = stream->progress_us = lp_api_now(stream->api);
    stream->linked = true;
    stream->next = streams->first;
    if (stream->next != NULL)
        stream->next->prev = stream;
    streams->first = stream;
    pthread_mutex_lock(&streams->lock);
    if (streams->ring_newest == 0)
        streams->ring_newest = stream->base; /* what came before the first listener is not news */
    pthread_mutex_unlock(&streams->lock);
    if (streams->keep_alive_us == 0) {
        streams->keep_alive_us = stream->born_us + KEEP_ALIVE_US;
        streams->look = true; /* something may have come before the engine knew of us */
        lp_engine_on_events(stream->api->services.engine, lp_streams_poke, streams);
    }
    atomic_fetch_add(&stream->api->stats.streams, 1);
    return response;
}

/** Starts reading new events when somebody listens and there are any. */
static void
look_for_news(struct lp_streams *streams)
{
    if (atomic_exchange(&streams->news_done, false))
        streams->news_fetching = false;
    if (streams->first == NULL || streams->news_fetching)
        return;
    if (streams->look || ring_newest(streams) < atomic_load(&streams->newest)) {
        streams->look = false;
        streams->news_fetching = lp_pool_call(streams->api->pool, fetch_news, streams);
    }
}

static bool
has_work(const struct lp_stream *stream, int64_t newest)
{
    return stream->ended || stream->keep_alive || stream->out.len > 0 || stream->after < newest;
}

int64_t
lp_streams_tick(struct lp_streams *streams, int64_t now)
{
    bool beat = streams->keep_alive_us != 0 && now >= streams->keep_alive_us;
    int64_t newest;

    look_for_news(streams);
    if (streams->first == NULL) {
        if (streams->keep_alive_us != 0 && !streams->news_fetching) {
            pthread_mutex_lock(&streams->lock);
            ring_clear(streams); /* nobody listens: nothing is kept, nothing is read */
            pthread_mutex_unlock(&streams->lock);
            streams->keep_alive_us = 0;
            lp_engine_on_events(streams->api->services.engine, NULL, NULL);
        }
        return 0;
    }
    newest = ring_newest(streams);
    for (struct lp_stream *stream = streams->first; stream != NULL; stream = stream->next) {
        if (stream->fetching && atomic_exchange(&stream->fetched, false))
            stream->fetching = false;
        if (stream->fetching)
            continue;
        if (beat)
            stream->keep_alive = true;
        if (stream->suspended && has_work(stream, newest))
            resume(stream);
        else if (!stream->suspended && now - stream->progress_us > STALLED_US)
            shutdown(stream->conn->fd, SHUT_RDWR);
    }
    if (beat)
        streams->keep_alive_us = now + KEEP_ALIVE_US;
    return streams->keep_alive_us;
}

void
lp_streams_close_all(struct lp_streams *streams)
{
    for (struct lp_stream *stream = streams->first; stream != NULL; stream = stream->next) {
        stream->ended = true;
        if (stream->fetching && atomic_exchange(&stream->fetched, false))
            stream->fetching = false;
        if (stream->suspended && !stream->fetching)
            resume(stream);
    }
}

void
lp_streams_poke(void *arg, int64_t newest)
{
    struct lp_streams *streams = arg;
    long long old = atomic_load(&streams->newest);

    while (newest > old && !atomic_compare_exchange_weak(&streams->newest, &old, newest))
        ;
    lp_api_wake(streams->api);
}

struct lp_streams *
lp_streams_new(struct lp_api *api)
{
    struct lp_streams *streams = calloc(1, sizeof *streams);

    if (streams == NULL)
        return NULL;
    streams->api = api;
    pthread_mutex_init(&streams->lock, NULL);
    return streams;
}

void
lp_streams_free(struct lp_streams *streams)
{
    if (streams == NULL)
        return;
    ring_clear(streams);
    pthread_mutex_destroy(&streams->lock);
    free(streams);
}

/* ---- the handler ---- */

static int64_t
newest_id(struct lp_request *req, enum lp_code *rc, struct lp_err *err)
{
    json_t *head = NULL;
    int64_t id = 0;

    *rc = lp_engine_events(req->api->services.engine, -1, 1, &head, err);
    if (*rc == LP_OK)
        id = lp_json_int(json_is_array(head) ? json_array_get(head, 0) : head, "id", 0);
    json_decref(head);
    return id;
}

enum lp_code
lp_on_events(struct lp_request *req, json_t **out, struct lp_err *err)
{
    const char *from =
        req->last_event_id != NULL ? req->last_event_id : lp_request_query(req, "last_event_id");
    int streams = atomic_load(&req->api->stats.streams);
    enum lp_code rc;
    int64_t newest = newest_id(req, &rc, err);
    int64_t after = newest;
    struct lp_stream *stream;

    (void)out;
    if (rc != LP_OK)
        return rc;
    if (streams >= req->api->options.conf->api_max_connections / 4 * 3)
        return lp_fail(err, LP_RETRYABLE,
                       "too many listeners: a quarter of the connections is kept for requests");
    if (from != NULL && from[0] != '\0') {
        if (strspn(from, "0123456789") != strlen(from) || strlen(from) > 18)
            return lp_fail_at(err, LP_INVALID, "header/Last-Event-ID",
                              "Last-Event-ID is not the id of an event");
        after = strtoll(from, NULL, 10);
    }
    stream = calloc(1, sizeof *stream);
    if (stream == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for an event stream");
    stream->api = req->api;
    /* An id from the future belongs to another database (a restore): begin here. */
    stream->after = after > newest ? newest : after;
    stream->base = newest;
    lp_buf_printf(&stream->out, "retry: 2000\nid: %" PRId64 "\n\n", stream->after);
    if (after > newest)
        lp_buf_printf(&stream->out, "event: gap\ndata: {\"from\":null,\"to\":%" PRId64 "}\n\n",
                      newest);
    req->reply.stream = stream;
    req->reply.status = 200;
    return LP_OK;
}
