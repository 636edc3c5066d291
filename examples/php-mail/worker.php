<?php
// A worker in plain PHP that decides about mail, in three steps, each of which is there when its variable is set:
// USERS: the addresses that exist here; a message for any other is refused with 550.
// WEBHOOK: a URL that gets every event as JSON; while it stays down messages are refused for a while, with 451.
// SAVE_TO: a folder for the attachments.

require __DIR__ . '/frames.php';

const PAUSES = [0.2, 0.4, 0];  // seconds behind each attempt at the webhook

serve('handle');

/** Decides about one message. Nothing is kept of one that is refused, so the sender may come again. */
function handle(object $event): string {
    if ($event->event !== 'EMAIL_RECEIVED') throw new Exception("the event is $event->event, and this is about mail");
    $users = preg_split('/\s+/', (string) getenv('USERS'), flags: PREG_SPLIT_NO_EMPTY);
    $unknown = $users ? array_udiff($event->envelope->to, $users, 'strcasecmp') : [];
    if ($unknown) return reject(550, 'no such user: ' . implode(', ', $unknown));
    if (getenv('WEBHOOK') && !forward($event)) return reject(451, 'cannot be processed now, try again later');
    if (getenv('SAVE_TO')) foreach ($event->attachments as $attachment) save($attachment, getenv('SAVE_TO'));
    return 'CONTINUE';
}

function reject(int $code, string $text): string {
    return json_encode(['code' => $code, 'message' => $text], JSON_THROW_ON_ERROR);
}

/** Posts the event and says whether that was taken. A sender's password is nobody else's business. */
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
function save(object $attachment, string $folder): void {
    $content = isset($attachment->path) ? file_get_contents($attachment->path) : base64_decode($attachment->content);
    is_dir($folder) || mkdir($folder, 0777, true);
    $name = safe_name($attachment->filename);
    for ($path = "$folder/$name"; file_exists($path) || is_link($path);) {
        $path = "$folder/" . bin2hex(random_bytes(4)) . "-$name";
    }
    fwrite(fopen($path, 'x'), $content);  // x: never a file that another worker has just made
    say('info', 'an attachment was saved', path: $path, size: strlen($content));
}

/** Makes a name for a file of whatever the sender wrote: no folder, nothing that cannot be printed, not too long. */
function safe_name(string $name): string {
    $name = preg_replace(['~^.*[/\\\\]~s', '/[^\pL\pM\pN_.@+-]+/u'], ['', '_'], $name);
    $name = preg_replace(['/^.*(?=.{60}$)/u', '/^[.-]+|\.+$/'], '', $name);  // 60 characters are at most 240 bytes
    $is_no_name = preg_match('/^$|^(con|prn|aux|nul|(com|lpt)[^.])(\.|$)/iu', $name);  // but a device of Windows
    return $is_no_name ? "attachment-$name" : $name;
}
