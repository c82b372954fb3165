//! What stands between karat and the objects of a lake: nothing, but where a test looks on or disturbs.

use std::fmt;
use std::sync::Arc;

use object_store::ObjectStore;

use crate::store::Patience;

/// Puts something around the store of a lake.
type Wrap = dyn Fn(Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore> + Send + Sync;

/// Opaque on purpose: outside of tests there is only the default.
#[derive(Clone, Default)]
pub struct Storage {
    wrap: Option<Arc<Wrap>>,
    patience: Option<Patience>,
}

impl Storage {
    /// A store that a test disturbs, which is given up sooner.
    #[cfg(test)]
    pub(crate) fn disturbed(wrap: Arc<Wrap>, patience: Patience) -> Storage {
        Storage { wrap: Some(wrap), patience: Some(patience) }
    }

    pub(crate) fn wrapped(&self, store: Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore> {
        match &self.wrap {
            Some(wrap) => wrap(store),
            None => store,
        }
    }

    /// As patient as this, where no test is in a hurry.
    pub(crate) fn patience(&self, usual: Patience) -> Patience {
        self.patience.unwrap_or(usual)
    }
}

impl fmt::Debug for Storage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Storage").field("wrapped", &self.wrap.is_some()).finish_non_exhaustive()
    }
}
