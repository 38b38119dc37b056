//! What a client must not send: the code, the beginning of the text, and that nothing is written.

mod injection;
mod rules;
mod sizes;
mod wire;
