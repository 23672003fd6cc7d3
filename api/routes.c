#include "api/handlers.h"

#define QUERY(array)   .query = (array), .query_count = LP_COUNT(array)
#define MEMBERS(array) .body = LP_BODY_OBJECT, .members = (array), .member_count = LP_COUNT(array)

/* clang-format off */

static const struct lp_param list_query[] = {
    {.name = "filter", .max = 2000, .text = "field,value[,field,value...]: pairs are ANDed; value: alternatives by '|' (and '-'), '!' negates"},
    {.name = "sort", .max = 500, .text = "field,asc|desc[,...]"},
    {.name = "range", .max = 64, .text = "from,to: half-open, zero-based; to at most 10000; answered with Content-Range"},
    {.name = "limit", .type = LP_PARAM_INT, .min = 1, .max = 1000, .text = "rows of a page when paging by cursor; 250 without"},
    {.name = "cursor", .max = 1000, .text = "opaque; from the Link header (rel=next) of the page before"},
};
static const struct lp_param actor_query[] = {
    {.name = "reporter", .max = 100, .text = "accepted for compatibility; never overrides the authenticated user"},
    {.name = "ticket", .max = 200, .text = "ticket this is done for (or header X-Ticket); kept in process and audit"},
    {.name = "reason", .max = 1000, .text = "why (or header X-Reason); kept in process and audit"},
};
static const struct lp_param abort_query[] = {
    {.name = "reporter", .max = 100, .text = "accepted for compatibility; never overrides the authenticated user"},
    {.name = "ticket", .max = 200, .text = "ticket this is done for (or header X-Ticket)"},
    {.name = "reason", .max = 1000, .text = "why (or header X-Reason)"},
    {.name = "rollback", .type = LP_PARAM_BOOL, .text = "run the undo of every finished step in reverse order first"},
};
static const struct lp_param note_body[] = {
    {.name = "note", .max = 5000, .nullable = true, .text = "free text; blank becomes null"},
};
static const struct lp_param search_query[] = {
    {.name = "query", .required = true, .text = "words; all must occur. word, word*, \"a phrase\", -word, key:value, key:(a|b)"},
    {.name = "range", .max = 64, .text = "from,to: half-open, zero-based"},
    {.name = "sort", .max = 500, .text = "accepted for compatibility; results are newest first"},
};
static const struct lp_param find_query[] = {
    {.name = "query", .required = true, .min = 1, .max = 255, .text = "a port, host name, circuit id, code, customer, ticket, frequency or wavelength, exactly as written"},
    {.name = "limit", .type = LP_PARAM_INT, .min = 1, .max = 1000, .text = "most hits of each kind; 50 without"},
};
static const struct lp_param route_query[] = {
    {.name = "from", .required = true, .min = 1, .max = 300, .text = "port or device: an id, a host name, or DEVICE:PORT"},
    {.name = "to", .required = true, .min = 1, .max = 300, .text = "the other end"},
    {.name = "low_mhz", .type = LP_PARAM_INT, .min = 184500000, .max = 197500000, .text = "low edge of the passband"},
    {.name = "high_mhz", .type = LP_PARAM_INT, .min = 184500000, .max = 197500000, .text = "its high edge, which does not belong to it"},
    {.name = "width_mhz", .type = LP_PARAM_INT, .min = 6250, .max = 13000000, .text = "without edges: any passband of this width"},
    {.name = "policy", .min = 1, .max = 16, .text = "first-fit (without) or last-fit"},
    {.name = "include", .min = 1, .max = 4000, .text = "devices and fibers it runs through, in this order; ids or names, separated by commas"},
    {.name = "exclude", .min = 1, .max = 4000, .text = "devices and fibers it avoids"},
    {.name = "exclude_risks", .min = 1, .max = 4000, .text = "shared risks it avoids"},
    {.name = "cost", .min = 1, .max = 16, .text = "hops (without), length, latency, loss or margin"},
    {.name = "required_osnr_cdb", .type = LP_PARAM_INT, .min = 1, .max = 10000, .text = "what the mode needs, in 0.01 dB: gives margins"},
    {.name = "negative_margin", .type = LP_PARAM_BOOL, .text = "offer routes without margin too"},
    {.name = "unknown_light",
     .type = LP_PARAM_BOOL,
     .text = "offer routes over elements whose light was never read, or too long ago"},
    {.name = "limit", .type = LP_PARAM_INT, .min = 1, .max = 16, .text = "most routes"},
};
static const struct lp_param difference_query[] = {
    {.name = "fiber", .min = 1, .max = 255, .text = "only this fiber: id or name"},
};
static const struct lp_param impact_query[] = {
    {.name = "fiber", .max = 255, .text = "subscription id or name of a fiber"},
    {.name = "device", .max = 255, .text = "subscription id, host name or node name of a device"},
    {.name = "pop", .max = 255, .text = "subscription id or code of a PoP"},
    {.name = "card", .min = 1, .max = 64, .text = "with a device: only ports on this card, a prefix of their names (1-A-1)"},
};
static const struct lp_param domain_query[] = {
    {.name = "filter_owner_relations", .type = LP_PARAM_BOOL, .text = "leave instances of the subscription itself out of in_use_by_ids; true without"},
};
static const struct lp_param history_query[] = {
    {.name = "limit", .type = LP_PARAM_INT, .min = 1, .max = 1000, .text = "most versions; 100 without"},
    {.name = "version", .type = LP_PARAM_INT, .min = 1, .text = "one version, with its whole document"},
};
static const struct lp_param diff_query[] = {
    {.name = "from", .type = LP_PARAM_INT, .min = 0, .required = true, .text = "version; 0 = the empty document"},
    {.name = "to", .type = LP_PARAM_INT, .min = 1, .text = "version; the newest without"},
};
static const struct lp_param product_query[] = {
    {.name = "tag", .max = 20, .text = "exact"},
    {.name = "product_type", .max = 255, .text = "exact"},
};
static const struct lp_param workflow_query[] = {
    {.name = "target", .type = LP_PARAM_ENUM, .values = "CREATE|MODIFY|TERMINATE|SYSTEM|VALIDATE|RECONCILE", .text = "only these"},
    {.name = "is_task", .type = LP_PARAM_BOOL, .text = "only tasks, or only others"},
};
static const struct lp_param product_body[] = {
    {.name = "description", .max = 2000, .nullable = true, .text = "shown text"},
    {.name = "status", .type = LP_PARAM_ENUM, .values = "active|pre production|pre_production|phase out|phase_out|end of life|end_of_life", .text = "product lifecycle"},
};
static const struct lp_param description_body[] = {
    {.name = "description", .max = 2000, .nullable = true, .text = "shown text"},
};
static const struct lp_param drain_body[] = {
    {.name = "drained", .type = LP_PARAM_BOOL, .required = true, .text = "true: it claims nothing new, its processes go to others"},
};
static const struct lp_param status_body[] = {
    {.name = "global_lock", .type = LP_PARAM_BOOL, .required = true, .text = "true pauses the engine between steps"},
};
static const struct lp_param audit_query[] = {
    {.name = "chain", .max = 80, .text = "process id, or system:<incarnation>; newest of all chains without"},
    {.name = "limit", .type = LP_PARAM_INT, .min = 1, .max = 1000, .text = "most rows; 100 without"},
};
static const struct lp_param token_body[] = {
    {.name = "name", .required = true, .min = 1, .max = 100, .text = "who or what uses it; the actor in processes and audit"},
    {.name = "role", .type = LP_PARAM_ENUM, .required = true, .values = "read|operate|admin", .text = "what it may do"},
    {.name = "expires_at", .type = LP_PARAM_TIME, .nullable = true, .text = "seconds since 1970, or ISO 8601; null = never"},
};
static const struct lp_param backup_body[] = {
    {.name = "path", .max = 200, .nullable = true, .text = "file name inside the data directory; null = backups/lightpath-<time>.db"},
};
static const struct lp_param done_body[] = {
    {.name = "delta", .type = LP_PARAM_OBJECT, .text = "members the step would have set in the state"},
};
static const struct lp_param events_query[] = {
    {.name = "last_event_id", .max = 18, .text = "as the header Last-Event-ID, for clients that cannot set one"},
};

static const struct lp_param executors_query[] = {
    {.name = "all", .type = LP_PARAM_BOOL, .text = "also those that stopped in good order"},
};
static const struct lp_param notifications_query[] = {
    {.name = "status", .type = LP_PARAM_ENUM, .values = "pending|held|digested|sent|dead", .text = "only these"},
    {.name = "limit", .type = LP_PARAM_INT, .min = 1, .max = 1000, .text = "most rows, newest first; 100 without"},
};
static const struct lp_param notification_body[] = {
    {.name = "target", .max = 64, .nullable = true, .text = "name of a target in notifications.file; null = all of them"},
};
static const struct lp_param start_query[] = {
    {.name = "reporter", .max = 100, .text = "accepted for compatibility; never overrides the authenticated user"},
    {.name = "ticket", .max = 200, .text = "ticket this is done for (or header X-Ticket); kept in process and audit"},
    {.name = "reason", .max = 1000, .text = "why (or header X-Reason); kept in process and audit"},
    {.name = "window", .max = 100, .text = "maintenance window to bind the process to, by name or id: outside it its gated steps wait"},
    {.name = "dry_run", .type = LP_PARAM_BOOL, .text = "stop after the plan and leave nothing behind but the process itself, marked dry_run"},
};
static const struct lp_param schedule_create_body[] = {
    {.name = "scheduled_type", .type = LP_PARAM_ENUM, .values = "create", .text = "may be left out"},
    {.name = "workflow_name", .max = 100, .text = "the task"},
    {.name = "workflow_id", .type = LP_PARAM_UUID, .text = "its id; must be of the same task"},
    {.name = "name", .max = 200, .text = "shown name; the task's description without"},
    {.name = "trigger", .type = LP_PARAM_ENUM, .required = true, .values = "interval|cron|date", .text = "how due times are given"},
    {.name = "trigger_kwargs", .type = LP_PARAM_OBJECT, .required = true, .text = "cron: expression, or minute, hour, day, month, day_of_week, second; interval: weeks, days, hours, minutes, seconds; date: run_date; all: timezone; start_date, end_date, jitter (seconds)"},
    {.name = "user_inputs", .type = LP_PARAM_ARRAY, .text = "form pages of the task; [{}] without"},
    {.name = "misfire", .type = LP_PARAM_ENUM, .values = "skip|once|all", .text = "due times that nobody was there for: none of them, the newest (default), or all up to misfire_most"},
    {.name = "misfire_most", .type = LP_PARAM_INT, .min = 1, .max = 1000, .text = "24 without"},
    {.name = "grace_seconds", .type = LP_PARAM_INT, .min = 1, .max = 604800, .text = "so late a start is no misfire; 60 without"},
    {.name = "overlap", .type = LP_PARAM_ENUM, .values = "allow|skip", .text = "skip: not while the process of an earlier run is at work"},
    {.name = "window", .max = 100, .nullable = true, .text = "maintenance window its processes are bound to, by name or id"},
    {.name = "paused", .type = LP_PARAM_BOOL, .text = "true: nothing starts until it is false again"},
};
static const struct lp_param schedule_change_body[] = {
    {.name = "scheduled_type", .type = LP_PARAM_ENUM, .values = "update", .text = "may be left out"},
    {.name = "schedule_id", .type = LP_PARAM_UUID, .required = true, .text = "the schedule"},
    {.name = "name", .max = 200, .text = "shown name; the task's description without"},
    {.name = "trigger", .type = LP_PARAM_ENUM, .values = "interval|cron|date", .text = "how due times are given"},
    {.name = "trigger_kwargs", .type = LP_PARAM_OBJECT, .text = "cron: expression, or minute, hour, day, month, day_of_week, second; interval: weeks, days, hours, minutes, seconds; date: run_date; all: timezone; start_date, end_date, jitter (seconds)"},
    {.name = "user_inputs", .type = LP_PARAM_ARRAY, .text = "form pages of the task; [{}] without"},
    {.name = "misfire", .type = LP_PARAM_ENUM, .values = "skip|once|all", .text = "due times that nobody was there for: none of them, the newest (default), or all up to misfire_most"},
    {.name = "misfire_most", .type = LP_PARAM_INT, .min = 1, .max = 1000, .text = "24 without"},
    {.name = "grace_seconds", .type = LP_PARAM_INT, .min = 1, .max = 604800, .text = "so late a start is no misfire; 60 without"},
    {.name = "overlap", .type = LP_PARAM_ENUM, .values = "allow|skip", .text = "skip: not while the process of an earlier run is at work"},
    {.name = "window", .max = 100, .nullable = true, .text = "maintenance window its processes are bound to, by name or id"},
    {.name = "paused", .type = LP_PARAM_BOOL, .text = "true: nothing starts until it is false again"},
};
static const struct lp_param schedule_named_body[] = {
    {.name = "name", .max = 200, .text = "shown name; the task's description without"},
    {.name = "trigger", .type = LP_PARAM_ENUM, .values = "interval|cron|date", .text = "how due times are given"},
    {.name = "trigger_kwargs", .type = LP_PARAM_OBJECT, .text = "cron: expression, or minute, hour, day, month, day_of_week, second; interval: weeks, days, hours, minutes, seconds; date: run_date; all: timezone; start_date, end_date, jitter (seconds)"},
    {.name = "user_inputs", .type = LP_PARAM_ARRAY, .text = "form pages of the task; [{}] without"},
    {.name = "misfire", .type = LP_PARAM_ENUM, .values = "skip|once|all", .text = "due times that nobody was there for: none of them, the newest (default), or all up to misfire_most"},
    {.name = "misfire_most", .type = LP_PARAM_INT, .min = 1, .max = 1000, .text = "24 without"},
    {.name = "grace_seconds", .type = LP_PARAM_INT, .min = 1, .max = 604800, .text = "so late a start is no misfire; 60 without"},
    {.name = "overlap", .type = LP_PARAM_ENUM, .values = "allow|skip", .text = "skip: not while the process of an earlier run is at work"},
    {.name = "window", .max = 100, .nullable = true, .text = "maintenance window its processes are bound to, by name or id"},
    {.name = "paused", .type = LP_PARAM_BOOL, .text = "true: nothing starts until it is false again"},
};
static const struct lp_param schedule_delete_body[] = {
    {.name = "scheduled_type", .type = LP_PARAM_ENUM, .values = "delete", .text = "may be left out"},
    {.name = "schedule_id", .type = LP_PARAM_UUID, .required = true, .text = "the schedule"},
    {.name = "workflow_id", .type = LP_PARAM_UUID, .text = "its task, for compatibility; another one is refused"},
};
static const struct lp_param runs_query[] = {
    {.name = "limit", .type = LP_PARAM_INT, .min = 1, .max = 1000, .text = "most runs; 100 without"},
    {.name = "before", .type = LP_PARAM_INT, .min = 0, .max = 7226582400, .text = "only due times before this time, seconds since 1970"},
};
#define WINDOW_MEMBERS \
    {.name = "description", .max = 2000, .nullable = true, .text = "what it is for"}, \
    {.name = "timezone", .max = 64, .nullable = true, .text = "IANA name; UTC without"}, \
    {.name = "days", .type = LP_PARAM_ARRAY, .nullable = true, .text = "days of the week it opens on: sun to sat; all without"}, \
    {.name = "opens", .max = 5, .nullable = true, .text = "wall clock time, 02:00"}, \
    {.name = "closes", .max = 5, .nullable = true, .text = "wall clock time; not later than opens: on the next day"}, \
    {.name = "not_before", .type = LP_PARAM_WHEN, .nullable = true, .text = "never open before"}, \
    {.name = "not_after", .type = LP_PARAM_WHEN, .nullable = true, .text = "never open after"}, \
    {.name = "starts", .type = LP_PARAM_WHEN, .nullable = true, .text = "a window that opens once: its beginning"}, \
    {.name = "ends", .type = LP_PARAM_WHEN, .nullable = true, .text = "a window that opens once: its end"}, \
    {.name = "margin_seconds", .type = LP_PARAM_INT, .max = 86400, .text = "so long before it closes nothing new is begun"}
static const struct lp_param window_create_body[] = {
    {.name = "name", .required = true, .min = 1, .max = 100, .text = "unique"},
    WINDOW_MEMBERS,
};
static const struct lp_param window_change_body[] = {
    {.name = "name", .min = 1, .max = 100, .text = "unique"},
    WINDOW_MEMBERS,
};
static const struct lp_param process_window_body[] = {
    {.name = "window", .required = true, .max = 100, .nullable = true, .text = "maintenance window by name or id; null: none"},
};

static const struct lp_param device_query[] = {
    {.name = "limit", .type = LP_PARAM_INT, .min = 1, .max = 1000, .text = "most rows; 250 without"},
    {.name = "after", .max = 36, .text = "id of the last device of the page before"},
};
static const struct lp_param changed_query[] = {
    {.name = "limit", .type = LP_PARAM_INT, .min = 1, .max = 1000, .text = "most processes; 100 without"},
    {.name = "process_id", .type = LP_PARAM_UUID, .text = "only this one"},
};
static const struct lp_param evidence_query[] = {
    {.name = "limit", .type = LP_PARAM_INT, .min = 1, .max = 1000, .text = "most exchanges; 100 without"},
    {.name = "cursor", .max = 64, .text = "member next of the page before"},
};
static const struct lp_param mode_body[] = {
    {.name = "mode", .type = LP_PARAM_ENUM, .required = true, .values = "observe|manage", .text = "observe: planned for, never written; manage: may be written"},
};
static const struct lp_param stop_body[] = {
    {.name = "scope", .type = LP_PARAM_ENUM, .required = true, .values = "everything|site|element", .text = "what is stopped"},
    {.name = "target", .max = 255, .nullable = true, .text = "site: PoP code or id; element: id, host name, node name or address"},
};
static const struct lp_param stop_query[] = {
    {.name = "ticket", .max = 200, .text = "ticket this is done for (or header X-Ticket)"},
    {.name = "reason", .max = 1000, .text = "why (or header X-Reason)"},
    {.name = "scope", .type = LP_PARAM_ENUM, .required = true, .values = "everything|site|element", .text = "which stop"},
    {.name = "target", .max = 255, .text = "as when it was set"},
};
static const struct lp_param approve_body[] = {
    {.name = "hash", .required = true, .max = 64, .text = "of the plan that is approved"},
};

#define PAGES_TEXT "one object per answered form page; null = [{}]"

static const struct lp_route rows[] = {
    /* ---- processes ---- */
    {.method = LP_GET, .path = "/api/processes/", .op = "list_processes", .tag = "Processes", .text = "List processes, newest first",
     .role = LP_ROLE_READ, QUERY(list_query), .status = 200, .response = "[Process]", .invalid_http = 400, .handler = lp_on_process_list},
    {.method = LP_GET, .path = "/api/processes/status-counts", .op = "get_process_status_counts", .tag = "Processes",
     .text = "Processes and tasks per status", .role = LP_ROLE_READ, .status = 200, .response = "StatusCounts", .handler = lp_on_process_counts},
    {.method = LP_GET, .path = "/api/processes/changed", .op = "list_changed_processes", .tag = "Processes",
     .text = "Processes under way whose workflow has other steps now: what changed by key, where they go on, what can be done",
     .role = LP_ROLE_READ, QUERY(changed_query), .status = 200, .response = "ChangedProcesses", .handler = lp_on_process_changed},
    {.method = LP_PUT, .path = "/api/processes/resume-all", .op = "resume_all_processes", .tag = "Processes",
     .text = "Retry all tasks that failed or wait for a retry", .role = LP_ROLE_OPERATE, QUERY(actor_query), .body = LP_BODY_NONE,
     .status = 200, .response = "Count", .errors = "409", .handler = lp_on_process_resume_all},
    {.method = LP_POST, .path = "/api/processes/{workflow_key}", .op = "create_workflow", .tag = "Processes",
     .text = "Start a workflow; 510 carries the next form page. Header Idempotency-Key makes a repeated call return the first id",
     .role = LP_ROLE_READ, QUERY(start_query), .body = LP_BODY_PAGES, .body_text = PAGES_TEXT, .status = 201, .response = "ProcessId",
     .errors = "404 409 412 510", .handler = lp_on_process_start},
    {.method = LP_GET, .path = "/api/processes/{process_id}", .op = "get_process", .tag = "Processes",
     .text = "One process with steps, state and form", .role = LP_ROLE_READ, .status = 200, .response = "Process", .errors = "404",
     .handler = lp_on_process_get},
    {.method = LP_GET, .path = "/api/processes/{process_id}/attempts", .op = "get_process_attempts", .tag = "Processes",
     .text = "Attempts, inputs, requests, children and locks", .role = LP_ROLE_READ, .status = 200, .response = "ProcessMore",
     .errors = "404", .handler = lp_on_process_attempts},
    {.method = LP_PUT, .path = "/api/processes/{process_id}/resume", .op = "resume_workflow_process", .tag = "Processes",
     .text = "Answer the form of a suspended process, or retry a failed one ({}, null or [])", .role = LP_ROLE_READ,
     QUERY(actor_query), .body = LP_BODY_ANY, .body_text = "[object...] per form page; {}, null and [] retry without input",
     .status = 204, .errors = "404 409 510", .handler = lp_on_process_resume},
    {.method = LP_PUT, .path = "/api/processes/{process_id}/abort", .op = "abort_workflow_process", .tag = "Processes",
     .text = "Abort for good", .role = LP_ROLE_OPERATE, QUERY(abort_query), .body = LP_BODY_NONE, .status = 204, .errors = "404 409",
     .handler = lp_on_process_abort},
    {.method = LP_PUT, .path = "/api/processes/{process_id}/skip", .op = "skip_process_step", .tag = "Processes",
     .text = "Go on behind the failed or waiting step; a reason is demanded", .role = LP_ROLE_OPERATE, QUERY(actor_query),
     .body = LP_BODY_NONE, .status = 204, .errors = "404 409", .handler = lp_on_process_skip},
    {.method = LP_PUT, .path = "/api/processes/{process_id}/mark-done", .op = "mark_process_step_done", .tag = "Processes",
     .text = "Count the failed or waiting step as done by hand; a reason is demanded", .role = LP_ROLE_OPERATE, QUERY(actor_query),
     MEMBERS(done_body), .status = 204, .errors = "404 409", .handler = lp_on_process_mark_done},
    {.method = LP_PATCH, .path = "/api/processes/{process_id}", .op = "update_process", .tag = "Processes", .text = "Change the note",
     .role = LP_ROLE_OPERATE, QUERY(actor_query), MEMBERS(note_body), .status = 200, .response = "Process", .errors = "404",
     .handler = lp_on_process_note},
    {.method = LP_DELETE, .path = "/api/processes/{process_id}", .op = "delete_process", .tag = "Processes",
     .text = "Delete a finished task", .role = LP_ROLE_OPERATE, QUERY(actor_query), .body = LP_BODY_NONE, .status = 204,
     .errors = "404 409", .invalid_http = 400, .handler = lp_on_process_delete},
    {.method = LP_POST, .path = "/api/processes/{process_id}/callback/{token}", .op = "continue_awaiting_process", .tag = "Processes",
     .text = "Result of an external system; a valid token is answered 200 at any time", .role = LP_ROLE_NONE, .body = LP_BODY_OBJECT,
     .status = 200, .response = "null", .errors = "404", .handler = lp_on_callback},
    {.method = LP_POST, .path = "/api/processes/{process_id}/callback/{token}/progress", .op = "update_awaiting_process_progress",
     .tag = "Processes", .text = "Progress of an external system", .role = LP_ROLE_NONE, .body = LP_BODY_JSON,
     .body_text = "a string or an object", .status = 200, .response = "null", .errors = "404", .handler = lp_on_callback_progress},
    {.method = LP_GET, .path = "/api/processes/{process_id}/plans", .op = "get_process_plans", .tag = "Processes",
     .text = "What the process plans to tell devices, and what it has told them", .role = LP_ROLE_READ, .status = 200,
     .response = "Plans", .errors = "404", .handler = lp_on_process_plans},
    {.method = LP_PUT, .path = "/api/processes/{process_id}/plans/approve", .op = "approve_process_plan", .tag = "Processes",
     .text = "Approve a plan by its hash: one that was planned again, or whose approval expired; retry goes on with it",
     .role = LP_ROLE_OPERATE, QUERY(actor_query), MEMBERS(approve_body), .status = 200, .response = "Plans", .errors = "404",
     .handler = lp_on_plan_approve},
    {.method = LP_GET, .path = "/api/processes/{process_id}/evidence", .op = "get_process_evidence", .tag = "Processes",
     .text = "Every exchange with devices, secrets removed", .role = LP_ROLE_READ, QUERY(evidence_query), .status = 200,
     .response = "Evidence", .handler = lp_on_process_evidence},
    {.method = LP_GET, .path = "/api/todo", .op = "list_todo", .tag = "Processes", .text = "Everything that waits for a person",
     .role = LP_ROLE_READ, .status = 200, .response = "Todo", .handler = lp_on_todo},

    /* ---- subscriptions ---- */
    {.method = LP_GET, .path = "/api/subscriptions/", .op = "list_subscriptions", .tag = "Subscriptions",
     .text = "List subscriptions, newest first", .role = LP_ROLE_READ, QUERY(list_query), .status = 200, .response = "[Subscription]",
     .invalid_http = 400, .handler = lp_on_subscription_list},
    {.method = LP_GET, .path = "/api/subscriptions/search", .op = "search_subscriptions", .tag = "Subscriptions",
     .text = "Search by words", .role = LP_ROLE_READ, QUERY(search_query), .status = 200, .response = "[SubscriptionWithMetadata]",
     .invalid_http = 400, .handler = lp_on_subscription_search},
    {.method = LP_GET, .path = "/api/subscriptions/domain-model/{subscription_id}", .op = "get_subscription_domain_model",
     .tag = "Subscriptions", .text = "The whole typed model", .role = LP_ROLE_READ, QUERY(domain_query), .status = 200,
     .response = "DomainModel", .errors = "404", .handler = lp_on_domain_model},
    {.method = LP_GET, .path = "/api/subscriptions/workflows/{subscription_id}", .op = "get_subscription_workflows",
     .tag = "Subscriptions", .text = "Workflows that may run on it, or why not", .role = LP_ROLE_READ, .status = 200,
     .response = "SubscriptionWorkflows", .errors = "404", .handler = lp_on_subscription_workflows},
    {.method = LP_GET, .path = "/api/subscriptions/{subscription_id}", .op = "get_subscription", .tag = "Subscriptions",
     .text = "The header of one subscription", .role = LP_ROLE_READ, .status = 200, .response = "Subscription", .errors = "404",
     .handler = lp_on_subscription_get},
    {.method = LP_GET, .path = "/api/subscriptions/{subscription_id}/history", .op = "get_subscription_history",
     .tag = "Subscriptions", .text = "Versions, newest first, or one version as it was", .role = LP_ROLE_READ, QUERY(history_query),
     .status = 200, .response = "History", .errors = "404", .handler = lp_on_subscription_history},
    {.method = LP_GET, .path = "/api/subscriptions/{subscription_id}/diff", .op = "get_subscription_diff", .tag = "Subscriptions",
     .text = "What changed between two versions", .role = LP_ROLE_READ, QUERY(diff_query), .status = 200, .response = "Diff",
     .errors = "404", .handler = lp_on_subscription_diff},
    {.method = LP_PUT, .path = "/api/subscriptions/{subscription_id}/set_in_sync", .op = "set_in_sync", .tag = "Subscriptions",
     .text = "Say that the subscription matches reality again", .role = LP_ROLE_OPERATE, QUERY(actor_query), .body = LP_BODY_NONE,
     .status = 200, .response = "null", .errors = "404 409", .handler = lp_on_set_in_sync},

    /* ---- devices ---- */
    {.method = LP_GET, .path = "/api/devices/", .op = "list_devices", .tag = "Devices",
     .text = "Devices by id, with mode and drift", .role = LP_ROLE_READ, QUERY(device_query), .status = 200, .response = "[Device]",
     .handler = lp_on_device_list},
    {.method = LP_GET, .path = "/api/devices/{device}", .op = "get_device", .tag = "Devices",
     .text = "One device, by id, host name, node name or address", .role = LP_ROLE_READ, .status = 200, .response = "Device",
     .errors = "404 409", .handler = lp_on_device_get},
    {.method = LP_GET, .path = "/api/devices/{device}/cached/{kind}", .op = "get_device_cached", .tag = "Devices",
     .text = "identity, inventory, ports, neighbours, spectrum, alarms or modes as they were last read, with their age. "
             "Task task_refresh_device reads them anew",
     .role = LP_ROLE_READ, .status = 200, .response = "Cached", .errors = "404 409", .handler = lp_on_device_cached},
    {.method = LP_PUT, .path = "/api/devices/{device}/mode", .op = "set_device_mode", .tag = "Devices",
     .text = "Whether the device may be written", .role = LP_ROLE_ADMIN, QUERY(actor_query), MEMBERS(mode_body), .status = 200,
     .response = "Device", .errors = "404 409", .handler = lp_on_device_mode},
    {.method = LP_GET, .path = "/api/emergency-stops", .op = "list_emergency_stops", .tag = "Devices",
     .text = "What may not be written now", .role = LP_ROLE_READ, .status = 200, .response = "[Stop]", .handler = lp_on_stop_list},
    {.method = LP_PUT, .path = "/api/emergency-stops", .op = "set_emergency_stop", .tag = "Devices",
     .text = "Stop writing to everything, a site or an element at once, between two operations", .role = LP_ROLE_OPERATE,
     QUERY(actor_query), MEMBERS(stop_body), .status = 200, .response = "[Stop]", .errors = "404 409", .handler = lp_on_stop_set},
    {.method = LP_DELETE, .path = "/api/emergency-stops", .op = "end_emergency_stop", .tag = "Devices",
     .text = "Let it be written again; failed processes go on when they are retried", .role = LP_ROLE_OPERATE, QUERY(stop_query),
     .body = LP_BODY_NONE, .status = 200, .response = "[Stop]", .errors = "404 409", .handler = lp_on_stop_end},
    /* ---- the network ---- */
    {.method = LP_GET, .path = "/api/topology", .op = "get_topology", .tag = "Network", .text = "PoPs, devices and fibers",
     .role = LP_ROLE_READ, .status = 200, .response = "Topology", .handler = lp_on_topology},
    {.method = LP_GET, .path = "/api/topology/impact", .op = "get_impact", .tag = "Network",
     .text = "Every service that rides on a fiber, device, card or PoP, by customer", .role = LP_ROLE_READ, QUERY(impact_query), .status = 200,
     .response = "Impact", .errors = "404", .handler = lp_on_impact},
    {.method = LP_GET, .path = "/api/services/{subscription_id}/path", .op = "get_service_path", .tag = "Network",
     .text = "What a digital service runs over: its channels, port by port", .role = LP_ROLE_READ, .status = 200, .response = "ServicePath",
     .errors = "404 422", .handler = lp_on_service_path},
    {.method = LP_GET, .path = "/api/find", .op = "find", .tag = "Network",
     .text = "What is called exactly so: by port, circuit, customer, ticket or wavelength", .role = LP_ROLE_READ, QUERY(find_query),
     .status = 200, .response = "Found", .handler = lp_on_search},
    {.method = LP_GET, .path = "/api/routes", .op = "find_routes", .tag = "Network",
     .text = "Routes between two ports or devices, best first, with what is free on them; without any, why", .role = LP_ROLE_READ,
     QUERY(route_query), .status = 200, .response = "Routes", .errors = "404 409", .handler = lp_on_route_list},
    {.method = LP_GET, .path = "/api/spectrum/differences", .op = "get_spectrum_differences", .tag = "Network",
     .text = "Light that no claim explains, and lit claims without light, by the last readings", .role = LP_ROLE_READ,
     QUERY(difference_query), .status = 200, .response = "SpectrumDifferences", .errors = "404 409", .handler = lp_on_spectrum_differences},
    {.method = LP_GET, .path = "/api/spectrum/{place}", .op = "get_spectrum", .tag = "Network",
     .text = "Claims beside the light that was last read, of a fiber or of all fibers at a device", .role = LP_ROLE_READ, .status = 200,
     .response = "Spectrum", .errors = "404 409", .handler = lp_on_spectrum_get},

    /* ---- catalogue ---- */
    {.method = LP_GET, .path = "/api/products/", .op = "list_products", .tag = "Products", .text = "Products",
     .role = LP_ROLE_READ, QUERY(product_query), .status = 200, .response = "[Product]", .handler = lp_on_product_list},
    {.method = LP_GET, .path = "/api/products/{product_id}", .op = "get_product", .tag = "Products", .text = "One product",
     .role = LP_ROLE_READ, .status = 200, .response = "Product", .errors = "404", .handler = lp_on_product_get},
    {.method = LP_PATCH, .path = "/api/products/{product_id}", .op = "update_product", .tag = "Products",
     .text = "Change description or lifecycle", .role = LP_ROLE_OPERATE, MEMBERS(product_body), .status = 201, .response = "Product",
     .errors = "404", .handler = lp_on_product_patch},
    {.method = LP_GET, .path = "/api/product_blocks/{product_block_id}", .op = "get_product_block", .tag = "Products",
     .text = "One product block", .role = LP_ROLE_READ, .status = 200, .response = "ProductBlock", .errors = "404",
     .handler = lp_on_block_get},
    {.method = LP_PATCH, .path = "/api/product_blocks/{product_block_id}", .op = "update_product_block", .tag = "Products",
     .text = "Change the description", .role = LP_ROLE_OPERATE, MEMBERS(description_body), .status = 201, .response = "ProductBlock",
     .errors = "404", .handler = lp_on_block_patch},
    {.method = LP_GET, .path = "/api/resource_types/{resource_type_id}", .op = "get_resource_type", .tag = "Products",
     .text = "One resource type", .role = LP_ROLE_READ, .status = 200, .response = "ResourceType", .errors = "404",
     .handler = lp_on_resource_type_get},
    {.method = LP_PATCH, .path = "/api/resource_types/{resource_type_id}", .op = "update_resource_type", .tag = "Products",
     .text = "Change the description", .role = LP_ROLE_OPERATE, MEMBERS(description_body), .status = 201, .response = "ResourceType",
     .errors = "404", .handler = lp_on_resource_type_patch},
    {.method = LP_GET, .path = "/api/workflows/", .op = "list_workflows", .tag = "Workflows", .text = "Workflows and tasks",
     .role = LP_ROLE_READ, QUERY(workflow_query), .status = 200, .response = "[Workflow]", .handler = lp_on_workflow_list},
    {.method = LP_GET, .path = "/api/workflows/{workflow_id}", .op = "get_workflow", .tag = "Workflows", .text = "One workflow",
     .role = LP_ROLE_READ, .status = 200, .response = "Workflow", .errors = "404", .handler = lp_on_workflow_get},
    {.method = LP_PATCH, .path = "/api/workflows/{workflow_id}", .op = "update_workflow", .tag = "Workflows",
     .text = "Change the description", .role = LP_ROLE_OPERATE, MEMBERS(description_body), .status = 201, .response = "Workflow",
     .errors = "404", .handler = lp_on_workflow_patch},
    {.method = LP_GET, .path = "/api/translations/{lang}", .op = "get_translations", .tag = "Translations",
     .text = "Labels and help texts of form fields", .role = LP_ROLE_NONE, .status = 200, .response = "Object",
     .handler = lp_on_translations},
    {.method = LP_POST, .path = "/api/forms/{form_key}", .op = "post_form", .tag = "Forms",
     .text = "Forms outside workflows; none exist yet", .role = LP_ROLE_READ, .body = LP_BODY_PAGES, .body_text = PAGES_TEXT,
     .status = 200, .response = "Object", .errors = "404", .handler = lp_on_form},

    /* ---- schedules and maintenance windows ---- */
    {.method = LP_GET, .path = "/api/schedules/", .op = "list_schedules", .tag = "Schedules", .text = "Schedules, by name",
     .role = LP_ROLE_READ, .status = 200, .response = "[Schedule]", .handler = lp_on_schedule_list},
    {.method = LP_POST, .path = "/api/schedules/", .op = "create_schedule", .tag = "Schedules",
     .text = "Make a schedule; it is there when the answer comes", .role = LP_ROLE_OPERATE, QUERY(actor_query), MEMBERS(schedule_create_body), .status = 201,
     .response = "ScheduleAnswer", .errors = "404 409", .handler = lp_on_schedule_create},
    {.method = LP_PUT, .path = "/api/schedules/", .op = "update_schedule", .tag = "Schedules",
     .text = "Change a schedule; what is not given stays", .role = LP_ROLE_OPERATE, QUERY(actor_query), MEMBERS(schedule_change_body), .status = 200,
     .response = "ScheduleAnswer", .errors = "404 409", .handler = lp_on_schedule_change},
    {.method = LP_DELETE, .path = "/api/schedules/", .op = "delete_schedule", .tag = "Schedules", .text = "Delete a schedule",
     .role = LP_ROLE_OPERATE, QUERY(actor_query), MEMBERS(schedule_delete_body), .status = 200, .response = "ScheduleDeleted", .errors = "404",
     .handler = lp_on_schedule_delete},
    {.method = LP_GET, .path = "/api/schedules/{schedule_id}", .op = "get_schedule", .tag = "Schedules", .text = "One schedule",
     .role = LP_ROLE_READ, .status = 200, .response = "Schedule", .errors = "404", .handler = lp_on_schedule_get},
    {.method = LP_PUT, .path = "/api/schedules/{schedule_id}", .op = "update_named_schedule", .tag = "Schedules",
     .text = "Change a schedule; what is not given stays", .role = LP_ROLE_OPERATE, QUERY(actor_query), MEMBERS(schedule_named_body), .status = 200,
     .response = "ScheduleAnswer", .errors = "404 409", .handler = lp_on_schedule_change_named},
    {.method = LP_DELETE, .path = "/api/schedules/{schedule_id}", .op = "delete_named_schedule", .tag = "Schedules",
     .text = "Delete a schedule", .role = LP_ROLE_OPERATE, QUERY(actor_query), .body = LP_BODY_NONE, .status = 204, .errors = "404",
     .handler = lp_on_schedule_delete_named},
    {.method = LP_GET, .path = "/api/schedules/{schedule_id}/runs", .op = "list_schedule_runs", .tag = "Schedules",
     .text = "What became of its due times, newest first", .role = LP_ROLE_READ, QUERY(runs_query), .status = 200,
     .response = "[ScheduleRun]", .errors = "404", .handler = lp_on_schedule_runs},
    {.method = LP_GET, .path = "/api/windows/", .op = "list_windows", .tag = "Windows", .text = "Maintenance windows, by name",
     .role = LP_ROLE_READ, .status = 200, .response = "[Window]", .handler = lp_on_window_list},
    {.method = LP_POST, .path = "/api/windows/", .op = "create_window", .tag = "Windows", .text = "Make a maintenance window",
     .role = LP_ROLE_OPERATE, QUERY(actor_query), MEMBERS(window_create_body), .status = 201, .response = "Window", .errors = "409",
     .handler = lp_on_window_create},
    {.method = LP_GET, .path = "/api/windows/{window}", .op = "get_window", .tag = "Windows", .text = "One maintenance window",
     .role = LP_ROLE_READ, .status = 200, .response = "Window", .errors = "404", .handler = lp_on_window_get},
    {.method = LP_PUT, .path = "/api/windows/{window}", .op = "update_window", .tag = "Windows",
     .text = "Change a maintenance window; what is not given stays, who waits for it looks again", .role = LP_ROLE_OPERATE,
     QUERY(actor_query), MEMBERS(window_change_body), .status = 200, .response = "Window", .errors = "404 409", .handler = lp_on_window_change},
    {.method = LP_DELETE, .path = "/api/windows/{window}", .op = "delete_window", .tag = "Windows",
     .text = "Delete a maintenance window that nothing is bound to", .role = LP_ROLE_OPERATE, QUERY(actor_query), .body = LP_BODY_NONE, .status = 204,
     .errors = "404 409", .handler = lp_on_window_delete},
    {.method = LP_PUT, .path = "/api/processes/{process_id}/window", .op = "bind_process_window", .tag = "Windows",
     .text = "Bind a process to a maintenance window, or to none", .role = LP_ROLE_OPERATE, QUERY(actor_query), MEMBERS(process_window_body), .status = 204,
     .errors = "404 409", .handler = lp_on_process_window},

    /* ---- settings ---- */
    {.method = LP_GET, .path = "/api/settings/status", .op = "get_global_status", .tag = "Settings", .text = "Is the engine paused?",
     .role = LP_ROLE_READ, .status = 200, .response = "EngineStatus", .handler = lp_on_status},
    {.method = LP_PUT, .path = "/api/settings/status", .op = "set_global_status", .tag = "Settings", .text = "Pause or go on",
     .role = LP_ROLE_OPERATE, QUERY(actor_query), MEMBERS(status_body), .status = 200, .response = "EngineStatus",
     .handler = lp_on_status_set},
    {.method = LP_GET, .path = "/api/settings/worker-status", .op = "get_worker_status", .tag = "Settings", .text = "Executors",
     .role = LP_ROLE_READ, .status = 200, .response = "WorkerStatus", .handler = lp_on_worker_status},
    {.method = LP_POST, .path = "/api/settings/restored/end", .op = "end_restored", .tag = "Settings",
     .text = "End the state 'restored' by hand, with a reason; it ends by itself when everything was validated", .role = LP_ROLE_ADMIN,
     QUERY(actor_query), .body = LP_BODY_NONE, .status = 200, .response = "EngineStatus", .handler = lp_on_restored_end},
    {.method = LP_GET, .path = "/api/settings/cache-names", .op = "get_cache_names", .tag = "Settings",
     .text = "Caches that may be emptied: the metrics counts", .role = LP_ROLE_READ, .status = 200, .response = "Object",
     .inline_ = false, .handler = lp_on_cache_names},
    {.method = LP_DELETE, .path = "/api/settings/cache/{name}", .op = "clear_cache", .tag = "Settings", .text = "Empty a cache",
     .role = LP_ROLE_OPERATE, .body = LP_BODY_NONE, .status = 200, .response = "CacheCleared", .invalid_http = 400,
     .handler = lp_on_cache_clear},
    {.method = LP_POST, .path = "/api/settings/search-index/reset", .op = "reset_search_index", .tag = "Settings",
     .text = "Nothing to rebuild: the search reads the live rows. Answered for compatibility", .role = LP_ROLE_OPERATE,
     .body = LP_BODY_NONE, .status = 200, .response = "null", .handler = lp_on_search_reset},
    {.method = LP_GET, .path = "/api/settings/overview", .op = "get_exposed_settings", .tag = "Settings",
     .text = "Configuration, secrets masked", .role = LP_ROLE_READ, .status = 200, .response = "[SettingsSection]",
     .handler = lp_on_overview},

    /* ---- operating ---- */
    {.method = LP_GET, .path = "/api/executors/", .op = "list_executors", .tag = "Operating",
     .text = "Executors that live or were lost, with what they hold", .role = LP_ROLE_READ, QUERY(executors_query), .status = 200,
     .response = "[Executor]", .handler = lp_on_executors},
    {.method = LP_PUT, .path = "/api/executors/{executor_name}", .op = "drain_executor", .tag = "Operating",
     .text = "Drain an executor, or end that; the mark outlives a restart", .role = LP_ROLE_OPERATE, QUERY(actor_query), MEMBERS(drain_body),
     .status = 204, .errors = "404", .handler = lp_on_executor_drain},
    {.method = LP_GET, .path = "/api/engine", .op = "get_engine", .tag = "Operating",
     .text = "Pause, leases, queue depth and oldest waiting, per label", .role = LP_ROLE_READ, .status = 200, .response = "Engine",
     .handler = lp_on_engine},
    {.method = LP_GET, .path = "/api/doctor", .op = "get_doctor", .tag = "Operating",
     .text = "What is not as it should be, what it means, and what to do", .role = LP_ROLE_READ, .status = 200, .response = "Doctor",
     .handler = lp_on_doctor},
    {.method = LP_POST, .path = "/api/doctor/fix", .op = "fix_doctor", .tag = "Operating",
     .text = "The same, and repairs what is safe to repair; each repair is audited", .role = LP_ROLE_ADMIN, QUERY(actor_query),
     .body = LP_BODY_NONE, .status = 200, .response = "Doctor", .handler = lp_on_doctor_fix},
    {.method = LP_GET, .path = "/api/notifications/", .op = "list_notifications", .tag = "Operating",
     .text = "The log of deliveries, newest first", .role = LP_ROLE_READ, QUERY(notifications_query), .status = 200,
     .response = "[Delivery]", .handler = lp_on_notification_list},
    {.method = LP_POST, .path = "/api/notifications/test", .op = "test_notification", .tag = "Operating",
     .text = "Send a test to one target, or to all", .role = LP_ROLE_OPERATE, MEMBERS(notification_body), .status = 201,
     .response = "NotificationId", .handler = lp_on_notification_test},
    {.method = LP_GET, .path = "/api/notifications/{notification_id}", .op = "get_notification", .tag = "Operating",
     .text = "The deliveries of one notification", .role = LP_ROLE_READ, .status = 200, .response = "Notification", .errors = "404",
     .handler = lp_on_notification_get},

    /* ---- system ---- */
    {.method = LP_GET, .path = "/api/health/", .op = "get_health", .tag = "Core", .text = "OK, or why not", .role = LP_ROLE_NONE,
     .status = 200, .response = "{\"type\":\"string\",\"const\":\"OK\"}", .handler = lp_on_health},
    {.method = LP_GET, .path = "/api/events", .op = "stream_events", .tag = "Events",
     .text = "Server-sent events; Last-Event-ID replays what was missed. data = {\"name\":\"invalidateCache\",\"value\":{...}}",
     .role = LP_ROLE_READ, QUERY(events_query), .status = 200, .response = "{\"type\":\"string\"}", .type = "text/event-stream",
     .invalid_http = 400, .stream = true, .handler = lp_on_events},
    {.method = LP_GET, .path = "/api/metrics", .op = "get_metrics", .tag = "Core", .text = "Prometheus text", .role = LP_ROLE_NONE,
     .status = 200, .response = "{\"type\":\"string\"}", .type = "text/plain; version=0.0.4; charset=utf-8", .handler = lp_on_metrics},
    {.method = LP_GET, .path = "/api/audit", .op = "list_audit", .tag = "Audit", .text = "Audit rows", .role = LP_ROLE_READ,
     QUERY(audit_query), .status = 200, .response = "[Object]", .handler = lp_on_audit},
    {.method = LP_GET, .path = "/api/audit/verify", .op = "verify_audit", .tag = "Audit",
     .text = "Recompute every hash and seal; 409 names the first fault", .role = LP_ROLE_READ, .status = 200,
     .response = "AuditVerified", .errors = "409", .handler = lp_on_audit_verify},
    {.method = LP_GET, .path = "/api/tokens/", .op = "list_tokens", .tag = "Tokens", .text = "API tokens, without their secrets",
     .role = LP_ROLE_ADMIN, .status = 200, .response = "[Token]", .handler = lp_on_token_list},
    {.method = LP_POST, .path = "/api/tokens/", .op = "create_token", .tag = "Tokens",
     .text = "Make a token; it is shown this once and stored as a hash", .role = LP_ROLE_ADMIN, MEMBERS(token_body), .status = 201,
     .response = "NewToken", .handler = lp_on_token_create},
    {.method = LP_DELETE, .path = "/api/tokens/{token_id}", .op = "revoke_token", .tag = "Tokens", .text = "Revoke a token",
     .role = LP_ROLE_ADMIN, .body = LP_BODY_NONE, .status = 204, .errors = "404", .handler = lp_on_token_revoke},
    {.method = LP_POST, .path = "/api/db/backup", .op = "backup_database", .tag = "Core",
     .text = "Online backup to a new file inside the data directory", .role = LP_ROLE_ADMIN, MEMBERS(backup_body), .status = 200,
     .response = "Backup", .errors = "409", .handler = lp_on_backup},
    {.method = LP_POST, .path = "/api/user/error", .op = "log_user_error", .tag = "User", .text = "A front end reports an error",
     .role = LP_ROLE_READ, .body = LP_BODY_OBJECT, .status = 200, .response = "Object", .handler = lp_on_user_error},
    {.method = LP_POST, .path = "/api/user/log/{user_name}", .op = "log_user_info", .tag = "User", .text = "A front end reports something",
     .role = LP_ROLE_READ, .body = LP_BODY_OBJECT, .status = 200, .response = "Object", .handler = lp_on_user_log},
    {.method = LP_GET, .path = "/api/openapi.json", .op = "get_openapi", .tag = "Core", .text = "This description",
     .role = LP_ROLE_NONE, .status = 200, .response = "Object", .handler = lp_on_openapi},
    {.method = LP_GET, .path = "/api/docs", .op = "get_docs", .tag = "Core", .text = "This description as a page",
     .role = LP_ROLE_NONE, .status = 200, .response = "{\"type\":\"string\"}", .type = "text/html; charset=utf-8", .inline_ = true,
     .handler = lp_on_docs},
    {.method = LP_GET, .path = "/", .op = "get_root", .tag = "Core", .text = "Name of the program", .role = LP_ROLE_NONE,
     .status = 200, .response = "{\"type\":\"string\"}", .inline_ = true, .handler = lp_on_root},
};

/* clang-format on */

const struct lp_route *
lp_routes(size_t *count)
{
    *count = LP_COUNT(rows);
    return rows;
}
