//! What a filler tells everyone who waits.

use std::ops::Range;
use std::sync::Arc;

use crate::cache::{Generation, Selected, StoredHead, StoredMeta, StoredResponse};
use crate::origin::OriginError;

/// What became of the fill once the origin answered, or did not.
#[derive(Debug, Clone)]
pub(crate) enum Outcome {
    /// The response may be shared: here is its head, the body streams.
    Streaming(Arc<FillHead>),
    /// A stored response answers: confirmed by a 304, or stale in place of a failing origin.
    Stored(Arc<StoredResponse>),
    /// The same for the viewer who led; its Vary has changed, so everyone else looks again.
    Moved(Arc<StoredResponse>),
    /// The response belongs to the viewer who led; everyone else asks the origin for themselves.
    NotShared,
    /// The origin gave no response.
    Failed(Arc<OriginError>),
    /// The filler gave up because nobody waited; whoever came meanwhile tries again.
    Abandoned,
}

/// The head of a response that is being filled.
#[derive(Debug)]
pub(crate) struct FillHead {
    pub(crate) meta: StoredMeta,
    /// Octets of the whole body, if the origin said how many.
    pub(crate) length: Option<u64>,
    /// Which of them this fill brings; `None` is all.
    pub(crate) part: Option<Range<u64>>,
    /// The name of its fragments.
    pub(crate) generation: Generation,
    /// The headers of the viewer who led, where the origin named fields that are for it alone
    /// (`no-cache="Set-Cookie"`).
    pub(crate) for_leader: Option<StoredHead>,
    /// Whom it may answer, where Vary selects among responses; `None`: whoever asked for the key.
    pub(crate) selected: Option<Selected>,
    /// The conditions of the viewer who led went to the origin, and this is what it answered.
    pub(crate) judged: bool,
}

impl FillHead {
    pub(crate) fn begins_at(&self) -> u64 {
        self.part.as_ref().map_or(0, |part| part.start)
    }

    /// Octets that this fill brings, if the origin said how many.
    pub(crate) fn promised(&self) -> Option<u64> {
        match &self.part {
            Some(part) => Some(part.end - part.start),
            None => self.length,
        }
    }
}
