#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/lockfile.h"
#include "tests/support/test_main.h"

static char path[64];

static int
make_place(void **state)
{
    (void)state;
    (void)snprintf(path, sizeof path, "/tmp/lp-lockfile-XXXXXX");
    int fd = mkstemp(path);

    return fd < 0 ? -1 : close(fd);
}

static int
drop_place(void **state)
{
    (void)state;
    return unlink(path);
}

static void
a_living_holder_is_named(void **state)
{
    struct lp_err err = LP_ERR_INIT;
    int ready[2], fd = -1;
    char byte, words[64];
    pid_t child;

    (void)state;
    assert_int_equal(pipe(ready), 0);
    child = fork();
    if (child == 0) {
        if (lp_lockfile_take(path, "the place", &fd, &err) == LP_OK)
            (void)!write(ready[1], "x", 1);
        pause();
        _exit(0);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(lp_lockfile_take(path, "the place", &fd, &err), LP_CONFLICT);
    (void)snprintf(words, sizeof words, "the place is in use by process %ld", (long)child);
    assert_string_equal(err.msg, words);
    lp_err_clear(&err);
    kill(child, SIGKILL); /* taken down, not waited for: the next call is right behind */
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(lp_lockfile_take(path, "the place", &fd, &err), LP_OK);
    lp_lockfile_drop(&fd);
    assert_int_equal(fd, -1);
    close(ready[0]);
    close(ready[1]);
}

static void *
drop_soon(void *arg)
{
    usleep(150000);
    close(*(int *)arg);
    return NULL;
}

/* The kernel still holds the files of a program that is gone: no executable, but the lock. */
static void
a_dying_holder_is_waited_for(void **state)
{
    struct lp_err err = LP_ERR_INIT;
    FILE *file = fopen(path, "we");
    pthread_t thread;
    int held, fd = -1;

    (void)state;
    assert_non_null(file);
    (void)fprintf(file, "%d\n", 4194304 + 1); /* above the kernel's largest process id */
    (void)fflush(file);
    held = dup(fileno(file));
    (void)fclose(file);
    assert_int_equal(flock(held, LOCK_EX), 0);
    assert_int_equal(pthread_create(&thread, NULL, drop_soon, &held), 0);
    assert_int_equal(lp_lockfile_take(path, "the place", &fd, &err), LP_OK);
    pthread_join(thread, NULL);
    lp_lockfile_drop(&fd);
}

static void
no_symbolic_link_is_followed(void **state)
{
    struct lp_err err = LP_ERR_INIT;
    char link[80];
    int fd = -1;

    (void)state;
    (void)snprintf(link, sizeof link, "%s.link", path);
    assert_int_equal(symlink(path, link), 0);
    assert_int_equal(lp_lockfile_take(link, "the place", &fd, &err), LP_STORE);
    assert_non_null(strstr(err.msg, link));
    lp_err_clear(&err);
    (void)unlink(link);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_living_holder_is_named, make_place, drop_place),
        cmocka_unit_test_setup_teardown(a_dying_holder_is_waited_for, make_place, drop_place),
        cmocka_unit_test_setup_teardown(no_symbolic_link_is_followed, make_place, drop_place),
    };

    return LP_RUN_TESTS(tests);
}
