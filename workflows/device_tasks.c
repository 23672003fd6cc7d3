/* Tasks that speak to one device: refresh what is cached of it, send what an operator typed. */
#include "steps/devices.h"
#include "steps/software.h"
#include "workflows/workflows.h"

static const struct lp_step *const refresh[] = {&lp_step_read_inventory};
static const struct lp_step *const command[] = {&lp_step_command};
static const struct lp_step *const upgrade[] = {
    &lp_step_software_check,         &lp_step_software_plan_load, &lp_step_software_load,
    &lp_step_software_plan_activate, &lp_step_software_activate,  &lp_step_software_plan_cards,
    &lp_step_software_cards,         &lp_step_read_inventory,
};

static const struct lp_workflow list[] = {
    {.name = "task_refresh_device",
     .description = "Read inventory, ports and alarms of a device into the cache",
     .target = LP_TARGET_SYSTEM,
     .is_task = true,
     .role = LP_ROLE_OPERATE,
     .form = &lp_form_device,
     LP_STEPS(refresh)},
    {.name = "task_device_command",
     .description = "Send a device a command that only reads",
     .target = LP_TARGET_SYSTEM,
     .is_task = true,
     .role = LP_ROLE_OPERATE,
     .form = &lp_form_device_command,
     LP_STEPS(command)},
    {.name = "task_device_write_command",
     .description = "Send a device any command",
     .target = LP_TARGET_SYSTEM,
     .is_task = true,
     .role = LP_ROLE_ADMIN,
     .form = &lp_form_device_command,
     LP_STEPS(command)},
    {.name = "task_upgrade_software",
     .description = "Bring a device to another software release, stage by stage",
     .target = LP_TARGET_SYSTEM,
     .is_task = true,
     .role = LP_ROLE_ADMIN,
     .form = &lp_form_software,
     LP_STEPS(upgrade)},
};
const struct lp_workflow_set lp_workflows_device_tasks = {list, LP_COUNT(list)};
