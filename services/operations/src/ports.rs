//! What the use cases need of a store.

pub mod batches;
pub mod dead_letters;
pub mod operations;

use std::sync::Arc;

/// One store behind every port.
#[derive(Clone)]
pub struct Stores {
    /// Takes failures in.
    pub intake: Arc<dyn dead_letters::Intake>,
    /// Answers questions.
    pub dead_letters: Arc<dyn dead_letters::DeadLetters>,
    /// Moves letters through batches.
    pub batches: Arc<dyn batches::Batches>,
    /// Moves what is being sent.
    pub sending: Arc<dyn batches::Sending>,
    /// Keeps operations.
    pub operations: Arc<dyn operations::Operations>,
    /// Says who works on them.
    pub work: Arc<dyn operations::Work>,
}
