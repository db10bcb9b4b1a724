//! Reading checked nodes: what `shape` let through is of the right type, so these only unwrap it.

use std::time::Duration;

use crate::document::{Entry, Node, Value};

impl Node {
    pub(super) fn text_at(&self, key: &str) -> Option<&str> {
        self.get(key)?.as_text()
    }

    pub(super) fn bool_at(&self, key: &str) -> Option<bool> {
        self.get(key)?.as_bool()
    }

    pub(super) fn number_at<T: TryFrom<i64>>(&self, key: &str) -> Option<T> {
        T::try_from(self.get(key)?.as_integer()?).ok()
    }

    pub(super) fn seconds_at(&self, key: &str) -> Option<Duration> {
        self.number_at(key).map(Duration::from_secs)
    }

    /// The items of a list property; none when it is not there.
    pub(super) fn items_at(&self, key: &str) -> &[Node] {
        self.get(key).and_then(Node::as_list).unwrap_or_default()
    }

    /// The texts of a list property.
    pub(super) fn texts_at(&self, key: &str) -> Vec<String> {
        self.items_at(key).iter().filter_map(Node::as_text).map(str::to_owned).collect()
    }

    /// A property that is there and says more than an empty text.
    pub(super) fn set(&self, key: &str) -> Option<&Entry> {
        self.entry(key).filter(|entry| match &entry.value.value {
            Value::Text { text, .. } => !text.is_empty(),
            Value::List(items) => !items.is_empty(),
            _ => true,
        })
    }

    /// Whether the value is there but could not be told.
    pub(super) fn is_unknown(&self) -> bool {
        self.value == Value::Unknown
    }
}
