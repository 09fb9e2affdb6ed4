/* What was seen of a domain, and the facts that it makes. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "basics/cleanup.h"
#include "sources/xen/xen_domain.h"

#define SECOND UINT64_C(1000000000)

static const struct xen_look running = { .domid = 5 };
static const struct xen_look paused = { .domid = 5, .is_paused = true };
static const struct xen_look dying = { .domid = 5, .is_dying = true };

static struct xen_look shut_down(unsigned reason) {
        return (struct xen_look){ .domid = 5, .has_shut_down = true, .reason = reason };
}

/* Everything that was told, as one text: "domain-shutdown poweroff, domain-gone false". */
static char told[1024];

static void on_report(void *userdata, struct evidence *fact) {
        size_t n = strlen(told);

        assert_int_equal(fact->source, SOURCE_XEN);
        assert_null(fact->actor);
        snprintf(told + n, sizeof(told) - n, "%s%s%s%s%s", n ? ", " : "", evidence_kind_info(fact->kind)->name, fact->word[0] ? " " : "", fact->word,
                 fact->kind != EVIDENCE_DOMAIN_GONE ? "" : fact->flag == TRISTATE_TRUE ? " true" : fact->flag == TRISTATE_FALSE ? " false" : " null");
}

static const struct xen_report to = { on_report, NULL };

static void must_tell(const char *expected) {
        assert_string_equal(told, expected);
        told[0] = '\0';
}

static struct xen_domain met(const struct xen_look *first, bool is_new) {
        struct xen_domain domain;

        told[0] = '\0';
        xen_domain_init(&domain, first, is_new);
        return domain;
}

static bool see(struct xen_domain *domain, struct xen_look now) {
        return xen_domain_look(domain, &now, XEN_ACCOUNTED, &to);
}

static bool miss(struct xen_domain *domain, enum xen_account account) {
        return xen_domain_look(domain, NULL, account, &to);
}

/* --- looks ------------------------------------------------------------------------------------------------------- */

static void each_reason_has_its_word(void **state) {
        static const char *const words[] = { "poweroff", "reboot", "suspend", "crash", "watchdog", "soft-reset", "reason-6", "reason-255" };
        static const unsigned reasons[] = { 0, 1, 2, 3, 4, 5, 6, 255 };

        for (size_t i = 0; i < N_ELEMENTS(words); i++) {
                struct xen_domain domain = met(&running, false);
                char expected[64];

                assert_false(see(&domain, shut_down(reasons[i])));
                snprintf(expected, sizeof(expected), "domain-shutdown %s", words[i]);
                must_tell(expected);
                assert_false(see(&domain, shut_down(reasons[i])));
                must_tell("");
                assert_true(miss(&domain, XEN_UNACCOUNTED));
                must_tell("domain-gone false");
                assert_false(miss(&domain, XEN_UNACCOUNTED));
                must_tell("");
        }
}

static void the_reason_of_one_that_is_dying_is_read_too(void **state) {
        struct xen_domain domain = met(&running, false);
        struct xen_look now = shut_down(3);

        now.is_dying = true;
        assert_true(see(&domain, now));
        must_tell("domain-shutdown crash, domain-gone false");
}

static void one_that_had_shut_down_when_it_was_met_is_told_so_once(void **state) {
        struct xen_look now = shut_down(0);
        struct xen_domain domain = met(&now, false);

        assert_string_equal(xen_domain_state(&domain, &now), "off");
        see(&domain, now);
        must_tell("domain-shutdown poweroff");
        see(&domain, now);
        must_tell("");
}

static void one_that_is_gone_was_alive_if_that_is_certain(void **state) {
        static const struct {
                const struct xen_look *last;
                enum xen_account account;
                const char *told;
        } rows[] = {
                { &dying, XEN_UNACCOUNTED, "domain-gone true" },
                { NULL, XEN_ACCOUNTED, "domain-gone true" },
                { NULL, XEN_UNACCOUNTED, "domain-gone null" },
                { NULL, XEN_UNWATCHED, "vanished" },
        };

        for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
                struct xen_domain domain = met(&running, false);

                assert_true(xen_domain_look(&domain, rows[i].last, rows[i].account, &to));
                must_tell(rows[i].told);
        }
}

static void one_that_we_destroy_was_alive(void **state) {
        struct xen_domain domain = met(&running, false);

        domain.is_to_be_destroyed = true;
        see(&domain, paused);
        must_tell("");
        assert_true(miss(&domain, XEN_UNACCOUNTED));
        must_tell("domain-gone true");
}

static void it_is_ours_if_nobody_else_has_it_and_it_is_still_there(void **state) {
        static const struct xen_look one = { .domid = 5, .uuid = { [15] = 1 } }, going = { .domid = 5, .uuid = { [15] = 1 }, .is_dying = true };
        static const struct xen_look off = { .domid = 5, .uuid = { [15] = 1 }, .has_shut_down = true }, another = { .domid = 5, .uuid = { [15] = 2 } };
        static const struct {
                struct xen_claims claims;
                bool is_ours;
        } rows[] = {
                { { .now = &one }, true },
                { { .now = &off }, true },
                { { .now = &one, .leaves_all = true }, false },
                { { .now = &one, .has_keeper = true }, false },
                { { .now = &one, .is_libvirts = true }, false },
                { { .now = &going }, false },
                { { .now = &another }, false },
                { { .now = NULL }, false },
        };
        const struct xen_domain domain = met(&one, false);

        for (size_t i = 0; i < N_ELEMENTS(rows); i++)
                assert_int_equal(xen_domain_is_ours(&domain, one.uuid, &rows[i].claims), rows[i].is_ours);
}

/* So that what it was destroyed for is carried out to its end; but whose it is stays what it is. */
static void one_that_we_destroy_stays_ours(void **state) {
        const struct xen_look one = { .domid = 5, .uuid = { [15] = 1 } }, going = { .domid = 5, .uuid = { [15] = 1 }, .is_dying = true };
        struct xen_domain domain = met(&one, false);

        domain.is_to_be_destroyed = true;
        assert_true(xen_domain_is_ours(&domain, one.uuid, &(struct xen_claims){ .now = &going }));
        assert_true(xen_domain_is_ours(&domain, one.uuid, &(struct xen_claims){ .now = NULL }));
        assert_false(xen_domain_is_ours(&domain, one.uuid, &(struct xen_claims){ .now = &going, .has_keeper = true }));
}

static void a_pause_is_told_and_its_end(void **state) {
        struct xen_domain domain = met(&running, true);

        see(&domain, paused);
        see(&domain, paused);
        must_tell("domain-paused");
        see(&domain, running);
        must_tell("domain-unpaused");
        /* Destroying pauses it first. */
        see(&domain, (struct xen_look){ .domid = 5, .is_paused = true, .is_dying = true });
        must_tell("domain-gone true");
}

static void one_that_is_being_made_is_not_paused(void **state) {
        struct xen_domain domain = met(&paused, true);

        assert_string_equal(xen_domain_state(&domain, &paused), "running");
        see(&domain, paused);
        see(&domain, running);
        must_tell("");
        see(&domain, paused);
        must_tell("domain-paused");

        domain = met(&paused, true);
        xen_domain_is_made(&domain);
        see(&domain, paused);
        must_tell("domain-paused");

        domain = met(&paused, false);
        assert_string_equal(xen_domain_state(&domain, &paused), "paused");
        see(&domain, paused);
        must_tell("");
        see(&domain, running);
        must_tell("domain-unpaused");
}

static void one_that_has_shut_down_is_not_paused_as_well(void **state) {
        struct xen_domain domain = met(&running, false);
        struct xen_look now = shut_down(0);

        now.is_paused = true;
        see(&domain, now);
        must_tell("domain-shutdown poweroff");
        now.is_paused = false;
        see(&domain, now);
        must_tell("");
}

static void one_that_runs_again_is_told_once_it_runs(void **state) {
        struct xen_domain domain = met(&running, false);
        struct xen_look now = shut_down(2);

        assert_string_equal(xen_domain_state(&domain, &now), "suspended");
        see(&domain, now);
        see(&domain, paused); /* a soft reset is built like a new domain */
        must_tell("domain-shutdown suspend");
        see(&domain, running);
        must_tell("domain-resumed");
        see(&domain, shut_down(0));
        must_tell("domain-shutdown poweroff");
        see(&domain, shut_down(3));
        must_tell("domain-shutdown crash");
}

/* As libxl does it: Xen lets the domain run at once, and libxl holds it while it makes its device model. */
static void a_soft_reset_is_no_pause(void **state) {
        struct xen_domain domain = met(&running, false);

        see(&domain, shut_down(5));
        must_tell("domain-shutdown soft-reset");
        see(&domain, running);
        must_tell("domain-resumed");
        see(&domain, paused);
        assert_string_equal(xen_domain_state(&domain, &paused), "running");
        see(&domain, running);
        must_tell("");
        see(&domain, paused);
        must_tell("domain-paused");

        /* A look may see it only once that is done. */
        domain = met(&running, false);
        see(&domain, shut_down(5));
        see(&domain, paused);
        must_tell("domain-shutdown soft-reset");
        see(&domain, running);
        must_tell("domain-resumed");
        xen_domain_is_made(&domain);
        see(&domain, paused);
        must_tell("domain-paused");
}

/* --- control/shutdown -------------------------------------------------------------------------------------------- */

static void write_it(struct xen_domain *domain, const char *value, unsigned n_events, uint64_t at_s) {
        xen_domain_control(domain, value, value ? strlen(value) : 0, n_events, at_s * SECOND, &to);
}

static void a_request_is_told_and_that_it_was_taken(void **state) {
        static const char *const requests[] = { "poweroff", "reboot", "suspend", "halt", "crash" };

        for (size_t i = 0; i < N_ELEMENTS(requests); i++) {
                struct xen_domain domain = met(&running, false);
                char expected[128];

                write_it(&domain, requests[i], 1, 10);
                write_it(&domain, "", 1, 11);
                snprintf(expected, sizeof(expected), "control-request %s, control-acknowledged %s", requests[i], requests[i]);
                must_tell(expected);
                write_it(&domain, "", 1, 12);
                must_tell("");
        }
}

static void the_first_event_of_a_watch_is_no_request(void **state) {
        struct xen_domain domain = met(&running, false);

        domain.n_own_writes = 1;
        write_it(&domain, "", 1, 10);
        must_tell("");
        assert_int_equal(domain.n_own_writes, 0);

        /* But one that stood there already is one. */
        domain.n_own_writes = 1;
        write_it(&domain, "reboot", 1, 10);
        must_tell("control-request reboot");
}

static void a_request_that_was_gone_before_it_was_read_is_unseen(void **state) {
        struct xen_domain domain = met(&running, false);

        write_it(&domain, "", 2, 10);
        must_tell("control-request unseen, control-acknowledged unseen");
}

static void a_request_over_another_that_was_gone_before_it_was_read_is_unseen(void **state) {
        struct xen_domain domain = met(&running, false);

        write_it(&domain, "poweroff", 1, 10);
        write_it(&domain, "", 2, 11);
        must_tell("control-request poweroff, control-request unseen, control-acknowledged unseen");
        write_it(&domain, "", 1, 12);
        must_tell("");
}

static void of_two_requests_the_second_is_taken(void **state) {
        struct xen_domain domain = met(&running, false);

        write_it(&domain, "poweroff", 1, 10);
        write_it(&domain, "reboot", 1, 11);
        write_it(&domain, "", 1, 12);
        must_tell("control-request poweroff, control-request reboot, control-acknowledged reboot");
        write_it(&domain, "poweroff", 1, 20);
        write_it(&domain, "poweroff", 1, 21);
        must_tell("control-request poweroff, control-request poweroff");
}

static void one_that_is_taken_back_was_not_taken(void **state) {
        struct xen_domain domain = met(&running, false);

        write_it(&domain, "poweroff", 1, 10);
        write_it(&domain, "", 1, 70);
        must_tell("control-request poweroff");
        write_it(&domain, "poweroff", 1, 100);
        write_it(&domain, "", 1, 400);
        must_tell("control-request poweroff, control-acknowledged poweroff");
}

static void a_node_that_is_gone_acknowledges_nothing(void **state) {
        struct xen_domain domain = met(&running, false);

        write_it(&domain, "poweroff", 1, 10);
        write_it(&domain, NULL, 1, 11);
        write_it(&domain, "", 1, 12);
        must_tell("control-request poweroff");
}

static void one_that_is_gone_with_its_node_before_it_was_read_was_taken(void **state) {
        static const struct {
                const char *stood;
                unsigned n_events;
                bool is_taken;
        } rows[] = { { "", 1, false }, { "", 2, false }, { "", 3, true }, { "poweroff", 1, false }, { "poweroff", 2, true } };

        for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
                struct xen_domain domain = met(&running, false);

                write_it(&domain, rows[i].stood, 1, 10);
                must_tell(*rows[i].stood ? "control-request poweroff" : "");
                write_it(&domain, NULL, rows[i].n_events, 11);
                must_tell(rows[i].is_taken ? "control-request unseen, control-acknowledged unseen" : "");
                see(&domain, shut_down(0));
                must_tell("domain-shutdown poweroff");
        }
}

static void what_we_ask_ourselves_is_told_once(void **state) {
        struct xen_domain domain = met(&running, false);

        xen_domain_ask(&domain, "poweroff", 10 * SECOND, &to);
        must_tell("control-request poweroff");
        write_it(&domain, "poweroff", 1, 10);
        must_tell("");
        write_it(&domain, "", 1, 11);
        must_tell("control-acknowledged poweroff");

        /* Also where the guest was quicker … */
        xen_domain_ask(&domain, "reboot", 20 * SECOND, &to);
        write_it(&domain, "", 2, 20);
        must_tell("control-request reboot, control-acknowledged reboot");

        /* … and what is taken back was not taken. */
        xen_domain_ask(&domain, "poweroff", 30 * SECOND, &to);
        write_it(&domain, "poweroff", 1, 30);
        xen_domain_ask(&domain, "", 40 * SECOND, &to);
        write_it(&domain, "", 1, 40);
        must_tell("control-request poweroff");
}

static void what_a_guest_writes_itself_is_no_more_than_a_word(void **state) {
        static const char *const values[] = { "poweroff\n", "powerofF", "<script>", "\x1b[2J", "\xff\xfe", "poweroff poweroff" };
        struct xen_domain domain = met(&running, false);
        char large[4096];

        for (size_t i = 0; i < N_ELEMENTS(values); i++) {
                write_it(&domain, values[i], 1, 10);
                must_tell("control-request other");
        }
        memset(large, 'A', sizeof(large));
        xen_domain_control(&domain, large, sizeof(large), 1, 11 * SECOND, &to);
        xen_domain_control(&domain, "poweroff\0x", 10, 1, 12 * SECOND, &to);
        must_tell("control-request other, control-request other");
}

/* --- who it is --------------------------------------------------------------------------------------------------- */

static void the_start_time_tells_two_domains_apart(void **state) {
        static const char uuid[] = "0123abcd-4567-89ef-0123-456789abcdef", of_uuid[] = "0123abcd456789ef0123456789abcdef";
        static const struct {
                const char *start_time, *creation;
                uint64_t began_s;
        } rows[] = {
                { "1790000000.12", "179000000012", 1790000000 }, { "1.5", "15", 1 }, { "", of_uuid, 0 },        { "1790000000", of_uuid, 0 },
                { ".12", of_uuid, 0 },        { "12.", of_uuid, 0 },       { "1.2.3", of_uuid, 0 }, { "-1.5", of_uuid, 0 },
                { "1e5.5", of_uuid, 0 },      { "99999999999.9", "999999999999", 0 }, { "123456789012.5", of_uuid, 0 }, { "1790000000.12\n", of_uuid, 0 },
        };

        for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
                char creation[XEN_CREATION_MAX];
                uint64_t began_ns;

                xen_creation(creation, &began_ns, rows[i].start_time, strlen(rows[i].start_time), uuid);
                assert_string_equal(creation, rows[i].creation);
                assert_int_equal(began_ns, rows[i].began_s * SECOND);
        }
}

static void a_uuid_is_written_and_read(void **state) {
        static const uint8_t handle[16] = { 0x01, 0x23, 0xab, 0xcd, 0x45, 0x67, 0x89, 0xef, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef };
        static const char *const wrong[] = { "", "/vm/", "/vm/0123abcd-4567-89ef-0123-456789abcde", "/vm/0123abcd-4567-89ef-0123-456789abcdefa",
                                             "/vm/0123abcd_4567-89ef-0123-456789abcdef", "/xx/0123abcd-4567-89ef-0123-456789abcdef",
                                             "/vm/0123abcd-4567-89ef-0123-456789abcdeg", "/vm/../../local/domain/0/../../aaaaaaaa/" };
        char text[XEN_UUID_TEXT_MAX], path[64], again[XEN_UUID_TEXT_MAX] = "as it was";

        xen_uuid_text(text, handle);
        assert_string_equal(text, "0123abcd-4567-89ef-0123-456789abcdef");
        for (size_t i = 0; i < N_ELEMENTS(wrong); i++)
                assert_int_equal(xen_uuid_of_path(again, wrong[i], strlen(wrong[i])), -EINVAL);
        assert_string_equal(again, "as it was");
        snprintf(path, sizeof(path), "/vm/%s", text);
        assert_int_equal(xen_uuid_of_path(again, path, strlen(path)), 0);
        assert_string_equal(again, text);
}

static void a_device_model_is_a_process_that_says_so(void **state) {
        static const char *const no_pids[] = { "", "0", "1", "-7", "7 ", "0x7", "seven", "1234567890" };
        char *of_another[] = { "qemu-system-i386", "-xen-domid", "12" }, *no_domain[] = { "qemu-system-i386", "-name", "1", "-xen-domid" };
        char *own[] = { "/usr/libexec/xen-qemu-system-i386", "-xen-domid", "1", "-no-shutdown" };
        int64_t pid = 0;

        for (size_t i = 0; i < N_ELEMENTS(no_pids); i++)
                assert_int_equal(xen_pid(&pid, no_pids[i], strlen(no_pids[i])), -EINVAL);
        assert_int_equal(pid, 0);
        assert_int_equal(xen_pid(&pid, "4711", 4), 0);
        assert_int_equal(pid, 4711);
        assert_true(xen_is_device_model(own, N_ELEMENTS(own), 1));
        assert_false(xen_is_device_model(own, N_ELEMENTS(own), 12));
        assert_false(xen_is_device_model(of_another, N_ELEMENTS(of_another), 1));
        assert_false(xen_is_device_model(no_domain, N_ELEMENTS(no_domain), 1));
        assert_false(xen_is_device_model(NULL, 0, 1));
}

static void a_driver_listens_if_it_says_so(void **state) {
        assert_true(xen_is_set("1", 1));
        assert_false(xen_is_set("", 0));
        assert_false(xen_is_set("0", 1));
        assert_false(xen_is_set("11", 2));
}

static void each_action_has_the_policys_word(void **state) {
        assert_null(xen_action_word(0));
        assert_string_equal(xen_action_word(1), "destroy");
        assert_string_equal(xen_action_word(3), "rename-restart");
        assert_string_equal(xen_action_word(7), "soft-reset");
        assert_null(xen_action_word(8));
        assert_null(xen_action_word(-1));
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_reason_has_its_word),
                cmocka_unit_test(the_reason_of_one_that_is_dying_is_read_too),
                cmocka_unit_test(one_that_had_shut_down_when_it_was_met_is_told_so_once),
                cmocka_unit_test(one_that_is_gone_was_alive_if_that_is_certain),
                cmocka_unit_test(one_that_we_destroy_was_alive),
                cmocka_unit_test(it_is_ours_if_nobody_else_has_it_and_it_is_still_there),
                cmocka_unit_test(one_that_we_destroy_stays_ours),
                cmocka_unit_test(a_pause_is_told_and_its_end),
                cmocka_unit_test(one_that_is_being_made_is_not_paused),
                cmocka_unit_test(a_soft_reset_is_no_pause),
                cmocka_unit_test(one_that_has_shut_down_is_not_paused_as_well),
                cmocka_unit_test(one_that_runs_again_is_told_once_it_runs),
                cmocka_unit_test(a_request_is_told_and_that_it_was_taken),
                cmocka_unit_test(the_first_event_of_a_watch_is_no_request),
                cmocka_unit_test(a_request_that_was_gone_before_it_was_read_is_unseen),
                cmocka_unit_test(a_request_over_another_that_was_gone_before_it_was_read_is_unseen),
                cmocka_unit_test(of_two_requests_the_second_is_taken),
                cmocka_unit_test(one_that_is_taken_back_was_not_taken),
                cmocka_unit_test(a_node_that_is_gone_acknowledges_nothing),
                cmocka_unit_test(one_that_is_gone_with_its_node_before_it_was_read_was_taken),
                cmocka_unit_test(what_we_ask_ourselves_is_told_once),
                cmocka_unit_test(what_a_guest_writes_itself_is_no_more_than_a_word),
                cmocka_unit_test(the_start_time_tells_two_domains_apart),
                cmocka_unit_test(a_uuid_is_written_and_read),
                cmocka_unit_test(a_device_model_is_a_process_that_says_so),
                cmocka_unit_test(a_driver_listens_if_it_says_so),
                cmocka_unit_test(each_action_has_the_policys_word),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests_name("xen-domain", tests, NULL, NULL);
}
