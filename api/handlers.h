/**
 * The handlers, one per row of the route table. All of them run on a handler thread with checked
 * input, except those of inline rows.
 */
#ifndef LP_API_HANDLERS_H
#define LP_API_HANDLERS_H

#include "api/route.h"

/* on_process.c */
lp_handler lp_on_process_list, lp_on_process_get, lp_on_process_counts, lp_on_process_changed,
    lp_on_process_start, lp_on_process_resume, lp_on_process_abort, lp_on_process_resume_all,
    lp_on_process_note, lp_on_process_delete, lp_on_process_attempts, lp_on_process_skip,
    lp_on_process_mark_done, lp_on_callback, lp_on_callback_progress, lp_on_todo;
/* on_subscription.c */
lp_handler lp_on_subscription_list, lp_on_subscription_get, lp_on_subscription_history,
    lp_on_subscription_diff, lp_on_domain_model, lp_on_subscription_search,
    lp_on_subscription_workflows, lp_on_set_in_sync;
/* on_catalog.c */
lp_handler lp_on_product_list, lp_on_product_get, lp_on_product_patch, lp_on_block_get,
    lp_on_block_patch, lp_on_resource_type_get, lp_on_resource_type_patch, lp_on_workflow_list,
    lp_on_workflow_get, lp_on_workflow_patch, lp_on_translations;
/* on_settings.c */
lp_handler lp_on_status, lp_on_status_set, lp_on_restored_end, lp_on_worker_status,
    lp_on_cache_names, lp_on_cache_clear, lp_on_search_reset, lp_on_overview;
/* on_system.c */
lp_handler lp_on_health, lp_on_audit, lp_on_audit_verify, lp_on_token_list, lp_on_token_create,
    lp_on_token_revoke, lp_on_backup, lp_on_form, lp_on_root, lp_on_docs, lp_on_openapi,
    lp_on_user_error, lp_on_user_log;
/* on_operate.c */
lp_handler lp_on_executors, lp_on_executor_drain, lp_on_engine, lp_on_doctor, lp_on_doctor_fix,
    lp_on_notification_list, lp_on_notification_get, lp_on_notification_test;
/* on_schedule.c */
lp_handler lp_on_schedule_list, lp_on_schedule_get, lp_on_schedule_create, lp_on_schedule_change,
    lp_on_schedule_change_named, lp_on_schedule_delete, lp_on_schedule_delete_named,
    lp_on_schedule_runs, lp_on_window_list, lp_on_window_get, lp_on_window_create,
    lp_on_window_change, lp_on_window_delete, lp_on_process_window;
/* on_device.c */
lp_handler lp_on_device_list, lp_on_device_get, lp_on_device_cached, lp_on_device_mode,
    lp_on_stop_list, lp_on_stop_set, lp_on_stop_end, lp_on_process_plans, lp_on_plan_approve,
    lp_on_process_evidence;
/* on_topology.c */
lp_handler lp_on_topology, lp_on_impact, lp_on_search;
lp_handler lp_on_service_path;
/* on_light.c */
lp_handler lp_on_route_list, lp_on_spectrum_get, lp_on_spectrum_differences;
/* metrics.c, stream.c */
lp_handler lp_on_metrics, lp_on_events;

#endif
