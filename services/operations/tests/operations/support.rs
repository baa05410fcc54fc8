//! What the tests stand on.

pub(crate) mod cut;
pub(crate) mod letters;
pub(crate) mod office;
pub(crate) mod stores;
