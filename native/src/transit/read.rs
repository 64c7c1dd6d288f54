//! From MessagePack to a body.

use crate::archive::seal;
use crate::failure::{Failure, Outcome};
use crate::member::{compare, is_hashable};
use crate::semantic::check_extension;
use crate::shape::Shapes;
use crate::transit::{BIG_INTEGER, FROZEN_SET, PAIRS, SET, TUPLE};
use crate::value::{Document, Extension, MAX_DEPTH, MAX_INTEGER, MAX_KEY, Record, Value};

/// Return the body of one packed value.
pub fn encode(packed: &[u8]) -> Outcome<Vec<u8>> {
    let mut reader = Reader {
        rest: packed,
        shapes: Shapes::new(),
        keys: Vec::new(),
    };
    let root = reader.value(MAX_DEPTH)?;
    if !reader.rest.is_empty() {
        return Err(Failure::input("bytes follow the packed value"));
    }
    let document = Document {
        shapes: reader.shapes.finish(),
        root,
    };
    seal(&document, packed.len())
}

/// The head of a packed item: a scalar, or what follows it and how much of it.
pub(super) enum Head<'a> {
    Scalar(Value<'a>),
    Text(usize),
    Binary(usize),
    Array(usize),
    Map(usize),
    Extension(usize),
}

struct Reader<'a> {
    rest: &'a [u8],
    shapes: Shapes<'a>,
    /// The keys of the dicts that are being read, the innermost last.
    keys: Vec<&'a str>,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Outcome<Value<'a>> {
        match head(&mut self.rest)? {
            Head::Scalar(value) => Ok(value),
            Head::Text(size) => Ok(Value::Str(text(&mut self.rest, size)?)),
            Head::Binary(size) => Ok(Value::Bytes(take(&mut self.rest, size)?)),
            Head::Array(count) => Ok(Value::List(self.items(count, below(depth)?)?)),
            Head::Map(count) => self.map(count, below(depth)?),
            Head::Extension(size) => {
                let code = number::<1>(&mut self.rest)?[0];
                let data = take(&mut self.rest, size)?;
                self.extension(code, data, depth)
            }
        }
    }

    fn items(&mut self, count: usize, depth: usize) -> Outcome<Vec<Value<'a>>> {
        let mut items = self.reserve(count)?;
        for _ in 0..count {
            items.push(self.value(depth)?);
        }
        Ok(items)
    }

    fn map(&mut self, count: usize, depth: usize) -> Outcome<Value<'a>> {
        let start = self.keys.len();
        let mut values = self.reserve(count)?;
        for _ in 0..count {
            let Head::Text(size) = head(&mut self.rest)? else {
                return Err(Failure::input("a packed dict has a key that is no text"));
            };
            let key = text(&mut self.rest, size)?;
            values.push(self.value(depth)?);
            self.keys.push(key);
        }
        let keys = &self.keys[start..];
        let value = if keys.iter().any(|key| key.len() > MAX_KEY) {
            Value::Pairs(interleave(keys, values))
        } else {
            let shape = self.shapes.number(keys)?;
            Value::Map(Box::new(Record { shape, values }))
        };
        self.keys.truncate(start);
        Ok(value)
    }

    fn extension(&mut self, code: u8, data: &'a [u8], depth: usize) -> Outcome<Value<'a>> {
        match code {
            TUPLE => Ok(Value::Tuple(self.nested(data, below(depth)?)?)),
            SET => Ok(Value::Set(self.members(data, below(depth)?)?)),
            FROZEN_SET => Ok(Value::FrozenSet(self.members(data, below(depth)?)?)),
            PAIRS => {
                let items = self.nested(data, below(depth)?)?;
                if items.len() % 2 == 0 && items.iter().step_by(2).all(is_hashable) {
                    return Ok(Value::Pairs(items));
                }
                Err(Failure::input("pairs are odd, or a key cannot be hashed"))
            }
            BIG_INTEGER if data.is_empty() || data.len() > MAX_INTEGER => {
                Err(Failure::input("an integer has no digits or too many"))
            }
            BIG_INTEGER => Ok(Value::BigInt(data)),
            _ => {
                check_extension(code, data.len())
                    .map_err(|failure| Failure::input(failure.message))?;
                Ok(Value::Ext(Box::new(Extension { code, data })))
            }
        }
    }

    /// Return the items of an array that is the whole content of an extension.
    fn nested(&mut self, data: &'a [u8], depth: usize) -> Outcome<Vec<Value<'a>>> {
        let outer = std::mem::replace(&mut self.rest, data);
        let Head::Array(count) = head(&mut self.rest)? else {
            return Err(Failure::input("an extension holds no array"));
        };
        let items = self.items(count, depth)?;
        if !self.rest.is_empty() {
            return Err(Failure::input("bytes follow the array of an extension"));
        }
        self.rest = outer;
        Ok(items)
    }

    /// Return the members of a set in an order of their own, so that equal sets are stored alike.
    fn members(&mut self, data: &'a [u8], depth: usize) -> Outcome<Vec<Value<'a>>> {
        let mut members = self.nested(data, depth)?;
        if !members.iter().all(is_hashable) {
            return Err(Failure::input("a set holds what cannot be hashed"));
        }
        members.sort_by(compare);
        Ok(members)
    }

    /// Each item takes a byte at least, so a forged count reserves no more than the input's size.
    fn reserve(&self, count: usize) -> Outcome<Vec<Value<'a>>> {
        if count > self.rest.len() {
            return Err(ends_early());
        }
        let mut items = Vec::new();
        items
            .try_reserve_exact(count)
            .map_err(|_| Failure::out_of_memory())?;
        Ok(items)
    }
}

/// Read one head.
pub(super) fn head<'a>(rest: &mut &'a [u8]) -> Outcome<Head<'a>> {
    let byte = number::<1>(rest)?[0];
    Ok(match byte {
        0x00..=0x7f => Head::Scalar(Value::Int(i64::from(byte))),
        0x80..=0x8f => Head::Map(usize::from(byte & 0x0f)),
        0x90..=0x9f => Head::Array(usize::from(byte & 0x0f)),
        0xa0..=0xbf => Head::Text(usize::from(byte & 0x1f)),
        0xc0 => Head::Scalar(Value::Null),
        0xc2 | 0xc3 => Head::Scalar(Value::Bool(byte == 0xc3)),
        0xc4..=0xc6 => Head::Binary(length(rest, byte - 0xc4)?),
        0xc7..=0xc9 => Head::Extension(length(rest, byte - 0xc7)?),
        0xca => Head::Scalar(Value::Float(f32::from_be_bytes(number(rest)?).into())),
        0xcb => Head::Scalar(Value::Float(f64::from_be_bytes(number(rest)?))),
        0xcc..=0xd3 => Head::Scalar(integer(rest, byte)?),
        0xd4..=0xd8 => Head::Extension(1 << (byte - 0xd4)),
        0xd9..=0xdb => Head::Text(length(rest, byte - 0xd9)?),
        0xdc | 0xdd => Head::Array(length(rest, byte - 0xdb)?),
        0xde | 0xdf => Head::Map(length(rest, byte - 0xdd)?),
        0xe0..=0xff => Head::Scalar(Value::Int(i64::from(byte as i8))),
        0xc1 => return Err(Failure::input("a byte that begins nothing")),
    })
}

pub(super) fn text<'a>(rest: &mut &'a [u8], size: usize) -> Outcome<&'a str> {
    std::str::from_utf8(take(rest, size)?).map_err(|_| Failure::input("a text is not UTF-8"))
}

fn integer<'a>(rest: &mut &'a [u8], byte: u8) -> Outcome<Value<'a>> {
    Ok(Value::Int(match byte {
        0xcc => i64::from(number::<1>(rest)?[0]),
        0xcd => i64::from(u16::from_be_bytes(number(rest)?)),
        0xce => i64::from(u32::from_be_bytes(number(rest)?)),
        0xcf => {
            let unsigned = u64::from_be_bytes(number(rest)?);
            match i64::try_from(unsigned) {
                Ok(signed) => signed,
                Err(_) => return Ok(Value::UInt(unsigned)),
            }
        }
        0xd0 => i64::from(i8::from_be_bytes(number(rest)?)),
        0xd1 => i64::from(i16::from_be_bytes(number(rest)?)),
        0xd2 => i64::from(i32::from_be_bytes(number(rest)?)),
        _ => i64::from_be_bytes(number(rest)?),
    }))
}

/// Read a length of 1, 2 or 4 bytes.
fn length(rest: &mut &[u8], power: u8) -> Outcome<usize> {
    Ok(match power {
        0 => usize::from(number::<1>(rest)?[0]),
        1 => usize::from(u16::from_be_bytes(number(rest)?)),
        _ => u32::from_be_bytes(number(rest)?) as usize,
    })
}

fn number<const N: usize>(rest: &mut &[u8]) -> Outcome<[u8; N]> {
    let (number, after) = rest.split_first_chunk::<N>().ok_or_else(ends_early)?;
    *rest = after;
    Ok(*number)
}

fn take<'a>(rest: &mut &'a [u8], size: usize) -> Outcome<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(size).ok_or_else(ends_early)?;
    *rest = after;
    Ok(taken)
}

fn below(depth: usize) -> Outcome<usize> {
    depth.checked_sub(1).ok_or_else(Failure::too_deep)
}

fn interleave<'a>(keys: &[&'a str], values: Vec<Value<'a>>) -> Vec<Value<'a>> {
    let pairs = keys.iter().zip(values);
    pairs
        .flat_map(|(key, value)| [Value::Str(key), value])
        .collect()
}

fn ends_early() -> Failure {
    Failure::input("the packed value ends early")
}
