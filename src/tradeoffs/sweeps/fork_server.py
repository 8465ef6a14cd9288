"""Imported first by the process from which jobs are forked: signals to the sweep's group are not for that one.

`timeout 1h python train.py -m ...` sends SIGTERM to the whole group, and jobs end with the process that forked them.
"""

import os

if hasattr(os, "setsid"):
    os.setsid()
