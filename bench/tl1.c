/* Throughput of the TL1 receiver on one core: framing alone, and with every record parsed and its
 * fields looked up. Memory is bounded by the longest message allowed: the peak is printed.
 *
 *   tl1 [MEGABYTES]       prints {"frame_mb_s", "parse_mb_s", "worst_kb", ...} */
#include "wire/tl1.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define GOAL_MB_S 200.0

struct work {
    struct lp_tl1_scratch scratch;
    uint64_t records, found;
    bool parse;
};

static double
seconds(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now); /* of one core, whatever else runs */
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static long
peak_kb(void)
{
    struct rusage usage;

    (void)getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

static enum lp_code
take(void *arg, const struct lp_tl1_message *message, struct lp_err *err)
{
    struct work *work = arg;
    enum lp_code rc = LP_OK;

    for (size_t i = 0; i < message->line_count && rc == LP_OK; i++) {
        struct lp_tl1_record record;

        work->records++;
        if (!work->parse || message->lines[i].kind != LP_TL1_LINE_RECORD)
            continue;
        rc = lp_tl1_message_record(message, i, &work->scratch, &record, err);
        if (rc == LP_OK)
            work->found += lp_tl1_record_get(&record, "HISTSTATS") != NULL ? 1 : 0;
    }
    return rc;
}

/* Retrievals of a whole class as an element sends them: an alarm between, blocks of 100 records. */
static void
make_stream(struct lp_buf *out)
{
    for (unsigned block = 0; block < 100; block++) {
        lp_buf_printf(out, "\r\n\n   lp.mil1 27-03-14 09:12:44\r\nM  L%05u %s\r\n", block / 10,
                      block % 10 == 9 ? "COMPLD" : "RTRV");
        for (unsigned i = 0; i < 100; i++)
            lp_buf_printf(
                out,
                "   \"1-A-%u-T%u-1:SCH:LABEL=\\\"mil1-fir1 span %u\\\",TPTYPE=INTERMEDIATE,"
                "SHUTTERSTATE=CLOSED,TARGETOPR=-9.25,PROVPBLIST=193450000&193550000,"
                "HISTSTATS=ENABLED:IS-NR\"\r\n",
                block, i, i);
        lp_buf_str(out, block % 10 == 9 ? ";\r\nTL1>>" : ">\r\n");
        lp_buf_str(
            out, "\r\n\n   lp.mil1 27-03-14 09:12:45\r\n*C 7213 REPT ALM OTS\r\n   \"1-A-1-L1,OTS:"
                 "CR,OLOS,SA,03-14,09-12-44,NEND,RCV:\\\"Optical Loss of Signal\\\"\"\r\n;\r\n");
    }
}

static double
measure(const struct lp_buf *stream, size_t megabytes, bool parse, struct work *work)
{
    struct lp_tl1_rx *rx = lp_tl1_rx_new(NULL);
    struct lp_err err = LP_ERR_INIT;
    double begun = seconds(), spent;
    size_t fed = 0;

    work->parse = parse;
    while (rx != NULL && fed < megabytes * 1000000) {
        for (size_t at = 0; at < stream->len; at += 16384) {
            size_t len = stream->len - at < 16384 ? stream->len - at : 16384;

            if (lp_tl1_rx_feed(rx, stream->data + at, len, take, work, &err) != LP_OK) {
                fprintf(stderr, "tl1: %s\n", err.msg);
                exit(1);
            }
        }
        fed += stream->len;
    }
    spent = seconds() - begun;
    lp_tl1_rx_free(rx);
    return (double)fed / 1e6 / spent;
}

/* The longest message allowed, and one byte more: what a receiver holds at its worst. */
static long
worst_memory(void)
{
    const char *record = "   \"1-A-1:SCH:A=1:IS\"\r\n";
    struct lp_tl1_rx *rx = lp_tl1_rx_new(NULL);
    struct lp_err err = LP_ERR_INIT;
    struct work work = {.parse = false};
    long before = peak_kb();
    const char *head = "M  L00001 COMPLD\r\n";
    enum lp_code rc =
        rx == NULL ? LP_NOMEM : lp_tl1_rx_feed(rx, head, strlen(head), take, &work, &err);

    while (rc == LP_OK)
        rc = lp_tl1_rx_feed(rx, record, strlen(record), take, &work, &err);
    lp_tl1_rx_free(rx);
    lp_err_clear(&err);
    return peak_kb() - before;
}

int
main(int argc, char **argv)
{
    size_t megabytes = argc > 1 ? (size_t)strtoul(argv[1], NULL, 10) : 400;
    struct work work = {.records = 0};
    struct lp_buf stream = LP_BUF_INIT;
    double frame, parse;
    long peak;

    make_stream(&stream);
    frame = measure(&stream, megabytes, false, &work);
    parse = measure(&stream, megabytes, true, &work);
    peak = worst_memory();
    printf("{\"frame_mb_s\": %.0f, \"parse_mb_s\": %.0f, \"goal_mb_s\": %.0f, \"records\": %llu, "
           "\"found\": %llu, \"limit_kb\": %zu, \"worst_kb\": %ld}\n",
           frame, parse, GOAL_MB_S, (unsigned long long)work.records,
           (unsigned long long)work.found, LP_TL1_MAX_MESSAGE / 1024, peak);
    lp_tl1_scratch_free(&work.scratch);
    lp_buf_free(&stream);
    return 0;
}
