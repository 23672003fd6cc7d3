/* What an answer means: error codes and texts to the outcomes of the house. */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "wire/tl1_internal.h"

static const struct lp_tl1_error_info errors[] = {
    {"IICM", LP_TL1_REJECTED, "command code not known"},
    {"ICNV", LP_TL1_REJECTED, "command not valid here"},
    {"IBEX", LP_TL1_REJECTED, "extra block"},
    {"IBMS", LP_TL1_REJECTED, "missing block"},
    {"IPEX", LP_TL1_REJECTED, "extra parameter"},
    {"IPMS", LP_TL1_REJECTED, "missing parameter"},
    {"IPNV", LP_TL1_REJECTED, "invalid parameter"},
    {"IPNC", LP_TL1_REJECTED, "inconsistent parameter"},
    {"IDNV", LP_TL1_REJECTED, "data not valid"},
    {"IDRG", LP_TL1_REJECTED, "data out of range"},
    {"IDNC", LP_TL1_REJECTED, "data not consistent"},
    {"IIDT", LP_TL1_REJECTED, "invalid data parameter"},
    {"IDMS", LP_TL1_REJECTED, "data missing"},
    {"ISCH", LP_TL1_REJECTED, "bad character"},
    {"ISPC", LP_TL1_REJECTED, "bad punctuation"},
    {"IISP", LP_TL1_REJECTED, "syntax or punctuation"},
    {"IIAC", LP_TL1_REJECTED, "AID not valid"},
    {"IITA", LP_TL1_UNREACHABLE, "target not valid or not reachable"},
    {"IICT", LP_TL1_REJECTED, "command tag not valid"},
    {"IENE", LP_TL1_NOT_FOUND, "named object does not exist"},
    {"IEAE", LP_TL1_ALREADY, "named object exists already"},
    {"ENEQ", LP_TL1_REJECTED, "slot not equipped"},
    {"EQWT", LP_TL1_REJECTED, "wrong type equipped"},
    {"EFON", LP_TL1_REJECTED, "optional feature not available"},
    {"PIUI", LP_TL1_AUTH, "bad user or password"},
    {"PIUC", LP_TL1_AUTH, "user class does not allow it"},
    {"PICC", LP_TL1_AUTH, "command not permitted to this user"},
    {"PLNA", LP_TL1_LOGIN, "login not active"},
    {"RALB", LP_TL1_BUSY, "all resources busy"},
    {"RCBY", LP_TL1_BUSY, "circuit busy"},
    {"SAAL", LP_TL1_ALREADY, "already allowed"},
    {"SAIS", LP_TL1_ALREADY, "already in service"},
    {"SAOS", LP_TL1_ALREADY, "already out of service"},
    {"SAMS", LP_TL1_ALREADY, "already in maintenance"},
    {"SRCN", LP_TL1_ALREADY, "requested condition already there"},
    {"SROU", LP_TL1_ALREADY, "operation unnecessary"},
    {"SNVS", LP_TL1_REJECTED, "not in a valid state"},
    {"SNIS", LP_TL1_REJECTED, "not in service"},
    {"SCSN", LP_TL1_REJECTED, "wrong sequence"},
    {"SRQN", LP_TL1_REJECTED, "request invalid"},
    {"SRAC", LP_TL1_REJECTED, "requested access configuration not valid"},
    {"SROF", LP_TL1_REJECTED, "requested operation failed"},
    {"SDNR", LP_TL1_BUSY, "data not ready"},
    {"SDBE", LP_TL1_REJECTED, "database error of the element"},
    {"SSRE", LP_TL1_BUSY, "system resources exceeded"},
    {"SWFA", LP_TL1_REJECTED, "working unit failed"},
    {"MERR", LP_TL1_REJECTED, "several errors"},
};

/* Texts that say more than their code; the first that fits counts. Only the codes in `vague` leave
   the meaning to the text. */
static const struct {
    const char *fragment;
    enum lp_tl1_class error_class;
} texts[] = {
    {"LOGIN NOT ACTIVE", LP_TL1_LOGIN},
    {"SPECIFIED OBJECT ENTITY DOES NOT EXIST", LP_TL1_NOT_FOUND},
    {"use RST command", LP_TL1_IN_MAINT},
    {"OEL is not Locked", LP_TL1_NOT_LOCKED},
    {"cannot be updated when Admin state is not locked", LP_TL1_NOT_LOCKED},
    {"ALREADY", LP_TL1_ALREADY},
};
static const char *const vague[] = {"SROF", "SNVS", "IIAC", "SRQN", "MERR", "ICNV", ""};

const struct lp_tl1_error_info *
lp_tl1_error_find(const char *code)
{
    for (size_t i = 0; i < LP_COUNT(errors); i++)
        if (strcmp(errors[i].code, code) == 0)
            return &errors[i];
    return NULL;
}

static bool
is_vague(const char *error)
{
    for (size_t i = 0; i < LP_COUNT(vague); i++)
        if (strcmp(vague[i], error) == 0)
            return true;
    return lp_tl1_error_find(error) == NULL;
}

enum lp_tl1_class
lp_tl1_classify(const char *error, const char *comment)
{
    const struct lp_tl1_error_info *info = lp_tl1_error_find(error);

    if (is_vague(error))
        for (size_t i = 0; i < LP_COUNT(texts); i++)
            if (strcasestr(comment, texts[i].fragment) != NULL)
                return texts[i].error_class;
    return info == NULL ? LP_TL1_REJECTED : info->error_class;
}

static const struct {
    enum lp_code code;
    const char *name;
} classes[] = {
    [LP_TL1_REJECTED] = {LP_REFUSED, "rejected"},
    [LP_TL1_NOT_FOUND] = {LP_NOT_FOUND, "not-found"},
    [LP_TL1_ALREADY] = {LP_CONFLICT, "already"},
    [LP_TL1_AUTH] = {LP_AUTH, "auth"},
    [LP_TL1_LOGIN] = {LP_AUTH, "login"},
    [LP_TL1_BUSY] = {LP_RETRYABLE, "busy"},
    [LP_TL1_UNREACHABLE] = {LP_RETRYABLE, "unreachable"},
    [LP_TL1_IN_MAINT] = {LP_REFUSED, "in-maintenance"},
    [LP_TL1_NOT_LOCKED] = {LP_REFUSED, "not-locked"},
    [LP_TL1_UNCLEAR] = {LP_UNKNOWN, "unclear"},
};
static_assert(LP_COUNT(classes) == LP_TL1_CLASS_COUNT, "a row for every class");

enum lp_code
lp_tl1_class_code(enum lp_tl1_class error_class)
{
    return classes[error_class].code;
}

const char *
lp_tl1_class_name(enum lp_tl1_class error_class)
{
    return classes[error_class].name;
}

/* A retrieval of a whole class: no AID, no filter. */
static bool
whole_class(const struct lp_tl1_command *command)
{
    if (command->code == NULL || strncasecmp(command->code, "RTRV-", 5) != 0)
        return false;
    for (size_t i = 0; i < command->aids.count; i++)
        if (command->aids.params[i].value != NULL && command->aids.params[i].value[0] != '\0')
            return false;
    for (size_t b = 0; b < command->block_count; b++)
        for (size_t i = 0; i < command->blocks[b].count; i++)
            if (command->blocks[b].params[i].value != NULL
                && command->blocks[b].params[i].value[0] != '\0')
                return false;
    return true;
}

static json_t *
detail(const char *element, const char *code, const struct lp_tl1_message *message,
       const char *comment, enum lp_tl1_class error_class)
{
    return json_pack("{s:s,s:s,s:s,s:s,s:s,s:s}", "code", "OPT-072", "device", element, "command",
                     code, "tl1_error", message->error, "tl1_text", comment, "tl1_class",
                     lp_tl1_class_name(error_class));
}

static enum lp_code
refusal(const struct lp_tl1_message *message, const char *code, const char *element,
        enum lp_tl1_class error_class, struct lp_err *err)
{
    char comment[400];
    const struct lp_tl1_error_info *info = lp_tl1_error_find(message->error);
    enum lp_code rc = lp_tl1_class_code(error_class);

    lp_tl1_message_comment(message, comment, sizeof comment);
    rc = lp_fail(err, rc, "%s: %s was answered %s %s (%s)", element, code,
                 lp_tl1_completion_name(message->completion), message->error,
                 comment[0] != '\0' ? comment
                 : info != NULL     ? info->text
                                    : "no reason given");
    err->detail = detail(element, code, message, comment, error_class);
    return rc;
}

static enum lp_code
damaged(const struct lp_tl1_message *message, const char *code, const char *element, bool writes,
        struct lp_err *err)
{
    return lp_fail(err, writes ? LP_UNKNOWN : LP_PROTOCOL, "%s: the answer to %s %s", element, code,
                   message->mixed_sid ? "came from two elements" : "is damaged");
}

/* MERR has one reason a line: they must agree, or the answer is a plain refusal. */
static enum lp_tl1_class
several(const struct lp_tl1_message *message)
{
    enum lp_tl1_class found = LP_TL1_CLASS_COUNT;

    for (size_t i = 0; i < message->line_count; i++) {
        struct lp_tl1_message one = *message;
        char comment[1024];
        enum lp_tl1_class next;

        one.lines = &message->lines[i];
        one.line_count = 1;
        lp_tl1_message_comment(&one, comment, sizeof comment);
        next = lp_tl1_classify(message->error, comment);
        if (found != LP_TL1_CLASS_COUNT && next != found)
            return LP_TL1_REJECTED;
        found = next;
    }
    return found == LP_TL1_CLASS_COUNT ? LP_TL1_REJECTED : found;
}

static enum lp_tl1_class
denied(const struct lp_tl1_message *message)
{
    char comment[1024];

    if (strcmp(message->error, "MERR") == 0)
        return several(message);
    lp_tl1_message_comment(message, comment, sizeof comment);
    return lp_tl1_classify(message->error, comment);
}

enum lp_code
lp_tl1_verdict(const struct lp_tl1_message *message, const struct lp_tl1_command *command,
               const char *element, enum lp_tl1_class *error_class, struct lp_err *err)
{
    const char *code = command->code == NULL ? "command" : command->code;
    bool writes = lp_tl1_writes(code);
    enum lp_tl1_class found = LP_TL1_UNCLEAR;

    if (error_class != NULL)
        *error_class = LP_TL1_UNCLEAR;
    switch (message->completion) {
    case LP_TL1_COMPLD:
        return message->mixed_sid || message->broken_lines > 0
                   ? damaged(message, code, element, writes, err)
                   : LP_OK;
    case LP_TL1_DENY:
        found = denied(message);
        break;
    case LP_TL1_PRTL:
    case LP_TL1_DELAY:
        if (!writes)
            return lp_fail(err, LP_PROTOCOL, "%s: the answer to %s is not complete (%s)", element,
                           code, lp_tl1_completion_name(message->completion));
        break;
    case LP_TL1_RTRV:
        return lp_fail(err, writes ? LP_UNKNOWN : LP_PROTOCOL,
                       "%s: the answer to %s ended before its last block", element, code);
    case LP_TL1_COMPLETION_COUNT:
        return lp_fail(err, LP_INTERNAL, "no completion code");
    }
    if (found == LP_TL1_NOT_FOUND && whole_class(command))
        return LP_OK;
    if (error_class != NULL)
        *error_class = found;
    return refusal(message, code, element, found, err);
}
