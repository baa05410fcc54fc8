//! What a dead letter is, and what may become of it. Knows no broker, no database and no schema.

pub mod dead_letter;
pub mod filter;
pub mod identity;
pub mod operation;
