"""The architecture tests bite: a small source tree that breaks one rule fails just that test.

    bites_test.py COMPILER
"""

import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(__file__)
sys.path.insert(0, os.path.join(HERE, ".."))
from tap import Failed, run

COMPILER = sys.argv[1:]

# A tree that keeps every rule.
SOUND = {
    "include/vmpower/judge.h": "/* The words. */\n#pragma once\n",
    "src/core/a.h": "/* A. */\n#pragma once\n#include <vmpower/judge.h>\nint a(int n);\n",
    "src/core/a.c": '#include "core/a.h"\n#include <string.h>\nint a(int n) { return n; }\n',
    "src/core/meson.build": "static_library('core', 'a.c')\n",
    "src/store/s.h": "/* S. */\n#pragma once\nint s(int n);\n",
    "src/store/s.c": '#include "core/a.h"\n#include "store/s.h"\n#include <sqlite3.h>\nint s(int n) { return a(n); }\n',
    "src/store/w.h": "/* W.  Pure. */\n#pragma once\nint w(int n);\n",
    "src/store/w.c": '#include "core/a.h"\n#include "store/w.h"\nint w(int n) { return a(n); }\n',
    "src/store/meson.build": "static_library('store', 's.c', 'w.c')\n",
}


def failures(test, tree):
    """The names of the tests that fail on this tree."""
    with tempfile.TemporaryDirectory() as root:
        for path, text in tree.items():
            os.makedirs(os.path.join(root, os.path.dirname(path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                file.write(text)
        done = subprocess.run([sys.executable, os.path.join(HERE, test), root, *COMPILER],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
        return [line.split(" - ")[1] for line in done.stdout.splitlines() if line.startswith("not ok")], done.stdout


def sound_tree_passes():
    for test in "layers.py", "purity.py":
        failed, output = failures(test, SOUND)
        if failed or "\nok 1" not in output:
            raise Failed(output)


def bites(test, expected, path, text):
    def broken_tree_fails():
        failed, output = failures(test, SOUND | {path: SOUND.get(path, "") + text})
        if failed != [expected]:
            raise Failed(f"expected [{expected}], got {failed}\n{output}")
    return broken_tree_fails


USES, LIBRARIES = "project_headers_are_used_as_the_table_says", "libraries_are_used_as_the_table_says"
BUILDS, OPENS = "every_folder_builds_what_the_table_says", "every_header_opens_with_what_it_is"
CALLS, GLOBALS = "core calls only what works on memory and strings", "core has no global that can be written to"
ELSEWHERE = "what calls itself pure elsewhere calls only what works on memory and strings"

run([
    ("a sound tree passes", sound_tree_passes),
    ("an unknown folder", bites("layers.py", "every_folder_is_in_the_table", "src/new/n.c", "")),
    ("a folder used against the table", bites("layers.py", USES, "src/core/a.c", '#include "store/s.h"\n')),
    ("a header that is named from its own folder", bites("layers.py", USES, "src/core/a.c", '#include "a.h"\n')),
    ("a library used against the table", bites("layers.py", LIBRARIES, "src/store/s.c", "#include <systemd/sd-event.h>\n")),
    ("a system header in a pure folder", bites("layers.py", LIBRARIES, "src/core/a.c", "#  include <unistd.h>\n")),
    ("a file that is not built", bites("layers.py", BUILDS, "src/core/b.c", "")),
    ("two libraries of one folder", bites("layers.py", BUILDS, "src/core/meson.build", "static_library('more', 'a.c')\n")),
    ("a header that needs another", bites("layers.py", "every_header_compiles_alone", "src/core/b.h",
                                          "/* B. */\n#pragma once\nsize_t b(void);\n")),
    ("a header without a comment", bites("layers.py", OPENS, "src/core/b.h", "#pragma once\n")),
    ("a header without its pragma", bites("layers.py", OPENS, "src/core/b.h", "/* B. */\nint b(void);\n")),
    ("a file that is too long", bites("layers.py", "no_file_is_too_long", "src/core/a.c", "\n" * 700)),
    ("a clock in a pure folder", bites("purity.py", CALLS, "src/core/a.c", "long time(long *); long b(void) { return time(0); }\n")),
    ("errno in a pure folder", bites("purity.py", CALLS, "src/core/a.c",
                                     "#include <errno.h>\nint b(void) { return errno; }\n")),
    ("a global in a pure folder", bites("purity.py", GLOBALS, "src/core/a.c",
                                        "static int last; int b(int n) { int was = last; last = n; return was; }\n")),
    ("a clock where a header says that there is none", bites("purity.py", ELSEWHERE, "src/store/w.c",
                                                            "long time(long *); long b(void) { return time(0); }\n")),
])
