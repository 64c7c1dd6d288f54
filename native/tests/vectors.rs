//! The golden vectors: what was once stored is written the same for ever, and read.

use sayiir_rkyv::{archive, transit};

const ENVELOPE: &[u8] = b"\xf5S\x01\x40rkyv";

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len())
        .step_by(2)
        .map(|place| u8::from_str_radix(&hex[place..place + 2], 16).unwrap())
        .collect()
}

/// Return expression, packed value and body of each line.
fn vectors() -> Vec<(&'static str, Vec<u8>, Vec<u8>)> {
    include_str!("vectors.tsv")
        .lines()
        .map(|line| {
            let [expression, packed, payload] = line.split('\t').collect::<Vec<_>>()[..] else {
                panic!("a line without three columns: {line}");
            };
            let body = bytes(payload).split_off(ENVELOPE.len());
            (expression, bytes(packed), body)
        })
        .collect()
}

#[test]
fn a_golden_value_is_written_as_it_ever_was() {
    for (expression, packed, body) in vectors() {
        assert_eq!(Ok(body), transit::encode(&packed), "{expression}");
    }
}

#[test]
fn a_golden_body_is_read_and_written_again_bit_for_bit() {
    for (expression, _, body) in vectors() {
        let document = archive::open(&body).unwrap();
        let packed = transit::decode(document, &[]).unwrap();

        assert_eq!(Ok(&body), transit::encode(&packed).as_ref(), "{expression}");
        assert_eq!(
            Ok(&body),
            transit::extract(document, &[]).as_ref(),
            "{expression}"
        );
    }
}

#[test]
fn a_golden_body_cut_anywhere_is_truncated() {
    for (expression, _, body) in vectors() {
        for size in 0..body.len() {
            let failure = archive::open(&body[..size]).err().unwrap();
            assert_eq!("Truncated", format!("{:?}", failure.kind), "{expression}");
        }
    }
}

#[test]
fn a_set_is_stored_alike_whatever_the_order_of_its_members() {
    let ascending = transit::encode(b"\xc7\x04\x09\x93\x01\x02\x03").unwrap();

    assert_eq!(
        Ok(ascending),
        transit::encode(b"\xc7\x04\x09\x93\x03\x01\x02")
    );
}
