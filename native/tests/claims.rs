//! What the format and the readers in Python count on, asked of the real rkyv.
//!
//! Each test is a claim about rkyv 0.8 with the features of this crate. An upgrade that breaks one
//! breaks stored payloads.

use std::mem::{align_of, size_of};

use rkyv::Archived;
use rkyv::api::high::to_bytes_in;
use rkyv::boxed::ArchivedBox;
use rkyv::rancor::Error;
use rkyv::validation::archive::ArchiveValidator;
use rkyv::vec::ArchivedVec;
use sayiir_rkyv::archive;
use sayiir_rkyv::value::{
    ArchivedDocument, ArchivedValue, Document, Extension, Record, Shape, Value,
};

fn document(root: Value<'_>) -> Document<'_> {
    Document {
        shapes: Vec::new(),
        root,
    }
}

fn archived(root: Value<'_>) -> Vec<u8> {
    to_bytes_in::<_, Error>(&document(root), Vec::new()).unwrap()
}

/// Return the bytes of the root's slot, the last of the archive.
fn root_slot(bytes: &[u8]) -> &[u8] {
    &bytes[bytes.len() - size_of::<ArchivedValue>()..]
}

fn i32_at(bytes: &[u8], place: usize) -> i32 {
    i32::from_le_bytes(bytes[place..place + 4].try_into().unwrap())
}

fn nested(depth: usize) -> Value<'static> {
    (0..depth).fold(Value::Null, |inner, _| Value::List(vec![inner]))
}

fn nested_map(depth: usize) -> Value<'static> {
    (0..depth).fold(Value::Null, |inner, _| {
        Value::Map(Box::new(Record {
            shape: 0,
            values: vec![inner],
        }))
    })
}

#[test]
fn numbers_pointers_and_containers_have_alignment_one() {
    assert_eq!(
        (2, 1),
        (size_of::<Archived<u16>>(), align_of::<Archived<u16>>())
    );
    assert_eq!(
        (4, 1),
        (size_of::<Archived<u32>>(), align_of::<Archived<u32>>())
    );
    assert_eq!(
        (8, 1),
        (size_of::<Archived<i64>>(), align_of::<Archived<i64>>())
    );
    assert_eq!(
        (8, 1),
        (size_of::<Archived<f64>>(), align_of::<Archived<f64>>())
    );
    assert_eq!(
        (4, 1),
        (size_of::<Archived<usize>>(), align_of::<Archived<usize>>())
    );
    assert_eq!(
        (8, 1),
        (
            size_of::<ArchivedBox<str>>(),
            align_of::<ArchivedBox<str>>()
        )
    );
    assert_eq!(
        (4, 1),
        (
            size_of::<ArchivedBox<u64>>(),
            align_of::<ArchivedBox<u64>>()
        )
    );
    assert_eq!(
        (8, 1),
        (
            size_of::<ArchivedVec<u64>>(),
            align_of::<ArchivedVec<u64>>()
        )
    );
}

#[test]
fn the_root_stands_in_the_last_bytes_and_its_tag_is_the_first_of_its_slot() {
    let tags = [
        (Value::Null, 0),
        (Value::Bool(true), 1),
        (Value::Int(1), 2),
        (Value::UInt(1), 3),
        (Value::Float(1.0), 4),
        (Value::Str(""), 5),
        (Value::Bytes(b""), 6),
        (Value::List(vec![]), 7),
        (nested_map(1), 8),
        (Value::Ext(Box::new(Extension { code: 3, data: b"" })), 9),
        (Value::Tuple(vec![]), 10),
        (Value::Set(vec![]), 11),
        (Value::FrozenSet(vec![]), 12),
        (Value::Pairs(vec![]), 13),
        (Value::BigInt(b"1"), 14),
    ];

    for (value, tag) in tags {
        assert_eq!(tag, root_slot(&archived(value))[0]);
    }
}

#[test]
fn a_number_fills_the_eight_bytes_behind_the_tag_little_endian() {
    let bytes = archived(Value::Int(-2));
    assert_eq!(&(-2_i64).to_le_bytes(), &root_slot(&bytes)[1..]);

    let bytes = archived(Value::Float(1.5));
    assert_eq!(&1.5_f64.to_le_bytes(), &root_slot(&bytes)[1..]);
}

#[test]
fn bytes_behind_a_short_variant_are_zero() {
    assert_eq!([0; 9], root_slot(&archived(Value::Null)));
    assert_eq!(
        [1, 1, 0, 0, 0, 0, 0, 0, 0],
        root_slot(&archived(Value::Bool(true)))
    );
}

#[test]
fn a_pointer_is_relative_to_its_own_field_and_its_length_follows() {
    let bytes = archived(Value::Str("héllo"));
    let field = bytes.len() - 8;
    let target = field as i64 + i64::from(i32_at(&bytes, field));

    assert_eq!(6, i32_at(&bytes, field + 4));
    assert_eq!(
        "héllo".as_bytes(),
        &bytes[target as usize..target as usize + 6]
    );
}

#[test]
fn a_short_text_is_never_stored_inside_its_pointer() {
    let bytes = archived(Value::Str("ab"));

    assert_eq!(b"ab", &bytes[..2]);
}

#[test]
fn the_items_of_a_list_are_slots_side_by_side() {
    let bytes = archived(Value::List(vec![
        Value::Int(1),
        Value::Bool(true),
        Value::Null,
    ]));
    let field = bytes.len() - 8;
    let target = (field as i64 + i64::from(i32_at(&bytes, field))) as usize;

    assert_eq!(3, i32_at(&bytes, field + 4));
    assert_eq!([2, 1, 0], [bytes[target], bytes[target + 9], 0]);
    assert_eq!((1, 0), (bytes[target + 9], bytes[target + 18]));
}

#[test]
fn a_record_is_a_box_of_its_shape_and_its_values() {
    let bytes = archived(nested_map(1));
    let field = bytes.len() - 8;
    let record = (field as i64 + i64::from(i32_at(&bytes, field))) as usize;
    let values = (record as i64 + 4 + i64::from(i32_at(&bytes, record + 4))) as usize;

    assert_eq!((0, 1), (i32_at(&bytes, record), i32_at(&bytes, record + 8)));
    assert_eq!(0, bytes[values]);
}

#[test]
fn equal_values_have_equal_bytes() {
    let value = || Value::List(vec![Value::Str("a"), Value::Null, Value::Bool(false)]);

    assert_eq!(archived(value()), archived(value()));
}

#[test]
fn an_archive_can_be_read_at_every_address() {
    let bytes = archived(Value::List(vec![Value::Str("text"), Value::Int(7)]));

    for phase in 0..16 {
        let mut moved = vec![0; phase];
        moved.extend_from_slice(&bytes);
        let document = archive::check(&moved[phase..]).unwrap();
        assert!(matches!(&document.root, ArchivedValue::List(items) if items.len() == 2));
    }
}

#[test]
fn a_long_blob_stands_at_a_multiple_of_sixteen_of_the_payload() {
    for before in 0..20 {
        let filler = "x".repeat(before);
        let blob = [7; 64];
        let list = Value::List(vec![Value::Str(&filler), Value::Bytes(&blob)]);
        let body = archive::seal(&document(list), 0).unwrap();

        let place = body.windows(64).position(|window| window == blob).unwrap();

        assert_eq!(0, (8 + place) % 16);
    }
}

#[test]
fn parts_must_stand_before_their_owner_in_order_and_apart() {
    let list = Value::List(vec![Value::Str("abcd"), Value::Str("efgh")]);
    let bytes = archived(list);
    let texts = [i32_at(&bytes, 8 + 1), i32_at(&bytes, 8 + 10)];
    assert_eq!(
        [-9, -14],
        texts,
        "the list begins behind its eight bytes of text"
    );
    let with = |place: usize, offset: i32| {
        let mut moved = bytes.clone();
        moved[place..place + 4].copy_from_slice(&offset.to_le_bytes());
        archive::check(&moved)
            .map(|_| ())
            .map_err(|failure| failure.message)
    };

    assert_eq!(Ok(()), with(8 + 10, -14));
    // The second text over the first, the first behind the second, into the list, behind the end.
    assert!(
        with(8 + 10, -18)
            .unwrap_err()
            .contains("subtree pointer overran range")
    );
    assert!(
        with(8 + 1, -5)
            .unwrap_err()
            .contains("subtree pointer overran range")
    );
    assert!(
        with(8 + 1, 0)
            .unwrap_err()
            .contains("subtree pointer overran range")
    );
    assert!(
        with(8 + 1, 1_000_000)
            .unwrap_err()
            .contains("subtree pointer overran range")
    );
    assert!(
        with(8 + 1, i32::MIN)
            .unwrap_err()
            .contains("subtree pointer overran range")
    );
}

#[test]
fn a_list_takes_one_level_of_validation_and_a_dict_two() {
    let passes = |value: Value<'_>, levels: usize| {
        let shapes = vec![Shape {
            keys: vec![],
            order: vec![],
        }];
        let document = Document {
            shapes,
            root: value,
        };
        let bytes = to_bytes_in::<_, Error>(&document, Vec::new()).unwrap();
        let mut validator = ArchiveValidator::with_max_depth(&bytes, levels.try_into().ok());
        rkyv::api::access_with_context::<ArchivedDocument<'_>, _, Error>(&bytes, &mut validator)
            .is_ok()
    };
    let least = |make: fn(usize) -> Value<'static>, depth| {
        (1..).find(|&levels| passes(make(depth), levels)).unwrap()
    };

    assert_eq!(10, least(nested, 20) - least(nested, 10));
    assert_eq!(20, least(nested_map, 20) - least(nested_map, 10));
}

#[test]
fn without_a_limit_nesting_would_exhaust_the_stack_and_with_it_is_an_error() {
    let depth = 200_000;
    let mut bytes = Vec::new();
    // A null slot, then lists of one item, each slot right behind what it points to.
    bytes.extend_from_slice(&[0; 9]);
    for _ in 0..depth {
        bytes.push(7);
        bytes.extend_from_slice(&(-10_i32).to_le_bytes());
        bytes.extend_from_slice(&1_u32.to_le_bytes());
    }
    let root = bytes.split_off(bytes.len() - 9);
    // No shapes, which stand before everything else all the same.
    let start = -(bytes.len() as i32);
    bytes.extend_from_slice(&start.to_le_bytes());
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(&root);
    let moved = bytes.len() - 8;
    bytes[moved..moved + 4].copy_from_slice(&(-18_i32).to_le_bytes());

    let failure = archive::check(&bytes).err().unwrap();

    assert_eq!(
        "Corrupt: more than 254 containers inside each other",
        failure.to_string()
    );
}

#[test]
fn the_deepest_document_is_written_and_checked_on_a_small_stack() {
    let run = || {
        for make in [nested, nested_map] {
            let shapes = vec![Shape {
                keys: vec![sayiir_rkyv::value::Key { text: "a" }],
                order: vec![],
            }];
            let document = Document {
                shapes,
                root: make(254),
            };
            let body = archive::seal(&document, 0).unwrap();
            archive::open(&body).unwrap();
        }
    };

    std::thread::Builder::new()
        .stack_size(256 * 1024)
        .spawn(run)
        .unwrap()
        .join()
        .unwrap();
}
