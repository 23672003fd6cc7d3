/**
 * Telnet's commands inside a byte stream: taken out, and every offer declined. Pure; one owner.
 * Source: RFC 854, RFC 855.
 */
#ifndef LP_WIRE_TELNET_H
#define LP_WIRE_TELNET_H

#include <stddef.h>

#define LP_TELNET_MAX_ANSWER 96 /* bytes of answers to one block; more offers are not answered */

struct lp_telnet { /* all zero at the start */
    enum { LP_TELNET_DATA, LP_TELNET_IAC, LP_TELNET_OFFER, LP_TELNET_SUB, LP_TELNET_SUB_IAC } at;
    unsigned char verb;
    unsigned char after_cr;
};

/** Removes commands and the NUL of CR NUL from buf in place; returns what is left. `answers` gets
 * DONT and WONT for every WILL and DO. */
size_t lp_telnet_strip(struct lp_telnet *telnet, char *buf, size_t len,
                       char answers[static LP_TELNET_MAX_ANSWER], size_t *answer_len);

#endif
