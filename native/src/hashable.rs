//! Which values can be keys of a dict or members of a set in Python.

use crate::value::{ArchivedValue, Value};

/// Tell whether Python could hash the value.
pub fn is_hashable(value: &Value<'_>) -> bool {
    match value {
        Value::List(_) | Value::Map(_) | Value::Set(_) | Value::Pairs(_) => false,
        Value::Tuple(items) => items.iter().all(is_hashable),
        _ => true,
    }
}

/// Tell the same of an archived value.
pub fn is_archived_hashable(value: &ArchivedValue<'_>) -> bool {
    match value {
        ArchivedValue::List(_)
        | ArchivedValue::Map(_)
        | ArchivedValue::Set(_)
        | ArchivedValue::Pairs(_) => false,
        ArchivedValue::Tuple(items) => items.iter().all(is_archived_hashable),
        _ => true,
    }
}
