//! Any bytes as an archive: refused, or walked whole, packed, and written again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sayiir_rkyv::{archive, transit};

fuzz_target!(|data: &[u8]| {
    let Ok(document) = archive::check(data) else {
        return;
    };
    let packed = transit::decode(document, &[]).expect("what was checked can be packed");
    if let Ok(body) = transit::encode(&packed) {
        archive::open(&body).expect("what was written can be opened");
    }
    if let Ok(body) = transit::extract(document, &[]) {
        archive::open(&body).expect("what was taken out can be opened");
    }
});
