#include "json/evidence_json.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "basics/cleanup.h"
#include "core/evidence.h"
#include "json/actor_json.h"

static struct actor make_actor(void) {
        return (struct actor){
                .pid = 4711,
                .tid = 4712,
                .session = 4699,
                .uid = 1000,
                .user = "ann",
                .login_user = "ann",
                .login_from = "10.0.0.5:50022",
                .comm = "kill",
                .exe = "/usr/bin/kill",
                .cmdline = "kill -9 1234",
                .cgroup = "/user.slice",
                .parents = { { 4700, "bash" }, { 1, "systemd" } },
                .n_parents = 2,
                .client = { 4720, 1000, "ann", "virsh", "virsh destroy web1" },
                .via = "SIGKILL",
                .confidence = CONFIDENCE_LIKELY,
        };
}

static const char actor_text[] = "{\"pid\":4711,\"tid\":4712,\"session\":4699,\"uid\":1000,\"user\":\"ann\",\"login_user\":\"ann\",\"login_from\":\"10.0.0.5:50022\",\"comm\":\"kill\","
                                 "\"exe\":\"/usr/bin/kill\",\"cmdline\":\"kill -9 1234\",\"cgroup\":\"/user.slice\","
                                 "\"parents\":[{\"pid\":4700,\"comm\":\"bash\"},{\"pid\":1,\"comm\":\"systemd\"}],"
                                 "\"client\":{\"pid\":4720,\"uid\":1000,\"user\":\"ann\",\"comm\":\"virsh\",\"cmdline\":\"virsh destroy web1\"},"
                                 "\"via\":\"SIGKILL\",\"confidence\":\"likely\"}";

static void assert_dumps(const json_t *json, const char *text) {
        cleanup(freep) char *dump = json_dumps(json, JSON_COMPACT);

        assert_string_equal(dump, text);
}

/* All of it but the padding at its end. */
static void assert_same_actor(const struct actor *a, const struct actor *b) {
        assert_memory_equal(a, b, offsetof(struct actor, confidence));
        assert_int_equal(a->confidence, b->confidence);
}

static void an_actor_is_told_whole_and_read_back_the_same(void **state) {
        cleanup(json_decrefp) json_t *json = NULL;
        const struct actor actor = make_actor();
        struct actor back;

        assert_int_equal(actor_to_json(&actor, &json), 0);
        assert_dumps(json, actor_text);
        assert_int_equal(actor_from_json(json, &back), 0);
        assert_same_actor(&actor, &back);
}

static void what_is_not_known_of_an_actor_is_null(void **state) {
        cleanup(json_decrefp) json_t *json = NULL;
        const struct actor actor = { .uid = -1, .confidence = CONFIDENCE_GUESS };
        struct actor back;

        assert_int_equal(actor_to_json(&actor, &json), 0);
        assert_dumps(json, "{\"pid\":null,\"uid\":null,\"user\":null,\"login_user\":null,\"comm\":null,\"exe\":null,"
                           "\"cmdline\":null,\"cgroup\":null,\"parents\":[],\"via\":null,\"confidence\":\"guess\"}");
        assert_int_equal(actor_from_json(json, &back), 0);
        assert_same_actor(&actor, &back);
}

/* What was written before those keys were there. */
static void what_came_later_may_be_missing(void **state) {
        static const char *const keys[] = { "tid", "session", "login_from", "client" };
        cleanup(json_decrefp) json_t *json = NULL;
        struct actor actor = make_actor(), back;

        assert_int_equal(actor_to_json(&actor, &json), 0);
        for (size_t i = 0; i < N_ELEMENTS(keys); i++)
                assert_int_equal(json_object_del(json, keys[i]), 0);
        actor.tid = actor.session = 0;
        memset(actor.login_from, 0, sizeof(actor.login_from));
        actor.client = (struct actor_client){ 0 };
        assert_int_equal(actor_from_json(json, &back), 0);
        assert_same_actor(&actor, &back);
}

static void a_client_without_a_pid_is_none(void **state) {
        cleanup(json_decrefp) json_t *json = json_loads("{\"client\": {\"comm\": \"virsh\"}}", 0, NULL);
        struct actor back;

        assert_int_equal(actor_from_json(json, &back), 0);
        assert_same_actor(&(struct actor){ .uid = -1, .confidence = CONFIDENCE_GUESS }, &back);
        json_object_set_new(json, "client", json_integer(3));
        assert_int_equal(actor_from_json(json, &back), -EINVAL);
}

static void bytes_that_are_no_utf8_do_not_keep_an_actor_from_being_told(void **state) {
        cleanup(json_decrefp) json_t *json = NULL;
        const struct actor actor = { .uid = 0, .comm = "a\xff" "b" };

        assert_int_equal(actor_to_json(&actor, &json), 0);
        assert_string_equal(json_string_value(json_object_get(json, "comm")), "a?b");
}

static void fill(struct evidence *evidence) {
        const struct evidence_kind_info *info = evidence_kind_info(evidence->kind);
        const struct actor actor = make_actor();

        if (info->flag)
                evidence->flag = TRISTATE_TRUE;
        if (info->number)
                evidence->number = INT64_MIN;
        if (info->word)
                evidence_set_word(evidence, "a word");
        if (info->text)
                evidence_set_text(evidence, "a text, \"quoted\"", 16);
        if (info->actor)
                assert_int_equal(evidence_set_actor(evidence, &actor), 0);
}

static void every_kind_of_evidence_is_read_back_the_same(void **state) {
        for (enum evidence_kind kind = 0; kind < _EVIDENCE_KIND_N; kind++) {
                cleanup(evidence_deinit) struct evidence told = evidence_make(SOURCE_TRACE, kind);
                cleanup(evidence_deinit) struct evidence read = evidence_make(SOURCE_TRACE, kind);
                cleanup(json_decrefp) json_t *data = NULL;

                fill(&told);
                assert_int_equal(evidence_data_to_json(&told, &data), 0);
                assert_int_equal(evidence_data_from_json(data, &read), 0);
                assert_true(evidence_is_same(&told, &read));
                assert_int_equal(!told.actor, !read.actor);
                if (told.actor)
                        assert_same_actor(told.actor, read.actor);
        }
}

static void a_fact_has_exactly_the_members_of_its_kind(void **state) {
        cleanup(json_decrefp) json_t *json = NULL, *empty = NULL;
        struct evidence evidence = evidence_make(SOURCE_QMP, EVIDENCE_SHUTDOWN);
        const struct evidence stop = evidence_make(SOURCE_QMP, EVIDENCE_STOP);

        evidence.id = 7;
        evidence.time_ns = 1500000000;
        evidence_set_word(&evidence, "guest-shutdown");
        evidence_set_text(&evidence, "not a member of this kind", 25);
        assert_int_equal(evidence_to_json(&evidence, true, &json), 0);
        assert_dumps(json,
                     "{\"id\":7,\"time\":\"1970-01-01T00:00:01.500000000Z\",\"source\":\"qmp\",\"kind\":\"shutdown\","
                     "\"proof\":true,\"data\":{\"guest\":null,\"reason\":\"guest-shutdown\"}}");
        assert_int_equal(evidence_data_to_json(&stop, &empty), 0);
        assert_dumps(empty, "{}");
}

static void data_of_the_wrong_type_is_refused_and_changes_nothing(void **state) {
        static const struct {
                enum evidence_kind kind;
                const char *data;
        } cases[] = {
                { EVIDENCE_SHUTDOWN, "[]" },
                { EVIDENCE_SHUTDOWN, "{\"guest\": \"true\"}" },
                { EVIDENCE_SHUTDOWN, "{\"reason\": 1}" },
                { EVIDENCE_EXITED, "{\"exit_status\": \"0\"}" },
                { EVIDENCE_EXITED, "{\"exit_status\": 1.5}" },
                { EVIDENCE_LINE, "{\"text\": []}" },
                { EVIDENCE_REQUEST, "{\"actor\": \"root\"}" },
                { EVIDENCE_REQUEST, "{\"actor\": {\"pid\": -1}}" },
                { EVIDENCE_REQUEST, "{\"actor\": {\"uid\": 4294967296}}" },
                { EVIDENCE_REQUEST, "{\"actor\": {\"parents\": {}}}" },
                { EVIDENCE_REQUEST, "{\"actor\": {\"parents\": [1]}}" },
                { EVIDENCE_REQUEST, "{\"actor\": {\"confidence\": \"sure\"}}" },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                cleanup(json_decrefp) json_t *data = json_loads(cases[i].data, 0, NULL);
                cleanup(evidence_deinit) struct evidence evidence = evidence_make(SOURCE_QMP, cases[i].kind);

                evidence_set_word(&evidence, "as it was");
                assert_non_null(data);
                assert_int_equal(evidence_data_from_json(data, &evidence), -EINVAL);
                assert_string_equal(evidence.word, "as it was");
                assert_null(evidence.actor);
        }
}

static void endless_data_is_cut_at_its_bounds(void **state) {
        cleanup(evidence_deinit) struct evidence evidence = evidence_make(SOURCE_VMPOWER, EVIDENCE_REQUEST);
        cleanup(json_decrefp) json_t *data = NULL;
        json_t *parents = json_array();
        char endless[5000];

        memset(endless, 'x', sizeof(endless) - 1);
        endless[sizeof(endless) - 1] = '\0';
        for (size_t i = 0; i < 100; i++)
                json_array_append_new(parents, json_pack("{s:i, s:s}", "pid", 1, "comm", endless));
        data = json_pack("{s:s, s:{s:s, s:o}, s:s}", "command", endless, "actor", "cmdline", endless, "parents",
                         parents, "unknown", endless);
        assert_non_null(data);

        assert_int_equal(evidence_data_from_json(data, &evidence), 0);
        assert_int_equal(strlen(evidence.word), EVIDENCE_WORD_MAX - 1);
        assert_int_equal(strlen(evidence.actor->cmdline), sizeof(evidence.actor->cmdline) - 1);
        assert_int_equal(evidence.actor->n_parents, ACTOR_PARENTS_MAX);
}

static void missing_data_is_empty(void **state) {
        cleanup(evidence_deinit) struct evidence evidence = evidence_make(SOURCE_QMP, EVIDENCE_RESET);
        cleanup(json_decrefp) json_t *data = json_object();

        fill(&evidence);
        assert_int_equal(evidence_data_from_json(data, &evidence), 0);
        assert_int_equal(evidence.flag, TRISTATE_NULL);
        assert_int_equal(evidence.number, 0);
        assert_string_equal(evidence.word, "");
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_actor_is_told_whole_and_read_back_the_same),
                cmocka_unit_test(what_is_not_known_of_an_actor_is_null),
                cmocka_unit_test(what_came_later_may_be_missing),
                cmocka_unit_test(a_client_without_a_pid_is_none),
                cmocka_unit_test(bytes_that_are_no_utf8_do_not_keep_an_actor_from_being_told),
                cmocka_unit_test(every_kind_of_evidence_is_read_back_the_same),
                cmocka_unit_test(a_fact_has_exactly_the_members_of_its_kind),
                cmocka_unit_test(data_of_the_wrong_type_is_refused_and_changes_nothing),
                cmocka_unit_test(endless_data_is_cut_at_its_bounds),
                cmocka_unit_test(missing_data_is_empty),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
