/* Reading closures, and putting desires together. */
#include "base/json.h"
#include "products/product.h"

static const json_t *
entry(const json_t *closure, const char *map, const char *id)
{
    return id == NULL ? NULL : json_object_get(json_object_get(closure, map), id);
}

const json_t *
lp_closure_subscription(const json_t *closure, const char *id)
{
    return entry(closure, "subscriptions", id);
}

const json_t *
lp_closure_root(const json_t *closure)
{
    const char *subject = lp_json_str(closure, "subject", NULL);

    return json_object_get(lp_closure_subscription(closure, subject), "root");
}

const json_t *
lp_closure_block(const json_t *closure, const char *instance_id)
{
    return json_object_get(entry(closure, "blocks", instance_id), "doc");
}

const char *
lp_closure_owner(const json_t *closure, const char *instance_id)
{
    return lp_json_str(entry(closure, "blocks", instance_id), "subscription_id", NULL);
}

static json_t *
member(json_t *object, const char *key, json_t *fresh)
{
    json_t *found = json_object_get(object, key);

    if (found == NULL) {
        json_object_set_new(object, key, fresh);
        return json_object_get(object, key);
    }
    json_decref(fresh);
    return found;
}

enum lp_code
lp_desire(json_t *out, const char *element_id, json_t *intent, struct lp_err *err)
{
    json_auto_t *owned = intent;
    json_t *list;

    if (lp_json_str(intent, "id", NULL) == NULL || lp_json_str(intent, "kind", NULL) == NULL)
        return lp_fail(err, LP_INTERNAL, "an intent for element %.64s has no id or no kind",
                       element_id);
    list = member(member(out, "elements", json_object()), element_id, json_array());
    if (json_array_append(list, owned) != 0)
        return lp_fail(err, LP_NOMEM, "no memory for an intent");
    return LP_OK;
}
