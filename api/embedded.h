/**
 * Files compiled into the program (api/embed.py): the schemas of the API description and the page
 * that shows it.
 */
#ifndef LP_API_EMBEDDED_H
#define LP_API_EMBEDDED_H

#include <stddef.h>

extern const char lp_embedded_schemas[];
extern const size_t lp_embedded_schemas_len;
extern const char lp_embedded_docs[];
extern const size_t lp_embedded_docs_len;

#endif
