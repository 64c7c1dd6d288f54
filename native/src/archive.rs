//! Bodies: write a document into one, and open one after checking all of it.
//!
//! A body is the length of its archive (u32), the archive's CRC-32 (u32), both little-endian, and
//! the archive. The checksum is for accidents and runs first, so that they get a plain word;
//! bytecheck is for hostile bytes. Both always run.

use std::mem::size_of;
use std::num::NonZeroUsize;

use rkyv::api::high::to_bytes_in;
use rkyv::rancor;
use rkyv::validation::archive::ArchiveValidator;

use crate::failure::{Failure, Kind, Outcome};
use crate::semantic;
use crate::value::{ArchivedDocument, Document, MAX_DEPTH};

/// The bytes before the archive.
pub const HEADER: usize = 8;

/// The largest archive: pointers have 32 bits with sign, and half of that is left as a margin.
pub const MAX_ARCHIVE: usize = 1 << 30;

/// A dict is a box and its values, so it takes two subtrees; the document and a shape take some.
const MAX_SUBTREES: NonZeroUsize = NonZeroUsize::new(2 * MAX_DEPTH + 8).unwrap();

/// Return the body of a document.
pub fn seal(document: &Document<'_>, size_hint: usize) -> Outcome<Vec<u8>> {
    let mut body = Vec::new();
    body.try_reserve(HEADER + size_hint + size_hint / 2)
        .map_err(|_| Failure::out_of_memory())?;
    body.resize(HEADER, 0);
    let mut body = to_bytes_in::<_, rancor::BoxedError>(document, body)
        .map_err(|error| Failure::new(Kind::TooLarge, first_line(&error)))?;
    let size = body.len() - HEADER;
    if size > MAX_ARCHIVE {
        return Err(Failure::new(
            Kind::TooLarge,
            format!("an archive of {size} bytes, more than {MAX_ARCHIVE}"),
        ));
    }
    let checksum = crc32fast::hash(&body[HEADER..]);
    body[..4].copy_from_slice(&(size as u32).to_le_bytes());
    body[4..HEADER].copy_from_slice(&checksum.to_le_bytes());
    Ok(body)
}

/// Return the document of a body, after checking every byte that can be reached from it.
pub fn open(body: &[u8]) -> Outcome<&ArchivedDocument<'_>> {
    check(unwrap(body)?)
}

/// Return the archive of a body whose length and checksum are right.
pub fn unwrap(body: &[u8]) -> Outcome<&[u8]> {
    let Some((header, archive)) = body.split_first_chunk::<HEADER>() else {
        return Err(cut_short(HEADER, body.len()));
    };
    let [a, b, c, d, checksum @ ..] = *header;
    let size = u32::from_le_bytes([a, b, c, d]) as usize;
    if archive.len() < size {
        return Err(cut_short(HEADER + size, body.len()));
    }
    if archive.len() > size {
        return Err(Failure::corrupt(format!(
            "{} bytes follow the archive",
            archive.len() - size
        )));
    }
    if crc32fast::hash(archive) != u32::from_le_bytes(checksum) {
        return Err(Failure::corrupt("the checksum is wrong"));
    }
    Ok(archive)
}

/// Return the document of an archive: bytecheck with a limit of depth, then the format's own rules.
pub fn check(archive: &[u8]) -> Outcome<&ArchivedDocument<'_>> {
    if archive.len() < size_of::<ArchivedDocument>() || archive.len() > MAX_ARCHIVE {
        return Err(Failure::corrupt("the archive is too small or too large"));
    }
    let document = match access::<rancor::Failure>(archive) {
        Ok(document) => document,
        // Errors with text are made only for those who will read one. `rancor::Error` has none in
        // a release.
        Err(_) => {
            return Err(Failure::corrupt(
                match access::<rancor::BoxedError>(archive) {
                    Ok(_) => String::from("the archive could not be validated"),
                    Err(error) => first_line(&error),
                },
            ));
        }
    };
    semantic::check(document)?;
    Ok(document)
}

fn access<E: rancor::Source>(archive: &[u8]) -> Result<&ArchivedDocument<'_>, E> {
    let mut validator = ArchiveValidator::with_max_depth(archive, Some(MAX_SUBTREES));
    rkyv::api::access_with_context::<ArchivedDocument<'_>, _, E>(archive, &mut validator)
}

/// Without the trace, which has a line for every level of the document.
fn first_line(error: &rancor::BoxedError) -> String {
    let text = error.to_string();
    match text.lines().next() {
        // What rkyv says where its limit of depth is reached; the reason stands in the trace.
        Some(line) if line.contains("`Option` is `None`") => Failure::too_deep().message,
        line => String::from(line.unwrap_or_default()),
    }
}

fn cut_short(expected: usize, found: usize) -> Failure {
    Failure::new(
        Kind::Truncated,
        format!("the body has {found} of at least {expected} bytes"),
    )
}
