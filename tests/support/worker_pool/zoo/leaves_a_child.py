"""Dies in a request and leaves a process behind that holds its pipes."""

import subprocess
import sys

from _wire import next_request, shake_hands

shake_hands()
next_request()
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
sys.exit(5)
