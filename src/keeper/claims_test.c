/* What one who is not root may say on the wire, and how much of it is believed. */
#include "keeper/claims.h"
#include "core/evidence.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static bool may_say(enum evidence_source source, enum evidence_kind kind) {
        const struct evidence evidence = evidence_make(source, kind);

        return claim_is_plausible(&evidence);
}

static void what_a_users_run_tells_is_heard(void **state) {
        assert_true(may_say(SOURCE_QMP, EVIDENCE_SHUTDOWN));
        assert_true(may_say(SOURCE_QMP, EVIDENCE_MONITOR_OPENED));
        assert_true(may_say(SOURCE_QMP, EVIDENCE_KVM_EXIT));
        assert_true(may_say(SOURCE_STDERR, EVIDENCE_SIGNAL));
        assert_true(may_say(SOURCE_STDERR, EVIDENCE_MESSAGE));
        assert_true(may_say(SOURCE_PROCESS, EVIDENCE_KILLED));
        assert_true(may_say(SOURCE_PROCESS, EVIDENCE_MONITOR_CLIENT));
        assert_true(may_say(SOURCE_CONSOLE, EVIDENCE_LINE));
        assert_true(may_say(SOURCE_CONSOLE, EVIDENCE_OMITTED));
}

static void nobody_says_in_a_users_name_what_vmpower_the_kernel_the_host_or_xen_says(void **state) {
        static const enum evidence_kind kinds[] = {
                EVIDENCE_GOING_DOWN,    EVIDENCE_STAYS_UP,     EVIDENCE_HOST_RESTARTED,      EVIDENCE_REQUEST,
                EVIDENCE_STORED_LATE,   EVIDENCE_REFUSED,      EVIDENCE_DOMAIN_SHUTDOWN,     EVIDENCE_DOMAIN_GONE,
                EVIDENCE_CONTROL_REQUEST, EVIDENCE_HYPERCALL,  EVIDENCE_DEVICE_MODEL_KILLED, EVIDENCE_GAP,
                EVIDENCE_ANSWERED_LATE,
        };

        for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
                for (int source = 0; source < _SOURCE_N; source++)
                        assert_false(may_say((enum evidence_source)source, kinds[i]));
        /* Nor one of his sources what another sees. */
        assert_false(may_say(SOURCE_QMP, EVIDENCE_SIGNAL));
        assert_false(may_say(SOURCE_QMP, EVIDENCE_OOM_KILL));
        assert_false(may_say(SOURCE_STDERR, EVIDENCE_MONITOR_CLIENT));
        for (int kind = 0; kind < _EVIDENCE_KIND_N; kind++) {
                assert_false(may_say(SOURCE_TRACE, (enum evidence_kind)kind));
                assert_false(may_say(SOURCE_HOST, (enum evidence_kind)kind));
                assert_false(may_say(SOURCE_VMPOWER, (enum evidence_kind)kind));
                assert_false(may_say(SOURCE_XEN, (enum evidence_kind)kind));
        }
}

/* Of what each source of his tells; and any, that it left some out. */
static void each_of_his_sources_says_what_it_sees_and_no_other_does(void **state) {
        static const struct {
                enum evidence_source source;
                enum evidence_kind kinds[26]; /* the last is that some were left out */
        } sources[] = {
                { SOURCE_QMP,
                  { EVIDENCE_MACHINE, EVIDENCE_DEVICE, EVIDENCE_STATUS, EVIDENCE_SHUTDOWN, EVIDENCE_RESET, EVIDENCE_POWERDOWN, EVIDENCE_STOP,
                    EVIDENCE_RESUME, EVIDENCE_SUSPEND, EVIDENCE_SUSPEND_DISK, EVIDENCE_WAKEUP, EVIDENCE_WATCHDOG, EVIDENCE_GUEST_PANICKED,
                    EVIDENCE_GUEST_CRASHLOADED, EVIDENCE_GUEST_PVSHUTDOWN, EVIDENCE_BLOCK_IO_ERROR, EVIDENCE_REGISTERS, EVIDENCE_PM1_CONTROL,
                    EVIDENCE_MONITOR_OPENED, EVIDENCE_MONITOR_CLOSED, EVIDENCE_MONITOR_TAKEN, EVIDENCE_MALFORMED, EVIDENCE_PORT_WRITE,
                    EVIDENCE_KVM_EXIT, EVIDENCE_OMITTED } },
                { SOURCE_STDERR, { EVIDENCE_SIGNAL, EVIDENCE_MESSAGE, EVIDENCE_OMITTED } },
                { SOURCE_PROCESS,
                  { EVIDENCE_EXITED, EVIDENCE_KILLED, EVIDENCE_VANISHED, EVIDENCE_STOPPED, EVIDENCE_CONTINUED, EVIDENCE_OOM_KILL,
                    EVIDENCE_MONITOR_CLIENT, EVIDENCE_OMITTED } },
                { SOURCE_CONSOLE, { EVIDENCE_LINE, EVIDENCE_OMITTED } },
        };
        bool says[_SOURCE_N][_EVIDENCE_KIND_N] = { 0 };

        for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++)
                for (size_t k = 0; !k || sources[i].kinds[k - 1] != EVIDENCE_OMITTED; k++)
                        says[sources[i].source][sources[i].kinds[k]] = true;
        for (int source = 0; source < _SOURCE_N; source++)
                for (int kind = 0; kind < _EVIDENCE_KIND_N; kind++)
                        if (may_say((enum evidence_source)source, (enum evidence_kind)kind) != says[source][kind])
                                fail_msg("%s of %s", evidence_kind_info((enum evidence_kind)kind)->name, evidence_source_name((enum evidence_source)source));
}

static struct actor actor_of(int64_t uid, const char *user) {
        struct actor actor = { .pid = 4242, .uid = uid, .confidence = CONFIDENCE_CERTAIN };

        strcpy(actor.user, user);
        strcpy(actor.comm, "framed");
        return actor;
}

static void somebody_else_is_named_as_likely_at_most(void **state) {
        struct actor root = actor_of(0, "root"), anna = actor_of(1001, "anna"), somebody = actor_of(-1, "anna");

        claim_bound_actor(&root, 1000, "otto");
        assert_int_equal(root.confidence, CONFIDENCE_LIKELY);
        assert_string_equal(root.user, "root");
        assert_int_equal(root.pid, 4242);
        claim_bound_actor(&anna, 1000, "otto");
        assert_int_equal(anna.confidence, CONFIDENCE_LIKELY);
        assert_string_equal(anna.user, "");
        claim_bound_actor(&somebody, 1000, "otto");
        assert_int_equal(somebody.confidence, CONFIDENCE_LIKELY);
        assert_string_equal(somebody.user, "");
        root.confidence = CONFIDENCE_GUESS;
        claim_bound_actor(&root, 1000, "otto");
        assert_int_equal(root.confidence, CONFIDENCE_GUESS);
}

static void of_himself_he_says_what_he_wants_but_for_names(void **state) {
        struct actor actor = actor_of(1000, "root");

        strcpy(actor.login_user, "otto");
        strcpy(actor.login_from, "192.0.2.7:22");
        claim_bound_actor(&actor, 1000, "otto");
        assert_int_equal(actor.confidence, CONFIDENCE_CERTAIN);
        assert_string_equal(actor.user, "otto");
        assert_string_equal(actor.login_from, "192.0.2.7:22");
}

static void nobody_elses_login_or_client_is_believed(void **state) {
        struct actor actor = actor_of(0, "root");

        strcpy(actor.login_user, "anna");
        strcpy(actor.login_from, "192.0.2.7:22");
        actor.client = (struct actor_client){ .pid = 77, .uid = 1001, .user = "anna" };
        claim_bound_actor(&actor, 1000, "otto");
        assert_string_equal(actor.login_user, "");
        assert_string_equal(actor.login_from, "");
        assert_int_equal(actor.client.pid, 0);
        actor.client = (struct actor_client){ .pid = 77, .uid = 1000, .user = "anna" };
        claim_bound_actor(&actor, 1000, "otto");
        assert_int_equal(actor.client.pid, 77);
        assert_string_equal(actor.client.user, "otto");
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_a_users_run_tells_is_heard),
                cmocka_unit_test(nobody_says_in_a_users_name_what_vmpower_the_kernel_the_host_or_xen_says),
                cmocka_unit_test(each_of_his_sources_says_what_it_sees_and_no_other_does),
                cmocka_unit_test(somebody_else_is_named_as_likely_at_most),
                cmocka_unit_test(of_himself_he_says_what_he_wants_but_for_names),
                cmocka_unit_test(nobody_elses_login_or_client_is_believed),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
