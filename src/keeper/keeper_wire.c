#include "keeper/keeper_inside.h"
#include "basics/cleanup.h"
#include "core/text.h"
#include "engine/tracing.h"
#include "keeper/claims.h"
#include "keeper/known_facts.h"
#include "sources/proc.h"
#include "sources/wire/wire_listener.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* One that tells of one VM. */
struct wire_link {
        struct keeper *keeper;
        struct wire_link *next, *previous;
        struct wire_peer *peer; /* NULL: it has gone, and told of the VM's end before */
        pid_t pid;
        struct kept *kept;   /* NULL: its story is told */
        int64_t vm;          /* its row */
        unsigned sources;
        bool is_same;        /* it writes our own database: verdicts are there, and nothing else is to be done */
        bool has_ended, monitor_is_open; /* by what was told */
        struct traced *held; /* what the kernel sees of the VM's end, where it is told by the teller; NULL: nothing */
        char *monitor;       /* the one that it holds; owned; NULL: not known */
        char name[VM_NAME_MAX]; /* as it was told last */
        char user[sizeof(((struct actor *)0)->user)]; /* what its teller is called, where that matters; "": not known */
        struct known_facts known;
        char last_told[VERDICT_ID_MAX]; /* the verdict of its own that was told last */
        char decided_id[VERDICT_ID_MAX]; /* the verdict of ours that its owner decides on */
        struct decision decision;
        struct wire_decision decided;   /* what came of it, told before we had judged; policy "": nothing */
};

/* --- links ------------------------------------------------------------------------------------------------------- */

static void link_free(struct wire_link *link) {
        if (link->kept)
                link->kept->wire = NULL;
        if (link->previous)
                link->previous->next = link->next;
        else if (link->keeper->links == link)
                link->keeper->links = link->next;
        if (link->next)
                link->next->previous = link->previous;
        free(link->monitor);
        traced_free(link->held);
        known_facts_deinit(&link->known);
        free(link);
}

/* Whoever could write our database himself. */
static bool is_trusted(const struct wire_peer *peer) {
        return wire_peer_uid(peer) == 0 || wire_peer_uid(peer) == geteuid();
}

static struct wire_link *link_new(struct keeper *keeper, struct wire_peer *peer, const struct wire_hello *hello, struct kept *kept) {
        struct wire_link *link = calloc(1, sizeof(*link));

        if (!link)
                return NULL;
        link->keeper = keeper;
        link->peer = peer;
        link->pid = wire_peer_pid(peer);
        link->kept = kept;
        link->vm = kept_instance(kept)->id;
        link->sources = wire_peer_uid(peer) ? hello->sources & CLAIMS_SOURCES : hello->sources;
        link->monitor = hello->vm.monitor[0] ? strdup(hello->vm.monitor) : NULL;
        memcpy(link->name, hello->vm.name, sizeof(link->name));
        if (!is_trusted(peer))
                proc_user_name(link->user, sizeof(link->user), wire_peer_uid(peer));
        link->next = keeper->links;
        if (keeper->links)
                keeper->links->previous = link;
        keeper->links = link;
        kept->wire = link;
        return link;
}

bool keeper_wire_hears(const struct keeper *keeper, pid_t pid) {
        return keeper->wire && wire_listener_hears(keeper->wire, pid);
}

pid_t keeper_wire_teller(const struct kept *kept) {
        return kept->wire->pid;
}

unsigned keeper_wire_sources(const struct kept *kept) {
        return kept->wire->sources;
}

bool keeper_wire_holds(const struct kept *kept, const char *path) {
        return kept->wire->monitor && !strcmp(kept->wire->monitor, path);
}

/* --- VMs that a vmpower writes down in our own database ------------------------------------------------------------- */

static int on_its_verdict(const struct verdict_record *record, void *userdata) {
        struct wire_link *link = userdata;
        struct keeper *keeper = link->keeper;

        if (!link->kept || strcmp(record->vm.instance, kept_instance(link->kept)->identity.instance))
                return 1;
        kept_note_verdict(link->kept, record->id, record->summary, record->verdict.left, record->verdict.time_ns);
        if (!strcmp(link->last_told, record->id))
                return 1;
        memcpy(link->last_told, record->id, sizeof(link->last_told));
        if (record->number > keeper->first_number)
                keeper->events.verdict(record, kept_instance(link->kept)->uid, keeper->events.userdata);
        return 1;
}

/* The one of that id; NULL: the newest. */
static void look_for_verdict(struct wire_link *link, const char *id) {
        const struct store_query query = { .vm = link->vm, .verdict_id = id, .limit = 1 };
        char why[STORE_WHY_MAX] = "";
        int r = store_each_verdict(link->keeper->store, &query, on_its_verdict, link, why);

        if (r < 0)
                keeper_say(link->keeper, "%.200s: cannot read its verdict: %s", kept_name(link->kept), why);
}

/* What it wrote down last it may not have had the time to tell. */
static void drop_told(struct wire_link *link) {
        struct kept *kept = link->kept;

        look_for_verdict(link, NULL);
        vm_list_remove(&link->keeper->vms, kept);
        link->kept = NULL;
        keeper_outlasted(link->keeper, kept);
        kept_free(kept);
}

void keeper_wire_left(struct keeper *keeper, const char *instance) {
        struct kept *kept = vm_list_find_instance(&keeper->vms, instance);

        if (kept && kept->told)
                drop_told(kept->wire);
}

/* The database has its word: it is that process which looks after this VM. */
static int list_same(struct keeper *keeper, struct wire_peer *peer, const struct wire_hello *hello, struct wire_link **ret_link) {
        struct store_vm vm = { 0 };
        char watcher[PROC_INSTANCE_MAX];
        struct kept *kept = NULL;
        int r = store_find_vm(keeper->store, hello->vm.instance, &vm);

        if (!r && (vm.ended_ns || strcmp(vm.identity.instance, hello->vm.instance) ||
                   proc_instance(wire_peer_pid(peer), watcher) || strcmp(vm.watcher, watcher)))
                r = -EPERM;
        if (!r) {
                others_add(keeper->others, wire_peer_pid(peer), (pid_t)vm.pid, vm.identity.instance);
                r = kept_new_told(&kept, &keeper->home, &vm);
        }
        store_vm_deinit(&vm);
        if (!r && vm_list_add(&keeper->vms, kept)) {
                kept_free(kept);
                r = -ENOMEM;
        }
        if (r)
                return r;
        *ret_link = link_new(keeper, peer, hello, kept);
        if (!*ret_link) {
                vm_list_remove(&keeper->vms, kept);
                kept_free(kept);
                return -ENOMEM;
        }
        (*ret_link)->is_same = true;
        return 0;
}

/* --- VMs of another database: what is told of them is stored and judged here, too ---------------------------------- */

static void read_known(struct wire_link *link) {
        char why[STORE_WHY_MAX];

        if (known_facts_read(&link->known, link->keeper->store, link->vm, why))
                keeper_say(link->keeper, "%.200s: cannot read what is on record of it: %s", kept_name(link->kept), why);
}

static void on_evidence(struct wire_link *link, struct evidence *evidence) {
        struct evidence fact = *evidence;

        if (fact.kind == EVIDENCE_MONITOR_OPENED || fact.kind == EVIDENCE_MONITOR_CLOSED)
                link->monitor_is_open = fact.kind == EVIDENCE_MONITOR_OPENED;
        if (evidence_ends_process(&fact))
                link->has_ended = true;
        if (known_facts_have(&link->known, &fact))
                return;
        /* What the kernel saw comes before what was told of it. */
        tracing_drain(link->keeper->tracing);
        evidence->actor = NULL;
        if (!fact.time_ns)
                fact.time_ns = source_time_ns();
        source_report(engine_vm_sink(link->kept->vm), &fact);
}

/* Nobody tells of it any more: its process is there to be watched. */
static void take_over(struct wire_link *link) {
        struct kept *kept = link->kept;

        kept->wire = NULL;
        source_report_gap(engine_vm_sink(kept->vm), SOURCE_VMPOWER, "pid %d, which told of it, does so no more", (int)link->pid);
        if (!kept->could_attach)
                kept->could_attach = take_pointer(link->monitor);
        keeper_watch(link->keeper, kept);
        link->kept = NULL;
        link_free(link);
}

/* Its peer has gone, or is sent away. */
static void lose(struct wire_link *link) {
        struct evidence closed = evidence_make(SOURCE_QMP, EVIDENCE_MONITOR_CLOSED);

        link->peer = NULL;
        if (link->kept && link->is_same)
                drop_told(link);
        if (!link->kept || link->kept->is_over) {
                link_free(link);
                return;
        }
        /* What its monitor says from now on is not heard. */
        if (link->monitor_is_open)
                source_report(engine_vm_sink(link->kept->vm), &closed);
        /* All was told; what its owner decided waits for our verdict. */
        if (!link->has_ended)
                take_over(link);
}

static void describe(const struct keeper *keeper, const struct wire_vm *told, int64_t uid, struct store_vm *instance) {
        *instance = (struct store_vm){ .pid = told->pid, .uid = uid, .began_ns = told->began_ns };
        text_set(instance->identity.name, sizeof(instance->identity.name), told->name);
        text_set(instance->identity.uuid, sizeof(instance->identity.uuid), told->uuid);
        text_set(instance->identity.backend, sizeof(instance->identity.backend), told->backend[0] ? told->backend : "kvm");
        text_set(instance->identity.instance, sizeof(instance->identity.instance), told->instance);
        instance->watcher = strdup(keeper->watcher);
        instance->is_daemons = true;
        if (!told->name[0])
                snprintf(instance->identity.name, sizeof(instance->identity.name), "%s-%" PRId64, instance->identity.backend,
                         told->pid);
        if (!instance->began_ns)
                instance->began_ns = source_time_ns();
        instance->command_line = told->command_line ? strdup(told->command_line) : NULL;
}

static int keep_other(struct keeper *keeper, struct wire_peer *peer, const struct wire_hello *hello, int64_t uid,
                      struct wire_link **ret_link) {
        struct policy policy = policy_default(false);
        struct store_vm instance;
        struct kept *kept;
        char why[STORE_WHY_MAX];
        int r;

        describe(keeper, &hello->vm, uid, &instance);
        policy_read(&policy, hello->vm.policy);
        r = keeper_keep_told(keeper, &instance, &policy, &kept);
        /* Its monitor is held here: somebody attached it. */
        if (!r && kept->qemu)
                r = -EBUSY;
        if (!r) {
                *ret_link = link_new(keeper, peer, hello, kept);
                r = *ret_link ? 0 : -ENOMEM;
        }
        store_vm_deinit(&instance);
        if (r)
                return r;
        kept_leave_process(kept);
        /* A user's own vmpower has no right to see who sends a signal. */
        if (!((*ret_link)->sources & 1u << SOURCE_TRACE))
                kept_trace_process(kept, (pid_t)kept_instance(kept)->pid);
        else
                traced_hold(&(*ret_link)->held, keeper->tracing, kept_instance(kept)->identity.instance);
        engine_vm_set_policy(kept->vm, &policy);
        engine_vm_set_restarts(kept->vm, (unsigned)hello->vm.n_restarts);
        read_known(*ret_link);
        /* It was found before it was told of, and may have another name. */
        if (hello->vm.name[0] && !kept->own_name && strcmp(kept_name(kept), hello->vm.name) &&
            !keeper_check_name(keeper, kept, hello->vm.name, why))
                keeper_rename(keeper, kept, hello->vm.name);
        return 0;
}

/* --- what is decided ----------------------------------------------------------------------------------------------- */

/* The decision on our verdict came to what the owner's came to. */
static void settle_decision(struct wire_link *link) {
        struct decision decision = link->decision;

        if (!link->decided_id[0] || !decision.exists || decision.result != RESULT_PENDING ||
            strcmp(link->decided.policy, policy_event_name(decision.event)) ||
            decision_result_from_name(link->decided.result, &decision.result) || decision.result == RESULT_PENDING)
                return;
        decision.act = ACT_NOTHING;
        link->decision = decision;
        link->decided = (struct wire_decision){ "" };
        keeper_decide(link->keeper, link->kept, link->decided_id, &decision);
}

void keeper_wire_judged(struct kept *kept, const struct verdict_record *record) {
        struct wire_link *link = kept->wire;

        /* A revision of what was decided on is no new decision. */
        if (!record->revises[0])
                link->decision = record->decision;
        memcpy(link->decided_id, record->id, sizeof(link->decided_id));
        settle_decision(link);
}

/* --- what is said -------------------------------------------------------------------------------------------------- */

/* May that peer speak for this process?  Its user's own, and root. */
static int check_process(const struct wire_peer *peer, const struct wire_vm *vm, int64_t *ret_uid) {
        char path[32], instance[PROC_INSTANCE_MAX];
        struct stat status;

        if (vm->pid <= 0 || proc_instance((pid_t)vm->pid, instance) || strcmp(instance, vm->instance) ||
            !proc_instance_is_alive(instance))
                return -ESRCH;
        snprintf(path, sizeof(path), "/proc/%d", (int)vm->pid);
        if (stat(path, &status))
                return -ESRCH;
        if (wire_peer_uid(peer) && wire_peer_uid(peer) != status.st_uid)
                return -EPERM;
        *ret_uid = (int64_t)status.st_uid;
        return 0;
}

static bool is_same_database(const struct keeper *keeper, const struct wire_peer *peer, const struct wire_hello *hello) {
        char database[STORE_IDENTITY_MAX];

        return is_trusted(peer) && hello->database[0] && !store_identity(keeper->store, database) && !strcmp(database, hello->database);
}

static const char *refusal(int r) {
        switch (-r) {
        case ESRCH:
                return "there is no such process";
        case EPERM:
                return "that VM is another user's, or another program looks after it";
        case EBUSY:
                return "that VM is looked after already, or it has ended";
        default:
                return strerror(-r);
        }
}

/* A source that calls again, before it was noticed that it has gone. */
static void replace(struct keeper *keeper, struct wire_peer *peer, const char *instance) {
        struct kept *kept = vm_list_find_instance(&keeper->vms, instance);
        struct wire_link *link = kept ? kept->wire : NULL;

        if (!link || !link->peer || link->pid != wire_peer_pid(peer) || wire_peer_uid(link->peer) != wire_peer_uid(peer))
                return;
        wire_peer_close(link->peer);
        if (link->is_same)
                drop_told(link);
        link_free(link);
}

static void on_hello(struct keeper *keeper, struct wire_peer *peer, const struct wire_hello *hello) {
        const struct kept *kept;
        struct wire_link *link = NULL;
        int64_t uid;
        int r;

        if (hello->protocol != WIRE_PROTOCOL) {
                wire_peer_refuse(peer, "this daemon speaks protocol 1");
                return;
        }
        r = keeper_is_helpers(hello->vm.backend) ? -EPERM : check_process(peer, &hello->vm, &uid);
        if (!r) {
                replace(keeper, peer, hello->vm.instance);
                kept = vm_list_find_instance(&keeper->vms, hello->vm.instance);
                r = kept && kept->wire ? -EBUSY : 0;
        }
        if (!r)
                r = is_same_database(keeper, peer, hello) ? list_same(keeper, peer, hello, &link)
                                                          : keep_other(keeper, peer, hello, uid, &link);
        /* Who is hung up on without a word calls again: that passes. */
        if (r == -EAGAIN || r == -EMFILE || r == -ENOMEM) {
                wire_peer_close(peer);
                return;
        }
        if (r) {
                wire_peer_refuse(peer, refusal(r));
                return;
        }
        wire_peer_welcome(peer, !link->is_same, link);
        if (link->is_same)
                look_for_verdict(link, NULL);
}

/* It turned out to be another process, or goes by another name. */
static void on_vm(struct wire_link *link, const struct wire_vm *vm) {
        struct keeper *keeper = link->keeper;
        struct kept *kept = link->kept;
        struct vm_identity identity = kept_instance(kept)->identity;
        const struct kept *other = vm_list_find_instance(&keeper->vms, vm->instance);
        char why[STORE_WHY_MAX];
        int64_t uid;

        if (check_process(link->peer, vm, &uid) || uid != kept_instance(kept)->uid || (other && other != kept)) {
                wire_peer_refuse(link->peer, refusal(-EPERM));
                lose(link);
                return;
        }
        text_set(identity.instance, sizeof(identity.instance), vm->instance);
        if (vm->name[0] && strcmp(vm->name, link->name) && !kept->own_name && !keeper_check_name(keeper, kept, vm->name, why))
                text_set(identity.name, sizeof(identity.name), vm->name);
        memcpy(link->name, vm->name, sizeof(link->name));
        if (kept->told) {
                kept->told->identity = identity;
                kept->told->pid = vm->pid;
                others_add(keeper->others, link->pid, (pid_t)vm->pid, identity.instance);
        } else if (engine_vm_rename(kept->vm, &identity, vm->pid)) {
                keeper_say(keeper, "%.200s: out of memory", kept_name(kept));
        } else if (!(link->sources & 1u << SOURCE_TRACE)) {
                kept_trace_process(kept, (pid_t)vm->pid);
        } else {
                traced_free(take_pointer(link->held));
                traced_hold(&link->held, keeper->tracing, identity.instance);
        }
        vm_list_update(&keeper->vms, kept);
}

/* Facts of the future would hide those that come; the end of one that lives would hide its own. */
static bool is_credible(const struct wire_link *link, struct evidence *evidence) {
        if (!evidence->at_ns || evidence->at_ns > source_now_ns() ||
            (wire_peer_uid(link->peer) && !(CLAIMS_SOURCES & 1u << evidence->source)) ||
            (evidence_ends_process(evidence) && proc_instance_is_alive(kept_instance(link->kept)->identity.instance)))
                return false;
        if (is_trusted(link->peer))
                return true;
        if (evidence->actor)
                claim_bound_actor(evidence->actor, wire_peer_uid(link->peer), link->user);
        return claim_is_plausible(evidence);
}

static void on_said(void *userdata, struct wire_peer *peer, struct wire_message *message) {
        struct keeper *keeper = userdata;
        struct wire_link *link;

        if (message->kind == WIRE_HELLO) {
                on_hello(keeper, peer, &message->hello);
                return;
        }
        link = wire_peer_userdata(peer);
        switch (message->kind) {
        case WIRE_VM:
                if (link->kept && !link->kept->is_over)
                        on_vm(link, &message->vm);
                break;
        case WIRE_EVIDENCE:
                if (!link->is_same && link->kept && !link->kept->is_over && is_credible(link, &message->evidence))
                        on_evidence(link, &message->evidence);
                break;
        case WIRE_VERDICT:
                if (link->is_same && link->kept)
                        look_for_verdict(link, message->verdict);
                break;
        case WIRE_DECIDED:
                if (!link->is_same) {
                        link->decided = message->decided;
                        settle_decision(link);
                }
                break;
        case WIRE_GONE:
        case WIRE_HELLO:
        case WIRE_WELCOME:
        case WIRE_REFUSED:
        case WIRE_CONFIGURE:
        case WIRE_REQUEST:
        case WIRE_LOOK:
        case WIRE_DONE:
        case WIRE_SURVEYED:
        case WIRE_TROUBLE:
        case WIRE_UNKNOWN:
                break;
        }
}

static void on_gone(void *userdata, struct wire_peer *peer) {
        lose(wire_peer_userdata(peer));
}

static void on_trouble(void *userdata, const char *line) {
        keeper_say(userdata, "%s", line);
}

void keeper_wire_forget(struct kept *kept) {
        struct wire_link *link = kept->wire;

        if (!link)
                return;
        kept->wire = NULL;
        link->kept = NULL;
        if (!link->peer)
                link_free(link);
}

/* --- its life ---------------------------------------------------------------------------------------------------- */

static int open_socket(struct keeper *keeper, int *ret_fd) {
        char path[128];
        int r;

        if (snprintf(path, sizeof(path), "%s/source.sock", keeper->config.run_directory) >= (int)sizeof(path))
                return -ENAMETOOLONG;
        *ret_fd = handover_take_listener(keeper->config.handover, path);
        if (*ret_fd >= 0)
                return 0;
        r = wire_listen(ret_fd, path);
        if (!r && (!handover_is_offered(keeper->config.handover) || handover_keep(keeper->config.handover, "wire", *ret_fd)))
                keeper->wire_socket = strdup(path);
        return r;
}

void keeper_open_wire(struct keeper *keeper) {
        const struct wire_listener_events events = { on_said, on_gone, on_trouble, keeper };
        const struct wire_listener_config config = { 0 };
        char why[STORE_WHY_MAX];
        cleanup(closep) int fd = -1;
        int r;

        r = store_last_number(keeper->store, &keeper->first_number, why);
        if (!r)
                r = open_socket(keeper, &fd);
        if (!r)
                r = wire_listener_new(&keeper->wire, keeper->event, fd, &config, &events);
        if (r)
                keeper_say(keeper, "cannot listen on %.80s/source.sock: %s; what a `vmpower run` sees is not heard here",
                           keeper->config.run_directory, strerror(-r));
        else
                take_fd(&fd);
}

void keeper_close_wire(struct keeper *keeper) {
        if (keeper->wire_socket)
                unlink(keeper->wire_socket);
        free(take_pointer(keeper->wire_socket));
        keeper->wire = wire_listener_free(keeper->wire);
        while (keeper->links)
                link_free(keeper->links);
}
