//! Give equal lists of keys one number.

use std::collections::HashMap;

use crate::failure::{Failure, Outcome};
use crate::value::{Key, Shape, UNSORTED_KEYS};

const RECENT: usize = 64;

/// The shapes of a document, numbered by first use.
pub struct Shapes<'a> {
    lists: Vec<Box<[&'a str]>>,
    numbers: HashMap<Box<[&'a str]>, u32>,
    /// The last shape seen for a count of keys and two lengths: most dicts repeat it, and comparing
    /// is cheaper than hashing.
    recent: [u32; RECENT],
}

impl<'a> Shapes<'a> {
    /// Start with no shape.
    pub fn new() -> Self {
        Self {
            lists: Vec::new(),
            numbers: HashMap::new(),
            recent: [u32::MAX; RECENT],
        }
    }

    /// Return the number of a list of keys; a list with one key twice is refused.
    pub fn number(&mut self, keys: &[&'a str]) -> Outcome<u32> {
        let slot = slot(keys);
        let guess = self.recent[slot];
        if self
            .lists
            .get(guess as usize)
            .is_some_and(|list| **list == *keys)
        {
            return Ok(guess);
        }
        let number = match self.numbers.get(keys) {
            Some(&number) => number,
            None => self.add(keys)?,
        };
        self.recent[slot] = number;
        Ok(number)
    }

    /// Return the shapes as they are stored.
    pub fn finish(self) -> Vec<Shape<'a>> {
        self.lists.iter().map(|list| shape(list)).collect()
    }

    fn add(&mut self, keys: &[&'a str]) -> Outcome<u32> {
        let order = sorted(keys);
        if order
            .windows(2)
            .any(|pair| keys[pair[0] as usize] == keys[pair[1] as usize])
        {
            return Err(Failure::input("a dict has one key twice"));
        }
        let number =
            u32::try_from(self.lists.len()).map_err(|_| Failure::input("too many shapes"))?;
        self.lists.push(keys.into());
        self.numbers.insert(keys.into(), number);
        Ok(number)
    }
}

fn slot(keys: &[&str]) -> usize {
    let first = keys.first().map_or(0, |key| key.len());
    let last = keys.last().map_or(0, |key| key.len());
    (keys.len() ^ (first << 3) ^ (last << 1)) % RECENT
}

fn sorted(keys: &[&str]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..keys.len() as u32).collect();
    order.sort_unstable_by_key(|&place| keys[place as usize]);
    order
}

fn shape<'a>(list: &[&'a str]) -> Shape<'a> {
    Shape {
        keys: list.iter().map(|text| Key { text }).collect(),
        order: if list.len() > UNSORTED_KEYS {
            sorted(list)
        } else {
            Vec::new()
        },
    }
}
