//! `waybill up` as its operators see it: settings, where it listens, readiness, and its end.

mod process;
mod starting;
mod wrong;
