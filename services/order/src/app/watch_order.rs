//! Streams the versions of an order.

use futures::{Stream, stream};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Error, Orders, watchers::Watcher};
use crate::{domain::Order, ports::OrderQueries};

/// A stream as far as it has come. It reads on only when its client asks for more.
struct Watch {
    watcher: Watcher,
    queries: std::sync::Arc<dyn OrderQueries>,
    stop: CancellationToken,
    order: Order,
    seen: i64,
}

impl Orders {
    /// Every version of an order above `after_version`, each once and in order. It ends when its
    /// reader drops it, or with an error: a store that went away, or [`Error::Stopping`]. Whoever
    /// then asks again after the last version seen, here or at another instance, misses nothing.
    pub async fn watch_order(
        &self,
        order_id: Uuid,
        after_version: i64,
    ) -> Result<impl Stream<Item = Result<Order, Error>> + Send + use<>, Error> {
        // Before the first look, so that no change falls between the two.
        let watcher = self.watchers.join(order_id)?;
        let watch = Watch {
            watcher,
            queries: self.parts.queries.clone(),
            stop: self.stop.clone(),
            order: self.get_order(order_id).await?,
            seen: after_version,
        };
        Ok(stream::try_unfold(watch, |mut watch| async move {
            let version = watch.next().await?;
            Ok(Some((version, watch)))
        }))
    }
}

impl Watch {
    async fn next(&mut self) -> Result<Order, Error> {
        loop {
            if let Some(version) = self.order.at_version(self.seen.saturating_add(1)) {
                self.seen = version.version();
                return Ok(version);
            }
            tokio::select! {
                () = self.watcher.beyond(self.seen) => {}
                () = self.stop.cancelled() => return Err(Error::Stopping),
            }
            let order_id = self.order.id();
            let order = self.queries.find(order_id).await?;
            self.order = order.ok_or(Error::NotFound(order_id))?;
        }
    }
}
