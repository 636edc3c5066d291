<?php
// Send the mail of an order with mail(), which hands it to the program that sendmail_path names.
$order = json_decode(file_get_contents($argv[1]), true);
$boundary = bin2hex(random_bytes(16));
$part = fn(string $type, string $extra, string $data): string =>
    "--$boundary\r\nContent-Type: $type\r\nContent-Transfer-Encoding: base64\r\n$extra\r\n"
    . chunk_split(base64_encode($data));
$body = $part('text/plain; charset=utf-8', '', $order['body'])
    . $part(
        'application/octet-stream',
        'Content-Disposition: attachment; filename="' . basename($order['attachment']) . "\"\r\n",
        file_get_contents($order['attachment']),
    )
    . "--$boundary--\r\n";
$sent = mail(
    implode(', ', $order['recipients']),
    '=?UTF-8?B?' . base64_encode($order['subject']) . '?=',
    $body,
    [
        'From' => $order['sender'],
        'MIME-Version' => '1.0',
        'Content-Type' => "multipart/mixed; boundary=\"$boundary\"",
    ],
);
exit($sent ? 0 : 1);
