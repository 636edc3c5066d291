<?php
// Pushes a ticket into the queue: php push.php SUBJECT. RR_RPC: the address of the host.

require __DIR__ . '/frames.php';

$ticket = ['from' => 'push.php', 'subject' => $argv[1], 'text' => ''];
$job = [
    'job' => 'ticket',
    'payload' => base64_encode(json_encode($ticket)),
    'headers' => ['origin' => ['value' => ['push.php']]],
    'options' => ['pipeline' => 'tickets', 'delay' => 0],  // seconds
];
echo call(getenv('RR_RPC') ?: 'tcp://127.0.0.1:6001', 'jobs.Push', ['job' => $job])->ids[0], "\n";
