#include "sources/command_line.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void expect(const char *text, size_t n, const char *const *argv) {
        char *formatted = NULL;

        assert_int_equal(command_line_format(&formatted, n, (char *const *)argv), 0);
        assert_string_equal(formatted, text);
        /* No more is kept than it needs, but what malloc() rounds up by. */
        assert_true(malloc_usable_size(formatted) < strlen(text) + 1 + 32);
        free(formatted);
}

#define EXPECT(text, ...)                                                                                    \
        do {                                                                                                 \
                const char *const _argv[] = { __VA_ARGS__ };                                                 \
                expect(text, sizeof(_argv) / sizeof(_argv[0]), _argv);                                       \
        } while (0)

static void words_are_quoted_for_a_shell(void **state) {
        expect("", 0, NULL);
        EXPECT("qemu-system-x86_64 -m 2", "qemu-system-x86_64", "-m", "2");
        EXPECT("a '' 'b c' 'it'\\''s' 'x;y' '$z'", "a", "", "b c", "it's", "x;y", "$z");
}

static void the_data_of_a_secret_object_is_masked(void **state) {
        EXPECT("q -object 'secret,id=s0,data=***'", "q", "-object", "secret,id=s0,data=hunter2");
        EXPECT("q -object 'secret,data=***,id=s0'", "q", "-object", "secret,data=a,,b,id=s0");
        EXPECT("q --object 'secret,data=***'", "q", "--object", "secret,data=");
        EXPECT("q -object '{\"qom-type\":\"secret\",\"data\": \"***\",\"id\":\"s\"}'", "q", "-object",
               "{\"qom-type\":\"secret\",\"data\": \"hun\\\"ter,2\",\"id\":\"s\"}");
        EXPECT("q -object secret,id=s0,file=/etc/s", "q", "-object", "secret,id=s0,file=/etc/s");
        /* Elsewhere, data is data. */
        EXPECT("q -device foo,data=5", "q", "-device", "foo,data=5");
}

static void a_password_is_masked_wherever_it_stands(void **state) {
        EXPECT("q -spice 'port=1,password=***,addr=x'", "q", "-spice", "port=1,password=hunter2,addr=x");
        EXPECT("q -spice 'port=1,password=***'", "q", "-spice", "port=1,password=two words");
        EXPECT("q -iscsi 'user=u,password=***'", "q", "-iscsi", "user=u,password=p");
        EXPECT("q -drive 'file.driver=ssh,file.password=***'", "q", "-drive",
               "file.driver=ssh,file.password=p");
        EXPECT("vmctl --password '***' x", "vmctl", "--password", "hunter2", "x");
        EXPECT("vmctl '--db-password=***'", "vmctl", "--db-password=hunter2");
        EXPECT("env 'MYSQL_PASSWORD=***' 'CLIENT_SECRET=***'", "env", "MYSQL_PASSWORD=h", "CLIENT_SECRET=h");
        EXPECT("q -blockdev '{\"driver\":\"x\",\"password\" : \"***\"}'", "q", "-blockdev",
               "{\"driver\":\"x\",\"password\" : \"hunter2\"}");
        EXPECT("q -drive 'file=https://u:***@host/d.img,if=none'", "q", "-drive",
               "file=https://u:p@ss@host/d.img,if=none");
        EXPECT("q -drive 'file=iscsi://u%***@host/iqn'", "q", "-drive", "file=iscsi://u%secret@host/iqn");
        EXPECT("q -drive 'file=rbd:pool/i:id=admin:key=***'", "q", "-drive",
               "file=rbd:pool/i:id=admin:key=AQB==:x=y");
}

static void a_secret_is_masked_however_it_is_called(void **state) {
        EXPECT("t --secret '***' --api-key '***'", "t", "--secret", "hunter2", "--api-key", "hunter2");
        EXPECT("t '--api-key=***' '--apikey=***' 'API_KEY=***' '--client-secret=***'", "t", "--api-key=h", "--apikey=h", "API_KEY=h",
               "--client-secret=h");
        EXPECT("env 'PGPASSWORD=***' 'MYSQL_PWD=***' 'AWS_SECRET_ACCESS_KEY=***' 'GH_TOKEN=***'", "env", "PGPASSWORD=h", "MYSQL_PWD=h",
               "AWS_SECRET_ACCESS_KEY=h", "GH_TOKEN=h");
        EXPECT("t 'passwd:***' 'SECRET=***' 'Token=***'", "t", "passwd:h", "SECRET=h", "Token=h");
        EXPECT("curl -H 'X-Auth-Token: ***'", "curl", "-H", "X-Auth-Token: hunter2");
        EXPECT("t 'data=***'", "t", "data=hunter2");
        EXPECT("t 'secret,id=s0,data=***'", "t", "secret,id=s0,data=hunter2");
        EXPECT("t '{\"qom-type\":\"secret\",\"data\":\"***\"}'", "t", "{\"qom-type\":\"secret\",\"data\":\"hunter2\"}");
}

static void a_secret_is_masked_in_a_command_line_that_is_a_word(void **state) {
        EXPECT("sh -c 'mysql --password *** secret,id=s0,data=***'", "sh", "-c", "mysql --password hunter2 secret,id=s0,data=hunter3 --x y");
        EXPECT("sh -c 'mysql --password \"***\" --host db; kill -9 12'", "sh", "-c", "mysql --password \"two words\" --host db; kill -9 12");
        EXPECT("sh -c 'x --token  *** y'", "sh", "-c", "x --token  hunter2 y");
        EXPECT("sh -c 'PGPASSWORD=***'", "sh", "-c", "PGPASSWORD=hunter2 psql");
        EXPECT("sh -c 'x password=\"***\" y'", "sh", "-c", "x password=\"two, words\" y");
        EXPECT("sh -c 'x --password'", "sh", "-c", "x --password");
        EXPECT("sh -c 'reset password please'", "sh", "-c", "reset password please");
}

static void what_only_names_a_secret_stays(void **state) {
        EXPECT("q -vnc :1,password-secret=sec0", "q", "-vnc", ":1,password-secret=sec0");
        EXPECT("q -vnc :1,password", "q", "-vnc", ":1,password");
        EXPECT("q -drive encrypt.key-secret=sec0,key=a", "q", "-drive", "encrypt.key-secret=sec0,key=a");
        EXPECT("q -fw_cfg name=opt/x,string=password=y", "q", "-fw_cfg", "name=opt/x,string=password=y");
        EXPECT("q -smbios type=11,value=password=y", "q", "-smbios", "type=11,value=password=y");
        EXPECT("q --password-file /etc/p --token-file=/etc/t --secret-id 7", "q", "--password-file", "/etc/p", "--token-file=/etc/t", "--secret-id", "7");
        EXPECT("q -blockdev new-secret=sec1,old-secret=sec0", "q", "-blockdev", "new-secret=sec1,old-secret=sec0");
        EXPECT("q compass=n monotone=x token://host", "q", "compass=n", "monotone=x", "token://host");
        EXPECT("curl http://host:80/a", "curl", "http://host:80/a");
        EXPECT("kill -9 4711", "kill", "-9", "4711");
}

static void a_long_command_line_is_cut_at_its_bound(void **state) {
        const size_t n = 3 * COMMAND_LINE_MAX;
        char *word = malloc(n + 1);
        char *argv[] = { "q", word, word };
        char *text = NULL;

        assert_non_null(word);
        memset(word, 'a', n);
        word[n] = '\0';
        assert_int_equal(command_line_format(&text, 3, argv), 0);
        assert_int_equal(strlen(text), COMMAND_LINE_MAX - 1);
        assert_string_equal(text + strlen(text) - 4, "a...");
        free(text);

        /* Every byte quoted, a word of nothing but keys. */
        memset(word, '\'', n);
        assert_int_equal(command_line_format(&text, 3, argv), 0);
        assert_true(strlen(text) < COMMAND_LINE_MAX);
        free(text);
        for (size_t i = 0; i + 6 <= n; i += 6)
                memcpy(word + i, "pass=,", 6);
        assert_int_equal(command_line_format(&text, 2, argv), 0);
        assert_true(strlen(text) < COMMAND_LINE_MAX);
        free(text);
        for (size_t i = 0; i + 6 <= n; i += 6)
                memcpy(word + i, "-pwd a", 6);
        assert_int_equal(command_line_format(&text, 2, argv), 0);
        assert_true(strlen(text) < COMMAND_LINE_MAX);
        free(text);
        for (size_t i = 0; i + 6 <= n; i += 6)
                memcpy(word + i, "a=b:c=", 6);
        assert_int_equal(command_line_format(&text, 2, argv), 0);
        assert_true(strlen(text) < COMMAND_LINE_MAX);
        free(text);
        for (size_t i = 0; i + 6 <= n; i += 6)
                memcpy(word + i, "://:@/", 6);
        assert_int_equal(command_line_format(&text, 2, argv), 0);
        assert_true(strlen(text) < COMMAND_LINE_MAX);
        free(text);
        free(word);
}

static void expect_masked(const char *expected, const char *text) {
        /* Exactly as much room as is promised, for a sanitizer to see. */
        char *masked = malloc(2 * strlen(text) + 4);

        assert_non_null(masked);
        command_line_mask(masked, text);
        assert_string_equal(masked, expected);
        free(masked);
}

static void a_programs_own_words_are_masked_too(void **state) {
        expect_masked("", "");
        expect_masked("Could not open 'disk.img': No such file or directory",
                      "Could not open 'disk.img': No such file or directory");
        expect_masked("q: -object secret,id=s0,data=***,bogus=1: Property 'secret.bogus' not found",
                      "q: -object secret,id=s0,data=hunter2,bogus=1: Property 'secret.bogus' not found");
        expect_masked("q: -object {\"qom-type\":\"secret\",\"data\":\"***\"}: no",
                      "q: -object {\"qom-type\":\"secret\",\"data\":\"hunter2\"}: no");
        expect_masked("curl: https://u:***@host/d.img: refused", "curl: https://u:hunter2@host/d.img: refused");
        expect_masked("q: the password: it is too short", "q: the password: it is too short");
        expect_masked("q: --password ***", "q: --password hunter2");
        expect_masked("-vnc :1,password-secret=sec0: no", "-vnc :1,password-secret=sec0: no");
        /* Where the value ends cannot be told: nothing of what may be it is kept. */
        expect_masked("q: -spice password=***", "q: -spice password=two words: no");
        expect_masked("q: -object secret,data=***", "q: -object secret,data=a,,b: no");
}

static void what_is_masked_needs_no_more_room_than_is_promised(void **state) {
        static const char *const words[] = {
                "pass=", "pass=,", "pwd=,", "pwd:a,", "-pwd a ", "-pwd '' ", "data=,", "://:@/", "://u:@/", ":key=", "\"pass\":\"\",", "token=x,",
        };
        char text[1024];

        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
                for (size_t n = 1; n <= 64; n += 21) {
                        char *masked;

                        text[0] = '\0';
                        for (size_t k = 0; k < n; k++)
                                strcat(text, words[i]);
                        masked = malloc(2 * strlen(text) + 4);
                        assert_non_null(masked);
                        command_line_mask(masked, text);
                        assert_true(strlen(masked) < 2 * strlen(text) + 4);
                        free(masked);
                }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(words_are_quoted_for_a_shell),
                cmocka_unit_test(the_data_of_a_secret_object_is_masked),
                cmocka_unit_test(a_password_is_masked_wherever_it_stands),
                cmocka_unit_test(a_secret_is_masked_however_it_is_called),
                cmocka_unit_test(a_secret_is_masked_in_a_command_line_that_is_a_word),
                cmocka_unit_test(what_only_names_a_secret_stays),
                cmocka_unit_test(a_long_command_line_is_cut_at_its_bound),
                cmocka_unit_test(a_programs_own_words_are_masked_too),
                cmocka_unit_test(what_is_masked_needs_no_more_room_than_is_promised),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
