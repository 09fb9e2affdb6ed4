#include "outlets/journald_entry.h"
#include "outlets/journald_outlet.h"
#include "outlets/outlet_fixture.h"

#include <sys/socket.h>
#include <sys/un.h>

static int make_journal(const struct world *world) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        strcpy(address.sun_path, world_path(world, "journal"));
        assert_true(fd >= 0);
        assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        return fd;
}

static struct outlet *make_outlet(struct world *world) {
        struct outlet *outlet;

        assert_int_equal(journald_outlet_new(&outlet, world->event, world_path(world, "journal")), 0);
        world_hear(world, outlet);
        return outlet;
}

static void a_verdict_is_one_entry_with_its_fields(void **state) {
        struct world *world = *state;
        cleanup(closep) int journal = make_journal(world);
        struct outlet *outlet = make_outlet(world);
        char entry[JOURNALD_ENTRY_MAX + 1], wanted[4096];
        ssize_t n;

        assert_int_equal(outlet->ops->tell(outlet, &world->record), 0);
        n = recv(journal, entry, sizeof(entry) - 1, 0);
        assert_true(n > 0);
        entry[n] = '\0';
        snprintf(wanted, sizeof(wanted),
                 "MESSAGE=%s\n"
                 "MESSAGE_ID=" JOURNALD_MESSAGE_VERDICT "\n"
                 "PRIORITY=4\n"
                 "SYSLOG_IDENTIFIER=vmpowerd\n"
                 "VMPOWER_VERDICT_ID=%s\n"
                 "VMPOWER_NUMBER=7\n"
                 "VMPOWER_VM=web-1\n"
                 "VMPOWER_UUID=5f7a8a40-0000-4000-8000-000000000001\n"
                 "VMPOWER_BACKEND=qemu\n"
                 "VMPOWER_INSTANCE=boot:1:1\n"
                 "VMPOWER_TIME=2026-11-23T03:12:07.000000000Z\n"
                 "VMPOWER_TRANSITION=destroy\n"
                 "VMPOWER_INITIATOR=operator\n"
                 "VMPOWER_MECHANISM=signal\n"
                 "VMPOWER_GRACEFUL=false\n"
                 "VMPOWER_LEFT=gone\n"
                 "VMPOWER_COUNT=1\n"
                 "VMPOWER_CONFIDENCE=certain\n"
                 "VMPOWER_RULE=signal-end\n"
                 "VMPOWER_ACTOR_PID=77\n"
                 "VMPOWER_ACTOR_UID=0\n"
                 "VMPOWER_ACTOR_USER=root\n"
                 "VMPOWER_ACTOR_COMM=kill\n"
                 "VMPOWER_ACTOR_VIA=SIGKILL\n",
                 world->record.summary, world->record.id);
        assert_string_equal(entry, wanted);
        assert_true(recv(journal, entry, sizeof(entry), 0) < 0);
        outlet->ops->close(outlet);
}

static void a_revision_says_what_it_revises(void **state) {
        struct world *world = *state;
        char entry[JOURNALD_ENTRY_MAX];
        size_t n;

        strcpy(world->record.revises, "01JDB6Q4M0X8000000000000AA");
        assert_int_equal(journald_entry_make(&world->record, entry, &n), 0);
        assert_non_null(memmem(entry, n, "MESSAGE_ID=" JOURNALD_MESSAGE_REVISION "\n", strlen("MESSAGE_ID=\n") + 32));
        assert_non_null(memmem(entry, n, "\nVMPOWER_REVISES=01JDB6Q4M0X8000000000000AA\n", 43));
}

static void all_that_is_known_of_the_actor_and_the_decision_is_told(void **state) {
        static const char *const fields[] = {
                "VMPOWER_ACTOR_LOGIN_USER=ann", "VMPOWER_ACTOR_LOGIN_FROM=10.0.0.5:50022", "VMPOWER_ACTOR_EXE=/usr/sbin/libvirtd",
                "VMPOWER_ACTOR_CLIENT_PID=79", "VMPOWER_ACTOR_CLIENT_UID=1000", "VMPOWER_ACTOR_CLIENT_USER=ann", "VMPOWER_ACTOR_CLIENT_COMM=virsh",
                "VMPOWER_POLICY=on_crash", "VMPOWER_ACTION=restart", "VMPOWER_RESULT=failed",
        };
        struct world *world = *state;
        struct actor actor = { .pid = 77, .login_user = "ann", .login_from = "10.0.0.5:50022", .exe = "/usr/sbin/libvirtd",
                               .cmdline = "libvirtd --secret", .client = { 79, 1000, "ann", "virsh", "virsh destroy web-1" } };
        char entry[JOURNALD_ENTRY_MAX + 1];
        size_t n;

        world->record.verdict.actor = &actor;
        world->record.decision = (struct decision){ true, ON_CRASH, ACTION_RESTART, RESULT_FAILED };
        assert_int_equal(journald_entry_make(&world->record, entry, &n), 0);
        entry[n] = '\0';
        for (size_t i = 0; i < N_ELEMENTS(fields); i++) {
                char line[128];

                snprintf(line, sizeof(line), "\n%s\n", fields[i]);
                if (!strstr(entry, line))
                        fail_msg("%s is not in\n%s", fields[i], entry);
        }
        /* A command line is its owner's. */
        assert_null(strstr(entry, "secret"));
        assert_null(strstr(entry, "virsh destroy"));
}

/* What is stored is printable; but whoever can write the file can write anything. */
static void a_value_of_two_lines_cannot_become_a_field(void **state) {
        static const char wanted[] = "\nVMPOWER_VM\n\x0c\0\0\0\0\0\0\0web\nUSER=root\n";
        struct world *world = *state;
        char entry[JOURNALD_ENTRY_MAX];
        size_t n;

        strcpy(world->record.vm.name, "web\nUSER=roo");
        assert_int_equal(journald_entry_make(&world->record, entry, &n), 0);
        assert_null(memmem(entry, n, wanted, sizeof(wanted) - 1));
        assert_non_null(memmem(entry, n, "\nVMPOWER_VM\n\x0c\0\0\0\0\0\0\0web\nUSER=roo\n", 33));
}

static void fill(char *text, size_t n) {
        memset(text, 'x', n - 1);
        text[n - 1] = '\0';
}

static void the_longest_verdict_has_room(void **state) {
        struct world *world = *state;
        struct verdict_record *record = &world->record;
        char entry[JOURNALD_ENTRY_MAX];
        struct actor actor = { .pid = INT32_MAX, .uid = UINT32_MAX };
        size_t n;

        fill(record->vm.name, sizeof(record->vm.name));
        fill(record->vm.instance, sizeof(record->vm.instance));
        fill(record->summary, sizeof(record->summary));
        fill(record->revises, sizeof(record->revises));
        fill(record->rule, sizeof(record->rule));
        fill(actor.user, sizeof(actor.user));
        fill(actor.login_user, sizeof(actor.login_user));
        fill(actor.comm, sizeof(actor.comm));
        fill(actor.exe, sizeof(actor.exe));
        fill(actor.via, sizeof(actor.via));
        record->verdict.actor = &actor;
        record->decision.exists = true;
        assert_int_equal(journald_entry_make(record, entry, &n), 0);
        record->verdict.actor = NULL;
}

static void priority_is_by_kind(void **state) {
        static const struct {
                enum transition transition;
                enum mechanism mechanism;
                int priority;
        } cases[] = {
                { TRANSITION_POWEROFF, MECHANISM_ACPI_S5, 5 },  { TRANSITION_REBOOT, MECHANISM_GUEST_RESET, 5 },
                { TRANSITION_REBOOT, MECHANISM_WATCHDOG, 3 },   { TRANSITION_CRASH, MECHANISM_PANIC_DEVICE, 3 },
                { TRANSITION_DESTROY, MECHANISM_OOM_KILL, 3 },  { TRANSITION_DESTROY, MECHANISM_QMP_QUIT, 4 },
                { TRANSITION_FAILURE, MECHANISM_SIGNAL, 3 },    { TRANSITION_PAUSE, MECHANISM_IO_ERROR, 3 },
                { TRANSITION_PAUSE, MECHANISM_QMP_STOP, 5 },    { TRANSITION_UNKNOWN, MECHANISM_UNSEEN, 4 },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                const struct verdict verdict = { .transition = cases[i].transition, .mechanism = cases[i].mechanism };

                assert_int_equal(journald_priority(&verdict), cases[i].priority);
        }
}

static void a_journal_that_is_not_there_is_away_and_may_come(void **state) {
        struct world *world = *state;
        struct outlet *outlet = make_outlet(world);
        char entry[JOURNALD_ENTRY_MAX];
        int journal;

        assert_int_equal(outlet->ops->tell(outlet, &world->record), OUTLET_AWAY);
        assert_non_null(strstr(outlet->why, "No such file"));
        journal = make_journal(world);
        assert_int_equal(outlet->ops->tell(outlet, &world->record), 0);
        assert_true(recv(journal, entry, sizeof(entry), 0) > 0);
        close(journal);
        assert_int_equal(outlet->ops->tell(outlet, &world->record), OUTLET_AWAY);
        assert_non_null(strstr(outlet->why, "refused"));
        unlink(world_path(world, "journal"));
        journal = make_journal(world);
        assert_int_equal(outlet->ops->tell(outlet, &world->record), 0);
        close(journal);
        unlink(world_path(world, "journal"));
        /* It was there a moment ago, and another one is by now. */
        journal = make_journal(world);
        assert_int_equal(outlet->ops->tell(outlet, &world->record), 0);
        close(journal);
        outlet->ops->close(outlet);
}

static void a_journal_that_does_not_read_is_not_waited_for(void **state) {
        struct world *world = *state;
        cleanup(closep) int journal = make_journal(world);
        struct outlet *outlet = make_outlet(world);
        char entry[JOURNALD_ENTRY_MAX];
        unsigned n_told = 0, n_read = 0;
        int r;

        while (!(r = outlet->ops->tell(outlet, &world->record)))
                n_told++;
        assert_int_equal(r, OUTLET_FULL);
        assert_true(n_told > 0);
        assert_true(sd_event_run(world->event, 0) >= 0);
        assert_int_equal(world->n_ready, 0);
        while (recv(journal, entry, sizeof(entry), 0) > 0)
                n_read++;
        assert_int_equal(n_read, n_told);
        world_wait(world, &world->n_ready, 1);
        assert_int_equal(outlet->ops->tell(outlet, &world->record), 0);
        outlet->ops->close(outlet);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
#define SENTENCE(name) cmocka_unit_test_setup_teardown(name, world_begin, world_end)
                SENTENCE(a_verdict_is_one_entry_with_its_fields),
                SENTENCE(a_revision_says_what_it_revises),
                SENTENCE(all_that_is_known_of_the_actor_and_the_decision_is_told),
                SENTENCE(a_value_of_two_lines_cannot_become_a_field),
                SENTENCE(the_longest_verdict_has_room),
                SENTENCE(priority_is_by_kind),
                SENTENCE(a_journal_that_is_not_there_is_away_and_may_come),
                SENTENCE(a_journal_that_does_not_read_is_not_waited_for),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests_name("journald", tests, NULL, NULL);
}
