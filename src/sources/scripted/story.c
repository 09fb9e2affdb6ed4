#include "sources/scripted/story.h"
#include "core/evidence.h"
#include "core/text.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum {
        LINE_MAX_BYTES = 1024,
        WORDS_MAX = 32,
        TIME_MAX = 1000000000,
};

struct words {
        char buffer[LINE_MAX_BYTES + 1];
        char *word[WORDS_MAX];
        bool ends_clause[WORDS_MAX]; /* a comma followed */
        bool quoted[WORDS_MAX];
        size_t n;
        size_t at;
};

static int split(struct words *words, const char *line, size_t n, const char **ret_why) {
        char *from, *to;

        if (n > LINE_MAX_BYTES || memchr(line, '\0', n)) {
                *ret_why = "the line is too long, or no text";
                return -EINVAL;
        }
        *words = (struct words){ 0 };
        memcpy(words->buffer, line, n);
        for (from = words->buffer; *from;) {
                while (isspace((unsigned char)*from))
                        from++;
                if (!*from || *from == '#')
                        break;
                if (words->n == WORDS_MAX) {
                        *ret_why = "too many words";
                        return -EINVAL;
                }
                to = from;
                if (*from == '"') {
                        words->quoted[words->n] = true;
                        words->word[words->n++] = ++from;
                        to = strchr(from, '"');
                        if (!to) {
                                *ret_why = "a quotation mark is missing";
                                return -EINVAL;
                        }
                        *to = '\0';
                        from = to + 1;
                        if (*from == ',') {
                                words->ends_clause[words->n - 1] = true;
                                from++;
                        }
                        continue;
                }
                while (*to && !isspace((unsigned char)*to))
                        to++;
                words->word[words->n++] = from;
                from = *to ? to + 1 : to;
                *to = '\0';
                if (to > words->word[words->n - 1] && to[-1] == ',') {
                        to[-1] = '\0';
                        words->ends_clause[words->n - 1] = true;
                }
        }
        return 0;
}

static const char *next(struct words *words) {
        return words->at < words->n ? words->word[words->at++] : NULL;
}

static int read_number(const char *text, int64_t *ret) {
        char *end;
        long long value;

        errno = 0;
        value = strtoll(text, &end, 0);
        if (errno || end == text || *end)
                return -EINVAL;
        *ret = value;
        return 0;
}

static int read_time(const char *text, uint64_t *ret_ns) {
        static const struct {
                const char *unit;
                uint64_t ns;
        } units[] = { { "", UINT64_C(1000000000) },     { "s", UINT64_C(1000000000) },
                      { "ms", UINT64_C(1000000) },      { "m", UINT64_C(60000000000) },
                      { "h", UINT64_C(3600000000000) }, { "d", UINT64_C(86400000000000) } };
        uint64_t whole = 0, nano = 0, unit = UINT64_C(1000000000);

        if (!isdigit((unsigned char)*text))
                return -EINVAL;
        for (; isdigit((unsigned char)*text); text++) {
                whole = whole * 10 + (uint64_t)(*text - '0');
                if (whole > TIME_MAX)
                        return -EINVAL;
        }
        if (*text == '.')
                for (text++; isdigit((unsigned char)*text) && unit > 1; text++) {
                        unit /= 10;
                        nano += (uint64_t)(*text - '0') * unit;
                }
        for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
                if (!strcmp(text, units[i].unit)) {
                        if (whole > STORY_TIME_MAX_NS / units[i].ns)
                                return -EINVAL;
                        *ret_ns = whole * units[i].ns + nano / (UINT64_C(1000000000) / 1000000) * (units[i].ns / 1000000);
                        return 0;
                }
        return -EINVAL;
}

/* QMP spells SUSPEND_DISK what evidence spells suspend-disk. */
static int read_kind(const char *text, enum evidence_kind *ret) {
        char name[40];
        size_t n = strlen(text);

        if (n >= sizeof(name))
                return -EINVAL;
        for (size_t i = 0; i <= n; i++)
                name[i] = text[i] == '_' ? '-' : (char)tolower((unsigned char)text[i]);
        return evidence_kind_from_name(name, ret);
}

static int read_flag(const char *text, enum tristate *ret) {
        if (!strcmp(text, "true"))
                *ret = TRISTATE_TRUE;
        else if (!strcmp(text, "false"))
                *ret = TRISTATE_FALSE;
        else
                return -EINVAL;
        return 0;
}

/* One value of a fact, by its key; NULL is the fact's only one. */
static int read_value(struct evidence *evidence, struct actor *actor, bool *has_actor, const char *key, const char *value) {
        const struct evidence_kind_info *info = evidence_kind_info(evidence->kind);
        int64_t number;

        if (key ? info->number && !strcmp(key, info->number) : info->number != NULL) {
                if (!strncmp(value, "SIG", 3) && info->word) {
                        static const struct {
                                const char *name;
                                int number;
                        } signals[] = { { "SIGTERM", SIGTERM }, { "SIGKILL", SIGKILL }, { "SIGINT", SIGINT },
                                        { "SIGHUP", SIGHUP },   { "SIGSEGV", SIGSEGV }, { "SIGABRT", SIGABRT },
                                        { "SIGSTOP", SIGSTOP }, { "SIGCONT", SIGCONT }, { "SIGQUIT", SIGQUIT },
                                        { "SIGBUS", SIGBUS },   { "SIGUSR1", SIGUSR1 }, { "SIGTSTP", SIGTSTP } };

                        for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
                                if (!strcmp(value, signals[i].name)) {
                                        evidence->number = signals[i].number;
                                        evidence_set_word(evidence, value);
                                        return 0;
                                }
                        return -EINVAL;
                }
                return read_number(value, &evidence->number);
        }
        if (key ? info->flag && !strcmp(key, info->flag) : info->flag && !info->word)
                return read_flag(value, &evidence->flag);
        if (key ? info->word && !strcmp(key, info->word) : info->word != NULL) {
                evidence_set_word(evidence, value);
                return 0;
        }
        if (key ? info->text && !strcmp(key, info->text) : info->text != NULL) {
                evidence_set_text(evidence, value, strlen(value));
                return 0;
        }
        if (!key || !info->actor)
                return -EINVAL;

        *has_actor = true;
        if (!strcmp(key, "pid")) {
                if (read_number(value, &number))
                        return -EINVAL;
                actor->pid = number;
        } else if (!strcmp(key, "uid")) {
                if (read_number(value, &number))
                        return -EINVAL;
                actor->uid = number;
        } else if (!strcmp(key, "user")) {
                text_set(actor->user, sizeof(actor->user), value);
        } else if (!strcmp(key, "comm")) {
                text_set(actor->comm, sizeof(actor->comm), value);
        } else if (!strcmp(key, "exe")) {
                text_set(actor->exe, sizeof(actor->exe), value);
        } else {
                return -EINVAL;
        }
        return 0;
}

/* `repeat N every T`, at the end of a line. */
static int read_repeat(struct words *words, struct story_step *step) {
        const char *number = next(words), *every = next(words), *period = next(words);
        int64_t n;

        if (!period || strcmp(every, "every") || words->at != words->n || read_number(number, &n) || n < 1 ||
            n > STORY_REPEAT_MAX || read_time(period, &step->every_ns) || step->every_ns > STORY_TIME_MAX_NS / STORY_REPEAT_MAX)
                return -EINVAL;
        step->repeat = (uint64_t)n;
        return 0;
}

static int read_evidence(struct words *words, enum evidence_source source, struct story_step *step, const char **ret_why) {
        struct actor actor = { .uid = -1 };
        bool has_actor = false;
        enum evidence_kind kind;
        const char *word = next(words);

        step->kind = STORY_EVIDENCE;
        step->repeat = 1;
        step->happened_ns = step->at_ns;
        if (!word || read_kind(word, &kind)) {
                /* "qmp web1 running": what query-status says. */
                if (!word || source != SOURCE_QMP || words->at != words->n) {
                        *ret_why = "no such kind of evidence";
                        return -EINVAL;
                }
                step->evidence = evidence_make(source, EVIDENCE_STATUS);
                evidence_set_word(&step->evidence, word);
                return 0;
        }
        step->evidence = evidence_make(source, kind);
        while ((word = next(words))) {
                bool quoted = words->quoted[words->at - 1];
                char *equals = quoted ? NULL : strchr(word, '=');
                int r;

                if (!quoted && !strcmp(word, "repeat")) {
                        if (!read_repeat(words, step))
                                continue;
                        *ret_why = "repeat N every T ends the line";
                        return -EINVAL;
                }
                if (equals)
                        *equals = '\0';
                if (equals && !strcmp(word, "at")) {
                        if (!read_time(equals + 1, &step->happened_ns) && step->happened_ns <= step->at_ns)
                                continue;
                        *ret_why = "at= is a time, not later than the line's own";
                        return -EINVAL;
                }
                /* Which request it is that was answered: the one of that instant. */
                if (equals && (kind == EVIDENCE_REFUSED || kind == EVIDENCE_ANSWERED_LATE) && !strcmp(word, "asked")) {
                        uint64_t asked_ns;

                        if (!read_time(equals + 1, &asked_ns) && asked_ns <= step->at_ns) {
                                step->evidence.number = (int64_t)asked_ns;
                                continue;
                        }
                        *ret_why = "asked= is a time, not later than the line's own";
                        return -EINVAL;
                }
                r = read_value(&step->evidence, &actor, &has_actor, equals ? word : NULL, equals ? equals + 1 : word);
                if (r) {
                        *ret_why = "this kind of evidence has no such value";
                        return r;
                }
        }
        return has_actor ? evidence_set_actor(&step->evidence, &actor) : 0;
}

static int read_clause(struct words *words, struct story_expectation *expectation) {
        const char *word = next(words);
        const char *value = words->at < words->n && !words->ends_clause[words->at - 1] ? next(words) : NULL;
        int64_t number;

        if (!word)
                return -EINVAL;
        if (!value) {
                if (!strcmp(word, "graceful")) {
                        expectation->has_graceful = true;
                        expectation->graceful = TRISTATE_TRUE;
                        return 0;
                }
                expectation->has_confidence = true;
                return confidence_from_name(word, &expectation->confidence);
        }
        if (!strcmp(word, "not") && !strcmp(value, "graceful")) {
                expectation->has_graceful = true;
                expectation->graceful = TRISTATE_FALSE;
                return 0;
        }
        if (!strcmp(word, "graceful") && !strcmp(value, "unknown")) {
                expectation->has_graceful = true;
                expectation->graceful = TRISTATE_NULL;
                return 0;
        }
        if (!strcmp(word, "left")) {
                expectation->has_left = true;
                return left_from_name(value, &expectation->left);
        }
        if (!strcmp(word, "count")) {
                expectation->has_count = true;
                if (read_number(value, &number) || number < 0)
                        return -EINVAL;
                expectation->count = (uint64_t)number;
                return 0;
        }
        if (!strcmp(word, "rule")) {
                text_set(expectation->rule, sizeof(expectation->rule), value);
                return 0;
        }
        if (!strcmp(word, "actor")) {
                text_set(expectation->actor, sizeof(expectation->actor), value);
                return 0;
        }
        expectation->has_decision = true;
        if (policy_action_from_name(word, &expectation->action))
                return -EINVAL;
        return decision_result_from_name(value, &expectation->result);
}

static int read_expectation(struct words *words, struct story_step *step, const char **ret_why) {
        const char *first = next(words), *second = next(words), *third = next(words), *fourth = next(words);
        int64_t number;

        *ret_why = "expect what?  TRANSITION by INITIATOR, MECHANISM …; nothing; N verdicts; N revisions; started; not started";
        if (!first)
                return -EINVAL;
        if (!second) {
                step->kind = !strcmp(first, "nothing") ? STORY_EXPECT_NOTHING : STORY_EXPECT_STARTED;
                return step->kind == STORY_EXPECT_STARTED && strcmp(first, "started") ? -EINVAL : 0;
        }
        if (!third) {
                if (!strcmp(first, "not") && !strcmp(second, "started")) {
                        step->kind = STORY_EXPECT_NOT_STARTED;
                        return 0;
                }
                if (read_number(first, &number) || number < 0)
                        return -EINVAL;
                step->number = (uint64_t)number;
                step->kind = !strncmp(second, "verdict", 7) ? STORY_EXPECT_VERDICTS : STORY_EXPECT_REVISIONS;
                return step->kind == STORY_EXPECT_REVISIONS && strncmp(second, "revision", 8) ? -EINVAL : 0;
        }
        step->kind = STORY_EXPECT_VERDICT;
        if (!fourth || strcmp(second, "by") || transition_from_name(first, &step->expectation.transition) ||
            initiator_from_name(third, &step->expectation.initiator) ||
            mechanism_from_name(fourth, &step->expectation.mechanism))
                return -EINVAL;
        while (words->at < words->n)
                if (read_clause(words, &step->expectation))
                        return -EINVAL;
        return 0;
}

int story_read_line(const char *line, size_t n, struct story_step *ret_step, const char **ret_why) {
        struct story_step step = { 0 };
        enum evidence_source source;
        struct words words;
        const char *word, *vm;
        int r;

        r = split(&words, line, n, ret_why);
        if (r)
                return r;
        word = next(&words);
        if (!word)
                return STORY_EMPTY;

        if (!strcmp(word, "policy") || !strcmp(word, "machine")) {
                bool is_policy = !strcmp(word, "policy");
                const char *value;

                vm = next(&words);
                value = next(&words);
                if (!vm || !value || words.at != words.n) {
                        *ret_why = "policy VM SETTING, or machine VM TYPE";
                        return -EINVAL;
                }
                text_set(step.vm, sizeof(step.vm), vm);
                step.kind = is_policy ? STORY_POLICY : STORY_EVIDENCE;
                step.repeat = 1;
                if (is_policy) {
                        text_set(step.setting, sizeof(step.setting), value);
                } else {
                        step.evidence = evidence_make(SOURCE_QMP, EVIDENCE_MACHINE);
                        evidence_set_word(&step.evidence, value);
                }
                *ret_step = step;
                return 0;
        }

        if (read_time(word, &step.at_ns)) {
                *ret_why = "a line begins with a time (5.040, 10m), policy or machine";
                return -EINVAL;
        }
        word = next(&words);
        vm = next(&words);
        if (!word || !vm) {
                *ret_why = "a source (or expect) and a VM are missing after the time";
                return -EINVAL;
        }
        text_set(step.vm, sizeof(step.vm), vm);
        if (!strcmp(word, "expect"))
                r = read_expectation(&words, &step, ret_why);
        else if (!evidence_source_from_name(word, &source))
                r = read_evidence(&words, source, &step, ret_why);
        else {
                *ret_why = "no such source";
                r = -EINVAL;
        }
        if (r) {
                story_step_deinit(&step);
                return r;
        }
        *ret_step = step;
        return 0;
}

void story_step_deinit(struct story_step *step) {
        evidence_deinit(&step->evidence);
}
