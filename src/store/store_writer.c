#include "store/store_writer.h"

#include "basics/capabilities.h"
#include "basics/cleanup.h"
#include "store/transaction.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <time.h>

enum {
        GROUP_OPS_MAX = 2048, /* facts of one commit: about 20 ms of work beside its one fsync */
};

/* The rest after a failure; without it, a caller who submits again at once would keep a CPU and a sick disk busy. */
#define REST_NS INT64_C(100000000)

/* For so long evidence may wait for its verdict, to be flushed with it; whatever else is written meanwhile. */
#define FLUSH_NS INT64_C(5000000)

struct batch_list {
        struct store_batch *first, *last;
};

struct store_writer {
        struct transaction transaction; /* the thread's */
        struct timespec flush_by;       /* the thread's: until when it may owe a flush, where it does */
        pthread_t thread;
        bool has_thread;
        int event_fd;
        bool is_dispatching; /* the caller's */

        pthread_mutex_t lock; /* guards all below */
        pthread_cond_t has_work;
        pthread_cond_t has_finished;
        struct batch_list queue, finished;
        size_t n_bytes;                  /* of what is submitted and not dispatched */
        uint64_t n_submitted, n_written; /* batches, ever */
        uint64_t n_dispatched;
        bool has_lost_file; /* -ESTALE */
        bool is_stopping; /* accept nothing more */
        bool is_ending;   /* end the thread once the queue is empty */
};

static void list_append(struct batch_list *list, struct store_batch *batch) {
        batch->next = NULL;
        if (list->last)
                list->last->next = batch;
        else
                list->first = batch;
        list->last = batch;
}

static struct store_batch *list_take(struct batch_list *list) {
        struct store_batch *batch = list->first;

        list->first = batch->next;
        if (!list->first)
                list->last = NULL;
        batch->next = NULL;
        return batch;
}

/* As many as one commit should hold, at least one. */
static struct batch_list take_group(struct batch_list *queue) {
        struct batch_list group = {};
        size_t n_ops = 0;

        do {
                n_ops += queue->first->n_ops;
                list_append(&group, list_take(queue));
        } while (queue->first && n_ops + queue->first->n_ops <= GROUP_OPS_MAX);
        return group;
}

static void wake_caller(struct store_writer *writer) {
        const uint64_t one = 1;
        ssize_t n = write(writer->event_fd, &one, sizeof(one));

        /* It fails only when the counter is full: then it is readable, and that is all that is wanted. */
        (void)n;
}

/* Under the lock.  Did nothing of what was submitted succeed? */
static bool finish_group(struct store_writer *writer, struct batch_list group) {
        size_t n = 0, n_failed = 0;

        while (group.first) {
                struct store_batch *batch = list_take(&group);

                writer->n_written++;
                batch->is_done = true;
                writer->has_lost_file = writer->has_lost_file || batch->result == -ESTALE;
                if (batch->is_given_up) {
                        writer->n_bytes -= batch->n_bytes;
                        writer->n_dispatched++;
                        store_batch_free(batch);
                        continue;
                }
                if (batch->has_waiter)
                        continue;
                list_append(&writer->finished, batch);
                n++;
                n_failed += batch->result != 0;
        }
        pthread_cond_broadcast(&writer->has_finished);
        if (n)
                wake_caller(writer);
        return n && n == n_failed;
}

static struct timespec until_after(int64_t ns) {
        struct timespec until;

        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += ns;
        if (until.tv_nsec >= 1000000000) {
                until.tv_nsec -= 1000000000;
                until.tv_sec++;
        }
        return until;
}

/*
 * Of root's rights this thread needs what writing a file takes, in whoever's directory it is: SQLite gives its other files to the owner of the
 * database.
 */
static void drop_rights(void) {
        const uint64_t kept = CAPABILITY(CAP_DAC_OVERRIDE) | CAPABILITY(CAP_CHOWN) | CAPABILITY(CAP_FOWNER);

        capabilities_keep(kept, kept);
}

/* Under the lock. */
static void rest(struct store_writer *writer) {
        struct timespec until = until_after(REST_NS);

        while (!writer->is_stopping)
                if (pthread_cond_timedwait(&writer->has_work, &writer->lock, &until) == ETIMEDOUT)
                        return;
}

/* Under the lock.  Until there is something to write, or the end. */
static void wait_for_work(struct store_writer *writer) {
        const bool owes_flush = writer->transaction.owes_flush;
        int r = 0;

        while (!writer->queue.first && !writer->is_ending && !r)
                if (owes_flush)
                        r = pthread_cond_timedwait(&writer->has_work, &writer->lock, &writer->flush_by);
                else
                        pthread_cond_wait(&writer->has_work, &writer->lock);
        if (writer->queue.first || !owes_flush)
                return;
        pthread_mutex_unlock(&writer->lock);
        transaction_flush(&writer->transaction);
        pthread_mutex_lock(&writer->lock);
}

static bool is_past(const struct timespec *instant) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return now.tv_sec > instant->tv_sec || (now.tv_sec == instant->tv_sec && now.tv_nsec >= instant->tv_nsec);
}

static void write_group(struct store_writer *writer, struct batch_list group) {
        const bool owed_flush = writer->transaction.owes_flush;

        transaction_write(&writer->transaction, group.first, !owed_flush || !is_past(&writer->flush_by));
        if (!owed_flush && writer->transaction.owes_flush)
                writer->flush_by = until_after(FLUSH_NS);
}

static void *writer_main(void *userdata) {
        struct store_writer *writer = userdata;

        drop_rights();
        pthread_mutex_lock(&writer->lock);
        for (;;) {
                struct batch_list group;

                wait_for_work(writer);
                if (!writer->queue.first && writer->is_ending)
                        break;
                if (!writer->queue.first)
                        continue; /* there was only the disk to flush */
                group = take_group(&writer->queue);

                pthread_mutex_unlock(&writer->lock);
                write_group(writer, group);
                pthread_mutex_lock(&writer->lock);

                if (finish_group(writer, group))
                        rest(writer);
        }
        pthread_mutex_unlock(&writer->lock);
        return NULL;
}

/* Signals belong to whoever owns the loop, never to this thread. */
static int start_thread(struct store_writer *writer) {
        sigset_t all, before;
        int r;

        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        r = pthread_create(&writer->thread, NULL, writer_main, writer);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (r)
                return -r;
        writer->has_thread = true;
        pthread_setname_np(writer->thread, "store-writer");
        return 0;
}

static int writer_init(struct store_writer *writer) {
        pthread_condattr_t monotonic;

        pthread_mutex_init(&writer->lock, NULL);
        pthread_condattr_init(&monotonic);
        pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
        pthread_cond_init(&writer->has_work, &monotonic);
        pthread_cond_init(&writer->has_finished, &monotonic);
        pthread_condattr_destroy(&monotonic);

        writer->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        return writer->event_fd < 0 ? -errno : start_thread(writer);
}

int store_writer_new(struct store_writer **ret_writer, sqlite3 *database, char ret_why[static STORE_WHY_MAX]) {
        struct store_writer *writer = calloc(1, sizeof(*writer));
        int r;

        if (!writer) {
                database_closep(&database);
                return database_fail_errno("vmpower.db", -ENOMEM, ret_why);
        }
        writer->event_fd = -1;
        r = transaction_init(&writer->transaction, database, ret_why);
        if (r) {
                free(writer);
                return r;
        }
        r = writer_init(writer);
        if (r) {
                database_fail_errno("the store's writer", r, ret_why);
                store_writer_free(writer);
                return r;
        }
        *ret_writer = writer;
        return 0;
}

struct store_writer *store_writer_free(struct store_writer *writer) {
        if (!writer)
                return NULL;
        if (writer->has_thread) {
                pthread_mutex_lock(&writer->lock);
                writer->is_stopping = true;
                writer->is_ending = true;
                pthread_cond_signal(&writer->has_work);
                pthread_mutex_unlock(&writer->lock);
                pthread_join(writer->thread, NULL);
        }
        while (writer->finished.first)
                store_batch_free(list_take(&writer->finished));
        transaction_deinit(&writer->transaction);
        close_fd(&writer->event_fd);
        pthread_cond_destroy(&writer->has_finished);
        pthread_cond_destroy(&writer->has_work);
        pthread_mutex_destroy(&writer->lock);
        free(writer);
        return NULL;
}

/* Under the lock. */
static void enqueue(struct store_writer *writer, struct store_batch *batch) {
        batch->is_done = false;
        batch->result = 0;
        *batch->why = '\0';
        writer->n_bytes += batch->n_bytes;
        writer->n_submitted++;
        list_append(&writer->queue, batch);
        pthread_cond_signal(&writer->has_work);
}

/* A batch that alone is above the bound is taken when nothing else waits. */
static int check_room(const struct store_writer *writer, const struct store_batch *batch) {
        if (writer->is_stopping)
                return -ESHUTDOWN;
        return writer->n_bytes && writer->n_bytes + batch->n_bytes > STORE_QUEUE_MAX ? -EAGAIN : 0;
}

int store_writer_submit(struct store_writer *writer, struct store_batch *batch) {
        int r;

        pthread_mutex_lock(&writer->lock);
        r = check_room(writer, batch);
        if (!r) {
                store_batch_keep(batch);
                batch->has_waiter = false;
                enqueue(writer, batch);
        }
        pthread_mutex_unlock(&writer->lock);
        return r;
}

/* Under the lock.  Take it out if nobody has begun with it. */
static bool take_back(struct store_writer *writer, const struct store_batch *batch) {
        struct store_batch *before = NULL, *at = writer->queue.first;

        for (; at && at != batch; at = at->next)
                before = at;
        if (!at)
                return false;
        if (before)
                before->next = at->next;
        else
                writer->queue.first = at->next;
        if (writer->queue.last == at)
                writer->queue.last = before;
        return true;
}

static struct timespec ms_from_now(unsigned ms) {
        struct timespec until;

        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += ms / 1000 + (until.tv_nsec / 1000000 + ms % 1000) / 1000;
        until.tv_nsec = (until.tv_nsec + ms % 1000 * 1000000) % 1000000000;
        return until;
}

int store_writer_run(struct store_writer *writer, struct store_batch *batch, unsigned patience_ms) {
        struct timespec until = ms_from_now(patience_ms);
        int r = 0;

        pthread_mutex_lock(&writer->lock);
        batch->has_waiter = true;
        enqueue(writer, batch);
        while (!batch->is_done && !r)
                if (patience_ms)
                        r = pthread_cond_timedwait(&writer->has_finished, &writer->lock, &until);
                else
                        pthread_cond_wait(&writer->has_finished, &writer->lock);
        if (batch->is_done) {
                writer->n_bytes -= batch->n_bytes;
                writer->n_dispatched++;
                r = batch->result;
        } else if (take_back(writer, batch)) {
                writer->n_bytes -= batch->n_bytes;
                writer->n_submitted--;
                r = -EAGAIN;
        } else {
                batch->is_given_up = true;
                r = STORE_WRITER_GIVEN_UP;
        }
        pthread_mutex_unlock(&writer->lock);
        return r;
}

int store_writer_fd(const struct store_writer *writer) {
        return writer->event_fd;
}

bool store_writer_is_busy(struct store_writer *writer) {
        bool is_busy;

        pthread_mutex_lock(&writer->lock);
        is_busy = writer->n_dispatched < writer->n_submitted;
        pthread_mutex_unlock(&writer->lock);
        return is_busy;
}

bool store_writer_has_lost_file(struct store_writer *writer) {
        bool has_lost_file;

        pthread_mutex_lock(&writer->lock);
        has_lost_file = writer->has_lost_file;
        pthread_mutex_unlock(&writer->lock);
        return has_lost_file;
}

void store_writer_wait(struct store_writer *writer) {
        uint64_t n_wanted;

        pthread_mutex_lock(&writer->lock);
        n_wanted = writer->n_submitted;
        while (writer->n_written < n_wanted)
                pthread_cond_wait(&writer->has_finished, &writer->lock);
        pthread_mutex_unlock(&writer->lock);
}

/* What is done by now.  The eventfd is emptied first: what comes later wakes again. */
static struct batch_list take_finished(struct store_writer *writer) {
        struct batch_list finished;
        uint64_t ignored;
        ssize_t n = read(writer->event_fd, &ignored, sizeof(ignored));

        (void)n;
        pthread_mutex_lock(&writer->lock);
        finished = writer->finished;
        writer->finished = (struct batch_list){};
        for (struct store_batch *batch = finished.first; batch; batch = batch->next) {
                writer->n_bytes -= batch->n_bytes;
                writer->n_dispatched++;
        }
        pthread_mutex_unlock(&writer->lock);
        return finished;
}

size_t store_writer_dispatch(struct store_writer *writer) {
        struct batch_list finished;
        size_t n_failed = 0;

        assert(!writer->is_dispatching);
        writer->is_dispatching = true;
        finished = take_finished(writer);
        while (finished.first) {
                struct store_batch *batch = list_take(&finished);
                bool is_kept = false;

                n_failed += batch->result != 0;
                batch->is_kept = &is_kept;
                if (batch->done)
                        batch->done(batch, batch->result, batch->why, batch->userdata);
                if (!is_kept)
                        store_batch_free(batch);
        }
        writer->is_dispatching = false;
        return n_failed;
}

void store_writer_stop(struct store_writer *writer) {
        pthread_mutex_lock(&writer->lock);
        writer->is_stopping = true;
        pthread_cond_signal(&writer->has_work);
        pthread_mutex_unlock(&writer->lock);
}
