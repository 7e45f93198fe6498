#include "engine/forward.h"

#include <string.h>

#include "engine/catalog/tasks.h"
#include "engine/db_impl.h"
#include "engine/query/subscription.h"

/* A blank, a time and a newline. */
#define TAIL_BYTES 22

/* A key with more tags than this keeps their order. */
#define SORTED_TAGS_MAX 64

/* What bb_lines stands in; one allocation. */
struct text {
    struct bb_lines lines;
    struct bbi_wal_notice notice;
    struct bbi_forward *forward;
    _Atomic uint32_t refs;
    uint32_t *ends;
    char *at; /* while it is laid out */
};

void bbi_forward_init(struct bbi_forward *f, const struct bb_options *options,
                      struct bbi_account *acct)
{
    *f = (struct bbi_forward){.stored = options->lines_stored,
                              .changed = options->subscriptions_changed,
                              .arg = options->forward_arg};
    bbi_account_init(
        &f->acct, "forward",
        options->forward_bytes != 0 ? options->forward_bytes : options->memory_bytes / 32, acct);
}

void bbi_forward_start(struct bbi_forward *f, struct bbi_catalog *catalog, struct bbi_wal *wal)
{
    f->wal = wal;
    atomic_store(&f->told, bbi_catalog_task_changes(catalog));
}

static struct text *text_of(struct bb_lines *lines)
{
    return (struct text *)(void *)((char *)lines - offsetof(struct text, lines));
}

struct bb_lines *bb_lines_ref(struct bb_lines *lines)
{
    atomic_fetch_add_explicit(&text_of(lines)->refs, 1, memory_order_relaxed);
    return lines;
}

void bb_lines_unref(struct bb_lines *lines)
{
    if (lines != NULL &&
        atomic_fetch_sub_explicit(&text_of(lines)->refs, 1, memory_order_acq_rel) == 1) {
        bbi_mem_free(text_of(lines));
    }
}

/* ---- a line as InfluxDB sends it on: tags sorted, the time in nanoseconds, the rest as it came */

static void put(struct text *t, const void *data, size_t n)
{
    memcpy(t->at, data, n);
    t->at += n;
}

struct tag {
    const uint8_t *at;
    size_t len;
    size_t key_len;
};

/* Where a part of a key ends: at this byte, unless a backslash stands before it. */
static const uint8_t *part_end(const uint8_t *at, const uint8_t *end, uint8_t byte)
{
    const uint8_t *p = at;
    while (p < end && (*p != byte || (p > at && p[-1] == '\\'))) {
        p++;
    }
    return p;
}

static bool is_less(const struct tag *a, const struct tag *b)
{
    size_t shorter = a->key_len < b->key_len ? a->key_len : b->key_len;
    int order = memcmp(a->at, b->at, shorter);
    return order != 0 ? order < 0 : a->key_len < b->key_len;
}

/* How many tags there are; *sorted false: they were in another order. More than fit: any number. */
static size_t take_tags(const uint8_t *at, const uint8_t *end, struct tag *tags, bool *sorted)
{
    size_t count = 0;
    *sorted = true;
    while (at < end && count < SORTED_TAGS_MAX) {
        at++; /* the comma */
        const uint8_t *stop = part_end(at, end, ',');
        struct tag tag = {at, (size_t)(stop - at), (size_t)(part_end(at, stop, '=') - at)};
        size_t place = count++;
        for (; place > 0 && is_less(&tag, &tags[place - 1]); place--) {
            tags[place] = tags[place - 1];
            *sorted = false;
        }
        tags[place] = tag;
        at = stop;
    }
    *sorted = *sorted || at < end;
    return count;
}

static void put_key(struct text *t, const uint8_t *key, size_t len)
{
    struct tag tags[SORTED_TAGS_MAX];
    bool sorted;
    const uint8_t *end = key + len;
    const uint8_t *name_end = part_end(key, end, ',');
    size_t count = take_tags(name_end, end, tags, &sorted);
    if (sorted) {
        put(t, key, len);
        return;
    }
    put(t, key, (size_t)(name_end - key));
    for (size_t i = 0; i < count; i++) {
        put(t, ",", 1);
        put(t, tags[i].at, tags[i].len);
    }
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\0';
}

/* What stands between the key and the time. */
static void put_fields(struct text *t, const struct bbi_line_ref *line)
{
    const uint8_t *at = line->text + line->key_length;
    const uint8_t *end = line->text + line->length;
    while (at < end && is_blank(*at)) {
        at++;
    }
    while (end > at && is_blank(end[-1])) {
        end--;
    }
    if (line->has_time) {
        while (end > at && !is_blank(end[-1])) {
            end--;
        }
        while (end > at && is_blank(end[-1])) {
            end--;
        }
    }
    put(t, " ", 1);
    put(t, at, (size_t)(end - at));
}

static void put_time(struct text *t, int64_t time_ns)
{
    char digits[TAIL_BYTES];
    size_t n = sizeof(digits);
    uint64_t left = time_ns < 0 ? 0 - (uint64_t)time_ns : (uint64_t)time_ns;
    digits[--n] = '\n';
    do {
        digits[--n] = (char)('0' + left % 10);
        left /= 10;
    } while (left != 0);
    if (time_ns < 0) {
        digits[--n] = '-';
    }
    put(t, " ", 1);
    put(t, digits + n, sizeof(digits) - n);
}

static void put_line(struct text *t, const struct bbi_points *points, size_t i)
{
    const struct bbi_line_ref *line = &points->lines[i];
    put_key(t, line->text, line->key_length);
    put_fields(t, line);
    put_time(t, points->batch.points[i].time_ns);
    t->ends[t->lines.count++] = (uint32_t)(t->at - t->lines.text);
}

/* NULL: no memory, or too much of a text. */
static struct text *lay_out(struct bbi_forward *f, const struct bbi_points *points)
{
    size_t count = points->batch.point_count;
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        bytes += points->lines[i].length + TAIL_BYTES;
    }
    size_t ends_bytes = count * sizeof(uint32_t);
    struct text *t = bytes > UINT32_MAX ? NULL
                                        : bbi_mem_alloc(&f->acct, sizeof(*t) + ends_bytes + bytes);
    if (t == NULL) {
        return NULL;
    }
    *t = (struct text){.forward = f, .ends = (uint32_t *)(void *)(t + 1)};
    atomic_store_explicit(&t->refs, 1, memory_order_relaxed);
    t->at = (char *)t->ends + ends_bytes;
    t->lines = (struct bb_lines){.database_id = points->batch.db_id,
                                 .policy_id = points->batch.rp_id,
                                 .text = t->at,
                                 .ends = t->ends};
    for (size_t i = 0; i < count; i++) {
        put_line(t, points, i);
    }
    t->lines.length = (size_t)(t->at - t->lines.text);
    return t;
}

/* ---- handing over ---- */

static void on_durable(void *arg, const struct bb_error *err)
{
    struct text *t = arg;
    if (err == NULL) {
        atomic_fetch_add_explicit(&t->forward->ok, 1, memory_order_relaxed);
        t->forward->stored(t->forward->arg, &t->lines);
    }
    bb_lines_unref(&t->lines);
}

void bbi_forward_points(struct bbi_forward *f, const struct bbi_points *points, uint64_t lsn)
{
    if (f->stored == NULL || points->batch.point_count == 0) {
        return;
    }
    struct text *t = lay_out(f, points);
    if (t == NULL) {
        atomic_fetch_add_explicit(&f->dropped, 1, memory_order_relaxed);
        return;
    }
    t->notice = (struct bbi_wal_notice){.lsn = lsn, .fn = on_durable, .arg = t};
    bbi_wal_notify(f->wal, &t->notice);
}

void bbi_forward_changed(struct bbi_forward *f, struct bbi_catalog *catalog)
{
    if (f->changed != NULL) {
        uint64_t changes = bbi_catalog_task_changes(catalog);
        if (atomic_exchange(&f->told, changes) != changes) {
            f->changed(f->arg);
        }
    }
}

/* ---- who subscribes ---- */

static int tell(const struct bbi_catalog_task *task, struct bbi_account *acct,
                bb_subscription_fn fn, void *arg, struct bb_error *err)
{
    struct bbi_subscription s;
    struct bbi_arena arena;
    bbi_arena_init(&arena, acct);
    int rc = bbi_subscription_parse(task->text, task->text_len, &arena, &s, err);
    if (rc == BB_OK) {
        const struct bb_subscription out = {.id = (uint64_t)task->db_id << 32 | task->id,
                                            .database_id = task->db_id,
                                            .policy_id = task->rp_id,
                                            .database = task->database,
                                            .policy = task->policy,
                                            .name = task->name,
                                            .all = s.all,
                                            .destinations = s.destinations,
                                            .destination_count = s.destination_count};
        rc = fn(arg, &out);
    }
    bbi_arena_fini(&arena);
    return rc;
}

int bb_subscriptions_each(struct bb_db *db, bb_subscription_fn fn, void *arg, struct bb_error *err)
{
    struct bbi_catalog_tasks tasks;
    int rc = bbi_catalog_tasks(db->catalog, BBI_TASK_SUBSCRIPTION, &db->forward.acct, &tasks, err);
    for (size_t i = 0; rc == BB_OK && i < tasks.count; i++) {
        rc = tell(&tasks.list[i], &db->forward.acct, fn, arg, err);
    }
    bbi_catalog_tasks_free(&tasks);
    return rc;
}
