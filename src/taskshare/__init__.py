"""Which features should tasks share? A rerun of two multi-task learning papers, from raw images to a report."""

import sys

if sys.platform == "win32":
    sys.exit("taskshare: needs Linux or macOS; on Windows, run it in the Windows Subsystem for Linux (WSL)")

__version__ = "0.1.0"
