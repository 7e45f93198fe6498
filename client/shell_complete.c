#include "client/shell_complete.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "client/clock.h"
#include "client/shell_text.h"

#define CACHE_SLOTS    16
#define CACHE_MS       60000
#define ASK_TIMEOUT_MS 2000
#define VALUES_MAX     2000
#define CANDIDATES_MAX 5000

static const char *const keywords[] = {
    "ALTER",       "AND",       "ANALYZE", "ASC",      "BY",          "CARDINALITY",  "CREATE",
    "DATABASE",    "DATABASES", "DEFAULT", "DELETE",   "DESC",        "DROP",         "DURATION",
    "EXPLAIN",     "FIELD",     "FROM",    "GRANTS",   "GROUP",       "INSERT",       "INTO",
    "KEY",         "KEYS",      "KILL",    "LIMIT",    "MEASUREMENT", "MEASUREMENTS", "OFFSET",
    "ON",          "OR",        "ORDER",   "POLICIES", "POLICY",      "QUERIES",      "QUERY",
    "REPLICATION", "RETENTION", "SELECT",  "SERIES",   "SHARD",       "SHARDS",       "SHOW",
    "SLIMIT",      "SOFFSET",   "STATS",   "TAG",      "USE",         "USERS",        "VALUES",
    "WHERE",       "WITH",      "fill(",   "time(",    "tz("};
static const char *const functions[] = {"bottom(",
                                        "count(",
                                        "cumulative_sum(",
                                        "derivative(",
                                        "difference(",
                                        "distinct(",
                                        "elapsed(",
                                        "first(",
                                        "integral(",
                                        "last(",
                                        "max(",
                                        "mean(",
                                        "median(",
                                        "min(",
                                        "mode(",
                                        "moving_average(",
                                        "non_negative_derivative(",
                                        "non_negative_difference(",
                                        "percentile(",
                                        "sample(",
                                        "spread(",
                                        "stddev(",
                                        "sum(",
                                        "top("};
static const char *const commands[] = {"\\?",    "\\d",      "\\format", "\\group",
                                       "\\heat", "\\l",      "\\plot",   "\\q",
                                       "\\tz",   "\\timing", "\\use",    "\\watch"};

struct slot {
    char *query; /* with the database before it; NULL: free */
    int64_t when_ms;
    struct bbsh_names names;
};

struct bbsh_completer {
    struct shell *shell;
    struct slot slots[CACHE_SLOTS];
    unsigned next;
};

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '\\' || c == '?' || (c & 0x80) != 0;
}

/* The next token: a quoted text or a word whole, else one character. */
static size_t token(const char *s, size_t n)
{
    size_t i = 1;
    if (*s == '"' || *s == '\'') {
        while (i < n && s[i] != *s)
            i += s[i] == '\\' && i + 1 < n ? 2 : 1;
        return i < n ? i + 1 : n;
    }
    while (is_word(*s) && i < n && is_word(s[i]))
        i++;
    return i;
}

static void unquote(const char *s, size_t n, char *to, size_t size)
{
    size_t len = 0;
    bool quoted = n > 0 && *s == '"';
    for (size_t i = quoted; i < n && len + 1 < size; i++) {
        if (quoted && s[i] == '"')
            break;
        if (quoted && s[i] == '\\' && i + 1 < n)
            i++;
        to[len++] = s[i];
    }
    to[len] = '\0';
}

/* The places that a word opens; 0 is for words that open none. */
static int opened(const char *s, size_t n)
{
    static const struct {
        const char *word;
        int wanted;
    } table[] = {{"select", BBSH_WANT_FIELD},       {"from", BBSH_WANT_MEASUREMENT},
                 {"into", BBSH_WANT_MEASUREMENT},   {"measurement", BBSH_WANT_MEASUREMENT},
                 {"where", BBSH_WANT_TAG_OR_FIELD}, {"and", BBSH_WANT_TAG_OR_FIELD},
                 {"or", BBSH_WANT_TAG_OR_FIELD},    {"by", BBSH_WANT_TAG_OR_FIELD},
                 {"on", BBSH_WANT_DATABASE},        {"database", BBSH_WANT_DATABASE},
                 {"use", BBSH_WANT_DATABASE},       {"\\use", BBSH_WANT_DATABASE},
                 {"\\d", BBSH_WANT_MEASUREMENT}};
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (bbsh_same_word(s, n, table[i].word))
            return table[i].wanted;
    return -1;
}

/* Where the word at the cursor begins: behind the last token that is complete. */
static size_t word_start(const char *text, size_t cursor)
{
    size_t i = 0, start = cursor;
    while (i < cursor) {
        size_t n = token(text + i, cursor - i);
        bool quoted = text[i] == '"' || text[i] == '\'';
        bool closed = quoted && n > 1 && text[i + n - 1] == text[i];
        start = i + n == cursor && !closed && (quoted || is_word(text[i])) ? i : cursor;
        i += n;
    }
    return start;
}

static void find_measurement(const char *text, char *to, size_t size)
{
    size_t n = strlen(text);
    bool from = false;
    for (size_t i = 0; i < n;) {
        size_t len = token(text + i, n - i);
        if (from && !isspace((unsigned char)text[i])) {
            if (is_word(text[i]) || text[i] == '"')
                unquote(text + i, len, to, size);
            return;
        }
        from = from || bbsh_same_word(text + i, len, "from");
        i += len;
    }
}

void bbsh_place_find(const char *text, size_t cursor, struct bbsh_place *place)
{
    *place = (struct bbsh_place){.wanted = BBSH_WANT_KEYWORD, .word = word_start(text, cursor)};
    find_measurement(text, place->measurement, sizeof(place->measurement));
    const char *name = NULL; /* the word before a comparison */
    size_t name_len = 0;
    int scope = BBSH_WANT_KEYWORD;
    for (size_t i = 0; i < place->word;) {
        size_t n = token(text + i, place->word - i);
        const char *s = text + i;
        i += n;
        if (isspace((unsigned char)*s))
            continue;
        int to = opened(s, n);
        if (to >= 0) {
            scope = place->wanted = to;
        } else if (*s == ',' || *s == '(') {
            place->wanted = scope;
        } else if ((*s == '=' || *s == '!' || *s == '<' || *s == '>') && name != NULL) {
            place->wanted = BBSH_WANT_TAG_VALUE;
            unquote(name, name_len, place->tag, sizeof(place->tag));
        } else if (is_word(*s) || *s == '"' || *s == '\'') {
            name = s;
            name_len = n;
            place->wanted = BBSH_WANT_KEYWORD;
        }
    }
    if (text[place->word] == '\\' && place->word < cursor)
        place->wanted = BBSH_WANT_COMMAND;
}

struct bbsh_completer *bbsh_completer_create(struct shell *shell)
{
    struct bbsh_completer *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return NULL;
    c->shell = shell;
    for (int i = 0; i < CACHE_SLOTS; i++)
        bbsh_names_init(&c->slots[i].names);
    return c;
}

void bbsh_completer_forget(struct bbsh_completer *completer)
{
    for (int i = 0; i < CACHE_SLOTS; i++) {
        struct slot *slot = &completer->slots[i];
        free(slot->query);
        slot->query = NULL;
        bbsh_names_fini(&slot->names);
    }
}

void bbsh_completer_destroy(struct bbsh_completer **completer)
{
    if (*completer == NULL)
        return;
    bbsh_completer_forget(*completer);
    free(*completer);
    *completer = NULL;
}

/* On a connection of its own with a short patience: a key press must not hang. */
static void fetch(struct bbsh_completer *c, const char *query, size_t column,
                  struct bbsh_names *names)
{
    struct bb_client_options options = c->shell->options;
    options.database = c->shell->database;
    options.connect_timeout_ms = ASK_TIMEOUT_MS;
    options.query_timeout_ms = ASK_TIMEOUT_MS;
    struct bb_client *client;
    struct bb_client_error error;
    if (bb_client_create(&client, &options, &error) != BB_CLIENT_OK)
        return;
    if (bbsh_names_ask(client, query, column, names, &error) != BB_CLIENT_OK)
        bbsh_names_fini(names);
    bb_client_destroy(&client);
}

static const struct bbsh_names *ask(struct bbsh_completer *c, const char *query, size_t column)
{
    for (int i = 0; i < CACHE_SLOTS; i++)
        if (c->slots[i].query != NULL && strcmp(c->slots[i].query, query) == 0 &&
            clock_now_ms() - c->slots[i].when_ms < CACHE_MS)
            return &c->slots[i].names;
    struct slot *slot = &c->slots[c->next++ % CACHE_SLOTS];
    free(slot->query);
    bbsh_names_fini(&slot->names);
    slot->query = strdup(query);
    slot->when_ms = clock_now_ms();
    fetch(c, query, column, &slot->names);
    return &slot->names;
}

static bool is_keyword(const char *name)
{
    for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++)
        if (strcasecmp(keywords[i], name) == 0)
            return true;
    return false;
}

static bool needs_quotes(const char *name)
{
    if (!isalpha((unsigned char)*name) && *name != '_')
        return true;
    for (const char *s = name; *s != '\0'; s++)
        if (!isalnum((unsigned char)*s) && *s != '_')
            return true;
    return is_keyword(name);
}

static void offer(struct bbsh_names *to, const char *word, size_t n, const char *candidate)
{
    if (strncasecmp(candidate, word, n) != 0 || to->count >= CANDIDATES_MAX)
        return;
    text_put(&to->list, candidate, strlen(candidate) + 1);
    to->count++;
}

static void offer_list(struct bbsh_names *to, const char *word, size_t n, const char *const *list,
                       size_t count)
{
    for (size_t i = 0; i < count; i++)
        offer(to, word, n, list[i]);
}

/* Names of the server in the quotes that they need, or that were begun. */
static void offer_names(struct bbsh_names *to, const char *word, size_t n,
                        const struct bbsh_names *names, char quote)
{
    const char *name = text_get(&names->list);
    struct text quoted;
    text_init(&quoted, (size_t)1 << 20);
    for (size_t i = 0; i < names->count; i++, name += strlen(name) + 1) {
        bool begun = n > 0 && *word == quote;
        if (quote == '"' && !begun && !needs_quotes(name)) {
            offer(to, word, n, name);
            continue;
        }
        text_clear(&quoted);
        bbsh_put_quoted(&quoted, name, quote);
        const char *candidate = text_get(&quoted);
        if (begun || strncasecmp(candidate + 1, word, n) == 0)
            offer(to, begun ? word : "", begun ? n : 0, candidate);
    }
    text_fini(&quoted);
}

static void show(struct text *query, const char *what, const char *measurement)
{
    text_printf(query, "SHOW %s", what);
    if (measurement[0] != '\0') {
        text_puts(query, " FROM ");
        bbsh_put_quoted(query, measurement, '"');
    }
}

static void offer_known(struct bbsh_completer *c, const char *word, size_t n,
                        const struct bbsh_place *place, struct bbsh_names *to)
{
    struct text query;
    text_init(&query, (size_t)1 << 16);
    if (place->wanted == BBSH_WANT_DATABASE) {
        offer_names(to, word, n, ask(c, "SHOW DATABASES", 0), '"');
    } else if (place->wanted == BBSH_WANT_MEASUREMENT) {
        offer_names(to, word, n, ask(c, "SHOW MEASUREMENTS", 0), '"');
    } else if (place->wanted == BBSH_WANT_TAG_VALUE) {
        show(&query, "TAG VALUES", place->measurement);
        text_puts(&query, " WITH KEY = ");
        bbsh_put_quoted(&query, place->tag, '"');
        text_printf(&query, " LIMIT %d", VALUES_MAX);
        offer_names(to, word, n, ask(c, text_get(&query), 1), '\'');
    } else {
        show(&query, "FIELD KEYS", place->measurement);
        offer_names(to, word, n, ask(c, text_get(&query), 0), '"');
        text_clear(&query);
        show(&query, "TAG KEYS", place->measurement);
        offer_names(to, word, n, ask(c, text_get(&query), 0), '"');
    }
    text_fini(&query);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void sort_unique(struct bbsh_names *names)
{
    const char **list = calloc(names->count + 1, sizeof(*list));
    if (list == NULL)
        return;
    const char *name = text_get(&names->list);
    for (size_t i = 0; i < names->count; i++, name += strlen(name) + 1)
        list[i] = name;
    qsort(list, names->count, sizeof(*list), by_text);
    struct text sorted;
    text_init(&sorted, names->list.max);
    size_t count = 0;
    for (size_t i = 0; i < names->count; i++) {
        if (i > 0 && strcmp(list[i], list[i - 1]) == 0)
            continue;
        text_put(&sorted, list[i], strlen(list[i]) + 1);
        count++;
    }
    free(list);
    text_fini(&names->list);
    names->list = sorted;
    names->count = sorted.failed ? 0 : count;
}

void bbsh_complete(struct bbsh_completer *completer, const char *text, size_t cursor,
                   struct bbsh_place *place, struct bbsh_names *candidates)
{
    bbsh_place_find(text, cursor, place);
    const char *word = text + place->word;
    size_t n = cursor - place->word;
    switch (place->wanted) {
    case BBSH_WANT_COMMAND:
        offer_list(candidates, word, n, commands, sizeof(commands) / sizeof(commands[0]));
        break;
    case BBSH_WANT_KEYWORD:
        offer_list(candidates, word, n, keywords, sizeof(keywords) / sizeof(keywords[0]));
        break;
    case BBSH_WANT_FIELD:
        offer_list(candidates, word, n, functions, sizeof(functions) / sizeof(functions[0]));
        offer_known(completer, word, n, place, candidates);
        break;
    case BBSH_WANT_TAG_OR_FIELD:
        offer(candidates, word, n, "time");
        offer(candidates, word, n, "time(");
        offer_known(completer, word, n, place, candidates);
        break;
    default:
        offer_known(completer, word, n, place, candidates);
    }
    sort_unique(candidates);
}
