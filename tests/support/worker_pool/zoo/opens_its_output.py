"""Opens its stderr by name for each request, as PHP does for `error_log=/dev/stderr`, and answers what went wrong."""

import os
import stat
from pathlib import Path

from _wire import address, next_request, send, shake_hands

names = ["/dev/stderr"] if address == "pipes" else ["/dev/stderr", "/dev/stdout"]
shake_hands()
while True:
    next_request()
    faults = [] if stat.S_ISFIFO(os.fstat(2).st_mode) else ["not a pipe"]
    for name in names:
        try:
            with Path(name).open("w") as opened:
                opened.write(f"ERROR: written to {name}\n")
        except OSError as error:
            faults.append(str(error))
    send(0, " ".join(faults).encode(), (0,))
