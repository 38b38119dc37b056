/// A value in the database, with its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored<T> {
    pub id: i64,
    pub value: T,
}
