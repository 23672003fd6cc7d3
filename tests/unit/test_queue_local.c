/* The in-process queue: order, bound, doubles, waiting, closing. */
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "queue/queue.h"
#include "tests/support/test_main.h"

static void
push(struct lp_queue *queue, const char *id, int priority)
{
    struct lp_err err = LP_ERR_INIT;

    assert_int_equal(queue->ops->push(queue, id, priority, NULL, &err), LP_OK);
}

static const char *
pop(struct lp_queue *queue)
{
    static char id[LP_UUID_LEN + 1];
    struct lp_err err = LP_ERR_INIT;
    enum lp_code rc = queue->ops->pop(queue, 0, LP_QUEUE_ALL, id, &err);

    lp_err_clear(&err);
    return rc == LP_OK ? id : "";
}

static void
interactive_comes_first(void **state)
{
    struct lp_queue *queue = lp_queue_local_new(10);

    (void)state;
    push(queue, "task-1", 1);
    push(queue, "user-1", 0);
    push(queue, "task-2", 1);
    push(queue, "user-2", 0);
    assert_int_equal(queue->ops->depth(queue), 4);
    assert_int_equal(queue->ops->depth_of(queue, 0), 2);
    assert_int_equal(queue->ops->depth_of(queue, 1), 2);
    assert_string_equal(pop(queue), "user-1");
    assert_string_equal(pop(queue), "user-2");
    assert_string_equal(pop(queue), "task-1");
    push(queue, "task-3", 1);
    assert_string_equal(pop(queue), "task-2");
    assert_string_equal(pop(queue), "task-3");
    assert_string_equal(pop(queue), "");
    queue->ops->free(queue);
}

static void
doubles_and_overflow_are_dropped(void **state)
{
    struct lp_queue *queue = lp_queue_local_new(2);

    (void)state;
    push(queue, "a", 0);
    push(queue, "a", 1);
    assert_int_equal(queue->ops->depth(queue), 1);
    push(queue, "b", 0);
    push(queue, "c", 0); /* only a hint: gone */
    assert_int_equal(queue->ops->depth(queue), 2);
    assert_string_equal(pop(queue), "a");
    push(queue, "a", 0); /* no longer queued */
    assert_string_equal(pop(queue), "b");
    assert_string_equal(pop(queue), "a");
    queue->ops->free(queue);
}

static void
nonsense_is_refused(void **state)
{
    struct lp_queue *queue = lp_queue_local_new(2);
    struct lp_err err = LP_ERR_INIT;

    (void)state;
    assert_int_equal(queue->ops->push(queue, "", 0, NULL, &err), LP_INVALID);
    assert_int_equal(
        queue->ops->push(queue, "0123456789012345678901234567890123456", 0, NULL, &err),
        LP_INVALID);
    lp_err_clear(&err);
    queue->ops->free(queue);
}

/* The dispatcher asks for interactive hints only while tasks have no room. Room that comes between
 * that decision and the pop must end the pop, or tasks wait until somebody starts something. */
static void
a_wake_is_remembered(void **state)
{
    struct lp_queue *queue = lp_queue_local_new(2);
    struct lp_err err = LP_ERR_INIT;
    char id[LP_UUID_LEN + 1];

    (void)state;
    push(queue, "task", 1);
    queue->ops->wake(queue);
    assert_int_equal(queue->ops->pop(queue, -1, LP_QUEUE_INTERACTIVE, id, &err), LP_NOT_FOUND);
    lp_err_clear(&err);
    assert_int_equal(queue->ops->pop(queue, 0, LP_QUEUE_INTERACTIVE, id, &err), LP_NOT_FOUND);
    lp_err_clear(&err);
    assert_string_equal(pop(queue), "task");
    queue->ops->free(queue);
}

struct waiter {
    struct lp_queue *queue;
    enum lp_code rc;
    char id[LP_UUID_LEN + 1];
};

static void *
wait_for_one(void *arg)
{
    struct waiter *waiter = arg;
    struct lp_err err = LP_ERR_INIT;

    waiter->rc = waiter->queue->ops->pop(waiter->queue, -1, LP_QUEUE_ALL, waiter->id, &err);
    lp_err_clear(&err);
    return NULL;
}

static void
poppers_wait_and_are_woken(void **state)
{
    struct waiter waiter = {.queue = lp_queue_local_new(2)}, second = {.queue = waiter.queue};
    struct lp_err err = LP_ERR_INIT;
    pthread_t threads[2];

    (void)state;
    assert_int_equal(waiter.queue->ops->pop(waiter.queue, 20, LP_QUEUE_ALL, waiter.id, &err),
                     LP_NOT_FOUND);
    lp_err_clear(&err);
    pthread_create(&threads[0], NULL, wait_for_one, &waiter);
    usleep(20000);
    push(waiter.queue, "late", 1);
    pthread_join(threads[0], NULL);
    assert_int_equal(waiter.rc, LP_OK);
    assert_string_equal(waiter.id, "late");
    pthread_create(&threads[0], NULL, wait_for_one, &waiter);
    pthread_create(&threads[1], NULL, wait_for_one, &second);
    usleep(20000);
    waiter.queue->ops->close(waiter.queue);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    assert_int_equal(waiter.rc, LP_CANCELLED);
    assert_int_equal(second.rc, LP_CANCELLED);
    push(waiter.queue, "after", 0); /* taken and dropped */
    assert_int_equal(waiter.queue->ops->depth(waiter.queue), 0);
    waiter.queue->ops->free(waiter.queue);
}

static void
many_ids_keep_their_order(void **state)
{
    enum { MANY = 5000 };
    struct lp_queue *queue = lp_queue_local_new(MANY);
    char id[20];

    (void)state;
    for (int i = 0; i < MANY; i++) {
        snprintf(id, sizeof id, "id-%d", i);
        push(queue, id, 0);
    }
    for (int i = 0; i < MANY; i++) {
        snprintf(id, sizeof id, "id-%d", i);
        assert_string_equal(pop(queue), id);
    }
    queue->ops->free(queue);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(interactive_comes_first),
        cmocka_unit_test(doubles_and_overflow_are_dropped),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(a_wake_is_remembered),
        cmocka_unit_test(poppers_wait_and_are_woken),
        cmocka_unit_test(many_ids_keep_their_order),
    };

    return LP_RUN_TESTS(tests);
}
