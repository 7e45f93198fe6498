/** Which names a SHOW wants. */
#ifndef BBI_QUERY_SHOW_H
#define BBI_QUERY_SHOW_H

#include "engine/influxql/expr.h"
#include "engine/query/emit.h"
#include "engine/query/sources.h"
#include "engine/query/tagcond.h"

/** LIMIT and OFFSET, counted over rows. */
struct bbi_show_page {
    uint64_t skip;
    uint64_t left;
};

struct bbi_show_page bbi_show_page_of(int64_t limit, int64_t offset);

/** Count a row; whether it is on the page. */
bool bbi_show_page_takes(struct bbi_show_page *page);

/** The head of a series goes out with its first row, so that an empty one is not there. */
struct bbi_show_series {
    struct bbi_emit *e;
    const char *name;
    const char *const *columns;
    size_t column_count;
    bool begun;
};
/** Begin it, if nothing has yet: a series without rows shows its columns. */
int bbi_show_begin(struct bbi_show_series *s, struct bb_error *err) BB_CHECKED;
int bbi_show_row(struct bbi_show_series *s, struct bb_value **row, struct bb_error *err) BB_CHECKED;

/** One measurement of a SHOW: m[count] is it in one or several policies; within: the series that
 * the condition selects, NULL: all. */
typedef int (*bbi_show_fn)(struct bbi_qctx *ctx, const struct bbi_ql_show *show,
                           const struct bbi_measurement *m, size_t count,
                           const roaring_bitmap_t *within, struct bbi_emit *e,
                           struct bb_error *err);

/** The condition without its times; none: all times. */
int bbi_show_split(struct bbi_qctx *ctx, const struct bbi_ql_show *show,
                   struct bbi_ql_condition *when, struct bb_error *err) BB_CHECKED;

/** The measurements of a database that FROM names, whatever policies it says; none twice. */
int bbi_show_names(struct bbi_qctx *ctx, const struct bbi_ql_show *show, uint32_t db_id,
                   struct bbi_measurements *out, struct bb_error *err) BB_CHECKED;

/** Whether some policy of a database has a row in the shards that the times touch: names that DROP
 * RETENTION POLICY has left without any are not told. */
int bbi_show_any_shard(struct bbi_qctx *ctx, uint32_t db_id, const struct bbi_ql_condition *when,
                       bool *any, struct bb_error *err) BB_CHECKED;

/** Those that FROM names in their policies, or the default one; crossed: each name in each policy
 * that FROM has anywhere. */
int bbi_show_places(struct bbi_qctx *ctx, const struct bbi_ql_show *show, bool crossed,
                    struct bbi_measurements *out, struct bb_error *err) BB_CHECKED;

/** TAG KEYS, TAG VALUES: call fn for each name of FROM that has series which the condition selects,
 * if the times touch any shard of the database. rp is not set. */
int bbi_show_each(struct bbi_qctx *ctx, const struct bbi_ql_show *show, bbi_show_fn fn,
                  struct bbi_emit *e, struct bb_error *err) BB_CHECKED;

/** SHOW SERIES: with times, those that have rows in the shards which they touch; without, all of
 * the database if a policy of FROM has rows. */
int bbi_show_each_series(struct bbi_qctx *ctx, const struct bbi_ql_show *show, bbi_show_fn fn,
                         struct bbi_emit *e, struct bb_error *err) BB_CHECKED;

/** FIELD KEYS: call fn for each name of FROM with all policies of FROM; databases may differ. */
int bbi_show_each_field(struct bbi_qctx *ctx, const struct bbi_ql_show *show, bbi_show_fn fn,
                        struct bbi_emit *e, struct bb_error *err) BB_CHECKED;

/** The exact CARDINALITY forms: call fn for each measurement of FROM that has rows in its policies
 * of series which the condition selects. fields: what becomes of comparisons that are not about
 * tags. */
int bbi_show_each_present(struct bbi_qctx *ctx, const struct bbi_ql_show *show,
                          enum bbi_tagcond_fields fields, bbi_show_fn fn, struct bbi_emit *e,
                          struct bb_error *err) BB_CHECKED;

/** The fields that a measurement has in these policies, each once, by name; free with
 * bbi_names_fini. */
int bbi_show_field_names(struct bbi_qctx *ctx, const struct bbi_measurement *m, size_t count,
                         struct bbi_names *names, struct bb_error *err) BB_CHECKED;

/** A condition of a statement that has no times: BB_EINVAL "<what> doesn't support time ...". */
int bbi_show_no_time(struct bbi_qctx *ctx, struct bbi_ql_expr *condition, const char *what,
                     struct bbi_ql_expr **rest, struct bb_error *err) BB_CHECKED;

/** SHOW SERIES: show_series.c. */
int bbi_show_series_keys(struct bbi_qctx *ctx, const struct bbi_ql_show *show, struct bbi_emit *e,
                         struct bb_error *err) BB_CHECKED;

/** The CARDINALITY forms: show_count.c. */
int bbi_show_cardinality(struct bbi_qctx *ctx, const struct bbi_ql_statement *statement,
                         struct bbi_emit *e, struct bb_error *err) BB_CHECKED;

/** A CARDINALITY and the tags that it groups by: show_group.c. */
struct bbi_show_groups {
    struct bbi_ql_show show; /* first: who is told of a measurement finds the rest behind it */
    const char **dims;       /* [dim_count] ascending, none twice */
    size_t dim_count;
};

/** Read a CARDINALITY's GROUP BY; a wildcard or pattern stands for the tags of all of FROM.
 * BB_EINVAL for what is no tag. */
int bbi_show_dimensions(struct bbi_qctx *ctx, const struct bbi_ql_show *show,
                        struct bbi_show_groups *out, struct bb_error *err) BB_CHECKED;

/** The row of a count, unless it is 0 or OFFSET passes over it. tags: values of the dims. */
int bbi_show_count_row(struct bbi_emit *e, const char *name, const struct bbi_show_groups *g,
                       const char *const *tags, uint64_t count, struct bb_error *err) BB_CHECKED;

/** Told of the series of one combination of values; tags live as long as the statement. */
typedef int (*bbi_show_group_fn)(void *arg, const char *const *tags, const roaring_bitmap_t *series,
                                 struct bb_error *err);

/** Call fn for each combination that the series of a measurement have, in their order. within: as
 * for bbi_show_fn. */
int bbi_show_grouped(struct bbi_qctx *ctx, const struct bbi_show_groups *g,
                     const struct bbi_measurement *m, const roaring_bitmap_t *within,
                     bbi_show_group_fn fn, void *arg, struct bb_error *err) BB_CHECKED;

/** SHOW SHARDS, SHOW SHARD GROUPS: show_shard.c. */
int bbi_show_shards(struct bbi_qctx *ctx, bool groups, struct bbi_emit *e,
                    struct bb_error *err) BB_CHECKED;

/** Of SHOW STATS, a row for each shard: show_shard.c. */
int bbi_show_shard_stats(struct bbi_qctx *ctx, struct bbi_emit *e, struct bb_error *err) BB_CHECKED;

/** SHOW STATS; module NULL: all. */
int bbi_show_stats(struct bbi_qctx *ctx, const char *module, struct bbi_emit *e,
                   struct bb_error *err) BB_CHECKED;

/** The number of a shard of a database that has rows in these times, deletions left aside. */
int bbi_shard_find(struct bbi_qctx *ctx, uint32_t db_id, const struct bbi_ql_condition *when,
                   bool *found, uint64_t *id, struct bb_error *err) BB_CHECKED;

/** SHOW USERS, SHOW GRANTS: users.c. */
int bbi_show_users(struct bbi_qctx *ctx, struct bbi_emit *e, struct bb_error *err) BB_CHECKED;
int bbi_show_grants(struct bbi_qctx *ctx, const char *user, struct bbi_emit *e,
                    struct bb_error *err) BB_CHECKED;

/** What the server does and is: QUERIES, SHARDS, STATS, USERS ...: show_state.c. */
int bbi_show_state(struct bbi_qctx *ctx, const struct bbi_ql_statement *statement,
                   struct bbi_emit *e, struct bb_error *err) BB_CHECKED;

/** Whether WITH KEY takes a tag key; without such a clause, any. */
int bbi_show_key_wanted(struct bbi_qctx *ctx, const struct bbi_ql_show *show,
                        const struct bbi_name *key, bool *wanted, struct bb_error *err) BB_CHECKED;

/** Whether a comparison is one of a tag with a value: BB_EINVAL, in InfluxDB's words. */
int bbi_show_check_leaf(const struct bbi_ql_expr *expr, struct bb_error *err) BB_CHECKED;

/** Whether all that AND and OR join are such comparisons. */
int bbi_show_check_leaves(struct bbi_ql_expr *condition, struct bb_error *err) BB_CHECKED;

/** What a condition of SHOW TAG VALUES or TAG KEYS says of `value`, the tag values themselves, or
 * of `_tagKey` or `_name`: its comparisons, patterns compiled. */
struct bbi_value_filter {
    const char *name;              /* `value`, `_tagKey`, `_name` */
    struct bbi_ql_expr *condition; /* the whole */
    struct bbi_ql_expr *tests;     /* of it what is compared with the name; NULL: nothing is */
};

/** Whether SHOW TAG VALUES can ask this of tag keys: what is compared with `_tagKey`, or has no
 * name on its left, has to be a comparison of a tag. */
int bbi_show_check_keys(struct bbi_ql_expr *condition, struct bb_error *err) BB_CHECKED;

/** Read it; everything lies in the statement's arena. */
int bbi_value_filter_read(struct bbi_qctx *ctx, const char *name, struct bbi_ql_expr *condition,
                          struct bbi_value_filter *out, struct bb_error *err) BB_CHECKED;

/** The condition of the filter with true or false in place of its comparisons, for one value; *out
 * in the statement's arena. */
int bbi_value_filter_settle(struct bbi_qctx *ctx, const struct bbi_value_filter *filter,
                            const struct bbi_name *value, struct bbi_ql_expr **out,
                            struct bb_error *err) BB_CHECKED;

/** A condition without its comparisons of `_name`, of `_tagKey` and of what is no name; *out NULL:
 * nothing is left. */
int bbi_show_strip(struct bbi_qctx *ctx, struct bbi_ql_expr *condition, struct bbi_ql_expr **out,
                   struct bb_error *err) BB_CHECKED;

/** Whether a value is wanted; what the condition says of other names does not count. */
int bbi_value_filter_takes(const struct bbi_value_filter *filter, const struct bbi_name *value,
                           bool *wanted, struct bb_error *err) BB_CHECKED;

/**
 * Whether SHOW MEASUREMENTS WHERE lists a measurement: InfluxDB asks of the measurement as a whole
 * whether any series has such a value, so `k != 'v'` means that it has the tag and none the value.
 */
int bbi_show_measurement_has(struct bbi_qctx *ctx, const struct bbi_measurement *m,
                             const struct bbi_ql_expr *condition, bool *has,
                             struct bb_error *err) BB_CHECKED;

/** All databases, in the order in which they were made; free with bbi_names_fini: show.c. */
int bbi_show_database_names(struct bbi_qctx *ctx, struct bbi_names *names,
                            struct bb_error *err) BB_CHECKED;

/** SHOW CONTINUOUS QUERIES: tasks.c. */
int bbi_show_cqs(struct bbi_qctx *ctx, struct bbi_emit *e, struct bb_error *err) BB_CHECKED;

/** What SHOW STATS has of each destination of a subscription: subscriptions.c. */
int bbi_show_subscription_stats(struct bbi_qctx *ctx, struct bbi_emit *e,
                                struct bb_error *err) BB_CHECKED;

/** SHOW SUBSCRIPTIONS: subscriptions.c. */
int bbi_show_subscriptions(struct bbi_qctx *ctx, struct bbi_emit *e,
                           struct bb_error *err) BB_CHECKED;

#endif
