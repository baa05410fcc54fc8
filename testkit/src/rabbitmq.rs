//! A private RabbitMQ node, with a virtual host a test.
