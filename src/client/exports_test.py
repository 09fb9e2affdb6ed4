"""What libvmpower shows is what its header declares, and nothing else.

    exports_test.py LIBRARY HEADER
"""

import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "tests"))
from tap import expect, run

LIBRARY, HEADER = sys.argv[1:]


def exported():
    listing = subprocess.run(["nm", "-D", "--defined-only", "--portability", LIBRARY], check=True, stdout=subprocess.PIPE, text=True)
    return {line.split()[0].split("@")[0] for line in listing.stdout.splitlines() if line.split()[1] != "A"}


def declared():
    with open(HEADER, encoding="utf-8") as file:
        text = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.DOTALL)
    return set(re.findall(r"\b(\w+)\([^;{]*\);", text))


def nothing_else_is_shown():
    expect(f"{name} is exported, and {os.path.basename(HEADER)} does not declare it" for name in sorted(exported() - declared()))


def everything_is_there():
    expect(f"{name} is declared, and not exported" for name in sorted(declared() - exported()))


run([("nothing is shown but what the header declares", nothing_else_is_shown),
     ("everything that the header declares is there", everything_is_there)])
