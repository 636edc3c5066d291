<?php
// The same worker with RoadRunner's package, after: composer require spiral/roadrunner-jobs

use Spiral\RoadRunner\Jobs\Consumer;

require __DIR__ . '/vendor/autoload.php';
require __DIR__ . '/tickets.php';

$consumer = new Consumer();
while ($task = $consumer->waitTask()) {
    try {
        $ticket = ticket_of($task->getName(), $task->getPayload());
        if (!$ticket) {
            $task->fail("there is no job {$task->getName()}");
        } elseif (($ticket->subject ?? '') === '') {
            $task->fail('a ticket needs a subject');
        } else {
            write_ticket($task->getId(), $ticket);
            $task->complete();
        }
    } catch (\Throwable $error) {
        $task->withDelay(1)->fail($error, requeue: true);  // another attempt, in a second
    }
}
