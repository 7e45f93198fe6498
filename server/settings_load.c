/**
 * Where settings come from: defaults, then a file, then the environment, then flags.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "server/settings_table.h"

#define LINE_MAX_BYTES (SETTING_TEXT_MAX + 256)

/** Names that InfluxDB has for settings of ours. */
static const struct {
    const char *name, *ours;
} other_names[] = {{"max-body-size", "max-body"}, {"max-connection-limit", "max-connections"}};

#define OTHER_NAMES (sizeof(other_names) / sizeof(other_names[0]))

static const struct setting *find(const char *name, size_t n)
{
    for (size_t i = 0; i < OTHER_NAMES; i++)
        if (strlen(other_names[i].name) == n && memcmp(other_names[i].name, name, n) == 0)
            return find(other_names[i].ours, strlen(other_names[i].ours));
    for (size_t i = 0; i < SETTING_COUNT; i++)
        if (strlen(settings_table[i].name) == n && memcmp(settings_table[i].name, name, n) == 0)
            return &settings_table[i];
    return NULL;
}

/* ---- the file ---- */

/** Cut blanks at both ends. */
static char *strip(char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    size_t n = strlen(text);
    while (n > 0 && isspace((unsigned char)text[n - 1]))
        text[--n] = '\0';
    return text;
}

/** One line: "name = value", a comment or nothing. lines[]: where each setting was set. */
static int load_line(struct settings *s, const char *path, unsigned number, char *line,
                     unsigned lines[SETTING_COUNT], struct bb_error *err)
{
    char *name = strip(line);
    if (*name == '\0' || *name == '#')
        return BB_OK;
    char *equals = strchr(name, '=');
    if (equals == NULL)
        return settings_fail(err, "%.200s:%u: not 'name = value'", path, number);
    *equals = '\0';
    char *value = strip(equals + 1);
    name = strip(name);
    size_t n = strlen(value);
    if (n >= 2 && value[0] == '"' && value[n - 1] == '"') {
        value[n - 1] = '\0';
        value++;
    }
    const struct setting *setting = find(name, strlen(name));
    if (setting == NULL)
        return settings_fail(err, "%.200s:%u: no such setting: %.100s", path, number, name);
    unsigned *before = &lines[setting - settings_table];
    if (*before != 0)
        return settings_fail(err, "%.200s:%u: %s: set already in line %u", path, number,
                             setting->name, *before);
    *before = number;
    char source[512];
    snprintf(source, sizeof(source), "%.200s:%u: %s", path, number, setting->name);
    return settings_set(s, setting, source, value, err);
}

static int load_file(struct settings *s, const char *path, bool must_exist, struct bb_error *err)
{
    char line[LINE_MAX_BYTES];
    unsigned lines[SETTING_COUNT] = {0};
    FILE *f = fopen(path, "re");
    if (f == NULL && errno == ENOENT && !must_exist)
        return BB_OK;
    if (f == NULL)
        return settings_fail(err, "%.200s: %s", path, strerror(errno));
    snprintf(s->config, sizeof(s->config), "%s", path);
    int rc = BB_OK;
    for (unsigned number = 1; rc == BB_OK && fgets(line, sizeof(line), f) != NULL; number++) {
        size_t n = strlen(line);
        if (n + 1 == sizeof(line) && line[n - 1] != '\n')
            rc = settings_fail(err, "%.200s:%u: line too long", path, number);
        else
            rc = load_line(s, path, number, line, lines, err);
    }
    if (rc == BB_OK && ferror(f))
        rc = settings_fail(err, "%.200s: %s", path, strerror(errno));
    fclose(f);
    return rc;
}

/* ---- environment and flags ---- */

static void variable_name(const char *name, char *out, size_t size)
{
    snprintf(out, size, "BUSBAR_%s", name);
    for (char *p = out; *p != '\0'; p++)
        *p = *p == '-' ? '_' : (char)toupper((unsigned char)*p);
}

static int load_variable(struct settings *s, const char *setting, char *const env[],
                         struct bb_error *err)
{
    char name[64];
    variable_name(setting, name, sizeof(name));
    size_t n = strlen(name);
    for (char *const *e = env; *e != NULL; e++) {
        if (strncmp(*e, name, n) != 0 || (*e)[n] != '=')
            continue;
        int rc = settings_set(s, find(setting, strlen(setting)), name, *e + n + 1, err);
        if (rc != BB_OK)
            return rc;
    }
    return BB_OK;
}

static int load_environment(struct settings *s, char *const env[], struct bb_error *err)
{
    int rc = BB_OK;
    for (size_t i = 0; i < OTHER_NAMES && rc == BB_OK; i++)
        rc = load_variable(s, other_names[i].name, env, err);
    for (size_t i = 0; i < SETTING_COUNT && rc == BB_OK; i++)
        rc = load_variable(s, settings_table[i].name, env, err);
    return rc;
}

static int load_flag(struct settings *s, int argc, char *const argv[], int *at,
                     struct bb_error *err)
{
    const char *arg = argv[*at];
    if (strncmp(arg, "--", 2) != 0 || arg[2] == '\0')
        return settings_fail(err, "%.100s: not a flag (see --help)", arg);
    size_t n = strcspn(arg + 2, "=");
    const struct setting *setting = find(arg + 2, n);
    if (setting == NULL)
        return settings_fail(err, "%.100s: no such flag (see --help)", arg);
    char source[64];
    snprintf(source, sizeof(source), "--%s", setting->name);
    if (arg[2 + n] == '=')
        return settings_set(s, setting, source, arg + 3 + n, err);
    if (*at + 1 >= argc)
        return settings_fail(err, "%s: needs a value", source);
    return settings_set(s, setting, source, argv[++*at], err);
}

/** What is neither a setting nor takes a value. */
static bool take_action(const char *arg, enum settings_action *action)
{
    static const struct {
        const char *flag;
        enum settings_action action;
    } actions[] = {{"--help", SETTINGS_HELP},
                   {"-h", SETTINGS_HELP},
                   {"--version", SETTINGS_VERSION},
                   {"--print-config", SETTINGS_PRINT},
                   {"--print-config=sample", SETTINGS_SAMPLE},
                   {"--print-config=man", SETTINGS_MAN},
                   {"--print-metrics", SETTINGS_METRICS}};
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        if (strcmp(arg, actions[i].flag) == 0) {
            *action = actions[i].action;
            return true;
        }
    }
    return false;
}

/** --config FILE or --config=FILE at argv[*at]; NULL: it is something else. */
static const char *config_flag(int argc, char *const argv[], int *at)
{
    static const char flag[] = "--config";
    size_t n = sizeof(flag) - 1;
    if (strncmp(argv[*at], flag, n) != 0)
        return NULL;
    if (argv[*at][n] == '=')
        return argv[*at] + n + 1;
    if (argv[*at][n] != '\0' || *at + 1 >= argc)
        return NULL;
    return argv[++*at];
}

/** The file that a flag or the environment names, else the usual one. */
static const char *find_config(int argc, char *const argv[], char *const env[], bool *must_exist)
{
    const char *path = NULL;
    *must_exist = true;
    for (int at = 1; at < argc; at++) {
        const char *given = config_flag(argc, argv, &at);
        path = given != NULL ? given : path;
    }
    for (char *const *e = env; *e != NULL && path == NULL; e++)
        if (strncmp(*e, "BUSBAR_CONFIG=", 14) == 0)
            path = *e + 14;
    if (path != NULL)
        return path;
    *must_exist = false;
    return SETTINGS_CONFIG_DEFAULT;
}

int settings_load(struct settings *s, int argc, char *const argv[], char *const env[],
                  enum settings_action *action, struct bb_error *err)
{
    memset(s, 0, sizeof(*s));
    *action = SETTINGS_RUN;
    for (int at = 1; at < argc; at++)
        (void)take_action(argv[at], action);
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting *setting = &settings_table[i];
        int rc = settings_set(s, setting, setting->name, setting->preset, err);
        if (rc != BB_OK)
            return rc;
    }
    s->line_given = false;
    if (*action != SETTINGS_RUN && *action != SETTINGS_PRINT)
        return BB_OK; /* a broken file does not keep --help from helping */
    bool must_exist;
    const char *config = find_config(argc, argv, env, &must_exist);
    int rc = config[0] == '\0' ? BB_OK : load_file(s, config, must_exist, err);
    if (rc == BB_OK)
        rc = load_environment(s, env, err);
    for (int at = 1; at < argc && rc == BB_OK; at++) {
        enum settings_action ignored;
        if (!take_action(argv[at], &ignored) && config_flag(argc, argv, &at) == NULL)
            rc = load_flag(s, argc, argv, &at, err);
    }
    return rc;
}
