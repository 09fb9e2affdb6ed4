#include "outlets/hook_directory.h"
#include "outlets/hook_outlet.h"
#include "outlets/outlet_fixture.h"

#include <jansson.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define SECOND UINT64_C(1000000000)

static const char *write_file(const struct world *world, const char *name, const char *text, mode_t mode) {
        const char *path = world_path(world, name);
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, strlen(text)), strlen(text));
        assert_int_equal(fchmod(fd, mode), 0);
        close(fd);
        return path;
}

static struct outlet *make_hook(struct world *world, const char *script, const struct hook_config *config) {
        const char *path = write_file(world, "hook", script, 0755);
        struct outlet *outlet;

        assert_int_equal(hook_outlet_new(&outlet, world->event, path, config), 0);
        world_hear(world, outlet);
        return outlet;
}

/* Run it once; its result. */
static int run_hook(struct world *world, struct outlet *outlet) {
        unsigned n = world->n_done;

        assert_int_equal(outlet->ops->tell(outlet, &world->record), OUTLET_STARTED);
        world_wait(world, &world->n_done, n + 1);
        assert_int_equal(world->number, world->record.number);
        return world->result;
}

static char *read_file(const struct world *world, const char *name) {
        cleanup(fclosep) FILE *file = fopen(world_path(world, name), "re");
        char *text = calloc(1, 65536);

        if (!file)
                fail_msg("there is no %s", name);
        assert_true(fread(text, 1, 65535, file) > 0);
        return text;
}

static const struct hook_config plain = { .timeout_ns = PATIENCE_S * SECOND, .at_once = 4 };

static void a_hook_gets_the_verdict_and_a_clean_environment(void **state) {
        static const char *const more[] = { "VMPOWER_STATE_DIR=/srv/state", NULL };
        struct hook_config config = plain;
        struct world *world = *state;
        cleanup(freep) char *environment = NULL, *input = NULL, *wanted = NULL;
        struct outlet *outlet;
        char script[512];
        json_t *json;

        config.environment = more;
        setenv("VMPOWER_TEST_SECRET", "1", 1);
        snprintf(script, sizeof(script), "#!/bin/sh\ncat >%s/in\n/usr/bin/env | grep -v '^_=\\|^PWD=\\|^SHLVL=' >%s/env\npwd >%s/pwd\n",
                 world->directory, world->directory, world->directory);
        outlet = make_hook(world, script, &config);
        assert_int_equal(run_hook(world, outlet), 0);

        input = read_file(world, "in");
        /* One line, as a shell reads it. */
        assert_ptr_equal(strchr(input, '\n'), input + strlen(input) - 1);
        json = json_loads(input, 0, NULL);
        assert_non_null(json);
        assert_string_equal(json_string_value(json_object_get(json, "schema")), "vmpower.verdict/1");
        assert_string_equal(json_string_value(json_object_get(json, "id")), world->record.id);
        json_decref(json);

        environment = read_file(world, "env");
        assert_true(asprintf(&wanted,
                             "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
                             "VMPOWER_STATE_DIR=/srv/state\n"
                             "VMPOWER_SUMMARY=%s\n"
                             "VMPOWER_VERDICT_ID=%s\n"
                             "VMPOWER_NUMBER=7\n",
                             world->record.summary, world->record.id) > 0);
        /* A shell may sort it. */
        for (char *line = strtok(wanted, "\n"); line; line = strtok(NULL, "\n"))
                if (!strstr(environment, line))
                        fail_msg("%s is not in\n%s", line, environment);
        assert_null(strstr(environment, "SECRET"));
        assert_null(strstr(environment, "HOME="));
        free(environment);
        environment = read_file(world, "pwd");
        assert_string_equal(environment, "/\n");
        unsetenv("VMPOWER_TEST_SECRET");
        outlet->ops->close(outlet);
}

/* A shell starts with the signals that it was given, and cannot give itself others back. */
static void a_hook_inherits_no_descriptor_no_signal_and_no_limit(void **state) {
        struct world *world = *state;
        cleanup(closep) int ours = open("/dev/null", O_RDONLY);
        cleanup(freep) char *seen = NULL;
        struct rlimit before, high;
        unsigned long long blocked, ignored;
        struct outlet *outlet;
        char script[512];
        int extra = dup2(ours, 57); /* without O_CLOEXEC */

        assert_int_equal(extra, 57);
        signal(SIGPIPE, SIG_IGN);
        signal(SIGUSR1, SIG_IGN);
        getrlimit(RLIMIT_NOFILE, &before);
        high = (struct rlimit){ before.rlim_max, before.rlim_max };
        setrlimit(RLIMIT_NOFILE, &high);
        snprintf(script, sizeof(script),
                 "#!/bin/sh\n{ ls /proc/self/fd | tr '\\n' ' '; grep -h '^Sig[BI]' /proc/self/status; ulimit -Sn; } >%s/seen 2>&1\n",
                 world->directory);
        outlet = make_hook(world, script, &plain);
        assert_int_equal(run_hook(world, outlet), 0);
        seen = read_file(world, "seen");
        /* 3 is ls's own; signals 32 and 33 are libc's own, which it ignores until it needs them (nptl(7)). */
        if (sscanf(seen, "0 1 2 3 SigBlk: %llx SigIgn: %llx", &blocked, &ignored) != 2 || blocked ||
            ignored & ~0x180000000ULL)
                fail_msg("%s", seen);
        if (high.rlim_cur > 1024)
                assert_non_null(strstr(seen, "\n1024\n"));
        setrlimit(RLIMIT_NOFILE, &before);
        signal(SIGPIPE, SIG_DFL);
        signal(SIGUSR1, SIG_DFL);
        close(extra);
        outlet->ops->close(outlet);
}

static void a_hook_that_fails_says_why_with_its_last_line(void **state) {
        struct world *world = *state;
        struct outlet *outlet = make_hook(world, "#!/bin/sh\necho one\nprintf 'two \\033[2J' >&2\nexit 3\n", &plain);

        assert_int_equal(run_hook(world, outlet), -EIO);
        assert_string_equal(outlet->why, "exit status 3: two ?[2J");
        outlet->ops->close(outlet);

        outlet = make_hook(world, "#!/bin/sh\necho one\necho\nkill -9 $$\n", &plain);
        assert_int_equal(run_hook(world, outlet), -EIO);
        assert_string_equal(outlet->why, "ended by signal 9 (SIGKILL): one");
        outlet->ops->close(outlet);
}

static void a_hook_that_cannot_be_started_says_so(void **state) {
        struct world *world = *state;
        struct outlet *outlet = make_hook(world, "no program\n", &plain);

        assert_int_equal(outlet->ops->tell(outlet, &world->record), -ENOEXEC);
        unlink(world_path(world, "hook"));
        assert_int_equal(outlet->ops->tell(outlet, &world->record), -ENOENT);
        assert_non_null(strstr(outlet->why, "No such file"));
        outlet->ops->close(outlet);
}

static bool is_there(pid_t pid) {
        return !kill(pid, 0);
}

static void wait_gone(pid_t pid) {
        double until = world_seconds() + PATIENCE_S;

        /* Somebody else's zombie is as dead as it gets. */
        for (;;) {
                char path[64], line[256] = "";
                cleanup(fclosep) FILE *file = NULL;

                snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
                file = fopen(path, "re");
                if (!file || !fgets(line, sizeof(line), file) || strstr(line, ") Z "))
                        return;
                if (world_seconds() > until)
                        fail_msg("pid %d is still there: %s", (int)pid, line);
                usleep(1000);
        }
}

/* It ignores SIGTERM, and so does what it has started. */
static void a_hook_that_hangs_is_ended_with_all_that_it_has_started(void **state) {
        const struct hook_config config = { .timeout_ns = SECOND, .at_once = 1 };
        struct world *world = *state;
        cleanup(freep) char *pids = NULL;
        struct outlet *outlet;
        char script[512];
        int one, two;

        snprintf(script, sizeof(script),
                 "#!/bin/sh\ntrap '' TERM\necho here\nsh -c 'trap \"\" TERM; sleep 1000; :' &\necho $$ $! >%s/pids\nsleep 1000\n:\n",
                 world->directory);
        outlet = make_hook(world, script, &config);
        assert_int_equal(run_hook(world, outlet), -ETIMEDOUT);
        assert_string_equal(outlet->why, "it took too long, and was ended: here");
        pids = read_file(world, "pids");
        assert_int_equal(sscanf(pids, "%d %d", &one, &two), 2);
        assert_false(is_there(one));
        wait_gone(two);
        outlet->ops->close(outlet);
}

/* And what it has started, which does not obey, goes with it. */
static void a_hook_that_obeys_sigterm_has_failed_all_the_same(void **state) {
        const struct hook_config config = { .timeout_ns = SECOND, .at_once = 1 };
        struct world *world = *state;
        cleanup(freep) char *pid = NULL;
        struct outlet *outlet;
        char script[512];

        snprintf(script, sizeof(script),
                 "#!/bin/sh\ntrap 'exit 0' TERM\nsh -c 'trap \"\" TERM; echo $$ >%s/pid; sleep 1000; :' &\nwait\n", world->directory);
        outlet = make_hook(world, script, &config);
        assert_int_equal(run_hook(world, outlet), -ETIMEDOUT);
        pid = read_file(world, "pid");
        wait_gone(atoi(pid));
        outlet->ops->close(outlet);
}

static void a_hook_that_does_not_read_is_none_the_worse(void **state) {
        struct world *world = *state;
        struct outlet *outlet = make_hook(world, "#!/bin/sh\nexec <&-\nexit 0\n", &plain);

        assert_int_equal(run_hook(world, outlet), 0);
        outlet->ops->close(outlet);
}

static int count_turn(sd_event_source *source, uint64_t usec, void *userdata) {
        unsigned *n = userdata;

        (*n)++;
        sd_event_source_set_time_relative(source, 10000);
        return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* It writes as fast as it can for its whole life; the loop does other things meanwhile, and its last line is found. */
static void a_hook_that_floods_us_keeps_nobody_from_his_work(void **state) {
        const struct hook_config config = { .timeout_ns = SECOND, .at_once = 1 };
        struct world *world = *state;
        struct outlet *outlet = make_hook(world, "#!/bin/sh\nexec yes flood\n", &config);
        struct rusage before, after;
        sd_event_source *turns;
        unsigned n_turns = 0;
        double cpu;

        getrusage(RUSAGE_SELF, &before);
        assert_true(sd_event_add_time_relative(world->event, &turns, CLOCK_MONOTONIC, 0, 1000, count_turn, &n_turns) >= 0);
        assert_int_equal(run_hook(world, outlet), -ETIMEDOUT);
        getrusage(RUSAGE_SELF, &after);
        assert_string_equal(outlet->why, "it took too long, and was ended: flood");
        /* A hundred turns at best; on a busy machine some are late. */
        assert_true(n_turns >= 20);
        cpu = (double)(after.ru_utime.tv_sec - before.ru_utime.tv_sec + after.ru_stime.tv_sec - before.ru_stime.tv_sec) +
              (double)(after.ru_utime.tv_usec - before.ru_utime.tv_usec + after.ru_stime.tv_usec - before.ru_stime.tv_usec) / 1e6;
        if (cpu > 0.5)
                fail_msg("it cost us %.2f s of a second", cpu);
        sd_event_source_disable_unref(turns);
        outlet->ops->close(outlet);
}

static void what_runs_when_the_outlet_closes_is_waited_for_then_ended(void **state) {
        struct world *world = *state;
        struct outlet *outlet = make_hook(world, "#!/bin/sh\nsleep 0.2\nexit 0\n", &plain);
        char script[256];
        cleanup(freep) char *pid = NULL;
        int r;

        assert_int_equal(outlet->ops->tell(outlet, &world->record), OUTLET_STARTED);
        outlet->ops->settle(outlet, PATIENCE_S * SECOND);
        assert_int_equal(world->n_done, 1);
        assert_int_equal(world->result, 0);
        outlet->ops->close(outlet);

        snprintf(script, sizeof(script), "#!/bin/sh\necho $$ >%s/pid.new\nmv %s/pid.new %s/pid\nsleep 1000\n:\n",
                 world->directory, world->directory, world->directory);
        outlet = make_hook(world, script, &plain);
        assert_int_equal(outlet->ops->tell(outlet, &world->record), OUTLET_STARTED);
        for (double until = world_seconds() + PATIENCE_S; access(world_path(world, "pid"), F_OK) && world_seconds() < until;)
                usleep(1000);
        pid = read_file(world, "pid");
        outlet->ops->settle(outlet, SECOND / 100);
        assert_int_equal(world->n_done, 1);
        outlet->ops->close(outlet);
        r = atoi(pid);
        assert_false(is_there(r));
}

static void note_found(const char *path, void *userdata) {
        char *text = userdata;

        strcat(strcat(text, strrchr(path, '/') + 1), " ");
}

static void note_refused(const char *path, const char *line, void *userdata) {
        strcat(userdata, "(refused) ");
}

static void hooks_are_programs_that_nobody_else_can_write(void **state) {
        struct world *world = *state;
        char text[512] = "";
        struct hook_directory_events events = { note_found, note_refused, text };

        write_file(world, "20-b", "#!/bin/sh\n", 0755);
        write_file(world, "10-a", "#!/bin/sh\n", 0700);
        write_file(world, "30-open", "#!/bin/sh\n", 0757);
        write_file(world, "35-not-yet", "#!/bin/sh\n", 0644);
        write_file(world, "README", "Hooks.\n", 0644);
        write_file(world, "20-b~", "#!/bin/sh\n", 0755);
        write_file(world, ".hidden", "#!/bin/sh\n", 0755);
        write_file(world, "20-b.dpkg-old", "#!/bin/sh\n", 0755);
        assert_int_equal(mkdir(world_path(world, "40-directory"), 0755), 0);
        assert_int_equal(hook_directory_look(world->directory, &events), 0);
        assert_string_equal(text, "10-a 20-b (refused) (refused) ");

        *text = '\0';
        assert_int_equal(hook_directory_look(world_path(world, "20-b"), &events), 0);
        assert_int_equal(hook_directory_look(world_path(world, "README"), &events), 0);
        assert_int_equal(hook_directory_look(world_path(world, "nothing"), &events), -ENOENT);
        assert_string_equal(text, "20-b (refused) ");

        *text = '\0';
        assert_int_equal(chmod(world->directory, 0777), 0);
        assert_int_equal(hook_directory_look(world->directory, &events), 0);
        assert_string_equal(text, "(refused) ");
        assert_int_equal(chmod(world->directory, 0700), 0);
}

/* As a user who may have no process more, in a process of its own. */
static void one_that_there_is_no_room_for_has_not_failed(void **state) {
        struct world *world = *state;
        struct outlet *outlet;
        int status;
        pid_t pid;

        pid = fork();
        if (!pid) {
                if (sd_event_new(&world->event) < 0)
                        _exit(255);
                outlet = make_hook(world, "#!/bin/sh\n", &plain);
                if ((!geteuid() && setresuid(4001, 4001, 4001)) || setrlimit(RLIMIT_NPROC, &(struct rlimit){ 1, 1 }))
                        _exit(255);
                _exit(outlet->ops->tell(outlet, &world->record) & 127);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), OUTLET_AWAY);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
#define SENTENCE(name) cmocka_unit_test_setup_teardown(name, world_begin, world_end)
                SENTENCE(a_hook_gets_the_verdict_and_a_clean_environment),
                SENTENCE(a_hook_inherits_no_descriptor_no_signal_and_no_limit),
                SENTENCE(a_hook_that_fails_says_why_with_its_last_line),
                SENTENCE(a_hook_that_cannot_be_started_says_so),
                SENTENCE(one_that_there_is_no_room_for_has_not_failed),
                SENTENCE(a_hook_that_hangs_is_ended_with_all_that_it_has_started),
                SENTENCE(a_hook_that_obeys_sigterm_has_failed_all_the_same),
                SENTENCE(a_hook_that_does_not_read_is_none_the_worse),
                SENTENCE(a_hook_that_floods_us_keeps_nobody_from_his_work),
                SENTENCE(what_runs_when_the_outlet_closes_is_waited_for_then_ended),
                SENTENCE(hooks_are_programs_that_nobody_else_can_write),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests_name("hook", tests, NULL, NULL);
}
