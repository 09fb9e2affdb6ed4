#include "json/verdict_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "basics/cleanup.h"
#include "core/evidence.h"

/* The design's example, to the letter. */
static const char example_text[] =
        "{\n"
        "  \"schema\": \"vmpower.verdict/1\",\n"
        "  \"id\": \"01JDB6Q4M0X8AAAAAAAAAAAAAA\",\n"
        "  \"vm\": {\"name\": \"web-1\", \"uuid\": null, \"backend\": \"qemu\", \"instance\": \"BOOTID:PID:STARTTIME\"},\n"
        "  \"time\": \"2026-11-23T03:12:07.201934512Z\",\n"
        "  \"transition\": \"poweroff\",\n"
        "  \"initiator\": \"guest\",\n"
        "  \"mechanism\": \"acpi-s5\",\n"
        "  \"graceful\": true,\n"
        "  \"left\": \"gone\",\n"
        "  \"count\": 1,\n"
        "  \"actor\": null,\n"
        "  \"confidence\": \"certain\",\n"
        "  \"rule\": \"guest-poweroff\",\n"
        "  \"summary\": \"web-1 was powered off by its own guest (ACPI soft off); nobody on the host had asked it to.\",\n"
        "  \"evidence\": [{\"id\": 7, \"time\": \"2026-11-23T03:12:07.201934512Z\", \"source\": \"qmp\", \"kind\": "
        "\"shutdown\", \"proof\": true, \"data\": {\"guest\": true, \"reason\": \"guest-shutdown\"}}],\n"
        "  \"decision\": {\"policy\": \"on_poweroff\", \"action\": \"destroy\", \"result\": \"done\"},\n"
        "  \"revises\": null\n"
        "}\n";

static struct evidence example_item = {
        .id = 7,
        .source = SOURCE_QMP,
        .kind = EVIDENCE_SHUTDOWN,
        .time_ns = UINT64_C(1795403527201934512),
        .flag = TRISTATE_TRUE,
        .word = "guest-shutdown",
};

static struct verdict_record make_example(void) {
        return (struct verdict_record){
                .id = "01JDB6Q4M0X8AAAAAAAAAAAAAA",
                .vm = { .name = "web-1", .backend = "qemu", .instance = "BOOTID:PID:STARTTIME" },
                .verdict = {
                        .time_ns = UINT64_C(1795403527201934512),
                        .transition = TRANSITION_POWEROFF,
                        .initiator = INITIATOR_GUEST,
                        .mechanism = MECHANISM_ACPI_S5,
                        .graceful = TRISTATE_TRUE,
                        .left = LEFT_GONE,
                        .count = 1,
                        .confidence = CONFIDENCE_CERTAIN,
                        .proof = { 0 },
                        .n_proof = 1,
                },
                .rule = "guest-poweroff",
                .summary = "web-1 was powered off by its own guest (ACPI soft off); nobody on the host had asked it to.",
                .items = &example_item,
                .n_items = 1,
                .episode = 7,
                .decision = { .exists = true, .event = ON_POWEROFF, .action = ACTION_DESTROY, .result = RESULT_DONE },
        };
}

static void the_example_of_the_design_is_written_to_the_letter(void **state) {
        cleanup(json_decrefp) json_t *json = NULL, *example = json_loads(example_text, 0, NULL);
        const struct verdict_record record = make_example();
        cleanup(freep) char *told = NULL, *wanted = NULL;

        assert_non_null(example);
        assert_int_equal(verdict_record_to_json(&record, &json), 0);
        told = json_dumps(json, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
        wanted = json_dumps(example, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
        assert_string_equal(told, wanted);
}

static void what_is_not_known_or_not_there_is_null(void **state) {
        cleanup(json_decrefp) json_t *json = NULL;
        struct verdict_record record = make_example();

        record.verdict.graceful = TRISTATE_NULL;
        record.decision.exists = false;
        assert_int_equal(verdict_record_to_json(&record, &json), 0);
        assert_true(json_is_null(json_object_get(json, "graceful")));
        assert_true(json_is_null(json_object_get(json, "decision")));
        assert_true(json_is_null(json_object_get(json, "actor")));
        assert_true(json_is_null(json_object_get(json, "revises")));
}

static void what_is_known_is_told(void **state) {
        cleanup(json_decrefp) json_t *json = NULL;
        struct verdict_record record = make_example();
        struct actor actor = { .pid = 3, .uid = -1, .via = "qmp" };

        strcpy(record.vm.uuid, "9f0c4f4e-0000-4000-8000-000000000001");
        strcpy(record.revises, "01JDB6Q4M0X8BBBBBBBBBBBBBB");
        record.verdict.graceful = TRISTATE_FALSE;
        record.verdict.n_proof = 0;
        record.verdict.count = UINT64_MAX;
        record.actor = &actor;
        assert_int_equal(verdict_record_to_json(&record, &json), 0);
        assert_string_equal(json_string_value(json_object_get(json_object_get(json, "vm"), "uuid")), record.vm.uuid);
        assert_string_equal(json_string_value(json_object_get(json, "revises")), record.revises);
        assert_true(json_is_false(json_object_get(json, "graceful")));
        assert_int_equal(json_integer_value(json_object_get(json, "count")), INT64_MAX);
        assert_string_equal(json_string_value(json_object_get(json_object_get(json, "actor"), "via")), "qmp");
        assert_true(json_is_false(json_object_get(json_array_get(json_object_get(json, "evidence"), 0), "proof")));
}

static void what_is_written_is_read_back(void **state) {
        cleanup(json_decrefp) json_t *json = json_loads(example_text, 0, NULL), *again = NULL;
        struct verdict_record record;

        assert_int_equal(verdict_record_from_json(json, &record), 0);
        assert_int_equal(record.verdict.n_proof, 1);
        assert_int_equal(record.items[0].id, 7);
        assert_int_equal(verdict_record_to_json(&record, &again), 0);
        assert_true(json_equal(json, again));
        verdict_record_deinit(&record);
}

/* Every part of the form, replaced by what it is not. */
static void what_is_no_verdict_is_refused(void **state) {
        static const char *const keys[] = { "schema", "id",       "vm",      "time",     "transition", "initiator", "mechanism", "graceful",
                                            "left",   "count",    "actor",   "evidence", "confidence", "rule",      "summary",   "decision",
                                            "revises" };
        static const char *const wrong[] = { "[1]", "{\"x\": {}}", "-5", "1e300" };
        struct verdict_record record;
        json_error_t error;

        for (size_t i = 0; i < N_ELEMENTS(keys); i++)
                for (size_t k = 0; k < N_ELEMENTS(wrong); k++) {
                        cleanup(json_decrefp) json_t *json = json_loads(example_text, 0, NULL);

                        /* An actor or a VM of unknown keys is one of which nothing is known. */
                        json_object_set_new(json, keys[i], json_loads(wrong[k], JSON_DECODE_ANY, &error));
                        if ((!strcmp(keys[i], "actor") || !strcmp(keys[i], "vm")) && *wrong[k] == '{')
                                continue;
                        if (!verdict_record_from_json(json, &record))
                                fail_msg("%s: %s", keys[i], wrong[k]);
                }
        assert_true(verdict_record_from_json(NULL, &record) < 0);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_example_of_the_design_is_written_to_the_letter),
                cmocka_unit_test(what_is_not_known_or_not_there_is_null),
                cmocka_unit_test(what_is_known_is_told),
                cmocka_unit_test(what_is_written_is_read_back),
                cmocka_unit_test(what_is_no_verdict_is_refused),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
