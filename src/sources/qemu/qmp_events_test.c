#include "sources/qemu/qmp_events.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static json_t *parse(const char *text) {
        json_t *value = text ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;

        assert_true(value || !text);
        return value;
}

static bool read_event(struct evidence *ret_evidence, const char *name, const char *data) {
        json_t *value = parse(data);
        bool is_fact;

        memset(ret_evidence, 0xa5, sizeof(*ret_evidence));
        is_fact = qmp_evidence_from_event(ret_evidence, name, value);
        json_decref(value);
        return is_fact;
}

static void every_event_that_tells_how_a_vm_fares_is_a_fact(void **state) {
        static const struct {
                const char *name;
                const char *data;
                enum evidence_kind kind;
                enum tristate flag;
                const char *word;
                const char *text;
        } cases[] = {
                { "SHUTDOWN", "{\"guest\": true, \"reason\": \"guest-shutdown\"}", EVIDENCE_SHUTDOWN,
                  TRISTATE_TRUE, "guest-shutdown", "" },
                { "SHUTDOWN", "{\"guest\": false, \"reason\": \"host-qmp-quit\"}", EVIDENCE_SHUTDOWN,
                  TRISTATE_FALSE, "host-qmp-quit", "" },
                { "RESET", "{\"guest\": true, \"reason\": \"guest-reset\"}", EVIDENCE_RESET, TRISTATE_TRUE,
                  "guest-reset", "" },
                { "POWERDOWN", NULL, EVIDENCE_POWERDOWN, TRISTATE_NULL, "", "" },
                { "STOP", NULL, EVIDENCE_STOP, TRISTATE_NULL, "", "" },
                { "RESUME", NULL, EVIDENCE_RESUME, TRISTATE_NULL, "", "" },
                { "SUSPEND", NULL, EVIDENCE_SUSPEND, TRISTATE_NULL, "", "" },
                { "SUSPEND_DISK", NULL, EVIDENCE_SUSPEND_DISK, TRISTATE_NULL, "", "" },
                { "WAKEUP", NULL, EVIDENCE_WAKEUP, TRISTATE_NULL, "", "" },
                { "WATCHDOG", "{\"action\": \"poweroff\"}", EVIDENCE_WATCHDOG, TRISTATE_NULL, "poweroff",
                  "" },
                { "GUEST_PANICKED", "{\"action\": \"pause\", \"info\": {\"type\": \"hyper-v\"}}",
                  EVIDENCE_GUEST_PANICKED, TRISTATE_NULL, "pause", "" },
                { "GUEST_CRASHLOADED", "{\"action\": \"run\"}", EVIDENCE_GUEST_CRASHLOADED, TRISTATE_NULL,
                  "run", "" },
                { "GUEST_PVSHUTDOWN", NULL, EVIDENCE_GUEST_PVSHUTDOWN, TRISTATE_NULL, "", "" },
                { "BLOCK_IO_ERROR",
                  "{\"device\": \"ide0-hd0\", \"node-name\": \"#block1\", \"action\": \"stop\"}",
                  EVIDENCE_BLOCK_IO_ERROR, TRISTATE_NULL, "stop", "ide0-hd0" },
                { "BLOCK_IO_ERROR", "{\"device\": \"\", \"node-name\": \"disk0\", \"action\": \"report\"}",
                  EVIDENCE_BLOCK_IO_ERROR, TRISTATE_NULL, "report", "disk0" },
                { "BLOCK_IO_ERROR", "{\"qom-path\": \"/machine/peripheral/d\", \"action\": \"ignore\"}",
                  EVIDENCE_BLOCK_IO_ERROR, TRISTATE_NULL, "ignore", "/machine/peripheral/d" },
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct evidence evidence;

                assert_true(read_event(&evidence, cases[i].name, cases[i].data));
                assert_int_equal(evidence.source, SOURCE_QMP);
                assert_int_equal(evidence.kind, cases[i].kind);
                assert_int_equal(evidence.flag, cases[i].flag);
                assert_string_equal(evidence.word, cases[i].word);
                assert_string_equal(evidence.text, cases[i].text);
                assert_int_equal(evidence.number, 0);
                assert_int_equal(evidence.at_ns, 0);
                assert_null(evidence.actor);
        }
}

static void other_events_are_no_facts(void **state) {
        static const char *const names[] = { "",         "VNC_CONNECTED", "RTC_CHANGE",
                                             "shutdown", "SHUTDOWN_",     "JOB_STATUS_CHANGE" };
        struct evidence evidence;

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                assert_false(read_event(&evidence, names[i], "{\"guest\": true}"));
}

static void members_that_are_missing_or_of_another_type_stay_empty(void **state) {
        static const char *const datas[] = {
                NULL,
                "{}",
                "[]",
                "\"guest\"",
                "7",
                "null",
                "{\"guest\": 1, \"reason\": 2}",
                "{\"guest\": \"true\", \"reason\": null}",
                "{\"guest\": {}, \"reason\": [\"guest-shutdown\"]}",
        };
        struct evidence evidence;

        for (size_t i = 0; i < sizeof(datas) / sizeof(datas[0]); i++) {
                assert_true(read_event(&evidence, "SHUTDOWN", datas[i]));
                assert_int_equal(evidence.flag, TRISTATE_NULL);
                assert_string_equal(evidence.word, "");
                assert_true(read_event(&evidence, "BLOCK_IO_ERROR", datas[i]));
                assert_string_equal(evidence.word, "");
                assert_string_equal(evidence.text, "");
        }
}

static bool read_mechanism(struct evidence *ret_evidence, const char *mechanism) {
        json_t *data = json_pack("{s:b, s:o}", "guest", 1, "mechanism", json_loads(mechanism, JSON_DECODE_ANY, NULL));
        bool is_one;

        assert_non_null(data);
        is_one = qmp_evidence_from_mechanism(ret_evidence, data);
        json_decref(data);
        return is_one;
}

static void our_own_monitor_says_by_which_write_or_fault(void **state) {
        struct evidence evidence;

        assert_true(read_mechanism(&evidence, "{\"name\": \"acpi-s5\", \"port\": 1540, \"value\": 8193, \"vcpu\": 0}"));
        assert_int_equal(evidence.kind, EVIDENCE_PORT_WRITE);
        assert_string_equal(evidence.word, "0x604");
        assert_int_equal(evidence.number, 8193);
        assert_int_equal(evidence.flag, TRISTATE_TRUE);
        assert_true(read_mechanism(&evidence, "{\"name\": \"triple-fault\", \"deliberate\": true}"));
        assert_int_equal(evidence.kind, EVIDENCE_KVM_EXIT);
        assert_string_equal(evidence.word, "shutdown");
        assert_int_equal(evidence.number, 0);
        assert_true(read_mechanism(&evidence, "{\"name\": \"triple-fault\", \"deliberate\": false, \"idt-limit\": 4095}"));
        assert_int_equal(evidence.number, 4095);
        assert_true(read_mechanism(&evidence, "{\"name\": \"triple-fault\", \"idt-limit\": 65536}"));
        assert_int_equal(evidence.number, 0);
        assert_true(read_event(&evidence, "HALTED", "{\"vcpus\": 3}"));
        assert_int_equal(evidence.kind, EVIDENCE_REGISTERS);
        assert_int_equal(evidence.flag, TRISTATE_TRUE);
        assert_int_equal(evidence.number, 3);
        assert_true(read_event(&evidence, "HALTED", "{\"vcpus\": -3}"));
        assert_int_equal(evidence.number, 1);
}

static void a_mechanism_that_makes_no_sense_is_none(void **state) {
        static const char *const mechanisms[] = {
                "{}", "[]", "7", "\"triple-fault\"", "{\"name\": 5}", "{\"name\": \"acpi-s5\"}", "{\"port\": 65536, \"value\": 1}",
                "{\"port\": -1, \"value\": 1}", "{\"port\": 100, \"value\": -1}", "{\"port\": 100, \"value\": 4294967296}", "{\"port\": \"0x64\"}",
        };
        struct evidence evidence;

        for (size_t i = 0; i < sizeof(mechanisms) / sizeof(mechanisms[0]); i++)
                assert_false(read_mechanism(&evidence, mechanisms[i]));
        assert_false(qmp_evidence_from_mechanism(&evidence, NULL));
}

static void a_long_word_is_cut_and_a_wild_one_tamed(void **state) {
        struct evidence evidence;
        json_t *data;
        char reason[300];

        memset(reason, 'x', sizeof(reason));
        reason[0] = '\n';
        reason[sizeof(reason) - 1] = '\0';
        data = json_pack("{s:b, s:s}", "guest", 1, "reason", reason);
        assert_true(qmp_evidence_from_event(&evidence, "SHUTDOWN", data));
        assert_int_equal(strlen(evidence.word), EVIDENCE_WORD_MAX - 1);
        assert_int_equal(evidence.word[0], '?');
        json_decref(data);
}

static void a_status_is_told_in_qmps_own_word(void **state) {
        struct evidence evidence;
        json_t *value = parse("{\"status\": \"guest-panicked\", \"singlestep\": false, \"running\": false}");

        assert_true(qmp_evidence_from_status(&evidence, value));
        assert_int_equal(evidence.kind, EVIDENCE_STATUS);
        assert_string_equal(evidence.word, "guest-panicked");
        json_decref(value);
        assert_false(qmp_evidence_from_status(&evidence, NULL));
        value = parse("{\"status\": 5}");
        assert_false(qmp_evidence_from_status(&evidence, value));
        json_decref(value);
}

static void a_machine_is_told_without_the_suffix_of_its_type(void **state) {
        static const char *const others[] = {
                "\"-machine\"", "\"pc\"", "\"\"", "5", "{}", "\"pc-machine-x\""
        };
        struct evidence evidence;
        json_t *value = parse("\"pc-i440fx-7.2-machine\"");

        assert_true(qmp_evidence_from_machine(&evidence, value));
        assert_int_equal(evidence.kind, EVIDENCE_MACHINE);
        assert_string_equal(evidence.word, "pc-i440fx-7.2");
        json_decref(value);
        assert_false(qmp_evidence_from_machine(&evidence, NULL));
        for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
                value = parse(others[i]);
                assert_false(qmp_evidence_from_machine(&evidence, value));
                json_decref(value);
        }
}

static void only_devices_that_change_an_end_are_told_and_each_once(void **state) {
        struct evidence evidence[QMP_DEVICES_MAX];
        /* As QEMU 7.2 lists /machine/peripheral-anon. */
        json_t *value = parse(
                "[{\"name\": \"type\", \"type\": \"string\"},"
                " {\"name\": \"device[0]\", \"type\": \"child<isa-debug-exit>\"},"
                " {\"name\": \"device[1]\", \"type\": \"child<e1000>\"},"
                " {\"name\": \"device[2]\", \"type\": \"child<isa-debug-exit>\"},"
                " {\"name\": \"x\", \"type\": \"link<pvpanic>\"}, {\"type\": 5}, 7, null,"
                " {\"name\": \"x\", \"type\": \"child<ib700\"}, {\"name\": \"x\", \"type\": \"child<>\"},"
                " {\"name\": \"device[3]\", \"type\": \"child<pvpanic-pci>\"}]");

        assert_int_equal(qmp_evidence_from_devices(evidence, value), 2);
        assert_int_equal(evidence[0].kind, EVIDENCE_DEVICE);
        assert_string_equal(evidence[0].word, "isa-debug-exit");
        assert_string_equal(evidence[1].word, "pvpanic-pci");
        json_decref(value);
        assert_int_equal(qmp_evidence_from_devices(evidence, NULL), 0);
        value = parse("{\"type\": \"child<pvpanic>\"}");
        assert_int_equal(qmp_evidence_from_devices(evidence, value), 0);
        json_decref(value);
}

static void the_threads_of_vcpus_are_counted_and_bounded(void **state) {
        pid_t threads[QMP_VCPUS_MAX];
        json_t *value =
                parse("[{\"cpu-index\": 0, \"thread-id\": 6142}, {\"cpu-index\": 1, \"thread-id\": 6143},"
                      " {\"thread-id\": -4}, {\"thread-id\": 4294967296}, {\"thread-id\": \"9\"}, 5, {}]");

        assert_int_equal(qmp_vcpu_threads(threads, value), 2);
        assert_int_equal(threads[0], 6142);
        assert_int_equal(threads[1], 6143);
        json_decref(value);

        value = json_array();
        for (size_t i = 0; i < 2 * QMP_VCPUS_MAX; i++)
                json_array_append_new(value, json_pack("{s:i}", "thread-id", 1 + (int)i));
        assert_int_equal(qmp_vcpu_threads(threads, value), QMP_VCPUS_MAX);
        json_decref(value);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_event_that_tells_how_a_vm_fares_is_a_fact),
                cmocka_unit_test(other_events_are_no_facts),
                cmocka_unit_test(members_that_are_missing_or_of_another_type_stay_empty),
                cmocka_unit_test(a_long_word_is_cut_and_a_wild_one_tamed),
                cmocka_unit_test(a_status_is_told_in_qmps_own_word),
                cmocka_unit_test(a_machine_is_told_without_the_suffix_of_its_type),
                cmocka_unit_test(only_devices_that_change_an_end_are_told_and_each_once),
                cmocka_unit_test(the_threads_of_vcpus_are_counted_and_bounded),
                cmocka_unit_test(our_own_monitor_says_by_which_write_or_fault),
                cmocka_unit_test(a_mechanism_that_makes_no_sense_is_none),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
