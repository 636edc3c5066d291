<?php
// The worker protocol for jobs in plain PHP, on every relay; and calls of a host's RPC methods.

const CONTROL = 0x01, JSON = 0x08, ERROR = 0x40;  // flags, byte 1 of a frame

class Gone extends Exception {}

/**
 * Calls $handle with each job, and sends its answer: done(), or dead(). An exception is a failed attempt: the host
 * gives the job to a worker again.
 */
function serve(callable $handle): never {
    ini_set('display_errors', 'stderr');          // with pipes, stdout carries the frames only,
    ob_start(function (string $echoed): string {  // so that echoed text goes to stderr too, the host's log
        fwrite(STDERR, $echoed);
        return '';
    }, 1);
    ini_set('default_socket_timeout', '-1');      // a worker without work for a minute is not a broken connection
    set_error_handler(fn($level, $text, $file, $line) =>
        error_reporting() & $level ? throw new ErrorException($text, 0, $level, $file, $line) : true);
    $relay = getenv('RR_RELAY') ?: 'pipes';       // or tcp://host:port, or unix://path: then the worker connects
    $in = $relay === 'pipes' ? STDIN : @stream_socket_client($relay, $code, $reason);
    if (!$in) { fwrite(STDERR, "cannot reach the host at $relay: $reason\n"); exit(1); }
    $out = $relay === 'pipes' ? STDOUT : $in;
    try {
        while (true) answer($in, $out, $handle);
    } catch (Gone) {
        exit(0);
    }
}

/** Handles one frame. */
function answer($in, $out, callable $handle): void {
    [$flags, $stream, $options, $payload] = receive($in);
    if ($flags & CONTROL) {
        if (isset(json_decode($payload, true)['stop'])) exit(0);
        send($out, CONTROL, json_encode(['pid' => getmypid()]));  // the handshake: this process
    } elseif ($stream === 0) {                    // all other frames are about streams, which this worker does not send
        try {
            $job = json_decode(substr($payload, 0, $options[0]), flags: JSON_THROW_ON_ERROR);
            $job->payload = substr($payload, $options[0]);
            send($out, 0, json_encode($handle($job), JSON_THROW_ON_ERROR), 0);  // all of it is the answer's body
        } catch (Gone $gone) {
            throw $gone;
        } catch (Throwable $error) {
            send($out, ERROR, "{$error->getMessage()} in {$error->getFile()}:{$error->getLine()}");
        }
    }
}

/** The job is done. */
function done(): array {
    return ['type' => 0, 'data' => []];
}

/** The job is dead at once: another attempt would not help. */
function dead(string $reason): array {
    return ['type' => 1, 'data' => ['message' => $reason, 'requeue' => false]];
}

/** Calls a method of a host, such as jobs.Push, and returns its result. An error response is an exception. */
function call(string $address, string $method, mixed $argument): mixed {
    $host = stream_socket_client($address);
    send($host, JSON, $method . json_encode($argument, JSON_THROW_ON_ERROR), 1, strlen($method));
    [$flags, , $options, $payload] = receive($host);
    $result = substr($payload, $options[1]);      // the options: the number of the request, and where the result begins
    return $flags & ERROR ? throw new RuntimeException($result) : json_decode($result, flags: JSON_THROW_ON_ERROR);
}

/** Reads a frame: its flags, its stream byte, its options, its payload. */
function receive($in): array {
    $frame = unpack('Cwords/Cflags/Vlength/Vcrc/Cstream/Czero', take($in, 12));
    $options = array_values(unpack('V*', take($in, 4 * (($frame['words'] & 15) - 3))));
    return [$frame['flags'], $frame['stream'], $options, take($in, $frame['length'])];
}

/** Reads exactly $size bytes, which may arrive in any pieces. */
function take($in, int $size): string {
    for ($data = ''; strlen($data) < $size; $data .= $piece) {
        $piece = @fread($in, $size - strlen($data));
        if ($piece === '' || $piece === false) throw new Gone('the host is gone');
    }
    return $data;
}

/** Writes a frame: a header of 12 bytes with the CRC of its first six, options of 32 bits, the payload. */
function send($out, int $flags, string $payload, int ...$options): void {
    $head = pack('CCV', 0x13 + count($options), $flags, strlen($payload));
    $data = $head . pack('VCC', crc32($head), 0, 0) . pack('V*', ...$options) . $payload;
    for (; $data !== ''; $data = substr($data, $written)) {
        if (!($written = @fwrite($out, $data))) throw new Gone('the host is gone');
    }
}
