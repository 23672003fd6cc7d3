#include "base/conf.h"

#include <cyaml/cyaml.h>
#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/log.h"

enum { LARGEST_FILE = 256 * 1024, LONGEST_STRING = 4096, DEEPEST_NODE = 16, LONGEST_NAME = 64 };

static const struct lp_conf_key keys[] = {
#define LP_CONF_STR(section, key, value, reload, text)                                             \
    {#section, #key, LP_CONF_TYPE_STR, value, 0,                                                   \
     0,        "",   (reload) != 0,    text,  offsetof(struct lp_conf, section##_##key)},
#define LP_CONF_INT(section, key, value, min, max, unit, reload, text)                             \
    {#section, #key, LP_CONF_TYPE_INT, #value, min,                                                \
     max,      unit, (reload) != 0,    text,   offsetof(struct lp_conf, section##_##key)},
#define LP_CONF_BOOL(section, key, value, reload, text)                                            \
    {#section,                                                                                     \
     #key,                                                                                         \
     LP_CONF_TYPE_BOOL,                                                                            \
     (value) != 0 ? "true" : "false",                                                              \
     0,                                                                                            \
     1,                                                                                            \
     "",                                                                                           \
     (reload) != 0,                                                                                \
     text,                                                                                         \
     offsetof(struct lp_conf, section##_##key)},
#include "base/conf.def"
#undef LP_CONF_STR
#undef LP_CONF_INT
#undef LP_CONF_BOOL
};
enum { KEYS = LP_COUNT(keys) };

const struct lp_conf_key *
lp_conf_keys(size_t *count)
{
    *count = KEYS;
    return keys;
}

/* One load: what was found wrong so far, and what the file says about each key. */
struct load {
    struct lp_conf *conf;
    const char *path;
    json_t *problems; /* array of texts */
    bool no_memory;
    struct {
        unsigned line;  /* where the file names it; 0: not at all */
        bool read_text; /* a single value that the table may judge */
    } in_file[KEYS];
};

LP_PRINTF(2, 3)
static void
problem(struct load *load, const char *fmt, ...)
{
    struct lp_err text = LP_ERR_INIT;
    char *line = NULL;
    va_list args;

    va_start(args, fmt);
    if (vasprintf(&line, fmt, args) < 0)
        line = NULL;
    va_end(args);
    if (line == NULL) {
        load->no_memory = true;
        return;
    }
    /* lp_fail makes the text valid UTF-8 */
    if (lp_fail(&text, LP_INVALID, "%s", line) != LP_INVALID
        || json_array_append_new(load->problems, json_string(text.msg)) != 0)
        load->no_memory = true;
    free(line);
}

static bool
parse_int(const char *text, int64_t *value)
{
    char *end;

    if (text[0] != '-' && (text[0] < '0' || text[0] > '9'))
        return false;
    errno = 0;
    *value = strtoll(text, &end, 10);
    return errno == 0 && *end == '\0' && end != text;
}

static bool
parse_bool(const char *text, bool *value)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};

    for (size_t i = 0; i < LP_COUNT(words); i++)
        if (strcasecmp(text, words[i]) == 0) {
            *value = i % 2 == 1;
            return true;
        }
    return false;
}

static bool
is_plain(const char *text)
{
    size_t len = strlen(text);

    if (len > LONGEST_STRING || !lp_utf8_valid(text, len))
        return false;
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7F)
            return false;
    return true;
}

/* The field of a key inside the struct. */
static void *
field(struct lp_conf *conf, const struct lp_conf_key *key)
{
    return (char *)conf + key->offset;
}

static void
set_string(struct load *load, const struct lp_conf_key *key, const char *text, const char *source)
{
    char **slot = field(load->conf, key);
    char *copy;

    if (!is_plain(text)) {
        problem(load,
                "%s: %s.%s must be text of at most %d bytes, UTF-8 without control characters",
                source, key->section, key->key, LONGEST_STRING);
        return;
    }
    copy = strdup(text);
    if (copy == NULL) {
        load->no_memory = true;
        return;
    }
    free(*slot);
    *slot = copy;
}

static void
set_int(struct load *load, const struct lp_conf_key *key, const char *text, const char *source)
{
    int64_t value;

    if (parse_int(text, &value) && value >= key->min && value <= key->max)
        *(int64_t *)field(load->conf, key) = value;
    else
        problem(load, "%s: %s.%s must be a whole number from %lld to %lld (%s), not '%.40s'",
                source, key->section, key->key, (long long)key->min, (long long)key->max, key->unit,
                text);
}

static void
set(struct load *load, const struct lp_conf_key *key, const char *text, const char *source)
{
    switch (key->type) {
    case LP_CONF_TYPE_STR:
        set_string(load, key, text, source);
        break;
    case LP_CONF_TYPE_INT:
        set_int(load, key, text, source);
        break;
    case LP_CONF_TYPE_BOOL:
        if (!parse_bool(text, field(load->conf, key)))
            problem(load, "%s: %s.%s must be true or false, not '%.40s'", source, key->section,
                    key->key, text);
        break;
    }
}

static size_t
find_key(const char *section, const char *key)
{
    for (size_t i = 0; i < KEYS; i++)
        if (strcmp(keys[i].section, section) == 0 && strcmp(keys[i].key, key) == 0)
            return i;
    return KEYS;
}

static bool
is_section(const char *name)
{
    for (size_t i = 0; i < KEYS; i++)
        if (strcmp(keys[i].section, name) == 0)
            return true;
    return false;
}

/* ---- the file: first its outline (libyaml), so that every wrong or doubled name is told with its
 * line ... ---- */

struct outline {
    struct load *load;
    yaml_parser_t parser;
    bool broken;                    /* not YAML, or not of our shape: nothing more can be read */
    bool seen_section[KEYS];        /* by index of the section's first key */
    bool has_sections;              /* the file holds a mapping with something in it */
    char section[LONGEST_NAME + 1]; /* being read */
};

static void
break_off(struct outline *o, size_t line, size_t column, const char *why)
{
    (void)json_array_clear(o->load->problems); /* what was noted before may only follow from this */
    problem(o->load, "%s, line %zu, column %zu: %s", o->load->path, line + 1, column + 1, why);
    o->broken = true;
}

static bool
next_event(struct outline *o, yaml_event_t *event)
{
    if (o->broken)
        return false;
    if (yaml_parser_parse(&o->parser, event) != 1) {
        if (o->parser.error == YAML_MEMORY_ERROR)
            o->load->no_memory = true;
        break_off(o, o->parser.problem_mark.line, o->parser.problem_mark.column,
                  o->parser.problem == NULL ? "not YAML" : o->parser.problem);
        return false;
    }
    if (event->type == YAML_ALIAS_EVENT) {
        break_off(o, event->start_mark.line, event->start_mark.column, "aliases are not read here");
        yaml_event_delete(event);
        return false;
    }
    return true;
}

static bool
opens(yaml_event_type_t type)
{
    return type == YAML_MAPPING_START_EVENT || type == YAML_SEQUENCE_START_EVENT;
}

static bool
closes(yaml_event_type_t type)
{
    return type == YAML_MAPPING_END_EVENT || type == YAML_SEQUENCE_END_EVENT;
}

/* Passes over the rest of the node that began with an event of this type. */
static void
skip_node(struct outline *o, yaml_event_type_t type)
{
    unsigned depth = opens(type) ? 1 : 0;
    yaml_event_t event;

    while (depth > 0 && next_event(o, &event)) {
        if (opens(event.type) && ++depth > DEEPEST_NODE)
            break_off(o, event.start_mark.line, event.start_mark.column, "nested too deep");
        else if (closes(event.type))
            depth--;
        yaml_event_delete(&event);
    }
}

/* ~, null and nothing at all mean "as if it were not there". */
static bool
is_null(const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;

    return event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE
           && (text[0] == '\0' || strcmp(text, "~") == 0 || strcasecmp(text, "null") == 0);
}

static bool
has_nul(const yaml_event_t *event)
{
    return strlen((const char *)event->data.scalar.value) != event->data.scalar.length;
}

static const char *
shape(yaml_event_type_t type)
{
    if (type == YAML_SCALAR_EVENT)
        return "text with a NUL in it";
    return type == YAML_SEQUENCE_START_EVENT ? "a list" : "a section";
}

static void
note_value(struct outline *o, const char *name, const yaml_event_t *event, unsigned line)
{
    struct load *load = o->load;
    size_t i = find_key(o->section, name);

    if (i == KEYS) {
        problem(load, "%s, line %u: unknown key '%.64s' in section '%s'", load->path, line, name,
                o->section);
        return;
    }
    if (load->in_file[i].line != 0)
        problem(load, "%s, line %u: %s.%s was given before, on line %u", load->path, line,
                o->section, name, load->in_file[i].line);
    else if (event->type != YAML_SCALAR_EVENT || has_nul(event))
        problem(load, "%s, line %u: %s.%s must be one value, not %s", load->path, line, o->section,
                name, shape(event->type));
    /* libcyaml gives up at a doubled name: such a key is judged when it is single */
    load->in_file[i].read_text = load->in_file[i].line == 0 && event->type == YAML_SCALAR_EVENT
                                 && !has_nul(event) && !is_null(event);
    load->in_file[i].line = line;
}

/* A scalar key; anything else breaks off. */
static bool
key_text(struct outline *o, const yaml_event_t *event, char name[static LONGEST_NAME + 1])
{
    if (event->type != YAML_SCALAR_EVENT || has_nul(event)) {
        break_off(o, event->start_mark.line, event->start_mark.column, "a plain name is expected");
        return false;
    }
    (void)snprintf(name, LONGEST_NAME + 1, "%s", (const char *)event->data.scalar.value);
    return true;
}

typedef void member_fn(struct outline *o, const char *name, const yaml_event_t *value,
                       unsigned line);

/* Calls `member` with each name and the first event of its value; `member` leaves the node as it
 * is. */
static void
each_member(struct outline *o, member_fn *member)
{
    yaml_event_t name_event, value;
    char name[LONGEST_NAME + 1];

    while (next_event(o, &name_event)) {
        unsigned line = (unsigned)name_event.start_mark.line + 1;
        bool ended = name_event.type == YAML_MAPPING_END_EVENT;
        bool ok = !ended && key_text(o, &name_event, name);

        yaml_event_delete(&name_event);
        if (!ok || !next_event(o, &value))
            return;
        member(o, name, &value, line);
        yaml_event_delete(&value);
    }
}

static void
read_key(struct outline *o, const char *name, const yaml_event_t *value, unsigned line)
{
    note_value(o, name, value, line);
    skip_node(o, value->type);
}

static void
forget_section(struct load *load, const char *section)
{
    for (size_t i = 0; i < KEYS; i++)
        if (strcmp(keys[i].section, section) == 0)
            load->in_file[i].read_text = false;
}

static void
read_section(struct outline *o, const char *name, const yaml_event_t *value, unsigned line)
{
    struct load *load = o->load;
    size_t first = 0;

    o->has_sections = true;
    while (first < KEYS && strcmp(keys[first].section, name) != 0)
        first++;
    if (first == KEYS)
        problem(load, "%s, line %u: unknown section '%.64s'", load->path, line, name);
    else if (o->seen_section[first])
        problem(load, "%s, line %u: section '%s' was given before", load->path, line, name);
    else if (value->type == YAML_SCALAR_EVENT ? !is_null(value)
                                              : value->type != YAML_MAPPING_START_EVENT)
        problem(load, "%s, line %u: '%s' is a section and needs keys below it", load->path, line,
                name);
    if (first == KEYS || value->type != YAML_MAPPING_START_EVENT) {
        skip_node(o, value->type);
    } else {
        (void)snprintf(o->section, sizeof o->section, "%s", name);
        each_member(o, read_key);
    }
    if (first < KEYS && o->seen_section[first])
        forget_section(load, name);
    if (first < KEYS)
        o->seen_section[first] = true;
}

static void
read_root(struct outline *o)
{
    yaml_event_t event;
    yaml_event_type_t type;

    while (next_event(o, &event)) {
        type = event.type;
        if (type == YAML_MAPPING_START_EVENT)
            each_member(o, read_section);
        else if (opens(type) || (type == YAML_SCALAR_EVENT && !is_null(&event)))
            break_off(o, event.start_mark.line, event.start_mark.column,
                      "sections with keys are expected");
        else if (type == YAML_DOCUMENT_START_EVENT && event.start_mark.index > 0 && o->has_sections)
            break_off(o, event.start_mark.line, event.start_mark.column,
                      "a second document in the same file");
        yaml_event_delete(&event);
        if (type == YAML_STREAM_END_EVENT)
            return;
    }
}

static void
read_outline(struct outline *o, const char *text, size_t len)
{
    if (yaml_parser_initialize(&o->parser) != 1) {
        o->load->no_memory = true;
        o->broken = true;
        return;
    }
    yaml_parser_set_input_string(&o->parser, (const unsigned char *)text, len);
    read_root(o);
    yaml_parser_delete(&o->parser);
}

/* ---- ... then the values (libcyaml), all of them as text: it knows no ranges and stops at its
 * first error, the table does not ---- */

struct texts {
    char *value[KEYS];
};

struct schema {
    cyaml_schema_field_t sections[KEYS + 1];
    cyaml_schema_field_t members[2 * KEYS + 1];
    cyaml_schema_value_t root;
};

static cyaml_schema_field_t
text_field(size_t i)
{
    return (cyaml_schema_field_t)CYAML_FIELD_STRING_PTR(keys[i].key,
                                                        CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
                                                        struct texts, value[0], 0, CYAML_UNLIMITED);
}

/* One cyaml field list per section, its names in table order; `used` counts fields written so far.
 */
static size_t
add_section(struct schema *schema, const struct load *load, const char *section, size_t used)
{
    for (size_t i = 0; i < KEYS; i++) {
        if (strcmp(keys[i].section, section) != 0 || !load->in_file[i].read_text)
            continue;
        schema->members[used] = text_field(i);
        schema->members[used].data_offset = (uint32_t)(i * sizeof(char *));
        used++;
    }
    schema->members[used] = (cyaml_schema_field_t)CYAML_FIELD_END;
    return used + 1;
}

static void
build_schema(struct schema *schema, const struct load *load)
{
    size_t sections = 0, used = 0;

    for (size_t i = 0; i < KEYS; i++) {
        cyaml_schema_field_t *first = &schema->members[used];

        if (i > 0 && strcmp(keys[i].section, keys[i - 1].section) == 0)
            continue;
        used = add_section(schema, load, keys[i].section, used);
        if (first->key == NULL)
            continue; /* nothing of it in the file */
        schema->sections[sections] = (cyaml_schema_field_t)CYAML_FIELD_MAPPING(
            keys[i].section, CYAML_FLAG_OPTIONAL, struct texts, value, first);
        schema->sections[sections].value.data_size = sizeof(struct texts);
        schema->sections[sections].data_offset = 0;
        sections++;
    }
    schema->sections[sections] = (cyaml_schema_field_t)CYAML_FIELD_END;
    schema->root = (cyaml_schema_value_t){
        CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct texts, schema->sections)};
}

static void
take_texts(struct load *load, const struct texts *texts)
{
    char source[600];

    for (size_t i = 0; i < KEYS; i++) {
        if (!load->in_file[i].read_text || texts->value[i] == NULL)
            continue;
        (void)snprintf(source, sizeof source, "%.500s, line %u", load->path, load->in_file[i].line);
        set(load, &keys[i], texts->value[i], source);
    }
}

static void
read_values(struct load *load, const char *text, size_t len)
{
    const cyaml_config_t config = {
        .mem_fn = cyaml_mem,
        .flags = CYAML_CFG_IGNORE_UNKNOWN_KEYS | CYAML_CFG_NO_ALIAS,
    };
    struct schema *schema = calloc(1, sizeof *schema);
    cyaml_data_t *data = NULL;
    cyaml_err_t result;

    if (schema == NULL) {
        load->no_memory = true;
        return;
    }
    build_schema(schema, load);
    result = cyaml_load_data((const uint8_t *)text, len, &config, &schema->root, &data, NULL);
    if (result == CYAML_ERR_OOM)
        load->no_memory = true;
    else if (result != CYAML_OK)
        problem(load, "%s: %s", load->path, cyaml_strerror(result));
    else if (data != NULL)
        take_texts(load, data);
    (void)cyaml_free(&config, &schema->root, data, 0);
    free(schema);
}

static void
read_text(struct load *load, const char *text, size_t len)
{
    struct outline outline = {.load = load};
    bool any = false;

    if (!lp_utf8_valid(text, len)) {
        problem(load, "%s: not a text file (it holds bytes that are not UTF-8)", load->path);
        return;
    }
    read_outline(&outline, text, len);
    for (size_t i = 0; i < KEYS; i++)
        any = any || load->in_file[i].read_text;
    if (!outline.broken && any)
        read_values(load, text, len);
}

static void
read_open_file(struct load *load, int fd)
{
    struct lp_buf text = LP_BUF_INIT;
    char piece[8192];
    struct stat st;
    ssize_t n = 0;

    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        problem(load, "%s: not a regular file", load->path);
        return;
    }
    while (text.len <= LARGEST_FILE && (n = read(fd, piece, sizeof piece)) > 0)
        lp_buf_add(&text, piece, (size_t)n);
    if (n < 0)
        problem(load, "%s: cannot be read: %s", load->path, strerror(errno));
    else if (text.failed)
        load->no_memory = true;
    else if (text.len > LARGEST_FILE)
        problem(load, "%s: larger than %d bytes", load->path, LARGEST_FILE);
    else
        read_text(load, text.data == NULL ? "" : text.data, text.len);
    lp_buf_free(&text);
}

static void
read_file(struct load *load)
{
    /* O_NONBLOCK: a named pipe must not hold the start */
    int fd = open(load->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0) {
        problem(load, "%s: cannot be opened: %s", load->path, strerror(errno));
        return;
    }
    read_open_file(load, fd);
    (void)close(fd);
}

/* ---- environment and command line ---- */

/* Variables of ours that are no keys: those of the other programs, which share the prefix and
 * often the environment, and what tests tell their programs. */
static bool
is_foreign(const char *name)
{
    static const char *const others[] = {"LIGHTPATH_URL", "LIGHTPATH_SOCKET", "LIGHTPATH_TOKEN",
                                         "LIGHTPATH_SIM"};
    static const char tests[] = "LIGHTPATH_TEST_";

    for (size_t i = 0; i < LP_COUNT(others); i++)
        if (strcmp(others[i], name) == 0)
            return true;
    return strncmp(name, tests, strlen(tests)) == 0;
}

static void
variable_name(const struct lp_conf_key *key, char name[static 2 * LONGEST_NAME])
{
    (void)snprintf(name, 2 * LONGEST_NAME, "LIGHTPATH_%s_%s", key->section, key->key);
    for (char *p = name; *p != '\0'; p++)
        if (*p >= 'a' && *p <= 'z')
            *p = (char)(*p - 'a' + 'A');
}

/* A misspelt variable must not be passed over: what it should have changed would stay as it is. */
static void
refuse_unknown_variables(struct load *load)
{
    static const char prefix[] = "LIGHTPATH_";

    for (char **variable = environ; *variable != NULL; variable++) {
        size_t len = strcspn(*variable, "=");
        char name[2 * LONGEST_NAME], known[2 * LONGEST_NAME];
        bool found = false;

        if (strncmp(*variable, prefix, strlen(prefix)) != 0)
            continue;
        (void)snprintf(name, sizeof name, "%.*s", (int)(len < 100 ? len : 100), *variable);
        for (size_t i = 0; i < KEYS && !found; i++) {
            variable_name(&keys[i], known);
            found = strcmp(known, name) == 0;
        }
        if (!found && !is_foreign(name))
            problem(load, "environment variable %s: there is no such key", name);
    }
}

static void
read_environment(struct load *load)
{
    char name[2 * LONGEST_NAME], source[2 * LONGEST_NAME + 32];

    for (size_t i = 0; i < KEYS; i++) {
        const char *value;

        variable_name(&keys[i], name);
        value = getenv(name);
        if (value == NULL)
            continue;
        (void)snprintf(source, sizeof source, "environment variable %s", name);
        set(load, &keys[i], value, source);
    }
}

static void
read_override(struct load *load, const char *text)
{
    const char *equals = strchr(text, '='), *dot = strchr(text, '.');
    char section[LONGEST_NAME], key[LONGEST_NAME], source[3 * LONGEST_NAME];
    size_t i;

    if (equals == NULL || dot == NULL || dot > equals || dot - text >= LONGEST_NAME
        || equals - dot > LONGEST_NAME) {
        problem(load, "option '%.64s': section.key=value is expected", text);
        return;
    }
    (void)snprintf(section, sizeof section, "%.*s", (int)(dot - text), text);
    (void)snprintf(key, sizeof key, "%.*s", (int)(equals - dot - 1), dot + 1);
    i = find_key(section, key);
    if (i == KEYS) {
        problem(load, "option '%s.%s': unknown %s", section, key,
                is_section(section) ? "key" : "section");
        return;
    }
    (void)snprintf(source, sizeof source, "option %s.%s", section, key);
    set(load, &keys[i], equals + 1, source);
}

/* ---- rules beyond type and range; each returns what is wrong, or NULL ---- */

static const char *
check_level(const struct lp_conf *conf)
{
    bool ok;

    (void)lp_level_from_name(conf->log_level, &ok);
    return ok ? NULL : "log.level must be debug, info, warn or error";
}

static const char *
check_listen(const struct lp_conf *conf)
{
    static const char wrong[] = "api.listen must be ADDRESS:PORT with a port from 0 to 65535, "
                                "for example 127.0.0.1:8420 or [::1]:8420";
    const char *colon = strrchr(conf->api_listen, ':');
    int64_t port;

    if (colon == NULL || colon == conf->api_listen || !parse_int(colon + 1, &port) || port < 0
        || port > 65535)
        return wrong;
    if (memchr(conf->api_listen, ':', (size_t)(colon - conf->api_listen)) != NULL
        && (conf->api_listen[0] != '[' || colon[-1] != ']'))
        return wrong;
    return NULL;
}

static const char *
check_store(const struct lp_conf *conf)
{
    static const char *const kinds[] = {"sqlite:", "postgresql://", "postgres://"};

    if (conf->store_url[0] == '\0')
        return NULL;
    for (size_t i = 0; i < LP_COUNT(kinds); i++)
        if (strncmp(conf->store_url, kinds[i], strlen(kinds[i])) == 0
            && conf->store_url[strlen(kinds[i])] != '\0')
            return NULL;
    return "store.url must begin with sqlite: or postgresql://";
}

static const char *
check_pattern(const struct lp_conf *conf)
{
    regex_t regex;

    if (conf->pop_code_pattern[0] == '\0' || strlen(conf->pop_code_pattern) > 256
        || regcomp(&regex, conf->pop_code_pattern, REG_EXTENDED | REG_NOSUB) != 0)
        return "pop.code_pattern must be a POSIX extended regular expression of 1 to 256 bytes";
    regfree(&regex);
    return NULL;
}

static const char *
check_heartbeat(const struct lp_conf *conf)
{
    return conf->executor_heartbeat_ms <= conf->executor_lease_ms / 2
               ? NULL
               : "executor.heartbeat_ms must be at most half of executor.lease_ms, "
                 "or a late renewal loses the lease";
}

static const char *(*const checks[])(const struct lp_conf *) = {
    check_level, check_listen, check_store, check_pattern, check_heartbeat,
};

static enum lp_code
finish(struct load *load, struct lp_err *err)
{
    size_t count = json_array_size(load->problems);
    enum lp_code rc;

    if (load->no_memory)
        return lp_fail(err, LP_NOMEM, "no memory for the configuration");
    if (count == 0)
        return LP_OK;
    rc = count == 1
             ? lp_fail(err, LP_INVALID, "%s", json_string_value(json_array_get(load->problems, 0)))
             : lp_fail(err, LP_INVALID, "%s (and %zu more)",
                       json_string_value(json_array_get(load->problems, 0)), count - 1);
    err->detail = json_pack("{s:O}", "problems", load->problems);
    return rc;
}

static void
load_all(struct load *load, const char *const *overrides, size_t override_count)
{
    for (size_t i = 0; i < KEYS; i++)
        set(load, &keys[i], keys[i].default_text, "default");
    if (load->path != NULL)
        read_file(load);
    read_environment(load);
    refuse_unknown_variables(load);
    for (size_t i = 0; i < override_count; i++)
        read_override(load, overrides[i]);
    for (size_t i = 0; i < LP_COUNT(checks) && !load->no_memory; i++) {
        const char *wrong = checks[i](load->conf);

        if (wrong != NULL)
            problem(load, "%s", wrong);
    }
}

enum lp_code
lp_conf_load(const char *path, const char *const *overrides, size_t override_count,
             struct lp_conf **out, struct lp_err *err)
{
    struct load load = {.path = path, .problems = json_array()};
    enum lp_code rc;

    load.conf = calloc(1, sizeof *load.conf);
    load.no_memory = load.conf == NULL || load.problems == NULL;
    if (!load.no_memory && path != NULL) {
        load.conf->path = strdup(path);
        load.no_memory = load.conf->path == NULL;
    }
    if (!load.no_memory)
        load_all(&load, overrides, override_count);
    rc = finish(&load, err);
    json_decref(load.problems);
    if (rc == LP_OK)
        *out = load.conf;
    else
        lp_conf_free(load.conf);
    return rc;
}

void
lp_conf_free(struct lp_conf *conf)
{
    if (conf == NULL)
        return;
    for (size_t i = 0; i < KEYS; i++)
        if (keys[i].type == LP_CONF_TYPE_STR)
            free(*(char **)field(conf, &keys[i]));
    free(conf->path);
    free(conf);
}

static void
sample_key(struct lp_buf *out, const struct lp_conf_key *key)
{
    lp_buf_printf(out, "\n  # %s", key->text);
    if (key->type == LP_CONF_TYPE_INT)
        lp_buf_printf(out, "; %lld to %lld %s", (long long)key->min, (long long)key->max,
                      key->unit);
    lp_buf_str(out, key->reloadable ? " (re-read on SIGHUP)\n" : "\n");
    lp_buf_printf(out, key->type == LP_CONF_TYPE_STR ? "  %s: \"%s\"\n" : "  %s: %s\n", key->key,
                  key->default_text);
}

char *
lp_conf_sample(void)
{
    struct lp_buf out = LP_BUF_INIT;

    lp_buf_str(&out, "# Lightpath configuration: every key with its default.\n"
                     "# An environment variable LIGHTPATH_<SECTION>_<KEY> overrides the file.\n");
    for (size_t i = 0; i < KEYS; i++) {
        if (i == 0 || strcmp(keys[i].section, keys[i - 1].section) != 0)
            lp_buf_printf(&out, "\n%s:\n", keys[i].section);
        sample_key(&out, &keys[i]);
    }
    return lp_buf_take(&out);
}
