import os
import signal

from _wire import next_request, shake_hands

shake_hands()
next_request()
os.kill(os.getpid(), signal.SIGKILL)
