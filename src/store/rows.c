#include "store/rows.h"

#include "basics/cleanup.h"
#include "core/evidence.h"
#include "core/text.h"
#include "json/actor_json.h"
#include "json/evidence_json.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum {
        JSON_TEXT_MAX = 64 * 1024, /* no fact and no actor of ours is near as long */
};

int row_is_wrong(sqlite3_stmt *row, const char *table, int column, char ret_why[static STORE_WHY_MAX]) {
        const char *value = (const char *)sqlite3_column_text(row, column);
        char shown[64], line[STORE_WHY_MAX];

        text_set(shown, sizeof(shown), value ? value : "nothing");
        snprintf(line, sizeof(line), "%s: %s %" PRIi64 ": %s makes no sense: %s",
                 sqlite3_db_filename(sqlite3_db_handle(row), "main"), table, (int64_t)sqlite3_column_int64(row, 0),
                 sqlite3_column_name(row, column), shown);
        text_set(ret_why, STORE_WHY_MAX, line);
        return -EBADMSG;
}

/* NULL reads as "". */
static const char *row_text(sqlite3_stmt *row, int column) {
        const char *text = (const char *)sqlite3_column_text(row, column);

        return text ? text : "";
}

static void row_copy_text(sqlite3_stmt *row, int column, char *ret_text, size_t n_ret) {
        text_set(ret_text, n_ret, row_text(row, column));
}

/* Columns that hold unsigned values; a negative one was not written by us.  NULL reads as 0. */
static int row_first_negative(sqlite3_stmt *row, const int *columns, size_t n_columns) {
        for (size_t i = 0; i < n_columns; i++)
                if (sqlite3_column_int64(row, columns[i]) < 0)
                        return columns[i];
        return -1;
}

static uint64_t row_unsigned(sqlite3_stmt *row, int column) {
        return (uint64_t)sqlite3_column_int64(row, column);
}

int row_to_vm(sqlite3_stmt *row, struct store_vm *ret_vm, char ret_why[static STORE_WHY_MAX]) {
        enum { ID, NAME, UUID, BACKEND, INSTANCE, PID, UID, COMMAND_LINE, POLICY, WATCHER, BEGAN, ENDED, IS_DAEMONS };
        static const int unsigned_columns[] = { BEGAN, ENDED };
        const char *command_line = (const char *)sqlite3_column_text(row, COMMAND_LINE);
        struct store_vm vm = {
                .id = sqlite3_column_int64(row, ID),
                .pid = sqlite3_column_int64(row, PID),
                .uid = sqlite3_column_type(row, UID) == SQLITE_NULL ? -1 : sqlite3_column_int64(row, UID),
                .began_ns = row_unsigned(row, BEGAN),
                .ended_ns = row_unsigned(row, ENDED),
                .is_daemons = sqlite3_column_int(row, IS_DAEMONS),
        };
        int wrong = row_first_negative(row, unsigned_columns, N_ELEMENTS(unsigned_columns));

        if (wrong >= 0)
                return row_is_wrong(row, "vm", wrong, ret_why);
        row_copy_text(row, NAME, vm.identity.name, sizeof(vm.identity.name));
        row_copy_text(row, UUID, vm.identity.uuid, sizeof(vm.identity.uuid));
        row_copy_text(row, BACKEND, vm.identity.backend, sizeof(vm.identity.backend));
        row_copy_text(row, INSTANCE, vm.identity.instance, sizeof(vm.identity.instance));
        vm.command_line = command_line ? strdup(command_line) : NULL;
        vm.policy = strdup(row_text(row, POLICY));
        vm.watcher = strdup(row_text(row, WATCHER));
        if ((command_line && !vm.command_line) || !vm.policy || !vm.watcher) {
                store_vm_deinit(&vm);
                return database_fail_errno("vmpower.db", -ENOMEM, ret_why);
        }
        *ret_vm = vm;
        return 0;
}

/* NULL for what is no JSON. */
static json_t *row_json(sqlite3_stmt *row, int column) {
        const char *text = row_text(row, column);
        int n = sqlite3_column_bytes(row, column);

        return n > JSON_TEXT_MAX ? NULL : json_loadb(text, (size_t)n, JSON_REJECT_DUPLICATES, NULL);
}

int row_to_evidence(sqlite3_stmt *row, struct evidence *ret_evidence, char ret_why[static STORE_WHY_MAX]) {
        enum { ID, SOURCE, KIND, AT, TIME, SEQ, DATA, _N };
        static_assert((int)_N == (int)ROW_EVIDENCE_N, "the columns of ROW_EVIDENCE");
        static const int unsigned_columns[] = { ID, AT, TIME, SEQ };
        cleanup(json_decrefp) json_t *data = NULL;
        enum evidence_source source;
        enum evidence_kind kind;
        struct evidence evidence;
        int wrong, r;

        wrong = row_first_negative(row, unsigned_columns, N_ELEMENTS(unsigned_columns));
        if (wrong >= 0)
                return row_is_wrong(row, "evidence", wrong, ret_why);
        if (evidence_source_from_name(row_text(row, SOURCE), &source))
                return row_is_wrong(row, "evidence", SOURCE, ret_why);
        if (evidence_kind_from_name(row_text(row, KIND), &kind))
                return row_is_wrong(row, "evidence", KIND, ret_why);

        evidence = evidence_make(source, kind);
        evidence.id = row_unsigned(row, ID);
        evidence.at_ns = row_unsigned(row, AT);
        evidence.time_ns = row_unsigned(row, TIME);
        evidence.seq = row_unsigned(row, SEQ);
        data = row_json(row, DATA);
        r = data ? evidence_data_from_json(data, &evidence) : -EINVAL;
        if (r == -ENOMEM)
                return database_fail_errno("vmpower.db", r, ret_why);
        if (r)
                return row_is_wrong(row, "evidence", DATA, ret_why);
        *ret_evidence = evidence;
        return 0;
}

/*
 * A verdict outlives its rule: one that this version no longer has is told by its name.  What could not be the name of
 * a rule is no verdict of ours.
 */
static bool is_rule_name(const char *text) {
        size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-");

        return n > 0 && !text[n] && n < sizeof(((struct verdict_record *)NULL)->rule);
}

static const char *find_rule(const char *name) {
        const struct rule_info *rule;

        for (size_t i = 0; (rule = judge_rule(i)); i++)
                if (!strcmp(rule->name, name))
                        return rule->name;
        return "";
}

static int row_tristate(sqlite3_stmt *row, int column, enum tristate *ret_value) {
        int64_t value = sqlite3_column_int64(row, column);

        if (sqlite3_column_type(row, column) == SQLITE_NULL)
                *ret_value = TRISTATE_NULL;
        else if (value == 0 || value == 1)
                *ret_value = value ? TRISTATE_TRUE : TRISTATE_FALSE;
        else
                return -EINVAL;
        return 0;
}

/* NULL: nobody was seen.  0, -EINVAL or -ENOMEM. */
static int row_actor(sqlite3_stmt *row, int column, struct actor **ret_actor) {
        cleanup(json_decrefp) json_t *json = NULL;
        cleanup(freep) struct actor *actor = NULL;
        int r;

        *ret_actor = NULL;
        if (sqlite3_column_type(row, column) == SQLITE_NULL)
                return 0;
        json = row_json(row, column);
        if (!json)
                return -EINVAL;
        actor = malloc(sizeof(*actor));
        if (!actor)
                return -ENOMEM;
        r = actor_from_json(json, actor);
        if (r)
                return r;
        *ret_actor = take_pointer(actor);
        return 0;
}

/* The columns of ROW_VERDICT. */
enum verdict_column {
        VERDICT_NUMBER,
        VERDICT_ID,
        VERDICT_VM_NAME,
        VERDICT_VM_UUID,
        VERDICT_VM_BACKEND,
        VERDICT_VM_INSTANCE,
        VERDICT_EPISODE,
        VERDICT_REVISES,
        VERDICT_AT,
        VERDICT_TIME,
        VERDICT_TRANSITION,
        VERDICT_INITIATOR,
        VERDICT_MECHANISM,
        VERDICT_GRACEFUL,
        VERDICT_LEFT,
        VERDICT_COUNT,
        VERDICT_CONFIDENCE,
        VERDICT_RULE,
        VERDICT_SUMMARY,
        VERDICT_ACTOR,
        VERDICT_N_EVIDENCE,
};

/* The first column whose word or number makes no sense, -1 if all do. */
static int row_read_words(sqlite3_stmt *row, struct verdict *verdict) {
        static const int unsigned_columns[] = {
                VERDICT_NUMBER, VERDICT_EPISODE, VERDICT_AT, VERDICT_TIME, VERDICT_COUNT, VERDICT_N_EVIDENCE,
        };

        if (transition_from_name(row_text(row, VERDICT_TRANSITION), &verdict->transition))
                return VERDICT_TRANSITION;
        if (initiator_from_name(row_text(row, VERDICT_INITIATOR), &verdict->initiator))
                return VERDICT_INITIATOR;
        if (mechanism_from_name(row_text(row, VERDICT_MECHANISM), &verdict->mechanism))
                return VERDICT_MECHANISM;
        if (row_tristate(row, VERDICT_GRACEFUL, &verdict->graceful))
                return VERDICT_GRACEFUL;
        if (left_from_name(row_text(row, VERDICT_LEFT), &verdict->left))
                return VERDICT_LEFT;
        if (confidence_from_name(row_text(row, VERDICT_CONFIDENCE), &verdict->confidence))
                return VERDICT_CONFIDENCE;
        if (!is_rule_name(row_text(row, VERDICT_RULE)))
                return VERDICT_RULE;
        return row_first_negative(row, unsigned_columns, N_ELEMENTS(unsigned_columns));
}

int row_to_verdict(sqlite3_stmt *row, struct verdict_record *ret_record, char ret_why[static STORE_WHY_MAX]) {
        struct verdict_record record = {};
        int wrong, r;

        wrong = row_read_words(row, &record.verdict);
        if (wrong >= 0)
                return row_is_wrong(row, "verdict", wrong, ret_why);

        record.number = row_unsigned(row, VERDICT_NUMBER);
        record.episode = row_unsigned(row, VERDICT_EPISODE);
        record.verdict.at_ns = row_unsigned(row, VERDICT_AT);
        record.verdict.time_ns = row_unsigned(row, VERDICT_TIME);
        record.verdict.count = row_unsigned(row, VERDICT_COUNT);
        row_copy_text(row, VERDICT_ID, record.id, sizeof(record.id));
        row_copy_text(row, VERDICT_VM_NAME, record.vm.name, sizeof(record.vm.name));
        row_copy_text(row, VERDICT_VM_UUID, record.vm.uuid, sizeof(record.vm.uuid));
        row_copy_text(row, VERDICT_VM_BACKEND, record.vm.backend, sizeof(record.vm.backend));
        row_copy_text(row, VERDICT_VM_INSTANCE, record.vm.instance, sizeof(record.vm.instance));
        row_copy_text(row, VERDICT_REVISES, record.revises, sizeof(record.revises));
        row_copy_text(row, VERDICT_RULE, record.rule, sizeof(record.rule));
        row_copy_text(row, VERDICT_SUMMARY, record.summary, sizeof(record.summary));
        record.verdict.rule = find_rule(record.rule);

        r = row_actor(row, VERDICT_ACTOR, &record.actor);
        if (r == -ENOMEM)
                return database_fail_errno("vmpower.db", r, ret_why);
        if (r)
                return row_is_wrong(row, "verdict", VERDICT_ACTOR, ret_why);
        record.verdict.actor = record.actor;
        record.n_pruned = (size_t)sqlite3_column_int64(row, VERDICT_N_EVIDENCE);
        *ret_record = record;
        return 0;
}

int row_to_decision(sqlite3_stmt *row, struct decision *ret_decision, char ret_why[static STORE_WHY_MAX]) {
        enum { ID, POLICY, ACTION, RESULT };
        struct decision decision = { .exists = true, .act = ACT_NOTHING };

        if (policy_event_from_name(row_text(row, POLICY), &decision.event))
                return row_is_wrong(row, "decision", POLICY, ret_why);
        if (policy_action_from_name(row_text(row, ACTION), &decision.action))
                return row_is_wrong(row, "decision", ACTION, ret_why);
        if (decision_result_from_name(row_text(row, RESULT), &decision.result))
                return row_is_wrong(row, "decision", RESULT, ret_why);
        *ret_decision = decision;
        return 0;
}
