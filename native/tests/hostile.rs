//! Hostile bytes: an error or a value that can be walked whole and written again, never more.

use sayiir_rkyv::failure::Outcome;
use sayiir_rkyv::{archive, transit};

const ROUNDS: usize = 200_000;

/// A small generator, so that a failing round can be repeated.
struct Chance(u64);

impl Chance {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % below as u64) as usize
    }
}

/// Return every golden archive, packed value beside it.
fn samples() -> Vec<(Vec<u8>, Vec<u8>)> {
    let bytes = |hex: &str| -> Vec<u8> {
        (0..hex.len())
            .step_by(2)
            .map(|place| u8::from_str_radix(&hex[place..place + 2], 16).unwrap())
            .collect()
    };
    include_str!("vectors.tsv")
        .lines()
        .map(|line| {
            let mut columns = line.split('\t').skip(1);
            let packed = bytes(columns.next().unwrap());
            (packed, bytes(columns.next().unwrap()).split_off(16))
        })
        .collect()
}

fn mutate(chance: &mut Chance, data: &mut Vec<u8>) {
    const WORDS: [u32; 8] = [
        0,
        1,
        9,
        255,
        0x7fff_ffff,
        0x8000_0000,
        0xffff_fff6,
        u32::MAX,
    ];
    for _ in 0..=chance.next(3) {
        let place = chance.next(data.len());
        match chance.next(5) {
            0 => data[place] ^= 1 << chance.next(8),
            1 => data[place] = chance.next(256) as u8,
            2 if place + 4 <= data.len() => {
                data[place..place + 4].copy_from_slice(&WORDS[chance.next(8)].to_le_bytes());
            }
            3 => {
                let from = chance.next(data.len());
                data[place] = data[from];
            }
            _ if data.len() > 1 => data.truncate(place.max(1)),
            _ => {}
        }
    }
}

/// Open, walk and write again what a mutated archive still holds; tell whether it was one.
fn survives(data: &[u8]) -> bool {
    let Ok(document) = archive::check(data) else {
        return false;
    };
    let packed = transit::decode(document, &[]).unwrap();
    let extracted: Outcome<Vec<u8>> = transit::extract(document, &[]);
    // A set may hold one member twice, or in another order, until Python builds it.
    if let (Ok(extracted), Ok(encoded)) = (extracted, transit::encode(&packed)) {
        archive::open(&extracted).unwrap();
        archive::open(&encoded).unwrap();
    }
    true
}

#[test]
fn mutated_archives_are_refused_or_whole() {
    let samples = samples();
    let mut chance = Chance(0x5eed);
    let mut whole = 0;

    for _ in 0..ROUNDS {
        let mut data = samples[chance.next(samples.len())].1.clone();
        mutate(&mut chance, &mut data);
        whole += usize::from(survives(&data));
    }

    assert!((ROUNDS / 20..ROUNDS).contains(&whole), "{whole} were whole");
}

#[test]
fn every_flipped_bit_is_refused_or_whole() {
    for (_, archive) in samples() {
        for bit in 0..archive.len() * 8 {
            let mut data = archive.clone();
            data[bit / 8] ^= 1 << (bit % 8);
            survives(&data);
        }
    }
}

#[test]
fn mutated_packed_values_are_refused_or_become_archives_that_open() {
    let samples = samples();
    let mut chance = Chance(0xbad);

    for _ in 0..ROUNDS {
        let mut packed = samples[chance.next(samples.len())].0.clone();
        mutate(&mut chance, &mut packed);
        if let Ok(body) = transit::encode(&packed) {
            archive::open(&body).unwrap();
        }
    }
}

#[test]
fn mutated_paths_lead_somewhere_or_nowhere() {
    let body = transit::encode(b"\x82\xa1a\x93\x01\x02\x81\xa1b\x05\xa1c\xc0").unwrap();
    let document = archive::open(&body).unwrap();
    let path = b"\x93\xa1a\x02\xa1b";
    let mut chance = Chance(7);

    let found = transit::decode(document, &transit::read_steps(path).unwrap());
    assert_eq!(Ok(vec![5]), found);
    for _ in 0..ROUNDS / 10 {
        let mut packed = path.to_vec();
        mutate(&mut chance, &mut packed);
        if let Ok(steps) = transit::read_steps(&packed) {
            let _ = transit::decode(document, &steps);
            let _ = transit::pluck(document, &steps[..1.min(steps.len())], &steps);
        }
    }
}

#[test]
fn a_packed_value_that_nests_too_deeply_is_refused() {
    for bomb in [vec![0x91; 100_000], b"\x81\xa1a".repeat(100_000)] {
        let failure = transit::encode(&bomb).unwrap_err();

        assert_eq!("TooDeep", format!("{:?}", failure.kind));
    }
}

#[test]
fn a_forged_count_reserves_nothing() {
    for bomb in [
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
    ] {
        let failure = transit::encode(bomb).unwrap_err();

        assert_eq!("BadInput: the packed value ends early", failure.to_string());
    }
}

#[test]
fn a_packed_dict_with_one_key_twice_is_refused() {
    let failure = transit::encode(b"\x82\xa1a\x01\xa1a\x02").unwrap_err();

    assert_eq!("BadInput: a dict has one key twice", failure.to_string());
}
