#include "api/api_test_world.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <inttypes.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>

#include <cmocka.h>

#include "basics/cleanup.h"
#include "keeper/keeper_health.h"
#include "core/evidence.h"
#include "core/text.h"

struct world *world_now;

/* The keeper that we play. */

static struct kept_vm kept(const struct played_vm *vm) {
        return (struct kept_vm){
                .instance = &vm->vm,
                .state = vm->state,
                .since_ns = vm->since_ns,
                .monitor = *vm->monitor ? vm->monitor : NULL,
                .shared_monitor = *vm->monitor ? "/run/qmp/shared.sock" : NULL,
                .sources = (*vm->monitor ? 1u << SOURCE_QMP : 0) | 1u << SOURCE_PROCESS,
                .could_attach = *vm->monitor ? NULL : "/run/could.qmp",
                .last_verdict = *vm->last_verdict ? vm->last_verdict : NULL,
                .last_summary = *vm->last_verdict ? "it went" : NULL,
        };
}

size_t keeper_n_vms(const struct keeper *keeper) {
        return world_now->n_vms;
}

int keeper_each_vm(struct keeper *keeper, int (*each)(const struct kept_vm *vm, void *userdata), void *userdata) {
        for (size_t i = 0; i < world_now->n_vms; i++) {
                struct kept_vm vm = kept(&world_now->vms[i]);
                int r = each(&vm, userdata);

                if (r)
                        return r;
        }
        return 0;
}

static struct played_vm *find(const char *name, int64_t uid) {
        struct played_vm *found = NULL;

        for (size_t i = 0; i < world_now->n_vms; i++) {
                struct played_vm *vm = &world_now->vms[i];

                if (!strcmp(vm->vm.identity.instance, name))
                        return vm;
                if (!strcmp(vm->vm.identity.name, name) && (!found || vm->vm.uid == uid))
                        found = vm;
        }
        return found;
}

int keeper_find_vm(struct keeper *keeper, const char *name, int64_t uid, struct kept_vm *ret_vm) {
        const struct played_vm *vm = find(name, uid);

        if (!vm)
                return -ENOENT;
        *ret_vm = kept(vm);
        return 0;
}

int keeper_find_one_vm(struct keeper *keeper, const char *name, int64_t uid, struct kept_vm *ret_vm, char ret_why[static STORE_WHY_MAX]) {
        const struct played_vm *vm = find(name, uid);
        int r = keeper_find_vm(keeper, name, uid, ret_vm);

        for (size_t i = 0; !r && vm->vm.uid != uid && strcmp(vm->vm.identity.instance, name) && i < world_now->n_vms; i++)
                if (&world_now->vms[i] != vm && !strcmp(world_now->vms[i].vm.identity.name, name))
                        r = -ENOTUNIQ;
        if (r == -ENOTUNIQ)
                snprintf(ret_why, STORE_WHY_MAX, "say which");
        return r;
}

/* The monitor greets, or does not, when the loop comes round. */
static int on_greeted(sd_event_source *source, void *userdata) {
        const struct keeper_attach_order *order = &world_now->order;
        struct played_vm *vm = userdata;
        struct kept_vm present = kept(vm);

        sd_event_source_unref(source);
        order->done(order->userdata, world_now->greeting_result, world_now->greeting_result ? NULL : &present,
                    "the monitor says no");
        return 0;
}

int keeper_attach(struct keeper *keeper, const struct keeper_attach_order *order, char ret_why[static STORE_WHY_MAX]) {
        struct played_vm *vm = find(order->name, -1);
        sd_event_source *source;

        world_now->asker = *order->asker;
        world_now->order = *order;
        snprintf(world_now->attached, sizeof(world_now->attached), "%s %s %d", order->name, order->path, (int)order->pid);
        if (world_now->attach_result) {
                snprintf(ret_why, STORE_WHY_MAX, "the keeper says no");
                return world_now->attach_result;
        }
        if (!vm)
                return -ESRCH;
        snprintf(vm->monitor, sizeof(vm->monitor), "%.127s", order->path);
        return sd_event_add_defer(world_now->event, &source, on_greeted, vm) < 0 ? -ENOMEM : 0;
}

/* It is on record when the loop comes round. */
static int on_given_back(sd_event_source *source, void *userdata) {
        const struct keeper_detach_order *order = &world_now->detach_order;
        struct kept_vm present = kept(userdata);

        sd_event_source_unref(source);
        order->done(order->userdata, 0, &present, NULL);
        return 0;
}

int keeper_detach(struct keeper *keeper, const struct keeper_detach_order *order, char ret_why[static STORE_WHY_MAX]) {
        struct played_vm *vm = find(order->name, -1);
        sd_event_source *source;

        world_now->asker = *order->asker;
        world_now->detach_order = *order;
        snprintf(world_now->attached, sizeof(world_now->attached), "%s", order->name);
        if (!vm || !*vm->monitor) {
                snprintf(ret_why, STORE_WHY_MAX, "no monitor is held");
                return vm ? -ENOTCONN : -ENOENT;
        }
        *vm->monitor = '\0';
        return sd_event_add_defer(world_now->event, &source, on_given_back, vm) < 0 ? -ENOMEM : 0;
}

const char *keeper_action(size_t i) {
        static const char *const actions[] = { "shutdown", "destroy", NULL };

        return i < N_ELEMENTS(actions) ? actions[i] : NULL;
}

static int on_done(sd_event_source *source, void *userdata) {
        struct keeper_request request = world_now->request;
        struct played_vm *vm = find(world_now->attached, -1);
        struct kept_vm present = { 0 };

        sd_event_source_unref(source);
        if (vm)
                present = kept(vm);
        request.done(request.userdata, world_now->greeting_result, vm && !world_now->has_gone ? &present : NULL, "QEMU says no");
        return 0;
}

int keeper_ask(struct keeper *keeper, const struct keeper_request *request, char ret_why[static STORE_WHY_MAX]) {
        sd_event_source *source;

        world_now->asker = *request->asker;
        world_now->request = *request;
        snprintf(world_now->attached, sizeof(world_now->attached), "%s", request->vm);
        snprintf(world_now->asked, sizeof(world_now->asked), "%s", request->action);
        if (world_now->attach_result) {
                snprintf(ret_why, STORE_WHY_MAX, "the keeper says no");
                return world_now->attach_result;
        }
        return sd_event_add_defer(world_now->event, &source, on_done, NULL) < 0 ? -ENOMEM : 0;
}

struct backlog_state keeper_backlog(const struct keeper *keeper) {
        return (struct backlog_state){ .n_verdicts = world_now->n_waiting, .n_facts = 2, .n_lost_verdicts = 3, .n_lost_facts = 4 };
}

const char *keeper_helper_program(const struct keeper *keeper, size_t i, pid_t *ret_pid) {
        *ret_pid = i ? 0 : 4711;
        return i < 2 ? "vmpower-source-xen" : NULL;
}

bool keeper_lacks(const struct keeper *keeper, size_t i, struct tracing_lack *ret_lack) {
        *ret_lack = (struct tracing_lack){ "trace-ports", "there is no such tracepoint", "that is not seen" };
        return i == 0;
}

/* And the outbox. */

void outbox_each(const struct outbox *outbox, void (*each)(const struct outbox_state *state, void *userdata), void *userdata) {
        each(&(struct outbox_state){ "journald", 7, 1, 0, 0 }, userdata);
        each(&(struct outbox_state){ "hook:/a \"b\"\\\n", 4, 6, 2, 3 }, userdata);
}

/* The world. */

bool world_is_root(void) {
        return geteuid() == 0;
}

static int identify(int fd, const char *via, struct actor *ret_actor) {
        struct ucred peer;
        socklen_t n = sizeof(peer);

        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n))
                return -errno;
        *ret_actor = (struct actor){ .pid = peer.pid, .uid = (int64_t)geteuid(), .comm = "tester" };
        text_set(ret_actor->via, sizeof(ret_actor->via), via);
        return 0;
}

struct played_vm *world_add_vm(struct world *world, const char *name, int64_t uid, const char *instance) {
        struct played_vm *vm = &world->vms[world->n_vms++];

        vm->vm = (struct store_vm){ .pid = getpid(), .uid = uid, .policy = strdup("on_reboot=restart"), .began_ns = 1000000000 };
        snprintf(vm->vm.identity.name, sizeof(vm->vm.identity.name), "%s", name);
        snprintf(vm->vm.identity.backend, sizeof(vm->vm.identity.backend), "qemu");
        snprintf(vm->vm.identity.instance, sizeof(vm->vm.identity.instance), "%s", instance);
        vm->vm.command_line = strdup("qemu-system-x86_64 -name secret-line");
        vm->since_ns = UINT64_C(1795403527000000000);
        strcpy(vm->state, "running");
        if (store_add_vm(world->store, &vm->vm, NULL, world->why))
                fail_msg("%s", world->why);
        return vm;
}

static void start(struct world *world) {
        int fd, r;

        r = api_listen(&fd, world->path);
        if (!r)
                r = api_new(&world->api, world->event, NULL, world->store, fd, &world->config);
        if (r)
                fail_msg("the API does not start: %s", strerror(-r));
}

void world_restart(struct world *world) {
        world->api = api_free(world->api);
        start(world);
}

int world_begin(void **state) {
        struct world *world = calloc(1, sizeof(*world));

        *state = world_now = world;
        strcpy(world->directory, "/tmp/vmpower-api-XXXXXX");
        if (!mkdtemp(world->directory) || chmod(world->directory, 0755))
                return -1;
        snprintf(world->path, sizeof(world->path), "%s/vmpower.sock", world->directory);
        if (store_open(&world->store, world->directory, STORE_WRITE, world->why) || sd_event_new(&world->event) < 0)
                return -1;
        world_add_vm(world, "web-1", world_is_root() ? ALICE : geteuid(), "boot:1:1");
        strcpy(world_add_vm(world, world_is_root() ? "web-1" : "web-2", world_is_root() ? BOB : geteuid(), "boot:2:2")->state,
               "paused");
        strcpy(world_add_vm(world, "db-1", world_is_root() ? BOB : geteuid(), "boot:3:3")->state, "gone");
        world->config = (struct api_config){ .version = "0.1", .identify = identify, .idle_timeout_s = 30,
                                              .outbox = (const struct outbox *)world };
        start(world);
        return 0;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where) {
        return remove(path);
}

int world_end(void **state) {
        struct world *world = *state;

        world->api = api_free(world->api);
        sd_event_unref(world->event);
        world->store = store_close(world->store);
        for (size_t i = 0; i < world->n_vms; i++)
                store_vm_deinit(&world->vms[i].vm);
        nftw(world->directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
        free(world);
        world_now = NULL;
        return 0;
}

/* Verdicts. */

struct written {
        bool is_done;
        int result;
        uint64_t id; /* of the evidence */
        uint64_t number;
};

static void note_written(struct store_batch *batch, int result, const char *why, void *userdata) {
        struct written *written = userdata;

        written->is_done = true;
        written->result = result;
        if (result)
                fail_msg("%s", why);
        if (store_batch_n_evidence(batch))
                written->id = store_batch_evidence(batch, 0, NULL)->id;
        if (store_batch_n_verdicts(batch))
                written->number = store_batch_verdict(batch, 0, NULL)->number;
}

static struct written write_batch(struct world *world, struct store_batch *batch) {
        struct written written = {};

        assert_int_equal(store_submit(world->store, batch, note_written, &written), 0);
        store_drain(world->store);
        assert_true(written.is_done);
        return written;
}

static uint64_t write_fact(struct world *world, const struct played_vm *vm, struct evidence *fact) {
        struct store_batch *batch;
        struct evidence copy;

        assert_int_equal(store_batch_new(&batch), 0);
        assert_int_equal(evidence_copy(&copy, fact), 0);
        assert_int_equal(store_batch_add_evidence(batch, vm->vm.id, &copy), 0);
        return write_batch(world, batch).id;
}

struct verdict_record world_tell(struct world *world, const struct played_vm *vm, int64_t actor_uid) {
        static uint64_t n;
        struct actor actor = { .pid = 77, .tid = 78, .session = 70, .uid = actor_uid, .login_from = "10.0.0.5:50022", .comm = "kill", .cmdline = "kill -9 1234",
                               .client = { 79, 0, "root", "virsh", "virsh destroy 1234" }, .via = "SIGKILL" };
        struct evidence fact = evidence_make(SOURCE_TRACE, EVIDENCE_SIGNAL);
        struct verdict_record record, stored;
        struct store_batch *batch;
        struct timespec now;
        struct verdict verdict;

        clock_gettime(CLOCK_BOOTTIME, &now);
        fact.seq = ++n;
        fact.at_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
        fact.time_ns = UINT64_C(1795403527000000000) + n * 1000000000;
        fact.number = 9;
        evidence_set_word(&fact, "SIGKILL");
        if (actor_uid != -2)
                assert_int_equal(evidence_set_actor(&fact, &actor), 0);
        fact.id = write_fact(world, vm, &fact);
        verdict = (struct verdict){
                .at_ns = fact.at_ns,
                .time_ns = fact.time_ns,
                .transition = TRANSITION_DESTROY,
                .initiator = INITIATOR_OPERATOR,
                .mechanism = MECHANISM_SIGNAL,
                .graceful = TRISTATE_FALSE,
                .left = LEFT_GONE,
                .count = 1,
                .rule = judge_rule(0)->name,
                .actor = fact.actor,
                .n_proof = 1,
        };
        assert_int_equal(verdict_record_make(&record, &vm->vm.identity, &verdict, &fact, 1, fact.id, 0), 0);
        assert_int_equal(verdict_record_make(&stored, &vm->vm.identity, &verdict, &fact, 1, fact.id, 0), 0);
        evidence_deinit(&fact);
        assert_int_equal(store_batch_new(&batch), 0);
        assert_int_equal(store_batch_add_verdict(batch, vm->vm.id, &stored), 0);
        record.number = write_batch(world, batch).number;
        return record;
}

uint64_t world_publish(struct world *world, const struct played_vm *vm) {
        cleanup(verdict_record_deinit) struct verdict_record record = world_tell(world, vm, -2);

        api_publish(world->api, &record, vm->vm.uid);
        return record.number;
}

void world_sql(struct world *world, const char *sql) {
        char path[128];
        sqlite3 *database;

        snprintf(path, sizeof(path), "%s/vmpower.db", world->directory);
        if (sqlite3_open(path, &database) || sqlite3_exec(database, sql, NULL, NULL, NULL))
                fail_msg("%s: %s", sql, sqlite3_errmsg(database));
        sqlite3_close(database);
}

/* Peers. */

static int connect_now(struct world *world) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        snprintf(address.sun_path, sizeof(address.sun_path), "%s", world->path);
        if (connect(fd, (struct sockaddr *)&address, sizeof(address)))
                fail_msg("connect: %s", strerror(errno));
        assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
        return fd;
}

/* SO_PEERCRED is what the effective ids are at connect(): of this thread alone, for the store's own has given up the right to change its. */
int world_connect_in_group(struct world *world, int64_t uid, gid_t group) {
        int fd;

        if (uid == (int64_t)geteuid())
                return connect_now(world);
        assert_int_equal(syscall(SYS_setgroups, 1, &group), 0);
        assert_int_equal(syscall(SYS_setresgid, (gid_t)-1, (gid_t)uid, (gid_t)-1), 0);
        assert_int_equal(syscall(SYS_setresuid, (uid_t)-1, (uid_t)uid, (uid_t)-1), 0);
        fd = connect_now(world);
        assert_int_equal(syscall(SYS_setresuid, (uid_t)-1, 0, (uid_t)-1), 0);
        assert_int_equal(syscall(SYS_setresgid, (gid_t)-1, 0, (gid_t)-1), 0);
        assert_int_equal(syscall(SYS_setgroups, 0, NULL), 0);
        return fd;
}

int world_connect(struct world *world, int64_t uid) {
        return world_connect_in_group(world, uid, (gid_t)uid);
}

void world_run(struct world *world, unsigned ms) {
        while (sd_event_run(world->event, (uint64_t)ms * 1000) > 0)
                ;
}

void peer_send(int fd, const char *text) {
        size_t n = strlen(text);

        while (n) {
                ssize_t sent = send(fd, text, n, MSG_NOSIGNAL);

                if (sent < 0 && errno == EAGAIN) {
                        sd_event_run(world_now->event, 1000);
                        continue;
                }
                if (sent < 0)
                        return; /* the API does not hear it out */
                text += sent;
                n -= (size_t)sent;
        }
}

/* More bytes behind those that are there.  1: some; 0: closed; -1: nothing for 3 s. */
static int receive(struct world *world, int fd, char *text, size_t *n, size_t n_max) {
        struct timespec begin, now;

        clock_gettime(CLOCK_MONOTONIC, &begin);
        do {
                ssize_t got = recv(fd, text + *n, n_max - 1 - *n, 0);

                if (got > 0) {
                        *n += (size_t)got;
                        text[*n] = '\0';
                        return 1;
                }
                if (got == 0 || errno != EAGAIN)
                        return 0;
                sd_event_run(world->event, 5000);
                clock_gettime(CLOCK_MONOTONIC, &now);
        } while (now.tv_sec - begin.tv_sec < 3);
        return -1;
}

static size_t content_length(const char *head) {
        const char *found = strcasestr(head, "\r\nContent-Length:");

        return found ? strtoul(found + 17, NULL, 10) : 0;
}

unsigned world_read_answer(struct world *world, int fd) {
        size_t n = 0;
        char *end;

        world->status = 0;
        *world->text = *world->head = '\0';
        while (!(end = strstr(world->text, "\r\n\r\n")))
                if (receive(world, fd, world->text, &n, TEXT_MAX) <= 0)
                        return 0;
        end += 4;
        assert_true((size_t)(end - world->text) < sizeof(world->head));
        memcpy(world->head, world->text, (size_t)(end - world->text));
        world->head[end - world->text] = '\0';
        n -= (size_t)(end - world->text);
        memmove(world->text, end, n + 1);
        world->status = (unsigned)strtoul(world->head + 9, NULL, 10);
        while (n < content_length(world->head))
                if (receive(world, fd, world->text, &n, TEXT_MAX) <= 0)
                        fail_msg("the answer ends early: %s%s", world->head, world->text);
        return world->status;
}

bool world_read_until(struct world *world, int fd, const char *text) {
        size_t n = strlen(world->text);

        while (!strstr(world->text, text))
                if (receive(world, fd, world->text, &n, TEXT_MAX) <= 0)
                        return false;
        return true;
}

bool world_is_closed(struct world *world, int fd) {
        size_t n;
        int r;

        do {
                n = 0;
                r = receive(world, fd, world->text, &n, TEXT_MAX);
        } while (r > 0);
        return r == 0;
}

unsigned world_ask_with_body(struct world *world, int64_t uid, const char *request, const char *body) {
        cleanup(closep) int fd = world_connect(world, uid);
        cleanup(freep) char *text = NULL;
        int n;

        n = *body ? asprintf(&text, "%s HTTP/1.1\r\nHost: vmpower\r\nContent-Length: %zu\r\n\r\n%s", request, strlen(body),
                             body) :
                    asprintf(&text, "%s HTTP/1.1\r\nHost: vmpower\r\n\r\n", request);
        assert_true(n > 0);
        peer_send(fd, text);
        return world_read_answer(world, fd);
}

unsigned world_ask(struct world *world, int64_t uid, const char *request) {
        return world_ask_with_body(world, uid, request, "");
}

json_t *world_json(struct world *world) {
        static json_t *json;
        json_error_t error;

        json_decref(json);
        json = json_loads(world->text, 0, &error);
        if (!json)
                fail_msg("%s: %s", error.text, world->text);
        return json;
}

const char *world_value(struct world *world, const char *path) {
        static char text[1024];
        cleanup(freep) char *copy = strdup(path);
        json_t *json = world_json(world);

        for (char *rest = copy, *key; (key = strsep(&rest, "."));)
                json = json_is_array(json) ? json_array_get(json, strtoul(key, NULL, 10)) : json_object_get(json, key);
        if (!json)
                return "-";
        if (json_is_string(json))
                snprintf(text, sizeof(text), "%s", json_string_value(json));
        else
                text[json_dumpb(json, text, sizeof(text) - 1, JSON_COMPACT | JSON_ENCODE_ANY)] = '\0';
        /* So that the sanitizer finds nothing that is still held. */
        return text;
}

void world_expect(struct world *world, const char *path, const char *value) {
        const char *found = world_value(world, path);

        if (strcmp(found, value))
                fail_msg("%s is %s, not %s, in %s%s", path, found, value, world->head, world->text);
}
