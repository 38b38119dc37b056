//! Names for runs that have none: an adjective, an animal and a number.

use uuid::Uuid;

const ADJECTIVES: [&str; 32] = [
    "able", "amber", "brave", "bright", "calm", "clean", "clever", "crisp", "curious", "eager",
    "fair", "fast", "fine", "fresh", "gentle", "glad", "golden", "grand", "happy", "honest",
    "keen", "kind", "lively", "lucky", "merry", "neat", "proud", "quick", "quiet", "silver",
    "smart", "swift",
];

const ANIMALS: [&str; 32] = [
    "ant", "badger", "bear", "bee", "crane", "crow", "deer", "dove", "eagle", "elk", "finch",
    "fox", "frog", "goat", "hare", "hawk", "heron", "horse", "lark", "lynx", "mole", "moose",
    "otter", "owl", "panda", "robin", "seal", "shrew", "stork", "swan", "toad", "wolf",
];

/// The numbers behind names are less than this.
const NUMBER_RANGE: u32 = 1000;

/// An id of a run, and a name for it.
pub(super) fn new_id_and_name() -> (String, String) {
    let id = Uuid::new_v4();
    let [first, second, number @ ..] = Uuid::new_v4().into_bytes();
    let pick = |of: &[&'static str; 32], byte: u8| of[usize::from(byte % 32)];
    let number = u32::from_be_bytes([number[0], number[1], number[2], number[3]]) % NUMBER_RANGE;
    let (adjective, animal) = (pick(&ADJECTIVES, first), pick(&ANIMALS, second));
    (
        id.simple().to_string(),
        format!("{adjective}-{animal}-{number}"),
    )
}
