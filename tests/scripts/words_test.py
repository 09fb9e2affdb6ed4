"""What --help says is what the manual page says and what bash completes.

    words_test.py VMPOWER COMPLETION MANUAL
"""

import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from tap import Failed, expect, run

VMPOWER, COMPLETION, MANUAL = sys.argv[1:]


def output_of(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def verbs():
    names = re.findall(r"^  (\w+) +\w", output_of(VMPOWER, "--help"), re.MULTILINE)
    if "run" not in names:
        raise Failed("vmpower --help lists no verbs")
    return names


def options_of(verb):
    """The long options that the verb's help explains."""
    return set(re.findall(r"^  (?:-\w, )?(--[\w-]+)", output_of(VMPOWER, verb, "--help"), re.MULTILINE))


def policies():
    return set(re.findall(r"\b(on_\w+|\w+_after|button_\w+)", output_of(VMPOWER, "run", "--help")))


def section(text, title):
    """What stands under a heading of the manual page."""
    return re.split(r"^#+ ", text.split(f"## {title}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def complete(*words):
    """What bash offers for the last of these words."""
    script = ('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _vmpower; '
              'printf "%s\\n" "${COMPREPLY[@]}"')
    return set(output_of("bash", "-c", script, "bash", COMPLETION, *words).split())


def every_verb_is_completed():
    expect(f"{verb} is not completed" for verb in verbs() if verb not in complete("vmpower", ""))


def every_option_is_completed():
    expect(f"{verb}: completed are {got}, there are {options_of(verb)}" for verb in verbs()
           if (got := complete("vmpower", verb, "--") - {"--"}) != options_of(verb))


def every_policy_is_completed():
    got = {word.rstrip("=") for word in complete("vmpower", "run", "--policy", "")}
    expect([f"completed are {got}, there are {policies()}"] if got != policies() else [])


def the_manual_names_every_verb_and_option():
    with open(MANUAL, encoding="utf-8") as file:
        text = file.read()
    expect(f"{verb}: the manual has {got}, there are {options_of(verb)}" for verb in verbs()
           if (got := set(re.findall(r"\*(--[\w-]+)\*.*\n\t", section(text, verb))) | {"--help"}) != options_of(verb))


def the_manual_names_every_policy_and_exit_status():
    with open(MANUAL, encoding="utf-8") as file:
        text = file.read()
    statuses = re.search(r"Exit status: (.*)", output_of(VMPOWER, "run", "--help"), re.DOTALL)[1]
    expect([f"the manual does not name {name}" for name in policies() if f"*{name}*" not in text] +
           [f"the manual does not name the exit status {n}" for n in re.findall(r"\b\d+\b", statuses) if f"*{n}*" not in text])


run([(function.__name__, function) for function in (
    every_verb_is_completed,
    every_option_is_completed,
    every_policy_is_completed,
    the_manual_names_every_verb_and_option,
    the_manual_names_every_policy_and_exit_status,
)])
