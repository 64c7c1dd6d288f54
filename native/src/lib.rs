//! Transcode values between MessagePack and checked rkyv archives.
//!
//! How this works. Python packs a value with a MessagePack encoder written in Rust, which walks
//! objects at native speed; [`transit`] parses that text into borrowed [`value::Value`]s, and
//! [`archive`] serializes them. The way back validates the archive ([`archive::open`]) and writes
//! MessagePack. Nothing is trusted and nothing is kept: every call takes bytes, checks them whole,
//! and gives bytes. Only [`ffi`] holds `unsafe`, to turn pointers into slices.

pub mod archive;
mod blob;
pub mod failure;
pub mod ffi;
mod member;
pub mod path;
mod semantic;
mod shape;
pub mod transit;
pub mod value;
