/**
 * Writing rows of one policy to segments by partition: what a flush and a compaction share.
 *
 * Partitions that are worth a file of their own get one (or several, cut by size, disjoint in
 * series); all others share one, so that 5,000 rows in 5,000 weeks do not become 5,000 files.
 * Thread  one owner at a time.
 */
#ifndef BBI_PARTITION_SPLITTER_H
#define BBI_PARTITION_SPLITTER_H

#include "engine/base/mem.h"
#include "engine/base/meta.h"
#include "engine/fs/fs.h"
#include "engine/partition/merge.h"
#include "engine/partition/range.h"
#include "engine/partition/span.h"

/** A partition with at least this many rows is worth a file of its own. */
#define BBI_SPLIT_OWN_ROWS 16384

/** At most this many partitions get a file of their own at a time, besides those that have one. */
#define BBI_SPLIT_OWN_MAX 64

/** A file ends at the first series boundary beyond this. */
#define BBI_SPLIT_FILE_BYTES (UINT64_C(256) << 20)

/** Rows per partition, counted or estimated beforehand. */
struct bbi_split_count {
    struct bbi_span span;
    uint64_t rows;
    bool own; /* in: has a file already; out: gets one */
};

struct bbi_split_counts {
    struct bbi_split_count *list; /* [count] by span.t0 */
    size_t count;
    size_t cap;
    struct bbi_account *acct;
};

void bbi_split_counts_init(struct bbi_split_counts *counts, struct bbi_account *acct);
void bbi_split_counts_fini(struct bbi_split_counts *counts);
/** rows more in a partition; own: it has a file already. */
int bbi_split_counts_add(struct bbi_split_counts *counts, struct bbi_span span, uint64_t rows,
                         bool own, struct bb_error *err) BB_CHECKED;
/** Decide which partitions get files: those that have one, and those that are large enough or
 * alone. */
void bbi_split_counts_decide(struct bbi_split_counts *counts);

struct bbi_split_job {
    const struct bbi_fs *fs;
    const char *dir;
    uint64_t (*new_id)(void *arg); /* fresh segment ids */
    void *new_id_arg;
    struct bbi_account *acct;
    uint32_t db_id;
    uint32_t rp_id;
    int64_t shard_ns;
    uint64_t lsn_lo;
    uint64_t lsn_hi;
    const struct bbi_segment_meta *const *inputs; /* [input_count] what is merged; then each output
                                                     gets the LSNs of those that reach into it */
    size_t input_count;                           /* 0: all have lsn_lo and lsn_hi */
    uint64_t tombs_lsn; /* deletions up to here are applied by whoever adds the rows */
    uint64_t job_id;
    uint32_t level;
    uint64_t
        reserve_bytes; /* claimed on disk at the start, spread over the first files; 0: nothing */
};

struct bbi_splitter;

/** counts: decided; borrowed until destroy. */
int bbi_splitter_create(const struct bbi_split_job *job, const struct bbi_split_counts *counts,
                        struct bbi_splitter **out, struct bb_error *err) BB_CHECKED;

/** Add rows of a series; series by rising (measurement, series), its rows by rising time over all
 * calls. */
int bbi_splitter_add(struct bbi_splitter *s, uint32_t measurement_id, uint32_t series_id,
                     const struct bbi_window *rows, struct bb_error *err) BB_CHECKED;

/** Finish all files; metas [*count] are the splitter's, until destroy. None for no rows. */
int bbi_splitter_finish(struct bbi_splitter *s, const struct bbi_segment_meta **metas,
                        size_t *count, struct bb_error *err) BB_CHECKED;

/** Free; without a successful finish, removes what was written. keep: the files were published. */
void bbi_splitter_destroy(struct bbi_splitter **s, bool keep);

#endif
