//! Runs services in one process until it is told to stop, and then drains them.
