//! The use cases.

pub mod begin;
mod drive;
mod pace;
pub mod work;

pub use begin::{Begin, Error};
pub use work::Worker;
