/**
 * Taking over digital services that already run: a CSV says what runs, a dry run of the creation of
 * each looks at every element, and those whose plan is empty become active without a single write.
 * Everything else is reported with what differs. First the services that bring channels, then those
 * that ride on them.
 *
 * Columns: speed (100G, 400G), flow_id, client_id, och_ids, device_a, client_a, device_z, client_z;
 * and, of the first service of a channel, lines_a, lines_z, mode, centers_mhz, widths_mhz and via
 * (host names of devices on the way, in order). Several values of a cell are joined by '+'.
 *
 * State: csv, customer_id, preview (true: nothing is adopted). Result: report {"rows": n,
 * "adopted": [{"service","subscription_id"}...], "fits": [..., preview only], "explained": [those
 * that are subscriptions already], "left": [{"service","reason","differences": [text...]}...]}.
 */
#ifndef LP_STEPS_SERVICE_ADOPTION_H
#define LP_STEPS_SERVICE_ADOPTION_H

#include "engine/run.h"

/** Key `read_rows`, reads the database only. */
extern const struct lp_step lp_step_service_rows;
/** Keys `preview_1`, `judge_1`, `adopt_1`: services with channels of their own; `..._2`: those that
 * ride on them. The previews are dry runs. */
extern const struct lp_step lp_step_service_preview_1, lp_step_service_judge_1,
    lp_step_service_adopt_1;
extern const struct lp_step lp_step_service_preview_2, lp_step_service_judge_2,
    lp_step_service_adopt_2;
/** Key `report_adoption`. */
extern const struct lp_step lp_step_service_adopted;
/** One page: the CSV, the customer, and whether to look only. */
extern const struct lp_form lp_form_adopt_services;

#endif
