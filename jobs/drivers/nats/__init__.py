"""Jobs on NATS JetStream: one stream of work, and one consumer that all hosts share."""
