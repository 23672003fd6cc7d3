/**
 * Mail addresses of the plain form local@domain, without quotes and comments: nothing in one can
 * begin a header or a command.
 * Source: RFC 5321 section 4.1.2, "Mailbox" with a dot-string. Threads: any.
 */
#ifndef LP_BASE_ADDRESS_H
#define LP_BASE_ADDRESS_H

#include <stdbool.h>

bool lp_mail_address_ok(const char *address);

#endif
