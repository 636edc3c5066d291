"""Ends a stream with a soft error, and lives on."""

from _wire import echo, next_request, send, shake_hands

from rrpy.goridge.frame import ERROR

shake_hands()
next_request()
send(0, b"part", (0,), stream=1)
send(ERROR, b"no more of that")
while True:
    echo(next_request())
