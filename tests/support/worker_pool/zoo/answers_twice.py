from _wire import echo, hang, next_request, shake_hands

shake_hands()
frame = next_request()
echo(frame)
echo(frame)
hang()
