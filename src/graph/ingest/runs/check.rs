//! Checks of a run event that need no database.

use super::facets::FACETS;
use super::state::{ENDED_AT, LIFECYCLE, STARTED_AT};
use super::{ArtifactIdentity, ArtifactRef, ContextRef, Facet, RunEvent, TypeName};
use crate::error::{Error, Result};
use crate::graph::names::MAX_NAME_CHARACTERS;
use crate::model::{EventType, Properties, Value};

/// The custom property with the digest of an artifact's bytes.
pub(super) const DIGEST: &str = "digest";

/// The earliest plausible time of an event, in milliseconds since epoch: the year 2000. The present
/// in seconds is far below it.
const EARLIEST_EVENT_MILLISECONDS: i64 = 946_684_800_000;

/// How far an event may be ahead of the clock of the server, in milliseconds: a day, which is more
/// than an error of the time zone. The present in microseconds is far beyond it.
const MAX_AHEAD_MILLISECONDS: i64 = 86_400_000;

/// Refuses an event that is malformed. `now` is the time of the server, in milliseconds since
/// epoch.
///
/// # Errors
///
/// `InvalidArgument` with the field that is wrong.
pub(super) fn event(given: &RunEvent, now: i64) -> Result<()> {
    if given.event_type.is_none() {
        return Err(Error::invalid("The event type of the run event is missing"));
    }
    if given.type_policy.is_none() {
        return Err(Error::invalid(
            "The type policy of the run event is unknown",
        ));
    }
    if let Some(time) = given.time {
        event_time(time.milliseconds, now)?;
    }
    given.all_contexts().try_for_each(context)?;
    if !given.has_run() {
        let is_bare = given.inputs.is_empty() && given.outputs.is_empty();
        let refused = || Error::invalid("An event without a run has inputs or outputs");
        return is_bare.then_some(()).ok_or_else(refused);
    }
    type_name("run", &given.run_type)?;
    if given.name.is_none() && given.external_id.is_none() {
        return Err(Error::invalid(
            "The run has neither a name nor an external id",
        ));
    }
    for text in [&given.name, &given.external_id].into_iter().flatten() {
        length("run", text)?;
    }
    let kept = [STARTED_AT, ENDED_AT, LIFECYCLE, FACETS];
    properties("run", &given.properties, &given.custom_properties, &kept)?;
    facets("run", &given.facets)?;
    let input = |used| artifact(used, EventType::is_input, "an input");
    given.inputs.iter().try_for_each(input)?;
    let output = |made| artifact(made, EventType::is_output, "an output");
    given.outputs.iter().try_for_each(output)
}

/// A time, in milliseconds since epoch, that is beyond the bounds would decide the state of its run
/// for ever.
fn event_time(time: i64, now: i64) -> Result<()> {
    let latest = now.saturating_add(MAX_AHEAD_MILLISECONDS);
    let is_plausible = |time: i64| (EARLIEST_EVENT_MILLISECONDS..=latest).contains(&time);
    if is_plausible(time) {
        return Ok(());
    }
    let units = [
        ("seconds", time.saturating_mul(1000)),
        ("microseconds", time / 1000),
        ("nanoseconds", time / 1_000_000),
    ];
    let meant = units.into_iter().find(|(_, time)| is_plausible(*time));
    let hint = meant.map_or_else(String::new, |(unit, _)| {
        format!("; it seems to be in {unit}")
    });
    Err(Error::invalid(format!(
        "The event time {time} is not plausible: it must be in milliseconds since the Unix epoch, \
         between {EARLIEST_EVENT_MILLISECONDS} (the year 2000) and {latest} (a day ahead of the \
         clock of the server){hint}"
    )))
}

fn context(given: &ContextRef) -> Result<()> {
    type_name("context", &given.context_type)?;
    present("context", "name", &given.name)?;
    length("context", &given.name)?;
    let kept = [FACETS];
    properties(
        "context",
        &given.properties,
        &given.custom_properties,
        &kept,
    )?;
    facets("context", &given.facets)?;
    let named = given.parents.iter().chain(&given.other_names);
    named.into_iter().try_for_each(context)
}

fn artifact(given: &ArtifactRef, fits: fn(EventType) -> bool, what: &str) -> Result<()> {
    let Some(identity) = &given.identity else {
        return Err(Error::invalid(
            "An artifact has no id, external id, name or content",
        ));
    };
    match identity {
        ArtifactIdentity::Id(_) => {}
        ArtifactIdentity::ExternalId(text) => {
            present("artifact", "external id", text)?;
            length("artifact", text)?;
        }
        ArtifactIdentity::Name(text) => {
            present("artifact", "name", text)?;
            length("artifact", text)?;
        }
        ArtifactIdentity::Content { uri, digest } => {
            present("artifact", "URI", uri)?;
            present("artifact", "digest", digest)?;
            if given.uri.as_ref().is_some_and(|other| other != uri)
                || given.digest.as_ref().is_some_and(|other| other != digest)
            {
                return Err(Error::invalid(
                    "The URI or the digest of an artifact is not that of its content",
                ));
            }
        }
    }
    let by_id = matches!(identity, ArtifactIdentity::Id(_));
    if !by_id || given.artifact_type != TypeName::default() {
        type_name("artifact", &given.artifact_type)?;
    }
    if given.digest.as_deref() == Some("") {
        return present("artifact", "digest", "");
    }
    if let Some(event_type) = given.event_type.filter(|event_type| !fits(*event_type)) {
        let number = event_type.number();
        return Err(Error::invalid(format!(
            "The event type {number} is not that of {what}"
        )));
    }
    properties(
        "artifact",
        &given.properties,
        &given.custom_properties,
        &[DIGEST, FACETS],
    )?;
    facets("artifact", &given.facets)
}

fn type_name(of: &str, given: &TypeName) -> Result<()> {
    present(of, "type", &given.name)?;
    length(of, &given.name)?;
    given
        .version
        .iter()
        .try_for_each(|version| length(of, version))
}

fn present(of: &str, field: &str, text: &str) -> Result<()> {
    if text.is_empty() {
        return Err(Error::invalid(format!(
            "The {field} of the {of} is missing"
        )));
    }
    Ok(())
}

fn length(of: &str, text: &str) -> Result<()> {
    if text.chars().nth(MAX_NAME_CHARACTERS).is_some() {
        let start: String = text.chars().take(32).collect();
        return Err(Error::invalid(format!(
            "A name or id of the {of} has more than {MAX_NAME_CHARACTERS} characters: {start}..."
        )));
    }
    Ok(())
}

fn facets(of: &str, given: &[Facet]) -> Result<()> {
    for facet in given {
        present(of, "key of a facet", &facet.key)?;
        properties(of, &Properties::new(), &facet.properties, &[FACETS])?;
    }
    Ok(())
}

/// Custom properties of some names are not the client's to give.
fn properties(of: &str, declared: &Properties, custom: &Properties, kept: &[&str]) -> Result<()> {
    for (name, value) in declared.iter().chain(custom) {
        length(of, name)?;
        if *value == Value::Empty {
            return Err(Error::invalid(format!(
                "The property {name} of the {of} has no value"
            )));
        }
    }
    match kept.iter().find(|name| custom.contains_key(**name)) {
        Some(name) => Err(Error::invalid(format!(
            "The custom property {name} of the {of} is set by the server and cannot be given"
        ))),
        None => Ok(()),
    }
}
