//! The values of a file's partition columns.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::SharedText;

/// By column, as text; nothing stands for a null. Cheap to copy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PartitionValues {
    /// In the order of the columns' names, each once.
    values: Arc<[(SharedText, Option<SharedText>)]>,
}

impl PartitionValues {
    /// Those of a table without partitions.
    pub fn none() -> PartitionValues {
        PartitionValues { values: Arc::from([]) }
    }

    /// The value of a column, which may be null. Returns `None` if the table is not cut by it.
    pub fn get(&self, column: &str) -> Option<Option<&str>> {
        self.values.iter().find(|(name, _)| name.as_str() == column).map(|(_, value)| value.as_deref())
    }

    /// The value of a column that is there and not null.
    pub fn value(&self, column: &str) -> Option<&str> {
        self.get(column).flatten()
    }

    /// All columns with their values.
    pub fn to_texts(&self) -> Vec<(String, Option<String>)> {
        let texts = self.values.iter().map(|(name, value)| (name.to_string(), value.as_ref().map(ToString::to_string)));
        texts.collect()
    }

    /// These and one more.
    pub fn with(&self, column: &str, value: &SharedText) -> PartitionValues {
        self.values.iter().cloned().chain([(SharedText::from(column), Some(value.clone()))]).collect()
    }
}

impl<N: Into<SharedText>, V: Into<SharedText>> FromIterator<(N, Option<V>)> for PartitionValues {
    fn from_iter<I: IntoIterator<Item = (N, Option<V>)>>(values: I) -> PartitionValues {
        let mut values: Vec<(SharedText, Option<SharedText>)> =
            values.into_iter().map(|(name, value)| (name.into(), value.map(V::into))).collect();
        values.sort_by(|(left, _), (right, _)| left.cmp(right));
        PartitionValues { values: Arc::from(values) }
    }
}

impl Serialize for PartitionValues {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.values.len()))?;
        for (name, value) in self.values.iter() {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for PartitionValues {
    /// The protocol writes a null as an empty text too.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<PartitionValues, D::Error> {
        let values = BTreeMap::<SharedText, Option<SharedText>>::deserialize(deserializer)?;
        Ok(values.into_iter().map(|(name, value)| (name, value.filter(|text| !text.is_empty()))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_the_log_has_them() {
        let values: PartitionValues = serde_json::from_str(r#"{"b":"2023-05-03","a":"","c":null}"#).unwrap();
        assert_eq!((values.value("b"), values.get("a"), values.get("c")), (Some("2023-05-03"), Some(None), Some(None)));
        assert_eq!(values.get("d"), None);
        assert_eq!(serde_json::to_string(&values).unwrap(), r#"{"a":null,"b":"2023-05-03","c":null}"#);
        assert_eq!(values.with("d", &SharedText::from("x")).value("d"), Some("x"));
    }
}
