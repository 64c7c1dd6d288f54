//! Paths, which are packed arrays of texts and integers.

use crate::failure::{Failure, Outcome};
use crate::path::Step;
use crate::transit::read::{Head, head, text};
use crate::value::{MAX_DEPTH, Value};

/// Return the steps of a packed path.
pub fn read_steps(mut packed: &[u8]) -> Outcome<Vec<Step<'_>>> {
    let rest = &mut packed;
    let Head::Array(count) = head(rest)? else {
        return Err(Failure::input("a path is no array"));
    };
    if count > MAX_DEPTH {
        return Err(Failure::input("a path is longer than any document is deep"));
    }
    let mut steps = Vec::with_capacity(count);
    for _ in 0..count {
        steps.push(match head(rest)? {
            Head::Text(size) => Step::Key(text(rest, size)?),
            Head::Scalar(Value::Int(place)) => Step::Place(place),
            _ => return Err(Failure::input("a step is neither text nor an integer")),
        });
    }
    Ok(steps)
}
