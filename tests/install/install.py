"""What `meson install` installs: all of it, nothing else, and it works from there.

    install.py SOURCE BUILD        (CC: the compiler; the C++ compiler is CXX, or g++)
"""

import glob
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from tap import Failed, Skip, expect, run

SOURCE, BUILD = sys.argv[1:]
CC = shlex.split(os.environ.get("CC", "cc"))
CXX = shlex.split(os.environ.get("CXX", "g++"))


def output_of(*command, **named):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False, timeout=60, **named)
    if done.returncode:
        raise Failed(f"{shlex.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


OPTIONS = {option["name"]: option["value"] for option in json.loads(output_of("meson", "introspect", "--buildoptions", BUILD))}
PREFIX = OPTIONS["prefix"]
LIB = os.path.join(PREFIX, OPTIONS["libdir"])
TARGETS = [target["name"] for target in json.loads(output_of("meson", "introspect", "--targets", BUILD))]
VERSION = json.loads(output_of("meson", "introspect", "--projectinfo", BUILD))["version"]
# A library that was built with sanitizers wants a program that is.
SANITIZER = [f"-fsanitize={OPTIONS['b_sanitize']}"] if OPTIONS.get("b_sanitize", "none") != "none" else []

# By file: its mode, or where a link points.
PROGRAM, FILE = "755", "644"


MACHINE_HEADERS = ("acpi_pm", "acpi_tables", "pvpanic", "reset_port")


def manual_pages():
    if not shutil.which("scdoc"):
        return []
    return [os.path.basename(path).removesuffix(".scd") for path in glob.glob(SOURCE + "/docs/man/*.scd")]


def expected():
    at = {name: os.path.join(PREFIX, OPTIONS[name]) for name in ("bindir", "sbindir", "libexecdir", "includedir", "datadir", "mandir")}
    units = PREFIX + "/lib/systemd"
    return {
        f"{at['bindir']}/vmpower": PROGRAM,
        f"{at['bindir']}/vmpower-vmm": PROGRAM,
        f"{at['sbindir']}/vmpowerd": PROGRAM,
        # Where it was built with libxl.
        **({f"{at['libexecdir']}/vmpower/vmpower-source-xen": PROGRAM, f"{units}/system-generators/vmpower-xen-generator": PROGRAM}
           if "vmpower-source-xen" in TARGETS else {}),
        f"{at['includedir']}/vmpower/client.h": FILE,
        f"{at['includedir']}/vmpower/judge.h": FILE,
        **{f"{at['includedir']}/vmpower/{name}.h": FILE for name in MACHINE_HEADERS},
        f"{LIB}/libvmpower.so": "libvmpower.so.0",
        f"{LIB}/libvmpower.so.0": "libvmpower.so.0.1.0",
        f"{LIB}/libvmpower.so.0.1.0": PROGRAM,
        f"{LIB}/libvmpower-core.a": FILE,
        f"{LIB}/libvmpower-machine.a": FILE,
        f"{LIB}/pkgconfig/vmpower.pc": FILE,
        f"{LIB}/pkgconfig/vmpower-core.pc": FILE,
        f"{LIB}/pkgconfig/vmpower-machine.pc": FILE,
        f"{units}/system/vmpowerd.service": FILE,
        f"{units}/system/vmpowerd.socket": FILE,
        f"{units}/user/vmpowerd.service": FILE,
        f"{units}/user/vmpowerd.socket": FILE,
        f"{units}/catalog/vmpower.catalog": FILE,
        f"{at['datadir']}/vmpower/probe.rom": FILE,
        f"{PREFIX}/lib/sysusers.d/vmpower.conf": FILE,
        f"{PREFIX}/lib/tmpfiles.d/vmpower.conf": FILE,
        f"{at['datadir']}/bash-completion/completions/vmpower": FILE,
        f"{at['datadir']}/bash-completion/completions/vmpowerd": "vmpower",
        f"{at['datadir']}/bash-completion/completions/vmpower-vmm": "vmpower",
        f"{at['datadir']}/zsh/site-functions/_vmpower": FILE,
        f"{at['datadir']}/fish/vendor_completions.d/vmpower.fish": FILE,
        f"{at['datadir']}/fish/vendor_completions.d/vmpowerd.fish": "vmpower.fish",
        f"{at['datadir']}/fish/vendor_completions.d/vmpower-vmm.fish": "vmpower.fish",
        **{f"{at['mandir']}/man{page[-1]}/{page}": FILE for page in manual_pages()},
    }


ROOT = tempfile.TemporaryDirectory(prefix="vmpower-install-")
DESTDIR = ROOT.name + "/root"


def installed(path):
    return DESTDIR + path


def everything_is_installed_and_nothing_else():
    output_of("meson", "install", "--no-rebuild", "-C", BUILD, "--destdir", DESTDIR, env={**os.environ, "DESTDIR": ""})
    got = {}
    for directory, _, names in os.walk(DESTDIR):
        for path in (os.path.join(directory, name) for name in names):
            status = os.lstat(path)
            got[path.removeprefix(DESTDIR)] = os.readlink(path) if os.path.islink(path) else f"{status.st_mode & 0o7777:o}"
    wanted = expected()
    expect([f"{path} is missing" for path in sorted(set(wanted) - set(got))] +
           [f"{path} is there, and nobody expects it" for path in sorted(set(got) - set(wanted))] +
           [f"{path} is {got[path]}, not {value}" for path, value in wanted.items() if got.get(path, value) != value])


def the_programs_run_from_there():
    files = expected()
    for path in (path for path, mode in files.items() if mode == PROGRAM and os.path.dirname(path).endswith("bin")):
        name = os.path.basename(path)
        if output_of(installed(path), "--version") != f"{name} {VERSION}\n":
            raise Failed(f"{name} --version says something else")
        if not output_of(installed(path), "--help").startswith(f"Usage: {name} "):
            raise Failed(f"{name} --help says something else")


def the_units_start_what_was_installed():
    daemon = next(path for path in expected() if path.endswith("/vmpowerd") and expected()[path] == PROGRAM)
    for manager in ("system", "user"):
        with open(installed(f"{PREFIX}/lib/systemd/{manager}/vmpowerd.service"), encoding="utf-8") as file:
            starts = re.findall(r"^ExecStart=(\S+)", file.read(), re.MULTILINE)
        expect([f"the {manager}'s unit starts {starts}"] if starts != [daemon] else [])


def pkg_config(package, *words):
    """What the installed file says, and no other: not even of a package that it might need."""
    environment = {**os.environ, "PKG_CONFIG_LIBDIR": installed(LIB + "/pkgconfig"), "PKG_CONFIG_SYSROOT_DIR": DESTDIR}
    environment.pop("PKG_CONFIG_PATH", None)
    return output_of("pkg-config", *words, package, env=environment).split()


def compilers():
    if not shutil.which(CXX[0]):
        raise Skip(f"there is no C++ compiler {CXX[0]}")
    return (([*CC, "-std=c11"], "c"), ([*CXX, "-std=c++17"], "cc"))


STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]


def each_header_compiles_alone():
    for compiler, suffix in compilers():
        machine = [("vmpower-machine", name + ".h") for name in MACHINE_HEADERS]
        for package, header in (("vmpower", "client.h"), ("vmpower-core", "judge.h"), *machine):
            source = f"{ROOT.name}/alone.{suffix}"
            with open(source, "w", encoding="utf-8") as file:
                # Twice: it must not mind.
                file.write(f"#include <vmpower/{header}>\n#include <vmpower/{header}>\nint main(void) {{ return 0; }}\n")
            output_of(*compiler, *STRICT, *pkg_config(package, "--cflags"), "-fsyntax-only", source)


def build(compiler, suffix, package, text):
    source, program = f"{ROOT.name}/{package}.{suffix}", f"{ROOT.name}/{package}-{suffix}"
    with open(source, "w", encoding="utf-8") as file:
        file.write(text)
    output_of(*compiler, *STRICT, *SANITIZER, source, "-o", program, *pkg_config(package, "--cflags", "--libs"))
    return program


CLIENT = """
#include <errno.h>
#include <stdio.h>
#include <vmpower/client.h>

int main(int argc, char **argv) {
        struct vmpower *vmpower = NULL;
        int r = vmpower_new_at(&vmpower, argc > 1 ? argv[1] : "");

        puts(r == -ECONNREFUSED ? "no daemon" : "what?");
        vmpower_free(vmpower);
        return 0;
}
"""


def a_program_with_the_shared_library_is_built_and_runs():
    for compiler, suffix in compilers():
        program = build(compiler, suffix, "vmpower", CLIENT)
        if "libvmpower.so.0" not in re.findall(r"NEEDED +(\S+)", output_of("objdump", "-p", program)):
            raise Failed("the program does not ask for libvmpower.so.0")
        said = output_of(program, ROOT.name + "/nobody.sock", env={**os.environ, "LD_LIBRARY_PATH": installed(LIB)})
        expect([f"it said {said!r}"] if said != "no daemon\n" else [])


JUDGE = """
#include <stdio.h>
#include <string.h>
#include <vmpower/judge.h>

int main(void) {
        struct evidence fact;
        char summary[VERDICT_SUMMARY_MAX];
        struct verdict verdict;

        memset(&fact, 0, sizeof(fact));
        fact.source = SOURCE_QMP;
        fact.kind = EVIDENCE_SHUTDOWN;
        fact.flag = TRISTATE_TRUE;
        strcpy(fact.word, "guest-shutdown");
        verdict = verdict_from_evidence(&fact, 1, NULL);
        verdict_summarise(&verdict, &fact, "web-1", summary);
        printf("%s by %s: %s\\n", transition_name(verdict.transition), initiator_name(verdict.initiator), summary);
        return 0;
}
"""


def said_alone(package, source):
    """What each compiler's program says that has this library inside, and no other of ours."""
    for compiler, suffix in compilers():
        program = build(compiler, suffix, package, source)
        if "vmpower" in "".join(re.findall(r"NEEDED +(\S+)", output_of("objdump", "-p", program))):
            raise Failed(f"{package} was not linked statically")
        yield output_of(program)


def a_program_with_the_judge_inside_is_built_and_runs_alone():
    for said in said_alone("vmpower-core", JUDGE):
        expect([f"it said {said!r}"] if not said.startswith("poweroff by guest: web-1 was powered off by its own guest") else [])


MACHINE = """
#include <stdio.h>
#include <vmpower/acpi_pm.h>

int main(void) {
        struct acpi_pm_config config = acpi_pm_config_of(ACPI_PM_PIIX4);
        struct acpi_pm pm;

        acpi_pm_init(&pm, &config, 0);
        puts(acpi_pm_write(&pm, ACPI_PM1_CONTROL, 2, 0x2001, 0) == ACPI_PM_POWER_OFF ? "power off" : "what?");
        return 0;
}
"""


def a_program_with_the_hardware_inside_is_built_and_runs_alone():
    for said in said_alone("vmpower-machine", MACHINE):
        expect([f"it said {said!r}"] if said != "power off\n" else [])


run([(function.__name__, function) for function in (
    everything_is_installed_and_nothing_else,
    the_programs_run_from_there,
    the_units_start_what_was_installed,
    each_header_compiles_alone,
    a_program_with_the_shared_library_is_built_and_runs,
    a_program_with_the_judge_inside_is_built_and_runs_alone,
    a_program_with_the_hardware_inside_is_built_and_runs_alone,
)])
