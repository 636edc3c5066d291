<?php
// The bytes of RoadRunner\Logger\Logger (roadrunner-php/app-logger 1.2.0) over Spiral\Goridge\RPC\RPC (spiral/goridge
// 4.2.0). Without a context a message is a JSON text. With one it is an applogger.v1.LogEntry of
// roadrunner-php/roadrunner-api-dto, as google/protobuf writes it. Prints what the logger reads as the answers.
//
// php app_logger.php PORT

declare(strict_types=1);

const CODEC_JSON = 0x08;
const CODEC_PROTO = 0x80;

function pack_frame(string $payload, array $options, int $flags): string
{
    $header = pack('CCL', 1 << 4 | (count($options) + 3), $flags, strlen($payload));
    return $header . pack('LCCL*', crc32($header), 0, 0, ...$options) . $payload;
}

function field(int $number, string $value): string
{
    $length = '';
    for ($left = strlen($value); $left > 0x7F; $left >>= 7) {
        $length .= chr($left & 0x7F | 0x80);
    }
    return chr($number << 3 | 2) . $length . chr($left) . $value;
}

function log_entry(string $message, array $context): string
{
    $entry = field(1, $message);
    foreach ($context as $key => $value) {
        $text = is_string($value) ? $value : json_encode($value, JSON_THROW_ON_ERROR);
        $entry .= field(2, field(1, (string) $key) . field(2, $text));
    }
    return $entry;
}

function call($socket, int $sequence, string $method, string $body, int $codec): string
{
    fwrite($socket, pack_frame($method . $body, [$sequence, strlen($method)], $codec));
    $header = stream_get_contents($socket, 12);
    $length = unpack('Vlength', $header, 2)['length'];
    $options = array_values(unpack('V*', stream_get_contents($socket, (ord($header[0]) - 0x13) * 4)));
    $payload = $length ? stream_get_contents($socket, $length) : '';
    $error = ord($header[1]) & 0x40 ? 'error ' : '';
    return sprintf("%s %s'%s'\n", $options[0] === $sequence ? 'ok' : 'wrong', $error, substr($payload, $options[1]));
}

$socket = stream_socket_client("tcp://127.0.0.1:{$argv[1]}");
$sequence = 1;
foreach (['Error', 'Warning', 'Info', 'Debug', 'Log'] as $level) {
    echo call($socket, $sequence++, "app.$level", json_encode("plain $level\n"), CODEC_JSON);
    $context = ['user' => 'Jörg', 'id' => 7, 'tags' => ['a', 'b'], 'text' => str_repeat('x', 300)];
    echo call($socket, $sequence++, "app.{$level}WithContext", log_entry("with $level", $context), CODEC_PROTO);
}
