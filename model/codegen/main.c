/* lp-codegen HEADER SOURCE DEPFILE FOLDER...: C structs of every block of the catalog. Runs while
 * Lightpath is built. */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "model/model.h"

/* "OpticalDevicePort" -> "optical_device_port", "PoP" -> "pop": a capital begins a word when a
 * small letter follows it. */
static char *
snake(const char *name)
{
    struct lp_buf out = LP_BUF_INIT;

    for (size_t i = 0; name[i] != '\0'; i++) {
        unsigned char c = (unsigned char)name[i];
        bool word = i > 0 && isupper(c) && islower((unsigned char)name[i + 1])
                    && isalnum((unsigned char)name[i - 1]);
        if (word)
            lp_buf_char(&out, '_');
        lp_buf_char(&out, isalnum(c) ? (char)tolower(c) : '_');
    }
    return lp_buf_take(&out);
}

static char *
upper(const char *name)
{
    char *out = strdup(name);

    for (char *c = out; c != NULL && *c != '\0'; c++)
        *c = isalnum((unsigned char)*c) ? (char)toupper((unsigned char)*c) : '_';
    return out;
}

/* "pop_address" for the struct in field address of pop */
static char *
joined(const char *a, const char *b)
{
    char *out = NULL;

    return asprintf(&out, "%s_%s", a, b) < 0 ? NULL : out;
}

typedef void each_struct(FILE *out, const char *name, const char *title,
                         const struct lp_field *fields, size_t count, bool block);

/* Calls `each` for a block and the plain structs inside it, inner ones first. */
static void
walk(FILE *out, each_struct *each, const char *name, const char *title,
     const struct lp_field *fields, size_t count, bool block)
{
    for (size_t i = 0; i < count; i++) {
        char *inner;
        if (fields[i].kind != LP_FIELD_STRUCT)
            continue;
        inner = joined(name, fields[i].name);
        walk(out, each, inner, fields[i].name, fields[i].fields, fields[i].field_count, false);
        free(inner);
    }
    each(out, name, title, fields, count, block);
}

static void
walk_all(FILE *out, each_struct *each, const struct lp_catalog *catalog)
{
    size_t count;
    const struct lp_block_type *blocks = lp_catalog_blocks(catalog, &count);

    for (size_t i = 0; i < count; i++) {
        char *name = snake(blocks[i].name);
        walk(out, each, name, blocks[i].name, blocks[i].fields, blocks[i].field_count, true);
        free(name);
    }
}

/* ---- header ---- */

static void
write_comment(FILE *out, const char *text)
{
    (void)fputs(" /* ", out);
    for (bool blank = false; *text != '\0'; text++) {
        if (isspace((unsigned char)*text) || (text[0] == '*' && text[1] == '/')) {
            blank = true;
            continue;
        }
        if (blank)
            (void)fputc(' ', out);
        (void)fputc(*text, out);
        blank = false;
    }
    (void)fputs(" */", out);
}

static void
declare_enums(FILE *out, const char *name, const char *title, const struct lp_field *fields,
              size_t count, bool block)
{
    (void)title, (void)block;
    for (size_t i = 0; i < count; i++) {
        char *type = joined(name, fields[i].name), *prefix = upper(type);
        if (fields[i].kind == LP_FIELD_ENUM) {
            (void)fprintf(out, "enum lp_%s {\n    LP_%s_NONE, /* absent */\n", type, prefix);
            for (size_t k = 0; k < fields[i].value_count; k++) {
                char *value = upper(fields[i].values[k].value);
                (void)fprintf(out, "    LP_%s_%s,\n", prefix, value);
                free(value);
            }
            (void)fprintf(out,
                          "    LP_%s_COUNT\n};\n/** Names by value; [LP_%s_NONE] is NULL. */\n",
                          prefix, prefix);
            (void)fprintf(out, "extern const char *const lp_%s_names[LP_%s_COUNT];\n\n", type,
                          prefix);
        }
        free(prefix);
        free(type);
    }
}

static char *
c_type(const char *owner, const struct lp_field *field)
{
    char *name = NULL, *out = NULL;
    bool failed = false;

    if (field->kind == LP_FIELD_INT)
        return strdup("int64_t ");
    if (field->kind == LP_FIELD_BOOL)
        return strdup("bool ");
    if (field->kind == LP_FIELD_BLOCK)
        name = snake(field->block);
    else if (field->kind == LP_FIELD_STRUCT || field->kind == LP_FIELD_ENUM)
        name = joined(owner, field->name);
    else
        return strdup("char *");
    failed =
        asprintf(&out, field->kind == LP_FIELD_ENUM ? "enum lp_%s " : "struct lp_block_%s ", name)
        < 0;
    free(name);
    return failed ? NULL : out;
}

static void
declare_member(FILE *out, const char *owner, const struct lp_field *field)
{
    char *type = c_type(owner, field);
    bool inner = field->kind == LP_FIELD_STRUCT || field->kind == LP_FIELD_BLOCK;
    bool beside = !field->list && (field->kind == LP_FIELD_INT || field->kind == LP_FIELD_BOOL);

    if (beside)
        (void)fprintf(out, "    bool has_%s;\n", field->name);
    (void)fprintf(out, "    %s%s%s;", type, field->list || inner ? "*" : "", field->name);
    if (field->units != NULL && field->description == NULL)
        write_comment(out, field->units);
    if (field->description != NULL)
        write_comment(out, field->description);
    (void)fputc('\n', out);
    if (field->list)
        (void)fprintf(out, "    size_t %s_count;\n", field->name);
    free(type);
}

static void
declare_struct(FILE *out, const char *name, const char *title, const struct lp_field *fields,
               size_t count, bool block)
{
    if (block)
        (void)fprintf(out, "/** Block %s. */\n", title);
    (void)fprintf(out, "struct lp_block_%s {\n", name);
    if (block)
        (void)fputs("    char *subscription_instance_id;\n    char *label;\n", out);
    for (size_t i = 0; i < count; i++)
        declare_member(out, name, &fields[i]);
    (void)fputs("};\n", out);
    if (block)
        (void)fprintf(out,
                      "enum lp_code lp_block_%s_from_json(const json_t *doc, struct lp_block_%s "
                      "*out, struct lp_err *err) "
                      "LP_MUST_CHECK;\n"
                      "json_t *lp_block_%s_to_json(const struct lp_block_%s *value);\n"
                      "void lp_block_%s_free(struct lp_block_%s *value);\n",
                      name, name, name, name, name, name);
    (void)fputc('\n', out);
}

static void
announce_struct(FILE *out, const char *name, const char *title, const struct lp_field *fields,
                size_t count, bool block)
{
    (void)title, (void)fields, (void)count, (void)block;
    (void)fprintf(out, "struct lp_block_%s;\n", name);
}

static void
define_names(FILE *out, const char *name, const char *title, const struct lp_field *fields,
             size_t count, bool block)
{
    char *prefix = upper(name);

    if (block)
        (void)fprintf(out, "#define LP_BLOCK_%s \"%s\"\n", prefix, title);
    for (size_t i = 0; i < count; i++) {
        char *field = upper(fields[i].name);
        (void)fprintf(out, "#define LP_F_%s_%s \"%s\"\n", prefix, field, fields[i].name);
        free(field);
    }
    free(prefix);
}

static const char usage[] =
    "/**\n"
    " * Generated from the YANG modules of the catalog by lp-codegen; changes are made there.\n"
    " *\n"
    " * One struct per block, read from and written to the JSON document of an instance:\n"
    " *\n"
    " *     #include \"model/products_gen.h\"\n"
    " *     struct lp_block_pop pop;\n"
    " *     rc = lp_block_pop_from_json(sub->root, &pop, err);\n"
    " *     if (rc != LP_OK)\n"
    " *         return rc;\n"
    " *     if (pop.has_latitude_udeg) ...  numbers and booleans: has_<name> says whether the "
    "field is there\n"
    " *     if (pop.code != NULL) ...       texts, plain containers and owned blocks: NULL when "
    "absent\n"
    " *     for (size_t i = 0; i < pop.external_ids_count; i++) ...   lists: pointer and "
    "<name>_count\n"
    " *     lp_block_pop_free(&pop);        frees the members, not the struct\n"
    " *\n"
    " * The LP_F_<BLOCK>_<FIELD> names are the JSON members, for forms and paths: a misspelt one "
    "does not compile either.\n"
    " * Strict: members the catalog does not have and values of another type are LP_INVALID. "
    "Threads: any; a struct has one owner.\n"
    " */\n";

static void
write_header(FILE *out, const struct lp_catalog *catalog)
{
    (void)fputs(usage, out);
    (void)fputs("#ifndef LP_PRODUCTS_GEN_H\n#define LP_PRODUCTS_GEN_H\n\n#include "
                "\"model/generated.h\"\n\n",
                out);
    walk_all(out, define_names, catalog);
    (void)fputc('\n', out);
    walk_all(out, announce_struct, catalog);
    (void)fputc('\n', out);
    walk_all(out, declare_enums, catalog);
    walk_all(out, declare_struct, catalog);
    (void)fputs("#endif\n", out);
}

/* ---- source ---- */

static const char *const kinds[] = {
    [LP_FIELD_STRING] = "LP_FIELD_STRING", [LP_FIELD_INT] = "LP_FIELD_INT",
    [LP_FIELD_BOOL] = "LP_FIELD_BOOL",     [LP_FIELD_ENUM] = "LP_FIELD_ENUM",
    [LP_FIELD_UUID] = "LP_FIELD_UUID",     [LP_FIELD_REF] = "LP_FIELD_REF",
    [LP_FIELD_STRUCT] = "LP_FIELD_STRUCT", [LP_FIELD_BLOCK] = "LP_FIELD_BLOCK",
};

static void
write_enum_names(FILE *out, const char *name, const char *title, const struct lp_field *fields,
                 size_t count, bool block)
{
    (void)title, (void)block;
    for (size_t i = 0; i < count; i++) {
        char *type = joined(name, fields[i].name), *prefix = upper(type);
        if (fields[i].kind == LP_FIELD_ENUM) {
            (void)fprintf(out, "const char *const lp_%s_names[LP_%s_COUNT] = {\n    NULL,\n", type,
                          prefix);
            for (size_t k = 0; k < fields[i].value_count; k++)
                (void)fprintf(out, "    \"%s\",\n", fields[i].values[k].value);
            (void)fputs("};\n\n", out);
        }
        free(prefix);
        free(type);
    }
}

static void
announce_table(FILE *out, const char *name, const char *title, const struct lp_field *fields,
               size_t count, bool block)
{
    (void)title, (void)fields, (void)count, (void)block;
    (void)fprintf(out, "static const struct lp_gen_struct %s_type;\n", name);
}

static void
write_row(FILE *out, const char *owner, const struct lp_field *field)
{
    char *type = joined(owner, field->name), *prefix = upper(type);
    char *sub = field->kind == LP_FIELD_BLOCK ? snake(field->block) : joined(owner, field->name);
    bool beside = field->kind == LP_FIELD_INT || field->kind == LP_FIELD_BOOL;

    (void)fprintf(out,
                  "    {.name = \"%s\", .kind = %s, .list = %s,\n     .offset = offsetof(struct "
                  "lp_block_%s, %s)",
                  field->name, kinds[field->kind], field->list ? "true" : "false", owner,
                  field->name);
    if (field->list)
        (void)fprintf(out, ", .beside = offsetof(struct lp_block_%s, %s_count)", owner,
                      field->name);
    else if (beside)
        (void)fprintf(out, ", .beside = offsetof(struct lp_block_%s, has_%s)", owner, field->name);
    if (field->kind == LP_FIELD_STRUCT || field->kind == LP_FIELD_BLOCK)
        (void)fprintf(out, ", .sub = &%s_type", sub);
    if (field->kind == LP_FIELD_ENUM)
        (void)fprintf(out, ", .values = lp_%s_names, .value_count = LP_%s_COUNT", type, prefix);
    (void)fputs("},\n", out);
    free(sub);
    free(prefix);
    free(type);
}

static void
write_table(FILE *out, const char *name, const char *title, const struct lp_field *fields,
            size_t count, bool block)
{
    static const struct lp_field header[] = {
        {.name = "subscription_instance_id", .kind = LP_FIELD_UUID},
        {.name = "label", .kind = LP_FIELD_STRING}};

    (void)fprintf(out, "static const struct lp_gen_field %s_fields[] = {\n", name);
    for (size_t i = 0; block && i < LP_COUNT(header); i++)
        write_row(out, name, &header[i]);
    for (size_t i = 0; i < count; i++)
        write_row(out, name, &fields[i]);
    (void)fprintf(out,
                  "};\nstatic const struct lp_gen_struct %s_type = {\n    .name = \"%s\", .size = "
                  "sizeof(struct "
                  "lp_block_%s), .fields = %s_fields, .count = LP_COUNT(%s_fields)};\n\n",
                  name, title, name, name, name);
}

static void
write_functions(FILE *out, const char *name, const char *title, const struct lp_field *fields,
                size_t count, bool block)
{
    (void)title, (void)fields, (void)count;
    if (!block)
        return;
    (void)fprintf(out,
                  "enum lp_code\nlp_block_%s_from_json(const json_t *doc, struct lp_block_%s *out, "
                  "struct lp_err *err)\n"
                  "{\n    return lp_gen_from_json(&%s_type, doc, out, err);\n}\n\n"
                  "json_t *\nlp_block_%s_to_json(const struct lp_block_%s *value)\n"
                  "{\n    return lp_gen_to_json(&%s_type, value);\n}\n\n"
                  "void\nlp_block_%s_free(struct lp_block_%s *value)\n"
                  "{\n    lp_gen_free(&%s_type, value);\n}\n\n",
                  name, name, name, name, name, name, name, name, name);
}

static void
write_source(FILE *out, const char *header, const struct lp_catalog *catalog)
{
    const char *slash = strrchr(header, '/');

    (void)fprintf(out, "/* Generated by lp-codegen. */\n#include \"%s\"\n\n#include <stddef.h>\n\n",
                  slash == NULL ? header : slash + 1);
    walk_all(out, write_enum_names, catalog);
    walk_all(out, announce_table, catalog);
    (void)fputc('\n', out);
    walk_all(out, write_table, catalog);
    walk_all(out, write_functions, catalog);
}

/* ---- files ---- */

static int
finish(FILE *out, const char *path)
{
    int bad = out == NULL || ferror(out);

    if (out != NULL && fclose(out) != 0)
        bad = 1;
    if (bad)
        (void)fprintf(stderr, "lp-codegen: cannot write %s\n", path);
    return bad;
}

/* "header: folder module..." for the build tool: the folder itself changes when a module is added.
 */
static int
write_dependencies(FILE *out, const char *header, const char *const *dirs, size_t count)
{
    (void)fprintf(out, "%s:", header);
    for (size_t i = 0; i < count; i++) {
        struct dirent **entries = NULL;
        int n = scandir(dirs[i], &entries, NULL, alphasort);
        if (n < 0)
            return 1;
        (void)fprintf(out, " %s", dirs[i]);
        for (int k = 0; k < n; k++) {
            const char *dot = strrchr(entries[k]->d_name, '.');
            if (dot != NULL && strcmp(dot, ".yang") == 0)
                (void)fprintf(out, " %s/%s", dirs[i], entries[k]->d_name);
            free(entries[k]);
        }
        free(entries);
    }
    (void)fputc('\n', out);
    return 0;
}

static int
write_all(char **paths, const char *const *dirs, size_t dir_count, const struct lp_catalog *catalog)
{
    FILE *out = fopen(paths[0], "we");
    int bad;

    if (out != NULL)
        write_header(out, catalog);
    bad = finish(out, paths[0]);
    out = fopen(paths[1], "we");
    if (out != NULL)
        write_source(out, paths[0], catalog);
    bad |= finish(out, paths[1]);
    out = fopen(paths[2], "we");
    if (out != NULL)
        bad |= write_dependencies(out, paths[0], dirs, dir_count);
    return bad | finish(out, paths[2]);
}

int
main(int argc, char **argv)
{
    const char *const *dirs = (const char *const *)(argv + 4);
    struct lp_err err = LP_ERR_INIT;
    struct lp_catalog *catalog = NULL;
    size_t dir_count;
    int bad;

    if (argc < 5) {
        (void)fputs("usage: lp-codegen HEADER SOURCE DEPFILE FOLDER...\n", stderr);
        return 2;
    }
    dir_count = (size_t)argc - 4;
    if (lp_catalog_load(dirs, dir_count, &catalog, &err) != LP_OK) {
        (void)fprintf(stderr, "lp-codegen: %s\n", err.msg);
        return 1;
    }
    bad = write_all(argv + 1, dirs, dir_count, catalog);
    lp_catalog_free(catalog);
    return bad;
}
