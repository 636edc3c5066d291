<?php
// The worker protocol in plain PHP: requests and answers as frames, on every relay.

ini_set('display_errors', 'stderr');          // with pipes, stdout carries the frames only,
ob_start(function (string $echoed): string {  // so that echoed text goes to stderr too, the host's log
    fwrite(STDERR, $echoed);
    return '';
}, 1);
ini_set('default_socket_timeout', '-1');      // a worker without work for a minute is not a broken connection
set_error_handler(fn($level, $text, $file, $line) =>
    error_reporting() & $level ? throw new ErrorException($text, 0, $level, $file, $line) : true);

const CONTROL = 0x01, ERROR = 0x40;           // flags, byte 1 of a frame

/** Calls $handle with each event and sends its answer. An exception refuses this one event; the worker lives on. */
function serve(callable $handle): never {
    $relay = getenv('RR_RELAY') ?: 'pipes';   // or tcp://host:port, or unix://path: then the worker connects
    $in = $relay === 'pipes' ? STDIN : @stream_socket_client($relay, $code, $reason);
    if (!$in) { fwrite(STDERR, "cannot reach the host at $relay: $reason\n"); exit(1); }
    $out = $relay === 'pipes' ? STDOUT : $in;
    while (true) {
        $frame = unpack('Cwords/Cflags/Vlength/Vcrc/Cstream/Czero', take($in, 12));
        $options = unpack('V*', take($in, 4 * (($frame['words'] & 15) - 3)));  // numbered from 1
        $payload = take($in, $frame['length']);
        if ($frame['flags'] & CONTROL) {
            if (isset(json_decode($payload, true)['stop'])) exit(0);
            send($out, CONTROL, json_encode(['pid' => getmypid()]));  // the handshake: this process
        } elseif ($frame['stream'] === 0) {   // all other frames are about streams, which this worker does not send
            try {
                $answer = $handle(json_decode(substr($payload, 0, $options[1]), flags: JSON_THROW_ON_ERROR));
                send($out, 0, $answer, strlen($answer));  // one option: where the context ends and the body begins
            } catch (Throwable $error) {
                send($out, ERROR, "{$error->getMessage()} in {$error->getFile()}:{$error->getLine()}");
            }
        }
    }
}

/** Reads exactly $size bytes, which may arrive in any pieces. */
function take($in, int $size): string {
    for ($data = ''; strlen($data) < $size; $data .= $piece) {
        $piece = @fread($in, $size - strlen($data));
        if ($piece === '' || $piece === false) exit(0);  // the end: the host is gone
    }
    return $data;
}

/** Writes a frame: a header of 12 bytes with the CRC of its first six, options of 32 bits, the payload. */
function send($out, int $flags, string $payload, int ...$options): void {
    $head = pack('CCV', 0x13 + count($options), $flags, strlen($payload));
    $data = $head . pack('VCC', crc32($head), 0, 0) . pack('V*', ...$options) . $payload;
    for (; $data !== ''; $data = substr($data, $written)) {
        if (!($written = @fwrite($out, $data))) exit(0);
    }
}

/** Writes a line to the host's log. */
function say(string $level, string $message, string|int ...$keys): void {
    fwrite(STDERR, json_encode(['level' => $level, 'msg' => $message, ...$keys], JSON_THROW_ON_ERROR) . "\n");
}
