#include "store/store_query.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "basics/cleanup.h"
#include "core/evidence.h"
#include "store/database.h"
#include "store/store_test_world.h"
#include "store/transaction.h"

static int note_fact(const struct evidence *evidence, void *userdata) {
        char *text = userdata, one[64];

        snprintf(one, sizeof(one), "%d:%d ", (int)evidence->id, (int)evidence->number);
        strcat(text, one);
        return 0;
}

static void evidence_is_told_in_the_order_in_which_it_was_stored(void **state) {
        struct world *world = *state;
        int64_t other = world_add_vm(world, "db-1", "boot:2:2");
        char text[256] = "";

        world_write_facts(world, 20, 2);
        world_write(world, make_facts(other, 1, 1));
        world_write_facts(world, 10, 1);
        assert_int_equal(store_each_evidence(world->store, world->vm, 0, note_fact, text, world->why), 0);
        assert_string_equal(text, "1:20 2:21 4:10 ");
        *text = '\0';
        assert_int_equal(store_each_evidence(world->store, world->vm, 2, note_fact, text, world->why), 0);
        assert_string_equal(text, "4:10 ");
}

static int compare_records(const struct verdict_record *read, void *userdata) {
        const struct verdict_record *told = userdata;

        assert_string_equal(read->id, told->id);
        assert_int_equal(read->number, 1);
        assert_memory_equal(&read->vm, &told->vm, sizeof(told->vm));
        assert_int_equal(read->episode, told->episode);
        assert_string_equal(read->rule, told->rule);
        assert_string_equal(read->verdict.rule, told->rule);
        assert_string_equal(read->summary, told->summary);
        assert_string_equal(read->revises, "");
        assert_int_equal(read->verdict.at_ns, told->verdict.at_ns);
        assert_int_equal(read->verdict.time_ns, told->verdict.time_ns);
        assert_int_equal(read->verdict.transition, told->verdict.transition);
        assert_int_equal(read->verdict.initiator, told->verdict.initiator);
        assert_int_equal(read->verdict.mechanism, told->verdict.mechanism);
        assert_int_equal(read->verdict.graceful, told->verdict.graceful);
        assert_int_equal(read->verdict.left, told->verdict.left);
        assert_int_equal(read->verdict.count, told->verdict.count);
        assert_int_equal(read->verdict.confidence, told->verdict.confidence);
        assert_memory_equal(read->actor, told->actor, offsetof(struct actor, confidence));
        assert_int_equal(read->actor->confidence, told->actor->confidence);
        assert_ptr_equal(read->verdict.actor, read->actor);
        assert_int_equal(read->n_items, 3);
        for (size_t i = 0; i < 3; i++)
                assert_int_equal(read->items[i].id, told->items[i].id);
        assert_int_equal(read->verdict.n_proof, 2);
        assert_int_equal(read->verdict.proof[0], 2);
        assert_int_equal(read->verdict.proof[1], 0);
        assert_true(read->decision.exists);
        assert_int_equal(read->decision.event, ON_CRASH);
        assert_int_equal(read->decision.action, ACTION_RESTART);
        assert_int_equal(read->decision.result, RESULT_PENDING);
        assert_int_equal(read->decision.act, ACT_NOTHING);
        return 0;
}

static void a_verdict_is_read_back_as_it_was_told(void **state) {
        struct world *world = *state;
        struct actor actor = { .pid = 7, .uid = 0, .user = "root", .via = "SIGKILL" };
        struct evidence items[] = { make_fact(1), make_fact(2), make_fact(3) };
        const struct store_vm vm = make_vm("web-1", "boot:1:1");
        struct verdict verdict = {
                .at_ns = 1003,
                .time_ns = UINT64_C(1795403527000000003),
                .transition = TRANSITION_CRASH,
                .initiator = INITIATOR_OPERATOR,
                .mechanism = MECHANISM_XEN_DESTROY,
                .graceful = TRISTATE_NULL,
                .left = LEFT_PRESERVED,
                .count = 77,
                .confidence = CONFIDENCE_GUESS,
                .rule = judge_rule(1)->name,
                .actor = &actor,
                .proof = { 2, 0 },
                .n_proof = 2,
        };
        struct verdict_record record, told;

        world_write_facts(world, 1, 3);
        for (size_t i = 0; i < 3; i++)
                items[i].id = i + 1;
        assert_int_equal(verdict_record_make(&record, &vm.identity, &verdict, items, 3, 3, 0), 0);
        record.decision = (struct decision){
                .exists = true, .event = ON_CRASH, .action = ACTION_RESTART, .result = RESULT_PENDING, .act = ACT_START,
        };
        told = record;
        told.items = items;
        told.actor = &actor;
        world_write_verdict(world, world->vm, &record);
        assert_null(record.items);
        assert_int_equal(store_each_verdict(world->store, &(struct store_query){}, compare_records, &told, world->why),
                         0);
}

/* Tell a verdict on that episode; its id. */
static const char *tell(struct world *world, int64_t vm, uint64_t episode, unsigned revision, const char *revises) {
        static char ids[64][VERDICT_ID_MAX];
        static size_t n;
        struct verdict_record record = make_record(world, episode, episode, revision);
        char *id = ids[n++ % 64];

        strcpy(id, record.id);
        strcpy(record.revises, revises);
        world_write_verdict(world, vm, &record);
        return id;
}

static const char *listed(const char *const *ids) {
        static char text[1024];

        *text = '\0';
        for (; *ids; ids++)
                strcat(strcat(text, *ids), " ");
        return text;
}

#define LIST(...) listed((const char *const[]){ __VA_ARGS__, NULL })

static void history_is_told_newest_first_up_to_its_limit(void **state) {
        struct world *world = *state;
        const char *first, *second, *third;

        world_write_facts(world, 1, 3);
        first = tell(world, world->vm, 1, 0, "");
        second = tell(world, world->vm, 2, 0, "");
        third = tell(world, world->vm, 3, 0, "");
        assert_string_equal(world_history(world, &(struct store_query){}), LIST(third, second, first));
        assert_string_equal(world_history(world, &(struct store_query){ .limit = 2 }), LIST(third, second));
        assert_string_equal(world_history(world, &(struct store_query){ .limit = 1, .name = "web-1" }), LIST(third));
        assert_string_equal(world_history(world, &(struct store_query){ .verdict_id = second }), LIST(second));
}

static void a_revision_takes_the_place_of_what_it_revises(void **state) {
        struct world *world = *state;
        const char *first, *revised, *again, *newer;

        world_write_facts(world, 1, 2);
        first = tell(world, world->vm, 1, 0, "");
        newer = tell(world, world->vm, 2, 0, "");
        revised = tell(world, world->vm, 1, 1, first);
        again = tell(world, world->vm, 1, 2, revised);
        assert_string_equal(world_history(world, &(struct store_query){}), LIST(newer, again));
        assert_string_equal(world_history(world, &(struct store_query){ .vm = world->vm }), LIST(newer, again));
        assert_string_equal(world_history(world, &(struct store_query){ .all_revisions = true }),
                            LIST(newer, again, revised, first));
        assert_string_equal(world_history(world, &(struct store_query){ .verdict_id = first }), LIST(first));
}

static int note_revises(const struct verdict_record *record, void *userdata) {
        strcpy(userdata, record->revises);
        return 0;
}

static void a_revision_names_what_it_revises_and_that_must_be_there(void **state) {
        struct world *world = *state;
        struct verdict_record lost;
        struct store_batch *batch = make_batch();
        struct outcome outcome;
        const char *first, *revised;
        char revises[VERDICT_ID_MAX];

        world_write_facts(world, 1, 1);
        first = tell(world, world->vm, 1, 0, "");
        revised = tell(world, world->vm, 1, 1, first);
        assert_int_equal(store_each_verdict(world->store, &(struct store_query){ .verdict_id = revised }, note_revises,
                                            revises, world->why),
                         0);
        assert_string_equal(revises, first);

        lost = make_record(world, 1, 1, 2);
        strcpy(lost.revises, "01JDB6Q4M0X8NNNNNNNNNNNNNN");
        assert_int_equal(store_batch_add_verdict(batch, world->vm, &lost), 0);
        outcome = world_write(world, batch);
        assert_int_equal(outcome.result, -ENOENT);
        assert_int_equal(outcome.number, 0);
}

static void history_is_asked_by_name_uuid_instance_or_number(void **state) {
        struct world *world = *state;
        struct store_vm vm = make_vm("db-1", "boot:2:2");
        const char *web, *db;
        struct verdict_record record;

        strcpy(vm.identity.uuid, "9f0c4f4e-0000-4000-8000-00000000000a");
        assert_int_equal(store_add_vm(world->store, &vm, NULL, world->why), 0);
        world_write_facts(world, 1, 2);
        web = tell(world, world->vm, 1, 0, "");
        record = make_record(world, 2, 2, 0);
        record.vm = vm.identity;
        db = strcpy((char[VERDICT_ID_MAX]){ 0 }, record.id);
        world_write_verdict(world, vm.id, &record);

        assert_string_equal(world_history(world, &(struct store_query){ .name = "web-1" }), LIST(web));
        assert_string_equal(world_history(world, &(struct store_query){ .name = "db-1" }), LIST(db));
        assert_string_equal(world_history(world, &(struct store_query){ .name = vm.identity.uuid }), LIST(db));
        assert_string_equal(world_history(world, &(struct store_query){ .name = "boot:2:2" }), LIST(db));
        assert_string_equal(world_history(world, &(struct store_query){ .vm = vm.id }), LIST(db));
        assert_string_equal(world_history(world, &(struct store_query){ .name = "nobody" }), "");
        assert_string_equal(world_history(world, &(struct store_query){ .verdict_id = "nothing" }), "");
}

static void history_is_asked_by_owner(void **state) {
        struct world *world = *state;
        struct store_vm vm = make_vm("web-1", "boot:2:2");
        const int64_t first_user = 1000, second_user = 1001, nobody = 1002;
        const char *first, *second;

        vm.uid = second_user;
        assert_int_equal(store_add_vm(world->store, &vm, NULL, world->why), 0);
        world_write_facts(world, 1, 2);
        first = tell(world, world->vm, 1, 0, "");
        second = tell(world, vm.id, 2, 0, "");
        assert_string_equal(world_history(world, &(struct store_query){ .owner = &first_user }), LIST(first));
        assert_string_equal(world_history(world, &(struct store_query){ .owner = &second_user }), LIST(second));
        assert_string_equal(world_history(world, &(struct store_query){ .owner = &nobody }), "");
        assert_string_equal(world_history(world, &(struct store_query){ .owner = &first_user, .name = "web-1" }),
                            LIST(first));
        assert_string_equal(world_history(world, &(struct store_query){ .owner = &first_user, .verdict_id = second }),
                            "");
}

static void history_is_asked_by_what_happened_who_did_it_and_when(void **state) {
        struct world *world = *state;
        const uint64_t base = UINT64_C(1795403527000000000);
        const int64_t owner = 1000;
        const char *first, *second, *third;

        world_write_facts(world, 1, 3);
        first = tell(world, world->vm, 1, 0, "");
        second = tell(world, world->vm, 2, 0, "");
        third = tell(world, world->vm, 3, 0, "");
        world_sql(world, "UPDATE verdict SET transition = 'crash', initiator = 'guest' WHERE number = 2");
#define ASK(...) world_history(world, &(struct store_query){ __VA_ARGS__ })
        assert_string_equal(ASK(.transition = "crash"), LIST(second));
        assert_string_equal(ASK(.initiator = "vmm"), LIST(third, first));
        assert_string_equal(ASK(.transition = "crash", .initiator = "vmm"), "");
        assert_string_equal(ASK(.transition = "failure", .initiator = "vmm", .limit = 1), LIST(third));
        assert_string_equal(ASK(.name = "web-1", .transition = "crash"), LIST(second));
        assert_string_equal(ASK(.owner = &owner, .initiator = "guest"), LIST(second));
        assert_string_equal(ASK(.since_ns = base + 2), LIST(third, second));
        assert_string_equal(ASK(.until_ns = base + 2), LIST(first));
        assert_string_equal(ASK(.since_ns = base + 2, .until_ns = base + 3), LIST(second));
        assert_string_equal(ASK(.name = "web-1", .since_ns = base + 3), LIST(third));
        assert_string_equal(ASK(.since_ns = UINT64_MAX), "");
        assert_string_equal(ASK(.until_ns = UINT64_MAX), LIST(third, second, first));
#undef ASK
}

static int note_number(const struct verdict_record *record, void *userdata) {
        char *text = userdata, one[24];

        snprintf(one, sizeof(one), "%d ", (int)record->number);
        strcat(text, one);
        return 0;
}

static const char *numbers(struct world *world, const struct store_query *query) {
        static char text[256];

        *text = '\0';
        assert_int_equal(store_each_verdict(world->store, query, note_number, text, world->why), 0);
        return text;
}

static void the_next_page_goes_on_where_the_one_before_ended(void **state) {
        struct world *world = *state;
        const char *first;

        world_write_facts(world, 1, 4);
        for (uint64_t episode = 1; episode <= 4; episode++)
                first = episode == 1 ? tell(world, world->vm, 1, 0, "") : (tell(world, world->vm, episode, 0, ""), first);
        tell(world, world->vm, 1, 1, first);
        assert_string_equal(numbers(world, &(struct store_query){ .limit = 2 }), "4 3 ");
        assert_string_equal(numbers(world, &(struct store_query){ .limit = 2, .before = 3 }), "2 5 ");
        assert_string_equal(numbers(world, &(struct store_query){ .limit = 2, .before = 5 }), "");
        assert_string_equal(numbers(world, &(struct store_query){ .before = 5, .all_revisions = true }), "1 ");
        assert_string_equal(numbers(world, &(struct store_query){ .before = 77 }), "");
        assert_string_equal(numbers(world, &(struct store_query){ .before = UINT64_MAX }), "");
        /* The span ends before the page begins: of its last episode the revision, whatever its number. */
        assert_string_equal(numbers(world, &(struct store_query){ .limit = 2, .before = 3, .until_ns = UINT64_C(1795403527000000002) }), "5 ");

        /* The last of a page is revised meanwhile: the next page is the same. */
        world_sql(world, "UPDATE verdict SET episode = 3 WHERE number = 5");
        assert_string_equal(numbers(world, &(struct store_query){ .limit = 2, .before = 3 }), "2 1 ");
        assert_string_equal(numbers(world, &(struct store_query){ .name = "web-1", .limit = 1, .before = 4 }), "5 ");
}

static const char *replayed(struct world *world, uint64_t after, uint64_t up_to, const int64_t *owner) {
        static char text[256];

        *text = '\0';
        assert_int_equal(store_replay_verdicts(world->store, after, up_to, owner, note_number, text, world->why), 0);
        return text;
}

static void verdicts_are_replayed_in_the_order_in_which_they_were_written(void **state) {
        struct world *world = *state;
        const int64_t owner = 1000, nobody = 1002;
        const char *first;
        uint64_t last;

        assert_int_equal(store_last_number(world->store, &last, world->why), 0);
        assert_int_equal(last, 0);
        world_write_facts(world, 1, 2);
        first = tell(world, world->vm, 1, 0, "");
        tell(world, world->vm, 2, 0, "");
        tell(world, world->vm, 1, 1, first);
        assert_string_equal(replayed(world, 0, UINT64_MAX, NULL), "1 2 3 ");
        assert_string_equal(replayed(world, 1, UINT64_MAX, NULL), "2 3 ");
        assert_string_equal(replayed(world, 0, 2, NULL), "1 2 ");
        assert_string_equal(replayed(world, 3, UINT64_MAX, NULL), "");
        assert_string_equal(replayed(world, UINT64_MAX, UINT64_MAX, NULL), "");
        assert_string_equal(replayed(world, 0, 100, &owner), "1 2 3 ");
        assert_string_equal(replayed(world, 0, 100, &nobody), "");
        assert_int_equal(store_last_number(world->store, &last, world->why), 0);
        assert_int_equal(last, 3);
}

/* Verdicts 1 to 6, one each hour; before the fourth the wall clock was set back by two hours and a half. */
static void tell_with_a_clock_that_was_set_back(struct world *world) {
        static const int minutes[] = { 0, 60, 120, 30, 90, 150 };

        for (uint64_t i = 0; i < N_ELEMENTS(minutes); i++) {
                struct store_batch *batch = make_batch();
                struct evidence fact = make_fact(i + 1);
                struct verdict_record record;

                fact.time_ns += (uint64_t)minutes[i] * 60 * UINT64_C(1000000000);
                assert_int_equal(store_batch_add_evidence(batch, world->vm, &fact), 0);
                assert_int_equal(world_write(world, batch).result, 0);
                record = make_record(world, i + 1, i + 1, 0);
                record.verdict.time_ns = fact.time_ns;
                world_write_verdict(world, world->vm, &record);
        }
}

static void a_clock_that_was_set_back_changes_no_order(void **state) {
        const uint64_t base = UINT64_C(1795403527000000000), minute = UINT64_C(60000000000);
        struct world *world = *state;

        tell_with_a_clock_that_was_set_back(world);
        assert_string_equal(numbers(world, &(struct store_query){}), "6 5 4 3 2 1 ");
        assert_string_equal(numbers(world, &(struct store_query){ .limit = 2, .before = 5 }), "4 3 ");
        assert_string_equal(replayed(world, 2, UINT64_MAX, NULL), "3 4 5 6 ");
        /* A span of time is one of the wall clock: it misses none, told in the order in which it happened. */
        assert_string_equal(numbers(world, &(struct store_query){ .since_ns = base + 85 * minute }), "6 5 3 ");
        assert_string_equal(numbers(world, &(struct store_query){ .since_ns = base + 85 * minute, .limit = 2 }), "6 5 ");
        assert_string_equal(numbers(world, &(struct store_query){ .since_ns = base + 85 * minute, .limit = 2, .before = 5 }), "3 ");
        assert_string_equal(numbers(world, &(struct store_query){ .until_ns = base + 61 * minute }), "4 2 1 ");
        assert_string_equal(numbers(world, &(struct store_query){ .until_ns = base + 61 * minute, .before = 2 }), "1 ");
        assert_string_equal(numbers(world, &(struct store_query){ .until_ns = base + 61 * minute, .before = 4 }), "2 1 ");
        assert_string_equal(numbers(world, &(struct store_query){ .name = "web-1", .since_ns = base + 25 * minute, .until_ns = base + 91 * minute }),
                            "5 4 2 ");
}

static int count_record(const struct verdict_record *record, void *userdata) {
        (*(size_t *)userdata)++;
        return 0;
}

static size_t count_history(struct world *world, const struct store_query *query) {
        size_t n = 0;

        assert_int_equal(store_each_verdict(world->store, query, count_record, &n, world->why), 0);
        return n;
}

/* More than SPAN_IS_LONG, one a nanosecond; the newest thousand under a clock that was set back to the beginning. */
static void a_long_span_of_time_misses_none(void **state) {
        struct world *world = *state;
        const uint64_t base = 1000000;

        world_sql(world, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 13000)"
                         " INSERT INTO verdict (number, id, vm, name, episode, at_ns, time_ns, transition, initiator, mechanism, left, count,"
                         " confidence, rule, summary) SELECT i, 'id-' || i, 1, 'web-1', i, i, 1000000 + i - 12000 * (i > 12000), 'poweroff',"
                         " 'guest', 'acpi-s5', 'gone', 1, 'certain', 'guest-poweroff', '' FROM n");
        assert_int_equal(count_history(world, &(struct store_query){}), 13000);
        assert_int_equal(count_history(world, &(struct store_query){ .since_ns = base + 1 }), 13000);
        assert_int_equal(count_history(world, &(struct store_query){ .until_ns = base + 11501 }), 12500);
        assert_int_equal(count_history(world, &(struct store_query){ .since_ns = base + 501, .until_ns = base + 11501 }), 11500);
        assert_int_equal(count_history(world, &(struct store_query){ .since_ns = base + 11001 }), 1000);
        assert_int_equal(count_history(world, &(struct store_query){ .since_ns = base + 1001, .until_ns = base + 11501 }), 10500);
        assert_int_equal(count_history(world, &(struct store_query){ .since_ns = base + 1001, .until_ns = base + 11001 }), 10000);
        assert_string_equal(numbers(world, &(struct store_query){ .until_ns = base + 11501, .limit = 2, .before = 12001 }), "11500 11499 ");
}

static int note_result(const struct verdict_record *record, void *userdata) {
        *(struct decision *)userdata = record->decision;
        return 0;
}

static void the_newest_decision_counts(void **state) {
        struct world *world = *state;
        struct decision decision = { .exists = true, .event = ON_CRASH, .action = ACTION_RESTART }, read;
        static const enum decision_result results[] = { RESULT_PENDING, RESULT_FAILED, RESULT_DONE };
        const char *id;

        world_write_facts(world, 1, 1);
        id = tell(world, world->vm, 1, 0, "");
        assert_int_equal(store_each_verdict(world->store, &(struct store_query){}, note_result, &read, world->why), 0);
        assert_false(read.exists);
        for (size_t i = 0; i < N_ELEMENTS(results); i++) {
                struct store_batch *batch = make_batch();

                decision.result = results[i];
                assert_int_equal(store_batch_add_decision(batch, id, &decision, 100 - i), 0);
                assert_int_equal(world_write(world, batch).result, 0);
                assert_int_equal(
                        store_each_verdict(world->store, &(struct store_query){}, note_result, &read, world->why), 0);
                assert_int_equal(read.result, results[i]);
        }
        assert_int_equal(world_sql_integer(world, "SELECT count(*) FROM decision"), 3);
}

static int note_pruned(const struct verdict_record *record, void *userdata) {
        *(size_t *)userdata = record->n_pruned;
        return 0;
}

static void pruned_evidence_leaves_the_verdict(void **state) {
        struct world *world = *state;
        size_t n_pruned = 99;

        world_write_facts(world, 1, 1);
        tell(world, world->vm, 1, 0, "");
        assert_int_equal(store_each_verdict(world->store, &(struct store_query){}, note_pruned, &n_pruned, world->why), 0);
        assert_int_equal(n_pruned, 0);
        world_sql(world, "PRAGMA foreign_keys = ON; DELETE FROM evidence");
        assert_int_equal(store_each_verdict(world->store, &(struct store_query){}, note_pruned, &n_pruned, world->why), 0);
        assert_int_equal(n_pruned, 1);
        assert_int_equal(world_write_facts(world, 5, 1), 2);
}

static int stop_at_once(const struct verdict_record *record, void *userdata) {
        (*(int *)userdata)++;
        return 17;
}

static void whoever_is_told_may_stop_listening(void **state) {
        struct world *world = *state;
        int n = 0;

        world_write_facts(world, 1, 2);
        tell(world, world->vm, 1, 0, "");
        tell(world, world->vm, 2, 0, "");
        assert_int_equal(store_each_verdict(world->store, &(struct store_query){}, stop_at_once, &n, world->why), 17);
        assert_int_equal(n, 1);
}

static int ignore_record(const struct verdict_record *record, void *userdata) {
        return 0;
}

static int ignore_fact(const struct evidence *evidence, void *userdata) {
        return 0;
}

static void a_word_written_by_hand_is_an_error_that_names_its_row(void **state) {
        static const struct {
                const char *sql, *undo, *words;
        } cases[] = {
                { "UPDATE verdict SET transition = 'fly'", "UPDATE verdict SET transition = 'crash'",
                  "verdict 1: transition makes no sense: fly" },
                { "UPDATE verdict SET initiator = ''", "UPDATE verdict SET initiator = 'vmm'", "verdict 1: initiator" },
                { "UPDATE verdict SET mechanism = 'x'", "UPDATE verdict SET mechanism = 'ui'", "verdict 1: mechanism" },
                { "UPDATE verdict SET graceful = 2", "UPDATE verdict SET graceful = 1", "verdict 1: graceful" },
                { "UPDATE verdict SET left = 'x'", "UPDATE verdict SET left = 'off'", "verdict 1: left" },
                { "UPDATE verdict SET confidence = 'x'", "UPDATE verdict SET confidence = 'guess'",
                  "verdict 1: confidence" },
                { "UPDATE verdict SET count = -1", "UPDATE verdict SET count = 1", "verdict 1: count" },
                { "UPDATE verdict SET time_ns = -1", "UPDATE verdict SET time_ns = 1", "verdict 1: time_ns" },
                { "UPDATE verdict SET rule = 'no rule'", "UPDATE verdict SET rule = 'some-rule'", "verdict 1: rule" },
                { "UPDATE verdict SET actor = '['", "UPDATE verdict SET actor = NULL", "verdict 1: actor" },
                { "UPDATE verdict SET actor = '[]'", "UPDATE verdict SET actor = NULL", "verdict 1: actor" },
                { "UPDATE evidence SET kind = char(10)||'x'", "UPDATE evidence SET kind = 'exited'",
                  "evidence 1: kind makes no sense: ?x" },
                { "UPDATE evidence SET source = 'x'", "UPDATE evidence SET source = 'qmp'", "evidence 1: source" },
                { "UPDATE evidence SET at_ns = -5", "UPDATE evidence SET at_ns = 5", "evidence 1: at_ns" },
                { "UPDATE evidence SET data = '{'", "UPDATE evidence SET data = '{}'", "evidence 1: data" },
                { "UPDATE evidence SET data = '{\"exit_status\": []}'", "UPDATE evidence SET data = '{}'",
                  "evidence 1: data" },
                { "UPDATE evidence SET data = '{\"x\": \"' || hex(zeroblob(40000)) || '\"}'",
                  "UPDATE evidence SET data = '{}'", "evidence 1: data" },
                { "UPDATE verdict_evidence SET proof = 99", "UPDATE verdict_evidence SET proof = 0",
                  "evidence 1: proof makes no sense: 99" },
                { "UPDATE decision SET action = 'x'", "UPDATE decision SET action = 'leave'", "decision 1: action" },
                { "UPDATE decision SET policy = 'x'", "UPDATE decision SET policy = 'on_halt'", "decision 1: policy" },
                { "UPDATE decision SET result = 'x'", "UPDATE decision SET result = 'done'", "decision 1: result" },
        };
        struct world *world = *state;
        struct verdict_record record;

        world_write_facts(world, 1, 1);
        record = make_record(world, 1, 1, 0);
        record.decision = (struct decision){ .exists = true };
        world_write_verdict(world, world->vm, &record);
        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                world_sql(world, cases[i].sql);
                assert_int_equal(
                        store_each_verdict(world->store, &(struct store_query){}, ignore_record, NULL, world->why),
                        -EBADMSG);
                if (!strstr(world->why, cases[i].words))
                        fail_msg("\"%s\" does not say \"%s\"", world->why, cases[i].words);
                world_sql(world, cases[i].undo);
                assert_int_equal(
                        store_each_verdict(world->store, &(struct store_query){}, ignore_record, NULL, world->why), 0);
        }

        world_sql(world, "UPDATE evidence SET kind = 'x'");
        assert_int_equal(store_each_evidence(world->store, world->vm, 0, ignore_fact, NULL, world->why), -EBADMSG);
        world_sql(world, "UPDATE vm SET began_ns = -1");
        assert_int_equal(store_find_vm(world->store, "web-1", &(struct store_vm){}), -EBADMSG);
}

static int compare_rule(const struct verdict_record *record, void *userdata) {
        assert_string_equal(record->rule, userdata);
        assert_string_equal(record->verdict.rule, "");
        return 0;
}

static void a_rule_that_this_version_does_not_have_is_told_by_its_name(void **state) {
        struct world *world = *state;
        char rule[] = "a-rule-of-old";

        world_write_facts(world, 1, 1);
        tell(world, world->vm, 1, 0, "");
        world_sql(world, "UPDATE verdict SET rule = 'a-rule-of-old'");
        assert_int_equal(store_each_verdict(world->store, &(struct store_query){}, compare_rule, rule, world->why), 0);
}

/* SQLite's plan, one line after the other. */
static const char *explain(struct world *world, const char *sql) {
        static char plan[2048];
        cleanup(database_closep) sqlite3 *database = NULL;
        cleanup(statement_finalizep) sqlite3_stmt *statement = NULL;
        char query[4096];

        snprintf(query, sizeof(query), "EXPLAIN QUERY PLAN %s", sql);
        assert_int_equal(sqlite3_open(world_path(world, ""), &database), SQLITE_OK);
        if (sqlite3_prepare_v2(database, query, -1, &statement, NULL))
                fail_msg("%s: %s", sql, sqlite3_errmsg(database));
        *plan = '\0';
        while (sqlite3_step(statement) == SQLITE_ROW)
                strcat(strcat(plan, (const char *)sqlite3_column_text(statement, 3)), "\n");
        return plan;
}

static void assert_plan(struct world *world, const char *sql, const char *wanted) {
        const char *plan = explain(world, sql);

        if (!strstr(plan, wanted) || strstr(plan, "TEMP B-TREE") || strstr(plan, "SCAN evidence") ||
            strstr(plan, "SCAN decision") || strstr(plan, "SCAN newer"))
                fail_msg("%s\nis planned as\n%s", sql, plan);
}

static void every_question_is_a_look_into_an_index(void **state) {
        struct world *world = *state;

        assert_plan(world, store_query_sql(QUERY_BY_NOTHING), "SEARCH verdict USING INDEX verdict_episode (episode>? AND episode<?)\n");
        assert_plan(world, store_query_sql(QUERY_BY_NAME), "SEARCH verdict USING INDEX verdict_name (name=? AND episode>? AND episode<?)\n");
        assert_plan(world, store_query_sql(QUERY_BY_UUID), "SEARCH verdict USING INDEX verdict_uuid (uuid=? AND episode>? AND episode<?)\n");
        assert_plan(world, store_query_sql(QUERY_BY_VM), "SEARCH verdict USING INDEX verdict_vm (vm=? AND episode>? AND episode<?)\n");
        assert_plan(world, store_query_sql(QUERY_BY_ID),
                    "SEARCH verdict USING INDEX sqlite_autoindex_verdict_1 (id=?)\n");
        assert_plan(world, store_query_sql(QUERY_BY_TRANSITION),
                    "SEARCH verdict USING INDEX verdict_transition (transition=? AND episode>? AND episode<?)\n");
        assert_plan(world, store_query_sql(QUERY_BY_INITIATOR),
                    "SEARCH verdict USING INDEX verdict_initiator (initiator=? AND episode>? AND episode<?)\n");
        assert_plan(world, store_query_sql(QUERY_BY_BOTH),
                    "SEARCH verdict USING INDEX verdict_what_and_who (transition=? AND initiator=? AND episode>? AND episode<?)\n");
        assert_plan(world, store_query_sql(QUERY_BY_OWNER),
                    "SEARCH verdict USING INDEX verdict_uid (uid=? AND episode>? AND episode<?)\n");
        assert_plan(world, store_query_span_sql(),
                    "SEARCH verdict USING COVERING INDEX verdict_time (time_ns>? AND time_ns<?)\n");
        assert_plan(world, store_query_span_end_sql(),
                    "SEARCH verdict USING COVERING INDEX verdict_time (time_ns>? AND time_ns<?)\n");
        assert_plan(world, store_query_replay_sql(),
                    "SEARCH verdict USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)\n");
        assert_plan(world, store_query_sql(QUERY_BY_NAME),
                    "SEARCH newer USING COVERING INDEX verdict_vm (vm=? AND episode=? AND rowid>?)\n");
        assert_plan(world, store_query_evidence_sql(), "SEARCH verdict_evidence USING PRIMARY KEY (verdict=?)\n");
        assert_plan(world, store_query_decision_sql(), "SEARCH decision USING INDEX decision_verdict (verdict=?)\n");
        assert_plan(world, store_query_each_evidence_sql(),
                    "SEARCH evidence USING INDEX evidence_vm (vm=? AND rowid>?)\n");
        assert_plan(world, "SELECT * FROM vm WHERE ended_ns IS NULL ORDER BY id",
                    "SCAN vm USING INDEX vm_open_by_age\n");
}

static void nothing_that_is_written_grows_with_history(void **state) {
        static const char *const tables[] = { "SCAN vm", "SCAN evidence", "SCAN verdict", "SCAN decision", "TEMP B-TREE" };
        struct world *world = *state;

        for (enum transaction_statement statement = 0; statement < _TRANSACTION_STATEMENT_N; statement++) {
                const char *sql = transaction_sql(statement), *plan;

                if (!strncmp(sql, "INSERT", 6) || !strncmp(sql, "UPDATE", 6) || !strncmp(sql, "SELECT", 6) ||
                    !strncmp(sql, "DELETE", 6)) {
                        plan = explain(world, sql);
                        /* SQLite's own table of sequences has one row for each of two tables. */
                        for (size_t i = 0; i < N_ELEMENTS(tables); i++)
                                if (strstr(plan, tables[i]))
                                        fail_msg("%s\nis planned as\n%s", sql, plan);
                }
        }
}

int main(void) {
        static const struct CMUnitTest tests[] = {
#define SENTENCE(name) cmocka_unit_test_setup_teardown(name, world_begin, world_end)
                SENTENCE(evidence_is_told_in_the_order_in_which_it_was_stored),
                SENTENCE(a_verdict_is_read_back_as_it_was_told),
                SENTENCE(history_is_told_newest_first_up_to_its_limit),
                SENTENCE(a_revision_takes_the_place_of_what_it_revises),
                SENTENCE(a_revision_names_what_it_revises_and_that_must_be_there),
                SENTENCE(history_is_asked_by_name_uuid_instance_or_number),
                SENTENCE(history_is_asked_by_owner),
                SENTENCE(history_is_asked_by_what_happened_who_did_it_and_when),
                SENTENCE(the_next_page_goes_on_where_the_one_before_ended),
                SENTENCE(verdicts_are_replayed_in_the_order_in_which_they_were_written),
                SENTENCE(a_clock_that_was_set_back_changes_no_order),
                SENTENCE(a_long_span_of_time_misses_none),
                SENTENCE(the_newest_decision_counts),
                SENTENCE(pruned_evidence_leaves_the_verdict),
                SENTENCE(whoever_is_told_may_stop_listening),
                SENTENCE(a_word_written_by_hand_is_an_error_that_names_its_row),
                SENTENCE(a_rule_that_this_version_does_not_have_is_told_by_its_name),
                SENTENCE(every_question_is_a_look_into_an_index),
                SENTENCE(nothing_that_is_written_grows_with_history),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
