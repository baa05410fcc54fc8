//! What every broker must do.
//!
//! [`broker_conformance!`](crate::broker_conformance) makes a test of each check. It is given the
//! name of an async function that answers a broker of the check's own, with nothing in it and ready
//! to be used, and beside it whatever must live as long. Checks know of the port only: they look
//! into a dead-letter queue by subscribing to it.

pub mod failing;
pub mod publishing;
pub mod receiving;
pub mod waiting;
pub mod watching;

mod fixture;

/// One test for each check.
///
/// ```text
/// async fn fresh() -> (Arc<dyn Broker>, TempDir) { … }
/// waybill_testkit::broker_conformance!(fresh);
/// ```
#[macro_export]
macro_rules! broker_conformance {
    ($fresh:ident) => {
        $crate::broker_conformance! { $fresh:
            publishing {
                a_bound_queue_receives_every_property_and_header,
                what_no_binding_wants_is_kept_aside,
                a_queue_alone_receives_what_is_sent_to_it,
                a_batch_arrives_in_its_order,
                a_message_that_is_too_large_fails_alone,
                a_queue_that_is_not_there_takes_nothing,
            }
            receiving {
                a_batch_holds_no_more_than_was_asked_for,
                a_cancelled_call_loses_nothing,
                what_was_not_acknowledged_comes_back,
                what_was_acknowledged_never_comes_back,
                two_subscribers_share_and_nothing_comes_twice,
                declaring_again_changes_nothing,
            }
            waiting {
                a_wait_ends_in_the_queue_it_belongs_to,
                a_long_wait_does_not_block_a_short_one,
                what_waits_by_an_old_policy_comes_back_too,
            }
            failing {
                a_permanent_failure_is_dead_lettered_at_once,
                what_is_no_event_is_dead_lettered_at_once,
                a_transient_failure_is_retried_later_each_time_and_then_dead_lettered,
                a_message_that_fails_its_batch_fails_alone,
                an_outage_of_the_handler_counts_no_attempt,
            }
        }
    };
    ($fresh:ident: $($part:ident { $($check:ident,)* })*) => {$(
        mod $part {$(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $check() {
                let (broker, _kept) = super::$fresh().await;
                $crate::conformance::broker::$part::$check(broker).await;
            }
        )*}
    )*};
}
