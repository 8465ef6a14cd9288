"""Look at all runs in a browser. See --help."""

import sys

try:
    from tradeoffs.commands.dashboard import launch_dashboard
except ModuleNotFoundError as missing:
    print(missing.name, "is not installed here; type: make install, then source .venv/bin/activate", file=sys.stderr)
    sys.exit(2)

if __name__ == "__main__":
    launch_dashboard("dashboard")
