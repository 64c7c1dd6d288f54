//! Bytes at a multiple of 16, so that arrays of numbers can be read in place.

use rkyv::boxed::{ArchivedBox, BoxResolver};
use rkyv::rancor::Fallible;
use rkyv::ser::{Writer, WriterExt as _};
use rkyv::with::{ArchiveWith, SerializeWith};
use rkyv::{Place, SerializeUnsized};

use crate::archive::HEADER;

/// The envelope before a body of this codec: 4 bytes, and its name.
const ENVELOPE: usize = 8;
const ALIGNED_FROM: usize = 64;
const ALIGNMENT: usize = 16;

/// Archive bytes as a box of their own, aligned from the start of the payload if they are long.
pub struct Blob;

impl ArchiveWith<&[u8]> for Blob {
    type Archived = ArchivedBox<[u8]>;
    type Resolver = BoxResolver;

    fn resolve_with(field: &&[u8], resolver: Self::Resolver, out: Place<Self::Archived>) {
        ArchivedBox::resolve_from_ref(*field, resolver, out);
    }
}

impl<S: Fallible + Writer + ?Sized> SerializeWith<&[u8], S> for Blob
where
    [u8]: SerializeUnsized<S, Archived = [u8]>,
{
    fn serialize_with(field: &&[u8], serializer: &mut S) -> Result<Self::Resolver, S::Error> {
        if field.len() >= ALIGNED_FROM {
            let place = serializer.pos() + ENVELOPE;
            serializer.pad(place.next_multiple_of(ALIGNMENT) - place)?;
        }
        ArchivedBox::serialize_from_ref(*field, serializer)
    }
}

// The writer starts with the header of the body, so its positions count from the envelope's end.
const _: () = assert!((ENVELOPE + HEADER).is_multiple_of(ALIGNMENT));
