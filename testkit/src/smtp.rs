//! A private SMTP server that keeps what it is sent, and refuses what it is told to refuse.
