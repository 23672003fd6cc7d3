#include "sim/generate.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"

#define LOSS_CDB_PER_KM 22
#define CONNECTORS_CDB  100
#define CASCADE_DEGREE  5
#define PATCH_CDB       50
#define MAX_FIELDS      32
#define MAX_LINE        4096

/* ---- tables ---- */

struct table {
    char **cells; /* rows * columns */
    size_t columns, rows;
    char *names[MAX_FIELDS];
};

static void
table_free(struct table *table)
{
    size_t i;

    for (i = 0; i < table->rows * table->columns; i++)
        free(table->cells[i]);
    free(table->cells);
    for (i = 0; i < table->columns; i++)
        free(table->names[i]);
}

/* One field; quotes may surround it. Returns what follows the comma, NULL at the end. */
static char *
field_take(char *at, char **out)
{
    char *write = at;
    bool quoted = *at == '"';

    *out = at;
    if (quoted)
        at++;
    for (; *at != '\0'; at++) {
        if (quoted && *at == '"') {
            if (at[1] != '"') {
                quoted = false;
                continue;
            }
            at++;
        } else if (!quoted && *at == ',') {
            *write = '\0';
            return at + 1;
        }
        *write++ = *at;
    }
    *write = '\0';
    return NULL;
}

static size_t
line_split(char *line, char *fields[MAX_FIELDS])
{
    size_t n = 0;

    line[strcspn(line, "\r\n")] = '\0';
    while (line != NULL && n < MAX_FIELDS)
        line = field_take(line, &fields[n++]);
    return n;
}

static bool
row_add(struct table *table, char *fields[MAX_FIELDS])
{
    char **grown = reallocarray(table->cells, (table->rows + 1) * table->columns, sizeof(char *));
    size_t i;

    if (grown == NULL)
        return false;
    table->cells = grown;
    for (i = 0; i < table->columns; i++) {
        grown[table->rows * table->columns + i] = strdup(fields[i]);
        if (grown[table->rows * table->columns + i] == NULL) {
            while (i > 0)
                free(grown[table->rows * table->columns + --i]);
            return false;
        }
    }
    table->rows++;
    return true;
}

static enum lp_code
header_read(struct table *table, char *fields[MAX_FIELDS], size_t count, struct lp_err *err)
{
    size_t i;

    for (i = 0; i < count; i++) {
        table->names[i] = strdup(fields[i]);
        table->columns = i + 1;
        if (table->names[i] == NULL)
            return lp_fail(err, LP_NOMEM, "no memory for a table");
    }
    return LP_OK;
}

static enum lp_code
table_read(const char *path, struct table *table, struct lp_err *err)
{
    FILE *file = fopen(path, "re");
    char line[MAX_LINE], *fields[MAX_FIELDS];
    size_t number = 0;
    enum lp_code rc = LP_OK;

    *table = (struct table){.cells = NULL};
    if (file == NULL)
        return lp_fail(err, LP_NOT_FOUND, "%s cannot be read", path);
    while (rc == LP_OK && fgets(line, sizeof line, file) != NULL) {
        size_t n = line_split(line, fields);

        number++;
        if (number == 1)
            rc = header_read(table, fields, n, err);
        else if (n == 1 && fields[0][0] == '\0')
            continue;
        else if (n != table->columns)
            rc = lp_fail(err, LP_INVALID, "%s line %zu has %zu fields, not %zu", path, number, n,
                         table->columns);
        else if (!row_add(table, fields))
            rc = lp_fail(err, LP_NOMEM, "no memory for a table");
    }
    fclose(file);
    if (rc == LP_OK && table->rows == 0)
        rc = lp_fail(err, LP_INVALID, "%s has no rows", path);
    return rc;
}

static enum lp_code
column(const struct table *table, const char *path, const char *name, size_t *out,
       struct lp_err *err)
{
    for (*out = 0; *out < table->columns; (*out)++)
        if (strcmp(table->names[*out], name) == 0)
            return LP_OK;
    return lp_fail(err, LP_INVALID, "%s has no column '%s'", path, name);
}

/* ---- elements ---- */

struct site {
    char name[80], code[32];
    const char *label; /* the code as the table has it */
    double latitude, longitude;
    size_t degree, used; /* links in all; line ports given away */
};

struct work {
    const struct sim_generate_options *options;
    struct table sites, links;
    struct site *site;
    json_t *nodes, *spans, *patches;
    size_t amplifiers;
};

static bool
number_read(const char *text, double *out)
{
    char *end;

    *out = strtod(text, &end);
    return end != text && *end == '\0' && isfinite(*out);
}

static enum lp_code
sites_read(struct work *w, struct lp_err *err)
{
    const char *path = w->options->sites;
    size_t code = 0, latitude = 0, longitude = 0, i, j;
    enum lp_code rc = table_read(path, &w->sites, err);

    if (rc == LP_OK)
        rc = column(&w->sites, path, "code", &code, err);
    if (rc == LP_OK)
        rc = column(&w->sites, path, "latitude", &latitude, err);
    if (rc == LP_OK)
        rc = column(&w->sites, path, "longitude", &longitude, err);
    if (rc != LP_OK)
        return rc;
    w->site = calloc(w->sites.rows, sizeof *w->site);
    if (w->site == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for sites");
    for (i = 0; i < w->sites.rows; i++) {
        char *const *row = &w->sites.cells[i * w->sites.columns];
        struct site *site = &w->site[i];

        if (strlen(row[code]) >= sizeof site->code || row[code][0] == '\0'
            || !number_read(row[latitude], &site->latitude)
            || !number_read(row[longitude], &site->longitude))
            return lp_fail(err, LP_INVALID, "%s: row %zu has a bad code or position", path, i + 1);
        snprintf(site->code, sizeof site->code, "%s", row[code]);
        site->label = row[code];
        for (j = 0; site->code[j] != '\0'; j++) {
            char c = (char)tolower((unsigned char)site->code[j]);

            site->code[j] = c == '-' || c == ' ' ? '_' : c;
        }
        snprintf(site->name, sizeof site->name, "%.40s%s", w->options->prefix, site->code);
    }
    return LP_OK;
}

static struct site *
site_find(struct work *w, const char *code)
{
    size_t i;

    for (i = 0; i < w->sites.rows; i++)
        if (strcasecmp(w->site[i].code, code) == 0)
            return &w->site[i];
    return NULL;
}

static bool
card_add(json_t *cards, const char *aid, const char *type, const char *const *ports, size_t count)
{
    json_t *list = json_array();
    size_t i;

    for (i = 0; i < count; i++)
        (void)json_array_append_new(list, json_string(ports[i]));
    return json_array_append_new(
               cards, json_pack("{s:s,s:s,s:o}", "aid", aid, "type", type, "ports", list))
           == 0;
}

/* Every second direction has its TE interface behind a control channel: both forms occur. */
static json_t *
port_settings(const struct site *site, const char *serial, bool cascade)
{
    json_t *ports = json_object();
    size_t i;

    for (i = 2; i <= site->degree; i += 2) {
        char aid[32];

        snprintf(aid, sizeof aid, "1-A-%zu-L1", i);
        (void)json_object_set_new(ports, aid, json_pack("{s:s}", "te", aid));
    }
    if (cascade) {
        char uplink[64];

        snprintf(uplink, sizeof uplink, "%s/1-E2-2-L1", serial);
        (void)json_object_set_new(ports, "1-E2-1-T1",
                                  json_pack("{s:s,s:{s:s,s:s}}", "state", "IS", "attrs", "INTFTYP",
                                            "MANUALMODE-2", "PROVOWREMPTP", uplink));
    }
    return ports;
}

/* A line card for each direction, add/drop on an FSM and an FMM; large sites also have an FMMC12
 * that is cabled into an FBM. */
static bool
roadm_add(struct work *w, const struct site *site)
{
    static const char *const line[] = {"L1", "S1", "O1"};
    static const char *const fsm[] = {"T1A", "T2A", "T3A", "T4A", "T5A", "T6A", "T7A", "T8A"};
    static const char *const fmm[] = {"T1", "T2", "T3", "T4"};
    json_t *cards = json_array();
    bool cascade = site->degree >= CASCADE_DEGREE, ok = cards != NULL;
    bool gateway = !w->options->gateways_only || site->degree >= 3;
    char serial[24];
    size_t i;

    for (i = 1; ok && i <= site->degree; i++) {
        char aid[24];

        snprintf(aid, sizeof aid, "1-A-%zu", i);
        ok = card_add(cards, aid, "FRM", line, 3);
    }
    ok = ok && card_add(cards, "1-E1-1", "FSM", fsm, 8) && card_add(cards, "1-E1-2", "FMM", fmm, 4);
    if (cascade)
        ok = ok && card_add(cards, "1-E2-1", "FBM", fmm, 2)
             && card_add(cards, "1-E2-2", "FMMC12", fmm, 4);
    snprintf(serial, sizeof serial, "MA01%08zu", (size_t)(site - w->site) + 1);
    return ok
           && json_array_append_new(w->nodes,
                                    json_pack("{s:s,s:s,s:s,s:s,s:f,s:f,s:b,s:b,s:o,s:o}", "name",
                                              site->name, "kind", "ROADM", "site", site->label,
                                              "serial", serial, "latitude", site->latitude,
                                              "longitude", site->longitude, "gateway", gateway,
                                              "subtended", !gateway, "cards", cards, "ports",
                                              port_settings(site, serial, cascade)))
                  == 0;
}

/* An amplifier hut: H001, H002 ... */
static bool
amplifier_add(struct work *w, double latitude, double longitude, char *name, size_t size)
{
    static const char *const ports[] = {"L1", "L2", "O1", "O2"};
    json_t *cards = json_array();
    char serial[24], code[24];

    w->amplifiers++;
    snprintf(name, size, "%.40sh%03zu", w->options->prefix, w->amplifiers);
    snprintf(code, sizeof code, "H%03zu", w->amplifiers);
    snprintf(serial, sizeof serial, "MA02%08zu", w->amplifiers);
    return cards != NULL && card_add(cards, "1-A-1", "OAM", ports, 4)
           && json_array_append_new(
                  w->nodes, json_pack("{s:s,s:s,s:s,s:s,s:f,s:f,s:b,s:b,s:o}", "name", name, "kind",
                                      "OLA", "site", code, "serial", serial, "latitude", latitude,
                                      "longitude", longitude, "gateway", !w->options->gateways_only,
                                      "subtended", w->options->gateways_only, "cards", cards))
                  == 0;
}

static bool
span_add(struct work *w, const char *a, const char *a_port, const char *b, const char *b_port,
         double km)
{
    char id[200];
    int length_m = (int)lround(km * 1000),
        loss = (int)lround(km * LOSS_CDB_PER_KM) + CONNECTORS_CDB;

    snprintf(id, sizeof id, "%s:%s", a, a_port);
    return json_array_append_new(w->spans,
                                 json_pack("{s:s,s:[s,s],s:[s,s],s:i,s:i,s:s}", "id", id, "a", a,
                                           a_port, "b", b, b_port, "length_m", length_m, "loss_cdb",
                                           loss, "fiber", "G.652.D"))
           == 0;
}

/* The fibers of one link, with amplifiers between. */
static bool
link_add(struct work *w, struct site *a, struct site *b, double km)
{
    size_t pieces = (size_t)ceil(km / w->options->spacing_km), i;
    char from[128], from_port[24], to[128], to_port[24];
    bool ok = true;

    pieces = pieces == 0 ? 1 : pieces;
    snprintf(from, sizeof from, "%s", a->name);
    snprintf(from_port, sizeof from_port, "1-A-%zu-L1", ++a->used);
    for (i = 1; ok && i <= pieces; i++) {
        double part = (double)i / (double)pieces;

        if (i < pieces) {
            snprintf(to_port, sizeof to_port, "1-A-1-L1");
            ok = amplifier_add(w, a->latitude + (b->latitude - a->latitude) * part,
                               a->longitude + (b->longitude - a->longitude) * part, to, sizeof to);
        } else {
            snprintf(to, sizeof to, "%s", b->name);
            snprintf(to_port, sizeof to_port, "1-A-%zu-L1", ++b->used);
        }
        ok = ok && span_add(w, from, from_port, to, to_port, km / (double)pieces);
        snprintf(from, sizeof from, "%s", to);
        snprintf(from_port, sizeof from_port, "1-A-1-L2");
    }
    return ok;
}

static enum lp_code
links_each(struct work *w, bool build, struct lp_err *err)
{
    const char *path = w->options->links;
    size_t a = 0, b = 0, length = 0, i;
    enum lp_code rc = column(&w->links, path, "a", &a, err);

    if (rc == LP_OK)
        rc = column(&w->links, path, "b", &b, err);
    if (rc == LP_OK)
        rc = column(&w->links, path, "length_km", &length, err);
    for (i = 0; rc == LP_OK && i < w->links.rows; i++) {
        char *const *row = &w->links.cells[i * w->links.columns];
        struct site *from = site_find(w, row[a]), *to = site_find(w, row[b]);
        double km = 0;

        if (from == NULL || to == NULL || from == to || !number_read(row[length], &km) || km < 0
            || km > 20000)
            return lp_fail(err, LP_INVALID, "%s: row %zu has an unknown end or a bad length", path,
                           i + 1);
        if (!build) {
            from->degree++;
            to->degree++;
        } else if (!link_add(w, from, to, km)) {
            rc = lp_fail(err, LP_NOMEM, "no memory for a topology");
        }
    }
    return rc;
}

static bool
patch_add(struct work *w, const char *g30, const char *line, const char *roadm, const char *port)
{
    char id[128];

    (void)snprintf(id, sizeof id, "%.80s:%.32s", g30, line);
    return json_array_append_new(w->patches,
                                 json_pack("{s:s,s:[s,s],s:[s,s],s:i}", "id", id, "a", g30, line,
                                           "b", roadm, port, "loss_cdb", PATCH_CDB))
           == 0;
}

static bool
g30_add(struct work *w, const struct site *site)
{
    char name[80], serial[24];

    (void)snprintf(name, sizeof name, "g30.%.40s", site->code);
    (void)snprintf(serial, sizeof serial, "RO03%06zu", (size_t)(site - w->site) + 1);
    return json_array_append_new(w->nodes,
                                 json_pack("{s:s,s:s,s:s,s:s,s:f,s:f,s:[{s:i,s:s}]}", "name", name,
                                           "kind", "G30", "site", site->label, "serial", serial,
                                           "latitude", site->latitude, "longitude", site->longitude,
                                           "cards", "slot", 1, "type", "CHM2T"))
               == 0
           && patch_add(w, name, "port-1/1/1", site->name, "1-E1-1-T7A")
           && patch_add(w, name, "port-1/1/2", site->name, "1-E1-1-T8A");
}

static enum lp_code
g30s_add(struct work *w, struct lp_err *err)
{
    const char *at = w->options->g30;
    enum lp_code rc = LP_OK;

    while (rc == LP_OK && at != NULL && *at != '\0') {
        const struct site *site;
        char code[32];
        size_t n = strcspn(at, ",");

        (void)snprintf(code, sizeof code, "%.*s", n > 31 ? 31 : (int)n, at);
        site = site_find(w, code);
        if (site == NULL)
            rc = lp_fail(err, LP_INVALID, "there is no site '%s' for a G30", code);
        else if (!g30_add(w, site))
            rc = lp_fail(err, LP_NOMEM, "no memory for a topology");
        at += n + (at[n] == ',' ? 1 : 0);
    }
    return rc;
}

static enum lp_code
generate(struct work *w, struct lp_err *err)
{
    size_t i;
    enum lp_code rc = sites_read(w, err);

    if (rc == LP_OK)
        rc = table_read(w->options->links, &w->links, err);
    if (rc == LP_OK)
        rc = links_each(w, false, err);
    for (i = 0; rc == LP_OK && i < w->sites.rows; i++)
        if (!roadm_add(w, &w->site[i]))
            rc = lp_fail(err, LP_NOMEM, "no memory for a topology");
    if (rc == LP_OK)
        rc = links_each(w, true, err);
    return rc == LP_OK ? g30s_add(w, err) : rc;
}

enum lp_code
sim_generate(const struct sim_generate_options *options, json_t **out, struct lp_err *err)
{
    struct work w = {
        .options = options, .nodes = json_array(), .spans = json_array(), .patches = json_array()};
    enum lp_code rc = options->spacing_km < 1
                          ? lp_fail(err, LP_INVALID, "the spacing is below 1 km")
                          : generate(&w, err);

    if (rc == LP_OK) {
        *out = json_pack("{s:s,s:{s:i},s:[{s:s,s:s}],s:O,s:O,s:O}", "format",
                         "lightpath-sim network 1", "options", "seed", options->seed, "users",
                         "name", options->user, "password", options->password, "nodes", w.nodes,
                         "spans", w.spans, "patches", w.patches);
        if (*out == NULL)
            rc = lp_fail(err, LP_INVALID, "a name or a password is no UTF-8");
    }
    json_decref(w.nodes);
    json_decref(w.spans);
    json_decref(w.patches);
    table_free(&w.sites);
    table_free(&w.links);
    free(w.site);
    return rc;
}

/* ---- tables of what was made ---- */

static void
csv_node(const json_t *node)
{
    printf("%s,%s,%s,%.5f,%.5f\n", lp_json_str(node, "name", ""), lp_json_str(node, "kind", ""),
           lp_json_str(node, "site", ""), json_number_value(json_object_get(node, "latitude")),
           json_number_value(json_object_get(node, "longitude")));
}

static const char *
end_part(const json_t *span, const char *end, size_t n)
{
    const char *text = json_string_value(json_array_get(json_object_get(span, end), n));

    return text == NULL ? "" : text;
}

static void
csv_span(const json_t *row, enum sim_csv what)
{
    printf("%s,%s,%s,%s,%s", lp_json_str(row, "id", ""), end_part(row, "a", 0),
           end_part(row, "a", 1), end_part(row, "b", 0), end_part(row, "b", 1));
    if (what == SIM_CSV_FIBERS)
        printf(",%lld", (long long)lp_json_int(row, "length_m", 0));
    printf(",%lld", (long long)lp_json_int(row, "loss_cdb", 0));
    if (what == SIM_CSV_FIBERS)
        printf(",%s", lp_json_str(row, "fiber", ""));
    putchar('\n');
}

enum lp_code
sim_generate_csv(const json_t *topology, enum sim_csv what, struct lp_err *err)
{
    static const struct {
        const char *rows, *header;
    } tables[] = {[SIM_CSV_NODES] = {"nodes", "name,kind,site,latitude,longitude"},
                  [SIM_CSV_FIBERS] = {"spans", "id,a,a_port,b,b_port,length_m,loss_cdb,fiber"},
                  [SIM_CSV_PATCHES] = {"patches", "id,a,a_port,b,b_port,loss_cdb"}};
    const json_t *rows = json_object_get(topology, tables[what].rows);
    size_t i;

    puts(tables[what].header);
    for (i = 0; i < json_array_size(rows); i++)
        if (what == SIM_CSV_NODES)
            csv_node(json_array_get(rows, i));
        else
            csv_span(json_array_get(rows, i), what);
    return fflush(stdout) == 0 ? LP_OK : lp_fail(err, LP_STORE, "the table cannot be written");
}
