/**
 * Steps that bring an element to another software release, in three stages: load, activate, cards.
 * A process may be paused or stopped between any two of them, and between two cards.
 *
 *   software_check, (software_plan_<stage>, software_<stage>) for each stage
 *
 * State: device_id, release, file, backup? from the form; `software_before` = what ran, and how
 * well the element was ("baseline": alarms and signals) before anything was done; what stands there
 * is what every stage is compared with. `software_plan_<stage>` = the operations of a stage.
 */
#ifndef LP_STEPS_SOFTWARE_H
#define LP_STEPS_SOFTWARE_H

#include "engine/run.h"

/** Device, release, file, backup. */
extern const struct lp_form lp_form_software;

/** EXTERNAL, reads only: may this element be upgraded to that release, and how is it now? */
extern const struct lp_step lp_step_software_check;
/** EXTERNAL, reads only: what a stage has to do. */
extern const struct lp_step lp_step_software_plan_load, lp_step_software_plan_activate,
    lp_step_software_plan_cards;
/** EACH, EXTERNAL: one operation per row; waits hold no thread. */
extern const struct lp_step lp_step_software_load, lp_step_software_activate,
    lp_step_software_cards;

#endif
