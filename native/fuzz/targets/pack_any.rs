//! Any bytes as a packed value and as a path: refused, or an archive that opens and stays itself.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sayiir_rkyv::{archive, transit};

fuzz_target!(|data: &[u8]| {
    if let Ok(body) = transit::encode(data) {
        let document = archive::open(&body).expect("what was written can be opened");
        let packed = transit::decode(document, &[]).expect("what was checked can be packed");
        let again = transit::encode(&packed).expect("what was packed can be written");
        assert_eq!(body, again);
    }
    if let Ok(steps) = transit::read_steps(data) {
        let body = transit::encode(b"\x82\xa1a\x93\x01\x02\x81\xa1b\x05\xa1c\xc0").unwrap();
        let document = archive::open(&body).unwrap();
        let _ = transit::decode(document, &steps);
        let _ = transit::pluck(document, &steps[..steps.len().min(1)], &steps);
    }
});
