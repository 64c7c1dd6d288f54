//! Find a value inside a document by keys and places.

use crate::failure::{Failure, Kind, Outcome};
use crate::value::{ArchivedDocument, ArchivedShape, ArchivedValue};

/// One step down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// To the value of a key of a dict.
    Key(&'a str),
    /// To a place of a list or tuple, from the end if negative; also to an integer key of a dict.
    Place(i64),
}

/// Return the value that the steps lead to.
pub fn walk<'d, 'a>(
    document: &'d ArchivedDocument<'a>,
    from: &'d ArchivedValue<'a>,
    steps: &[Step<'_>],
) -> Outcome<&'d ArchivedValue<'a>> {
    let mut value = from;
    for (number, step) in steps.iter().enumerate() {
        value = descend(document, value, step)
            .ok_or_else(|| Failure::new(Kind::NotFound, format!("step {number}: {step:?}")))?;
    }
    Ok(value)
}

fn descend<'d, 'a>(
    document: &'d ArchivedDocument<'a>,
    value: &'d ArchivedValue<'a>,
    step: &Step<'_>,
) -> Option<&'d ArchivedValue<'a>> {
    match (value, step) {
        (ArchivedValue::Map(record), Step::Key(key)) => {
            let shape = document.shapes.get(record.shape.to_native() as usize)?;
            record.values.get(find(shape, key)?)
        }
        (ArchivedValue::Pairs(items), _) => items
            .chunks_exact(2)
            .find(|pair| is_key(&pair[0], step))
            .map(|pair| &pair[1]),
        (ArchivedValue::List(items) | ArchivedValue::Tuple(items), Step::Place(place)) => {
            let place = if *place < 0 {
                items
                    .len()
                    .checked_sub(usize::try_from(place.unsigned_abs()).ok()?)?
            } else {
                usize::try_from(*place).ok()?
            };
            items.get(place)
        }
        _ => None,
    }
}

fn find(shape: &ArchivedShape<'_>, key: &str) -> Option<usize> {
    if shape.order.is_empty() {
        return shape.keys.iter().position(|each| &*each.text == key);
    }
    let text = |place: u32| &*shape.keys[place as usize].text;
    let place = shape
        .order
        .binary_search_by(|place| text(place.to_native()).cmp(key))
        .ok()?;
    Some(shape.order[place].to_native() as usize)
}

fn is_key(value: &ArchivedValue<'_>, step: &Step<'_>) -> bool {
    match (value, step) {
        (ArchivedValue::Str(text), Step::Key(key)) => **text == **key,
        (ArchivedValue::Int(number), Step::Place(place)) => number.to_native() == *place,
        _ => false,
    }
}
