<?php
// A worker in plain PHP that writes tickets, without Composer.

require __DIR__ . '/frames.php';
require __DIR__ . '/tickets.php';

serve('work');

/** Does one job. */
function work(object $job): array {
    $ticket = ticket_of($job->job, $job->payload);
    if (!$ticket) return dead("there is no job $job->job");
    if (($ticket->subject ?? '') === '') return dead('a ticket needs a subject');
    write_ticket($job->id, $ticket);
    fwrite(STDERR, json_encode(['level' => 'info', 'msg' => 'a ticket was written', 'id' => $job->id,
        'attempt' => $job->headers->attempt[0]]) . "\n");
    return done();
}
