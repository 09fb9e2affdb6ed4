"""Tests that are written in Python say their results in TAP: a plan, then a line for each test.

    run([("a sentence", function), ...])    a function that returns has passed; one that raises has failed

A function may raise Skip with a reason, or Failed with one complaint a line.
"""

import sys
import traceback


class Skip(Exception):
    pass


class Failed(Exception):
    pass


def expect(complaints):
    """Fail with these complaints, if there are any."""
    complaints = list(complaints)
    if complaints:
        raise Failed("\n".join(complaints))


def run(tests):
    n_failed = 0
    print(f"1..{len(tests)}")
    for number, (name, function) in enumerate(tests, 1):
        try:
            function()
            print(f"ok {number} - {name}")
        except Skip as skip:
            print(f"ok {number} - {name} # SKIP {skip}")
        except Exception as error:  # a test that breaks is a failed test; the others still run
            n_failed += 1
            words = str(error) if isinstance(error, Failed) else traceback.format_exc()
            print(f"not ok {number} - {name}")
            print("\n".join("# " + line for line in words.splitlines()))
        sys.stdout.flush()
    sys.exit(1 if n_failed else 0)
