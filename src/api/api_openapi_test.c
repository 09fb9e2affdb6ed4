/*
 * docs/openapi.yaml and the table of routes say the same, in both directions; and the document's words are those of the code.
 *
 * Reads the few shapes of line that the document has: "  /path:", "    method:", "        - {name: x, in: query, …}", "    Word:" and
 * "enum: […]".
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "api/api_test_world.h"
#include "api/routes.h"
#include "basics/cleanup.h"

static const char *document;

/* Everything that can be asked, a line each: "GET /v1/vms/{name}/evidence ?after ?limit". */
static void add_line(char *text, const char *line) {
        strcat(strcat(text, line), "\n");
}

static bool begins_with(const char *line, const char *beginning) {
        return !strncmp(line, beginning, strlen(beginning));
}

static char *documented(void) {
        cleanup(fclosep) FILE *file = fopen(document, "r");
        char line[1024], path[128] = "", question[512] = "", *text = calloc(1, 16 * 1024);
        bool in_paths = false;

        assert_non_null(file);
        while (fgets(line, sizeof(line), file)) {
                char word[128], where[16];

                if (*line != ' ')
                        in_paths = begins_with(line, "paths:");
                if (!in_paths)
                        continue;
                if (begins_with(line, "  /")) {
                        assert_int_equal(sscanf(line, "  %127[^:\n]:", path), 1);
                } else if (begins_with(line, "    ") && line[4] != ' ') {
                        assert_int_equal(sscanf(line, "    %15[a-z]:", where), 1);
                        if (*question)
                                add_line(text, question);
                        for (char *c = where; *c; c++)
                                *c = (char)(*c - 'a' + 'A');
                        snprintf(question, sizeof(question), "%s %s", where, path);
                } else if (begins_with(line, "        - {name: ")) {
                        assert_int_equal(sscanf(line, "        - {name: %127[^,], in: %15[^,}]", word, where), 2);
                        if (!strcmp(where, "query"))
                                strcat(strcat(question, " ?"), word);
                        else if (!strstr(path, word) || strcmp(where, "path"))
                                fail_msg("%s has no {%s}", path, word);
                }
        }
        add_line(text, question);
        return text;
}

static char *routed(void) {
        char *text = calloc(1, 16 * 1024);
        const struct route *route;

        for (size_t i = 0; (route = api_route(i)); i++) {
                char question[512];

                snprintf(question, sizeof(question), "%s %s", route->method, route->path);
                for (size_t k = 0; k < REQUEST_PARAMETERS_MAX && route->parameters[k]; k++)
                        strcat(strcat(question, " ?"), route->parameters[k]);
                add_line(text, question);
        }
        return text;
}

static void expect_lines_in(const char *lines, const char *all, const char *complaint) {
        cleanup(freep) char *copy = strdup(lines), *whole = NULL;

        assert_true(asprintf(&whole, "\n%s", all) > 0);
        for (char *rest = copy, *line; (line = strsep(&rest, "\n"));) {
                cleanup(freep) char *wanted = NULL;

                assert_true(asprintf(&wanted, "\n%s\n", line) > 0);
                if (*line && !strstr(whole, wanted))
                        fail_msg("%s: %s\nthere is:\n%s", complaint, line, all);
        }
}

static void every_route_is_documented(void **state) {
        cleanup(freep) char *code = routed(), *page = documented();

        expect_lines_in(code, page, "not in the document");
}

static void everything_that_is_documented_is_a_route(void **state) {
        cleanup(freep) char *code = routed(), *page = documented();

        expect_lines_in(page, code, "not in the code");
}

/* The list of words that follows the name. */
static char *documented_words(const char *name) {
        cleanup(fclosep) FILE *file = fopen(document, "r");
        char line[1024], wanted[64];
        bool is_near = false;

        assert_non_null(file);
        snprintf(wanted, sizeof(wanted), "    %s:\n", name);
        while (fgets(line, sizeof(line), file)) {
                char *words = strstr(line, "enum: [");

                is_near = is_near || !strcmp(line, wanted);
                if (is_near && words) {
                        *strchr(words, ']') = '\0';
                        return strdup(words + strlen("enum: ["));
                }
        }
        fail_msg("%s has no words in %s", name, document);
        return NULL;
}

static void the_documents_words_are_those_of_the_code(void **state) {
        cleanup(freep) char *transitions = documented_words("Transition"), *initiators = documented_words("Initiator");
        char words[512] = "";

        for (enum transition i = 0; i < _TRANSITION_N; i++)
                strcat(strcat(words, i ? ", " : ""), transition_name(i));
        assert_string_equal(transitions, words);
        *words = '\0';
        for (enum initiator i = 0; i < _INITIATOR_N; i++)
                strcat(strcat(words, i ? ", " : ""), initiator_name(i));
        assert_string_equal(initiators, words);
}

/* The keys under "NAME: properties:" of the document, each followed by a blank. */
static void collect_keys(const char *name, char *ret_keys, size_t n_ret) {
        cleanup(fclosep) FILE *file = fopen(document, "r");
        char line[1024], wanted[64], key[64];
        bool is_here = false;

        assert_non_null(file);
        snprintf(wanted, sizeof(wanted), "    %s:\n", name);
        *ret_keys = '\0';
        while (fgets(line, sizeof(line), file)) {
                if (begins_with(line, "    ") && line[4] != ' ')
                        is_here = !strcmp(line, wanted);
                if (is_here && begins_with(line, "        ") && line[8] != ' ' && line[8] != '-' &&
                    sscanf(line, "        %63[a-z_]:", key) == 1)
                        snprintf(ret_keys + strlen(ret_keys), n_ret - strlen(ret_keys), "%s ", key);
        }
}

static void expect_keys(const char *name, json_t *json) {
        char documented_keys[1024], keys[1024] = "";
        const char *key;
        json_t *value;

        collect_keys(name, documented_keys, sizeof(documented_keys));
        json_object_foreach(json, key, value)
                strcat(strcat(keys, key), " ");
        assert_string_equal(documented_keys, keys);
}

static void the_documents_forms_are_those_of_the_answers(void **state) {
        struct world *world = *state;
        json_t *json;

        if (!world_is_root())
                skip();
        verdict_record_deinit(&(struct verdict_record[]){ world_tell(world, &world->vms[2], 0) }[0]);
        assert_int_equal(world_ask(world, 0, "GET /v1/health"), 200);
        expect_keys("Health", world_json(world));
        expect_keys("Store", json_object_get(world_json(world), "store"));
        assert_int_equal(world_ask(world, 0, "GET /v1/vms"), 200);
        json = json_array_get(json_object_get(world_json(world), "vms"), 0);
        expect_keys("Vm", json);
        assert_int_equal(world_ask(world, 0, "GET /v1/vms/db-1/verdict"), 200);
        json = world_json(world);
        expect_keys("Verdict", json);
        expect_keys("Actor", json_object_get(json, "actor"));
        json = json_array_get(json_object_get(json, "evidence"), 0);
        expect_keys("Evidence", json);
}

int main(int argc, char **argv) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_route_is_documented),
                cmocka_unit_test(everything_that_is_documented_is_a_route),
                cmocka_unit_test(the_documents_words_are_those_of_the_code),
                cmocka_unit_test_setup_teardown(the_documents_forms_are_those_of_the_answers, world_begin, world_end),
        };

        document = argv[1];
        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
