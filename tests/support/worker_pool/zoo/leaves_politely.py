"""Serves one request; at the second says 'I am leaving'."""

from _wire import echo, next_request, send, shake_hands

shake_hands()
echo(next_request())
next_request()
send(0, b'{"stop":true}', (13,))
next_request()
