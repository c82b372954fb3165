//! Uploads to a bucket that were begun and neither completed nor given up (S3, "ListMultipartUploads"). They are no objects,
//! so that no list of objects shows them, but they are paid for.

use async_trait::async_trait;
use chrono::DateTime;
use object_store::aws::{AmazonS3, AwsAuthorizer};
use object_store::client::{HttpClient, HttpConnector, HttpRequest, HttpRequestBody};
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::{Error, Result};

use super::s3::{builder, client, retries};
use super::whole_answers::WholeAnswers;
use crate::project::{BucketAccess, StorageSettings};
use crate::store::error::without_entities;
use crate::store::leftovers::{Leftover, Leftovers};

/// How often a list is asked for.
const MOST_TRIES: u32 = 4;

/// The uploads below the lake's folder.
#[derive(Debug)]
pub(crate) struct Uploads {
    access: BucketAccess,
    settings: StorageSettings,
}

/// One answer.
#[derive(Debug, Default, PartialEq, Eq)]
struct Page {
    uploads: Vec<Upload>,
    /// Where the next page begins: a key and the number of an upload of it.
    next: Option<(String, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Upload {
    key: String,
    id: String,
    /// Milliseconds since 1970.
    begun: i64,
}

impl Uploads {
    pub fn new(access: BucketAccess, settings: StorageSettings) -> Uploads {
        Uploads { access, settings }
    }

    /// A client of its own: most commands need none.
    fn bucket(&self) -> Result<AmazonS3> {
        builder(&self.access)?
            .with_client_options(client(&self.access, &self.settings))
            .with_http_connector(WholeAnswers::default())
            .with_retry(retries(&self.settings))
            .build()
    }

    /// The prefix of keys.
    fn folder(&self) -> String {
        if self.access.prefix.is_empty() { String::new() } else { format!("{}/", self.access.prefix) }
    }

    fn address(&self, next: Option<&(String, String)>) -> String {
        let BucketAccess { bucket, region, .. } = &self.access;
        let bucket_address = match (&self.access.endpoint, self.access.path_style) {
            (Some(endpoint), true) => format!("{endpoint}/{bucket}"),
            (Some(endpoint), false) => endpoint.with_bucket(bucket).to_string(),
            (None, true) => format!("https://s3.{region}.amazonaws.com/{bucket}"),
            (None, false) => format!("https://{bucket}.s3.{region}.amazonaws.com"),
        };
        let mut address = format!("{bucket_address}?uploads=&prefix={}", escaped(&self.folder()));
        if let Some((key, id)) = next {
            address.push_str(&format!("&key-marker={}&upload-id-marker={}", escaped(key), escaped(id)));
        }
        address
    }

    /// One page of the list. Returns `None` if this store, or these credentials, have none.
    async fn page(&self, bucket: &AmazonS3, http: &HttpClient, address: &str) -> Result<Option<Page>> {
        let mut failure = None;
        for _ in 0..MOST_TRIES {
            let credential = bucket.credentials().get_credential().await?;
            let mut request = HttpRequest::new(HttpRequestBody::empty());
            *request.uri_mut() = address.parse().map_err(|error| failed(Box::new(error)))?;
            AwsAuthorizer::new(&credential, "s3", &self.access.region).authorize(&mut request, None);
            let answer = match http.execute(request).await {
                Ok(answer) => answer,
                Err(error) => {
                    failure = Some(failed(Box::new(error)));
                    continue;
                }
            };
            let status = answer.status();
            if status.is_server_error() {
                failure = Some(failed(format!("the store answered {status}").into()));
                continue;
            }
            if !status.is_success() {
                tracing::info!(%status, "unfinished uploads cannot be listed");
                return Ok(None);
            }
            let bytes = answer.into_body().bytes().await.map_err(|error| failed(Box::new(error)))?;
            return Ok(Some(Page::parse(&String::from_utf8_lossy(&bytes))));
        }
        Err(failure.unwrap_or_else(|| failed("the store gave no answer".into())))
    }
}

#[async_trait]
impl Leftovers for Uploads {
    async fn list(&self) -> Result<Vec<Leftover>> {
        let bucket = self.bucket()?;
        let http = WholeAnswers::default().connect(&client(&self.access, &self.settings))?;
        let folder = self.folder();
        let mut found = Vec::new();
        let mut next = None;
        loop {
            let Some(page) = self.page(&bucket, &http, &self.address(next.as_ref())).await? else { break };
            // What does not lie in the lake's folder is somebody else's, whatever the store has listed.
            found.extend(page.uploads.iter().filter_map(|upload| {
                let name = upload.key.strip_prefix(&folder)?.to_owned();
                Some(Leftover { name, id: upload.id.clone(), bytes: 0, modified: upload.begun })
            }));
            match page.next {
                Some(further) if Some(&further) != next.as_ref() => next = Some(further),
                Some(_) | None => break,
            }
        }
        Ok(found)
    }

    async fn remove(&self, leftover: &Leftover) -> Result<()> {
        let path = Path::parse(format!("{}{}", self.folder(), leftover.name))?;
        match self.bucket()?.abort_multipart(&path, &leftover.id).await {
            Err(Error::NotFound { .. }) | Ok(()) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl Page {
    /// From the XML of an answer, whose elements have no attributes and are never nested in themselves.
    fn parse(text: &str) -> Page {
        let uploads = elements(text, "Upload").filter_map(|upload| {
            let begun = DateTime::parse_from_rfc3339(element(upload, "Initiated")?).ok()?.timestamp_millis();
            let id = element(upload, "UploadId")?.to_owned();
            Some(Upload { key: without_entities(element(upload, "Key")?), id, begun })
        });
        let is_cut = element(text, "IsTruncated") == Some("true");
        let next = || {
            let id = element(text, "NextUploadIdMarker").unwrap_or_default().to_owned();
            Some((without_entities(element(text, "NextKeyMarker")?), id))
        };
        Page { uploads: uploads.collect(), next: if is_cut { next() } else { None } }
    }
}

fn element<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    elements(text, name).next()
}

fn elements<'t>(text: &'t str, name: &str) -> impl Iterator<Item = &'t str> {
    let begin = format!("<{name}>");
    let end = format!("</{name}>");
    let mut rest = text;
    std::iter::from_fn(move || {
        let (_, behind) = rest.split_once(&begin)?;
        let (found, behind) = behind.split_once(&end)?;
        rest = behind;
        Some(found)
    })
}

/// As a part of a query, where `+` would be a blank.
fn escaped(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes()
        .map(|byte| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

fn failed(source: Box<dyn std::error::Error + Send + Sync>) -> Error {
    Error::Generic { store: "uploads", source }
}

#[cfg(test)]
mod tests {
    use super::super::s3::tests::{access, server};
    use super::*;

    const PAGE: &str = "<?xml version=\"1.0\"?><ListMultipartUploadsResult><Bucket>bucket</Bucket>\
        <IsTruncated>true</IsTruncated><NextKeyMarker>lake/a&amp;b</NextKeyMarker>\
        <NextUploadIdMarker>two</NextUploadIdMarker>\
        <Upload><Key>lake/gold/a/part-1.parquet</Key><UploadId>one</UploadId>\
        <Initiated>2026-01-02T03:04:05.000Z</Initiated></Upload>\
        <Upload><Key>other/part-2.parquet</Key><UploadId>two</UploadId>\
        <Initiated>2026-01-02T03:04:06.000Z</Initiated></Upload></ListMultipartUploadsResult>";

    fn answer(body: &str) -> &'static str {
        let length = body.len();
        let text = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
        Box::leak(text.into_boxed_str())
    }

    #[tokio::test]
    async fn uploads_of_the_lake_are_listed_page_by_page_and_given_up() {
        let last = "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>";
        let gone = "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
        let (endpoint, asked) = server(vec![answer(PAGE), answer(last), gone]);
        let uploads = Uploads::new(access(Some(endpoint), "lake"), StorageSettings::default());
        let found = uploads.list().await.unwrap();
        let begun = DateTime::parse_from_rfc3339("2026-01-02T03:04:05Z").unwrap().timestamp_millis();
        let expected =
            Leftover { name: "gold/a/part-1.parquet".to_owned(), id: "one".to_owned(), bytes: 0, modified: begun };
        assert_eq!(found, std::slice::from_ref(&expected), "that of another folder is not the lake's");
        uploads.remove(&expected).await.unwrap();
        let asked = asked.join().unwrap();
        assert!(asked[0].starts_with("GET /bucket?uploads=&prefix=lake%2F HTTP/1.1"), "{}", asked[0]);
        assert!(asked[0].to_ascii_lowercase().contains("authorization: aws4-hmac-sha256"), "{}", asked[0]);
        assert!(asked[1].contains("&key-marker=lake%2Fa%26b&upload-id-marker=two"), "{}", asked[1]);
        assert!(asked[2].starts_with("DELETE /bucket/lake/gold/a/part-1.parquet?uploadId=one"), "{}", asked[2]);
    }

    #[tokio::test]
    async fn a_store_that_lists_no_uploads_has_none_to_remove() {
        let refused = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        let (endpoint, _asked) = server(vec![refused]);
        let uploads = Uploads::new(access(Some(endpoint), ""), StorageSettings::default());
        assert!(uploads.list().await.unwrap().is_empty());
    }
}
