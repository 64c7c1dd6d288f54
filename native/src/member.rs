//! What may be a key of a dict or a member of a set in Python, and in which order sets are stored.

use std::cmp::Ordering;

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

/// Compare two members of a set, so that equal sets are stored in equal bytes.
pub fn compare(left: &Value<'_>, right: &Value<'_>) -> Ordering {
    match (left, right) {
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Int(a), Value::Int(b)) => a.cmp(b),
        (Value::UInt(a), Value::UInt(b)) => a.cmp(b),
        (Value::Float(a), Value::Float(b)) => a.total_cmp(b),
        (Value::Str(a), Value::Str(b)) => a.cmp(b),
        (Value::Bytes(a), Value::Bytes(b)) | (Value::BigInt(a), Value::BigInt(b)) => a.cmp(b),
        (Value::Ext(a), Value::Ext(b)) => (a.code, a.data).cmp(&(b.code, b.data)),
        (Value::Tuple(a), Value::Tuple(b)) | (Value::FrozenSet(a), Value::FrozenSet(b)) => {
            compare_all(a, b)
        }
        _ => rank(left).cmp(&rank(right)),
    }
}

fn compare_all(left: &[Value<'_>], right: &[Value<'_>]) -> Ordering {
    let members = left.iter().zip(right).map(|(a, b)| compare(a, b));
    members
        .chain([left.len().cmp(&right.len())])
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

fn rank(value: &Value<'_>) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Int(_) => 2,
        Value::UInt(_) => 3,
        Value::Float(_) => 4,
        Value::Str(_) => 5,
        Value::Bytes(_) => 6,
        Value::Ext(_) => 7,
        Value::Tuple(_) => 8,
        Value::FrozenSet(_) => 9,
        Value::BigInt(_) => 10,
        // No member of any set.
        Value::List(_) | Value::Map(_) | Value::Set(_) | Value::Pairs(_) => 11,
    }
}
