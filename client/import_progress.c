#include "client/import_progress.h"

#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>

#include "client/clock.h"

#define INTERVAL_MS 200
#define BAR_CELLS   24

void progress_add_count(struct import_buf *out, uint64_t count)
{
    char digits[24];
    int n = snprintf(digits, sizeof(digits), "%" PRIu64, count);
    for (int i = 0; i < n; i++) {
        if (i > 0 && (n - i) % 3 == 0)
            import_buf_add_char(out, ',');
        import_buf_add_char(out, digits[i]);
    }
}

void progress_add_duration(struct import_buf *out, double seconds)
{
    uint64_t s = seconds < 0 ? 0 : seconds > 1e9 ? (uint64_t)1e9 : (uint64_t)(seconds + 0.5);
    if (s >= 3600)
        import_buf_printf(out, "%" PRIu64 ":%02d:%02d", s / 3600, (int)(s / 60 % 60),
                          (int)(s % 60));
    else
        import_buf_printf(out, "%d:%02d", (int)(s / 60), (int)(s % 60));
}

void progress_start(struct progress *p, FILE *out, const char *name, const struct progress_now *now)
{
    *p = (struct progress){.out = out, .name = name, .start_ms = clock_now_ms()};
    p->start_rows = now->rows;
    p->start_bytes = now->bytes;
}

double progress_seconds(const struct progress *p)
{
    return (double)(clock_now_ms() - p->start_ms) / 1000;
}

static void add_bar(struct import_buf *line, double part)
{
    int filled = (int)(part * BAR_CELLS);
    import_buf_add_text(line, " [");
    for (int i = 0; i < BAR_CELLS; i++)
        import_buf_add_char(line, i < filled ? '#' : '.');
    import_buf_printf(line, "] %3d%%", (int)(part * 100));
}

static int terminal_columns(FILE *out)
{
    struct winsize size;
    return ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

void progress_show(struct progress *p, const struct progress_now *now)
{
    int64_t at_ms = clock_now_ms();
    if (p->out == NULL || at_ms - p->last_ms < INTERVAL_MS)
        return;
    p->last_ms = at_ms;
    double seconds = (double)(at_ms - p->start_ms) / 1000 + 1e-3;
    struct import_buf line = {0};
    import_buf_printf(&line, "%.24s", p->name);
    double part = -1;
    if (now->total_bytes > 0) {
        part = (double)now->bytes / (double)now->total_bytes;
        part = part > 1 ? 1 : part;
        add_bar(&line, part);
    }
    import_buf_add_text(&line, "  ");
    progress_add_count(&line, now->rows);
    import_buf_add_text(&line, " rows  ");
    progress_add_count(&line, (uint64_t)((double)(now->rows - p->start_rows) / seconds));
    import_buf_add_text(&line, "/s");
    double done = (double)(now->bytes - p->start_bytes);
    if (part >= 0 && done > 0) {
        import_buf_add_text(&line, "  ETA ");
        progress_add_duration(&line, seconds * (double)(now->total_bytes - now->bytes) / done);
    }
    if (now->rejected > 0)
        import_buf_printf(&line, "  %" PRIu64 " rejected", now->rejected);
    int columns = terminal_columns(p->out) - 1;
    int len = (int)line.len < columns ? (int)line.len : columns;
    fprintf(p->out, "\r\033[K%.*s", len, import_buf_text(&line));
    fflush(p->out);
    p->shown = true;
    import_buf_fini(&line);
}

void progress_clear(struct progress *p)
{
    if (p->shown)
        fputs("\r\033[K", p->out);
    p->shown = false;
}
