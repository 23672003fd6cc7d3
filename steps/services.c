/* Steps of digital services: numbers and joining, and handing channels over. */
#include "steps/services.h"

#include <stdio.h>
#include <string.h>

#include "model/products_gen.h"
#include "products/channels.h"
#include "steps/allocate.h"
#include "steps/channels.h"
#include "steps/device_internal.h"
#include "steps/lifecycle.h"
#include "store/claims.h"

static struct lp_channel_source
source_of(const struct lp_run *run)
{
    return (struct lp_channel_source){.store = run->store, .catalog = run->catalog};
}

/* ---- numbers ---- */

static enum lp_code
set_number(json_t *doc, const char *member, int64_t number, struct lp_err *err)
{
    return json_object_set_new(doc, member, json_integer(number)) == 0
               ? LP_OK
               : lp_fail(err, LP_NOMEM, "no memory for a number");
}

static enum lp_code
number_channels(struct lp_run *run, json_t *root, struct lp_err *err)
{
    const struct lp_number_range range = lp_numbers_och(run->conf);
    json_auto_t *given = json_array();
    json_t *channel;
    size_t i;
    enum lp_code rc = LP_OK;

    json_array_foreach(json_object_get(root, LP_F_OPTICAL_DIGITAL_SERVICE_CHANNELS), i, channel)
    {
        const json_t *och = json_object_get(channel, LP_F_OPTICAL_TRANSPORT_CHANNEL_OCH_ID);
        int64_t number = json_integer_value(och);

        if (och == NULL)
            rc = lp_allocate_key(run, "channel.och_id", "channel number", range, NULL, NULL, given,
                                 &number, err);
        if (rc == LP_OK)
            rc = set_number(channel, LP_F_OPTICAL_TRANSPORT_CHANNEL_OCH_ID, number, err);
        if (rc != LP_OK)
            return rc;
        (void)json_array_append_new(given, json_integer(number));
    }
    return LP_OK;
}

/* The tag of a client of the flow behind arg. */
static void
tag_of(void *arg, int64_t number, char *buf, size_t size)
{
    (void)snprintf(buf, size, "f%03lldc%02lld", (long long)*(const int64_t *)arg,
                   (long long)number);
}

/* A joining service belongs to the flow of the channels; a new one opens a flow. */
static enum lp_code
number_service(struct lp_run *run, json_t *root, int64_t flow_of_channels, struct lp_err *err)
{
    int64_t flow = lp_json_int(root, LP_F_OPTICAL_DIGITAL_SERVICE_FLOW_ID, flow_of_channels);
    int64_t client = lp_json_int(root, LP_F_OPTICAL_DIGITAL_SERVICE_CLIENT_ID, 0);
    enum lp_code rc = LP_OK;

    if (flow == 0)
        rc = lp_allocate_value(run, LP_F_OPTICAL_DIGITAL_SERVICE_FLOW_ID, "flow number",
                               lp_numbers_flow(run->conf), NULL, &flow, err);
    if (rc == LP_OK && client == 0)
        rc = lp_allocate_key(run, "service.tag", "client number of the flow",
                             lp_numbers_client(run->conf), tag_of, &flow, NULL, &client, err);
    if (rc == LP_OK)
        rc = set_number(root, LP_F_OPTICAL_DIGITAL_SERVICE_FLOW_ID, flow, err);
    return rc == LP_OK ? set_number(root, LP_F_OPTICAL_DIGITAL_SERVICE_CLIENT_ID, client, err) : rc;
}

/* ---- joining ---- */

/* The devices of the client ports, A and Z. */
static enum lp_code
client_devices(struct lp_run *run, const json_t *root, char ids[2][LP_UUID_LEN + 1],
               struct lp_err *err)
{
    const json_t *ports = json_object_get(root, LP_F_OPTICAL_DIGITAL_SERVICE_CLIENT_PORTS);
    enum lp_code rc = LP_OK;

    for (size_t i = 0; i < 2 && rc == LP_OK; i++) {
        struct lp_rows *rows = NULL;
        const char *port = json_string_value(json_array_get(ports, i));

        rc = lp_query(run->store, LP_SQL_BLOCK_OWNER, LP_ARGS(lp_text("instance_id", port)), &rows,
                      err);
        (void)snprintf(
            ids[i], LP_UUID_LEN + 1, "%s",
            rc == LP_OK && lp_rows_count(rows) > 0 ? lp_rows_text(rows, 0, "subscription_id") : "");
        lp_rows_free(rows);
    }
    return rc;
}

static bool
same_channels(const struct lp_channel_group *group, const json_t *shared)
{
    bool same = json_array_size(shared) == json_array_size(group->channels);
    const json_t *channel;
    size_t i;

    json_array_foreach(group->channels, i, channel)
    {
        same = same
               && json_equal(json_object_get(channel, "subscription_instance_id"),
                             json_array_get(shared, i));
    }
    return same;
}

/* One who joins waits here until the one before him has joined: what the group has to spare is true
 * until this step ends. *flow = that of the group. */
static enum lp_code
join(struct lp_run *run, const json_t *root, const char *owner, int64_t *flow, struct lp_err *err)
{
    const struct lp_channel_source source = source_of(run);
    const json_t *shared = json_object_get(root, LP_F_OPTICAL_DIGITAL_SERVICE_SHARED_CHANNELS);
    struct lp_channel_group group = {.owner = ""};
    char turn[64], devices[2][LP_UUID_LEN + 1];
    bool swapped = false;
    enum lp_code rc;

    (void)snprintf(turn, sizeof turn, "channel:%.36s",
                   json_is_string(json_array_get(shared, 0))
                       ? json_string_value(json_array_get(shared, 0))
                       : "");
    rc = lp_claims_turn(run->txn, turn, err);
    if (rc == LP_OK)
        rc = lp_channel_group_load(&source, owner, &group, err);
    if (rc == LP_OK && !same_channels(&group, shared))
        rc = lp_fail(err, LP_CONFLICT, "the channels of %s have changed since they were chosen",
                     owner);
    if (rc == LP_OK)
        rc = client_devices(run, root, devices, err);
    if (rc == LP_OK)
        rc = lp_channels_may_join(&group, devices[0], devices[1], lp_client_gbps(root), &swapped,
                                  err);
    if (rc == LP_OK && swapped)
        rc = lp_fail(err, LP_INVALID, "the client ports stand in the order of the wrong direction");
    if (rc == LP_INVALID)
        err->code = rc = LP_CONFLICT; /* it was possible when the form was filled in */
    *flow = group.flow_id;
    lp_channel_group_free(&group);
    return rc;
}

static enum lp_code
construct_service(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    const char *owner = lp_json_str(json_object_get(state, "join"), "owner", NULL);
    json_auto_t *root = json_deep_copy(json_object_get(state, "root"));
    int64_t flow = 0;
    enum lp_code rc = owner != NULL ? join(run, root, owner, &flow, err) : LP_OK;

    if (rc == LP_OK)
        rc = number_channels(run, root, err);
    if (rc == LP_OK)
        rc = number_service(run, root, flow, err);
    return rc == LP_OK ? lp_construct(run, state, lp_json_take(&root), delta, err) : rc;
}

const struct lp_step lp_step_construct_service = {
    .key = "construct_service",
    .title = "Construct subscription",
    .kind = LP_STEP_ACTION,
    .effects = LP_EFFECT_DB_RW,
    .attempts = 3,
    .backoff_ms = {100, 2000},
    .run = construct_service,
    .undo = lp_construct_undo,
};

/* ---- adopting ---- */

static bool
is_adopted(const json_t *state)
{
    return lp_json_true(state, "adopted");
}

static enum lp_code
demand_running(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    const json_t *summary = json_object_get(state, "plan");
    int64_t count = lp_json_int(summary, "operations", 0);
    json_auto_t *plan = NULL;
    char text[300] = "";
    enum lp_code rc;

    (void)delta;
    if (count == 0)
        return LP_OK;
    rc = lp_plan_load(run->store, lp_json_str(summary, "hash", ""), &plan, err);
    if (rc != LP_OK)
        return rc;
    lp_operation_text(plan, json_array_get(json_object_get(plan, "operations"), 0), text,
                      sizeof text);
    return lp_fail(err, LP_PRECONDITION,
                   "it does not run like this: %lld operations would be needed, the first: %.150s",
                   (long long)count, text);
}

const struct lp_step lp_step_demand_running = {
    .key = "demand_running",
    .title = "Nothing has to be written",
    .kind = LP_STEP_ACTION,
    .effects = LP_EFFECT_NONE,
    .when = is_adopted,
    .run = demand_running,
    .no_undo = "reads only",
};

/* ---- handing over ---- */

/* Its claims follow the block that holds them. */
static void
move_claims(struct lp_run *run, const json_t *channels, const char *owner)
{
    const json_t *channel;
    size_t i;

    json_array_foreach(channels, i, channel)
    {
        const json_t *spectrum =
            json_object_get(channel, LP_F_OPTICAL_TRANSPORT_CHANNEL_OPTICAL_SPECTRUM);
        lp_claims_transfer(lp_run_unit(run), lp_json_str(spectrum, "subscription_instance_id", ""),
                           owner);
    }
}

static enum lp_code
give(struct lp_run *run, const char *from, const char *to, struct lp_subscription **heir,
     struct lp_err *err)
{
    struct lp_subscription *giver = NULL;
    json_auto_t *channels = NULL;
    enum lp_code rc = lp_run_subscription(run, from, &giver, err);

    if (rc == LP_OK)
        rc = lp_run_subscription(run, to, heir, err);
    if (rc != LP_OK)
        return rc;
    channels = json_deep_copy(json_object_get(giver->root, LP_F_OPTICAL_DIGITAL_SERVICE_CHANNELS));
    rc = lp_run_give(run, giver, *heir, LP_F_OPTICAL_DIGITAL_SERVICE_CHANNELS,
                     LP_F_OPTICAL_DIGITAL_SERVICE_SHARED_CHANNELS, err);
    if (rc == LP_OK)
        move_claims(run, channels, to);
    return rc;
}

static enum lp_code
hand_over(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    const struct lp_channel_source source = source_of(run);
    struct lp_subscription *target = NULL, *heir = NULL;
    struct lp_channel_group group = {.owner = ""};
    const char *to;
    enum lp_code rc = lp_run_target(run, state, &target, err);

    if (rc != LP_OK
        || json_array_size(json_object_get(target->root, LP_F_OPTICAL_DIGITAL_SERVICE_CHANNELS))
               == 0)
        return rc;
    rc = lp_channel_group_load(&source, target->id, &group, err);
    to = rc == LP_OK ? lp_json_str(lp_channel_heir(&group), "subscription_id", NULL) : NULL;
    if (to != NULL)
        rc = give(run, target->id, to, &heir, err);
    if (rc == LP_OK && to != NULL
        && json_object_set_new(delta, "heir",
                               json_pack("{s:s, s:s}", "subscription_id", heir->id, "description",
                                         heir->description))
               != 0)
        rc = lp_fail(err, LP_NOMEM, "no memory for the heir");
    lp_channel_group_free(&group);
    return rc;
}

static enum lp_code
hand_back(struct lp_run *run, const json_t *state, json_t *delta, struct lp_err *err)
{
    const char *heir = lp_json_str(json_object_get(state, "heir"), "subscription_id", NULL);
    const char *target = NULL;
    struct lp_subscription *owner = NULL;
    enum lp_code rc;

    (void)delta;
    if (heir == NULL)
        return LP_OK;
    rc = lp_json_get_string(state, "subscription_id", &target, err);
    return rc == LP_OK ? give(run, heir, target, &owner, err) : rc;
}

const struct lp_step lp_step_hand_over = {
    .key = "hand_over",
    .title = "Hand shared channels over to who stays",
    .kind = LP_STEP_ACTION,
    .effects = LP_EFFECT_DB,
    .run = hand_over,
    .undo = hand_back,
};
