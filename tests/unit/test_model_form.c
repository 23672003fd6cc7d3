/* Form pages: the schema a front end gets, the check of what it sends back. */
#include "tests/support/model_env.h"

static struct lp_catalog *catalog;

/* ---- schema ---- */

static struct lp_form_page *
page_of(const struct lp_field *field)
{
    struct lp_form_page *page = lp_form_page_new("Page");

    (void)lp_form_page_add(page, field);
    return page;
}

/* The property of a page with one field is `want`; its definitions are `defs` (NULL: none). */
static void
schema_is(const struct lp_field *field, const char *want, const char *defs)
{
    struct lp_form_page *page = page_of(field);
    json_t *schema = lp_form_page_schema(page), *wanted = test_json(want),
           *wanted_defs = defs == NULL ? NULL : test_json(defs);
    const json_t *got = json_object_get(json_object_get(schema, "properties"), field->name);

    if (!json_equal(got, wanted))
        fail_msg("%s\nwanted %s", json_dumps(got, 0), want);
    if (wanted_defs == NULL ? json_object_get(schema, "$defs") != NULL
                            : !json_equal(json_object_get(schema, "$defs"), wanted_defs))
        fail_msg("%s\nwanted %s", json_dumps(json_object_get(schema, "$defs"), 0),
                 defs == NULL ? "none" : defs);
    json_decref(schema);
    json_decref(wanted);
    json_decref(wanted_defs);
    lp_form_page_free(page);
}

static const struct lp_enum_value ab[] = {{"a", "Label A"}, {"b", NULL}}, plain[] = {{"x", NULL}};
static const struct lp_field inner[] = {
    {.name = "name", .kind = LP_FIELD_STRING, .required = true, .required_in = -1},
    {.name = "phone", .kind = LP_FIELD_STRING, .required_in = -1},
};

static void
fields_have_the_shapes_of_the_wire(void **state)
{
    (void)state;
    schema_is(&(struct lp_field){.name = "port_name",
                                 .kind = LP_FIELD_STRING,
                                 .required = true,
                                 .has_min = true,
                                 .min = 1,
                                 .has_max = true,
                                 .max = 9,
                                 .pattern = "[a-z]+",
                                 .description = "Help"},
              "{'type':'string','minLength':1,'maxLength':9,'pattern':'^(?:[a-z]+)$','title':'Port "
              "Name','description':'Help'}",
              NULL);
    schema_is(&(struct lp_field){.name = "note", .kind = LP_FIELD_STRING, .format = "long"},
              "{'anyOf':[{'type':'string'},{'type':'null'}],'default':null,'format':'long','title':"
              "'Note'}",
              NULL);
    schema_is(&(struct lp_field){.name = "mtu",
                                 .kind = LP_FIELD_INT,
                                 .required = true,
                                 .has_min = true,
                                 .min = 68,
                                 .title = "MTU"},
              "{'type':'integer','minimum':68,'title':'MTU'}", NULL);
    schema_is(&(struct lp_field){.name = "confirm", .kind = LP_FIELD_BOOL, .required = true},
              "{'type':'boolean','title':'Confirm'}", NULL);
    schema_is(
        &(struct lp_field){.name = "subscription_id", .kind = LP_FIELD_UUID, .required = true},
        "{'type':'string','format':'uuid','title':'Subscription Id'}", NULL);
    schema_is(&(struct lp_field){.name = "speed",
                                 .kind = LP_FIELD_ENUM,
                                 .values = ab,
                                 .value_count = 2,
                                 .required = true},
              "{'$ref':'#/$defs/Speed','title':'Speed'}",
              "{'Speed':{'enum':['a','b'],'title':'Speed','type':'string','options':{'a':'Label "
              "A','b':'b'}}}");
    schema_is(&(struct lp_field){.name = "one",
                                 .kind = LP_FIELD_ENUM,
                                 .values = plain,
                                 .value_count = 1,
                                 .required = true},
              "{'$ref':'#/$defs/One','title':'One'}",
              "{'One':{'enum':['x'],'title':'One','type':'string'}}");
    schema_is(&(struct lp_field){.name = "speeds",
                                 .kind = LP_FIELD_ENUM,
                                 .list = true,
                                 .values = plain,
                                 .value_count = 1,
                                 .max_items = 2,
                                 .unique_items = true},
              "{'type':'array','items':{'$ref':'#/$defs/"
              "Speeds'},'minItems':0,'maxItems':2,'uniqueItems':true,"
              "'default':[],'title':'Speeds'}",
              "{'Speeds':{'enum':['x'],'title':'Speeds','type':'string'}}");
    schema_is(
        &(struct lp_field){.name = "people",
                           .kind = LP_FIELD_STRUCT,
                           .list = true,
                           .fields = inner,
                           .field_count = 2,
                           .required = true,
                           .min_items = 1},
        "{'type':'array','items':{'$ref':'#/$defs/People'},'minItems':1,'title':'People'}",
        "{'People':{'title':'People','type':'object','properties':{'name':{'type':'string','title':"
        "'Name'},"
        "'phone':{'anyOf':[{'type':'string'},{'type':'null'}],'default':null,'title':'Phone'}},"
        "'required':['name'],'additionalProperties':false}}");
}

static void
special_formats_have_their_own_shapes(void **state)
{
    json_t *extra = test_json("{'productIds':['a']}"), *text = json_string("hello"),
           *data = test_json("{'data':[['t','info']]}");
    json_t *list = test_json("['a']");

    (void)state;
    schema_is(
        &(struct lp_field){.name = "product",
                           .kind = LP_FIELD_STRING,
                           .required = true,
                           .format = "productId",
                           .extra = extra},
        "{'type':'string','uniforms':{'productIds':['a']},'extraProperties':{'productIds':['a']},"
        "'format':'productId','title':'Product'}",
        NULL);
    schema_is(
        &(struct lp_field){
            .name = "when", .kind = LP_FIELD_INT, .required = true, .format = "timestamp"},
        "{'type':'number','format':'timestamp','title':'When','uniforms':{'showTimeSelect':true,'"
        "locale':null,"
        "'min':null,'max':null,'dateFormat':null,'timeFormat':null},'extraProperties':{'"
        "showTimeSelect':true,"
        "'locale':null,'min':null,'max':null,'dateFormat':null,'timeFormat':null}}",
        NULL);
    schema_is(&(struct lp_field){.name = "tasks",
                                 .kind = LP_FIELD_STRING,
                                 .required = true,
                                 .format = "accept",
                                 .extra = data},
              "{'type':'string','format':'accept','enum':['ACCEPTED','INCOMPLETE'],'data':[['t','"
              "info']],'title':'Tasks'}",
              NULL);
    schema_is(&(struct lp_field){.name = "hint",
                                 .kind = LP_FIELD_STRING,
                                 .frozen = true,
                                 .format = "label",
                                 .def = text},
              "{'anyOf':[{'type':'string'},{'type':'null'}],'type':'string','format':'label','"
              "default':'hello','title':'Hint'}",
              NULL);
    schema_is(
        &(struct lp_field){
            .name = "line", .kind = LP_FIELD_STRING, .frozen = true, .format = "divider"},
        "{'anyOf':[{'type':'string'},{'type':'null'}],'type':'string','format':'divider','default':"
        "null,'title':'Line'}",
        NULL);
    schema_is(
        &(struct lp_field){.name = "table",
                           .kind = LP_FIELD_STRING,
                           .frozen = true,
                           .format = "summary",
                           .extra = data},
        "{'$ref':'#/$defs/MigrationSummaryValue','type':'string','format':'summary','default':null,"
        "'uniforms':{'data':[['t','info']]},'extraProperties':{'data':[['t','info']]},'title':'"
        "Table'}",
        "{'MigrationSummaryValue':{'properties':{},'title':'MigrationSummaryValue','type':'object'}"
        "}");
    schema_is(
        &(struct lp_field){.name = "ro", .kind = LP_FIELD_STRING, .frozen = true, .def = text},
        "{'type':'string','const':'hello','default':'hello','uniforms':{'disabled':true,'value':'"
        "hello'},"
        "'extraProperties':{'disabled':true,'value':'hello'},'title':'Ro'}",
        NULL);
    schema_is(
        &(struct lp_field){
            .name = "ros", .kind = LP_FIELD_STRING, .list = true, .frozen = true, .def = list},
        "{'type':'array','items':{'type':'string'},'default':['a'],'uniforms':{'disabled':true,'"
        "value':['a']},"
        "'extraProperties':{'disabled':true,'value':['a']},'title':'Ros'}",
        NULL);
    json_decref(extra);
    json_decref(text);
    json_decref(data);
    json_decref(list);
}

static void
pages_have_the_shape_of_the_wire(void **state)
{
    struct lp_form_page *page = lp_form_page_new(NULL);
    json_t *schema, *def = json_integer(9000), *wanted;
    const char *text;

    (void)state;
    (void)lp_form_page_add(
        page, &(struct lp_field){.name = "z", .kind = LP_FIELD_STRING, .required = true});
    (void)lp_form_page_add(page,
                           &(struct lp_field){.name = "a", .kind = LP_FIELD_INT, .required = true});
    lp_form_page_default(page, "a", def);
    schema = lp_form_page_schema(page);
    wanted = test_json(
        "{'title':'unknown','type':'object','properties':{'z':{'type':'string','title':'Z'},"
        "'a':{'type':'integer','default':9000,'title':'A'}},'required':['z'],'additionalProperties'"
        ":false}");
    assert_true(json_equal(schema, wanted));
    text = json_object_iter_key(json_object_iter(json_object_get(schema, "properties")));
    assert_string_equal(text, "z"); /* order of display, not of the alphabet */
    assert_int_equal(lp_form_page_has_next_get(page), 1);
    lp_form_page_has_next(page, -1);
    assert_int_equal(lp_form_page_has_next_get(page), -1);
    lp_form_page_set_title(page, "Now");
    json_decref(schema);
    schema = lp_form_page_schema(page);
    assert_string_equal(lp_json_str(schema, "title", ""), "Now");
    json_decref(schema);
    json_decref(wanted);
    json_decref(def);
    lp_form_page_free(page);
}

static void
choices_of_one_name_stay_apart(void **state)
{
    struct lp_form_page *page = lp_form_page_new("P");
    struct lp_field nested = {.name = "speed",
                              .kind = LP_FIELD_ENUM,
                              .values = plain,
                              .value_count = 1,
                              .required = true};
    json_t *schema, *defs;

    (void)state;
    (void)lp_form_page_add(
        page,
        &(struct lp_field){.name = "speed", .kind = LP_FIELD_ENUM, .values = ab, .value_count = 2});
    (void)lp_form_page_add(
        page, &(struct lp_field){
                  .name = "more", .kind = LP_FIELD_STRUCT, .fields = &nested, .field_count = 1});
    schema = lp_form_page_schema(page);
    defs = json_object_get(schema, "$defs");
    assert_non_null(json_object_get(defs, "Speed"));
    assert_non_null(json_object_get(defs, "Speed2"));
    assert_non_null(json_object_get(defs, "More"));
    json_decref(schema);
    lp_form_page_free(page);
}

static void
model_fields_become_form_fields(void **state)
{
    struct lp_form_page *page = lp_form_page_new("New PoP");
    json_t *schema, *properties, *wanted = test_json("['code','latitude_udeg']");
    size_t count;

    (void)state;
    assert_true(lp_form_page_add_model(page, catalog, "PoP", "code")->required);
    assert_true(lp_form_page_add_model(page, catalog, "PoP", "latitude_udeg")->required);
    assert_false(lp_form_page_add_model(page, catalog, "PoP", "site_class")->required);
    (void)lp_form_page_add_model(page, catalog, "PoP", "address");
    (void)lp_form_page_add_model(page, catalog, "PoP", "label");
    (void)lp_form_page_fields(page, &count);
    assert_int_equal(count, 5);
    schema = lp_form_page_schema(page);
    properties = json_object_get(schema, "properties");
    assert_string_equal(lp_json_str(json_object_get(properties, "code"), "title", ""), "PoP code");
    assert_true(
        strstr(lp_json_str(json_object_get(properties, "code"), "description", ""), "unique")
        != NULL);
    assert_true(json_equal(json_object_get(schema, "required"), wanted));
    json_decref(schema);
    json_decref(wanted);
    lp_form_page_free(page);
}

/* ---- check ---- */

static struct lp_form_page *
full_page(void)
{
    struct lp_form_page *page = lp_form_page_new("Full");
    json_t *def = json_string("fixed"), *mtu = json_integer(9000);

    (void)lp_form_page_add(page, &(struct lp_field){.name = "code",
                                                    .kind = LP_FIELD_STRING,
                                                    .required = true,
                                                    .pattern = "[A-Z0-9]{4}",
                                                    .hint = "four letters or digits"});
    (void)lp_form_page_add(
        page,
        &(struct lp_field){.name = "mtu", .kind = LP_FIELD_INT, .required = true, .def = mtu});
    (void)lp_form_page_add(
        page, &(struct lp_field){.name = "remark", .kind = LP_FIELD_STRING, .def = def});
    (void)lp_form_page_add(
        page,
        &(struct lp_field){.name = "speed", .kind = LP_FIELD_ENUM, .values = ab, .value_count = 2});
    (void)lp_form_page_add(page, &(struct lp_field){.name = "label_x",
                                                    .kind = LP_FIELD_STRING,
                                                    .frozen = true,
                                                    .format = "label",
                                                    .def = def});
    (void)lp_form_page_add(
        page,
        &(struct lp_field){.name = "ro", .kind = LP_FIELD_STRING, .frozen = true, .def = def});
    (void)lp_form_page_add(
        page, &(struct lp_field){.name = "tasks", .kind = LP_FIELD_STRING, .format = "accept"});
    (void)lp_form_page_add(page, &(struct lp_field){.name = "people",
                                                    .kind = LP_FIELD_STRUCT,
                                                    .list = true,
                                                    .fields = inner,
                                                    .field_count = 2,
                                                    .format = "contacts",
                                                    .max_items = 2});
    json_decref(def);
    json_decref(mtu);
    return page;
}

static void
checked(const char *input, const char *want)
{
    struct lp_form_page *page = full_page();
    struct lp_problems problems;
    json_t *in = test_json(input), *clean = NULL, *wanted = test_json(want);

    lp_problems_init(&problems);
    lp_form_page_check(page, in, &problems, &clean);
    if (lp_problems_count(&problems) != 0)
        fail_msg("%s: %s", input, json_dumps(problems.list, 0));
    if (!json_equal(clean, wanted))
        fail_msg("%s: %s", input, json_dumps(clean, 0));
    json_decref(in);
    json_decref(clean);
    json_decref(wanted);
    lp_problems_free(&problems);
    lp_form_page_free(page);
}

static void
good_pages_are_completed(void **state)
{
    (void)state;
    checked("{'code':'MI01'}",
            "{'code':'MI01','mtu':9000,'remark':'fixed','label_x':'fixed','ro':'fixed'}");
    checked("{'code':'MI01','mtu':1,'remark':'','speed':'b','label_x':'changed','ro':'fixed','"
            "tasks':'ACCEPTED'}",
            "{'code':'MI01','mtu':1,'remark':'','speed':'b','label_x':'fixed','ro':'fixed','tasks':"
            "'ACCEPTED'}");
    /* null clears an optional field, its default included */
    checked("{'code':'MI01','remark':null,'speed':null}",
            "{'code':'MI01','mtu':9000,'label_x':'fixed','ro':'fixed'}");
    /* empty entries of a contact list are dropped before they are counted */
    checked("{'code':'MI01','people':[{'name':'','phone':''},{'name':'a'},{},{'name':'b','phone':"
            "null}]}",
            "{'code':'MI01','mtu':9000,'remark':'fixed','label_x':'fixed','ro':'fixed','people':[{'"
            "name':'a'},{'name':'b'}]}");
}

static void
refused(const char *input, const char *loc, const char *type, const char *msg)
{
    struct lp_form_page *page = full_page();
    struct lp_problems problems;
    json_t *in = test_json(input), *clean = NULL;
    const char *told;

    lp_problems_init(&problems);
    lp_form_page_check(page, in, &problems, &clean);
    told = test_has(&problems, loc, type);
    if (msg != NULL)
        assert_string_equal(told, msg);
    json_decref(in);
    json_decref(clean);
    lp_problems_free(&problems);
    lp_form_page_free(page);
}

static void
bad_pages_are_told_every_place(void **state)
{
    (void)state;
    refused("{}", "code", "missing", "Field required");
    refused("{'code':null}", "code", "string_type", "Input should be a valid string");
    refused("{'code':'mi01'}", "code", "string_pattern_mismatch", "four letters or digits");
    refused("{'code':'MI01X'}", "code", "string_pattern_mismatch", NULL);
    refused("{'code':'MI01\\nX'}", "code", "string_pattern_mismatch", NULL);
    refused("{'code':'MI01','mtu':null}", "mtu", "int_type", NULL);
    refused("{'code':'MI01','mtu':'9000'}", "mtu", "int_type", "Input should be a valid integer");
    refused("{'code':'MI01','speed':'c'}", "speed", "enum", "Input should be 'a' or 'b'");
    refused("{'code':'MI01','other':1}", "other", "extra_forbidden",
            "Extra inputs are not permitted");
    refused("{'code':'MI01','ro':'changed'}", "ro", "literal_error", "Input should be \"fixed\"");
    refused("{'code':'MI01','tasks':'INCOMPLETE'}", "tasks", "value_error",
            "Not all tasks are done");
    refused("{'code':'MI01','tasks':'DONE'}", "tasks", "enum", NULL);
    refused("{'code':'MI01','people':[{'phone':'1'}]}", "people.0.name", "missing", NULL);
    refused("{'code':'MI01','people':[{'name':'a','x':1}]}", "people.0.x", "extra_forbidden", NULL);
    refused("{'code':'MI01','people':[{'name':'a'},{'name':'b'},{'name':'c'}]}", "people",
            "too_long", NULL);
    refused("[]", "__root__", "dict_type", NULL);
    refused("7", "__root__", "dict_type", NULL);
    refused("null", "__root__", "dict_type", NULL);
}

static void
model_fields_are_checked_as_the_catalog_says(void **state)
{
    struct lp_form_page *page = lp_form_page_new("P");
    struct lp_problems problems;
    json_t *clean = NULL,
           *in = test_json(
               "{'code':'mi01','address':{'country':'it'},'external_ids':[{'system':'x'}],"
               "'line_name':' x'}");

    (void)state;
    lp_form_page_add_model(page, catalog, "PoP", "code")->pattern =
        "[A-Z0-9]{4}"; /* the operator's, on top of the catalog's */
    (void)lp_form_page_add_model(page, catalog, "PoP", "address");
    (void)lp_form_page_add_model(page, catalog, "PoP", "external_ids");
    (void)lp_form_page_add_model(page, catalog, "TestLine", "line_name");
    lp_problems_init(&problems);
    lp_form_page_check(page, in, &problems, &clean);
    (void)test_has(&problems, "code", "string_pattern_mismatch");
    (void)test_has(&problems, "address.country", "string_pattern_mismatch");
    (void)test_has(&problems, "external_ids.0.id", "missing");
    assert_string_equal(test_has(&problems, "line_name", "string_pattern_mismatch"),
                        "must be one line that neither begins nor ends with a blank");
    assert_int_equal(lp_problems_count(&problems), 4);
    lp_problems_free(&problems);
    json_decref(clean);
    json_decref(in);
    lp_form_page_free(page);
}

static void
choices_can_be_given_at_run_time(void **state)
{
    static const struct lp_enum_value sites[] = {
        {"01a1f86e-2944-7a6e-88f7-3c3cd3a3e6f0", "MI01 Milano"}};
    struct lp_form_page *page = lp_form_page_new("P");
    struct lp_problems problems;
    json_t *clean = NULL, *in = test_json("{'site':'01a1f86e-2944-7a6e-88f7-3c3cd3a3e6f9'}"),
           *schema;

    (void)state;
    (void)lp_form_page_add_model(page, catalog, "TestLine", "site");
    lp_form_page_choices(page, "site", sites, 1);
    lp_problems_init(&problems);
    lp_form_page_check(page, in, &problems, &clean);
    (void)test_has(&problems, "site", "enum");
    schema = lp_form_page_schema(page);
    assert_string_equal(
        lp_json_str(
            json_object_get(json_object_get(json_object_get(schema, "$defs"), "Site"), "options"),
            sites[0].value, ""),
        "MI01 Milano");
    json_decref(schema);
    lp_problems_free(&problems);
    json_decref(clean);
    json_decref(in);
    lp_form_page_free(page);
}

static void
one_value_can_be_checked_alone(void **state)
{
    const struct lp_field *field =
        lp_block_field(lp_catalog_block(catalog, "TestLine"), "priority");
    struct lp_problems problems;
    json_t *clean = NULL, *loc = test_json("['pages',3,'priority']"), *bad = json_integer(6);

    (void)state;
    lp_problems_init(&problems);
    lp_field_check(field, bad, loc, &problems, &clean);
    (void)test_has(&problems, "pages.3.priority", "less_than_equal");
    json_decref(clean);
    lp_problems_free(&problems);
    lp_problems_init(&problems);
    lp_field_check(field, NULL, loc, &problems, &clean);
    assert_int_equal(json_integer_value(clean), 3);
    json_decref(clean);
    lp_field_check(field, json_null(), loc, &problems, &clean);
    assert_null(clean);
    assert_int_equal(lp_problems_count(&problems), 0);
    lp_problems_free(&problems);
    json_decref(bad);
    json_decref(loc);
}

/* ---- schema of documents ---- */

static void
documents_have_a_schema_per_status(void **state)
{
    const struct lp_product_type *line = lp_catalog_product(catalog, "Test line 100G");
    json_t *first = lp_model_schema(catalog, line, LP_LC_INITIAL),
           *active = lp_model_schema(catalog, line, LP_LC_ACTIVE);
    json_t *a = test_json("['subscription_instance_id','ends','constraints']"),
           *b = test_json(
               "['subscription_instance_id','line_name','site','ends','constraints','trail_id']"),
           *property;

    (void)state;
    assert_true(json_equal(json_object_get(first, "required"), a));
    assert_true(json_equal(json_object_get(active, "required"), b));
    property = json_object_get(json_object_get(active, "properties"), "ends");
    assert_int_equal(json_integer_value(json_object_get(property, "minItems")), 2);
    assert_non_null(json_object_get(json_object_get(active, "$defs"), "TestPort"));
    json_decref(first);
    json_decref(active);
    json_decref(a);
    json_decref(b);
}

static int
setup(void **state)
{
    (void)state;
    catalog = test_catalog();
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    lp_catalog_free(catalog);
    return 0;
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_have_the_shapes_of_the_wire),
        cmocka_unit_test(special_formats_have_their_own_shapes),
        cmocka_unit_test(pages_have_the_shape_of_the_wire),
        cmocka_unit_test(choices_of_one_name_stay_apart),
        cmocka_unit_test(model_fields_become_form_fields),
        cmocka_unit_test(good_pages_are_completed),
        cmocka_unit_test(bad_pages_are_told_every_place),
        cmocka_unit_test(model_fields_are_checked_as_the_catalog_says),
        cmocka_unit_test(choices_can_be_given_at_run_time),
        cmocka_unit_test(one_value_can_be_checked_alone),
        cmocka_unit_test(documents_have_a_schema_per_status),
    };

    return LP_RUN_TESTS_WITH(tests, setup, teardown);
}
