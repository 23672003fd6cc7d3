#include <string.h>

#include "model/internal.h"

/* engine-semantics 1.5: for each new status the statuses a direct user of the root block may have.
 */
#define ANY                                                                                        \
    (LP_BIT(LP_LC_INITIAL) | LP_BIT(LP_LC_PROVISIONING) | LP_BIT(LP_LC_ACTIVE)                     \
     | LP_BIT(LP_LC_MIGRATING) | LP_BIT(LP_LC_DISABLED) | LP_BIT(LP_LC_TERMINATED))

static const struct lifecycle_info {
    const char *name;     /* as stored and as sent */
    unsigned user_may;    /* set of statuses of a direct user */
    enum lp_lifecycle as; /* whose demands (required-in) hold in this status */
} table[] = {
    [LP_LC_INITIAL] = {"initial", LP_BIT(LP_LC_INITIAL), LP_LC_INITIAL},
    [LP_LC_PROVISIONING] = {"provisioning",
                            LP_BIT(LP_LC_INITIAL) | LP_BIT(LP_LC_PROVISIONING)
                                | LP_BIT(LP_LC_ACTIVE) | LP_BIT(LP_LC_TERMINATED),
                            LP_LC_PROVISIONING},
    [LP_LC_ACTIVE] = {"active", ANY, LP_LC_ACTIVE},
    [LP_LC_MIGRATING] = {"migrating",
                         LP_BIT(LP_LC_INITIAL) | LP_BIT(LP_LC_MIGRATING) | LP_BIT(LP_LC_TERMINATED),
                         LP_LC_ACTIVE},
    [LP_LC_DISABLED] = {"disabled",
                        LP_BIT(LP_LC_INITIAL) | LP_BIT(LP_LC_DISABLED) | LP_BIT(LP_LC_TERMINATED),
                        LP_LC_ACTIVE},
    [LP_LC_TERMINATED] = {"terminated", LP_BIT(LP_LC_INITIAL) | LP_BIT(LP_LC_TERMINATED),
                          LP_LC_INITIAL},
};
static_assert(LP_COUNT(table) == LP_LC_COUNT, "a row for every status");

const char *
lp_lifecycle_name(enum lp_lifecycle status)
{
    assert((unsigned)status < LP_LC_COUNT);
    return table[status].name;
}

bool
lp_lifecycle_from_name(const char *name, enum lp_lifecycle *out)
{
    for (unsigned i = 0; name != NULL && i < LP_LC_COUNT; i++) {
        if (strcmp(table[i].name, name) == 0) {
            *out = (enum lp_lifecycle)i;
            return true;
        }
    }
    return false;
}

bool
lp_lifecycle_user_permits(enum lp_lifecycle to, enum lp_lifecycle user)
{
    assert((unsigned)to < LP_LC_COUNT && (unsigned)user < LP_LC_COUNT);
    return (table[to].user_may & LP_BIT(user)) != 0;
}

enum lp_lifecycle
lp_lifecycle_demands(enum lp_lifecycle status)
{
    assert((unsigned)status < LP_LC_COUNT);
    return table[status].as;
}
