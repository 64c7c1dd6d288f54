//! The rules of the format that the types do not say, for bytes that passed bytecheck.

use crate::failure::{Failure, Kind, Outcome};
use crate::member::is_archived_hashable;
use crate::value::{
    ArchivedDocument, ArchivedExtension, ArchivedRecord, ArchivedShape, ArchivedValue, MAX_DEPTH,
    MAX_INTEGER, MAX_KEY, UNSORTED_KEYS,
};

const DATETIME: u8 = 3;
const DATE: u8 = 4;
const TIME: u8 = 5;
const TIMEDELTA: u8 = 6;
const DECIMAL: u8 = 7;
const UUID: u8 = 8;
const COMPLEX: u8 = 11;
const SURROGATES: u8 = 13;

/// Check a whole document; whoever walks it afterwards meets no surprise.
pub fn check(document: &ArchivedDocument<'_>) -> Outcome<()> {
    for shape in document.shapes.iter() {
        check_shape(shape)?;
    }
    check_value(&document.root, &document.shapes, MAX_DEPTH)
}

/// Tell whether a scalar of this code may have this many bytes.
pub fn check_extension(code: u8, size: usize) -> Outcome<()> {
    let fits = match code {
        TIMEDELTA => size == 24,
        UUID | COMPLEX => size == 16,
        DATETIME | DATE | TIME | DECIMAL | SURROGATES => true,
        _ => {
            return Err(Failure::new(
                Kind::Unsupported,
                format!("a value of the unknown extension type {code}"),
            ));
        }
    };
    if fits {
        return Ok(());
    }
    Err(Failure::corrupt(format!(
        "a value of extension type {code} has {size} bytes"
    )))
}

fn check_shape(shape: &ArchivedShape<'_>) -> Outcome<()> {
    let keys = &shape.keys;
    if keys.iter().any(|key| key.text.len() > MAX_KEY) {
        return Err(Failure::corrupt("a shape has a key that is too long"));
    }
    if keys.len() <= UNSORTED_KEYS {
        if !shape.order.is_empty() {
            return Err(Failure::corrupt("a small shape has an index"));
        }
        let twice = (1..keys.len()).any(|place| {
            keys[..place]
                .iter()
                .any(|key| *key.text == *keys[place].text)
        });
        return if twice {
            Err(Failure::corrupt("a shape has one key twice"))
        } else {
            Ok(())
        };
    }
    check_order(shape)
}

/// Strictly ascending keys over as many places as there are keys: a permutation without repetition.
fn check_order(shape: &ArchivedShape<'_>) -> Outcome<()> {
    let (keys, order) = (&shape.keys, &shape.order);
    if order.len() != keys.len()
        || order
            .iter()
            .any(|place| place.to_native() as usize >= keys.len())
    {
        return Err(Failure::corrupt(
            "a shape's index has other places than its keys",
        ));
    }
    let text = |place: usize| &*keys[order[place].to_native() as usize].text;
    if (1..order.len()).any(|place| text(place - 1) >= text(place)) {
        return Err(Failure::corrupt("a shape's index does not ascend"));
    }
    Ok(())
}

fn check_value(
    value: &ArchivedValue<'_>,
    shapes: &[ArchivedShape<'_>],
    depth: usize,
) -> Outcome<()> {
    match value {
        ArchivedValue::List(items) | ArchivedValue::Tuple(items) => check_all(items, shapes, depth),
        ArchivedValue::Map(record) => check_record(record, shapes, depth),
        ArchivedValue::Ext(extension) => check_archived_extension(extension),
        ArchivedValue::Set(items) | ArchivedValue::FrozenSet(items) => {
            check_all(items, shapes, depth)?;
            if items.iter().all(is_archived_hashable) {
                return Ok(());
            }
            Err(Failure::corrupt("a set holds what cannot be hashed"))
        }
        ArchivedValue::Pairs(items) => {
            check_all(items, shapes, depth)?;
            if items.len() % 2 == 0 && items.iter().step_by(2).all(is_archived_hashable) {
                return Ok(());
            }
            Err(Failure::corrupt(
                "a dict has a key without a value or of no hashable type",
            ))
        }
        ArchivedValue::BigInt(digits) if digits.is_empty() || digits.len() > MAX_INTEGER => {
            Err(Failure::corrupt("an integer has no digits or too many"))
        }
        _ => Ok(()),
    }
}

fn check_all(
    items: &[ArchivedValue<'_>],
    shapes: &[ArchivedShape<'_>],
    depth: usize,
) -> Outcome<()> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(Failure::corrupt(Failure::too_deep().message));
    };
    items
        .iter()
        .try_for_each(|item| check_value(item, shapes, depth))
}

fn check_record(
    record: &ArchivedRecord<'_>,
    shapes: &[ArchivedShape<'_>],
    depth: usize,
) -> Outcome<()> {
    let number = record.shape.to_native() as usize;
    match shapes.get(number) {
        None => Err(Failure::corrupt(format!(
            "a dict has shape {number}, which is not there"
        ))),
        Some(shape) if shape.keys.len() != record.values.len() => Err(Failure::corrupt(
            "a dict has more or fewer values than keys",
        )),
        Some(_) => check_all(&record.values, shapes, depth),
    }
}

fn check_archived_extension(extension: &ArchivedExtension<'_>) -> Outcome<()> {
    check_extension(extension.code, extension.data.len())
}
