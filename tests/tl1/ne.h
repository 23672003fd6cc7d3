/**
 * A network element for the client's tests: real TCP and SSH listeners on free ports of the
 * loopback, logins per TID, echo, prompt, and faults on demand. One thread per connection.
 */
#ifndef LP_TESTS_TL1_NE_H
#define LP_TESTS_TL1_NE_H

#include <stdbool.h>
#include <stdint.h>

enum ne_fault {
    NE_NONE,
    NE_SILENT,     /* never answers */
    NE_CUT,        /* closes instead of answering */
    NE_CUT_MIDDLE, /* closes after half of the answer */
    NE_CUT_BLOCK,  /* closes after a first block */
    NE_DRIP,       /* one byte every 10 ms */
    NE_GARBAGE,    /* a hundred lines of nonsense */
    NE_LATE_FIRST, /* the whole answer to another tag goes before */
    NE_DOUBLE,     /* the answer comes twice */
    NE_ALARMS,     /* autonomous messages before, between blocks and behind the prompt */
    NE_ACK_SLOW,   /* IP, 600 ms, the answer */
    NE_ACK_NA,
    NE_ACK_NG,
    NE_ACK_RL,
    NE_ENDLESS,      /* records without end */
    NE_ENDLESS_LINE, /* one line without end */
    NE_OTHER_SID,
    NE_TAG_ZERO,
    NE_PRTL,
    NE_DENY,         /* with the rule's code and text */
    NE_FORGET_LOGIN, /* the session is logged out, so that PLNA follows */
    NE_CANC,         /* answers, then ends the session with an autonomous CANC */
    NE_DAMAGED,      /* a record without its end quote */
    NE_STORM,        /* 5000 autonomous messages, then the answer */
    NE_FLOOD,        /* empty lines without end, as fast as they are taken */
    NE_CUT_OFF,      /* the answer loses its end, another message begins */
};

struct ne;
struct ne_options {
    bool ssh;
    bool no_prompt;   /* neither banner nor prompt */
    bool telnet;      /* negotiates before the banner */
    bool questions;   /* SSH: keyboard-interactive only */
    bool keys;        /* SSH: public keys only, any of them */
    bool old_release; /* SSH: user tl1telnet without a password, and a shell, not a subsystem */
    const char *tids; /* that it knows, separated by blanks; "": answers for any */
    unsigned max_sessions; /* per TID; 0: no limit */
};
struct ne *ne_start(const struct ne_options *options);
void ne_stop(struct ne *ne);
uint16_t ne_port(const struct ne *ne);
/** The next `times` commands with this code meet the fault. For NE_DENY error and text matter. */
void ne_rule(struct ne *ne, const char *code, enum ne_fault fault, unsigned times,
             const char *error, const char *text);
/** Commands with this code that came in so far ("" counts all). */
unsigned ne_count(struct ne *ne, const char *code);
/** Connections that were accepted. */
unsigned ne_connections(struct ne *ne);
/** The most sessions that one TID ever had at a time, and that it has now. */
unsigned ne_most_sessions(struct ne *ne);
unsigned ne_sessions(struct ne *ne);
/** True when no tag came twice. */
bool ne_tags_unique(struct ne *ne);
/** Sends this alarm text on every session that allows autonomous messages. */
void ne_emit(struct ne *ne, const char *text);
/** Closes every connection without a word. */
void ne_hang_up(struct ne *ne);
/** A new SSH host key for connections from now on. */
void ne_change_key(struct ne *ne);

#endif
