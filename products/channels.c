/* Transport channels and the services on them. */
#include "products/channels.h"

#include <stdlib.h>
#include <string.h>

#include "model/products_gen.h"

enum { SLOT_STEP = 12500, RASTER = 6250, WIDTH_LEAST = 37500 };

size_t
lp_channels_of(const json_t *closure, const json_t *service,
               const json_t *out[static LP_CHANNELS_MOST])
{
    const json_t *own = json_object_get(service, LP_F_OPTICAL_DIGITAL_SERVICE_CHANNELS), *item;
    const json_t *shared = json_object_get(service, LP_F_OPTICAL_DIGITAL_SERVICE_SHARED_CHANNELS);
    size_t count = 0, i;

    json_array_foreach(own, i, item)
    {
        if (count < LP_CHANNELS_MOST)
            out[count++] = item;
    }
    json_array_foreach(shared, i, item)
    {
        const json_t *channel = lp_closure_block(closure, json_string_value(item));
        if (channel != NULL && count < LP_CHANNELS_MOST)
            out[count++] = channel;
    }
    return count;
}

bool
lp_service_uses(const json_t *service, const char *channel_id)
{
    const json_t *item;
    size_t i;

    json_array_foreach(json_object_get(service, LP_F_OPTICAL_DIGITAL_SERVICE_CHANNELS), i, item)
    {
        if (strcmp(lp_json_str(item, "subscription_instance_id", ""), channel_id) == 0)
            return true;
    }
    json_array_foreach(json_object_get(service, LP_F_OPTICAL_DIGITAL_SERVICE_SHARED_CHANNELS), i,
                       item)
    {
        if (json_is_string(item) && strcmp(json_string_value(item), channel_id) == 0)
            return true;
    }
    return false;
}

bool
lp_channel_ends(const json_t *closure, const json_t *channel, struct lp_end ends[2])
{
    const json_t *ports = json_object_get(channel, LP_F_OPTICAL_TRANSPORT_CHANNEL_LINE_PORTS);
    bool found = true;

    for (size_t i = 0; i < 2; i++)
        found =
            lp_end_find(closure, json_string_value(json_array_get(ports, i)), &ends[i]) && found;
    return found;
}

enum lp_code
lp_channel_derive(json_t *channel, struct lp_err *err)
{
    json_t *spectrum = json_object_get(channel, LP_F_OPTICAL_TRANSPORT_CHANNEL_OPTICAL_SPECTRUM);
    json_int_t low = lp_json_int(spectrum, LP_F_OPTICAL_SPECTRUM_LOW_MHZ, 0);
    json_int_t high = lp_json_int(spectrum, LP_F_OPTICAL_SPECTRUM_HIGH_MHZ, 0);
    json_int_t signal = lp_json_int(channel, LP_F_OPTICAL_TRANSPORT_CHANNEL_SIGNAL_MHZ, high - low);
    json_int_t center = low + (high - low) / 2;

    if (low == 0 || high <= low)
        return LP_OK;
    if (json_object_set_new(channel, LP_F_OPTICAL_TRANSPORT_CHANNEL_CENTER_MHZ,
                            json_integer(center))
            != 0
        || json_object_set_new(channel, LP_F_OPTICAL_TRANSPORT_CHANNEL_WIDTH_MHZ,
                               json_integer(high - low))
               != 0
        || json_object_set_new(spectrum, LP_F_OPTICAL_SPECTRUM_CARRIERS,
                               json_pack("[{s:I, s:I}]", "center_mhz", center, "width_mhz", signal))
               != 0)
        return lp_fail(err, LP_NOMEM, "no memory for a passband");
    return LP_OK;
}

/* ---- labels ---- */

static int
by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Calls fn for every service that is not terminated and rides on the channel. */
typedef void service_fn(void *ctx, const json_t *service);
static void
each_service(const json_t *closure, const char *channel_id, service_fn *fn, void *ctx)
{
    const char *id;
    json_t *entry;

    json_object_foreach(json_object_get(closure, "subscriptions"), id, entry)
    {
        const json_t *root = json_object_get(entry, "root");

        if (strcmp(lp_json_str(entry, "type", ""), LP_SERVICE_PRODUCT) == 0
            && strcmp(lp_json_str(entry, "status", ""), "terminated") != 0
            && lp_service_uses(root, channel_id))
            fn(ctx, root);
    }
}

struct tags {
    const char **list;
    size_t count, most;
};

static void
add_tag(void *ctx, const json_t *service)
{
    struct tags *tags = ctx;
    const char *tag = lp_json_str(service, LP_F_OPTICAL_DIGITAL_SERVICE_SERVICE_TAG, NULL);

    if (tag != NULL && tags->count < tags->most)
        tags->list[tags->count++] = tag;
}

enum lp_code
lp_channel_label(const json_t *closure, const json_t *channel, struct lp_buf *out,
                 struct lp_err *err)
{
    size_t most = json_object_size(json_object_get(closure, "subscriptions"));
    struct tags tags = {calloc(most + 1, sizeof(char *)), 0, most};

    if (tags.list == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for a label");
    each_service(closure, lp_json_str(channel, "subscription_instance_id", ""), add_tag, &tags);
    qsort((void *)tags.list, tags.count, sizeof *tags.list, by_text);
    for (size_t i = 0; i < tags.count; i++)
        if (i == 0 || strcmp(tags.list[i], tags.list[i - 1]) != 0)
            lp_buf_printf(out, "%s%s", i == 0 ? "" : "+", tags.list[i]);
    free((void *)tags.list);
    return out->failed ? lp_fail(err, LP_NOMEM, "no memory for a label") : LP_OK;
}

/* ---- rules ---- */

void
lp_channel_check(const json_t *channel, struct lp_problems *problems)
{
    const char *field = LP_F_OPTICAL_DIGITAL_SERVICE_CHANNELS;
    int64_t center = lp_json_int(channel, LP_F_OPTICAL_TRANSPORT_CHANNEL_CENTER_MHZ, 0);
    int64_t width = lp_json_int(channel, LP_F_OPTICAL_TRANSPORT_CHANNEL_WIDTH_MHZ, 0);
    int64_t signal = lp_json_int(channel, LP_F_OPTICAL_TRANSPORT_CHANNEL_SIGNAL_MHZ, 0);
    const json_t *ports = json_object_get(channel, LP_F_OPTICAL_TRANSPORT_CHANNEL_LINE_PORTS);

    if (center % RASTER != 0)
        lp_problem_field(problems, "value_error", field, NULL,
                         "OPT-020: the centre %lld MHz is not a multiple of %d", (long long)center,
                         RASTER);
    if (width < WIDTH_LEAST || width % SLOT_STEP != 0)
        lp_problem_field(problems, "value_error", field, NULL,
                         "OPT-022: width %lld MHz must be at least %d and a multiple of %d",
                         (long long)width, WIDTH_LEAST, SLOT_STEP);
    if (signal > width)
        lp_problem_field(problems, "value_error", field, NULL,
                         "OPT-024: signal %lld MHz plus guard does not fit slot %lld MHz",
                         (long long)signal, (long long)width);
    if (json_array_size(ports) != 2
        || json_equal(json_array_get(ports, 0), json_array_get(ports, 1)))
        lp_problem_field(problems, "value_error", field, NULL,
                         "a channel has two different line ports");
}

static bool
have_common(const json_t *a, const json_t *b)
{
    const json_t *x, *y;
    size_t i, k;

    json_array_foreach(a, i, x) json_array_foreach(b, k, y)
    {
        if (json_equal(x, y))
            return true;
    }
    return false;
}

void
lp_channel_check_apart(const json_t *a, const json_t *b, struct lp_problems *problems)
{
    int64_t distance = lp_json_int(a, LP_F_OPTICAL_TRANSPORT_CHANNEL_CENTER_MHZ, 0)
                       - lp_json_int(b, LP_F_OPTICAL_TRANSPORT_CHANNEL_CENTER_MHZ, 0);
    int64_t widths = lp_json_int(a, LP_F_OPTICAL_TRANSPORT_CHANNEL_WIDTH_MHZ, 0)
                     + lp_json_int(b, LP_F_OPTICAL_TRANSPORT_CHANNEL_WIDTH_MHZ, 0);

    if (2 * llabs(distance) < widths)
        lp_problem_field(problems, "value_error", LP_F_OPTICAL_DIGITAL_SERVICE_CHANNELS, NULL,
                         "the passbands of the two channels overlap");
    if (have_common(json_object_get(a, LP_F_OPTICAL_TRANSPORT_CHANNEL_LINE_PORTS),
                    json_object_get(b, LP_F_OPTICAL_TRANSPORT_CHANNEL_LINE_PORTS)))
        lp_problem_field(problems, "value_error", LP_F_OPTICAL_DIGITAL_SERVICE_CHANNELS, NULL,
                         "the two channels have different line ports");
}

/* ---- capacity ---- */

const char *
lp_client_rate(const json_t *service)
{
    return strcmp(lp_json_str(service, LP_F_OPTICAL_DIGITAL_SERVICE_CLIENT_SIGNAL, ""), "400GBE")
                   == 0
               ? "400GE"
               : "100GE";
}

unsigned
lp_client_gbps(const json_t *service)
{
    return strcmp(lp_client_rate(service), "400GE") == 0 ? 400 : 100;
}

struct load {
    const json_t *const *channels;
    size_t count;
    int64_t gbps;
};

static void
add_load(const json_t *closure, struct load *load)
{
    const char *id;
    json_t *entry;

    json_object_foreach(json_object_get(closure, "subscriptions"), id, entry)
    {
        const json_t *root = json_object_get(entry, "root");
        bool rides = false;

        if (strcmp(lp_json_str(entry, "type", ""), LP_SERVICE_PRODUCT) != 0
            || strcmp(lp_json_str(entry, "status", ""), "terminated") == 0)
            continue;
        for (size_t i = 0; i < load->count; i++)
            rides = rides
                    || lp_service_uses(
                        root, lp_json_str(load->channels[i], "subscription_instance_id", ""));
        load->gbps += rides ? lp_client_gbps(root) : 0;
    }
}

int64_t
lp_channels_spare_gbps(const json_t *closure, const json_t *const *channels, size_t count)
{
    struct load load = {channels, count, 0};
    int64_t total = 0;

    for (size_t i = 0; i < count; i++) {
        int64_t gbps = lp_json_int(channels[i], LP_F_OPTICAL_TRANSPORT_CHANNEL_CAPACITY_GBPS, 0);
        if (gbps == 0)
            return -1;
        total += gbps;
    }
    add_load(closure, &load);
    return total - load.gbps;
}
