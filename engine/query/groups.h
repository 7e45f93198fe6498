/**
 * The series of a query and how GROUP BY and the columns see them: each belongs to one group, and
 * to one tuple of those tags that stand as columns or in the filter.
 */
#ifndef BBI_QUERY_GROUPS_H
#define BBI_QUERY_GROUPS_H

#include "engine/query/context.h"

/** Distinct tuples of tag values. */
struct bbi_tuples {
    const char *const *keys; /* [key_count] */
    size_t key_count;
    const char ***list; /* [count][key_count] "" where a series lacks the tag */
    size_t count;
    size_t cap;
    /* Hash table: index + 1 (0: free), above it 32 bits of the hash. NULL as long as each tuple has
     * all the tags of its series, because then no two are alike. */
    uint64_t *slots;   /* [slot_count] */
    size_t slot_count; /* a power of two */
};

struct bbi_series_set {
    uint32_t *ids; /* [count] ascending */
    size_t count;
    uint32_t *group_of; /* [count]; NULL: all in group 0 */
    struct bbi_tuples groups;
    uint32_t *tags_of; /* [count]; NULL: no tags are asked for */
    struct bbi_tuples tags;
    roaring_bitmap_t *bitmap; /* owned */
};

/**
 * Read the keys of the series and group them.
 *
 * bitmap  taken over, also on an error
 * dims    [dim_count] ascending tag keys; groups come out ordered by their values
 * tags    [tag_count] tag keys whose values the query wants of each series
 * Everything but the bitmap lies in the statement's arena. Returns BB_OK; BB_ENOMEM; errors of the
 * catalog; BB_ECANCELED.
 */
int bbi_series_set_build(struct bbi_series_set *set, struct bbi_qctx *ctx, uint32_t db_id,
                         roaring_bitmap_t *bitmap, const char *const *dims, size_t dim_count,
                         const char *const *tags, size_t tag_count,
                         struct bb_error *err) BB_CHECKED;

/** Keep `count` groups alone, all but `first` of those before them, as SLIMIT counts them: by the
 * tags that they have. Their order stays. */
int bbi_series_set_slice(struct bbi_series_set *set, struct bbi_qctx *ctx, size_t first,
                         size_t count, struct bb_error *err) BB_CHECKED;

void bbi_series_set_fini(struct bbi_series_set *set);

static inline uint32_t bbi_series_group(const struct bbi_series_set *set, size_t series_at)
{
    return set->group_of == NULL ? 0 : set->group_of[series_at];
}

#endif
