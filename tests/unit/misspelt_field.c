/* Must not compile: the PoP block has no field "longitude_deg". */
#include "model/products_gen.h"

int64_t misspelt(const struct lp_block_pop *pop);

int64_t
misspelt(const struct lp_block_pop *pop)
{
#ifdef SPELT_RIGHT
    return pop->longitude_udeg;
#else
    return pop->longitude_deg;
#endif
}
