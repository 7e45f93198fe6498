/** Parts of statements as text, for the files that print them; each begins with its blank. */
#ifndef BBI_INFLUXQL_FORMAT_H
#define BBI_INFLUXQL_FORMAT_H

#include "engine/base/buf.h"
#include "engine/influxql/ast.h"

void bbi_ql_format_regex(const char *pattern, struct bbi_buf *buf);
void bbi_ql_format_select(const struct bbi_ql_select *select, bool brief, struct bbi_buf *buf);
void bbi_ql_format_sources(const char *before, const struct bbi_ql_source *sources, size_t count,
                           bool brief, struct bbi_buf *buf);
void bbi_ql_format_where(const struct bbi_ql_expr *condition, bool brief, struct bbi_buf *buf);
void bbi_ql_format_group_by(struct bbi_ql_expr *const *dimensions, size_t count, bool brief,
                            struct bbi_buf *buf);
void bbi_ql_format_order_by(const struct bbi_ql_sort *sorts, size_t count, struct bbi_buf *buf);
void bbi_ql_format_limit(const char *keyword, int64_t value, struct bbi_buf *buf);

#endif
