#include "client/shell_input.h"

#include <ctype.h>
#include <string.h>

#include "client/shell_text.h"

/* Step over what stands at s as a whole: a quoted text, a comment, or one character. *open: it does
 * not end. */
static size_t step(const char *s, bool *open)
{
    *open = false;
    if (*s == '\'' || *s == '"') {
        size_t i = 1;
        while (s[i] != '\0' && s[i] != *s)
            i += s[i] == '\\' && s[i + 1] != '\0' ? 2 : 1;
        *open = s[i] == '\0';
        return *open ? i : i + 1;
    }
    if (s[0] == '-' && s[1] == '-')
        return strcspn(s, "\n");
    if (s[0] == '/' && s[1] == '*') {
        const char *end = strstr(s + 2, "*/");
        *open = end == NULL;
        return *open ? strlen(s) : (size_t)(end - s) + 2;
    }
    return 1;
}

static bool is_comment(const char *s)
{
    return (s[0] == '-' && s[1] == '-') || (s[0] == '/' && s[1] == '*');
}

static bool wants_more(const char *word, size_t n)
{
    static const char *const words[] = {"select", "from", "where", "and", "or",    "by",
                                        "into",   "with", "on",    "in",  "group", "order"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (bbsh_same_word(word, n, words[i]))
            return true;
    return false;
}

bool bbsh_input_open(const char *text)
{
    int depth = 0;
    const char *word = NULL; /* the last one */
    size_t word_len = 0;
    char last = ';';
    for (const char *s = text; *s != '\0';) {
        bool open;
        size_t n = step(s, &open);
        if (open)
            return true;
        if (!isspace((unsigned char)*s) && !is_comment(s)) {
            bool letter = isalnum((unsigned char)*s) || *s == '_';
            if (!letter || word == NULL || word + word_len != s) {
                word = letter ? s : NULL;
                word_len = 0;
            }
            word_len++;
            depth += (*s == '(') - (*s == ')');
            last = *s;
        }
        s += n;
    }
    if (last == ';')
        return false;
    return depth > 0 || strchr(",(=<>+", last) != NULL ||
           (word != NULL && wants_more(word, word_len));
}

size_t bbsh_input_statement(const char *text, size_t *begin, size_t *end)
{
    const char *s = text;
    while (*s != '\0' && (isspace((unsigned char)*s) || *s == ';' || is_comment(s))) {
        bool open;
        s += step(s, &open);
    }
    if (*s == '\0')
        return 0;
    *begin = (size_t)(s - text);
    if (*s == '\\') {
        /* A command takes its line, semicolons too. */
        s += strcspn(s, "\n");
    } else {
        bool open;
        while (*s != '\0' && *s != ';')
            s += step(s, &open);
    }
    *end = (size_t)(s - text);
    size_t next = *end + (*s != '\0');
    while (*end > *begin && isspace((unsigned char)text[*end - 1]))
        (*end)--;
    return next;
}
