"""What --help says is what the manual pages say and what shells complete; what the library's header declares, its page names.

    words.py SOURCE VMPOWER VMPOWERD VMM
"""

import glob
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from tap import Failed, Skip, expect, run

SOURCE, VMPOWER, VMPOWERD, VMM = sys.argv[1:]
PAGES = os.path.join(SOURCE, "docs/man")
COMPLETIONS = os.path.join(SOURCE, "packaging/completions")
PATIENCE = 20  # seconds: for one answer

# Completions ask whichever program has the name.
os.environ["PATH"] = os.pathsep.join([os.path.dirname(VMPOWER), os.path.dirname(VMPOWERD), os.path.dirname(VMM), os.environ["PATH"]])


def output_of(*command, **named):
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=PATIENCE, **named).stdout


def need(program):
    if not shutil.which(program):
        raise Skip(f"{program} is not here")


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return file.read()


# --- what there is --------------------------------------------------------------------------------------------------


def verbs():
    names = re.findall(r"^  (\w+) +\w", output_of(VMPOWER, "--help"), re.MULTILINE)
    if "run" not in names:
        raise Failed("vmpower --help lists no verbs")
    return names


def options_of(*command):
    """The long options that the help explains."""
    return set(re.findall(r"^ +(?:-\w, )?(--[\w-]+)", output_of(*command, "--help"), re.MULTILINE))


def policies():
    return set(re.findall(r"\b(on_\w+|\w+_after|button_\w+)", output_of(VMPOWER, "run", "--help")))


def compare(what, got, wanted):
    return ([f"{what} lacks {word}" for word in sorted(wanted - got)] +
            [f"{what} has {word}, which there is not" for word in sorted(got - wanted)])


# --- completions ----------------------------------------------------------------------------------------------------


def bash(*words, **named):
    """What bash offers for the last of these words."""
    script = ('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); f=$(complete -p "$1"); f=${f#*-F }; "${f%% *}"; '
              '[ ${#COMPREPLY[@]} -eq 0 ] || printf "%s\\n" "${COMPREPLY[@]}"')
    return set(output_of("bash", "-c", script, "bash", os.path.join(COMPLETIONS, "vmpower.bash"), *words, **named).splitlines())


def bash_completes_every_verb():
    expect(compare("bash", bash("vmpower", ""), {*verbs(), "--help", "--version"}))


def bash_completes_every_option():
    expect(line for verb in verbs() for line in compare(f"bash: {verb}", bash("vmpower", verb, "--") - {"--"}, options_of(VMPOWER, verb)))
    expect(compare("bash: vmpowerd", bash("vmpowerd", "--"), options_of(VMPOWERD)))
    expect(compare("bash: vmpower-vmm", bash("vmpower-vmm", "--"), options_of(VMM)))


def bash_completes_values():
    expect(compare("--policy", {word.rstrip("=") for word in bash("vmpower", "run", "--policy", "")}, policies()))
    expect(compare("on_halt", bash("vmpower", "run", "--policy", "on_halt", "=", ""), {"destroy", "restart", "preserve", "leave"}))
    expect(compare("--exit-status", bash("vmpower", "run", "--exit-status", "v"), {"vmm", "verdict"}))
    expect(compare("--exit-status=", bash("vmpower", "run", "--exit-status", "=", "vm"), {"vmm"}))
    expect(compare("--qmp", bash("vmpower", "attach", "x", "--qmp", "/etc/host"), set(glob.glob("/etc/host*"))))
    expect(compare("--limit", bash("vmpower", "history", "--limit", ""), set()))
    expect(compare("--journald", bash("vmpowerd", "--journald", "o"), {"on", "off"}))
    expect(compare("--xen", bash("vmpowerd", "--xen", ""), {"auto", "yes", "no"}))
    expect(compare("--metrics-listen", bash("vmpowerd", "--metrics-listen", ""), set()))
    expect(compare("--machine", bash("vmpower-vmm", "--machine", ""), {"piix4", "ich9"}))
    expect(compare("--serial", bash("vmpower-vmm", "--serial", ""), {"stdio", "none", "file:"}))
    expect(compare("--memory", bash("vmpower-vmm", "--memory", ""), set()))
    expect(compare("--disk", bash("vmpower-vmm", "--disk", "/etc/host"), set(glob.glob("/etc/host*"))))
    expect(compare("--bios", bash("vmpower-vmm", "--bios", "/etc/host"), set(glob.glob("/etc/host*"))))
    expect(compare("run --", bash("vmpower", "run", "--", "true", COMPLETIONS + "/_"), {COMPLETIONS + "/_vmpower"}))


def bash_completes_names_and_runs_nothing_in_them():
    """A VM has the name that its owner gives it, and it is root who presses the tabulator."""
    with tempfile.TemporaryDirectory() as directory:
        names = [f"a $(touch {directory}/ran)", f"a`touch {directory}/ran`", "a;b", "b"]
        environment = {**os.environ, "VMPOWER_STATE_DIR": directory + "/state", "VMPOWER_RUN_DIR": directory + "/run"}
        for name in names:
            subprocess.run([VMPOWER, "run", "--quiet", "--name", name, "--", "false"], env=environment, check=False,
                           stdin=subprocess.DEVNULL, timeout=PATIENCE)
        offered = bash("vmpower", "why", "a", env=environment)
        meant = set(output_of("bash", "-c", f"printf '%s\\n' {' '.join(offered)}").splitlines())
        expect(compare("bash", meant, set(names[:3])) +
               (["a name was run as a command"] if os.path.exists(directory + "/ran") else []))


class Zsh:
    """A zsh on a terminal of its own, with completion."""

    PROMPT = "<what next>"

    def __init__(self):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(shutil.which("zsh"), ["zsh", "-f", "-i"],
                      {**os.environ, "TERM": "dumb", "COLUMNS": "400", "LINES": "100", "PS1": self.PROMPT})
        self._read_to(self.PROMPT)
        # LISTMAX: never ask whether to list; -D: no file of what it found in the user's home.
        self._type("RPS1=; unsetopt beep promptsp; LISTMAX=10000; stty cols 400; "
                   f"fpath=({COMPLETIONS} $fpath); autoload -Uz compinit; compinit -u -D; ")

    def _read_to(self, pattern):
        shown, deadline = b"", time.monotonic() + PATIENCE
        while not re.search(pattern.encode(), shown):
            if not select.select([self.fd], [], [], max(0, deadline - time.monotonic()))[0]:
                raise Failed(f"zsh is stuck: {shown!r}")
            shown += os.read(self.fd, 65536)
        return shown.decode(errors="replace").replace("\r", "\n")

    def _type(self, keys):
        """The editor reads keys from its prompt on; before that they are the terminal's, and ^D is an end of file."""
        os.write(self.fd, keys.encode() + b"echo it is do''ne\n")
        return self._read_to("it is done\r\n.*" + self.PROMPT)

    def lists(self, line):
        return self._type(line + "\x04\x15")  # ^D lists, ^U clears the line

    def offers(self, line):
        return set(re.findall(r"^(--[\w-]+|\S+(?= +-- ))", self.lists(line), re.MULTILINE))

    def close(self):
        os.kill(self.pid, signal.SIGKILL)
        os.close(self.fd)
        os.waitpid(self.pid, 0)


def zsh_completes_every_verb_and_option():
    need("zsh")
    zsh = Zsh()
    try:
        found = compare("zsh", zsh.offers("vmpower "), {*verbs(), "--help", "--version"})
        for verb in verbs():
            found += compare(f"zsh: {verb}", zsh.offers(f"vmpower {verb} --"), options_of(VMPOWER, verb))
        found += compare("zsh: vmpowerd", zsh.offers("vmpowerd --"), options_of(VMPOWERD))
        found += compare("zsh: vmpower-vmm", zsh.offers("vmpower-vmm --"), options_of(VMM))
        if not re.search(r"\bich9\b", zsh.lists("vmpower-vmm --machine ")):
            found.append("zsh: vmpower-vmm --machine has no values")
        if "preserve" not in zsh.lists("vmpower run --policy on_halt="):
            found.append("zsh: run --policy on_halt= has no values")
    finally:
        zsh.close()
    expect(found)


def fish(line):
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "HOME": home, "XDG_CONFIG_HOME": home, "XDG_DATA_HOME": home}
        script = f"source {COMPLETIONS}/vmpower.fish; complete -C $argv[1]"
        return {offer.split("\t")[0] for offer in output_of("fish", "-N", "-c", script, line, env=environment).splitlines()}


def fish_completes_every_verb_and_option():
    need("fish")
    found = compare("fish", fish("vmpower "), set(verbs()))
    for verb in verbs():
        found += compare(f"fish: {verb}", fish(f"vmpower {verb} --"), options_of(VMPOWER, verb))
    found += compare("fish: vmpowerd", fish("vmpowerd --"), options_of(VMPOWERD))
    found += compare("fish: vmpower-vmm", fish("vmpower-vmm --"), options_of(VMM))
    found += compare("fish: --machine", fish("vmpower-vmm --machine "), {"piix4", "ich9"})
    found += compare("fish: --bios", fish("vmpower-vmm --bios /etc/hostn"), {"/etc/hostname"})
    found += compare("fish: on_halt", fish("vmpower run --policy on_halt="),
                     {f"on_halt={value}" for value in ("destroy", "restart", "preserve", "leave")})
    found += compare("fish: --qmp", fish("vmpower attach x --qmp /etc/hostn"), {"/etc/hostname"})
    expect(found)


# --- manual pages ---------------------------------------------------------------------------------------------------


def section(text, title):
    """What stands under a heading of a manual page."""
    if f"## {title}\n" not in text:
        raise Failed(f"the manual has no section {title}")
    return re.split(r"^#+ ", text.split(f"## {title}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def explained_in(text):
    return set(re.findall(r"\*(--[\w-]+)\*.*\n\t", text))


def the_manual_has_every_verb_and_option():
    text = read(PAGES, "vmpower.1.scd")
    chapter = re.search(r"^# VERBS\n(.*?)^# ", text, re.DOTALL | re.MULTILINE)[1]
    synopsis = re.search(r"^# SYNOPSIS\n(.*?)^# ", text, re.DOTALL | re.MULTILINE)[1]
    found = compare("vmpower.1", set(re.findall(r"^## (\w+)$", chapter, re.MULTILINE)), set(verbs()))
    found += compare("vmpower.1: its synopsis", set(re.findall(r"^\*vmpower (\w+)\*", synopsis, re.MULTILINE)), set(verbs()))
    for verb in verbs():
        found += compare(f"vmpower.1: {verb}", explained_in(section(text, verb)) | {"--help"}, options_of(VMPOWER, verb))
    expect(found)


def the_manual_has_every_policy_and_exit_status():
    text = read(PAGES, "vmpower.1.scd")
    statuses = re.search(r"Exit status: (.*)", output_of(VMPOWER, "run", "--help"), re.DOTALL)[1]
    expect([f"the manual does not name {name}" for name in policies() if f"*{name}*" not in text] +
           [f"the manual does not name the exit status {n}" for n in re.findall(r"\b\d+\b", statuses) if f"*{n}*" not in text])


def the_daemons_manual_has_every_option():
    expect(compare("vmpowerd.8", explained_in(read(PAGES, "vmpowerd.8.scd")), options_of(VMPOWERD)))


def the_monitors_manual_has_every_option_and_command():
    text = read(PAGES, "vmpower-vmm.1.scd")
    chapter = re.search(r"^# MONITOR\n(.*?)^# ", text, re.DOTALL | re.MULTILINE)[1]
    commands = set(re.findall(r'^        { "([a-z_-]+)", ', read(SOURCE, "src/vmm/monitor.c"), re.MULTILINE))
    expect(compare("vmpower-vmm.1", explained_in(text), options_of(VMM)) +
           [f"vmpower-vmm.1 does not name {command}" for command in sorted(commands) if f"*{command}*" not in chapter])


def the_librarys_manual_has_every_function():
    header = re.sub(r"/\*.*?\*/", "", read(SOURCE, "include/vmpower/client.h"), flags=re.DOTALL)
    chapter = re.search(r"^# FUNCTIONS\n(.*?)^# ", read(PAGES, "libvmpower.3.scd"), re.DOTALL | re.MULTILINE)[1]
    expect(compare("libvmpower.3", set(re.findall(r"\*(\w+)\*\(\)", chapter)), set(re.findall(r"\b(\w+)\([^;{]*\);", header))))


def every_manual_renders_without_a_warning():
    need("scdoc")
    need("groff")
    found = []
    for path in sorted(glob.glob(PAGES + "/*.scd")):
        made = subprocess.run(["scdoc"], input=read(path), capture_output=True, text=True, check=False)
        shown = subprocess.run(["groff", "-man", "-Tutf8", "-ww"], input=made.stdout, capture_output=True, text=True, check=False)
        name = os.path.basename(path).removesuffix(".scd")
        found += [f"{name}: {line}" for line in (made.stderr + shown.stderr).splitlines()]
        title = made.stdout and re.search(r'^\.TH "([^"]*)" "(\d)"', made.stdout, re.MULTILINE)
        if not title or f"{title[1]}.{title[2]}" != name:
            found.append(f"{name} has another title: {title and title[0]}")
    expect(found)


run([(function.__name__, function) for function in (
    bash_completes_every_verb,
    bash_completes_every_option,
    bash_completes_values,
    bash_completes_names_and_runs_nothing_in_them,
    zsh_completes_every_verb_and_option,
    fish_completes_every_verb_and_option,
    the_manual_has_every_verb_and_option,
    the_manual_has_every_policy_and_exit_status,
    # Its page comes with the daemon's configuration.
    *([the_daemons_manual_has_every_option] if os.path.exists(PAGES + "/vmpowerd.8.scd") else []),
    the_monitors_manual_has_every_option_and_command,
    the_librarys_manual_has_every_function,
    every_manual_renders_without_a_warning,
)])
