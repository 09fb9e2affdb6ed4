/*
 * Rows: what stands in a table, back as what it means.
 *
 * Trusts nothing: whoever can write the file can put any word into it.  A row that makes no sense is -EBADMSG and
 * named. Does not know which rows are asked for.
 */
#pragma once

#include "store/database.h"

/* What to select, in the order in which the functions below read it.  The first column is the row's number. */
#define ROW_VM                                                                                     \
        "vm.id, vm.name, vm.uuid, vm.backend, vm.instance, vm.pid, vm.uid, vm.command_line, "      \
        "vm.policy, vm.watcher, vm.began_ns, vm.ended_ns, vm.is_daemons"

#define ROW_EVIDENCE                                                                               \
        "evidence.id, evidence.source, evidence.kind, evidence.at_ns, evidence.time_ns, "          \
        "evidence.seq, evidence.data"

/* Joined with its vm. */
#define ROW_VERDICT                                                                                \
        "verdict.number, verdict.id, vm.name, vm.uuid, vm.backend, vm.instance, "                  \
        "verdict.episode, verdict.revises, verdict.at_ns, verdict.time_ns, verdict.transition, "   \
        "verdict.initiator, verdict.mechanism, verdict.graceful, verdict.left, verdict.count, "    \
        "verdict.confidence, verdict.rule, verdict.summary, verdict.actor, verdict.n_evidence"

#define ROW_DECISION "decision.id, decision.policy, decision.action, decision.result"

enum {
        ROW_EVIDENCE_N = 7, /* columns; a query may select more behind them */
};

/* 0, -EBADMSG or -ENOMEM; nothing is owned then. */
int row_to_vm(sqlite3_stmt *row, struct store_vm *ret_vm, char ret_why[static STORE_WHY_MAX]);
int row_to_evidence(sqlite3_stmt *row, struct evidence *ret_evidence, char ret_why[static STORE_WHY_MAX]);
/* Without its evidence (all of which counts as pruned until it is read) and its decision. */
int row_to_verdict(sqlite3_stmt *row, struct verdict_record *ret_record, char ret_why[static STORE_WHY_MAX]);
/* What is to do is not stored: `act` is ACT_NOTHING. */
int row_to_decision(sqlite3_stmt *row, struct decision *ret_decision, char ret_why[static STORE_WHY_MAX]);

/* Say which value of the row makes no sense.  -EBADMSG. */
int row_is_wrong(sqlite3_stmt *row, const char *table, int column, char ret_why[static STORE_WHY_MAX]);
