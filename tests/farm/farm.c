/*
 * A farm of scripted VMs: one process, N QMP sockets, for tests and measurements at a scale that real QEMUs do not reach.
 *
 *      farm DIRECTORY N [THREADS]
 *
 * VM i listens at DIRECTORY/I.qmp.  With THREADS, VM i has a vCPU: one of so many threads of ours that only sleep.  Says "ready N PID", then
 * obeys one line at a time from standard input, and answers with what it did, last of all with "done".  Instants are CLOCK_BOOTTIME, in ns.
 *
 *      say I EVENT [DATA]       "said I AT": VM i says an event, with that JSON object
 *      end I WAY                "ended I WAY AT": poweroff quit signal panic watchdog kill
 *      storm MS WAY ...         all that are there end, evenly within so long, in these ways by turns; "ended ..." for each
 *      pulse N PER_SECOND       N events, SUSPEND and WAKEUP by turns, VM after VM; "said I AT EVENT" for each
 *      resets I N MS            a loop of N resets, so far apart (goes on by itself)
 *      halt I                   from now on its registers show it halted for good
 *      start I                  one that has ended listens anew
 *      stats                    "stats there connected negotiated commands looks"
 *      quit
 */
#include "basics/cleanup.h"
#include "scripted_vm.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

enum {
        EVENTS_AT_ONCE = 256,
        WAYS_MAX = 16,
        THREAD_STACK = 64 * 1024,
        LINE_SIZE = 4096,
};

struct farm {
        const char *directory;
        int epoll;
        struct watched input;
        struct scripted_vm *vms;
        size_t n_vms;
        pid_t *threads;
        size_t n_threads;
        size_t n_resetting;
        char line[LINE_SIZE];
        size_t n_line;
        bool is_over;
};

/* Two descriptors a VM; root may have as many as the kernel gives. */
static void raise_file_limit(size_t n_vms) {
        struct rlimit limit, wanted = { 2 * n_vms + 64, 2 * n_vms + 64 };

        if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= wanted.rlim_cur)
                return;
        if (setrlimit(RLIMIT_NOFILE, &wanted)) {
                limit.rlim_cur = limit.rlim_max;
                setrlimit(RLIMIT_NOFILE, &limit);
        }
}

static void path_of(const struct farm *farm, size_t i, char ret_path[static PATH_MAX]) {
        snprintf(ret_path, PATH_MAX, "%s/%zu.qmp", farm->directory, i);
}

static int start_vm(struct farm *farm, size_t i) {
        char path[PATH_MAX];

        path_of(farm, i, path);
        return scripted_vm_start(&farm->vms[i], i, farm->epoll, path, farm->n_threads ? farm->threads[i % farm->n_threads] : 0);
}

/* --- vCPUs ------------------------------------------------------------------------------------------------------- */

struct birth {
        pthread_mutex_t mutex;
        pthread_cond_t born;
        pid_t thread;
};

static void *sleep_for_ever(void *userdata) {
        struct birth *birth = userdata;

        pthread_mutex_lock(&birth->mutex);
        birth->thread = (pid_t)syscall(SYS_gettid);
        pthread_cond_signal(&birth->born);
        pthread_mutex_unlock(&birth->mutex);
        for (;;)
                pause();
        return NULL;
}

static int start_threads(struct farm *farm, size_t n) {
        struct birth birth = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0 };
        pthread_attr_t attributes;

        farm->threads = calloc(n ? n : 1, sizeof(*farm->threads));
        if (!farm->threads)
                return -ENOMEM;
        pthread_attr_init(&attributes);
        pthread_attr_setstacksize(&attributes, THREAD_STACK);
        for (; farm->n_threads < n; farm->n_threads++) {
                pthread_t thread;
                int error;

                birth.thread = 0;
                error = pthread_create(&thread, &attributes, sleep_for_ever, &birth);
                if (error)
                        return -error;
                pthread_mutex_lock(&birth.mutex);
                while (!birth.thread)
                        pthread_cond_wait(&birth.born, &birth.mutex);
                pthread_mutex_unlock(&birth.mutex);
                farm->threads[farm->n_threads] = birth.thread;
        }
        return 0;
}

/* --- time -------------------------------------------------------------------------------------------------------- */

static void sleep_until(uint64_t at_ns) {
        struct timespec at = { (time_t)(at_ns / 1000000000), (long)(at_ns % 1000000000) };

        while (clock_nanosleep(CLOCK_BOOTTIME, TIMER_ABSTIME, &at, NULL) == EINTR)
                ;
}

static void take_ready(struct farm *farm, int timeout_ms);

/* Serve the VMs' clients until then. */
static void serve_until(struct farm *farm, uint64_t at_ns) {
        uint64_t now_ns;

        while ((now_ns = scripted_now_ns()) < at_ns) {
                if (at_ns - now_ns > UINT64_C(2000000)) {
                        take_ready(farm, (int)((at_ns - now_ns) / 1000000) - 1);
                } else {
                        take_ready(farm, 0);
                        sleep_until(at_ns);
                }
        }
}

/* Resets that are due; how long until the next, in ms, -1: none. */
static int go_on_resetting(struct farm *farm) {
        uint64_t now_ns, next_ns = UINT64_MAX;

        if (!farm->n_resetting)
                return -1;
        now_ns = scripted_now_ns();
        farm->n_resetting = 0;
        for (size_t i = 0; i < farm->n_vms; i++) {
                struct scripted_vm *vm = &farm->vms[i];

                if (vm->resets_left && vm->reset_at_ns <= now_ns) {
                        scripted_vm_say(vm, "RESET", "{\"guest\": true, \"reason\": \"guest-reset\"}");
                        vm->resets_left--;
                        vm->reset_at_ns += vm->reset_every_ns;
                }
                if (!vm->resets_left)
                        continue;
                farm->n_resetting++;
                if (vm->reset_at_ns < next_ns)
                        next_ns = vm->reset_at_ns;
        }
        return next_ns == UINT64_MAX ? -1 : next_ns <= now_ns ? 0 : (int)((next_ns - now_ns) / 1000000) + 1;
}

/* --- orders ------------------------------------------------------------------------------------------------------ */

static struct scripted_vm *take_vm(struct farm *farm, char **rest) {
        const char *word = strsep(rest, " ");
        char *end = NULL;
        unsigned long i = word && *word ? strtoul(word, &end, 10) : 0;

        return end && !*end && i < farm->n_vms ? &farm->vms[i] : NULL;
}

static unsigned long take_number(char **rest) {
        const char *word = strsep(rest, " ");

        return word ? strtoul(word, NULL, 10) : 0;
}

static void end_vm(struct scripted_vm *vm, const char *way) {
        uint64_t at_ns = scripted_vm_end(vm, way);

        if (at_ns)
                printf("ended %zu %s %" PRIu64 "\n", vm->number, way, at_ns);
}

static void order_storm(struct farm *farm, char *rest) {
        uint64_t span_ns = take_number(&rest) * UINT64_C(1000000), start_ns = scripted_now_ns();
        const char *ways[WAYS_MAX];
        size_t n_ways = 0, n_ended = 0;

        while (rest && n_ways < WAYS_MAX)
                ways[n_ways++] = strsep(&rest, " ");
        for (size_t i = 0; n_ways && i < farm->n_vms; i++) {
                if (!scripted_vm_is_there(&farm->vms[i]))
                        continue;
                serve_until(farm, start_ns + span_ns * i / farm->n_vms);
                end_vm(&farm->vms[i], ways[n_ended++ % n_ways]);
        }
}

static void order_pulse(struct farm *farm, char *rest) {
        unsigned long n = take_number(&rest), per_second = take_number(&rest);
        uint64_t start_ns = scripted_now_ns();

        for (unsigned long k = 0; per_second && k < n; k++) {
                struct scripted_vm *vm = &farm->vms[k % farm->n_vms];
                const char *event = k / farm->n_vms % 2 ? "WAKEUP" : "SUSPEND";
                uint64_t at_ns;

                serve_until(farm, start_ns + k * UINT64_C(1000000000) / per_second);
                at_ns = scripted_vm_say(vm, event, NULL);
                if (at_ns)
                        printf("said %zu %" PRIu64 " %s\n", vm->number, at_ns, event);
        }
}

static void order_stats(const struct farm *farm) {
        uint64_t n_there = 0, n_connected = 0, n_negotiated = 0, n_commands = 0, n_looks = 0;

        for (size_t i = 0; i < farm->n_vms; i++) {
                const struct scripted_vm *vm = &farm->vms[i];

                n_there += scripted_vm_is_there(vm);
                n_connected += vm->client.fd >= 0;
                n_negotiated += vm->is_negotiated;
                n_commands += vm->n_commands;
                n_looks += vm->n_looks;
        }
        printf("stats %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", n_there, n_connected, n_negotiated,
               n_commands, n_looks);
}

static void order_resets(struct farm *farm, struct scripted_vm *vm, char *rest) {
        vm->resets_left = take_number(&rest);
        vm->reset_every_ns = take_number(&rest) * UINT64_C(1000000);
        vm->reset_at_ns = scripted_now_ns();
        farm->n_resetting++;
}

/* True: it was one of the orders to a single VM. */
static bool obey_for_vm(struct farm *farm, const char *verb, char *rest) {
        static const char *const verbs[] = { "say", "end", "resets", "halt", "start" };
        struct scripted_vm *vm;
        size_t i = 0;

        while (i < N_ELEMENTS(verbs) && strcmp(verbs[i], verb))
                i++;
        if (i == N_ELEMENTS(verbs))
                return false;
        vm = take_vm(farm, &rest);
        if (!vm) {
                printf("error: there is no such VM\n");
        } else if (!strcmp(verb, "say")) {
                const char *event = strsep(&rest, " ");
                uint64_t at_ns = event ? scripted_vm_say(vm, event, rest) : 0;

                printf("%s %zu %" PRIu64 "\n", at_ns ? "said" : "error: nobody hears", vm->number, at_ns);
        } else if (!strcmp(verb, "end")) {
                end_vm(vm, rest ? rest : "");
        } else if (!strcmp(verb, "resets")) {
                order_resets(farm, vm, rest);
        } else if (!strcmp(verb, "halt")) {
                vm->is_halted = true;
        } else if (!scripted_vm_is_there(vm) && start_vm(farm, vm->number)) {
                printf("error: it cannot listen\n");
        }
        return true;
}

static void obey(struct farm *farm, char *line) {
        const char *verb = strsep(&line, " ");

        if (!strcmp(verb, "quit"))
                farm->is_over = true;
        else if (!strcmp(verb, "storm"))
                order_storm(farm, line);
        else if (!strcmp(verb, "pulse"))
                order_pulse(farm, line);
        else if (!strcmp(verb, "stats"))
                order_stats(farm);
        else if (!obey_for_vm(farm, verb, line))
                printf("error: there is no order %.64s\n", verb);
        printf("done\n");
        fflush(stdout);
}

static void take_input(struct farm *farm) {
        ssize_t n = read(farm->input.fd, farm->line + farm->n_line, LINE_SIZE - 1 - farm->n_line);
        char *newline;

        if (n <= 0 || farm->n_line + (size_t)n == LINE_SIZE - 1) {
                farm->is_over = true;
                return;
        }
        farm->n_line += (size_t)n;
        while (!farm->is_over && (newline = memchr(farm->line, '\n', farm->n_line))) {
                char order[LINE_SIZE];
                size_t n_order = (size_t)(newline - farm->line);

                /* Obeying may serve clients, never this input. */
                memcpy(order, farm->line, n_order);
                order[n_order] = '\0';
                farm->n_line -= n_order + 1;
                memmove(farm->line, newline + 1, farm->n_line);
                obey(farm, order);
        }
}

/* --- the loop ---------------------------------------------------------------------------------------------------- */

static bool is_ordering; /* an order runs: the next one waits */

static void take_ready(struct farm *farm, int timeout_ms) {
        struct epoll_event events[EVENTS_AT_ONCE];
        int n = epoll_wait(farm->epoll, events, EVENTS_AT_ONCE, timeout_ms);

        for (int i = 0; i < n; i++) {
                struct watched *watched = events[i].data.ptr;

                /* It may have ended earlier in this round. */
                if (watched->fd < 0)
                        continue;
                if (!watched->vm) {
                        if (is_ordering)
                                continue;
                        is_ordering = true;
                        take_input(farm);
                        is_ordering = false;
                } else if (watched == &watched->vm->listener) {
                        scripted_vm_on_listener(watched->vm);
                } else {
                        scripted_vm_on_client(watched->vm);
                }
        }
}

int main(int argc, char **argv) {
        struct farm farm = { .directory = argc > 1 ? argv[1] : "", .input.fd = STDIN_FILENO };
        struct epoll_event event = { .events = EPOLLIN, .data.ptr = &farm.input };
        int r;

        if (argc < 3 || argc > 4) {
                fprintf(stderr, "Usage: farm DIRECTORY N [THREADS]\n");
                return 2;
        }
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        farm.n_vms = strtoul(argv[2], NULL, 10);
        raise_file_limit(farm.n_vms);
        farm.vms = calloc(farm.n_vms ? farm.n_vms : 1, sizeof(*farm.vms));
        farm.epoll = epoll_create1(EPOLL_CLOEXEC);
        if (!farm.vms || farm.epoll < 0 || epoll_ctl(farm.epoll, EPOLL_CTL_ADD, STDIN_FILENO, &event) < 0)
                return 1;
        r = start_threads(&farm, argc > 3 ? strtoul(argv[3], NULL, 10) : 0);
        for (size_t i = 0; !r && i < farm.n_vms; i++)
                r = start_vm(&farm, i);
        if (r) {
                fprintf(stderr, "farm: %s\n", strerror(-r));
                return 1;
        }
        printf("ready %zu %d\n", farm.n_vms, (int)getpid());
        fflush(stdout);
        while (!farm.is_over)
                take_ready(&farm, go_on_resetting(&farm));
        for (size_t i = 0; i < farm.n_vms; i++)
                scripted_vm_stop(&farm.vms[i]);
        free(farm.vms);
        free(farm.threads);
        close(farm.epoll);
        return 0;
}
