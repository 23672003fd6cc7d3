#include "base/docfile.h"
#include "daemon/daemon.h"

static enum lp_code
through_redis(struct lp_daemon *daemon, struct lp_err *err)
{
    const struct lp_conf *conf = daemon->conf;
    struct lp_queue_redis_options options = {.hosts = conf->queue_redis,
                                             .sentinels = conf->queue_sentinels,
                                             .master = conf->queue_master,
                                             .user = conf->queue_user,
                                             .password = conf->queue_password,
                                             .prefix = conf->queue_prefix,
                                             .labels = conf->executor_labels,
                                             .db = conf->queue_db,
                                             .bound = (size_t)conf->queue_bound,
                                             .timeout_ms = conf->queue_timeout_ms,
                                             .log = daemon->log,
                                             .clock = &daemon->clock};
    char *password = NULL;
    enum lp_code rc = LP_OK;

    if (conf->queue_password_file != NULL && conf->queue_password_file[0] != '\0')
        rc = lp_secret_read(conf->queue_password_file, &password, err);
    if (rc != LP_OK)
        lp_err_prefix(err, "queue.password_file: ");
    if (password != NULL)
        options.password = password;
    if (rc == LP_OK)
        rc = lp_queue_redis_new(&options, &daemon->queue, err);
    lp_secret_free(password);
    return rc;
}

static bool
given(const char *text)
{
    return text != NULL && text[0] != '\0';
}

enum lp_code
lp_daemon_make_queue(struct lp_daemon *daemon, struct lp_err *err)
{
    const struct lp_conf *conf = daemon->conf;
    const struct lp_queue_postgres_options options = {.url = daemon->store_url,
                                                      .labels = conf->executor_labels,
                                                      .pops = daemon->line->executor,
                                                      .bound = (size_t)conf->queue_bound,
                                                      .log = daemon->log,
                                                      .clock = &daemon->clock};

    if (lp_store_dialect(daemon->store) == LP_DIALECT_POSTGRES) {
        if (given(conf->queue_redis) || given(conf->queue_sentinels))
            return through_redis(daemon, err);
        return lp_queue_postgres_new(&options, &daemon->queue, err);
    }
    daemon->queue = lp_queue_local_new((size_t)conf->queue_bound);
    return daemon->queue == NULL ? lp_fail(err, LP_NOMEM, "no memory for the queue") : LP_OK;
}
