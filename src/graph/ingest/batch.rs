//! A batch of messages as one transaction.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::codec::{self, StoredMessage};
use super::{Message, Recordable, Recorded, Reply, apply_runs, missing_right};
use crate::error::{Error, Result};
use crate::graph::commit::engine::MAX_RACE_RETRIES;
use crate::graph::write::Write;
use crate::model::Origin;
use crate::storage::Tx;
use crate::storage::tables::messages;

pub(in crate::graph) struct Batch {
    messages: Vec<Message>,
    /// How often it was tried.
    tried: AtomicUsize,
}

/// What `PedigreeMessage` has of a message.
enum Known {
    Stored(StoredMessage),
    /// Its answer cannot be read, for this reason.
    Unreadable(String),
}

impl Known {
    fn reply(&self, message: &Message) -> Reply {
        match self {
            Self::Stored(stored) if stored.label != message.change.label() => Reply::Refused(
                Error::invalid("the id was used for a message of another kind"),
            ),
            Self::Stored(stored) if stored.digest.is_some_and(|it| it != message.digest) => {
                Reply::Refused(Error::invalid(
                    "the id was used for another message, which is stored; give this one an id of \
                     its own",
                ))
            }
            Self::Stored(stored) => Reply::Repeated(stored.answer.clone()),
            Self::Unreadable(reason) => Reply::Refused(Error::DataLoss(format!(
                "PedigreeMessage, id {}: its answer cannot be read: {reason}",
                message.id
            ))),
        }
    }
}

impl Write for Batch {
    type Answer = Vec<Reply>;

    async fn apply(&self, tx: &mut Tx, origin: &Origin) -> Result<Vec<Reply>> {
        let now = origin.time;
        for right in self
            .messages
            .iter()
            .filter_map(|it| it.missing_right.as_ref())
        {
            right.reset();
        }
        self.tried.fetch_add(1, Ordering::Relaxed);
        let valid = self
            .messages
            .iter()
            .filter(|message| message.check().is_ok());
        let mut by_id: HashMap<&str, &Message> = HashMap::new();
        let firsts = valid.filter(|message| by_id.insert(&message.id, message).is_none());
        let firsts: Vec<&Message> = firsts.collect();
        let ids = firsts.iter().map(|message| message.id.as_str()).collect();
        let mut known = known(tx, ids).await?;

        let is_new = |message: &&Message| !known.contains_key(message.id.as_str());
        let new: Vec<&Message> = firsts.into_iter().filter(is_new).collect();
        let ids: Vec<&str> = new.iter().map(|message| message.id.as_str()).collect();
        let claimed = messages::claim(tx, &ids, now).await;
        claimed.map_err(taken_meanwhile)?;
        let mut replies = HashMap::new();
        for (message, answer) in new.iter().zip(self.store(tx, &new, origin).await?) {
            let id = message.id.as_str();
            let reply = match answer {
                Ok(answer) => {
                    let stored = answer.clone();
                    let remembered = StoredMessage {
                        label: message.change.label().to_owned(),
                        digest: Some(message.digest),
                        answer,
                    };
                    known.insert(id, Known::Stored(remembered));
                    Reply::Stored(stored)
                }
                Err(error) => Reply::Refused(error),
            };
            replies.insert(id, reply);
        }
        remember(tx, &ids, &known, now).await?;
        let reply = |message: &Message| reply(message, &known, &mut replies);
        Ok(self.messages.iter().map(reply).collect())
    }
}

/// The reply to a message: to the first one with an id what became of it, to others that it is
/// known, or not.
fn reply(
    message: &Message,
    known: &HashMap<&str, Known>,
    replies: &mut HashMap<&str, Reply>,
) -> Reply {
    if let Err(error) = message.check() {
        return Reply::Refused(error);
    }
    let id = message.id.as_str();
    match (replies.remove(id), known.get(id)) {
        (Some(reply), _) => reply,
        (None, Some(known)) => known.reply(message),
        (None, None) => Reply::Refused(Error::Contention(
            "another message of this batch has the same id and was refused; send it again".into(),
        )),
    }
}

/// The error of an id that a concurrent write has claimed: the next attempt finds its message.
fn taken_meanwhile(error: Error) -> Error {
    match error {
        Error::AlreadyExists(_) => Error::Contention(
            "a message of this batch is being stored by another stream; send it again".into(),
        ),
        other => other,
    }
}

/// The answers to those of the messages that were stored before.
async fn known<'a>(tx: &mut Tx, ids: Vec<&'a str>) -> Result<HashMap<&'a str, Known>> {
    let mut known = HashMap::new();
    let texts = messages::answers(tx, &ids).await?;
    for id in ids {
        if let Some(text) = texts.get(id) {
            let decoded = codec::decode(text);
            let of_id =
                decoded.map_or_else(|error| Known::Unreadable(error.to_string()), Known::Stored);
            known.insert(id, of_id);
        }
    }
    Ok(known)
}

/// Keeps the answers of what was stored, and gives up the ids of what was not.
async fn remember(tx: &mut Tx, ids: &[&str], known: &HashMap<&str, Known>, now: i64) -> Result<()> {
    let mut stored = Vec::with_capacity(ids.len());
    let mut refused = Vec::new();
    for id in ids {
        match known.get(id) {
            Some(Known::Stored(message)) => stored.push((*id, codec::encode(message)?)),
            Some(Known::Unreadable(_)) | None => refused.push(*id),
        }
    }
    messages::insert(tx, &stored, now).await?;
    messages::release(tx, &refused).await
}

/// Whether an error is about a message, and not about the database or the transaction.
const fn is_refusal(error: &Error) -> bool {
    match error {
        Error::InvalidArgument(_)
        | Error::OutOfRange(_)
        | Error::NotFound(_)
        | Error::AlreadyExists(_)
        | Error::FailedPrecondition(_)
        | Error::Unauthenticated
        | Error::CredentialsEnded
        | Error::PermissionDenied(_)
        | Error::Misdirected(_)
        | Error::TooLarge(_)
        | Error::Unimplemented(_)
        | Error::DataLoss(_)
        | Error::Internal { .. } => true,
        Error::Raced(_)
        | Error::Contention(_)
        | Error::DeadlineExceeded(_)
        | Error::Exhausted(_)
        | Error::Limited { .. }
        | Error::NotReady
        | Error::IssuerUnavailable
        | Error::DatabaseRefused { .. }
        | Error::Unavailable(_)
        | Error::Uncertain(_) => false,
    }
}

impl Batch {
    pub(in crate::graph) const fn new(messages: Vec<Message>) -> Self {
        Self {
            messages,
            tried: AtomicUsize::new(0),
        }
    }

    /// Stores messages that are new.
    async fn store(
        &self,
        tx: &mut Tx,
        new: &[&Message],
        origin: &Origin,
    ) -> Result<Vec<Result<Recorded>>> {
        if self.messages.len() == 1 {
            // A refusal ends the transaction, and no other message is in it.
            return all_at_once(tx, new, origin).await;
        }
        tx.savepoint().await?;
        match all_at_once(tx, new, origin).await {
            Ok(stored) => {
                tx.release().await?;
                Ok(stored)
            }
            Err(error) if self.gives_up_on(&error) => {
                tx.rollback_to_savepoint().await?;
                self.one_by_one(tx, new, origin).await
            }
            Err(error) => Err(error),
        }
    }

    /// Whether running the transaction again would not help.
    fn gives_up_on(&self, error: &Error) -> bool {
        let raced = matches!(error, Error::Raced(_));
        is_refusal(error) || (raced && self.tried.load(Ordering::Relaxed) >= MAX_RACE_RETRIES)
    }

    async fn one_by_one(
        &self,
        tx: &mut Tx,
        new: &[&Message],
        origin: &Origin,
    ) -> Result<Vec<Result<Recorded>>> {
        let mut stored = Vec::with_capacity(new.len());
        for message in new {
            tx.savepoint().await?;
            match all_at_once(tx, &[*message], origin).await {
                Ok(answers) => {
                    tx.release().await?;
                    stored.extend(answers);
                }
                Err(error) if self.gives_up_on(&error) => {
                    tx.rollback_to_savepoint().await?;
                    stored.push(Err(error));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(stored)
    }
}

/// Stores all of the messages or fails. Events about runs that follow each other are stored
/// together.
async fn all_at_once(
    tx: &mut Tx,
    new: &[&Message],
    origin: &Origin,
) -> Result<Vec<Result<Recorded>>> {
    let mut stored = Vec::with_capacity(new.len());
    let are_runs = |a: &&Message, b: &&Message| is_of_runs(a) && is_of_runs(b);
    for together in new.chunk_by(are_runs) {
        if let Some(caller) = &together[0].caller {
            tx.set_caller(caller);
        }
        let (noted, type_changes) = (tx.noted_changes(), tx.type_changes());
        if together.iter().any(|message| is_of_runs(message)) {
            let changes: Vec<&Recordable> = together.iter().map(|it| &it.change).collect();
            let recorded = apply_runs(tx, &changes, origin).await?;
            stored.extend(recorded.into_iter().map(Ok));
        } else {
            for message in together {
                stored.push(Ok(message.change.apply(tx, origin).await?));
            }
        }
        if tx.type_changes() > type_changes {
            missing_right::check(together)?;
        }
        if tx.noted_changes() > noted {
            for caller in together.iter().filter_map(|it| it.caller.as_ref()) {
                tx.note_shared_write(caller);
            }
        }
    }
    Ok(stored)
}

fn is_of_runs(message: &Message) -> bool {
    message.change.events().is_some()
}
