//! Opens a bucket with exactly the access that was decided: nothing is taken from the environment here.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, S3ConditionalPut};
use object_store::limit::LimitStore;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};

use super::away::Watch;
use super::whole_answers::WholeAnswers;
use crate::project::{BucketAccess, Credentials, StorageSettings};

/// The lake in a bucket: paths are relative to its folder there. What its requests meet, is told to the watch. Sends nothing
/// yet.
pub(crate) fn open_bucket(
    access: &BucketAccess,
    settings: &StorageSettings,
    watch: Watch,
) -> Result<Arc<dyn ObjectStore>, object_store::Error> {
    let bucket = builder(access)?
        .with_client_options(client(access, settings))
        .with_http_connector(WholeAnswers { watch })
        .with_retry(retries(settings))
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .build()?;
    let bucket = LimitStore::new(bucket, settings.connections as usize);
    if access.prefix.is_empty() {
        return Ok(Arc::new(bucket));
    }
    // The folder has the name that was typed, without the escapes that a path made from any text would get.
    Ok(Arc::new(PrefixStore::new(bucket, Path::parse(&access.prefix)?)))
}

/// Where the bucket is and who asks for it.
pub(super) fn builder(access: &BucketAccess) -> Result<AmazonS3Builder, object_store::Error> {
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&access.bucket)
        .with_region(&access.region)
        .with_virtual_hosted_style_request(!access.path_style);
    if let Some(endpoint) = &access.endpoint {
        // The builder expects an endpoint that has the bucket in its host, if it is to be there.
        let server = if access.path_style { endpoint.clone() } else { endpoint.with_bucket(&access.bucket) };
        builder = builder.with_endpoint(server.to_string());
    }
    match &access.credentials {
        Credentials::Static(credentials) => {
            builder = builder
                .with_access_key_id(credentials.access_key_id.expose())
                .with_secret_access_key(credentials.secret_access_key.expose());
            if let Some(token) = &credentials.session_token {
                builder = builder.with_token(token.expose());
            }
        }
        Credentials::Ambient(role) => {
            for (name, value) in role {
                let key: AmazonS3ConfigKey = name.to_ascii_lowercase().parse()?;
                builder = builder.with_config(key, value.expose());
            }
        }
    }
    Ok(builder)
}

pub(super) fn client(access: &BucketAccess, settings: &StorageSettings) -> ClientOptions {
    // Whether an unencrypted endpoint may be used was decided when it was read.
    let is_http = access.endpoint.as_ref().is_some_and(|endpoint| !endpoint.is_https());
    ClientOptions::new()
        .with_allow_http(is_http)
        .with_timeout(seconds(settings.timeout_seconds))
        .with_connect_timeout(seconds(settings.connect_timeout_seconds))
        .with_pool_max_idle_per_host(settings.connections as usize)
}

/// Each wait is drawn from 100 ms to four times the one before, so that the waits double on average and clients do not
/// come back all at once. What ends the tries is the time, unless somebody limits their number.
pub(super) fn retries(settings: &StorageSettings) -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig { init_backoff: Duration::from_millis(100), max_backoff: seconds(10), base: 4.0 },
        max_retries: settings.retries as usize,
        retry_timeout: seconds(settings.retry_seconds),
    }
}

fn seconds(seconds: u32) -> Duration {
    Duration::from_secs(u64::from(seconds))
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::TcpListener;
    use std::thread::JoinHandle;

    use object_store::{ObjectStoreExt, PutMode, PutOptions};

    use super::*;
    use crate::project::{Endpoint, Secret, StaticCredentials};

    /// A server on this machine that gives these answers, one a connection, and what it was asked.
    pub(in super::super) fn server(answers: Vec<&'static str>) -> (Endpoint, JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = std::thread::spawn(move || {
            let asked = answers.into_iter().map(|answer| {
                let (mut stream, _) = listener.accept().unwrap();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let (mut head, mut length) = (String::new(), 0);
                loop {
                    let mut line = String::new();
                    reader.read_line(&mut line).unwrap();
                    if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                        length = value.trim().parse().unwrap();
                    }
                    head.push_str(&line);
                    if line.trim().is_empty() {
                        break;
                    }
                }
                reader.read_exact(&mut vec![0; length]).unwrap();
                stream.write_all(answer.as_bytes()).unwrap();
                head
            });
            asked.collect()
        });
        (Endpoint::parse(&format!("http://{address}")).unwrap(), asked)
    }

    pub(in super::super) fn access(endpoint: Option<Endpoint>, prefix: &str) -> BucketAccess {
        let credentials = StaticCredentials {
            access_key_id: Secret::new("THE-ID"),
            secret_access_key: Secret::new("THE-KEY"),
            session_token: Some(Secret::new("THE-TOKEN")),
        };
        BucketAccess {
            bucket: "bucket".to_owned(),
            prefix: prefix.to_owned(),
            path_style: endpoint.is_some(),
            endpoint,
            region: "eu-central-1".to_owned(),
            credentials: Credentials::Static(credentials),
        }
    }

    #[tokio::test]
    async fn requests_go_to_the_folder_and_are_signed_and_do_not_overwrite() {
        let answer = "HTTP/1.1 200 OK\r\nETag: \"1\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        let (endpoint, asked) = server(vec![answer]);
        let lake = open_bucket(&access(Some(endpoint), "team%20a/lake"), &StorageSettings::default(), Watch::default())
            .unwrap();
        let options = PutOptions::from(PutMode::Create);
        lake.put_opts(&Path::from("_delta_log/0.json"), "{}".into(), options).await.unwrap();
        let asked = asked.join().unwrap().remove(0);
        assert!(asked.starts_with("PUT /bucket/team%2520a/lake/_delta_log/0.json HTTP/1.1"), "{asked}");
        let asked = asked.to_ascii_lowercase();
        assert!(asked.contains("if-none-match: *"), "{asked}");
        assert!(asked.contains("credential=the-id/") && asked.contains("/eu-central-1/s3/"), "{asked}");
        assert!(asked.contains("x-amz-security-token: the-token") && !asked.contains("the-key"), "{asked}");
    }

    #[tokio::test]
    async fn without_patience_a_failure_is_told_at_once() {
        let busy = "HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        let (endpoint, asked) = server(vec![busy]);
        let settings = StorageSettings { retries: 0, ..StorageSettings::default() };
        let lake = open_bucket(&access(Some(endpoint), ""), &settings, Watch::default()).unwrap();
        assert!(lake.get(&Path::from("a")).await.is_err());
        assert!(asked.join().unwrap().remove(0).starts_with("GET /bucket/a HTTP/1.1"));
    }

    const CUT_OFF: &str = "HTTP/1.1 404 Not Found\r\nContent-Length: 99\r\nConnection: close\r\n\r\n<Error>";
    const NOT_THERE: &str = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

    #[tokio::test]
    async fn an_error_that_is_cut_off_is_asked_for_again() {
        let (endpoint, asked) = server(vec![CUT_OFF, CUT_OFF, NOT_THERE]);
        let lake = open_bucket(&access(Some(endpoint), ""), &StorageSettings::default(), Watch::default()).unwrap();
        let found = lake.get(&Path::from("a")).await;
        assert!(matches!(found, Err(object_store::Error::NotFound { .. })), "{found:?}");
        assert_eq!(asked.join().unwrap().len(), 3);
    }

    #[tokio::test]
    async fn a_list_that_is_cut_off_is_asked_for_again() {
        let cut = "HTTP/1.1 200 OK\r\nContent-Length: 999\r\nConnection: close\r\n\r\n<ListBucketResult>";
        let whole = "HTTP/1.1 200 OK\r\nContent-Length: 59\r\nConnection: close\r\n\r\n\
                     <ListBucketResult><KeyCount>0</KeyCount></ListBucketResult>";
        let (endpoint, asked) = server(vec![cut, cut, whole]);
        let lake = open_bucket(&access(Some(endpoint), ""), &StorageSettings::default(), Watch::default()).unwrap();
        let found: Vec<_> = futures::StreamExt::collect(lake.list(None)).await;
        assert!(found.is_empty(), "{found:?}");
        assert_eq!(asked.join().unwrap().len(), 3);
    }

    #[tokio::test]
    async fn a_conditional_put_whose_refusal_is_cut_off_is_left_to_the_committer() {
        let cut = "HTTP/1.1 412 Precondition Failed\r\nContent-Length: 99\r\nConnection: close\r\n\r\n<Error>";
        let (endpoint, asked) = server(vec![cut]);
        let lake = open_bucket(&access(Some(endpoint), ""), &StorageSettings::default(), Watch::default()).unwrap();
        let put = lake.put_opts(&Path::from("a"), "{}".into(), PutOptions::from(PutMode::Create)).await;
        assert!(matches!(put, Err(object_store::Error::Generic { .. })), "{put:?}");
        assert_eq!(asked.join().unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_server_that_is_away_is_waited_for_until_the_time_is_over() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = Endpoint::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        drop(listener);
        let settings = StorageSettings { retry_seconds: 2, ..StorageSettings::default() };
        let watch = Watch::new(seconds(2));
        let lake = open_bucket(&access(Some(endpoint), ""), &settings, watch.clone()).unwrap();
        let begun = std::time::Instant::now();
        assert!(lake.get(&Path::from("a")).await.is_err());
        assert!(begun.elapsed() >= seconds(2), "{:?}", begun.elapsed());
        let away = watch.away().unwrap();
        assert!(away.since.elapsed() >= seconds(1) && away.error.contains("Connection refused"), "{away:?}");
    }

    #[tokio::test]
    async fn a_server_that_answers_again_is_not_away() {
        let busy = "HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        let (endpoint, asked) = server(vec![busy, NOT_THERE]);
        let settings = StorageSettings { retries: 0, ..StorageSettings::default() };
        let watch = Watch::default();
        let lake = open_bucket(&access(Some(endpoint), ""), &settings, watch.clone()).unwrap();
        assert!(lake.get(&Path::from("a")).await.is_err());
        assert_eq!(watch.away().unwrap().error, "the store says 503 Service Unavailable");
        assert!(lake.get(&Path::from("a")).await.is_err());
        assert_eq!(watch.away(), None);
        asked.join().unwrap();
    }

    #[test]
    fn a_role_is_what_was_decided_and_an_unencrypted_server_is_not_assumed() {
        let role = [
            ("AWS_ROLE_ARN", "ARN"),
            ("AWS_WEB_IDENTITY_TOKEN_FILE", "/token"),
            ("AWS_ENDPOINT_URL_STS", "https://sts"),
        ];
        let role: BTreeMap<String, Secret> =
            role.into_iter().map(|(name, value)| (name.to_owned(), Secret::new(value))).collect();
        let endpoint = Endpoint::parse("https://S3.example.com:9000").unwrap();
        let decided =
            BucketAccess { credentials: Credentials::Ambient(role), path_style: false, ..access(Some(endpoint), "") };
        let builder = builder(&decided).unwrap();
        let set = |key| builder.get_config_value(&key).unwrap_or_default();
        assert_eq!(set(AmazonS3ConfigKey::RoleArn), "ARN");
        assert_eq!(set(AmazonS3ConfigKey::WebIdentityTokenFile), "/token");
        assert_eq!(set(AmazonS3ConfigKey::StsEndpoint), "https://sts");
        assert_eq!(set(AmazonS3ConfigKey::AccessKeyId), "");
        assert_eq!(set(AmazonS3ConfigKey::Endpoint), "https://bucket.s3.example.com:9000");
        assert!(open_bucket(&decided, &StorageSettings::default(), Watch::default()).is_ok());
        assert!(open_bucket(&access(None, "a//b"), &StorageSettings::default(), Watch::default()).is_err());
    }
}
