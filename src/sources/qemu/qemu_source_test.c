/* The QEMU source against a scripted QEMU: real sockets, real time where time is what matters, and words of our choosing. */
#include "basics/cleanup.h"
#include "sources/qemu/halt_look.h"
#include "sources/qemu/qemu_source.h"

#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

enum {
        FACTS_MAX = 64,
        ANSWERS_MAX = 24,
};

/* What the scripted QEMU says when it hears a command: `times` counts down, so that a later answer can differ. */
struct answer {
        const char *heard; /* part of the command's line */
        const char *value; /* of "return" */
        const char *then;  /* lines that follow at once, or NULL */
        int times;         /* 0: always */
};

struct world {
        char directory[32];
        char path[64];
        pthread_t thread;
        int listener;
        int client;
        bool greets;
        bool closes; /* once `then` was said */
        bool is_silent; /* it greets, and answers nothing */
        const char *noise; /* after the greeting */
        struct answer answers[ANSWERS_MAX];

        sd_event *event;
        struct qemu_source *source;
        struct evidence facts[FACTS_MAX];
        size_t n_facts;
        char order[1024]; /* the kinds, in order, separated by blanks */
        bool has_ended;
        bool is_waited_for;
        char refused[64];
        enum evidence_kind until;
};

static void send_text(struct world *world, const char *text) {
        size_t n = strlen(text);

        while (n) {
                ssize_t sent = send(world->client, text, n, MSG_NOSIGNAL);

                if (sent <= 0)
                        return;
                text += sent;
                n -= (size_t)sent;
        }
}

static void answer(struct world *world, const char *line) {
        const char *id = strstr(line, "\"id\":");
        char text[4096];

        for (size_t i = 0; i < ANSWERS_MAX && world->answers[i].heard; i++) {
                struct answer *a = &world->answers[i];

                if (!strstr(line, a->heard) || a->times < 0)
                        continue;
                if (a->times > 0 && --a->times == 0)
                        a->times = -1;
                snprintf(text, sizeof(text), "{\"return\": %s, \"id\": %d}\r\n", a->value, id ? atoi(id + 5) : 0);
                send_text(world, text);
                if (a->then)
                        send_text(world, a->then);
                return;
        }
        snprintf(text, sizeof(text), "{\"id\": %d, \"error\": {\"class\": \"GenericError\", \"desc\": \"no such thing\"}}\r\n",
                 id ? atoi(id + 5) : 0);
        send_text(world, text);
}

static void *serve(void *userdata) {
        struct world *world = userdata;
        cleanup(fclosep) FILE *stream = NULL;
        char *line = NULL;
        size_t n = 0;

        world->client = accept(world->listener, NULL, NULL);
        stream = fdopen(world->client, "r");
        if (world->greets)
                send_text(world, "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 22, \"minor\": 2, \"major\": 7}, \"package\": \"\"}, "
                                 "\"capabilities\": [\"oob\"]}}\r\n");
        if (world->noise)
                send_text(world, world->noise);
        if (world->closes && !world->answers[0].heard)
                return NULL;
        while (getline(&line, &n, stream) > 0) {
                if (!world->is_silent)
                        answer(world, line);
                if (world->closes && strstr(line, "\"cont\""))
                        break;
        }
        free(line);
        return NULL;
}

static void on_report(void *userdata, struct evidence *evidence) {
        struct world *world = userdata;
        size_t n = strlen(world->order);

        snprintf(world->order + n, sizeof(world->order) - n, "%s%s", n ? " " : "", evidence_kind_info(evidence->kind)->name);
        assert_true(world->n_facts < FACTS_MAX);
        world->facts[world->n_facts++] = *evidence;
        if (evidence->kind == world->until)
                sd_event_exit(world->event, 0);
}

static void on_ended(void *userdata, enum evidence_source source) {
        struct world *world = userdata;

        assert_int_equal(source, SOURCE_QMP);
        world->has_ended = true;
        sd_event_exit(world->event, 0);
}

static void on_connected(void *userdata, pid_t pid, uid_t uid) {
        assert_int_equal(pid, getpid());
}

static void on_waiting(void *userdata) {
        struct world *world = userdata;

        world->is_waited_for = true;
        sd_event_exit(world->event, 0);
}

static void on_refused(void *userdata, const char *command, const char *why) {
        struct world *world = userdata;

        snprintf(world->refused, sizeof(world->refused), "%s: %s", command, why);
}

static int on_too_long(sd_event_source *source, uint64_t usec, void *userdata) {
        return sd_event_exit(userdata, 1);
}

static void world_begin(struct world *world) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        *world = (struct world){ .greets = true, .until = _EVIDENCE_KIND_N, .directory = "/tmp/vmpower-qmp-XXXXXX" };
        assert_non_null(mkdtemp(world->directory));
        snprintf(world->path, sizeof(world->path), "%s/m.sock", world->directory);
        world->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        strcpy(address.sun_path, world->path);
        assert_return_code(bind(world->listener, (struct sockaddr *)&address, sizeof(address)), 0);
        assert_return_code(listen(world->listener, 1), 0);
        assert_true(sd_event_new(&world->event) >= 0);
}

/* Run until the fact `until`, the end of the source, or (a failure) ten seconds. */
static int world_run(struct world *world, struct qemu_source_config config) {
        struct qemu_source_events events = { on_connected, on_waiting, on_refused, NULL, world };
        struct source_sink sink = { on_report, on_ended, world };

        config.path = world->path;
        assert_return_code(pthread_create(&world->thread, NULL, serve, world), 0);
        assert_true(sd_event_add_time_relative(world->event, NULL, CLOCK_MONOTONIC, 10000000, 0, on_too_long, world->event) >= 0);
        assert_return_code(qemu_source_open(&world->source, world->event, &config, &events, &sink), 0);
        assert_return_code(qemu_source_try(world->source), 0);
        return sd_event_loop(world->event);
}

static void world_end(struct world *world) {
        qemu_source_close(world->source);
        shutdown(world->listener, SHUT_RDWR);
        pthread_join(world->thread, NULL);
        close(world->listener);
        sd_event_unref(world->event);
        unlink(world->path);
        rmdir(world->directory);
}

static const struct evidence *fact(const struct world *world, enum evidence_kind kind) {
        for (size_t i = 0; i < world->n_facts; i++)
                if (world->facts[i].kind == kind)
                        return &world->facts[i];
        fail_msg("no %s among: %s", evidence_kind_info(kind)->name, world->order);
        return NULL;
}

#define HANDSHAKE                                                                                                      \
        { "qmp_capabilities", "{}", NULL, 0 }, { "qom-get", "\"pc-q35-7.2-machine\"", NULL, 0 },                         \
                { "/machine/peripheral-anon", "[{\"name\": \"device[0]\", \"type\": \"child<pvpanic>\"}]", NULL, 0 }

static void a_monitor_that_somebody_else_has_taken_is_said_to_be(void **state) {
        struct world world;

        world_begin(&world);
        world.greets = false;
        assert_int_equal(world_run(&world, (struct qemu_source_config){ .greeting_timeout_ns = 100000000 }), 0);
        assert_true(world.has_ended);
        assert_string_equal(world.order, "monitor-taken");
        world_end(&world);
}

static void our_own_monitor_is_waited_for(void **state) {
        struct world world;

        world_begin(&world);
        world.greets = false;
        assert_int_equal(world_run(&world, (struct qemu_source_config){ .greeting_timeout_ns = 100000000, .is_own = true }), 0);
        assert_true(world.is_waited_for);
        assert_false(world.has_ended);
        assert_string_equal(world.order, "");
        world_end(&world);
}

static int on_long_enough(sd_event_source *source, uint64_t usec, void *userdata) {
        return sd_event_exit(userdata, 0);
}

static void a_monitor_is_open_once_its_events_come(void **state) {
        const uint64_t patience_usec = qemu_source_patience_usec;
        struct world world;

        world_begin(&world);
        world.is_silent = true;
        qemu_source_patience_usec = 60000000;
        assert_true(sd_event_add_time_relative(world.event, NULL, CLOCK_MONOTONIC, 200000, 0, on_long_enough, world.event) >= 0);
        assert_int_equal(world_run(&world, (struct qemu_source_config){ 0 }), 0);
        assert_string_equal(world.order, "");
        world_end(&world);

        /* Whoever waits for it waits no longer than that. */
        world_begin(&world);
        world.is_silent = true;
        world.until = EVIDENCE_MONITOR_OPENED;
        qemu_source_patience_usec = 50000;
        assert_int_equal(world_run(&world, (struct qemu_source_config){ 0 }), 0);
        assert_string_equal(world.order, "monitor-opened");
        world_end(&world);
        qemu_source_patience_usec = patience_usec;
}

static void the_resume_that_answers_our_own_start_is_kept_to_ourselves(void **state) {
        struct world world;

        world_begin(&world);
        world.until = EVIDENCE_RESUME;
        memcpy(world.answers, (struct answer[]){ HANDSHAKE, { "\"cont\"", "{}", "{\"event\": \"RESUME\"}\r\n{\"event\": \"STOP\"}\r\n{\"event\": \"RESUME\"}\r\n", 0 } }, 4 * sizeof(struct answer));
        assert_int_equal(world_run(&world, (struct qemu_source_config){ .start = true }), 0);
        assert_string_equal(world.order, "monitor-opened machine device stop resume");
        assert_string_equal(fact(&world, EVIDENCE_MACHINE)->word, "pc-q35-7.2");
        assert_string_equal(fact(&world, EVIDENCE_MONITOR_OPENED)->word, "7.2.22");
        world_end(&world);
}

static void a_start_that_is_refused_is_told(void **state) {
        struct world world;

        world_begin(&world);
        world.closes = true;
        memcpy(world.answers, (struct answer[]){ HANDSHAKE }, 3 * sizeof(struct answer));
        assert_int_equal(world_run(&world, (struct qemu_source_config){ .start = true }), 0);
        assert_string_equal(world.refused, "cont: no such thing");
        assert_string_equal(world.order, "monitor-opened machine device monitor-closed");
        world_end(&world);
}

static void a_migration_that_says_that_it_is_complete_need_not_be_asked(void **state) {
        struct world world;
        const struct answer answers[] = {
                { "qmp_capabilities", "{}",
                  "{\"event\": \"MIGRATION\", \"data\": {\"status\": \"completed\"}}\r\n{\"event\": \"STOP\"}\r\n"
                  "{\"event\": \"MIGRATION\", \"data\": {\"status\": \"active\"}}\r\n{\"event\": \"MIGRATION\"}\r\n"
                  "{\"event\": \"MIGRATION\", \"data\": {\"status\": \"completed\"}}\r\n{\"event\": \"POWERDOWN\"}\r\n", 0 },
        };

        world_begin(&world);
        world.until = EVIDENCE_POWERDOWN;
        memcpy(world.answers, answers, sizeof(answers));
        assert_int_equal(world_run(&world, (struct qemu_source_config){ .start = false }), 0);
        /* Not the first one: it had not stopped, and is another's. */
        assert_string_equal(world.order, "monitor-opened stop status powerdown");
        assert_string_equal(world.facts[2].word, "postmigrate");
        world_end(&world);
}

static void a_stop_for_a_migration_is_asked_about_until_it_is_settled(void **state) {
        struct world world;
        const struct answer answers[] = {
                { "qmp_capabilities", "{}", "{\"event\": \"STOP\"}\r\n", 0 },
                { "query-status", "{\"status\": \"running\"}", NULL, 1 },
                { "query-status", "{\"status\": \"finish-migrate\"}", NULL, 3 },
                { "query-status", "{\"status\": \"postmigrate\"}", "{\"event\": \"POWERDOWN\"}\r\n", 0 },
        };

        world_begin(&world);
        world.until = EVIDENCE_POWERDOWN;
        memcpy(world.answers, answers, sizeof(answers));
        assert_int_equal(world_run(&world, (struct qemu_source_config){ .start = false }), 0);
        assert_string_equal(world.order, "monitor-opened stop status status status powerdown");
        assert_string_equal(world.facts[3].word, "finish-migrate");
        assert_string_equal(world.facts[4].word, "postmigrate");
        world_end(&world);
}

static void a_vm_that_is_held_is_asked_for_its_pm1_control_register(void **state) {
        struct world world;
        const struct answer answers[] = {
                { "qmp_capabilities", "{}", NULL, 0 },
                { "info mtree", "\"  0000000000000600-0000000000000603 (prio 0, i/o): acpi-evt\\r\\n  0000000000000604-0000000000000605 (prio 0, i/o): acpi-cnt\\r\\n\"", NULL, 0 },
                { "i /h 0x604", "\"portw[0x0604] = 0x0001\\r\\n\"", NULL, 0 },
                { "\"cont\"", "{}", "{\"event\": \"RESUME\"}\r\n{\"event\": \"SHUTDOWN\", \"data\": {\"guest\": true, \"reason\": \"guest-shutdown\"}}\r\n{\"event\": \"STOP\"}\r\n", 0 },
                { "query-status", "{\"status\": \"prelaunch\"}", NULL, 1 },
                { "query-status", "{\"status\": \"shutdown\"}", NULL, 0 },
        };

        world_begin(&world);
        world.until = EVIDENCE_PM1_CONTROL;
        memcpy(world.answers, answers, sizeof(answers));
        assert_int_equal(world_run(&world, (struct qemu_source_config){ .start = true }), 0);
        assert_int_equal(fact(&world, EVIDENCE_PM1_CONTROL)->number, 1);
        /* The status closes the episode, so it comes after what it would close upon. */
        assert_string_equal(world.order, "monitor-opened shutdown stop pm1-control status");
        assert_string_equal(world.facts[world.n_facts - 1].word, "shutdown");
        world_end(&world);
}

static void junk_is_evidence_and_the_stream_goes_on(void **state) {
        struct world world;

        world_begin(&world);
        world.until = EVIDENCE_POWERDOWN;
        world.noise = "this is no QMP\r\n{\"event\": 7}\r\n{\"event\": \"POWERDOWN\"}\r\n";
        assert_int_equal(world_run(&world, (struct qemu_source_config){ .start = false }), 0);
        assert_string_equal(world.order, "monitor-opened malformed malformed powerdown");
        assert_non_null(strstr(fact(&world, EVIDENCE_MALFORMED)->text, "this is no QMP"));
        world_end(&world);
}

static void half_a_message_at_the_end_is_said_before_the_end(void **state) {
        struct world world;

        world_begin(&world);
        world.closes = true;
        world.noise = "{\"event\": \"SHUT";
        assert_int_equal(world_run(&world, (struct qemu_source_config){ .start = false }), 0);
        assert_true(world.has_ended);
        assert_string_equal(world.order, "monitor-opened malformed monitor-closed");
        world_end(&world);
}

static void *sleep_for_ever(void *userdata) {
        pid_t *tid = userdata;
        sigset_t none;

        sigemptyset(&none);
        __atomic_store_n(tid, (pid_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
        for (;;)
                pause();
        return NULL;
}

/* A vCPU whose thread sleeps and whose registers say HLT with interrupts off (or on). */
static void look_at_a_sleeping_vcpu(struct world *world, const char *flags, enum evidence_kind until) {
        static pid_t tid;
        pthread_t thread;
        char vcpus[96], registers[256];

        if (!tid) {
                assert_return_code(pthread_create(&thread, NULL, sleep_for_ever, &tid), 0);
                while (!__atomic_load_n(&tid, __ATOMIC_ACQUIRE))
                        sched_yield();
        }
        snprintf(vcpus, sizeof(vcpus), "[{\"cpu-index\": 0, \"thread-id\": %d, \"target\": \"x86_64\"}]", (int)tid);
        snprintf(registers, sizeof(registers),
                 "\"\\r\\nCPU#0\\r\\nEAX=00000000 EBX=00000000\\r\\nEIP=000000ec EFL=%s [-------] CPL=0 II=0 A20=1 SMM=0 HLT=1\\r\\n"
                 "CS =f000 000f0000 0000ffff 00009b00\\r\\n\"", flags);
        world_begin(world);
        world->until = until;
        world->answers[0] = (struct answer){ "qmp_capabilities", "{}", NULL, 0 };
        world->answers[1] = (struct answer){ "query-cpus-fast", vcpus, NULL, 0 };
        world->answers[2] = (struct answer){ "query-status", "{\"status\": \"running\"}", NULL, 0 };
        /* The idle guest is looked at once; its next sign of life ends the test. */
        world->answers[3] = (struct answer){ "info registers", registers, "{\"event\": \"POWERDOWN\"}\r\n", 0 };
        assert_int_equal(world_run(world, (struct qemu_source_config){ .halt_after_ns = 50000000 }), 0);
}

static void a_vcpu_that_waits_with_interrupts_off_is_halted_for_good(void **state) {
        struct world world;

        look_at_a_sleeping_vcpu(&world, "00000002", EVIDENCE_REGISTERS);
        assert_int_equal(fact(&world, EVIDENCE_REGISTERS)->flag, TRISTATE_TRUE);
        world_end(&world);
}

static void a_vcpu_that_waits_with_interrupts_on_is_never_called_halted(void **state) {
        struct world world;

        look_at_a_sleeping_vcpu(&world, "00000202", EVIDENCE_POWERDOWN);
        for (size_t i = 0; i < world.n_facts; i++)
                assert_int_not_equal(world.facts[i].kind, EVIDENCE_REGISTERS);
        world_end(&world);
}

static void a_still_vcpu_is_looked_at_once_until_it_has_moved(void **state) {
        struct halt_look look = { 0 };
        const uint64_t second = 1000000000;

        assert_false(halt_look_tick(&look, 5 * second, second)); /* the first tick has nothing to compare with */
        assert_true(halt_look_tick(&look, 5 * second, second));
        for (int i = 0; i < 1000; i++)
                assert_false(halt_look_tick(&look, 5 * second, second));
        assert_false(halt_look_tick(&look, 6 * second, second));  /* it runs */
        assert_true(halt_look_tick(&look, 6 * second + 1000, second)); /* and stands still again */
}

static void a_halted_vcpu_is_looked_at_once_it_has_run(void **state) {
        const uint64_t second = 1000000000;
        struct halt_look look = { 0 };

        assert_false(halt_look_tick(&look, 5 * second, 2 * second));
        assert_true(halt_look_tick(&look, 5 * second, 2 * second));
        assert_false(halt_look_tick_halted(&look, 5 * second, 2 * second));
        assert_false(halt_look_tick_halted(&look, 5 * second + second / 200, 2 * second)); /* timer interrupts, under software emulation */
        assert_true(halt_look_tick_halted(&look, 7 * second, 2 * second));
        assert_false(halt_look_tick_halted(&look, 7 * second, 2 * second));
        assert_false(halt_look_tick(&look, 8 * second, 2 * second));
        assert_true(halt_look_tick(&look, 8 * second, 2 * second));
}

/* Looked at while it idled, then a halt that costs next to nothing: what it ran is less than what standing still allows. */
static void an_idle_vcpu_that_halts_cheaply_is_looked_at_again(void **state) {
        const uint64_t second = 1000000000, little = 1000000;
        struct halt_look look = { 0 };

        assert_false(halt_look_tick(&look, 5 * second, second));
        assert_true(halt_look_tick(&look, 5 * second + little, second));
        assert_false(halt_look_tick(&look, 5 * second + 2 * little, second));
        assert_true(halt_look_tick(&look, 5 * second + 2 * little, second));
        assert_false(halt_look_tick(&look, 5 * second + 2 * little, second));
}

static void a_busy_vcpu_is_never_looked_at(void **state) {
        struct halt_look look = { 0 };

        for (uint64_t i = 0; i < 1000; i++)
                assert_false(halt_look_tick(&look, i * 500000000, 1000000000));
}

/* Two lives before this one have asked their questions, and nobody has read the answers; QEMU's clock has its events at 1 s and 2 s past. */
static void what_an_earlier_life_has_on_record_is_not_told_again_whatever_answers_still_come(void **state) {
        static const char greeting[] = "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 22, \"minor\": 2, \"major\": 7}, \"package\": \"\"},"
                                       " \"capabilities\": []}}";
        uint64_t second = source_time_ns() / UINT64_C(1000000000) - 3;
        const struct qemu_known known = { EVIDENCE_STOP, second * UINT64_C(1000000000) };
        const struct qemu_source_past past = { .greeting = greeting, .n_greeting = strlen(greeting), .is_negotiated = true,
                                               .knows_machine = true, .known = &known, .n_known = 1, .newest_ns = 1 };
        struct world world = { .until = EVIDENCE_SHUTDOWN };
        struct qemu_source_events events = { on_connected, on_waiting, on_refused, NULL, &world };
        struct source_sink sink = { on_report, on_ended, &world };
        char text[512];
        int fds[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
        assert_true(sd_event_new(&world.event) >= 0);
        world.client = fds[0];
        snprintf(text, sizeof(text), "{\"event\": \"STOP\", \"timestamp\": {\"seconds\": %" PRIu64 ", \"microseconds\": 0}}\r\n", second);
        send_text(&world, text);
        for (int id = 1; id < 30; id++) {
                snprintf(text, sizeof(text), "{\"return\": {\"status\": \"paused\", \"running\": false}, \"id\": %d}\r\n", id);
                send_text(&world, text);
        }
        snprintf(text, sizeof(text), "{\"event\": \"SHUTDOWN\", \"timestamp\": {\"seconds\": %" PRIu64 ", \"microseconds\": 0}}\r\n", second + 1);
        send_text(&world, text);
        assert_int_equal(qemu_source_adopt(&world.source, world.event, fds[1], &past, &(struct qemu_source_config){ 0 }, &events, &sink), 0);
        assert_true(sd_event_add_time_relative(world.event, NULL, CLOCK_MONOTONIC, 10000000, 0, on_too_long, world.event) >= 0);
        assert_int_equal(sd_event_loop(world.event), 0);
        assert_null(strstr(world.order, "stop"));
        assert_null(strstr(world.order, "status"));
        assert_int_equal(fact(&world, EVIDENCE_SHUTDOWN)->time_ns, (second + 1) * UINT64_C(1000000000));
        assert_in_range(source_now_ns() - fact(&world, EVIDENCE_SHUTDOWN)->at_ns, UINT64_C(2000000000), UINT64_C(13000000000));
        qemu_source_close(world.source);
        close(fds[0]);
        sd_event_unref(world.event);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_an_earlier_life_has_on_record_is_not_told_again_whatever_answers_still_come),
                cmocka_unit_test(a_monitor_that_somebody_else_has_taken_is_said_to_be),
                cmocka_unit_test(our_own_monitor_is_waited_for),
                cmocka_unit_test(a_monitor_is_open_once_its_events_come),
                cmocka_unit_test(the_resume_that_answers_our_own_start_is_kept_to_ourselves),
                cmocka_unit_test(a_start_that_is_refused_is_told),
                cmocka_unit_test(a_migration_that_says_that_it_is_complete_need_not_be_asked),
                cmocka_unit_test(a_stop_for_a_migration_is_asked_about_until_it_is_settled),
                cmocka_unit_test(a_vm_that_is_held_is_asked_for_its_pm1_control_register),
                cmocka_unit_test(junk_is_evidence_and_the_stream_goes_on),
                cmocka_unit_test(half_a_message_at_the_end_is_said_before_the_end),
                cmocka_unit_test(a_vcpu_that_waits_with_interrupts_off_is_halted_for_good),
                cmocka_unit_test(a_vcpu_that_waits_with_interrupts_on_is_never_called_halted),
                cmocka_unit_test(a_still_vcpu_is_looked_at_once_until_it_has_moved),
                cmocka_unit_test(a_halted_vcpu_is_looked_at_once_it_has_run),
                cmocka_unit_test(an_idle_vcpu_that_halts_cheaply_is_looked_at_again),
                cmocka_unit_test(a_busy_vcpu_is_never_looked_at),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
