/*
 * Store query: the questions that history answers.
 *
 * Knows their SQL, for store_query.c and for the test that looks at SQLite's plans.  Does not know who asks.
 */
#pragma once

enum query_by {
        QUERY_BY_NOTHING,
        QUERY_BY_NAME,
        QUERY_BY_UUID,
        QUERY_BY_VM,
        QUERY_BY_ID,
        QUERY_BY_OWNER,
        QUERY_BY_TRANSITION,
        QUERY_BY_BOTH, /* and by the initiator */
        QUERY_BY_INITIATOR,
        _QUERY_BY_N,
};

/*
 * Parameters: 1 what is looked for, 2 whether all revisions are wanted, 3 the limit, 4 transition, 5 initiator, 6 since, 7 until,
 * 8 and 9 episode and number before which it begins, 10 owner, 11 the episode with which it ends.  NULL is "any" for 4, 5 and 10.
 */
const char *store_query_sql(enum query_by by);
const char *store_query_replay_sql(void);
/* Between which episodes a span of time lies (since 1, before 2) and how many, at most 3, verdicts; and with which it ends. */
const char *store_query_span_sql(void);
const char *store_query_span_end_sql(void);
const char *store_query_evidence_sql(void);
const char *store_query_decision_sql(void);
const char *store_query_each_evidence_sql(void);
