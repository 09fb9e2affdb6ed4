/*
 * Store writer: the thread that waits for the disk, so that nobody else does.
 *
 * Knows the queue, its bound, and how what is done comes back through a descriptor.  Batches that wait together share
 * one commit.  Does not know what is in a batch.
 */
#pragma once

#include "store/batch.h"
#include "store/database.h"

struct store_writer;

/* Takes the connection over, on failure too. */
int store_writer_new(struct store_writer **ret_writer, sqlite3 *database, char ret_why[static STORE_WHY_MAX]);

/* Everything must have been dispatched, or its `done` is never called.  Accepts NULL. */
struct store_writer *store_writer_free(struct store_writer *writer);

/* 0 or -EAGAIN: STORE_QUEUE_MAX bytes wait already. */
int store_writer_submit(struct store_writer *writer, struct store_batch *batch);

/*
 * Write this batch, after all that was submitted before, and wait for it; patience_ms: for so long (0: as long as it takes).  Its result;
 * -EAGAIN: that was over before it was begun, and it is not written; STORE_WRITER_GIVEN_UP: it is being written, and is the writer's to free.
 */
#define STORE_WRITER_GIVEN_UP 1
int store_writer_run(struct store_writer *writer, struct store_batch *batch, unsigned patience_ms);

int store_writer_fd(const struct store_writer *writer);

/* Is anything submitted and not dispatched? */
bool store_writer_is_busy(struct store_writer *writer);

/* Was something not written, for the file was moved or removed?  That does not pass. */
bool store_writer_has_lost_file(struct store_writer *writer);

/* Wait until everything that is submitted by now can be dispatched. */
void store_writer_wait(struct store_writer *writer);

/* Call `done` for what is done.  How many of these had failed. */
size_t store_writer_dispatch(struct store_writer *writer);

/* From now on nothing is accepted (-ESHUTDOWN), and a sick disk is not waited for. */
void store_writer_stop(struct store_writer *writer);
