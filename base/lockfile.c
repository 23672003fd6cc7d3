#include "base/lockfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

enum { DYING_TRIES = 250, DYING_PAUSE_MS = 20 };

static void
read_pid(int fd, char *text, size_t size)
{
    ssize_t got = pread(fd, text, size - 1, 0);

    text[got > 0 ? (size_t)got : 0] = '\0';
    text[strcspn(text, "\n")] = '\0';
}

/* The program of a killed process is given up before its files are closed: then it has no
 * executable any more. */
static bool
is_dying(const char *pid)
{
    char path[64], exe[8];

    if (strtol(pid, NULL, 10) <= 0)
        return false;
    (void)snprintf(path, sizeof path, "/proc/%ld/exe", strtol(pid, NULL, 10));
    return readlink(path, exe, sizeof exe) < 0 && errno == ENOENT;
}

static bool
lock(int fd, char *holder, size_t size)
{
    const struct timespec pause = {.tv_nsec = DYING_PAUSE_MS * 1000000L};

    for (int i = 0; i < DYING_TRIES; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return true;
        read_pid(fd, holder, size);
        if (!is_dying(holder))
            return false;
        (void)nanosleep(&pause, NULL);
    }
    return false;
}

enum lp_code
lp_lockfile_take(const char *path, const char *what, int *fd, struct lp_err *err)
{
    char pid[32] = "";
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    size_t len;

    if (file < 0)
        return lp_fail(err, LP_STORE, "cannot open '%s': %s", path, strerror(errno));
    if (!lock(file, pid, sizeof pid)) {
        close(file);
        return lp_fail(err, LP_CONFLICT, "%s is in use by process %s", what,
                       *pid == '\0' ? "(unknown)" : pid);
    }
    len = (size_t)snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
    if (ftruncate(file, 0) != 0 || pwrite(file, pid, len, 0) != (ssize_t)len) {
        int saved = errno;

        close(file);
        return lp_fail(err, LP_STORE, "cannot write '%s': %s", path, strerror(saved));
    }
    *fd = file;
    return LP_OK;
}

void
lp_lockfile_drop(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}
