/* The routes: what each answers, to whom it belongs, and what is no question. */
#include "api/api_test_world.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "api/metrics.h"
#include "api/routes.h"
#include "basics/cleanup.h"

static void expect_status(struct world *world, const char *request, unsigned status) {
        unsigned found = world_ask(world, geteuid(), request);

        if (found != status)
                fail_msg("%s gives %u, not %u: %s%s", request, found, status, world->head, world->text);
}

static void health_says_who_one_is(void **state) {
        struct world *world = *state;

        world->n_waiting = 1;
        expect_status(world, "GET /v1/health", 200);
        world_expect(world, "status", "ok");
        world_expect(world, "version", "0.1");
        world_expect(world, "last_number", "0");
        world_expect(world, "descriptors_kept", "false");
        if (world_is_root()) {
                world_expect(world, "vms", "3");
                world_expect(world, "you.rights", "control");
                world_expect(world, "states.running", "1");
                world_expect(world, "states.gone", "1");
        }
        world_expect(world, "store.verdicts", "0");
        world_expect(world, "store.oldest", "null");
        world_expect(world, "store.waiting_verdicts", "1");
        world_expect(world, "store.lost_evidence", "4");
        assert_non_null(strstr(world->text, "\"helpers\":[{\"program\":\"vmpower-source-xen\",\"pid\":4711},{\"program\":\"vmpower-source-xen\",\"pid\":null}]"));
        assert_non_null(strstr(world->head, "Content-Type: application/json\r\n"));
}

static void all_vms_are_listed_in_the_form_of_vmpower_list(void **state) {
        static const char *const keys[] = { "name", "uuid", "backend", "instance", "pid", "state", "began",
                                            "since", "monitor", "shared_monitor", "could_attach", "sources", "last_verdict" };
        struct world *world = *state;
        const char *key;
        size_t n = 0;
        json_t *first, *value;

        strcpy(world->vms[0].last_verdict, "01JDB6Q4M0X8NNNNNNNNNNNNNN");
        strcpy(world->vms[1].monitor, "/run/b.qmp");
        expect_status(world, "GET /v1/vms", 200);
        first = json_array_get(json_object_get(world_json(world), "vms"), 0);
        json_object_foreach(first, key, value)
                assert_string_equal(key, keys[n++]);
        assert_int_equal(n, N_ELEMENTS(keys));
        world_expect(world, "vms.0.name", "web-1");
        world_expect(world, "vms.0.uuid", "null");
        world_expect(world, "vms.0.since", "2026-11-23T03:12:07.000000000Z");
        world_expect(world, "vms.0.monitor", "null");
        world_expect(world, "vms.0.could_attach", "/run/could.qmp");
        world_expect(world, "vms.0.sources", "[\"process\"]");
        world_expect(world, "vms.0.last_verdict.id", "01JDB6Q4M0X8NNNNNNNNNNNNNN");
        world_expect(world, "vms.1.sources", "[\"qmp\",\"process\"]");
        world_expect(world, "vms.2.state", "gone");
        world_expect(world, "vms.2.sources", "[]");
        world_expect(world, "vms.3", "-");
}

static void one_vm_is_found_by_name_or_instance_and_in_history(void **state) {
        struct world *world = *state;
        cleanup(verdict_record_deinit) struct verdict_record record = {};

        expect_status(world, "GET /v1/vms/db-1", 200);
        world_expect(world, "instance", "boot:3:3");
        if (world_is_root())
                world_expect(world, "uid", "4002");
        expect_status(world, "GET /v1/vms/boot%3A2%3a2", 200);
        world_expect(world, "state", "paused");
        expect_status(world, "GET /v1/vms/nobody", 404);
        world_expect(world, "error", "there is no VM nobody");

        /* The keeper forgets it; history does not. */
        record = world_tell(world, &world->vms[2], -2);
        world->n_vms = 2;
        expect_status(world, "GET /v1/vms/db-1", 200);
        world_expect(world, "state", "gone");
        world_expect(world, "last_verdict.id", record.id);
        world->n_vms = 3;
}

static void a_vms_verdict_is_its_last_one(void **state) {
        struct world *world = *state;
        cleanup(verdict_record_deinit) struct verdict_record first = {}, second = {};

        expect_status(world, "GET /v1/vms/db-1/verdict", 409);
        assert_non_null(strstr(world->text, "db-1 has not stopped; it has run since its start as pid"));
        expect_status(world, "GET /v1/vms/nobody/verdict", 404);
        /* Told of this VM, or that it is gone; what waits of others keeps nobody from an answer. */
        world->n_waiting = 1;
        expect_status(world, "GET /v1/vms/db-1/verdict", 409);
        strcpy(world->vms[2].last_verdict, "01JDB6Q4M0X8NNNNNNNNNNNNNN");
        expect_status(world, "GET /v1/vms/db-1/verdict", 503);
        *world->vms[2].last_verdict = '\0';
        world->n_vms = 2;
        expect_status(world, "GET /v1/vms/db-1/verdict", 503);
        assert_non_null(strstr(world->text, "not on disk yet"));
        world->n_vms = 3;
        world->n_waiting = 0;
        first = world_tell(world, &world->vms[2], -2);
        second = world_tell(world, &world->vms[2], 0);
        expect_status(world, "GET /v1/vms/db-1/verdict", 200);
        world_expect(world, "schema", "vmpower.verdict/1");
        world_expect(world, "id", second.id);
        world_expect(world, "evidence.0.proof", "true");
        world->n_waiting = 1;
        strcpy(world->vms[2].last_verdict, second.id);
        expect_status(world, "GET /v1/vms/db-1/verdict", 200);
        world->n_vms = 2;
        world_sql(world, "UPDATE vm SET ended_ns = 7 WHERE name = 'db-1'");
        expect_status(world, "GET /v1/vms/db-1/verdict", 200);
        world_expect(world, "id", second.id);
        world->n_vms = 3;
        world->n_waiting = 0;
}

static void a_verdict_is_found_by_its_id(void **state) {
        struct world *world = *state;
        cleanup(verdict_record_deinit) struct verdict_record record = world_tell(world, &world->vms[0], -2);
        char request[96];

        snprintf(request, sizeof(request), "GET /v1/verdicts/%s", record.id);
        expect_status(world, request, 200);
        world_expect(world, "id", record.id);
        expect_status(world, "GET /v1/verdicts/nothing", 404);
        world_expect(world, "error", "there is no verdict nothing");
}

static void a_vms_evidence_comes_in_pages(void **state) {
        struct world *world = *state;

        for (int i = 0; i < 3; i++)
                world_publish(world, &world->vms[2]);
        world_publish(world, &world->vms[0]);
        expect_status(world, "GET /v1/vms/db-1/evidence", 200);
        world_expect(world, "instance", "boot:3:3");
        world_expect(world, "evidence.0.kind", "signal");
        world_expect(world, "evidence.0.proof", "-");
        world_expect(world, "evidence.2.id", "3");
        world_expect(world, "evidence.3", "-");
        world_expect(world, "next", "null");
        expect_status(world, "GET /v1/vms/db-1/evidence?limit=2", 200);
        world_expect(world, "evidence.1.id", "2");
        world_expect(world, "next", "2");
        expect_status(world, "GET /v1/vms/db-1/evidence?limit=2&after=2", 200);
        world_expect(world, "evidence.0.id", "3");
        world_expect(world, "evidence.1", "-");
        world_expect(world, "next", "null");
        expect_status(world, "GET /v1/vms/nobody/evidence", 404);
}

static void verdicts_come_in_pages_newest_first(void **state) {
        struct world *world = *state;
        char request[96], ids[6][VERDICT_ID_MAX];
        size_t n = 0;

        expect_status(world, "GET /v1/verdicts", 200);
        assert_string_equal(world->text, "{\"verdicts\":[],\"next\":null}\n");
        for (size_t i = 0; i < 6; i++) {
                cleanup(verdict_record_deinit) struct verdict_record record = world_tell(world, &world->vms[i % 2], -2);

                strcpy(ids[5 - i], record.id);
        }
        expect_status(world, "GET /v1/verdicts?limit=6", 200);
        world_expect(world, "next", "null");
        strcpy(request, "GET /v1/verdicts?limit=2");
        do {
                expect_status(world, request, 200);
                world_expect(world, "verdicts.0.id", ids[n++]);
                world_expect(world, "verdicts.1.id", ids[n++]);
                world_expect(world, "verdicts.2", "-");
                snprintf(request, sizeof(request), "GET /v1/verdicts?limit=2&before=%s", world_value(world, "next"));
        } while (strcmp(world_value(world, "next"), "null"));
        assert_int_equal(n, 6);
}

static void verdicts_are_filtered(void **state) {
        struct world *world = *state;
        cleanup(verdict_record_deinit) struct verdict_record web = world_tell(world, &world->vms[0], -2),
                                                             db = world_tell(world, &world->vms[2], -2);

        expect_status(world, "GET /v1/verdicts?vm=web-1", 200);
        world_expect(world, "verdicts.0.id", web.id);
        world_expect(world, "verdicts.1", "-");
        expect_status(world, "GET /v1/verdicts?vm=boot%3A3%3A3&initiator=operator&transition=destroy", 200);
        world_expect(world, "verdicts.0.id", db.id);
        expect_status(world, "GET /v1/verdicts?initiator=guest", 200);
        world_expect(world, "verdicts.0", "-");
        expect_status(world, "GET /v1/verdicts?transition=crash", 200);
        world_expect(world, "verdicts.0", "-");
        expect_status(world, "GET /v1/verdicts?since=2026-01-01T00:00:00Z&until=2100-01-01T00:00:00%2B01:00", 200);
        world_expect(world, "verdicts.1.id", web.id);
        expect_status(world, "GET /v1/verdicts?since=2100-01-01T00:00:00Z", 200);
        world_expect(world, "verdicts.0", "-");
        expect_status(world, "GET /v1/verdicts?until=2020-01-01T00:00:00Z", 200);
        world_expect(world, "verdicts.0", "-");
}

static void a_monitor_is_attached_and_given_back(void **state) {
        struct world *world = *state;
        static const char order[] = "{\"name\": \"db-1\", \"qmp\": \"/run/db.qmp\", \"pid\": 12}";

        if (!world_is_root())
                skip();
        assert_int_equal(world_ask_with_body(world, 0, "POST /v1/vms", order), 201);
        world_expect(world, "name", "db-1");
        world_expect(world, "monitor", "/run/db.qmp");
        world_expect(world, "shared_monitor", "/run/qmp/shared.sock");
        assert_string_equal(world->attached, "db-1 /run/db.qmp 12");
        assert_int_equal(world->asker.pid, getpid());
        assert_string_equal(world->asker.comm, "tester");
        assert_string_equal(world->asker.via, "vmpower attach");

        expect_status(world, "DELETE /v1/vms/db-1/monitor", 200);
        world_expect(world, "monitor", "null");
        assert_string_equal(world->attached, "boot:3:3");
        assert_string_equal(world->asker.via, "vmpower detach");
        expect_status(world, "DELETE /v1/vms/db-1/monitor", 409);
        world_expect(world, "error", "no monitor is held");
        expect_status(world, "DELETE /v1/vms/nobody/monitor", 404);
}

static void a_vm_is_asked_for_something(void **state) {
        struct world *world = *state;

        if (!world_is_root())
                skip();
        assert_int_equal(world_ask_with_body(world, 0, "POST /v1/vms/db-1/requests", "{\"action\": \"destroy\"}"), 200);
        world_expect(world, "name", "db-1");
        assert_string_equal(world->attached, "boot:3:3");
        assert_string_equal(world->asked, "destroy");
        assert_string_equal(world->asker.via, "vmpower destroy");
        assert_int_equal(world->asker.pid, getpid());

        world->has_gone = true;
        assert_int_equal(world_ask_with_body(world, 0, "POST /v1/vms/db-1/requests", "{\"action\": \"destroy\"}"), 200);
        assert_int_equal(json_object_size(world_json(world)), 0);
        world->greeting_result = -EPERM;
        assert_int_equal(world_ask_with_body(world, 0, "POST /v1/vms/db-1/requests", "{\"action\": \"destroy\"}"), 403);
        world_expect(world, "error", "QEMU says no");
        world->attach_result = -ENOTCONN;
        assert_int_equal(world_ask_with_body(world, 0, "POST /v1/vms/db-1/requests", "{\"action\": \"shutdown\"}"), 409);
        world_expect(world, "error", "the keeper says no");

        /* One that has gone is called as whoever asks calls it. */
        world->attach_result = -ENOENT;
        assert_int_equal(world_ask_with_body(world, 0, "POST /v1/vms/db-1/requests", "{\"action\": \"shutdown\"}"), 404);
        world_expect(world, "error", "db-1 has gone");

        *world->asked = '\0';
        for (size_t i = 0; i < 4; i++) {
                static const char *const bodies[] = { "{\"action\": \"dance\"}", "{\"action\": 7}", "{}", "{\"action\": \"destroy\", \"x\": 1}" };

                assert_int_equal(world_ask_with_body(world, 0, "POST /v1/vms/db-1/requests", bodies[i]), 400);
        }
        assert_int_equal(world_ask_with_body(world, 0, "POST /v1/vms/nobody/requests", "{\"action\": \"destroy\"}"), 404);
        assert_string_equal(world->asked, "");
}

static void a_refusal_of_the_keeper_is_told_in_its_words(void **state) {
        static const struct {
                int result;
                unsigned status;
        } cases[] = { { -EBUSY, 409 },    { -EEXIST, 409 }, { -ESRCH, 409 },  { -ENOENT, 404 },
                      { -ENOTSOCK, 400 }, { -EPERM, 403 },  { -ENOMEM, 503 }, { -EIO, 503 } };
        struct world *world = *state;

        if (!world_is_root())
                skip();
        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                world->attach_result = cases[i].result;
                assert_int_equal(world_ask_with_body(world, 0, "POST /v1/vms", "{\"name\":\"a\",\"qmp\":\"/a\"}"),
                                 cases[i].status);
                world_expect(world, "error", "the keeper says no");
        }
        world->attach_result = 0;
        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                world->greeting_result = cases[i].result;
                assert_int_equal(world_ask_with_body(world, 0, "POST /v1/vms", "{\"name\":\"db-1\",\"qmp\":\"/a\"}"),
                                 cases[i].status);
                world_expect(world, "error", "the monitor says no");
        }
}

static void an_order_that_makes_no_sense_is_refused(void **state) {
        static const char *const orders[] = {
                "{", "[]", "\"x\"", "{}", "{\"name\":\"a\"}", "{\"qmp\":\"/a\"}",
                "{\"name\":\"\",\"qmp\":\"/a\"}", "{\"name\":\"a\",\"qmp\":\"a\"}", "{\"name\":\"a\\n\",\"qmp\":\"/a\"}",
                "{\"name\":7,\"qmp\":\"/a\"}", "{\"name\":\"a\",\"qmp\":\"/a\",\"pid\":-1}",
                "{\"name\":\"a\",\"qmp\":\"/a\",\"pid\":\"1\"}", "{\"name\":\"a\",\"qmp\":\"/a\",\"pid\":9999999999}",
                "{\"name\":\"a\",\"qmp\":\"/a\",\"more\":1}", "{\"name\":\"a\",\"name\":\"b\",\"qmp\":\"/a\"}",
                "{\"name\":\"a\\u0000b\",\"qmp\":\"/a\"}", "\xff\xfe",
        };
        struct world *world = *state;
        char order[1024] = "{\"qmp\":\"/a\",\"name\":\"";

        for (size_t i = 0; i < N_ELEMENTS(orders); i++) {
                if (world_ask_with_body(world, geteuid(), "POST /v1/vms", orders[i]) != 400)
                        fail_msg("%s gives %u", orders[i], world->status);
                assert_string_not_equal(world_value(world, "error"), "-");
        }
        assert_int_equal(world_ask(world, geteuid(), "POST /v1/vms"), 400);
        memset(order + strlen(order), 'n', VM_NAME_MAX);
        strcat(order, "\"}");
        assert_int_equal(world_ask_with_body(world, geteuid(), "POST /v1/vms", order), 400);
        assert_string_equal(world->attached, "");
}

static void what_is_no_question_is_told_in_one_line(void **state) {
        static const struct {
                const char *request;
                unsigned status;
                const char *words;
        } cases[] = {
                { "GET /", 404, "there is nothing at /" },
                { "GET /v1", 404, "" },
                { "GET /v1/vms/", 404, "" },
                { "GET /v1/vms/web-1/", 404, "" },
                { "GET /v1/vms/web-1/x", 404, "" },
                { "GET //v1/vms", 404, "" },
                { "GET /v1/vms/%zz", 400, "percent-encoded" },
                { "GET /v1/vms/%00", 400, "percent-encoded" },
                { "GET /v1/vms/%ff", 400, "percent-encoded" },
                { "GET /v1/vms/%2", 400, "percent-encoded" },
                { "GET /v1/vms/a%2Fb", 404, "there is no VM a/b" },
                { "GET /v1/vms?name=x", 400, "/v1/vms has no parameter name" },
                { "GET /v1/verdicts?vm", 400, "the value of vm makes no sense" },
                { "GET /v1/verdicts?vm=%zz", 400, "the value of vm makes no sense" },
                { "GET /v1/verdicts?limit=1&limit=2", 400, "limit is given twice" },
                { "GET /v1/verdicts?limit=0", 400, "limit is a number from 1 to 1000, not \"0\"" },
                { "GET /v1/verdicts?limit=1001", 400, "limit is a number" },
                { "GET /v1/verdicts?limit=-1", 400, "limit is a number" },
                { "GET /v1/verdicts?limit=1x", 400, "limit is a number" },
                { "GET /v1/verdicts?before=99999999999999999999999", 400, "before is a number" },
                { "GET /v1/verdicts?since=yesterday", 400, "since is a time such as" },
                { "GET /v1/verdicts?until=9999-12-31T23:59:59Z", 400, "from 1970 to 2553" },
                { "GET /v1/verdicts?transition=fly", 400, "there is no transition fly; there are start, poweroff" },
                { "GET /v1/verdicts?initiator=me", 400, "there is no initiator me; there are guest, operator" },
                { "GET /v1/events?after=x", 400, "after is a number" },
        };
        struct world *world = *state;

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                expect_status(world, cases[i].request, cases[i].status);
                if (!strstr(world_value(world, "error"), cases[i].words))
                        fail_msg("%s: %s", cases[i].request, world->text);
        }
}

static void a_method_that_is_not_there_is_told_which_are(void **state) {
        static const struct {
                const char *request, *allow;
        } cases[] = {
                { "PUT /v1/vms", "\r\nAllow: GET, HEAD, POST\r\n" },
                { "POST /v1/health", "\r\nAllow: GET, HEAD\r\n" },
                { "GET /v1/vms/web-1/monitor", "\r\nAllow: DELETE\r\n" },
                { "DELETE /v1/vms/web-1", "\r\nAllow: GET, HEAD\r\n" },
                { "OPTIONS /metrics", "\r\nAllow: GET, HEAD\r\n" },
        };
        struct world *world = *state;

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                expect_status(world, cases[i].request, 405);
                if (!strstr(world->head, cases[i].allow))
                        fail_msg("%s: %s", cases[i].request, world->head);
        }
}

static void head_is_get_without_its_body(void **state) {
        struct world *world = *state;
        cleanup(closep) int fd = world_connect(world, geteuid());

        peer_send(fd, "HEAD /v1/health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        while (!strstr(world->text, "\r\n\r\n"))
                assert_true(world_read_until(world, fd, "\r\n\r\n"));
        assert_non_null(strstr(world->text, "HTTP/1.1 200 OK\r\n"));
        assert_string_equal(strstr(world->text, "\r\n\r\n"), "\r\n\r\n");
        assert_true(world_is_closed(world, fd));
}

static void the_metrics_count_what_was_told(void **state) {
        struct world *world = *state;
        cleanup(verdict_record_deinit) struct verdict_record record = world_tell(world, &world->vms[1], -2);
        struct evidence lossy[] = {
                evidence_make(SOURCE_QMP, EVIDENCE_GAP), evidence_make(SOURCE_TRACE, EVIDENCE_GAP),
                evidence_make(SOURCE_QMP, EVIDENCE_OMITTED), evidence_make(SOURCE_QMP, EVIDENCE_OMITTED),
                evidence_make(SOURCE_QMP, EVIDENCE_OMITTED),
        };
        struct verdict_record told = record;

        if (!world_is_root())
                skip();
        lossy[2].number = 40;
        lossy[3].number = 2;
        lossy[4].number = -7; /* what is no number of facts counts for none */
        told.items = lossy;
        told.n_items = N_ELEMENTS(lossy);
        world_publish(world, &world->vms[0]);
        api_publish(world->api, &told, world->vms[1].vm.uid);
        world->n_waiting = 1;
        expect_status(world, "GET /metrics", 200);
        assert_non_null(strstr(world->head, "Content-Type: text/plain; version=0.0.4"));
        assert_non_null(strstr(world->text, "\nvmpower_transitions_total{initiator=\"operator\",mechanism=\"signal\"} 2\n"));
        assert_non_null(strstr(world->text, "\nvmpower_vms{state=\"running\"} 1\nvmpower_vms{state=\"paused\"} 1\n"));
        assert_non_null(strstr(world->text, "\nvmpower_vms{state=\"gone\"} 1\n"));
        assert_non_null(strstr(world->text, "\nvmpower_verdict_latency_seconds_bucket{le=\"+Inf\"} 2\n"));
        assert_non_null(strstr(world->text, "\nvmpower_verdict_latency_seconds_count 2\n"));
        assert_non_null(strstr(world->text, "\nvmpower_evidence_gaps_total 2\n"));
        assert_non_null(strstr(world->text, "\nvmpower_evidence_omitted_total 42\n"));
        assert_non_null(strstr(world->text, "\nvmpower_verdicts_waiting 1\n"));
        assert_non_null(strstr(world->text, "\nvmpower_evidence_lost_total 4\n"));
        assert_non_null(strstr(world->text, "\nvmpower_verdicts_lost_total 3\n"));
        assert_non_null(strstr(world->text, "\nvmpower_outlet_told_total{outlet=\"journald\"} 7\n"
                                            "vmpower_outlet_told_total{outlet=\"hook:/a \\\"b\\\"\\\\\\n\"} 4\n"));
        assert_non_null(strstr(world->text, "\nvmpower_outlet_failures_total{outlet=\"journald\"} 1\n"));
        assert_non_null(strstr(world->text, "\"} 2\n# HELP vmpower_outlet_behind "));
        assert_non_null(strstr(world->text, "\nvmpower_outlet_behind{outlet=\"journald\"} 0\n"));
}

/* Each sample has the type of its name before it; a histogram's have three names. */
static void every_metric_says_what_it_is(void **state) {
        struct world *world = *state;
        char type[128] = "";
        size_t n = 0;

        if (!world_is_root())
                skip();
        expect_status(world, "GET /metrics", 200);
        for (char *rest = world->text, *line; (line = strsep(&rest, "\n"));) {
                if (!strncmp(line, "# TYPE ", 7)) {
                        snprintf(type, sizeof(type), "%.*s", (int)strcspn(line + 7, " "), line + 7);
                } else if (*line && *line != '#') {
                        assert_int_equal(strncmp(line, type, strlen(type)), 0);
                        assert_non_null(strchr("{ _", line[strlen(type)]));
                        n++;
                }
        }
        assert_true(n > 20);
}

static void a_late_verdict_is_counted_as_late_as_it_was(void **state) {
        static const struct {
                uint64_t latency_ns;
                size_t bucket;
        } cases[] = { { 0, 0 }, { 1000000, 0 }, { 1000001, 1 }, { 250000000, 7 }, { 10000000000, 11 }, { 10000000001, 12 }, { UINT64_MAX / 2, 12 } };
        struct verdict_record record = { .verdict.at_ns = 1000 };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                struct metrics metrics = {};

                metrics_count(&metrics, &record, record.verdict.at_ns + cases[i].latency_ns);
                for (size_t k = 0; k <= METRICS_BUCKETS_N; k++)
                        assert_int_equal(metrics.latency[k], k == cases[i].bucket);
                assert_int_equal(metrics.latency_sum_ns, cases[i].latency_ns);
                assert_int_equal(metrics.n_latency, 1);
        }
}

int main(void) {
        static const struct CMUnitTest tests[] = {
#define SENTENCE(name) cmocka_unit_test_setup_teardown(name, world_begin, world_end)
                SENTENCE(health_says_who_one_is),
                SENTENCE(all_vms_are_listed_in_the_form_of_vmpower_list),
                SENTENCE(one_vm_is_found_by_name_or_instance_and_in_history),
                SENTENCE(a_vms_verdict_is_its_last_one),
                SENTENCE(a_verdict_is_found_by_its_id),
                SENTENCE(a_vms_evidence_comes_in_pages),
                SENTENCE(verdicts_come_in_pages_newest_first),
                SENTENCE(verdicts_are_filtered),
                SENTENCE(a_monitor_is_attached_and_given_back),
                SENTENCE(a_vm_is_asked_for_something),
                SENTENCE(a_refusal_of_the_keeper_is_told_in_its_words),
                SENTENCE(an_order_that_makes_no_sense_is_refused),
                SENTENCE(what_is_no_question_is_told_in_one_line),
                SENTENCE(a_method_that_is_not_there_is_told_which_are),
                SENTENCE(head_is_get_without_its_body),
                SENTENCE(the_metrics_count_what_was_told),
                SENTENCE(every_metric_says_what_it_is),
                cmocka_unit_test(a_late_verdict_is_counted_as_late_as_it_was),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
