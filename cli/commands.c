#include "cli/commands.h"

/* clang-format off */

const struct cli_option cli_globals[] = {
    {.name = "url", .value = "URL", .help = "where lightpathd answers, such as http://127.0.0.1:8420"},
    {.name = "socket", .value = "SOCKET", .help = "Unix socket of a lightpathd on this machine"},
    {.name = "token-file", .value = "FILE", .help = "file that holds the API token"},
    {.name = "ca-file", .value = "FILE", .help = "certificates to trust beside the system's"},
    {.name = "timeout", .value = "SECONDS", .help = "most time for one request; 30"},
    {.name = "output", .letter = 'o', .value = "FORMAT", .help = "table (for people) or json (what the API sent)", .words = "table json"},
    {.name = "yes", .letter = 'y', .help = "take every confirmation as given"},
    {.name = "no-input", .help = "never ask, even on a terminal"},
    {.name = "help", .letter = 'h', .help = "what the command does"},
    {.name = "version", .letter = 'V', .help = "versions of this program and of the server"},
};
const size_t cli_global_count = LP_COUNT(cli_globals);

const char *const cli_environment[][2] = {
    {"LIGHTPATH_URL", "as --url"},
    {"LIGHTPATH_SOCKET", "as --socket; goes before LIGHTPATH_URL"},
    {"LIGHTPATH_DAEMON_DATA_DIR", "data folder of the daemon, whose socket is used when neither of them is set"},
    {"LIGHTPATH_TOKEN", "the API token itself"},
    {"NO_COLOR", "when set, colours are never used"},
    {"COLUMNS", "width of the terminal when it does not tell"},
};
const size_t cli_environment_count = LP_COUNT(cli_environment);

#define FORM_OPTIONS \
    {.name = "set", .value = "KEY=VALUE", .help = "value of a field, whichever page asks for it; KEY.KEY=VALUE inside objects; repeated for lists; KEY:=JSON as it is"}, \
    {.name = "file", .value = "FILE", .help = "JSON: a list of pages, or one object of fields; - for standard input"}
#define WHY_OPTIONS \
    {.name = "ticket", .value = "TICKET", .help = "what it is done for; kept in the process and the audit"}, \
    {.name = "reason", .value = "TEXT", .help = "why it is done; kept in the process and the audit"}
#define WATCH_OPTION {.name = "watch", .letter = 'w', .help = "follow the process to its end"}
#define LIMIT_OPTION {.name = "limit", .value = "N", .help = "most rows; 100"}

static const struct cli_option start_options[] = {
    FORM_OPTIONS, WHY_OPTIONS, WATCH_OPTION,
    {.name = "window", .value = "WINDOW", .help = "maintenance window outside which the process waits"},
    {.name = "dry-run", .help = "stop after the plan and leave nothing behind; `plan show` tells what would be done"}};
#define SCHEDULE_OPTIONS \
    {.name = "name", .value = "NAME", .help = "shown name; the task's description without"}, \
    {.name = "cron", .value = "EXPRESSION", .help = "minute hour day-of-month month day-of-week, such as '30 2 * * mon-fri'; L is the last day of a month"}, \
    {.name = "every", .value = "TIME", .help = "interval, such as 6h, 15m or 1h30m"}, \
    {.name = "at", .value = "TIME", .help = "once: ISO 8601, such as 2026-03-01T02:00 (wall clock of the zone)"}, \
    {.name = "timezone", .value = "ZONE", .help = "IANA name, such as Europe/Rome; UTC without"}, \
    {.name = "start", .value = "TIME", .help = "no due time before"}, \
    {.name = "end", .value = "TIME", .help = "no due time after"}, \
    {.name = "jitter", .value = "SECONDS", .help = "starts are spread over so many seconds behind the due time"}, \
    {.name = "inputs", .value = "JSON", .help = "form pages of the task: a list of objects, or one object"}, \
    {.name = "misfire", .value = "POLICY", .help = "due times nobody was there for: skip them, start once (default), or all", .words = "skip once all"}, \
    {.name = "misfire-most", .value = "N", .help = "with all: at most so many, the newest; 24"}, \
    {.name = "grace", .value = "SECONDS", .help = "so late a start is no misfire; 60"}, \
    {.name = "overlap", .value = "WORD", .help = "skip: not while the process of an earlier run is at work", .words = "allow skip"}, \
    {.name = "window", .value = "WINDOW", .help = "maintenance window its processes are bound to; none removes it"}
static const struct cli_option schedule_create_options[] = {
    SCHEDULE_OPTIONS, {.name = "paused", .help = "nothing starts until `schedule resume`"}, WHY_OPTIONS};
static const struct cli_option schedule_update_options[] = {SCHEDULE_OPTIONS, WHY_OPTIONS};
#define WINDOW_OPTIONS \
    {.name = "hours", .value = "FROM-TO", .help = "wall clock times, such as 02:00-04:00; 22:00-04:00 ends on the next day"}, \
    {.name = "days", .value = "DAYS", .help = "days it opens on, such as mon,tue; all without"}, \
    {.name = "timezone", .value = "ZONE", .help = "IANA name, such as Europe/Rome; UTC without"}, \
    {.name = "starts", .value = "TIME", .help = "instead of --hours: opens once, then"}, \
    {.name = "ends", .value = "TIME", .help = "end of one that opens once"}, \
    {.name = "not-before", .value = "TIME", .help = "never open before"}, \
    {.name = "not-after", .value = "TIME", .help = "never open after"}, \
    {.name = "margin", .value = "SECONDS", .help = "so long before it closes nothing new is begun"}, \
    {.name = "description", .value = "TEXT", .help = "what it is for"}
static const struct cli_option window_create_options[] = {WINDOW_OPTIONS, WHY_OPTIONS};
static const struct cli_option window_update_options[] = {
    {.name = "name", .value = "NAME", .help = "another name"}, WINDOW_OPTIONS, WHY_OPTIONS};
static const struct cli_option resume_options[] = {FORM_OPTIONS, WHY_OPTIONS, WATCH_OPTION};
static const struct cli_option why_options[] = {WHY_OPTIONS};
static const struct cli_option why_watch_options[] = {WHY_OPTIONS, WATCH_OPTION};
static const struct cli_option abort_options[] = {
    {.name = "rollback", .help = "undo the finished steps in reverse order first"}, WHY_OPTIONS, WATCH_OPTION};
static const struct cli_option done_options[] = {
    {.name = "delta", .value = "JSON", .help = "object of what the step would have put into the state"}, WHY_OPTIONS, WATCH_OPTION};
static const struct cli_option process_list_options[] = {
    {.name = "status", .value = "STATUS", .help = "only these; repeatable",
     .words = "created running suspended waiting awaiting_callback aborted failed api_unavailable inconsistent_data completed resumed"},
    {.name = "workflow", .value = "NAME", .help = "only of this workflow"},
    {.name = "subscription", .value = "SUBSCRIPTION", .help = "only those that touch it"},
    {.name = "tasks", .help = "tasks instead of workflows"},
    {.name = "all", .letter = 'a', .help = "workflows and tasks"},
    LIMIT_OPTION};
static const struct cli_option subscription_list_options[] = {
    {.name = "status", .value = "STATUS", .help = "only these; repeatable. Without: all but terminated",
     .words = "initial provisioning active migrating disabled terminated"},
    {.name = "product", .value = "NAME", .help = "only of this product"},
    {.name = "out-of-sync", .help = "only those that differ from reality"},
    LIMIT_OPTION};
static const struct cli_option limit_options[] = {LIMIT_OPTION};
static const struct cli_option workflow_list_options[] = {
    {.name = "target", .value = "TARGET", .help = "only these", .words = "CREATE MODIFY TERMINATE SYSTEM VALIDATE RECONCILE"},
    {.name = "tasks", .help = "only tasks"}};
static const struct cli_option import_options[] = {
    {.name = "owner", .value = "PARTNER", .help = "the Partner that owns the new subscriptions, by name or id"},
    {.name = "source", .value = "NAME", .help = "where the rows come from; validation compares with the newest import of each source"},
    {.name = "skip-existing", .help = "leave rows alone that exist already; without, one such row refuses the whole file"},
    {.name = "ignore-columns", .help = "columns that nothing was asked of are no fault"},
    {.name = "map", .value = "FIELD=COLUMN", .help = "the column that holds a field, when the names differ; repeatable"},
    WHY_OPTIONS, WATCH_OPTION};
static const struct cli_option adopt_options[] = {
    {.name = "owner", .value = "PARTNER", .help = "name of the Partner that owns the services"},
    {.name = "preview", .help = "look only: say what fits and what differs, adopt nothing"},
    WHY_OPTIONS, WATCH_OPTION};
static const struct cli_option export_options[] = {
    {.name = "format", .value = "FORMAT", .help = "json or dot (Graphviz); json without", .words = "json dot"}};
static const struct cli_option path_options[] = {
    {.name = "low", .value = "MHZ", .help = "low edge of the passband"},
    {.name = "high", .value = "MHZ", .help = "its high edge, which does not belong to it"},
    {.name = "width", .value = "MHZ", .help = "without edges: any passband of this width"},
    {.name = "policy", .value = "POLICY", .help = "first-fit or last-fit", .words = "first-fit last-fit"},
    {.name = "include", .value = "NAME", .help = "a device or fiber it runs through, in this order; repeatable"},
    {.name = "exclude", .value = "NAME", .help = "a device or fiber it avoids; repeatable"},
    {.name = "exclude_risks", .value = "NAME", .help = "a shared risk it avoids; repeatable"},
    {.name = "cost", .value = "COST", .help = "what makes one better: hops, length, latency, loss or margin",
     .words = "hops length latency loss margin"},
    {.name = "osnr", .value = "CDB", .help = "what the mode needs, in 0.01 dB: shows margins"},
    {.name = "limit", .value = "N", .help = "most routes"}};
static const struct cli_option impact_options[] = {
    {.name = "fiber", .value = "FIBER", .help = "a fiber: its id or name"},
    {.name = "device", .value = "DEVICE", .help = "a device: its id, host name or node name"},
    {.name = "pop", .value = "POP", .help = "a PoP: its id or code"},
    {.name = "card", .value = "CARD", .help = "with --device: only this card, a prefix of port names"}};
static const struct cli_option token_options[] = {
    {.name = "role", .value = "ROLE", .help = "read, operate or admin", .words = "read operate admin"},
    {.name = "expires", .value = "TIME", .help = "ISO 8601 time after which it is refused; never without"}};

static const struct cli_option drain_options[] = {
    WHY_OPTIONS, {.name = "watch", .letter = 'w', .help = "wait until it holds nothing any more"}};
static const struct cli_option executor_list_options[] = {
    {.name = "all", .letter = 'a', .help = "also those that stopped in good order"}};
static const struct cli_option doctor_options[] = {
    {.name = "fix", .help = "repair what is safe to repair; each repair is audited"}, WHY_OPTIONS};
static const struct cli_option notification_list_options[] = {
    {.name = "status", .value = "STATUS", .help = "only these", .words = "pending held digested sent dead"}, LIMIT_OPTION};

static const struct cli_option command_options[] = {
    {.name = "write", .help = "the command may change the device; role admin"}, WHY_OPTIONS};

#define OPTIONS(array) .options = (array), .option_count = LP_COUNT(array)
#define NEXT_STEPS "The process goes on at once; --watch follows it."

const struct cli_command cli_commands[] = {
    {.noun = "product", .verb = "list", .args = "", .summary = "the products that can be ordered", .run = cli_product_list},
    {.noun = "workflow", .verb = "list", .args = "", .summary = "the workflows and tasks that can be started",
     OPTIONS(workflow_list_options), .run = cli_workflow_list},

    {.noun = "process", .verb = "start", .args = "WORKFLOW [SUBSCRIPTION]", .min_args = 1, .max_args = 2,
     .summary = "start a workflow",
     .help = "Values for the form come from --set and --file. On a terminal everything else is asked for; otherwise missing values are "
             "listed and nothing is started. Texts are turned into the type each field has; null empties an optional field.",
     OPTIONS(start_options), .run = cli_process_start},
    {.noun = "process", .verb = "list", .args = "", .summary = "processes, newest first", OPTIONS(process_list_options), .run = cli_process_list},
    {.noun = "process", .verb = "show", .args = "PROCESS", .min_args = 1, .max_args = 1, .summary = "one process and its steps", .run = cli_process_show},
    {.noun = "process", .verb = "changed", .args = "[PROCESS]", .max_args = 1,
     .summary = "processes whose workflow has other steps since an upgrade, and what can be done",
     .help = "Ask a daemon of the new release. What goes on by itself needs nothing.", OPTIONS(limit_options), .run = cli_process_changed},
    {.noun = "process", .verb = "steps", .args = "PROCESS", .min_args = 1, .max_args = 1,
     .summary = "what every step changed, and every attempt", .run = cli_process_steps},
    {.noun = "process", .verb = "watch", .args = "PROCESS", .min_args = 1, .max_args = 1,
     .summary = "follow a process to its end", .help = "Ctrl-C stops watching; the process goes on.", .run = cli_process_watch},
    {.noun = "process", .verb = "resume", .args = "PROCESS", .min_args = 1, .max_args = 1,
     .summary = "answer a process that waits for input", OPTIONS(resume_options), .run = cli_process_resume},
    {.noun = "process", .verb = "retry", .args = "PROCESS", .min_args = 1, .max_args = 1,
     .summary = "try the failed or waiting step again", .help = NEXT_STEPS, OPTIONS(why_watch_options), .run = cli_process_retry},
    {.noun = "process", .verb = "skip", .args = "PROCESS", .min_args = 1, .max_args = 1,
     .summary = "go on behind the failed step", .help = "Wants --reason. " NEXT_STEPS, OPTIONS(why_watch_options), .run = cli_process_skip},
    {.noun = "process", .verb = "mark-done", .args = "PROCESS", .min_args = 1, .max_args = 1,
     .summary = "count the failed step as done by hand", .help = "Wants --reason. " NEXT_STEPS, OPTIONS(done_options), .run = cli_process_mark_done},
    {.noun = "process", .verb = "abort", .args = "PROCESS", .min_args = 1, .max_args = 1,
     .summary = "end a process for good", OPTIONS(abort_options), .run = cli_process_abort},
    {.noun = "process", .verb = "note", .args = "PROCESS TEXT", .min_args = 2, .max_args = 2,
     .summary = "write a note on a process; an empty text removes it", OPTIONS(why_options), .run = cli_process_note},
    {.noun = "process", .verb = "window", .args = "PROCESS WINDOW", .min_args = 2, .max_args = 2,
     .summary = "bind a process to a maintenance window; none frees it",
     .help = "A process that waits for a window looks again at once; one that failed because its window never opens again is retried afterwards.",
     OPTIONS(why_options), .run = cli_process_window},
    {.noun = "process", .verb = "delete", .args = "PROCESS", .min_args = 1, .max_args = 1,
     .summary = "delete a finished task", OPTIONS(why_options), .run = cli_process_delete},

    {.noun = "process", .verb = "evidence", .args = "PROCESS", .min_args = 1, .max_args = 1,
     .summary = "every exchange with devices, as it was sent and answered", .run = cli_process_evidence},
    {.noun = "plan", .verb = "show", .args = "PROCESS", .min_args = 1, .max_args = 1,
     .summary = "what a process tells devices: operations, differences, commands", .run = cli_plan_show},
    {.noun = "plan", .verb = "approve", .args = "PROCESS", .min_args = 1, .max_args = 1,
     .summary = "approve the newest plan of a process that stopped because it went beyond the first, or too late",
     .help = "The form of a suspended process is answered with `process resume`. " NEXT_STEPS,
     OPTIONS(why_options), .run = cli_plan_approve},

    {.noun = "device", .verb = "list", .args = "", .summary = "devices, their mode and what drifted", .run = cli_device_list},
    {.noun = "device", .verb = "show", .args = "DEVICE", .min_args = 1, .max_args = 1, .summary = "one device, by id, name or address",
     .run = cli_device_show},
    {.noun = "device", .verb = "ports", .args = "DEVICE", .min_args = 1, .max_args = 1, .summary = "its ports, as last read",
     .run = cli_device_ports},
    {.noun = "device", .verb = "inventory", .args = "DEVICE", .min_args = 1, .max_args = 1, .summary = "its equipment, as last read",
     .run = cli_device_inventory},
    {.noun = "device", .verb = "alarms", .args = "DEVICE", .min_args = 1, .max_args = 1, .summary = "its alarms, as last read",
     .run = cli_device_alarms},
    {.noun = "device", .verb = "spectrum", .args = "DEVICE", .min_args = 1, .max_args = 1, .summary = "occupied spectrum, as last read",
     .run = cli_device_spectrum},
    {.noun = "device", .verb = "refresh", .args = "DEVICE", .min_args = 1, .max_args = 1, .summary = "read all of that anew",
     OPTIONS(why_options), .run = cli_device_refresh},
    {.noun = "device", .verb = "mode", .args = "DEVICE [MODE]", .min_args = 1, .max_args = 2, .complete = CLI_COMPLETE_WORDS,
     .words = "observe manage", .summary = "show or set whether it may be written",
     .help = "observe: planned for, never written. manage: written, as far as devices.write_allow permits.",
     OPTIONS(why_options), .run = cli_device_mode},
    {.noun = "device", .verb = "command", .args = "DEVICE COMMAND", .min_args = 2, .max_args = 2,
     .summary = "send a command as the device takes it, and print the answer",
     .help = "Runs as a task process and is audited. What only reads is for role operate; --write sends anything and is for role admin.",
     OPTIONS(command_options), .run = cli_device_command},
    {.noun = "stop", .args = "[SCOPE [NAME]]", .max_args = 2, .complete = CLI_COMPLETE_WORDS, .words = "everything site element",
     .summary = "emergency stop: nothing is written to everything, a site or an element",
     .help = "Takes effect between two operations. Without arguments: what is stopped now.", OPTIONS(why_options), .run = cli_stop},
    {.noun = "go", .args = "SCOPE [NAME]", .min_args = 1, .max_args = 2, .complete = CLI_COMPLETE_WORDS, .words = "everything site element",
     .summary = "end an emergency stop", .help = "Processes that failed because of it go on when they are retried.",
     OPTIONS(why_options), .run = cli_go},

    {.noun = "subscription", .verb = "list", .args = "[WORDS]", .max_args = 1, .summary = "subscriptions, newest first",
     .help = "WORDS: only those whose description begins so; % stands for any characters.",
     OPTIONS(subscription_list_options), .run = cli_subscription_list},
    {.noun = "subscription", .verb = "show", .args = "SUBSCRIPTION", .min_args = 1, .max_args = 1, .summary = "everything about one subscription", .run = cli_subscription_show},
    {.noun = "subscription", .verb = "history", .args = "SUBSCRIPTION", .min_args = 1, .max_args = 1,
     .summary = "its versions, newest first", OPTIONS(limit_options), .run = cli_subscription_history},
    {.noun = "subscription", .verb = "diff", .args = "SUBSCRIPTION [FROM [TO]]", .min_args = 1, .max_args = 3,
     .summary = "what changed between two versions",
     .help = "Without FROM: everything the newest process changed.", .run = cli_subscription_diff},
    {.noun = "subscription", .verb = "sync", .args = "SUBSCRIPTION", .min_args = 1, .max_args = 1,
     .summary = "declare that it matches reality again",
     .help = "Refused while unfinished processes hold it. A successful validate or reconcile does the same, with proof.",
     OPTIONS(why_options), .run = cli_subscription_sync},
    {.noun = "subscription", .verb = "workflows", .args = "SUBSCRIPTION", .min_args = 1, .max_args = 1,
     .summary = "what may be started on it, and why not", .run = cli_subscription_workflows},

    {.noun = "task", .verb = "start", .args = "TASK", .min_args = 1, .max_args = 2,
     .summary = "start a task", .help = "As `process start`.", OPTIONS(start_options), .run = cli_process_start},
    {.noun = "pop", .verb = "import", .args = "FILE", .min_args = 1, .max_args = 1, .complete = CLI_COMPLETE_FILE,
     .summary = "create PoPs from a CSV file, one process per row",
     .help = "The first line names the columns. All rows are checked before the first is written; every fault is told with its row and column.",
     OPTIONS(import_options), .run = cli_import},
    {.noun = "device", .verb = "import", .args = "FILE", .min_args = 1, .max_args = 1, .complete = CLI_COMPLETE_FILE,
     .summary = "create or adopt optical devices from a CSV file, one process per row",
     .help = "Columns: fqdn, pop, platform, device_type; and node_name, loopback_ip, management_ip, management_port, gateway, credentials, "
             "mode (observe or manage), key where there are any.",
     OPTIONS(import_options), .run = cli_import},
    {.noun = "fiber", .verb = "import", .args = "FILE", .min_args = 1, .max_args = 1, .complete = CLI_COMPLETE_FILE,
     .summary = "create or adopt optical fibers from a CSV file, one process per row",
     .help = "Columns: device_a, port_a, device_z, port_z; and kind, types and lengths_m of the segments joined by '-', loss_az_db, loss_za_db, "
             "measured_on, cable_id, pair_id, circuit_id, key where there are any. A fiber whose ends are configured already becomes active "
             "without anything being written; a device in mode observe is never written.",
     OPTIONS(import_options), .run = cli_import},
    {.noun = "service", .verb = "show", .args = "SERVICE", .min_args = 1, .max_args = 1,
     .summary = "draw the path of a digital service: channels, devices, ports and fibers", .run = cli_service_show},
    {.noun = "service", .verb = "adopt", .args = "FILE", .min_args = 1, .max_args = 1, .complete = CLI_COMPLETE_FILE,
     .summary = "adopt digital services that already run, from a CSV file",
     .help = "Columns: speed (100G or 400G), flow_id, client_id, och_ids, device_a, client_a, device_z, client_z; and, where no earlier row names "
             "the channels, lines_a, lines_z, mode, centers_mhz, widths_mhz and via (devices on the way). Several values of a cell are joined by "
             "'+'. Every element is looked at first: a service that it holds exactly becomes active without anything being written, any other is "
             "left alone and reported with its differences.",
     OPTIONS(adopt_options), .run = cli_service_adopt},
    {.noun = "topology", .verb = "show", .args = "[POP]", .max_args = 1, .summary = "PoPs, devices and fibers, of one PoP or all",
     .run = cli_topology_show},
    {.noun = "topology", .verb = "export", .args = "", .summary = "the network as JSON, or for Graphviz",
     .help = "`lightpath topology export --format dot | sfdp -Tsvg >network.svg` draws it.", OPTIONS(export_options), .run = cli_topology_export},
    {.noun = "topology", .verb = "impact", .args = "", .summary = "what rides on a fiber, device, card or PoP",
     .help = "Every service that loses its light when it fails or is worked on, by customer. `--device NAME --card 1-A-1` looks at the ports of one "
             "card, whose names begin so.", OPTIONS(impact_options), .run = cli_topology_impact},
    {.noun = "path", .verb = "find", .args = "FROM TO", .min_args = 2, .max_args = 2, .summary = "routes between two ports or devices, best first",
     .help = "An end is a device, or DEVICE:PORT. What others have claimed and what the elements last saw is not offered.",
     OPTIONS(path_options), .run = cli_path_find},
    {.noun = "spectrum", .verb = "show", .args = "FIBER|DEVICE", .min_args = 1, .max_args = 1,
     .summary = "claims beside the light that was last read, of a fiber or of all fibers at a device", .run = cli_spectrum_show},
    {.noun = "spectrum", .verb = "differences", .args = "[FIBER]", .max_args = 1,
     .summary = "light that no claim explains, and lit claims without light", .run = cli_spectrum_differences},
    {.noun = "search", .args = "TEXT", .min_args = 1, .max_args = 1, .summary = "find a port, wavelength, customer, circuit, ticket or anything else",
     .help = "Exact names first, with what uses them; then everything whose words match. A frequency (193.1 THz) or wavelength (1552.52 nm) finds "
             "the ports that carry it.", .run = cli_search},
    {.noun = "todo", .args = "", .summary = "everything that waits for a person", .run = cli_todo},

    {.noun = "schedule", .verb = "list", .args = "", .summary = "what starts by itself, and when", .run = cli_schedule_list},
    {.noun = "schedule", .verb = "show", .args = "SCHEDULE", .min_args = 1, .max_args = 1, .summary = "one schedule", .run = cli_schedule_show},
    {.noun = "schedule", .verb = "create", .args = "TASK", .min_args = 1, .max_args = 1, .summary = "start a task by itself",
     .help = "Each due time starts it once, whatever number of schedulers runs. With a restricted hour a time that is left out when clocks are "
             "turned counts at the first moment behind the gap, and one that comes twice the first time only.",
     OPTIONS(schedule_create_options), .run = cli_schedule_create},
    {.noun = "schedule", .verb = "update", .args = "SCHEDULE", .min_args = 1, .max_args = 1, .summary = "change a schedule; what is not given stays",
     OPTIONS(schedule_update_options), .run = cli_schedule_update},
    {.noun = "schedule", .verb = "pause", .args = "SCHEDULE", .min_args = 1, .max_args = 1, .summary = "start nothing until it is resumed",
     OPTIONS(why_options), .run = cli_schedule_pause},
    {.noun = "schedule", .verb = "resume", .args = "SCHEDULE", .min_args = 1, .max_args = 1, .summary = "go on with the next due time",
     OPTIONS(why_options), .run = cli_schedule_resume},
    {.noun = "schedule", .verb = "delete", .args = "SCHEDULE", .min_args = 1, .max_args = 1, .summary = "remove a schedule",
     OPTIONS(why_options), .run = cli_schedule_delete},
    {.noun = "schedule", .verb = "runs", .args = "SCHEDULE", .min_args = 1, .max_args = 1, .summary = "what became of its due times, newest first",
     OPTIONS(limit_options), .run = cli_schedule_runs},
    {.noun = "window", .verb = "list", .args = "", .summary = "maintenance windows", .run = cli_window_list},
    {.noun = "window", .verb = "show", .args = "WINDOW", .min_args = 1, .max_args = 1, .summary = "one maintenance window", .run = cli_window_show},
    {.noun = "window", .verb = "create", .args = "NAME", .min_args = 1, .max_args = 1, .summary = "say when bound work may be done",
     OPTIONS(window_create_options), .run = cli_window_create},
    {.noun = "window", .verb = "update", .args = "WINDOW", .min_args = 1, .max_args = 1, .summary = "change a window; who waits for it looks again",
     OPTIONS(window_update_options), .run = cli_window_update},
    {.noun = "window", .verb = "delete", .args = "WINDOW", .min_args = 1, .max_args = 1, .summary = "remove a window that nothing is bound to",
     OPTIONS(why_options), .run = cli_window_delete},

    {.noun = "engine", .verb = "status", .args = "", .summary = "is it running, and what is waiting", .run = cli_engine_status},
    {.noun = "engine", .verb = "pause", .args = "", .summary = "stop between steps",
     .help = "Running steps are finished; nothing new begins until `engine resume`.", OPTIONS(why_options), .run = cli_engine_pause},
    {.noun = "engine", .verb = "resume", .args = "", .summary = "go on after a pause", OPTIONS(why_options), .run = cli_engine_resume},
    {.noun = "executor", .verb = "list", .args = "", .summary = "the daemons that execute, and what they hold",
     OPTIONS(executor_list_options), .run = cli_executor_list},
    {.noun = "executor", .verb = "drain", .args = "NAME", .min_args = 1, .max_args = 1,
     .summary = "let an executor end its work and claim nothing new",
     .help = "Its processes go to other executors between two steps. With --watch the command ends when it holds nothing any more. The mark "
             "stays over a restart, until `executor undrain`.",
     OPTIONS(drain_options), .run = cli_executor_drain},
    {.noun = "executor", .verb = "undrain", .args = "NAME", .min_args = 1, .max_args = 1,
     .summary = "let a drained executor work again", OPTIONS(why_options), .run = cli_executor_undrain},
    {.noun = "doctor", .args = "", .summary = "look for what is wrong, and say what to do",
     .help = "Ends with 10 when something is wrong, with 0 when there are only warnings. When the daemon does not start: lightpathd doctor.",
     OPTIONS(doctor_options), .run = cli_doctor},
    {.noun = "notification", .verb = "list", .args = "", .summary = "who was told what, newest first",
     OPTIONS(notification_list_options), .run = cli_notification_list},
    {.noun = "notification", .verb = "test", .args = "[TARGET]", .max_args = 1,
     .summary = "send a test, to one target or to all", .run = cli_notification_test},
    {.noun = "audit", .verb = "show", .args = "[CHAIN]", .max_args = 1, .summary = "who did what, newest first",
     .help = "CHAIN is a process, or system:INCARNATION.", OPTIONS(limit_options), .run = cli_audit_show},
    {.noun = "audit", .verb = "verify", .args = "", .summary = "prove that no audit row was changed or removed", .run = cli_audit_verify},
    {.noun = "token", .verb = "create", .args = "NAME", .min_args = 1, .max_args = 1, .summary = "make an API token; it is shown this once",
     OPTIONS(token_options), .run = cli_token_create},
    {.noun = "token", .verb = "list", .args = "", .summary = "API tokens", .run = cli_token_list},
    {.noun = "token", .verb = "revoke", .args = "TOKEN", .min_args = 1, .max_args = 1, .summary = "make a token worthless", .run = cli_token_revoke},
    {.noun = "db", .verb = "backup", .args = "[FILE]", .max_args = 1,
     .summary = "copy the database while it is in use",
     .help = "FILE lies in the data folder of the server; without it a name with the time is chosen. `lightpathd db restore` reads it.",
     .run = cli_db_backup},
    {.noun = "events", .args = "", .summary = "print events as they happen, until Ctrl-C", .run = cli_events},
    {.noun = "tl1", .verb = "parse", .args = "[FILE]", .max_args = 1, .complete = CLI_COMPLETE_FILE,
     .summary = "raw TL1 text to JSON, one object a line and message",
     .help = "FILE is what an element sent, as captured; - or nothing for standard input. Responses (their blocks joined), autonomous messages and "
             "acknowledgements come out with kind, source, date, time, tag, completion, error, comments and records; a record has its positional values "
             "per block and its named ones, lists as arrays. Echoes and prompts are passed over. Needs no server.",
     .local = true, .run = cli_tl1_parse},
    {.noun = "version", .args = "", .summary = "versions of this program and of the server", .run = cli_version},
    {.noun = "completion", .args = "bash", .min_args = 1, .max_args = 1, .complete = CLI_COMPLETE_WORDS, .words = "bash",
     .summary = "print a script that completes commands",
     .help = "source <(lightpath completion bash)", .local = true, .run = cli_completion},
};
const size_t cli_command_count = LP_COUNT(cli_commands);
