<?php
// Stands for Composer's autoload of spiral/roadrunner-worker, spiral/roadrunner-jobs and spiral/goridge, which no registry
// of the checks has: the names and the signatures that docs/ and examples/ use, on the frames of examples/php-mail. What the real packages put on the
// wire is in support/rpc/php_client.py.

namespace {
    require __DIR__ . '/../../../../examples/php-mail/frames.php';

    function frame($in): array {
        $head = unpack('Cwords/Cflags/Vlength/Vcrc/Cstream/Czero', take($in, 12));
        $options = array_values(unpack('V*', take($in, 4 * (($head['words'] & 15) - 3))));
        return [$head['flags'], $options, take($in, $head['length'])];
    }
}

namespace Spiral\RoadRunner {
    class Payload {
        public function __construct(public string $body, public string $header = '', public bool $eos = true) {}
    }

    class Worker {
        public static function create(): self { return new self(); }

        public function waitPayload(): ?Payload {
            while (true) {
                [$flags, $options, $payload] = \frame(STDIN);
                if (!($flags & \CONTROL)) {
                    return new Payload(substr($payload, $options[0]), substr($payload, 0, $options[0]));
                }
                if (isset(json_decode($payload, true)['stop'])) {
                    return null;
                }
                \send(STDOUT, \CONTROL, json_encode(['pid' => getmypid()]));
            }
        }

        public function respond(Payload $payload): void {
            \send(STDOUT, 0, $payload->header . $payload->body, strlen($payload->header));
        }

        public function error(string $error): void { \send(STDOUT, \ERROR, $error); }
    }
}

namespace Spiral\RoadRunner\Jobs {
    use Spiral\RoadRunner\Payload;
    use Spiral\RoadRunner\Worker;

    class ReceivedTask {
        private int $delay = 0;

        public function __construct(private Worker $worker, private array $context, private string $payload) {}

        public function getId(): string { return $this->context['id']; }

        public function getName(): string { return $this->context['job']; }

        public function getPayload(): string { return $this->payload; }

        public function complete(): void { $this->respond(0, []); }

        public function withDelay(int $seconds): self {
            $task = clone $this;
            $task->delay = $seconds;
            return $task;
        }

        public function fail(string|\Stringable|\Throwable $error, bool $requeue = false): void {
            $headers = $this->context['headers'];
            $this->respond(1, ['message' => (string) $error, 'requeue' => $requeue, 'delay_seconds' => $this->delay,
                ...($headers ? ['headers' => $headers] : [])]);
        }

        private function respond(int $type, array $data): void {
            $this->worker->respond(new Payload(json_encode(['type' => $type, 'data' => $data], JSON_THROW_ON_ERROR)));
        }
    }

    class Consumer {
        private Worker $worker;

        public function __construct() { $this->worker = Worker::create(); }

        public function waitTask(): ?ReceivedTask {
            $payload = $this->worker->waitPayload();
            if ($payload === null) {
                return null;
            }
            return new ReceivedTask($this->worker, json_decode($payload->header, true), $payload->body);
        }
    }
}

namespace Spiral\Goridge\RPC\Codec {
    class MsgpackCodec {
        public const FLAG = 0x10;

        public function encode(string $text): string { return "\xd9" . chr(strlen($text)) . $text; }

        public function decode(string $data): bool { return $data === "\xc3"; }
    }
}

namespace Spiral\Goridge\RPC {
    class RPC {
        private function __construct(private $stream, private ?Codec\MsgpackCodec $codec = null) {}

        public static function create(string $address): self { return new self(stream_socket_client($address)); }

        public function withCodec(Codec\MsgpackCodec $codec): self { return new self($this->stream, $codec); }

        public function call(string $method, string $payload): mixed {
            \send($this->stream, $this->codec::FLAG, $method . $this->codec->encode($payload), 1, strlen($method));
            [$flags, $options, $answer] = \frame($this->stream);
            $answer = substr($answer, $options[1]);
            return $flags & \ERROR ? throw new \RuntimeException($answer) : $this->codec->decode($answer);
        }
    }
}
