<?php
// Tickets of jobs, for worker.php and consumer.php. TICKETS: the folder for them.

/** Makes the ticket of a job: a mail, or a job of push.php. Null for any other job. */
function ticket_of(string $job, string $payload): ?object {
    $data = json_decode($payload, flags: JSON_THROW_ON_ERROR);
    return match ($job) {
        'smtp.email' => (object) [
            'from' => $data->envelope->from, 'subject' => $data->message->subject, 'text' => $data->message->body,
        ],
        'ticket' => $data,
        default => null,
    };
}

/** Writes a ticket. Its file has the id of the job: a job that comes twice writes the same file again. */
function write_ticket(string $id, object $ticket): void {
    $folder = getenv('TICKETS') ?: 'tickets';
    clearstatcache();  // PHP remembers what it has seen of a path, and a worker lives long
    if (!is_dir($folder) && !@mkdir($folder, 0777, true)) throw new RuntimeException("$folder is not a folder");
    if (file_put_contents("$folder/$id.json", json_encode($ticket)) === false) throw new RuntimeException('not written');
}
