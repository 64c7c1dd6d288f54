//! What can go wrong, told by whose fault it is.

use std::fmt;

/// The kinds of failure; the numbers are part of the C interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Kind {
    /// A path names nothing in this document.
    NotFound = 1,
    /// What was to be encoded is not in the transit format.
    BadInput = 2,
    /// The body is whole, but its archive is not one.
    Corrupt = 3,
    /// Containers stand deeper inside each other than [`crate::value::MAX_DEPTH`].
    TooDeep = 4,
    /// The archive would not fit into its 32-bit pointers.
    TooLarge = 5,
    /// The archive holds what a newer release wrote.
    Unsupported = 6,
    /// Memory ran out.
    OutOfMemory = 7,
    /// The body ends before its archive does.
    Truncated = 8,
}

/// A failure and its sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Whose fault it is.
    pub kind: Kind,
    /// What was found, for people.
    pub message: String,
}

impl Failure {
    /// Make a failure of a kind.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    pub(crate) fn input(message: impl Into<String>) -> Self {
        Self::new(Kind::BadInput, message)
    }

    pub(crate) fn corrupt(message: impl Into<String>) -> Self {
        Self::new(Kind::Corrupt, message)
    }

    pub(crate) fn too_deep() -> Self {
        Self::new(
            Kind::TooDeep,
            format!(
                "more than {} containers inside each other",
                crate::value::MAX_DEPTH
            ),
        )
    }

    pub(crate) fn out_of_memory() -> Self {
        Self::new(Kind::OutOfMemory, "no memory")
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.message)
    }
}

impl std::error::Error for Failure {}

/// The result of everything here.
pub type Outcome<T> = Result<T, Failure>;
