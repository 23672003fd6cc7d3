/*
 * Preloaded into the program under test: counts every durable write, send and receive and kills the
 * program with SIGKILL at the n-th. LP_KILL_AT=n        kill at the n-th call: before it when n is
 * even, right after it when n is odd LP_KILL_COUNT=FILE  at a normal exit, write the number of
 * calls that were made Only regular files and sockets count.
 */
#undef _FILE_OFFSET_BITS /* else pwrite would be pwrite64 under another name */
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static atomic_ulong calls;
static unsigned long kill_at;

__attribute__((constructor)) static void
killpoint_init(void)
{
    const char *at = getenv("LP_KILL_AT");

    kill_at = at == NULL ? 0 : strtoul(at, NULL, 10);
}

__attribute__((destructor)) static void
killpoint_report(void)
{
    const char *path = getenv("LP_KILL_COUNT");
    FILE *file = path == NULL ? NULL : fopen(path, "we");

    if (file == NULL)
        return;
    (void)fprintf(file, "%lu\n", atomic_load(&calls));
    (void)fclose(file);
}

static int
counts(int fd)
{
    struct stat st;

    return fd > 2 && fstat(fd, &st) == 0 && (S_ISREG(st.st_mode) || S_ISSOCK(st.st_mode));
}

/* Returns the number of this call, or 0 when it does not count. Dies here when the point is an even
 * one. */
static unsigned long
enter(int fd)
{
    unsigned long n;

    if (!counts(fd))
        return 0;
    n = atomic_fetch_add(&calls, 1) + 1;
    if (n == kill_at && n % 2 == 0)
        (void)kill(getpid(), SIGKILL);
    return n;
}

static void
leave(unsigned long n)
{
    if (n != 0 && n == kill_at)
        (void)kill(getpid(), SIGKILL);
}

/* clang-format off */
#define WRAP(result, name, params, args)                                                           \
    result name params;                                                                            \
    result name params                                                                             \
    {                                                                                              \
        static result (*real) params;                                                              \
        unsigned long n = enter(fd);                                                               \
        result rc;                                                                                 \
                                                                                                   \
        if (real == NULL)                                                                          \
            *(void **)&real = dlsym(RTLD_NEXT, #name);                                             \
        rc = real args;                                                                            \
        leave(n);                                                                                  \
        return rc;                                                                                 \
    }

WRAP(ssize_t, write, (int fd, const void *p, size_t len), (fd, p, len))
WRAP(ssize_t, pwrite, (int fd, const void *p, size_t len, off_t at), (fd, p, len, at))
WRAP(ssize_t, pwrite64, (int fd, const void *p, size_t len, off64_t at), (fd, p, len, at))
WRAP(int, fsync, (int fd), (fd))
WRAP(int, fdatasync, (int fd), (fd))
WRAP(int, ftruncate, (int fd, off_t len), (fd, len))
WRAP(ssize_t, send, (int fd, const void *p, size_t len, int flags), (fd, p, len, flags))
WRAP(ssize_t, recv, (int fd, void *p, size_t len, int flags), (fd, p, len, flags))
WRAP(ssize_t, sendmsg, (int fd, const struct msghdr *msg, int flags), (fd, msg, flags))
WRAP(ssize_t, recvmsg, (int fd, struct msghdr *msg, int flags), (fd, msg, flags))
/* clang-format on */
