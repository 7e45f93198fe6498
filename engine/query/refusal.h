/** Whether a SELECT meets a call that does not take the type of what it is over. */
#ifndef BBI_QUERY_REFUSAL_H
#define BBI_QUERY_REFUSAL_H

#include "engine/query/plan.h"

/**
 * Look for a series of each refused call, subqueries first.
 *
 * Returns BB_OK; BB_EINVAL with the refusal's text if there is a series; as bbi_binding_build.
 */
int bbi_refusal_find(const struct bbi_plan *plan, struct bb_error *err) BB_CHECKED;

#endif
