"""Dies in a request; a process that it started still holds its pipes."""

import subprocess
import sys

from _wire import next_request, shake_hands

shake_hands()
next_request()
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
sys.exit(5)
