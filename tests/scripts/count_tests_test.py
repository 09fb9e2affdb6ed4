"""scripts/count-tests, fed with logs such as meson writes them."""

import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from tap import Failed, run

COUNT_TESTS = sys.argv[1]


def output(*tests, protocol="tap", status=0):
    """count-tests, run on these tests."""
    with tempfile.TemporaryDirectory() as build:
        for directory in "meson-logs", "meson-info":
            os.mkdir(os.path.join(build, directory))
        with open(os.path.join(build, "meson-logs", "testlog.json"), "w", encoding="utf-8") as file:
            file.writelines(json.dumps(test) + "\n" for test in tests)
        with open(os.path.join(build, "meson-info", "intro-tests.json"), "w", encoding="utf-8") as file:
            json.dump([{"cmd": test["command"], "protocol": protocol} for test in tests], file)
        with open(os.path.join(build, "meson-logs", "testlog.status"), "w", encoding="utf-8") as file:
            file.write(f"{status}\n")
        return subprocess.run([sys.executable, COUNT_TESTS, build], stdout=subprocess.PIPE, text=True, check=False,
                              env={**os.environ, "ASAN_OPTIONS": "exitcode=99:detect_leaks=1"})


def count(*tests, protocol="tap"):
    """The lists and the last line that it prints, and its exit status."""
    done = output(*tests, protocol=protocol)
    lines = done.stdout.splitlines()
    return [line for line in lines[:-1] if line.startswith(("failed: ", "skipped: "))] + lines[-1:], done.returncode


def ran(name, stdout, status=0, result="OK"):
    return {"name": name, "stdout": stdout, "returncode": status, "result": result, "command": ["/build/" + name]}


def expect(got, *lines, status):
    if got != (list(lines), status):
        raise Failed(f"expected {list(lines)}, status {status}\ngot      {got[0]}, status {got[1]}")


def tests_are_counted_not_programs():
    expect(count(ran("a", "1..2\nok 1 - x\nok 2 - y\n"), ran("b", "# hello\nok 1 - z\n1..1\n")),
           "3 passed, 0 failed, 0 skipped", status=0)


def a_failed_test_is_named_with_its_reason():
    expect(count(ran("a", "1..2\nnot ok 1 - x\n# 3 is not 4\n# more\nok 2 - y\n", 1, "FAIL")),
           "failed: a: x: 3 is not 4", "1 passed, 1 failed, 0 skipped", status=1)


def skipped_tests_are_named_with_their_reason():
    expect(count(ran("a", "1..2\nok 1 - x # SKIP needs root\nok 2 - y # skip\n"), ran("b", "1..0 # SKIP no KVM\n", 0, "SKIP")),
           "skipped: a: x: needs root", "skipped: a: y: no reason given", "skipped: b: no KVM",
           "0 passed, 0 failed, 3 skipped", status=0)


def a_test_that_cmocka_skips_is_skipped():
    expect(count(ran("a", "1..3\nnot ok 1 # SKIP x\n# skipped: no disk\nnot ok 2 # SKIP y\nok 3 - z\n", 0, "FAIL")),
           "skipped: a: x: no reason given", "skipped: a: y: no disk", "1 passed, 0 failed, 2 skipped", status=0)


def a_test_that_says_beforehand_that_it_is_skipped_is_skipped():
    expect(count(ran("a", "1..3\n# skipped: needs root\nok 1 - x\nok 2 - y\n# skipped: no\nnot ok 3 - z\n", 1, "FAIL")),
           "skipped: a: x: needs root", "failed: a: z", "1 passed, 1 failed, 1 skipped", status=1)


def what_is_to_do_may_fail_but_not_pass():
    expect(count(ran("a", "1..2\nnot ok 1 - x # TODO later\nok 2 - y # TODO later\n", 0, "FAIL")),
           "skipped: a: x: to do: later", "failed: a: y: it passed, although it is still to do",
           "0 passed, 1 failed, 1 skipped", status=1)


def a_crash_fails_whatever_was_printed():
    expect(count(ran("a", "1..2\nok 1 - x\n", -11, "ERROR"), ran("b", "1..1\nok 1 - x\n", -6, "ERROR")),
           "failed: a: it was ended by SIGSEGV", "failed: b: it was ended by SIGABRT", "2 passed, 2 failed, 0 skipped", status=1)


def a_program_that_takes_too_long_fails():
    expect(count(ran("a", "1..2\nok 1 - x\n", -15, "TIMEOUT")),
           "failed: a: it took too long", "1 passed, 1 failed, 0 skipped", status=1)


def a_plan_that_is_not_kept_fails():
    expect(count(ran("a", "1..2\nok 1 - x\n"), ran("b", "1..1\nok 1 - x\nok 2 - y\n")),
           "failed: a: it planned 2 tests and ran 1 (exit status 0)", "failed: b: it planned 1 tests and ran 2 (exit status 0)",
           "3 passed, 2 failed, 0 skipped", status=1)


def a_missing_plan_fails():
    expect(count(ran("a", "ok 1 - x\n"), ran("b", "", 0, "SKIP"), ran("c", None, 1, "ERROR")),
           "failed: a: it has no plan (exit status 0)", "failed: b: it has no plan (exit status 0)",
           "failed: c: it has no plan (exit status 1)", "1 passed, 3 failed, 0 skipped", status=1)


def a_bad_exit_status_fails_although_all_tests_passed():
    expect(count(ran("a", "1..1\nok 1 - x\n", 1, "ERROR")),
           "failed: a: it ended with exit status 1", "1 passed, 1 failed, 0 skipped", status=1)


def a_sanitizers_finding_is_a_failure_of_its_own():
    expect(count(ran("a", "1..1\nnot ok 1 - x\n", 99, "ERROR")),
           "failed: a: x", "failed: a: it ended with exit status 99", "0 passed, 2 failed, 0 skipped", status=1)


def giving_up_fails():
    expect(count(ran("a", "1..1\nok 1 - x\nBail out! no disk\n", 0, "ERROR")),
           "failed: a: it gave up: no disk", "1 passed, 1 failed, 0 skipped", status=1)


def a_program_without_tap_is_one_test():
    expect(count(ran("a", "ok"), ran("b", "", 77, "SKIP"), ran("c", "", 3, "FAIL"), protocol="exitcode"),
           "skipped: b: no reason given", "failed: c: it ended with exit status 3", "1 passed, 1 failed, 1 skipped", status=1)


def what_is_indented_or_only_looks_like_a_test_is_none():
    expect(count(ran("a", "1..1\n    ok 1 - inner\nokay\nok 1 - x\n")),
           "1 passed, 0 failed, 0 skipped", status=0)


def what_a_failed_program_said_is_shown():
    lines = output(ran("a", "1..1\nnot ok 1 - x\n", 1, "ERROR") | {"stderr": "oh no\n"}, ran("b", "1..1\nok 1 - y\n")).stdout
    if lines != ("--- a: stdout\n1..1\nnot ok 1 - x\n--- a: stderr\noh no\n"
                 "failed: a: x\n1 passed, 1 failed, 0 skipped\n"):
        raise Failed(lines)


def meson_that_fails_by_itself_is_a_failure():
    lines = output(ran("a", "1..1\nok 1 - x\n"), status=2).stdout.splitlines()
    if not lines[0].endswith("meson test ended with status 2") or lines[-1] != "1 passed, 1 failed, 0 skipped":
        raise Failed(lines)


def nothing_run_is_a_failure():
    lines, status = count()
    if lines[-1] != "0 passed, 1 failed, 0 skipped" or status != 1:
        raise Failed(f"{lines}, status {status}")


run([(function.__name__, function) for function in (
    tests_are_counted_not_programs,
    a_failed_test_is_named_with_its_reason,
    skipped_tests_are_named_with_their_reason,
    a_test_that_cmocka_skips_is_skipped,
    a_test_that_says_beforehand_that_it_is_skipped_is_skipped,
    what_is_to_do_may_fail_but_not_pass,
    a_crash_fails_whatever_was_printed,
    a_program_that_takes_too_long_fails,
    a_plan_that_is_not_kept_fails,
    a_missing_plan_fails,
    a_bad_exit_status_fails_although_all_tests_passed,
    a_sanitizers_finding_is_a_failure_of_its_own,
    giving_up_fails,
    a_program_without_tap_is_one_test,
    what_is_indented_or_only_looks_like_a_test_is_none,
    what_a_failed_program_said_is_shown,
    meson_that_fails_by_itself_is_a_failure,
    nothing_run_is_a_failure,
)])
