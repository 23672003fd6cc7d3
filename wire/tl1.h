/**
 * TL1 as Infinera FlexILS speaks it: one codec for both ends. Pure: no I/O, no clock.
 *
 *   client    lp_tl1_rx (bytes -> messages), lp_tl1_record_parse, lp_tl1_verdict,
 * lp_tl1_command_put simulator lp_tl1_input (bytes -> commands), lp_tl1_command_parse, lp_tl1_put_*
 * (messages)
 *
 * What is built is parsed back equal, and any split of a stream gives the same messages.
 *
 * Memory: a receiver holds at most about twice `max_message` bytes whatever the other side sends,
 * and gives large buffers back after the message. Ownership: what a callback or a parser hands out
 * is borrowed; each type says until when. Strings are NUL-terminated; a NUL inside a message
 * becomes
 * '?'. Text is bytes: it may be other than UTF-8 (lp_tl1_*_json converts at the edge).
 * Errors: LP_INVALID what shall be built cannot be expressed (nothing is appended then),
 * LP_PROTOCOL the other side does not speak TL1, LP_TOO_LARGE a limit (named) is exceeded,
 * LP_NOMEM. Threads: every object has one owner at a time; tables are constant. Source: Telcordia
 * GR-831, GR-833; FlexILS deviations as noted.
 */
#ifndef LP_WIRE_TL1_H
#define LP_WIRE_TL1_H

#include <stdint.h>

#include "base/buf.h"

#define LP_TL1_CTAG_MAX    6   /* characters of a tag in a command */
#define LP_TL1_TAG_MAX     24  /* of a tag in an answer: ATAGs are longer */
#define LP_TL1_SID_MAX     128 /* of the source in a header */
#define LP_TL1_VERB_MAX    128 /* of "REPT ALM OTS" */
#define LP_TL1_NAME_MAX    64  /* of a parameter's name */
#define LP_TL1_MAX_MESSAGE ((size_t)32 * 1024 * 1024)
#define LP_TL1_MAX_LINE    ((size_t)1024 * 1024)
#define LP_TL1_MAX_COMMAND ((size_t)64 * 1024)
#define LP_TL1_MAX_GARBAGE 64 /* lines that mean nothing before the stream is given up */
#define LP_TL1_MAX_OPEN    4  /* responses of several blocks that may be unfinished together */

/* ---- parameters, blocks, records ---- */

enum lp_tl1_form {
    LP_TL1_AUTO,  /* building only: quoted when the value needs it (or its name always does) */
    LP_TL1_BARE,  /* LABEL=abc */
    LP_TL1_QUOTED /* LABEL="a,b"; LABEL="" is present and empty, LABEL= is bare and empty */
};

struct lp_tl1_param {
    const char *name; /* NULL: positional */
    const char
        *value; /* unescaped, without its quotes; never NULL once parsed, NULL builds as "" */
    enum lp_tl1_form form; /* parsed: BARE or QUOTED */
};

struct lp_tl1_block { /* what stands between two colons; an empty block has no parameters */
    const struct lp_tl1_param *params;
    size_t count;
};

/** One data line: `"AID:TYPE:NAME=value,...:STATE"`. Blocks 0 AID(s), 1 type, 2 named, last state.
 */
struct lp_tl1_record {
    const struct lp_tl1_block *blocks;
    size_t count; /* at least 1 once parsed */
};

/** Storage of parsed records and commands, used again by the next parse. All zero is empty. */
struct lp_tl1_scratch {
    char *text;
    struct lp_tl1_param *params;
    struct lp_tl1_block *blocks;
    size_t text_cap, param_cap, block_cap;
};
void lp_tl1_scratch_free(struct lp_tl1_scratch *scratch);

/** Parses the inside of a data line (without the outer quotes). Any bytes are a record: only memory
 * can fail. `out` is borrowed from scratch until its next use. A label with an unescaped quote is
 * taken to end at the first quote behind which the block goes on as NAME=. */
enum lp_code lp_tl1_record_parse(const char *text, size_t len, struct lp_tl1_scratch *scratch,
                                 struct lp_tl1_record *out, struct lp_err *err) LP_MUST_CHECK;
/** The value of the first parameter with this name (any case), in any block; NULL when absent. */
const char *lp_tl1_record_get(const struct lp_tl1_record *record, const char *name);
/** The n-th positional value of a block; "" when there is none. */
const char *lp_tl1_record_at(const struct lp_tl1_record *record, size_t block, size_t n);
/** Positional 0 of the first and of the last block: AID and state ("IS-NR"). */
const char *lp_tl1_record_aid(const struct lp_tl1_record *record);
const char *lp_tl1_record_state(const struct lp_tl1_record *record);

/* ---- values: lists and types by attribute name ---- */

enum lp_tl1_separator {
    LP_TL1_SEP_NONE,  /* the first item */
    LP_TL1_SEP_AND,   /* & */
    LP_TL1_SEP_TUPLE, /* &- */
    LP_TL1_SEP_RANGE  /* && */
};
struct lp_tl1_item { /* not terminated; borrowed from the value */
    const char *at;
    size_t len;
    enum lp_tl1_separator before;
};
/** Walks a list value: *pos starts at 0; false at the end. An empty value has no items. With
 * `tuples` false, "&-" is the separator & followed by an item that begins with '-'. */
bool lp_tl1_item_next(const char *value, bool tuples, size_t *pos, struct lp_tl1_item *item);

enum lp_tl1_type {
    LP_TL1_TEXT,
    LP_TL1_DECIMAL,    /* TARGETOPR=-9.25: text on the wire, hundredths through lp_tl1_hundredths */
    LP_TL1_INTS,       /* PASSBANDLIST=193450000&193550000 */
    LP_TL1_TEXTS,      /* INCLIST=a&b */
    LP_TL1_INT_TUPLES, /* AVAILFREQRANGELIST=l1&h1&-l2&h2: pairs */
    LP_TL1_TEXT_TUPLES /* EXPLICITROUTE=n1&p1&n2&p2&-...: fours */
};
/** The type is a property of the name, never of the data: one tuple without &- is a list of one. */
enum lp_tl1_type lp_tl1_type_of(const char *name);
/** The integers of an INTS value. LP_PROTOCOL: not integers, or more than max. */
enum lp_code lp_tl1_ints(const char *value, int64_t *out, size_t max, size_t *count,
                         struct lp_err *err) LP_MUST_CHECK;
/** Pairs (low, high) of INT_TUPLES (or INTS of even count): max counts pairs. */
enum lp_code lp_tl1_pairs(const char *value, int64_t (*out)[2], size_t max, size_t *count,
                          struct lp_err *err) LP_MUST_CHECK;
/** "-9.25" -> -925 (0.01 dB); more digits are rounded half away from zero. LP_PROTOCOL otherwise.
 */
enum lp_code lp_tl1_hundredths(const char *value, int32_t *out, struct lp_err *err) LP_MUST_CHECK;
/** A value as JSON by the type of its name (string; arrays of numbers or strings; arrays of arrays;
 * a range a&&b is {"from","to"}). What does not fit its type stays a string. NULL without memory.
 */
json_t *lp_tl1_value_json(const char *name, const char *value);
/** {"positional": [[block 0], [block 1], ...], "named": {...}}; a name that comes twice keeps its
 * first value and is listed in "repeated". NULL without memory. */
json_t *lp_tl1_record_json(const struct lp_tl1_record *record);

/* ---- state ---- */

enum lp_tl1_admin { LP_TL1_ADMIN_IS, LP_TL1_ADMIN_OOS, LP_TL1_ADMIN_MT, LP_TL1_ADMIN_UNKNOWN };
/** The administrative state of a record's state block ("OOS-MA", "OOS-AUMA,MT&FLT"): MT when the
 * secondary states contain MT, OOS when the qualifier contains MA, IS otherwise (an OOS-AU object
 * is faulty, not locked). Whole words only. */
enum lp_tl1_admin lp_tl1_record_admin(const struct lp_tl1_record *record);

/* ---- AIDs: whole components, never substrings ---- */

/** "1-A-3-T1-4" is the port "1-A-3-T1" and index 4. false: no index at the end. */
bool lp_tl1_aid_split(const char *aid, size_t *port_len, unsigned *index);
/** True when `aid` is `parent` itself or lies below it ("1-A-3-T1-4" under "1-A-3-T1", not
 * "1-A-3-T12"). */
bool lp_tl1_aid_under(const char *aid, const char *parent);

/* ---- commands ---- */

/** VERB-MOD:TID:AID,AID:CTAG:block:block...; `blocks` are those after the CTAG, one per colon: the
 * first is the general block. RTRV-HDR:T::c; has none, RTRV-OTS:T:A:c::::; has four empty ones. */
struct lp_tl1_command {
    const char *code;         /* "RTRV-OTS" */
    const char *tid;          /* NULL or "": empty */
    struct lp_tl1_block aids; /* positional; FROM,TO are two; the user of ACT-USER */
    const char *ctag;         /* the client sets it itself */
    const struct lp_tl1_block *blocks;
    size_t block_count;
};
/** Appends the command up to and with ';'. LP_INVALID names the part: control characters, a code,
 * CTAG or name that is none, a name given twice, characters outside ASCII except in LABEL, a bare
 * value that would need quotes. LABEL, CKTIDSUFFIX and PROVOWREMPTP are quoted always (AUTO). */
enum lp_code lp_tl1_command_put(struct lp_buf *buf, const struct lp_tl1_command *command,
                                struct lp_err *err) LP_MUST_CHECK;
/** Parses one command (with or without its ';'; blanks and line ends between tokens are skipped;
 * the code is folded to upper case; nothing may follow the ';'). Everything in `out` is borrowed
 * from scratch. LP_INVALID with the TL1 error code that a node answers in err->pointer (IICM, IBMS,
 * IICT, ISPC ...); code, tid and ctag are then set as far as they could be read, and NULL
 * otherwise. */
enum lp_code lp_tl1_command_parse(const char *text, size_t len, struct lp_tl1_scratch *scratch,
                                  struct lp_tl1_command *out, struct lp_err *err) LP_MUST_CHECK;
/** True when the code may change the element: everything but RTRV-*, OPR-VALROUTE-*, INH-*, ALW-*,
 * ACT-USER and CANC-USER. */
bool lp_tl1_writes(const char *code);
bool lp_tl1_ctag_valid(const char *ctag);
/** The next tag of a 36^5 ring in which *counter walks: prefix letter and five digits of base 36.
 */
void lp_tl1_ctag_make(char prefix, uint32_t *counter, char out[static LP_TL1_CTAG_MAX + 1]);

/** Cuts a stream of input into commands, each with its ';' (outside quotes; a line end closes a
 * forgotten quote). For a command above the limit fn is called once with text NULL, at its ';'. */
struct lp_tl1_input {
    struct lp_buf text;
    size_t max; /* 0: LP_TL1_MAX_COMMAND */
    bool quoted, escaped, skipping;
};
typedef enum lp_code lp_tl1_command_fn(void *arg, const char *text, size_t len, struct lp_err *err);
void lp_tl1_input_init(struct lp_tl1_input *input, size_t max);
void lp_tl1_input_free(struct lp_tl1_input *input);
enum lp_code lp_tl1_input_feed(struct lp_tl1_input *input, const char *bytes, size_t len,
                               lp_tl1_command_fn *fn, void *arg, struct lp_err *err) LP_MUST_CHECK;

/* ---- messages ---- */

enum lp_tl1_kind { LP_TL1_RESPONSE, LP_TL1_AUTONOMOUS, LP_TL1_ACKNOWLEDGEMENT };
enum lp_tl1_completion {
    LP_TL1_COMPLD,
    LP_TL1_DENY,
    LP_TL1_PRTL,
    LP_TL1_DELAY,
    LP_TL1_RTRV,
    LP_TL1_COMPLETION_COUNT
};
enum lp_tl1_ack {
    LP_TL1_ACK_IP,
    LP_TL1_ACK_PF,
    LP_TL1_ACK_OK,
    LP_TL1_ACK_NA,
    LP_TL1_ACK_NG,
    LP_TL1_ACK_RL,
    LP_TL1_ACK_COUNT
};
const char *lp_tl1_completion_name(enum lp_tl1_completion completion);
const char *lp_tl1_ack_name(enum lp_tl1_ack ack);

enum lp_tl1_line_kind {
    LP_TL1_LINE_RECORD,  /* without its outer quotes: for lp_tl1_record_parse */
    LP_TL1_LINE_COMMENT, /* without the marks; lines of one comment joined with a blank */
    LP_TL1_LINE_TEXT,    /* anything else, without leading blanks */
    LP_TL1_LINE_BROKEN   /* begins as a record and does not end as one: the answer is damaged */
};
struct lp_tl1_line {
    enum lp_tl1_line_kind kind;
    uint32_t at, len; /* in message->text */
};

struct lp_tl1_message {
    enum lp_tl1_kind kind;
    char sid[LP_TL1_SID_MAX + 1]; /* "" when the header was missing, and for acknowledgements */
    char date[11];                /* as sent: YY-MM-DD or YYYY-MM-DD */
    char time[9];
    char tag[LP_TL1_TAG_MAX + 1];      /* CTAG ("0": the node could not read it), or ATAG */
    enum lp_tl1_completion completion; /* responses: of the last block */
    enum lp_tl1_ack ack;               /* acknowledgements */
    char alarm[3];                     /* autonomous: "*C", "**", "* ", "A " */
    char verb[LP_TL1_VERB_MAX + 1];    /* autonomous: "REPT ALM OTS" */
    char error[5];                     /* DENY and PRTL: "IENE", or "" */
    bool mixed_sid;                    /* blocks of one response came from different sources */
    unsigned blocks;                   /* blocks ended by ; or > */
    unsigned broken_lines;             /* lines of kind BROKEN */
    const char *text;
    size_t text_len;
    const struct lp_tl1_line *lines;
    size_t line_count;
};

/** Parses the n-th line, which must be of kind RECORD. */
enum lp_code lp_tl1_message_record(const struct lp_tl1_message *message, size_t n,
                                   struct lp_tl1_scratch *scratch, struct lp_tl1_record *out,
                                   struct lp_err *err) LP_MUST_CHECK;
/** Comments and text of a message on one line, as valid UTF-8 (for people). */
void lp_tl1_message_comment(const struct lp_tl1_message *message, char *buf, size_t size);
/** An independent copy (message, lines and text in one allocation: free()). NULL without memory. */
struct lp_tl1_message *lp_tl1_message_dup(const struct lp_tl1_message *message);
/** {kind, source, date, time, tag, completion|ack|alarm+verb, error, comments, records, ...}; bytes
 * that are not UTF-8 become '?'. NULL without memory. */
json_t *lp_tl1_message_json(const struct lp_tl1_message *message);
/** An alarm report's record (block 0 AID,type; block 1 notification, condition, ...; block 2 text);
 * all borrowed from the record, "" where absent. */
struct lp_tl1_alarm {
    const char *aid, *type, *notification, *condition, *effect, *date, *time, *location, *direction,
        *text;
};
void lp_tl1_alarm_of(const struct lp_tl1_record *record, struct lp_tl1_alarm *out);

/* ---- receiver ---- */

struct lp_tl1_rx_options {
    size_t max_message;   /* bytes of one message, all its blocks; 0: LP_TL1_MAX_MESSAGE */
    size_t max_line;      /* 0: LP_TL1_MAX_LINE */
    unsigned max_garbage; /* lines between two messages; 0: LP_TL1_MAX_GARBAGE */
};
struct lp_tl1_counts {
    uint64_t messages, garbage; /* garbage: lines that meant nothing */
    uint64_t broken;            /* messages that another one cut off, or that were pushed out */
    uint64_t prompts;
};

struct lp_tl1_rx;
/** Called once per message, in order; the message is borrowed for the length of the call. Anything
 * but LP_OK ends lp_tl1_rx_feed with that code. */
typedef enum lp_code lp_tl1_message_fn(void *arg, const struct lp_tl1_message *message,
                                       struct lp_err *err);
struct lp_tl1_rx *lp_tl1_rx_new(const struct lp_tl1_rx_options *options); /* NULL: no memory */
void lp_tl1_rx_free(struct lp_tl1_rx *rx);
/** Takes the next bytes, in pieces of any size. After an error the receiver is dead: every call
 * returns LP_PROTOCOL. Garbage before the first prompt or message (a banner) is not counted. */
enum lp_code lp_tl1_rx_feed(struct lp_tl1_rx *rx, const char *bytes, size_t len,
                            lp_tl1_message_fn *fn, void *arg, struct lp_err *err) LP_MUST_CHECK;
/** The stream ended. LP_PROTOCOL when a message is unfinished: it is never handed out. */
enum lp_code lp_tl1_rx_end(struct lp_tl1_rx *rx, lp_tl1_message_fn *fn, void *arg,
                           struct lp_err *err) LP_MUST_CHECK;
/** What was sent last: its echo is dropped. Copied (the first LP_TL1_MAX_COMMAND bytes). */
void lp_tl1_rx_sent(struct lp_tl1_rx *rx, const char *text, size_t len);
/** True when nothing but a prompt has come since the last complete line. */
bool lp_tl1_rx_at_prompt(const struct lp_tl1_rx *rx);
/** True inside a message, a line, or between two blocks: the connection may not be used again. */
bool lp_tl1_rx_busy(const struct lp_tl1_rx *rx);
/** Tag of the response that is unfinished, or NULL. */
const char *lp_tl1_rx_open_tag(const struct lp_tl1_rx *rx);
struct lp_tl1_counts lp_tl1_rx_counts(const struct lp_tl1_rx *rx);

/* ---- building messages (simulators) ---- */

/** "\r\n\n   SID YY-MM-DD HH:MM:SS\r\n"; date of 8 or 10 characters, time of 8. */
enum lp_code lp_tl1_put_header(struct lp_buf *buf, const char *sid, const char *date,
                               const char *time, struct lp_err *err) LP_MUST_CHECK;
/** "M  CTAG COMPLD\r\n" */
enum lp_code lp_tl1_put_response(struct lp_buf *buf, const char *ctag,
                                 enum lp_tl1_completion completion,
                                 struct lp_err *err) LP_MUST_CHECK;
/** "*C 0007213 REPT ALM OTS\r\n"; alarm one of "*C", "**", "*", "A". */
enum lp_code lp_tl1_put_autonomous(struct lp_buf *buf, const char *alarm, const char *atag,
                                   const char *verb, struct lp_err *err) LP_MUST_CHECK;
/** "   IENE\r\n" */
enum lp_code lp_tl1_put_error(struct lp_buf *buf, const char *code,
                              struct lp_err *err) LP_MUST_CHECK;
/** `   "record"\r\n`. LP_INVALID: control characters, a bare value with a separator, a quote or a
 * backslash, a positional value behind a quoted named one in the same block, a name that is none.
 */
enum lp_code lp_tl1_put_record(struct lp_buf *buf, const struct lp_tl1_record *record,
                               struct lp_err *err) LP_MUST_CHECK;
/** The inside of a data line only (what lp_tl1_record_parse takes). */
enum lp_code lp_tl1_record_put(struct lp_buf *buf, const struct lp_tl1_record *record,
                               struct lp_err *err) LP_MUST_CHECK;
/** "   /\*text*\/\r\n". LP_INVALID: control characters or the end mark inside. */
enum lp_code lp_tl1_put_comment(struct lp_buf *buf, const char *text,
                                struct lp_err *err) LP_MUST_CHECK;
/** ";\r\n", or ">\r\n" when more blocks follow. The prompt is the caller's. */
void lp_tl1_put_end(struct lp_buf *buf, bool more);
/** "\r\nIP CTAG\r\n<\r\n" */
enum lp_code lp_tl1_put_ack(struct lp_buf *buf, enum lp_tl1_ack ack, const char *ctag,
                            struct lp_err *err) LP_MUST_CHECK;

/* ---- outcomes ---- */

enum lp_tl1_class {
    LP_TL1_REJECTED,    /* LP_REFUSED: a retry with the same input cannot help */
    LP_TL1_NOT_FOUND,   /* LP_NOT_FOUND */
    LP_TL1_ALREADY,     /* LP_CONFLICT: a hint to read and compare, never a success by itself */
    LP_TL1_AUTH,        /* LP_AUTH: user, password, privilege */
    LP_TL1_LOGIN,       /* LP_AUTH: not logged in; log in and repeat once */
    LP_TL1_BUSY,        /* LP_RETRYABLE: did not run */
    LP_TL1_UNREACHABLE, /* LP_RETRYABLE: this gateway does not reach the TID */
    LP_TL1_IN_MAINT,    /* LP_REFUSED: leave maintenance with RST first */
    LP_TL1_NOT_LOCKED,  /* LP_REFUSED: put the object out of service first, as a command of its own
                         */
    LP_TL1_UNCLEAR,     /* LP_UNKNOWN: partly done or outcome not known: read back */
    LP_TL1_CLASS_COUNT
};
struct lp_tl1_error_info {
    const char *code;
    enum lp_tl1_class error_class;
    const char *text;
};
/** The row of a TL1 error code ("IENE"), or NULL. */
const struct lp_tl1_error_info *lp_tl1_error_find(const char *code);
/** Class of a refusal from code and text (the text table goes first where it knows better). Unknown
 * codes are REJECTED. */
enum lp_tl1_class lp_tl1_classify(const char *error, const char *comment);
enum lp_code lp_tl1_class_code(enum lp_tl1_class error_class);
const char *lp_tl1_class_name(enum lp_tl1_class error_class);
/** What a response means for the command that it answers. COMPLD: LP_OK. A RTRV without AID and
 * filters that is denied with NOT_FOUND is an empty list: LP_OK. Damaged lines, mixed sources:
 * LP_PROTOCOL. PRTL and DELAY: LP_UNKNOWN when the command writes. Else by class. The error names
 * element, command and the node's own code and text; err->detail has {device, command, tl1_error,
 * tl1_text, tl1_class}. `*error_class` (may be NULL) is set unless LP_OK. */
enum lp_code lp_tl1_verdict(const struct lp_tl1_message *message,
                            const struct lp_tl1_command *command, const char *element,
                            enum lp_tl1_class *error_class, struct lp_err *err) LP_MUST_CHECK;

/* ---- secrets ---- */

/** Appends text with everything secret replaced by "********": the password block of ACT-USER, the
 * passwords of ED-PID and ENT-/ED-USER-SECU, user:password@ in URLs, and every occurrence of one of
 * `secrets` (NULL-terminated list, may be NULL), echoes included. */
void lp_tl1_redact(struct lp_buf *buf, const char *text, size_t len, const char *const *secrets);

#endif
