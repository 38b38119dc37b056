//! The entries `[[limit]]` of a security file.

use std::num::{NonZeroU32, NonZeroU64};

use bytesize::ByteSize;
use serde::Deserialize;

use crate::policy::{CallerLimits, SubjectPattern};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LimitEntry {
    pub(super) subjects: Vec<SubjectPattern>,
    requests: Option<LimitCount>,
    streams: Option<LimitCount>,
    requests_per_second: Option<LimitCount>,
    written_bytes_per_hour: Option<SizeText>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "i64")]
struct LimitCount(NonZeroU32);

impl TryFrom<i64> for LimitCount {
    type Error = &'static str;

    fn try_from(number: i64) -> Result<Self, Self::Error> {
        let count = u32::try_from(number).ok().and_then(NonZeroU32::new);
        count.map(Self).ok_or("a limit is at least 1")
    }
}

#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
struct SizeText(NonZeroU64);

impl TryFrom<String> for SizeText {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let size: Result<ByteSize, _> = text.parse();
        let bytes = size.ok().and_then(|size| NonZeroU64::new(size.as_u64()));
        bytes.map(Self).ok_or("a size is a text such as \"512MiB\"")
    }
}

impl LimitEntry {
    pub(super) fn limits(&self) -> CallerLimits {
        CallerLimits {
            requests: self.requests.map(|count| count.0),
            streams: self.streams.map(|count| count.0),
            requests_per_second: self.requests_per_second.map(|count| count.0),
            written_bytes_per_hour: self.written_bytes_per_hour.map(|size| size.0),
        }
    }
}
