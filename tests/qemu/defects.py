#!/usr/bin/env python3
"""What a review found wrong, each as a sentence of how it is right."""

import os
import signal
import sys

from hostile_monitor import fake_script
from world import *

FAILED_TO_START, USAGE, NO_SUCH_VM, NOT_STOPPED = 1, 2, 3, 4
CRASHED, DESTROYED, VMM_FAILED, UNKNOWN = 10, 11, 13, 15
