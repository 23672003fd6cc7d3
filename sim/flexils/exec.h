/**
 * TL1 commands against the network model: what an element answers, and what it does. The commands
 * and their shapes are one table (commands.c); sessions, sockets and faults are elsewhere.
 * Threads: the owner of the network.
 */
#ifndef LP_SIM_FLEXILS_EXEC_H
#define LP_SIM_FLEXILS_EXEC_H

#include "sim/flexils/net.h"
#include "wire/tl1.h"

enum sim_verb {
    SIM_RTRV,
    SIM_ENT,
    SIM_ED,
    SIM_DLT,
    SIM_RMV,
    SIM_RST,
    SIM_ACT_USER, /* the session layer runs these four */
    SIM_CANC_USER,
    SIM_MESSAGES,
    SIM_SECURITY,
    SIM_OTHER
};

struct sim_exec;

/** A row of the table: blocks counts what stands behind the CTAG. */
struct sim_command {
    const char *code;
    enum sim_verb verb;
    enum sim_class cls;
    uint8_t aids_min, aids_max, blocks_min, blocks_max;
    bool slow; /* always acknowledged with IP first */
    bool (*run)(struct sim_exec *x);
    const char *filters; /* names that block 2 of a RTRV may hold: |A|B| */
    uint8_t values_max;  /* positional values in block 1 */
};

struct sim_reply {
    enum lp_tl1_completion completion;
    struct sim_denial why;
    struct lp_buf records; /* insides of the data lines, each ended by \n */
    size_t count;
    bool slow;
    bool restart; /* the element goes down after this answer */
};

struct sim_exec {
    struct sim_net *net;
    struct sim_node *node; /* as it is, or as it was (stale reads) */
    struct sim_node *real; /* as it is */
    const struct lp_tl1_command *command;
    const struct sim_command *row;
    struct sim_reply *reply;
};

/** The row of a code ("RMV-OTU2" falls under the RMV family); NULL: the element does not know it.
 */
const struct sim_command *sim_command_find(const char *code);
/** All rows, for tests and the manual. */
const struct sim_command *sim_commands(size_t *count);
/** The types that RMV and RST know, NULL at the end. */
const char *const *sim_maintenance_types(void);
/** Shape of a command: number of blocks and AIDs, empty general block. */
bool sim_command_check(const struct sim_command *row, const struct lp_tl1_command *command,
                       struct sim_denial *why);
/** Runs a command that the shape check let through. `stale`: read from the copy before the last
 * write. */
void sim_execute(struct sim_net *net, struct sim_node *node, const struct sim_command *row,
                 const struct lp_tl1_command *command, bool stale, struct sim_reply *reply);
void sim_reply_free(struct sim_reply *reply);
/** The first commands of a topology. LP_INVALID: one of them was denied. */
enum lp_code sim_setup_run(struct sim_net *net, struct lp_err *err) LP_MUST_CHECK;

/* ---- pieces ---- */

bool sim_x_deny(struct sim_exec *x, const char *code, const char *fmt, ...) LP_PRINTF(3, 4);
bool sim_x_missing(struct sim_exec *x); /* IENE */
/** Positional value n of a block behind the CTAG ("" when absent). */
const char *sim_x_value(const struct sim_exec *x, size_t block, size_t n);
const char *sim_x_aid(const struct sim_exec *x); /* OCRS: joined with a comma; "" when empty */
bool sim_x_record(struct sim_exec *x, const struct lp_tl1_block *blocks, size_t count);

bool sim_read_objects(struct sim_exec *x);
bool sim_read_oteintf(struct sim_exec *x);
bool sim_read_otelink(struct sim_exec *x);
bool sim_read_nothing(struct sim_exec *x);
bool sim_read_toponode(struct sim_exec *x);
bool sim_read_ctrllink(struct sim_exec *x);
bool sim_read_tidmap(struct sim_exec *x);
bool sim_read_sys(struct sim_exec *x);
bool sim_read_header(struct sim_exec *x);
bool sim_read_alarms(struct sim_exec *x);
bool sim_read_pm(struct sim_exec *x);
bool sim_read_security(struct sim_exec *x);

bool sim_write_enter(struct sim_exec *x);
bool sim_write_edit(struct sim_exec *x);
bool sim_write_delete(struct sim_exec *x);
bool sim_write_remove(struct sim_exec *x);
bool sim_write_restore(struct sim_exec *x);
bool sim_validate_route(struct sim_exec *x);
bool sim_copy_file(struct sim_exec *x);
bool sim_apply_file(struct sim_exec *x);

bool sim_value_check(const struct sim_attr *attr, const char *text, struct sim_denial *why);
bool sim_aid_valid(const char *aid);
bool sim_admin_find(const char *word, enum sim_admin *out);
/** "-9.25" of -925; buf holds at least 16 bytes. */
void sim_hundredths(int32_t value, char buf[static 16]);
/** The text that a read prints for an attribute (buf is scratch). */
const char *sim_attr_text(const struct sim_exec *x, const struct sim_obj *obj,
                          const struct sim_attr *attr, char *buf, size_t size);
/** Options of a running network, and its users. */
enum lp_code sim_option_set(struct sim_net *net, const char *name, const json_t *value,
                            struct lp_err *err) LP_MUST_CHECK;
enum lp_code sim_users_read(struct sim_net *net, const json_t *users,
                            struct lp_err *err) LP_MUST_CHECK;

#endif
