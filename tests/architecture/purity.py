"""What is called pure is pure: bytes, facts and the time come in as arguments.

    purity.py SOURCE_ROOT COMPILER

Compiles the pure folders itself, and each file elsewhere whose header calls it pure, without sanitizers, and looks into the objects: what they call is
on a short list, and nothing in them can be written to.
"""

import functools
import glob
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from tap import expect, run

ROOT, COMPILER = sys.argv[1], sys.argv[2:]

# -fno-pic: a constant table of pointers is then constant in the object, too.
FLAGS = ["-std=gnu17", "-O2", "-D_GNU_SOURCE", "-U_FORTIFY_SOURCE", "-fno-stack-protector", "-fno-pic", "-fno-pie", "-w",
         "-I" + os.path.join(ROOT, "include"), "-I" + os.path.join(ROOT, "src")]

# Memory and strings: what every pure function may call.
MEMORY_AND_STRINGS = {
    "malloc", "calloc", "realloc", "reallocarray", "free",
    "memcpy", "mempcpy", "memmove", "memset", "memcmp", "memchr", "memrchr", "memmem", "rawmemchr",
    "strlen", "strnlen", "strcmp", "strncmp", "strcasecmp", "strncasecmp", "strchr", "strrchr", "strchrnul", "strstr",
    "strspn", "strcspn", "strpbrk", "strcpy", "stpcpy", "stpncpy", "strncpy", "strdup", "strndup",
    "snprintf", "vsnprintf",
    "__ctype_b_loc", "__ctype_tolower_loc", "__ctype_toupper_loc",  # the tables behind isdigit() and its like
    "qsort", "bsearch", "abs",
    "__assert_fail",  # our own mistakes
}

PURE = {  # folder: what it may call beside that and itself, by how the name begins; and whom of the others
    "core": ((), ()),
    "machine": ((), ()),
    "qmp": (("json_",), ()),
    "json": (("json_",), ("core",)),
}
ELSEWHERE = "what calls itself pure elsewhere"
# An error of strtoul() is seen without errno.
OF_THOSE = ("json_", "strtoul", "signal_name"), tuple(PURE)

# nm's letters for what can be written to: data, zeroed data, their small forms, common symbols.
WRITABLE = set("BbDdGgSsC")


def says_pure(header):
    with open(header, encoding="utf-8") as file:
        text = file.read()
    return re.search(r"\bPure\b", text[: text.find("*/")])


def sources_elsewhere():
    root = os.path.join(ROOT, "src")
    headers = [name for name in sorted(glob.glob(os.path.join(root, "**", "*.h"), recursive=True)) if os.path.relpath(name, root).split(os.sep)[0] not in PURE]
    return [source for header in headers if os.path.exists(source := header[:-2] + ".c") and says_pure(header)]


def sources_of(folder):
    if folder == ELSEWHERE:
        return sources_elsewhere()
    names = sorted(glob.glob(os.path.join(ROOT, "src", folder, "*.c")))
    return [name for name in names if not re.search(r"_test(_world)?\.c$|_fixture\.c$", name)]


def symbols_of(path, directory):
    """[(letter, name)] of what the file becomes."""
    output = os.path.join(directory, path.replace("/", "_") + ".o")
    subprocess.run([*COMPILER, *FLAGS, "-c", "-o", output, path], check=True)
    listing = subprocess.run(["nm", "--portability", output], check=True, stdout=subprocess.PIPE, text=True).stdout
    return [(line.split()[1], line.split()[0]) for line in listing.splitlines()]


@functools.cache
def symbols_of_folder(folder):
    """{file: its symbols}"""
    with tempfile.TemporaryDirectory() as directory:
        return {path: symbols_of(path, directory) for path in sources_of(folder)}


def names_of_folder(folder):
    return {name for symbols in symbols_of_folder(folder).values() for letter, name in symbols if letter not in "Uw"}


def tests_of(folder):
    libraries, others = PURE.get(folder, OF_THOSE)

    def compiles():
        symbols_of_folder(folder)

    def calls_nothing_else():
        known = MEMORY_AND_STRINGS.union(*map(names_of_folder, (folder, *others)))
        expect(f"{os.path.relpath(path, ROOT)} uses {name}"
               for path, symbols in symbols_of_folder(folder).items() for letter, name in symbols
               if letter in "Uw" and name not in known and not name.startswith(libraries or ("\0",)))

    def has_no_global():
        expect(f"{os.path.relpath(path, ROOT)} can write to {name}"
               for path, symbols in symbols_of_folder(folder).items() for letter, name in symbols if letter in WRITABLE)

    return [
        (f"{folder} compiles alone", compiles),
        (f"{folder} calls only what works on memory and strings", calls_nothing_else),
        (f"{folder} has no global that can be written to", has_no_global),
    ]


run([test for folder in (*PURE, ELSEWHERE) if sources_of(folder) for test in tests_of(folder)])
