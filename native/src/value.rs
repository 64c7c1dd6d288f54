//! The schema of an archive. Its order and its sizes are the stored format.
//!
//! Variants are only ever added at the end, and never change; a new one is a new schema, named by
//! the payload's flags. Only `enum`, `struct`, `Vec` and `Box` are used: each is a fixed slot, or a
//! relative pointer of 4 bytes and a length of 4 bytes, which is what the readers in Python follow.

use std::mem::{align_of, offset_of, size_of};

use rkyv::rancor::{Fallible, Source};
use rkyv::ser::{Allocator, Writer};
use rkyv::validation::ArchiveContext;
use rkyv::with::InlineAsBox;
use rkyv::{Archive, Serialize};

use crate::blob::Blob;

/// The number of containers that may stand inside each other, as in the value model of the project.
pub const MAX_DEPTH: usize = 254;

/// The longest key, in bytes, of a dict with a shape. It bounds what repeating keys can cost.
pub const MAX_KEY: usize = 128;

/// Shapes with more keys than this have an index sorted by key.
pub const UNSORTED_KEYS: usize = 32;

/// The most bytes of an integer: a million decimal digits.
pub const MAX_INTEGER: usize = 415_242;

/// One value. The order of the variants is their stored tag.
#[derive(Archive, Serialize, Debug, Clone, PartialEq)]
#[rkyv(serialize_bounds(__S: Writer + Allocator, <__S as Fallible>::Error: Source))]
#[rkyv(bytecheck(bounds(__C: ArchiveContext, <__C as Fallible>::Error: Source)))]
pub enum Value<'a> {
    /// None.
    Null,
    /// A truth value.
    Bool(bool),
    /// An integer of 64 bits with sign.
    Int(i64),
    /// An integer from 2^63 to 2^64 - 1.
    UInt(u64),
    /// A number of 64 bits, whatever its bits.
    Float(f64),
    /// Text.
    Str(#[rkyv(with = InlineAsBox)] &'a str),
    /// Bytes; long ones stand at a multiple of 16 from the start of the payload.
    Bytes(#[rkyv(with = Blob)] &'a [u8]),
    /// A list.
    List(#[rkyv(omit_bounds)] Vec<Value<'a>>),
    /// A dict whose keys are all text, at most [`MAX_KEY`] bytes each.
    Map(#[rkyv(omit_bounds)] Box<Record<'a>>),
    /// A scalar of another type: a code, and bytes that the Python side reads.
    Ext(Box<Extension<'a>>),
    /// A tuple.
    Tuple(#[rkyv(omit_bounds)] Vec<Value<'a>>),
    /// A set.
    Set(#[rkyv(omit_bounds)] Vec<Value<'a>>),
    /// A frozenset.
    FrozenSet(#[rkyv(omit_bounds)] Vec<Value<'a>>),
    /// Any other dict: key, value, key, value, …
    Pairs(#[rkyv(omit_bounds)] Vec<Value<'a>>),
    /// An integer beyond 64 bits: two's complement, little-endian.
    BigInt(#[rkyv(with = InlineAsBox)] &'a [u8]),
}

/// A dict: which keys, by number of their shape, and its values in their order.
#[derive(Archive, Serialize, Debug, Clone, PartialEq)]
#[rkyv(serialize_bounds(__S: Writer + Allocator, <__S as Fallible>::Error: Source))]
#[rkyv(bytecheck(bounds(__C: ArchiveContext, <__C as Fallible>::Error: Source)))]
pub struct Record<'a> {
    /// The shape's place in the document.
    pub shape: u32,
    /// One value for each key of the shape.
    #[rkyv(omit_bounds)]
    pub values: Vec<Value<'a>>,
}

/// A scalar of a type that the format does not spell out.
#[derive(Archive, Serialize, Debug, Clone, PartialEq)]
pub struct Extension<'a> {
    /// Which type.
    pub code: u8,
    /// Its content.
    #[rkyv(with = InlineAsBox)]
    pub data: &'a [u8],
}

/// A key of a shape.
#[derive(Archive, Serialize, Debug, Clone, PartialEq)]
pub struct Key<'a> {
    /// Its text.
    #[rkyv(with = InlineAsBox)]
    pub text: &'a str,
}

/// The keys that many dicts have in common, in their order.
#[derive(Archive, Serialize, Debug, Clone, PartialEq)]
pub struct Shape<'a> {
    /// The keys in the order of the dict.
    pub keys: Vec<Key<'a>>,
    /// The places of the keys sorted by their bytes, if there are more than [`UNSORTED_KEYS`].
    pub order: Vec<u32>,
}

/// A whole archive; its root stands in the last bytes.
#[derive(Archive, Serialize, Debug, Clone, PartialEq)]
pub struct Document<'a> {
    /// Every shape, by first use.
    pub shapes: Vec<Shape<'a>>,
    /// The value.
    pub root: Value<'a>,
}

/// The sizes and places that the readers in Python count on, for the check at import.
pub const LAYOUT: [u32; 12] = [
    size_of::<ArchivedValue>() as u32,
    align_of::<ArchivedValue>() as u32,
    size_of::<ArchivedDocument>() as u32,
    offset_of!(ArchivedDocument, shapes) as u32,
    offset_of!(ArchivedDocument, root) as u32,
    size_of::<ArchivedShape>() as u32,
    offset_of!(ArchivedShape, keys) as u32,
    offset_of!(ArchivedShape, order) as u32,
    size_of::<ArchivedKey>() as u32,
    offset_of!(ArchivedRecord, values) as u32,
    offset_of!(ArchivedExtension, data) as u32,
    MAX_DEPTH as u32,
];

const _: () = assert!(size_of::<ArchivedValue>() == 9 && align_of::<ArchivedValue>() == 1);
const _: () = assert!(size_of::<ArchivedDocument>() == 17 && align_of::<ArchivedDocument>() == 1);
const _: () = assert!(size_of::<ArchivedRecord>() == 12 && offset_of!(ArchivedRecord, values) == 4);
const _: () = assert!(size_of::<ArchivedShape>() == 16 && offset_of!(ArchivedShape, order) == 8);
const _: () = assert!(size_of::<ArchivedExtension>() == 9);
const _: () = assert!(offset_of!(ArchivedExtension, code) == 0);
const _: () = assert!(offset_of!(ArchivedDocument, root) == 8);
