#include "wire/telnet.h"

enum { SE = 240, SB = 250, WILL = 251, WONT = 252, DO = 253, DONT = 254, IAC = 255 };

static void
decline(unsigned char verb, unsigned char option, char *answers, size_t *len)
{
    if ((verb != WILL && verb != DO) || *len + 3 > LP_TELNET_MAX_ANSWER)
        return;
    answers[(*len)++] = (char)IAC;
    answers[(*len)++] = (char)(verb == WILL ? DONT : WONT);
    answers[(*len)++] = (char)option;
}

/* The state after a byte inside a command; *data is set when the byte is data after all. */
static int
command_byte(struct lp_telnet *t, unsigned char c, char *answers, size_t *len, int *data)
{
    switch (t->at) {
    case LP_TELNET_DATA:
        break;
    case LP_TELNET_IAC:
        t->verb = c;
        *data = c == IAC;
        if (c == SB)
            return LP_TELNET_SUB;
        return c >= WILL && c <= DONT ? LP_TELNET_OFFER : LP_TELNET_DATA;
    case LP_TELNET_OFFER:
        decline(t->verb, c, answers, len);
        return LP_TELNET_DATA;
    case LP_TELNET_SUB:
        return c == IAC ? LP_TELNET_SUB_IAC : LP_TELNET_SUB;
    case LP_TELNET_SUB_IAC:
        return c == SE ? LP_TELNET_DATA : LP_TELNET_SUB;
    }
    return LP_TELNET_DATA;
}

size_t
lp_telnet_strip(struct lp_telnet *telnet, char *buf, size_t len,
                char answers[static LP_TELNET_MAX_ANSWER], size_t *answer_len)
{
    size_t out = 0;

    *answer_len = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)buf[i];
        int data = telnet->at == LP_TELNET_DATA && c != IAC;

        if (telnet->at == LP_TELNET_DATA && c == IAC)
            telnet->at = LP_TELNET_IAC;
        else if (!data)
            telnet->at = (unsigned)command_byte(telnet, c, answers, answer_len, &data);
        if (!data)
            continue;
        if (!(c == '\0' && telnet->after_cr))
            buf[out++] = (char)c;
        telnet->after_cr = c == '\r';
    }
    return out;
}
