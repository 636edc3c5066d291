<?php
// A worker in plain PHP that decides about mail in three steps. Each is active when its variable is set:
// USERS: the addresses that exist here; a message for any other is refused with 550.
// WEBHOOK: a URL that gets every event as JSON; while it is down, messages are refused with 451: try again later.
// SAVE_TO: a folder for the attachments.

require __DIR__ . '/frames.php';

const PAUSES = [0.2, 0.4, 0];  // seconds after each attempt at the webhook

serve('handle');

/** Decides about one message. A refused message leaves nothing behind, so the sender may try again. */
function handle(object $event): string {
    if ($event->event !== 'EMAIL_RECEIVED') throw new Exception("the event is $event->event, not mail");
    $users = preg_split('/\s+/', (string) getenv('USERS'), flags: PREG_SPLIT_NO_EMPTY);
    $unknown = $users ? array_udiff($event->envelope->to, $users, 'strcasecmp') : [];
    if ($unknown) return reject(550, 'no such user: ' . implode(', ', $unknown));
    if (getenv('WEBHOOK') && !forward($event)) return reject(451, 'cannot be processed now, try again later');
    // From the parsed headers; the sender of the envelope may be another. An older host sends none of them.
    $from = $event->message->from[0]->address ?? $event->envelope->from;
    if (getenv('SAVE_TO')) foreach ($event->attachments as $attachment) save($attachment, getenv('SAVE_TO'), $from);
    return 'CONTINUE';
}

function reject(int $code, string $text): string {
    return json_encode(['code' => $code, 'message' => $text], JSON_THROW_ON_ERROR);
}

/** Posts the event, without the sender's password; says whether the webhook took it. */
function forward(object $event): bool {
    $content = json_encode(array_diff_key((array) $event, ['authentication' => 0]), JSON_THROW_ON_ERROR);
    $http = ['method' => 'POST', 'header' => 'Content-Type: application/json', 'content' => $content,
        'timeout' => (float) (getenv('TIMEOUT') ?: 5), 'ignore_errors' => true, 'follow_location' => 0];
    foreach (PAUSES as $pause) {
        $stream = @fopen(getenv('WEBHOOK'), 'r', false, stream_context_create(['http' => $http]));
        $status = $stream ? explode(' ', stream_get_meta_data($stream)['wrapper_data'][0])[1] : 'no answer';
        if ($status[0] === '2') return true;
        say('warning', 'the webhook failed', id: $event->id, reason: $status);
        usleep((int) ($pause * 1e6));
    }
    return false;
}

/** Writes an attachment to a new file in a folder. */
function save(object $attachment, string $folder, string $from): void {
    $content = isset($attachment->path) ? file_get_contents($attachment->path) : base64_decode($attachment->content);
    is_dir($folder) || mkdir($folder, 0777, true);
    $name = safe_name($attachment->filename);
    for ($path = "$folder/$name"; file_exists($path) || is_link($path);) {
        $path = "$folder/" . bin2hex(random_bytes(4)) . "-$name";
    }
    fwrite(fopen($path, 'x'), $content);  // x: fails for a file that another worker has just made
    $sha256 = $attachment->sha256 ?? hash('sha256', $content);
    say('info', 'an attachment was saved', path: $path, size: strlen($content), sha256: $sha256, from: $from);
}

/** Makes a file name from the sender's text: no folder, no unprintable characters, not too long. */
function safe_name(string $name): string {
    $name = preg_replace(['~^.*[/\\\\]~s', '/[^\pL\pM\pN_.@+-]+/u'], ['', '_'], $name);
    $name = preg_replace(['/^.*(?=.{60}$)/u', '/^[.-]+|\.+$/'], '', $name);  // 60 characters are at most 240 bytes
    $is_no_name = preg_match('/^$|^(con|prn|aux|nul|(com|lpt)[^.])(\.|$)/iu', $name);  // or a device of Windows
    return $is_no_name ? "attachment-$name" : $name;
}
