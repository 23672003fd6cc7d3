#include "base/address.h"

#include <string.h>

enum { LONGEST_ADDRESS = 254, LONGEST_LOCAL = 64 };

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

bool
lp_mail_address_ok(const char *address)
{
    size_t at = strspn(address, LETTERS ".!#$%&'*+/=?^_`{|}~-");
    size_t end;

    if (at == 0 || at > LONGEST_LOCAL || address[at] != '@' || address[0] == '-')
        return false;
    end = strspn(address + at + 1, LETTERS ".-");
    return end > 0 && address[at + 1 + end] == '\0' && at + 1 + end <= LONGEST_ADDRESS
           && address[at + 1] != '-' && address[at + 1] != '.';
}
