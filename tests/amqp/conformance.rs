//! What every broker must do.

use crate::fixture::fresh;

waybill_testkit::broker_conformance!(fresh);
