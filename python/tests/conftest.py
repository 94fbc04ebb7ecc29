# SPDX-License-Identifier: MIT
from __future__ import annotations

import os
import signal

os.environ.setdefault("OMP_NUM_THREADS", "1")
# A shell starts what it runs in the background with SIGINT ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
