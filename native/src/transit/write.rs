//! From a document to MessagePack, and from a part of a document to a body of its own.

use crate::archive::seal;
use crate::failure::{Failure, Kind, Outcome};
use crate::path::{Step, walk};
use crate::shape::Shapes;
use crate::transit::{BIG_INTEGER, FROZEN_SET, PAIRS, SET, TUPLE};
use crate::value::{
    ArchivedDocument, ArchivedRecord, ArchivedValue, Document, Extension, Record, Value,
};

/// Return a value of the document, packed.
pub fn decode(document: &ArchivedDocument<'_>, steps: &[Step<'_>]) -> Outcome<Vec<u8>> {
    let mut writer = Writer::new(document);
    writer.value(walk(document, &document.root, steps)?)?;
    Ok(writer.out)
}

/// Return, packed as an array, what `inner` leads to in each item of the list at `steps`.
pub fn pluck(
    document: &ArchivedDocument<'_>,
    steps: &[Step<'_>],
    inner: &[Step<'_>],
) -> Outcome<Vec<u8>> {
    let (ArchivedValue::List(items) | ArchivedValue::Tuple(items)) =
        walk(document, &document.root, steps)?
    else {
        return Err(Failure::new(
            Kind::NotFound,
            "no list is there to pluck from",
        ));
    };
    let mut writer = Writer::new(document);
    writer.head(items.len(), 0x90, 16, [0xdc, 0xdd]);
    for (place, item) in items.iter().enumerate() {
        let value = walk(document, item, inner).map_err(|failure| {
            Failure::new(failure.kind, format!("item {place}: {}", failure.message))
        })?;
        writer.value(value)?;
    }
    Ok(writer.out)
}

/// Return a body that holds one value of the document alone.
pub fn extract(document: &ArchivedDocument<'_>, steps: &[Step<'_>]) -> Outcome<Vec<u8>> {
    let from = walk(document, &document.root, steps)?;
    let mut shapes = Shapes::new();
    let root = borrow(document, from, &mut shapes)?;
    let shapes = shapes.finish();
    seal(&Document { shapes, root }, 0)
}

fn borrow<'d>(
    document: &'d ArchivedDocument<'_>,
    value: &'d ArchivedValue<'_>,
    shapes: &mut Shapes<'d>,
) -> Outcome<Value<'d>> {
    let mut all = |items: &'d [ArchivedValue<'_>]| -> Outcome<Vec<Value<'d>>> {
        items
            .iter()
            .map(|item| borrow(document, item, shapes))
            .collect()
    };
    Ok(match value {
        ArchivedValue::Null => Value::Null,
        ArchivedValue::Bool(truth) => Value::Bool(*truth),
        ArchivedValue::Int(number) => Value::Int(number.to_native()),
        ArchivedValue::UInt(number) => Value::UInt(number.to_native()),
        ArchivedValue::Float(number) => Value::Float(number.to_native()),
        ArchivedValue::Str(text) => Value::Str(text),
        ArchivedValue::Bytes(data) => Value::Bytes(data),
        ArchivedValue::BigInt(digits) => Value::BigInt(digits),
        ArchivedValue::List(items) => Value::List(all(items)?),
        ArchivedValue::Tuple(items) => Value::Tuple(all(items)?),
        ArchivedValue::Set(items) => Value::Set(all(items)?),
        ArchivedValue::FrozenSet(items) => Value::FrozenSet(all(items)?),
        ArchivedValue::Pairs(items) => Value::Pairs(all(items)?),
        ArchivedValue::Ext(extension) => Value::Ext(Box::new(Extension {
            code: extension.code,
            data: &extension.data,
        })),
        ArchivedValue::Map(record) => {
            let keys = keys(document, record);
            let values = all(&record.values)?;
            let shape = shapes.number(&keys.collect::<Vec<_>>())?;
            Value::Map(Box::new(Record { shape, values }))
        }
    })
}

fn keys<'d>(
    document: &'d ArchivedDocument<'_>,
    record: &ArchivedRecord<'_>,
) -> impl Iterator<Item = &'d str> {
    let shape = &document.shapes[record.shape.to_native() as usize];
    shape.keys.iter().map(|key| &*key.text)
}

struct Writer<'d, 'a> {
    document: &'d ArchivedDocument<'a>,
    out: Vec<u8>,
}

impl<'d, 'a> Writer<'d, 'a> {
    fn new(document: &'d ArchivedDocument<'a>) -> Self {
        Self {
            document,
            out: Vec::new(),
        }
    }

    fn value(&mut self, value: &ArchivedValue<'_>) -> Outcome<()> {
        match value {
            ArchivedValue::Null => self.out.push(0xc0),
            ArchivedValue::Bool(truth) => self.out.push(if *truth { 0xc3 } else { 0xc2 }),
            ArchivedValue::Int(number) => self.integer(number.to_native()),
            ArchivedValue::UInt(number) => self.number(0xcf, &number.to_native().to_be_bytes()),
            ArchivedValue::Float(number) => self.number(0xcb, &number.to_native().to_be_bytes()),
            ArchivedValue::Str(text) => self.text(text)?,
            ArchivedValue::Bytes(data) => {
                self.number(0xc6, &(data.len() as u32).to_be_bytes());
                self.append(data)?;
            }
            ArchivedValue::List(items) => {
                self.head(items.len(), 0x90, 16, [0xdc, 0xdd]);
                self.all(items)?;
            }
            ArchivedValue::Map(record) => self.map(record)?,
            ArchivedValue::Ext(extension) => self.extension(extension.code, &extension.data)?,
            ArchivedValue::BigInt(digits) => self.extension(BIG_INTEGER, digits)?,
            ArchivedValue::Tuple(items) => self.nested(TUPLE, items)?,
            ArchivedValue::Set(items) => self.nested(SET, items)?,
            ArchivedValue::FrozenSet(items) => self.nested(FROZEN_SET, items)?,
            ArchivedValue::Pairs(items) => self.nested(PAIRS, items)?,
        }
        Ok(())
    }

    fn all(&mut self, items: &[ArchivedValue<'_>]) -> Outcome<()> {
        items.iter().try_for_each(|item| self.value(item))
    }

    fn map(&mut self, record: &ArchivedRecord<'_>) -> Outcome<()> {
        self.head(record.values.len(), 0x80, 16, [0xde, 0xdf]);
        for (key, value) in keys(self.document, record).zip(record.values.iter()) {
            self.text(key)?;
            self.value(value)?;
        }
        Ok(())
    }

    /// Write an extension that holds an array; its length is known, and filled in, afterwards.
    fn nested(&mut self, code: u8, items: &[ArchivedValue<'_>]) -> Outcome<()> {
        self.extension(code, &[])?;
        let start = self.out.len();
        self.head(items.len(), 0x90, 16, [0xdc, 0xdd]);
        self.all(items)?;
        let size = u32::try_from(self.out.len() - start)
            .map_err(|_| Failure::new(Kind::TooLarge, "a part of more than 4 GiB"))?;
        self.out[start - 5..start - 1].copy_from_slice(&size.to_be_bytes());
        Ok(())
    }

    fn extension(&mut self, code: u8, data: &[u8]) -> Outcome<()> {
        self.number(0xc9, &(data.len() as u32).to_be_bytes());
        self.out.push(code);
        self.append(data)
    }

    fn text(&mut self, text: &str) -> Outcome<()> {
        match u8::try_from(text.len()) {
            Ok(size) if size >= 32 => self.number(0xd9, &[size]),
            _ => self.head(text.len(), 0xa0, 32, [0xda, 0xdb]),
        }
        self.append(text.as_bytes())
    }

    fn integer(&mut self, number: i64) {
        match i8::try_from(number) {
            Ok(small @ -32..) => self.out.push(small as u8),
            _ => match i32::try_from(number) {
                Ok(middle) => self.number(0xd2, &middle.to_be_bytes()),
                Err(_) => self.number(0xd3, &number.to_be_bytes()),
            },
        }
    }

    /// Write a count: inside the first byte if it is below the limit, else in 2 or 4 bytes.
    fn head(&mut self, count: usize, first: u8, limit: usize, wide: [u8; 2]) {
        if count < limit {
            self.out.push(first | count as u8);
        } else if let Ok(short) = u16::try_from(count) {
            self.number(wide[0], &short.to_be_bytes());
        } else {
            self.number(wide[1], &(count as u32).to_be_bytes());
        }
    }

    fn number(&mut self, first: u8, bytes: &[u8]) {
        self.out.push(first);
        self.out.extend_from_slice(bytes);
    }

    fn append(&mut self, bytes: &[u8]) -> Outcome<()> {
        self.out
            .try_reserve(bytes.len())
            .map_err(|_| Failure::out_of_memory())?;
        self.out.extend_from_slice(bytes);
        Ok(())
    }
}
