/* What can be imported, and from which columns. */
#include <stdlib.h>
#include <string.h>

#include "model/products_gen.h"
#include "products/import_csv.h"

#define SOMEBODY "00000000-0000-4000-8000-00000000000"

/* clang-format off */
static const struct lp_csv_column pops[] = {
    {"code", {"code", "pop_code", "pop"}, LP_CSV_TEXT, LP_F_POP_CODE, NULL, true, true},
    {"full_name", {"full_name", "name", "full name"}, LP_CSV_TEXT, LP_F_POP_FULL_NAME, NULL, true, true},
    {"latitude", {"latitude", "lat"}, LP_CSV_LATITUDE, LP_F_POP_LATITUDE_UDEG, NULL, true, false},
    {"longitude", {"longitude", "lon", "lng", "long"}, LP_CSV_LONGITUDE, LP_F_POP_LONGITUDE_UDEG, NULL, true, false},
    {"city", {"city", "town"}, LP_CSV_TEXT, LP_F_POP_ADDRESS, LP_F_POP_ADDRESS_CITY, false, false},
    {"key", {"key", "source_key", "id"}, LP_CSV_TEXT, LP_F_POP_IMPORT_KEY, NULL, false, true},
};
static const struct lp_csv_column devices[] = {
    {"fqdn", {"fqdn", "name", "host_name"}, LP_CSV_TEXT, LP_F_OPTICAL_DEVICE_FQDN, NULL, true, true},
    {"pop", {"pop", "pop_code", "site"}, LP_CSV_LINK, "pop", NULL, true, false},
    {"platform", {"platform"}, LP_CSV_TEXT, LP_F_OPTICAL_DEVICE_PLATFORM, NULL, true, false},
    {"device_type", {"device_type", "type"}, LP_CSV_TEXT, LP_F_OPTICAL_DEVICE_DEVICE_TYPE, NULL, true, false},
    {"node_name", {"node_name", "tid"}, LP_CSV_TEXT, LP_F_OPTICAL_DEVICE_NODE_NAME, NULL, false, true},
    {"loopback_ip", {"loopback_ip", "lo_ip"}, LP_CSV_TEXT, LP_F_OPTICAL_DEVICE_LOOPBACK_IP, NULL, false, true},
    {"management_ip", {"management_ip", "mngmt_ip"}, LP_CSV_TEXT, LP_F_OPTICAL_DEVICE_MANAGEMENT_IP, NULL, false, true},
    {"management_port", {"management_port", "port"}, LP_CSV_INT, LP_F_OPTICAL_DEVICE_MANAGEMENT_PORT, NULL, false, false},
    {"gateway", {"gateway"}, LP_CSV_LINK, "gateway", NULL, false, false},
    {"credentials", {"credentials"}, LP_CSV_TEXT, LP_F_OPTICAL_DEVICE_CREDENTIALS, NULL, false, false},
    {"mode", {"mode"}, LP_CSV_LINK, "mode", NULL, false, false},
    {"key", {"key", "source_key", "id"}, LP_CSV_TEXT, LP_F_OPTICAL_DEVICE_IMPORT_KEY, NULL, false, true},
};
static const struct lp_csv_column fibers[] = {
    {"device_a", {"device_a", "optical_device_a"}, LP_CSV_LINK, "device_a", NULL, true, false},
    {"port_a", {"port_a"}, LP_CSV_LINK, "port_a", NULL, true, false},
    {"device_z", {"device_z", "device_b", "optical_device_b"}, LP_CSV_LINK, "device_z", NULL, true, false},
    {"port_z", {"port_z", "port_b"}, LP_CSV_LINK, "port_z", NULL, true, false},
    {"kind", {"kind"}, LP_CSV_TEXT, LP_F_OPTICAL_FIBER_KIND, NULL, false, false},
    {"types", {"types", "fiber_types", "type1-type2-..."}, LP_CSV_LIST, "types", NULL, false, false},
    {"lengths_m", {"lengths_m", "lengths", "length_m", "length1-length2-..."}, LP_CSV_LIST, "lengths", NULL, false, false},
    {"loss_az_db", {"loss_az_db", "loss_db", "total_loss"}, LP_CSV_CDB, LP_F_OPTICAL_FIBER_MEASURED_LOSS_AZ_CDB, NULL, false, false},
    {"loss_za_db", {"loss_za_db"}, LP_CSV_CDB, LP_F_OPTICAL_FIBER_MEASURED_LOSS_ZA_CDB, NULL, false, false},
    {"measured_on", {"measured_on"}, LP_CSV_TEXT, LP_F_OPTICAL_FIBER_MEASURED_ON, NULL, false, false},
    {"cable_id", {"cable_id", "cable"}, LP_CSV_TEXT, LP_F_OPTICAL_FIBER_CABLE_ID, NULL, false, false},
    {"pair_id", {"pair_id", "pair"}, LP_CSV_TEXT, LP_F_OPTICAL_FIBER_PAIR_ID, NULL, false, false},
    {"circuit_id", {"circuit_id", "circuit"}, LP_CSV_TEXT, LP_F_OPTICAL_FIBER_CIRCUIT_ID, NULL, false, false},
    {"leased_low_mhz", {"leased_low_mhz"}, LP_CSV_INT, LP_F_OPTICAL_FIBER_LEASED_LOW_MHZ, NULL, false, false},
    {"leased_high_mhz", {"leased_high_mhz"}, LP_CSV_INT, LP_F_OPTICAL_FIBER_LEASED_HIGH_MHZ, NULL, false, false},
    {"key", {"key", "source_key", "id"}, LP_CSV_TEXT, LP_F_OPTICAL_FIBER_IMPORT_KEY, NULL, false, true},
};
/* clang-format on */

/* Types and lengths, entry by entry, become segments. */
static void
finish_fiber(int64_t row, json_t *document, struct lp_problems *problems)
{
    json_auto_t *types = json_incref(json_object_get(document, "types"));
    json_auto_t *lengths = json_incref(json_object_get(document, "lengths"));
    json_t *segments = json_array();

    json_object_del(document, "types");
    json_object_del(document, "lengths");
    if (json_array_size(types) != json_array_size(lengths))
        lp_csv_problem(problems, row, "lengths_m", "%zu lengths, but %zu types",
                       json_array_size(lengths), json_array_size(types));
    for (size_t i = 0; i < json_array_size(types) && i < json_array_size(lengths); i++) {
        const char *text = json_string_value(json_array_get(lengths, i));
        char *end;
        long long metres = strtoll(text, &end, 10);
        if (end == text || *end != '\0')
            lp_csv_problem(problems, row, "lengths_m", "'%.60s' is not a whole number of metres",
                           text);
        json_array_append_new(segments,
                              json_pack("{s:I, s:O}", LP_F_OPTICAL_FIBER_SEGMENTS_LENGTH_M,
                                        (json_int_t)metres, LP_F_OPTICAL_FIBER_SEGMENTS_FIBER_TYPE,
                                        json_array_get(types, i)));
    }
    if (json_array_size(segments) > 0)
        json_object_set(document, LP_F_OPTICAL_FIBER_SEGMENTS, segments);
    json_decref(segments);
}

const struct lp_import_kind lp_import_pops = {
    .product = "PoP",
    .plural = "PoPs",
    .columns = pops,
    .count = LP_COUNT(pops),
    .name_columns = 1,
    .filler = "{\"subscription_instance_id\": \"" SOMEBODY "0\"}",
};
const struct lp_import_kind lp_import_devices = {
    .product = "Optical Device",
    .plural = "optical devices",
    .columns = devices,
    .count = LP_COUNT(devices),
    .name_columns = 1,
    .filler = "{\"subscription_instance_id\": \"" SOMEBODY "0\", \"pop\": \"" SOMEBODY "1\"}",
};
const struct lp_import_kind lp_import_fibers = {
    .product = "Optical Fiber",
    .plural = "optical fibers",
    .columns = fibers,
    .count = LP_COUNT(fibers),
    .name_columns = 4,
    .filler = "{\"subscription_instance_id\": \"" SOMEBODY "0\", \"fiber_name\": \"-\","
              " \"terminations\": [\"" SOMEBODY "1\", \"" SOMEBODY "2\"]}",
    .finish = finish_fiber,
};
