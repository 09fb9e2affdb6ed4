"""The folders are the architecture: who may use what.

    layers.py SOURCE_ROOT COMPILER

Reads every #include under src/ and holds it against the table below, which is the house's own (ARCHITECTURE.md draws it).  A
folder that the table does not know is an error: say there what it is for before it is there.
"""

import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from tap import expect, run

ROOT, COMPILER = os.path.abspath(sys.argv[1]), sys.argv[2:]
SRC = os.path.join(ROOT, "src")

# What C itself offers to those who hold nothing of the outside world.  (signal.h and sys/types.h: for their constants and
# types; the purity test sees to it that nothing is called.)
PURE_C = {"assert.h", "ctype.h", "errno.h", "inttypes.h", "limits.h", "signal.h", "stdarg.h", "stdbool.h", "stddef.h",
          "stdint.h", "stdio.h", "stdlib.h", "string.h", "strings.h", "sys/types.h"}

# Libraries: seen only by who is named with them.  A header is of the first that its name begins with.
LIBRARIES = {
    "sqlite3.h": "sqlite", "jansson.h": "jansson", "systemd/": "systemd", "pthread.h": "threads", "threads.h": "threads",
    "microhttpd.h": "microhttpd", "bpf/": "bpf", "linux/bpf.h": "bpf", "linux/kvm.h": "kvm",
    "seccomp.h": "seccomp", "libvirt/": "libvirt", "libxl": "xen", "xen": "xen", "nats": "nats", "cmocka.h": "cmocka",
}


class Layer:
    """uses: folders, or single headers of one; every folder may use itself, and basics.  pure: of C only PURE_C."""

    def __init__(self, uses=(), libraries=(), pure=False, builds="library"):
        self.uses, self.libraries, self.pure, self.builds = set(uses), set(libraries), pure, builds


JUDGE = "vmpower/judge.h"  # the words of facts and verdicts

# What a source sees of the core: facts and text, never what they mean.
FACTS = {JUDGE, "core/evidence.h", "core/text.h"}


def source(*uses, libraries=()):
    return Layer(FACTS | {"sources", "qmp"} | set(uses), {"jansson", "systemd", *libraries})


LAYERS = {
    "basics": Layer(builds="nothing"),  # headers alone
    "core": Layer({JUDGE}, pure=True),
    "machine": Layer({"vmpower/acpi_pm.h", "vmpower/acpi_tables.h", "vmpower/pvpanic.h", "vmpower/reset_port.h"}, pure=True),
    "qmp": Layer(libraries={"jansson"}, pure=True),
    "json": Layer({JUDGE, "core"}, {"jansson"}, pure=True),  # the JSON form of evidence and verdicts
    "sources": source(),
    # A story says what its VMs' owners want, so its reader knows policy; who plays it compiles it.
    "sources/scripted": Layer(FACTS | {"core/policy.h"}, pure=True, builds="nothing"),
    "sources/qemu": source(),
    "sources/process": source(libraries={"kvm"}),  # its try makes a VM
    "sources/wire": source("json"),  # evidence as JSON lines, between processes
    "sources/trace": source(libraries={"bpf", "kvm"}),  # its try runs a guest
    "sources/host": source(),
    "sources/libvirt": source("json", libraries={"libvirt"}),  # a helper program each: evidence as JSON lines
    "sources/xen": source("json", "sources/wire", libraries={"xen"}),
    "store": Layer({JUDGE, "core", "json"}, {"sqlite", "jansson", "threads"}),
    "outlets": Layer({JUDGE, "core", "json"}, {"jansson", "systemd", "nats"}),
    "engine": Layer({JUDGE, "core", "json", "store", "sources", "sources/*", "outlets"}, {"jansson", "systemd"}),
    # Every VM of the host, looked after; and one of them, run.
    "keeper": Layer({JUDGE, "core", "json", "store", "sources", "sources/*", "engine"}, {"jansson", "systemd"}),
    "runner": Layer({JUDGE, "core", "json", "store", "sources", "sources/*", "engine"}, {"jansson", "systemd"}),
    "api": Layer({JUDGE, "core", "json", "store", "engine", "keeper"}, {"jansson", "systemd", "microhttpd"}),
    "daemon": Layer({JUDGE, "core/text.h", "engine", "keeper", "outlets", "api"}, {"systemd"}, builds="program"),
    "vmm": Layer({"machine", "qmp", "vmpower/acpi_pm.h", "vmpower/acpi_tables.h", "vmpower/pvpanic.h", "vmpower/reset_port.h"}, {"jansson", "kvm", "seccomp", "threads"},
                 builds="program"),
    "client": Layer({JUDGE, "vmpower/client.h"}, {"jansson"}),
    "cli": Layer({JUDGE, "core", "json", "store", "engine", "runner", "outlets", "client", "vmpower/client.h"}, {"jansson", "systemd"},
                 builds="program"),
}

LINES_MAX = 700

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)


def is_test(path):
    """Unit tests and their fixtures stand beside their module, and may use what they like."""
    return re.search(r"_test\.c$|_test_world\.[ch]$|_fixture\.[ch]$", path) is not None


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def c_files():
    """Every .c and .h under src, relative to it."""
    for directory, folders, names in os.walk(SRC):
        folders.sort()
        for name in sorted(names):
            if name.endswith((".c", ".h")):
                yield os.path.relpath(os.path.join(directory, name), SRC)


def headers():
    for path in c_files():
        if path.endswith(".h"):
            yield os.path.join("src", path)
    for directory, _, names in os.walk(os.path.join(ROOT, "include")):
        yield from (os.path.relpath(os.path.join(directory, name), ROOT) for name in sorted(names))


def includes_of(path):
    return INCLUDE.findall(COMMENT.sub("", read(os.path.join(SRC, path))))


def may_use(layer, folder, header):
    """May a file of the folder include this header of the project?"""
    of = os.path.dirname(header)
    if of in (folder, "basics") or header in layer.uses or of in layer.uses:
        return True
    return of.startswith("sources/") and "sources/*" in layer.uses


def library_of(header):
    return next((library for beginning, library in LIBRARIES.items() if header.startswith(beginning)), None)


def every_folder_is_in_the_table():
    expect(f"src/{folder} is not in the table"
           for folder in sorted({os.path.dirname(path) for path in c_files()}) if folder not in LAYERS)


def project_headers_are_used_as_the_table_says():
    def complaints():
        for path in c_files():
            layer = LAYERS.get(os.path.dirname(path))
            for quote, header in includes_of(path):
                is_public = header.startswith("vmpower/")
                if quote == "<" and not is_public:
                    continue
                if not os.path.exists(os.path.join(ROOT, "include" if is_public else "src", header)):
                    yield f'{path} includes "{header}", which is not there: name it from src/, as FOLDER/NAME.h'
                elif layer and not is_test(path) and not may_use(layer, os.path.dirname(path), header):
                    yield f"{path} may not use {header}"
    expect(complaints())


def libraries_are_used_as_the_table_says():
    def complaints():
        for path in c_files():
            layer = LAYERS.get(os.path.dirname(path))
            if not layer or is_test(path):
                continue
            for quote, header in includes_of(path):
                library = library_of(header)
                if quote != "<" or header.startswith("vmpower/"):
                    continue
                if library and library not in layer.libraries:
                    yield f"{path} may not use {library} (<{header}>)"
                elif layer.pure and not library and header not in PURE_C:
                    yield f"{path} is pure and may not use <{header}>"
    expect(complaints())


def every_folder_builds_what_the_table_says():
    """One static library each, or one program; and no file is left out of it."""
    def complaints():
        for folder in sorted({os.path.dirname(path) for path in c_files()}):
            if folder not in LAYERS or LAYERS[folder].builds == "nothing":
                continue
            try:
                build = read(os.path.join(SRC, folder, "meson.build"))
            except FileNotFoundError:
                yield f"src/{folder} has no meson.build"
                continue
            libraries = [name for name in re.findall(r"static_library\(\s*'([^']*)'", build) if "test" not in name]
            if LAYERS[folder].builds == "library" and len(libraries) != 1:
                yield f"src/{folder}/meson.build makes {len(libraries)} static libraries, not one: {libraries}"
            if LAYERS[folder].builds == "program" and "executable('vmpower" not in re.sub(r"\s", "", build):
                yield f"src/{folder}/meson.build makes no program"
            for path in c_files():
                name = os.path.basename(path)
                if os.path.dirname(path) == folder and name.endswith(".c") and not is_test(path) and f"'{name}'" not in build:
                    yield f"src/{folder}/meson.build leaves {name} out"
    expect(complaints())


def every_header_compiles_alone():
    def complaints():
        for path in headers():
            done = subprocess.run(
                [*COMPILER, "-std=gnu17", "-D_GNU_SOURCE", "-Wall", "-Werror", "-fsyntax-only", "-x", "c", "-",
                 "-I" + os.path.join(ROOT, "include"), "-I" + SRC],
                input=f'#include "{os.path.join(ROOT, path)}"\n', stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                text=True, check=False)
            if done.returncode:
                yield f"{path} does not compile alone:\n{done.stdout.strip()}"
    expect(complaints())


def every_header_opens_with_what_it_is():
    def complaints():
        for path in headers():
            text = read(os.path.join(ROOT, path))
            if not text.startswith("/*"):
                yield f"{path} does not open with a comment"
            elif not re.match(r"/\*.*?\*/\s*#pragma once\n", text, re.DOTALL):
                yield f"{path} has no #pragma once right after its opening comment"
    expect(complaints())


def no_file_is_too_long():
    expect(f"{path} has {n} lines: look for its second noun (at most {LINES_MAX - 1})"
           for path in c_files() if (n := read(os.path.join(SRC, path)).count("\n")) >= LINES_MAX)


run([(function.__name__, function) for function in (
    every_folder_is_in_the_table,
    project_headers_are_used_as_the_table_says,
    libraries_are_used_as_the_table_says,
    every_folder_builds_what_the_table_says,
    every_header_compiles_alone,
    every_header_opens_with_what_it_is,
    no_file_is_too_long,
)])
