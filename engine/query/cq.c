#include "engine/query/cq.h"

#include <string.h>

#include "engine/influxql/expr.h"
#include "engine/influxql/influxql.h"
#include "engine/query/bucket.h"

/* As plan_check.c: a month is about so long, and longer intervals than an hour follow a zone. */
#define MONTH_NS   (INT64_C(2629746) * 1000000000)
#define MONTHS_MAX 12000
#define HOUR_NS    (INT64_C(3600) * 1000000000)

/* ---- reading ---- */

static int read_offset(struct bbi_cq *cq, const struct bbi_ql_expr *offset, struct bb_error *err)
{
    if (offset->kind == BBI_QL_DURATION && offset->u.duration.months == 0) {
        cq->offset_ns = offset->u.duration.ns % cq->width_ns;
        return BB_OK;
    }
    return bbi_error_set(err, BB_EINVAL, "invalid time dimension offset");
}

/* The parser has seen to the arguments. */
static int read_intervals(struct bbi_cq *cq, struct bb_error *err)
{
    for (size_t i = 0; i < cq->select->dimension_count; i++) {
        const struct bbi_ql_expr *d = cq->select->dimensions[i];
        if (d->kind != BBI_QL_CALL || strcmp(d->u.call.name, "time") != 0 ||
            d->u.call.arg_count == 0 || d->u.call.args[0]->kind != BBI_QL_DURATION) {
            continue;
        }
        int64_t months = d->u.call.args[0]->u.duration.months;
        cq->width_ns = d->u.call.args[0]->u.duration.ns;
        if (months < 0 || months > MONTHS_MAX || cq->width_ns < 0) {
            return bbi_error_set(err, BB_EINVAL, "invalid time dimension");
        }
        if (months != 0) {
            cq->months = (int32_t)months;
            cq->width_ns = months * MONTH_NS;
        }
        return d->u.call.arg_count < 2 || cq->width_ns == 0
                   ? BB_OK
                   : read_offset(cq, d->u.call.args[1], err);
    }
    return BB_OK;
}

int bbi_cq_parse(const char *text, size_t length, struct bbi_zones *zones, struct bbi_arena *arena,
                 struct bbi_cq *out, struct bb_error *err)
{
    struct bbi_ql_query *query;
    *out = (struct bbi_cq){.width_ns = 0};
    int rc = bbi_ql_parse(text, length, NULL, arena, &query, err);
    if (rc != BB_OK) {
        return rc;
    }
    const struct bbi_ql_statement *s = query->statement_count == 1 ? query->statements[0] : NULL;
    if (s == NULL || s->kind != BBI_QL_CREATE_CQ || s->u.cq.select->into == NULL) {
        return bbi_error_set(err, BB_EINVAL, "query isn't a valid continuous query");
    }
    out->name = s->u.cq.name;
    out->database = s->u.cq.database;
    out->select = s->u.cq.select;
    out->every_ns = s->u.cq.every_ns;
    out->for_ns = s->u.cq.for_ns;
    rc = read_intervals(out, err);
    if (rc == BB_OK && out->width_ns != 0 && out->select->is_raw) {
        rc = bbi_error_set(err, BB_EINVAL, "continuous queries must be aggregate queries");
    }
    if (rc == BB_OK && out->select->zone != NULL) {
        rc = bbi_zones_get(zones, out->select->zone, &out->zone, err);
    }
    return rc;
}

/* ---- when ---- */

/* Intervals of the query, or of RESAMPLE EVERY. */
static struct bbi_buckets buckets(const struct bbi_cq *cq, int64_t width_ns, int32_t months,
                                  int64_t at_ns)
{
    struct bbi_buckets b = {
        .width_ns = width_ns, .offset_ns = cq->offset_ns % width_ns, .months = months};
    if (cq->zone != NULL && (months != 0 || width_ns > HOUR_NS)) {
        b.zone = cq->zone;
    } else if (cq->zone != NULL) {
        int64_t ahead_ns = bbi_zone_offset(cq->zone, at_ns / 1000000000) * INT64_C(1000000000);
        b.offset_ns = (b.offset_ns - ahead_ns) % width_ns;
    }
    return b;
}

static int64_t minus(int64_t a, int64_t b)
{
    int64_t r;
    return __builtin_sub_overflow(a, b, &r) || r < BBI_TIME_MIN ? BBI_TIME_MIN : r;
}

bool bbi_cq_due(const struct bbi_cq *cq, int64_t now_ns, struct bbi_cq_clock *clock,
                int64_t *start_ns, int64_t *end_ns)
{
    if (cq->width_ns == 0) {
        return false;
    }
    const struct bbi_buckets interval = buckets(cq, cq->width_ns, cq->months, now_ns);
    const struct bbi_buckets every = cq->every_ns == 0 ? interval
                                                       : buckets(cq, cq->every_ns, 0, now_ns);
    int64_t for_ns = cq->for_ns == 0 && cq->every_ns > cq->width_ns ? cq->every_ns : cq->for_ns;
    int64_t last_ns = clock->has_run ? clock->last_ns : now_ns;
    int64_t next_ns = now_ns;
    if (clock->has_run) {
        next_ns = bbi_bucket_start(&every, bbi_bucket_of(&every, clock->last_ns) + 1);
    }
    if (next_ns > now_ns) {
        return false;
    }
    *clock = (struct bbi_cq_clock){true, bbi_bucket_start(&every, bbi_bucket_of(&every, now_ns))};
    int64_t first = for_ns == 0 ? bbi_bucket_of(&interval, minus(next_ns, 1))
                                : bbi_bucket_of(&interval, minus(minus(next_ns, 1), for_ns)) + 1;
    /* An EVERY that does not fit the intervals leaves none of them open. */
    int64_t unfinished = bbi_bucket_of(&interval, last_ns);
    first = unfinished < first ? unfinished : first;
    /* With EVERY an interval is looked at once it has lasted so long. */
    bool within = cq->every_ns != 0 && cq->every_ns < cq->width_ns;
    int64_t end = within ? bbi_bucket_of(&interval, minus(now_ns, cq->every_ns)) + 1
                         : bbi_bucket_of(&interval, now_ns);
    *start_ns = bbi_bucket_start(&interval, first);
    *end_ns = bbi_bucket_start(&interval, end);
    return *end_ns > *start_ns;
}

/* ---- what ---- */

/* time op 'text' */
static int compare_time(enum bbi_ql_op op, int64_t time_ns, struct bbi_arena *arena,
                        struct bbi_ql_expr **out, struct bb_error *err)
{
    uint8_t bytes[64];
    struct bbi_buf text = {.data = bytes, .cap = sizeof(bytes), .max = sizeof(bytes)};
    struct bbi_ql_expr *e = bbi_arena_zalloc(arena, 3, sizeof(*e));
    bbi_ql_time_format(time_ns, &text);
    const char *copy = bbi_arena_dup(arena, text.data, text.len);
    if (e == NULL || copy == NULL || text.err != BB_OK) {
        return bbi_error_nomem(err, "continuous query");
    }
    e[0].kind = BBI_QL_BINARY;
    e[0].u.binary.op = op;
    e[0].u.binary.lhs = &e[1];
    e[0].u.binary.rhs = &e[2];
    e[1].kind = BBI_QL_VAR;
    e[1].u.var.name = "time";
    e[2].kind = BBI_QL_STRING;
    e[2].u.string = copy;
    *out = e;
    return BB_OK;
}

/* (rest) AND from AND until; rest NULL: the others. */
static int all_of(struct bbi_ql_expr *rest, struct bbi_ql_expr *from, struct bbi_ql_expr *until,
                  struct bbi_arena *arena, struct bbi_ql_expr **out, struct bb_error *err)
{
    struct bbi_ql_expr *e = bbi_arena_zalloc(arena, 3, sizeof(*e));
    if (e == NULL) {
        return bbi_error_nomem(err, "continuous query");
    }
    e[0].kind = BBI_QL_BINARY;
    e[0].u.binary.op = BBI_QL_AND;
    e[0].u.binary.lhs = rest == NULL ? from : &e[1];
    e[0].u.binary.rhs = until;
    e[1].kind = BBI_QL_BINARY;
    e[1].u.binary.op = BBI_QL_AND;
    e[1].u.binary.lhs = rest == NULL || rest->kind == BBI_QL_PAREN ? rest : &e[2];
    e[1].u.binary.rhs = from;
    e[2].kind = BBI_QL_PAREN;
    e[2].u.inner = rest;
    *out = e;
    return BB_OK;
}

int bbi_cq_format(const struct bbi_cq *cq, int64_t start_ns, int64_t end_ns,
                  struct bbi_arena *arena, struct bbi_buf *out, struct bb_error *err)
{
    const struct bbi_ql_world world = {.now_ns = end_ns};
    struct bbi_ql_select select = *cq->select;
    struct bbi_ql_condition condition;
    struct bbi_ql_expr *from;
    struct bbi_ql_expr *until;
    int rc = bbi_ql_condition_split(cq->select->condition, &world, arena, &condition, err);
    rc = rc == BB_OK ? compare_time(BBI_QL_GTE, start_ns, arena, &from, err) : rc;
    rc = rc == BB_OK ? compare_time(BBI_QL_LT, end_ns, arena, &until, err) : rc;
    rc = rc == BB_OK ? all_of(condition.rest, from, until, arena, &select.condition, err) : rc;
    if (rc != BB_OK) {
        return rc;
    }
    const struct bbi_ql_statement statement = {.kind = BBI_QL_SELECT, .u.select = &select};
    bbi_ql_format(&statement, out);
    return bbi_buf_check(out, "continuous query", err);
}
