//! The canonical URI of data: one text for one place, whichever notation a client uses.
//!
//! The rules are those of the naming of `OpenLineage`'s datasets, with one notation chosen where
//! producers use several:
//!
//! * Stores of files have several schemes for one thing, such as `s3` and `s3a`. Scheme and host
//!   are in lower case, a default port is left out.
//! * The key of an object begins without a slash, and ends without one. Doubled slashes are part of
//!   a key. In a path of a file system, they and `.` mean nothing.
//! * Nothing is decoded or encoded: `a b` and `a%20b` are two keys.
//! * Every other text is opaque.

use std::borrow::Cow;

/// A scheme of a store of files.
struct Scheme {
    name: &'static str,
    canonical: &'static str,
    default_port: Option<&'static str>,
    /// Whether its paths are those of a file system, and not keys of objects.
    has_paths: bool,
}

const fn objects(name: &'static str, canonical: &'static str) -> Scheme {
    Scheme {
        name,
        canonical,
        default_port: None,
        has_paths: false,
    }
}

const fn paths(name: &'static str, default_port: Option<&'static str>) -> Scheme {
    Scheme {
        name,
        canonical: name,
        default_port,
        has_paths: true,
    }
}

const SCHEMES: [Scheme; 14] = [
    objects("s3", "s3"),
    objects("s3a", "s3"),
    objects("s3n", "s3"),
    objects("gs", "gs"),
    objects("gcs", "gs"),
    objects("abfs", "abfss"),
    objects("abfss", "abfss"),
    objects("wasb", "wasbs"),
    objects("wasbs", "wasbs"),
    objects("oss", "oss"),
    objects("minio", "minio"),
    paths("file", None),
    paths("hdfs", Some("8020")),
    paths("dbfs", None),
];

/// The canonical form of a URI.
#[must_use]
pub fn canonical_uri(uri: &str) -> Cow<'_, str> {
    let Some((name, rest)) = uri.split_once(':') else {
        return Cow::Borrowed(uri);
    };
    let is_named = |scheme: &&Scheme| scheme.name.eq_ignore_ascii_case(name);
    let Some(scheme) = SCHEMES.iter().find(is_named) else {
        return Cow::Borrowed(uri);
    };
    let (host, path) = match rest.strip_prefix("//") {
        Some(rest) => rest.find('/').map_or((rest, ""), |end| rest.split_at(end)),
        None => ("", rest),
    };
    let mut canonical = format!("{}://", scheme.canonical);
    canonical.push_str(&canonical_host(host, scheme));
    let path = path.trim_start_matches('/');
    if scheme.has_paths {
        let segments = path.split('/').filter(|it| !matches!(*it, "" | "."));
        for segment in segments {
            canonical.push('/');
            canonical.push_str(segment);
        }
    } else if !path.is_empty() {
        canonical.push('/');
        canonical.push_str(without_trailing_slash(path));
    }
    Cow::Owned(canonical)
}

/// The canonical URI of a dataset that a namespace and a name in it identify.
#[must_use]
pub fn dataset_uri(namespace: &str, name: &str) -> String {
    if is_file_store(namespace) {
        // A namespace of files may be the scheme alone.
        let colon = if namespace.contains(':') { "" } else { ":" };
        let slash = if namespace.ends_with('/') { "" } else { "/" };
        let joined = format!("{namespace}{colon}{slash}{}", name.trim_start_matches('/'));
        canonical_uri(&joined).into_owned()
    } else if namespace.contains("://") {
        format!("{namespace}/{name}")
    } else {
        format!("{namespace}:{name}")
    }
}

/// A namespace and a name that identify the same dataset as these, and are the same for all
/// notations.
#[must_use]
pub fn canonical_pair(namespace: &str, name: &str) -> (String, String) {
    let uri = dataset_uri(namespace, name);
    let split = (is_file_store(&uri) && canonical_uri(&uri) == uri).then(|| split_uri(&uri));
    split
        .flatten()
        .unwrap_or_else(|| (namespace.to_owned(), name.to_owned()))
}

fn is_file_store(uri: &str) -> bool {
    let scheme = uri.split(':').next().unwrap_or_default();
    let is_named = |known: &Scheme| known.name.eq_ignore_ascii_case(scheme);
    SCHEMES.iter().any(is_named)
}

/// The namespace and the name in it of the dataset at a URI: [`dataset_uri`] makes the canonical
/// form of the URI of them. `None` for a text that is no URI.
#[must_use]
pub fn split_uri(uri: &str) -> Option<(String, String)> {
    let uri = canonical_uri(uri);
    let (scheme, rest) = uri
        .split_once(':')
        .filter(|(scheme, _)| !scheme.is_empty())?;
    let of = |namespace: &str, name: &str| {
        let is_pair = !namespace.is_empty() && !name.is_empty();
        is_pair.then(|| (namespace.to_owned(), name.to_owned()))
    };
    if let Some(known) = SCHEMES.iter().find(|known| known.name == scheme) {
        // The canonical form has the slashes.
        let rest = rest.trim_start_matches("//");
        let (host, key) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
        // A path begins with a slash, and a bucket as a whole is one.
        let keeps_slash = known.has_paths || key == "/";
        let name = if keeps_slash { key } else { &key[1..] };
        let namespace = match (host, known.default_port) {
            ("", _) => scheme.to_owned(),
            // The names of Hadoop's files have the port.
            (host, Some(port)) if !host.contains(':') => format!("{scheme}://{host}:{port}"),
            _ => format!("{scheme}://{host}"),
        };
        return of(&namespace, name);
    }
    let after_scheme = scheme.len() + "://".len();
    let cut = match uri.get(after_scheme..).filter(|_| rest.starts_with("//")) {
        // A database in a file, whose path may have any number of parts.
        Some(path) if path.starts_with('/') => path.rfind('/'),
        Some(place) => place.find('/'),
        None if scheme == "arn" && !uri.contains("://") => {
            let (namespace, name) = uri.rsplit_once(':')?;
            return of(namespace, name);
        }
        None => None,
    };
    let cut = cut.map(|at| after_scheme + at);
    let parts = cut.and_then(|at| of(&uri[..at], &uri[at + 1..]));
    parts.or_else(|| of(scheme, rest))
}

/// The usual notations of a canonical URI, itself among them: with each scheme that means the same,
/// with the default port, and with a slash at the end.
#[must_use]
pub fn uri_notations(uri: &str) -> Vec<String> {
    let Some((scheme, rest)) = uri.split_once("://") else {
        return vec![uri.to_owned()];
    };
    let mut notations = Vec::new();
    for same in SCHEMES.iter().filter(|known| known.canonical == scheme) {
        let mut rests = vec![rest.to_owned()];
        let (host, path) = rest.find('/').map_or((rest, ""), |end| rest.split_at(end));
        if let Some(port) = same.default_port
            && !host.contains(':')
        {
            rests.push(format!("{host}:{port}{path}"));
        }
        for rest in rests {
            let notation = format!("{}://{rest}", same.name);
            notations.push(format!("{notation}/"));
            notations.push(notation);
            if host.is_empty() {
                notations.push(format!("{}:{rest}", same.name));
            }
        }
    }
    if notations.is_empty() {
        notations.push(uri.to_owned());
    }
    notations
}

/// The host, in lower case and without the default port. What comes before an `@`, as the container
/// of Azure's stores, is kept as it is.
fn canonical_host<'h>(host: &'h str, scheme: &Scheme) -> String {
    let (user, mut host) = host
        .rfind('@')
        .map_or(("", host), |at| host.split_at(at + 1));
    let port = scheme.default_port.unwrap_or_default();
    // A malformed host may have several.
    let without_port = |host: &'h str| host.strip_suffix(port)?.strip_suffix(':');
    while let Some(rest) = without_port(host) {
        host = rest;
    }
    format!("{user}{}", host.to_ascii_lowercase())
}

/// The path without one slash at its end. Two of them are part of a key.
fn without_trailing_slash(path: &str) -> &str {
    match path.strip_suffix('/') {
        Some(rest) if !rest.ends_with('/') => rest,
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pairs_name_the_same_dataset() {
        for (given, expected) in [
            (("s3a://Bucket", "/a/b/"), ("s3://bucket", "a/b")),
            (("file", "/data/./x"), ("file", "/data/x")),
            (("file:/data", "shop.t"), ("file", "/data/shop.t")),
            (("file://HOST", "/a"), ("file://host", "/a")),
            (("hdfs://nn", "/a"), ("hdfs://nn:8020", "/a")),
            (
                ("postgres://DB:5432", "d.s.T"),
                ("postgres://DB:5432", "d.s.T"),
            ),
            (("duckdb:///p/x.db", "s.t"), ("duckdb:///p/x.db", "s.t")),
            (
                ("arn:aws:glue:eu:1", "table/d/t"),
                ("arn:aws:glue:eu:1", "table/d/t"),
            ),
            (("bigquery", "p.d.t"), ("bigquery", "p.d.t")),
        ] {
            let (namespace, name) = canonical_pair(given.0, given.1);
            assert_eq!((namespace.as_str(), name.as_str()), expected);
            assert_eq!(
                dataset_uri(&namespace, &name),
                dataset_uri(given.0, given.1)
            );
        }
    }

    #[test]
    fn notations_of_one_place_have_one_uri() {
        for (namespace, name, uri) in [
            ("s3://bucket", "data/images", "s3://bucket/data/images"),
            ("s3://bucket", "/data/images", "s3://bucket/data/images"),
            ("s3://bucket", "data/images/", "s3://bucket/data/images"),
            ("s3a://Bucket", "data/images", "s3://bucket/data/images"),
            ("s3://bucket::", "data/images", "s3://bucket/data/images"),
            ("gcs://b", "K//x", "gs://b/K//x"),
            ("file", "/data/x", "file:///data/x"),
            ("file", "/data/./x/", "file:///data/x"),
            ("file://HOST1", "/data/x", "file://host1/data/x"),
            (
                "file:/data/warehouse",
                "shop.items",
                "file:///data/warehouse/shop.items",
            ),
            ("hdfs://nn:8020", "/a//b", "hdfs://nn/a/b"),
            ("hdfs://nn:9000", "/a", "hdfs://nn:9000/a"),
            ("abfs://Data@Acc.dfs", "a", "abfss://Data@acc.dfs/a"),
            ("postgres://DB:5432", "d.s.T", "postgres://DB:5432/d.s.T"),
            ("bigquery", "p.d.t", "bigquery:p.d.t"),
            (
                "arn:aws:glue:eu:1",
                "table/d/t",
                "arn:aws:glue:eu:1:table/d/t",
            ),
        ] {
            assert_eq!(dataset_uri(namespace, name), uri);
            assert_eq!(canonical_uri(uri), uri);
        }
        for (given, canonical) in [
            ("S3A://bucket/data/images/", "s3://bucket/data/images"),
            ("file:/data/x", "file:///data/x"),
            ("mlflow-artifacts:/1/2", "mlflow-artifacts:/1/2"),
            ("no uri", "no uri"),
            ("", ""),
            ("s3:", "s3://"),
            ("s3://b//", "s3://b"),
        ] {
            assert_eq!(canonical_uri(given), canonical);
        }
    }

    #[test]
    fn a_dataset_has_the_names_of_its_store() {
        for (uri, namespace, name) in [
            ("s3a://bucket/data/images/", "s3://bucket", "data/images"),
            ("s3://bucket", "s3://bucket", "/"),
            ("gs://b/K//x", "gs://b", "K//x"),
            ("minio://mlpipeline/v2/a", "minio://mlpipeline", "v2/a"),
            ("abfs://data@Acc.dfs/a", "abfss://data@acc.dfs", "a"),
            ("file:/data/x", "file", "/data/x"),
            ("file://host1/data/x", "file://host1", "/data/x"),
            ("hdfs://nn/a/b", "hdfs://nn:8020", "/a/b"),
            ("hdfs://nn:9000/a", "hdfs://nn:9000", "/a"),
            ("dbfs://workspace/a", "dbfs://workspace", "/a"),
            ("postgres://DB:5432/d.s.T", "postgres://DB:5432", "d.s.T"),
            ("kafka://broker:9092/topic", "kafka://broker:9092", "topic"),
            (
                "duckdb:///data/shop.db/m.s.t",
                "duckdb:///data/shop.db",
                "m.s.t",
            ),
            ("bigquery:p.d.t", "bigquery", "p.d.t"),
            ("pubsub:topic:p:t", "pubsub", "topic:p:t"),
            (
                "arn:aws:glue:eu:1:table/d/t",
                "arn:aws:glue:eu:1",
                "table/d/t",
            ),
            ("mlflow-artifacts:/1/2", "mlflow-artifacts", "/1/2"),
            ("https://host/a/b", "https://host", "a/b"),
            ("x://host", "x", "//host"),
        ] {
            let pair = split_uri(uri).unwrap();
            assert_eq!((&*pair.0, &*pair.1), (namespace, name), "{uri}");
            assert_eq!(dataset_uri(&pair.0, &pair.1), canonical_uri(uri));
        }
        for text in ["", "no uri", "/data/x", "x:", ":x"] {
            assert_eq!(split_uri(text), None, "{text}");
        }
    }

    #[test]
    fn notations_are_those_of_one_uri() {
        for (uri, some) in [
            ("s3://b/k", vec!["s3://b/k", "s3a://b/k", "s3n://b/k/"]),
            ("hdfs://nn/k", vec!["hdfs://nn:8020/k"]),
            ("file:///k", vec!["file:/k", "file:///k/"]),
            ("bigquery:p.d.t", vec!["bigquery:p.d.t"]),
            ("postgres://db:5432/d.t", vec!["postgres://db:5432/d.t"]),
        ] {
            let notations = uri_notations(uri);
            let of_uri = |notation: &String| canonical_uri(notation) == uri;
            assert!(notations.iter().all(of_uri), "{notations:?}");
            for notation in some {
                assert!(notations.iter().any(|it| it == notation), "{notations:?}");
            }
        }
    }

    #[test]
    fn different_places_have_different_uris() {
        let uris = [
            dataset_uri("file", "/data/x"),
            dataset_uri("file://host1", "/data/x"),
            dataset_uri("gs://bucket", "a b/c%20d"),
            dataset_uri("gs://bucket", "a b/c d"),
            dataset_uri("s3://bucket", "a//b"),
            dataset_uri("s3://bucket", "a/b"),
            dataset_uri("s3://bucket", "A/b"),
        ];
        let distinct: std::collections::HashSet<&String> = uris.iter().collect();
        assert_eq!(distinct.len(), uris.len());
    }

    proptest! {
        #[test]
        fn a_canonical_uri_is_that_of_itself(uri in "(s3a?|file|hdfs|x)?:?/{0,3}[A@:b./ 80]{0,12}") {
            let once = canonical_uri(&uri).into_owned();
            prop_assert_eq!(canonical_uri(&once), once.as_str());
        }

        #[test]
        fn keys_are_kept(key in "[a-c%/ ]{1,8}[a-c]") {
            let key = key.trim_start_matches('/');
            prop_assert_eq!(dataset_uri("s3://b", key), format!("s3://b/{key}"));
        }

        #[test]
        fn a_uri_is_that_of_its_pair(
            uri in "(s3a?|gs|file|hdfs|abfs|arn|x)?:?/{0,3}[A@:b./ 80]{0,12}",
        ) {
            if let Some((namespace, name)) = split_uri(&uri) {
                prop_assert!(!namespace.is_empty() && !name.is_empty());
                prop_assert_eq!(dataset_uri(&namespace, &name), canonical_uri(&uri));
            }
        }

        #[test]
        fn a_pair_and_its_uri_are_one(
            namespace in "(s3a?|gs|file|hdfs)://[A-Ca-c]{1,5}",
            name in "[a-cA-C./ ]{0,12}",
        ) {
            let uri = format!("{namespace}/{name}");
            prop_assert_eq!(dataset_uri(&namespace, &name), canonical_uri(&uri));
        }
    }
}
