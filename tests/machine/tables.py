#!/usr/bin/env python3
"""Our ACPI tables, read and written again by iasl: without a warning, and without a byte changed.

    DUMP_TABLES    a program that writes them, of any machine
    VMM            vmpower-vmm, which writes its own
"""

import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from tap import run

tests = []


def iasl(directory, *words):
    done = subprocess.run(["iasl", *words], cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout
    return done.stdout


def without_its_maker(name, table):
    """iasl puts its own name at 28, and so another checksum at 9; FACS has neither."""
    return table if name == "FACS" else table[:9] + table[10:28] + table[36:]


def round_trip(directory, name):
    path = os.path.join(directory, name + ".aml")
    with open(path, "rb") as file:
        ours = file.read()
    iasl(directory, "-d", name + ".aml")
    os.unlink(path)
    said = iasl(directory, "-oa", name + ".dsl")  # as it stands: nothing is made shorter
    with open(path, "rb") as file:
        theirs = file.read()
    assert "0 Errors, 0 Warnings, 0 Remarks" in said, said
    assert without_its_maker(name, theirs) == without_its_maker(name, ours), f"{name}: {ours.hex()}\n{theirs.hex()}\n{said}"


def round_trips(sentence, command):
    def is_the_same():
        with tempfile.TemporaryDirectory() as directory:
            subprocess.run(command(directory), check=True)
            names = {os.path.splitext(name)[0] for name in os.listdir(directory)}
            assert names == {"RSDP", "XSDT", "FACP", "FACS", "APIC", "DSDT"}, names
            for name in sorted(names - {"RSDP"}):  # iasl knows no file of that one
                round_trip(directory, name)

    tests.append((f"{sentence}: iasl takes each table apart and makes the same of it", is_the_same))


for machine in (("piix4", 1, 0), ("ich9", 1, 1), ("piix4", 2, 3), ("ich9", 16, 16)):
    round_trips("{}, {} CPUs, {} virtio devices".format(*machine), lambda directory, words=machine: [os.environ["DUMP_TABLES"], directory, *map(str, words)])
for options in ([], ["--machine", "ich9", "--cpus", "16", *["--disk", "a"] * 4, *["--tap", "b"] * 3]):
    round_trips(" ".join(["vmpower-vmm", *options]), lambda directory, options=options: [os.environ["VMM"], "--dump-tables", directory, *options])


def wrong_is_seen():
    """A check of the check: iasl complains of a table that is not whole."""
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run([os.environ["DUMP_TABLES"], directory, "piix4", "1", "0"], check=True)
        path = os.path.join(directory, "DSDT.aml")
        with open(path, "rb") as file:
            table = bytearray(file.read())
        table[-3] ^= 0xFF
        with open(path, "wb") as file:
            file.write(table)
        try:
            round_trip(directory, "DSDT")
        except AssertionError:
            return
        raise AssertionError("iasl has taken a broken table")


tests.append(("a broken table is seen", wrong_is_seen))

if __name__ == "__main__":
    run(tests)
