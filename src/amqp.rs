//! Adapters for RabbitMQ: publisher, consumer and topology over AMQP 0-9-1.
