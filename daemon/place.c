#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/lockfile.h"
#include "daemon/daemon.h"

static char *
default_dir(void)
{
    const char *home = getenv("HOME");
    char *dir = NULL;

    if (geteuid() == 0)
        return strdup("/var/lib/lightpath");
    if (home == NULL || home[0] != '/') {
        const struct passwd *user = getpwuid(geteuid()); /* start-up: one thread */

        home = user == NULL ? "/tmp" : user->pw_dir;
    }
    return asprintf(&dir, "%s/.local/state/lightpath", home) < 0 ? NULL : dir;
}

/** mkdir -p; every new folder is private. */
static enum lp_code
make_dirs(const char *path, struct lp_err *err)
{
    char part[PATH_MAX];
    size_t len = strlen(path);

    if (len >= sizeof part)
        return lp_fail_at(err, LP_INVALID, "daemon.data_dir",
                          "the data directory's path is too long");
    memcpy(part, path, len + 1);
    for (size_t i = 1; i <= len; i++) {
        if (part[i] != '/' && part[i] != '\0')
            continue;
        part[i] = '\0';
        if (mkdir(part, 0700) != 0 && errno != EEXIST)
            return lp_fail_at(err, LP_STORE, "daemon.data_dir", "cannot make the folder %s: %s",
                              part, strerror(errno));
        part[i] = path[i];
    }
    return LP_OK;
}

enum lp_code
lp_place_data_dir(const struct lp_conf *conf, char **out, struct lp_err *err)
{
    const char *wanted = conf->daemon_data_dir;
    struct stat st;
    enum lp_code rc;

    *out = wanted != NULL && wanted[0] != '\0' ? strdup(wanted) : default_dir();
    if (*out == NULL)
        return lp_fail(err, LP_NOMEM, "no memory");
    rc = make_dirs(*out, err);
    if (rc != LP_OK)
        return rc;
    if (stat(*out, &st) != 0 || !S_ISDIR(st.st_mode) || access(*out, W_OK | X_OK) != 0)
        return lp_fail_at(err, LP_STORE, "daemon.data_dir", "cannot write to the data directory %s",
                          *out);
    return LP_OK;
}

enum lp_code
lp_place_store_url(const struct lp_conf *conf, const char *data_dir, char **out, struct lp_err *err)
{
    int n;

    if (conf->store_url != NULL && conf->store_url[0] != '\0') {
        *out = strdup(conf->store_url);
        n = *out == NULL ? -1 : 0;
    } else {
        n = asprintf(out, "sqlite:%s/lightpath.db", data_dir);
    }
    return n < 0 ? lp_fail(err, LP_NOMEM, "no memory") : LP_OK;
}

enum lp_code
lp_place_lock(const char *data_dir, int *out, struct lp_err *err)
{
    char path[PATH_MAX], what[PATH_MAX + 32];

    if (snprintf(path, sizeof path, "%s/lightpathd.pid", data_dir) >= (int)sizeof path)
        return lp_fail(err, LP_INVALID, "the path of the data folder is too long");
    snprintf(what, sizeof what, "the data folder %s", data_dir);
    return lp_lockfile_take(path, what, out, err);
}

const char *
lp_place_catalog(const struct lp_conf *conf)
{
    if (conf->daemon_catalog_dir != NULL && conf->daemon_catalog_dir[0] != '\0')
        return conf->daemon_catalog_dir;
    if (access(LP_CATALOG_DIR "/lightpath-catalog.yang", R_OK) == 0)
        return LP_CATALOG_DIR;
    return LP_CATALOG_SOURCE; /* run from the build tree */
}

enum lp_code
lp_place_note_url(const char *data_dir, const char *url, struct lp_err *err)
{
    char path[PATH_MAX];
    char temp[PATH_MAX + 8];
    int fd;
    bool good;

    snprintf(path, sizeof path, "%s/lightpathd.url", data_dir);
    snprintf(temp, sizeof temp, "%s.new", path);
    fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    good = fd >= 0 && dprintf(fd, "%s\n", url) > 0;
    if (fd >= 0)
        good = close(fd) == 0 && good;
    if (!good || rename(temp, path) != 0)
        return lp_fail(err, LP_STORE, "cannot write %s: %s", path, strerror(errno));
    return LP_OK;
}

void
lp_place_forget_url(const char *data_dir)
{
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%s/lightpathd.url", data_dir);
    (void)unlink(path);
}
