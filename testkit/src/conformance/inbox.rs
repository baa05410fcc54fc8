//! What every inbox must do.
