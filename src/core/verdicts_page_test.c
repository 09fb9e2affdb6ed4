/*
 * The page that documents the rules (docs/verdicts.md, the argument) against the table of the code: the same rules, in the
 * same order, with the same meaning, both ways.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "basics/cleanup.h"

#include <vmpower/judge.h>

enum {
        SECTIONS_MAX = 128,
        LINE_LENGTH = 256,
};

/* A section of the page: "### name", then what the rule says, then words. */
struct section {
        char name[LINE_LENGTH];
        char meaning[LINE_LENGTH];
        bool has_proof;
        bool has_ground;
};

static const char *path;
static struct section sections[SECTIONS_MAX];
static size_t n_sections;

static int read_page(void **state) {
        cleanup(fclosep) FILE *page = fopen(path, "re");
        char line[LINE_LENGTH];

        if (!page)
                return -1;
        while (fgets(line, sizeof(line), page)) {
                struct section *section = n_sections ? &sections[n_sections - 1] : NULL;

                line[strcspn(line, "\n")] = '\0';
                if (!strncmp(line, "### ", 4)) {
                        if (n_sections == SECTIONS_MAX)
                                return -1;
                        section = &sections[n_sections++];
                        memcpy(section->name, line + 4, strlen(line + 4) + 1);
                } else if (!strncmp(line, "## ", 3)) {
                        /* Sections of rules come last. */
                        n_sections = 0;
                } else if (section && *line && !section->meaning[0]) {
                        memcpy(section->meaning, line, strlen(line) + 1);
                } else if (section && !strncmp(line, "Proof: ", 7)) {
                        section->has_proof = true;
                } else if (section && !strncmp(line, "Rests on: ", 10)) {
                        section->has_ground = true;
                }
        }
        return 0;
}

static const char *graceful_name(enum tristate graceful) {
        switch (graceful) {
        case TRISTATE_NULL:
                return "null";
        case TRISTATE_FALSE:
                return "false";
        case TRISTATE_TRUE:
                return "true";
        }
        return "?";
}

static void the_page_has_every_rule_of_the_code_in_its_order(void **state) {
        for (size_t i = 0; judge_rule(i); i++) {
                if (i >= n_sections)
                        fail_msg("the page has no section on %s", judge_rule(i)->name);
                if (strcmp(sections[i].name, judge_rule(i)->name))
                        fail_msg("rule %zu is %s in the code, %s on the page", i, judge_rule(i)->name, sections[i].name);
        }
}

static void the_code_has_every_rule_of_the_page(void **state) {
        size_t n_rules = 0;

        while (judge_rule(n_rules))
                n_rules++;
        for (size_t i = 0; i < n_sections; i++) {
                bool found = false;

                for (size_t k = 0; k < n_rules; k++)
                        found = found || !strcmp(judge_rule(k)->name, sections[i].name);
                if (!found)
                        fail_msg("the code has no rule %s", sections[i].name);
        }
        assert_int_equal(n_sections, n_rules);
}

static void each_rule_means_on_the_page_what_it_means_in_the_code(void **state) {
        for (size_t i = 0; i < n_sections && judge_rule(i); i++) {
                const struct rule_info *rule = judge_rule(i);
                char meaning[LINE_LENGTH];

                snprintf(meaning, sizeof(meaning), "`%s` by `%s`, `%s`, graceful `%s`, `%s`",
                         transition_name(rule->transition), initiator_name(rule->initiator),
                         mechanism_name(rule->mechanism), graceful_name(rule->graceful),
                         confidence_name(rule->confidence));
                if (strcmp(meaning, sections[i].meaning))
                        fail_msg("%s: the code says %s, the page %s", rule->name, meaning, sections[i].meaning);
        }
}

static void each_rule_on_the_page_names_its_proof_and_its_ground(void **state) {
        for (size_t i = 0; i < n_sections; i++)
                if (!sections[i].has_proof || !sections[i].has_ground)
                        fail_msg("%s: \"Proof:\" or \"Rests on:\" is missing", sections[i].name);
}

int main(int argc, char **argv) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_page_has_every_rule_of_the_code_in_its_order),
                cmocka_unit_test(the_code_has_every_rule_of_the_page),
                cmocka_unit_test(each_rule_means_on_the_page_what_it_means_in_the_code),
                cmocka_unit_test(each_rule_on_the_page_names_its_proof_and_its_ground),
        };

        if (argc != 2) {
                fprintf(stderr, "usage: %s docs/verdicts.md\n", argv[0]);
                return 2;
        }
        path = argv[1];
        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests_name("verdicts-page", tests, read_page, NULL);
}
