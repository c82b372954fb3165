//! What an S3 client may ask, and what is done for it.

use std::ops::Range;
use std::sync::Arc;

use chrono::DateTime;

use super::http::{Answer, Message, decode};
use super::objects::{Asked, Object, Objects};
use super::script::Condition;
use super::xml::{element, texts};

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    CreateBucket,
    Get,
    Head,
    List,
    Put,
    Copy,
    Delete,
    /// Many keys in one request.
    DeleteMany,
    BeginUpload,
    PutPart,
    CopyPart,
    CompleteUpload,
    AbortUpload,
    /// Nothing that this server knows.
    Other,
}

impl Action {
    /// Whether an object is there afterwards, so that a condition makes sense.
    pub(super) fn is_write(self) -> bool {
        matches!(self, Action::Put | Action::Copy | Action::CompleteUpload)
    }
}

/// A line of the log.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) action: Action,
    pub(crate) bucket: String,
    /// The object's key; the prefix of a list; all keys that are to be deleted at once.
    pub(crate) keys: Vec<String>,
    pub(crate) is_conditional: bool,
    pub(crate) is_signed: bool,
    /// None if the connection ended without an answer.
    pub(crate) status: Option<u16>,
}

impl Request {
    pub(super) fn of(message: &Message) -> Request {
        let (bucket, key) = message.path.split_once('/').unwrap_or((&message.path, ""));
        let action = action(message, key);
        let keys = match action {
            Action::List => vec![message.query("prefix").unwrap_or_default().to_owned()],
            Action::DeleteMany => texts(&String::from_utf8_lossy(&message.body), "Key"),
            _ => vec![key.to_owned()],
        };
        let conditions = ["if-match", "if-none-match"];
        Request {
            action,
            bucket: bucket.to_owned(),
            keys,
            is_conditional: conditions.iter().any(|name| message.header(name).is_some()),
            is_signed: message.header("authorization").is_some() || message.query("X-Amz-Signature").is_some(),
            status: None,
        }
    }

    /// The first of its keys, and most often the only one.
    pub(crate) fn key(&self) -> &str {
        self.keys.first().map_or("", String::as_str)
    }
}

fn action(message: &Message, key: &str) -> Action {
    let has = |name| message.query(name).is_some();
    let is_copy = message.header("x-amz-copy-source").is_some();
    match message.method.as_str() {
        "PUT" if key.is_empty() => Action::CreateBucket,
        "GET" if key.is_empty() => Action::List,
        "POST" if key.is_empty() && has("delete") => Action::DeleteMany,
        _ if key.is_empty() => Action::Other,
        "GET" => Action::Get,
        "HEAD" => Action::Head,
        "PUT" if has("uploadId") && is_copy => Action::CopyPart,
        "PUT" if has("uploadId") => Action::PutPart,
        "PUT" if is_copy => Action::Copy,
        "PUT" => Action::Put,
        "POST" if has("uploads") => Action::BeginUpload,
        "POST" if has("uploadId") => Action::CompleteUpload,
        "DELETE" if has("uploadId") => Action::AbortUpload,
        "DELETE" => Action::Delete,
        _ => Action::Other,
    }
}

/// Does what is asked for, unless there is no such bucket or a condition forbids it.
pub(super) fn apply(message: &Message, request: &Request, objects: &mut Objects, condition: Condition) -> Answer {
    let (bucket, key) = (request.bucket.as_str(), request.key());
    if request.action == Action::CreateBucket {
        objects.create_bucket(bucket);
        return Answer::new(200);
    }
    if !objects.has_bucket(bucket) {
        return Answer::failure(404, "NoSuchBucket");
    }
    let broken = match condition {
        Condition::Refused => Some(Answer::failure(501, "NotImplemented")),
        Condition::Ignored => None,
        Condition::Kept if request.action.is_write() => broken(message, objects.get(bucket, key)),
        Condition::Kept => None,
    };
    broken.unwrap_or_else(|| act(message, request, objects))
}

fn act(message: &Message, request: &Request, objects: &mut Objects) -> Answer {
    let (bucket, key) = (request.bucket.as_str(), request.key());
    match request.action {
        Action::Get | Action::Head => read(message, objects.get(bucket, key)),
        Action::List => list(message, objects, bucket),
        Action::Put => {
            let object = Object::new(message.body.clone(), attributes(message));
            let answer = Answer::new(200).with("etag", object.tag.clone());
            objects.insert(bucket, key, object);
            answer
        }
        Action::Copy => {
            let Some(from) = source(message, objects) else { return Answer::failure(404, "NoSuchKey") };
            let copy = Object::new(from.bytes.as_ref().clone(), from.attributes);
            let answer = Answer::xml(&format!("<CopyObjectResult>{}</CopyObjectResult>", element("ETag", &copy.tag)));
            objects.insert(bucket, key, copy);
            answer
        }
        Action::Delete => {
            objects.delete(bucket, key);
            Answer::new(204)
        }
        Action::DeleteMany => {
            let deleted = request.keys.iter().map(|key| {
                objects.delete(bucket, key);
                format!("<Deleted>{}</Deleted>", element("Key", key))
            });
            Answer::xml(&format!("<DeleteResult>{}</DeleteResult>", deleted.collect::<String>()))
        }
        Action::BeginUpload => {
            let name = element("UploadId", &objects.begin_upload(attributes(message)));
            Answer::xml(&format!("<InitiateMultipartUploadResult>{name}</InitiateMultipartUploadResult>"))
        }
        Action::PutPart => {
            let part = Object::new(message.body.clone(), Vec::new());
            let answer = Answer::new(200).with("etag", part.tag.clone());
            put_part(message, objects, part, answer)
        }
        Action::CopyPart => {
            let Some(part) = source(message, objects) else { return Answer::failure(404, "NoSuchKey") };
            let answer = Answer::xml(&format!("<CopyPartResult>{}</CopyPartResult>", element("ETag", &part.tag)));
            put_part(message, objects, part, answer)
        }
        Action::CompleteUpload => complete(message, request, objects),
        Action::AbortUpload => match objects.uploads.remove(message.query("uploadId").unwrap_or_default()) {
            Some(_) => Answer::new(204),
            None => Answer::failure(404, "NoSuchUpload"),
        },
        Action::CreateBucket | Action::Other => Answer::failure(501, "NotImplemented"),
    }
}

/// Why a condition of a write does not hold.
fn broken(message: &Message, object: Option<&Object>) -> Option<Answer> {
    match (message.header("if-match"), message.header("if-none-match"), object) {
        (Some(_), _, None) => Some(Answer::failure(404, "NoSuchKey")),
        (Some(tag), _, Some(object)) if tag != object.tag => Some(Answer::failure(412, "PreconditionFailed")),
        (_, Some("*"), Some(_)) => Some(Answer::failure(412, "PreconditionFailed")),
        _ => None,
    }
}

/// The headers that stay with an object.
fn attributes(message: &Message) -> Vec<(String, String)> {
    let names = ["cache-control", "content-disposition", "content-encoding", "content-language", "content-type"];
    let stays = |name: &str| names.contains(&name) || name.starts_with("x-amz-meta-");
    let headers = message.headers.iter().filter(|(name, _)| stays(name));
    headers.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// What is to be copied.
fn source(message: &Message, objects: &Objects) -> Option<Object> {
    let path = decode(message.header("x-amz-copy-source")?);
    let (bucket, key) = path.trim_start_matches('/').split_once('/')?;
    objects.get(bucket, key).cloned()
}

fn put_part(message: &Message, objects: &mut Objects, part: Object, answer: Answer) -> Answer {
    let number = message.query("partNumber").and_then(|number| number.parse().ok());
    let upload = objects.uploads.get_mut(message.query("uploadId").unwrap_or_default());
    match (number, upload) {
        (Some(number), Some(upload)) => {
            upload.parts.insert(number, part);
            answer
        }
        _ => Answer::failure(404, "NoSuchUpload"),
    }
}

/// Makes an object of the parts that are named.
fn complete(message: &Message, request: &Request, objects: &mut Objects) -> Answer {
    let name = message.query("uploadId").unwrap_or_default();
    let Some(upload) = objects.uploads.get(name) else { return Answer::failure(404, "NoSuchUpload") };
    let body = String::from_utf8_lossy(&message.body);
    let (numbers, tags) = (texts(&body, "PartNumber"), texts(&body, "ETag"));
    let mut bytes = Vec::new();
    for (number, tag) in numbers.iter().zip(&tags) {
        match number.parse().ok().and_then(|number: usize| upload.parts.get(&number)) {
            Some(part) if part.tag.trim_matches('"') == tag.trim_matches('"') => bytes.extend_from_slice(&part.bytes),
            _ => return Answer::failure(400, "InvalidPart"),
        }
    }
    if numbers.is_empty() {
        return Answer::failure(400, "MalformedXML");
    }
    let object = Object::new(bytes, upload.attributes.clone());
    let result = element("Key", request.key()) + &element("ETag", &object.tag);
    objects.uploads.remove(name);
    objects.insert(&request.bucket, request.key(), object);
    Answer::xml(&format!("<CompleteMultipartUploadResult>{result}</CompleteMultipartUploadResult>"))
}

fn list(message: &Message, objects: &Objects, bucket: &str) -> Answer {
    let query = |name| message.query(name).unwrap_or_default();
    let after = message.query("continuation-token").unwrap_or(query("start-after"));
    let most = message.query("max-keys").and_then(|most| most.parse().ok()).unwrap_or(1000);
    let asked = Asked { prefix: query("prefix"), delimiter: message.query("delimiter"), after, most };
    let page = objects.list(bucket, &asked);
    let mut text = element("Prefix", query("prefix"));
    text.push_str(&element("IsTruncated", &page.next.is_some().to_string()));
    if let Some(next) = &page.next {
        text.push_str(&element("NextContinuationToken", next));
    }
    for (key, object) in &page.objects {
        let modified = object.modified.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        let parts = [
            element("Key", key),
            element("LastModified", &modified),
            element("ETag", &object.tag),
            element("Size", &object.bytes.len().to_string()),
        ];
        text.push_str(&format!("<Contents>{}</Contents>", parts.concat()));
    }
    for folder in &page.folders {
        text.push_str(&format!("<CommonPrefixes>{}</CommonPrefixes>", element("Prefix", folder)));
    }
    Answer::xml(&format!("<ListBucketResult>{text}</ListBucketResult>"))
}

/// GET and HEAD: the object or a range of it, unless a condition forbids it.
fn read(message: &Message, object: Option<&Object>) -> Answer {
    let Some(object) = object else { return Answer::failure(404, "NoSuchKey") };
    let time = |name| message.header(name).and_then(|time| DateTime::parse_from_rfc2822(time).ok());
    let modified = object.modified.timestamp();
    let is_other = message.header("if-match").is_some_and(|tag| tag != object.tag && tag != "*");
    if is_other || time("if-unmodified-since").is_some_and(|time| modified > time.timestamp()) {
        return Answer::failure(412, "PreconditionFailed");
    }
    let is_same = message.header("if-none-match").is_some_and(|tag| tag == object.tag || tag == "*");
    if is_same || time("if-modified-since").is_some_and(|time| modified <= time.timestamp()) {
        return Answer::new(304).with("etag", object.tag.clone());
    }
    let size = object.bytes.len();
    let mut answer = match message.header("range").map(|asked| range(asked, size)) {
        None => Answer::new(200).with_body(Arc::clone(&object.bytes)),
        Some(None) => return Answer::failure(416, "InvalidRange"),
        Some(Some(range)) => Answer::new(206)
            .with("content-range", format!("bytes {}-{}/{size}", range.start, range.end - 1))
            .with_body(Arc::new(object.bytes[range].to_vec())),
    };
    answer.headers.extend(object.attributes.iter().cloned());
    let modified = object.modified.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    answer.with("etag", object.tag.clone()).with("last-modified", modified).with("accept-ranges", "bytes")
}

/// The places of `bytes=FIRST-LAST`, `bytes=FIRST-` or `bytes=-COUNT`; none if there are none.
fn range(asked: &str, size: usize) -> Option<Range<usize>> {
    let (first, last) = asked.strip_prefix("bytes=")?.split_once('-')?;
    let range = match (first, last) {
        ("", count) => size.saturating_sub(count.parse().ok()?)..size,
        (first, "") => first.parse().ok()?..size,
        (first, last) => first.parse().ok()?..last.parse::<usize>().ok()?.saturating_add(1).min(size),
    };
    (range.start < range.end).then_some(range)
}
