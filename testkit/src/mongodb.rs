//! A private server that speaks the MongoDB protocol, with database names of its own a test.
