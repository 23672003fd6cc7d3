/**
 * The handlers behind the command table. Each prints to cli->out (a table, or with -o json what the
 * API sent) and returns the outcome.
 */
#ifndef LP_CLI_COMMANDS_H
#define LP_CLI_COMMANDS_H

#include "cli/api.h"

typedef enum lp_code cli_handler(struct cli *cli, struct lp_err *err);

/* cmd_process.c */
cli_handler cli_process_start, cli_process_list, cli_process_changed, cli_process_show,
    cli_process_steps, cli_process_watch, cli_process_resume, cli_process_retry, cli_process_skip,
    cli_process_mark_done, cli_process_abort, cli_process_note, cli_process_delete, cli_todo;
/* cmd_subscription.c */
cli_handler cli_subscription_list, cli_subscription_show, cli_subscription_history,
    cli_subscription_diff, cli_subscription_sync, cli_subscription_workflows;
/* cmd_device.c */
cli_handler cli_device_list, cli_device_show, cli_device_ports, cli_device_inventory,
    cli_device_alarms, cli_device_spectrum, cli_device_mode, cli_device_refresh, cli_device_command,
    cli_plan_show, cli_plan_approve, cli_process_evidence, cli_stop, cli_go;
/* cmd_import.c */
cli_handler cli_import, cli_service_adopt;
/* cmd_schedule.c */
cli_handler cli_schedule_list, cli_schedule_show, cli_schedule_create, cli_schedule_update,
    cli_schedule_pause, cli_schedule_resume, cli_schedule_delete, cli_schedule_runs,
    cli_window_list, cli_window_show, cli_window_create, cli_window_update, cli_window_delete,
    cli_process_window;
/* cmd_tl1.c */
cli_handler cli_tl1_parse;
/* cmd_topology.c */
cli_handler cli_topology_show, cli_topology_export, cli_topology_impact, cli_search;
/* cmd_service.c */
cli_handler cli_service_show;
/* cmd_light.c */
cli_handler cli_path_find, cli_spectrum_show, cli_spectrum_differences;
/* cmd_system.c */
cli_handler cli_product_list, cli_workflow_list, cli_engine_pause, cli_engine_resume,
    cli_audit_show, cli_audit_verify, cli_token_create, cli_token_list, cli_token_revoke,
    cli_db_backup, cli_events, cli_version, cli_completion;

/* cmd_operate.c */
cli_handler cli_executor_list, cli_executor_drain, cli_executor_undrain, cli_doctor,
    cli_notification_list, cli_notification_test, cli_engine_status;

/* ---- print.c: what handlers share ---- */

/** Prints a JSON value in one line. */
void cli_print_json(struct cli *cli, const json_t *value);
/** GET path, then print it with -o json. *value is the answer (owned), *printed tells whether it
 * was printed. */
enum lp_code cli_fetch(struct cli *cli, const char *path, json_t **value, bool *printed,
                       struct lp_err *err) LP_MUST_CHECK;
/** One line "label: text" of a header, left out when text is NULL or empty. */
void cli_print_pair(struct cli *cli, const char *label, const char *text);
/** A number member as local time; owned. */
char *cli_member_time(const json_t *object, const char *key);

/** All values of a repeatable option as alternatives "a|b"; owned, NULL when it was not given. */
char *cli_alternatives(const struct cli *cli, const char *name);
/** Adds "field,value" to a filter; nothing when value is NULL. */
void cli_filter_add(struct lp_buf *filter, const char *field, const char *value);

/** A column that shows one member of every row. */
struct cli_member_column {
    struct cli_column column;
    const char *member;
    enum { CLI_AS_TEXT, CLI_AS_STATUS, CLI_AS_TIME, CLI_AS_SHORT_ID, CLI_AS_FLAG } as;
};
void cli_member_table(struct cli *cli, const struct cli_member_column *columns, size_t count,
                      const json_t *rows);

/* ---- cmd_process.c ---- */

/** Runs a form to its end, prints the new process and follows it with --watch. `form` is cleared.
 */
struct cli_form;
enum lp_code cli_start_form(struct cli *cli, const char *workflow, struct cli_form *form,
                            struct lp_err *err) LP_MUST_CHECK;

#endif
