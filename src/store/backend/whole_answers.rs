//! Answers of a bucket that are read to their end before anybody acts on them.
//!
//! The client tries a request again until it has the head of an answer, and reads the body of an object on where it was cut
//! off. A list, or what a store says of an error, it reads once: cut off, it would fail a run, although the same request
//! is answered a moment later. So these bodies are read here, where a failure is one more failed try.

use async_trait::async_trait;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService, ReqwestConnector,
};

/// How often a removal is asked for whose answer is cut off: that objects are gone already is fine.
const MOST_REMOVALS: u32 = 4;

/// Connects as usual.
#[derive(Debug, Default)]
pub(super) struct WholeAnswers;

impl HttpConnector for WholeAnswers {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let inner = ReqwestConnector::default().connect(options)?;
        Ok(HttpClient::new(Whole { inner }))
    }
}

#[derive(Debug)]
struct Whole {
    inner: HttpClient,
}

#[async_trait]
impl HttpService for Whole {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let query = request.uri().query().unwrap_or_default();
        let is_list = query.contains("list-type=") || query.split('&').any(|part| part.starts_with("uploads"));
        let is_removal = request.method().as_str() == "POST" && query.split('&').any(|part| part.starts_with("delete"));
        let mut tries = 0;
        loop {
            let answer = self.inner.execute(request.clone()).await?;
            // Nobody reads what stands in the answers after which the client tries again.
            let is_read = answer.status().is_client_error() || is_list || is_removal;
            if !is_read {
                return Ok(answer);
            }
            let (head, body) = answer.into_parts();
            tries += 1;
            match body.bytes().await {
                Ok(bytes) => return Ok(HttpResponse::from_parts(head, bytes.into())),
                Err(_cut_off) if is_removal && tries < MOST_REMOVALS => {}
                // The client repeats requests that change nothing, and leaves others to those who know what they asked.
                Err(error) => return Err(HttpError::new(HttpErrorKind::Interrupted, error)),
            }
        }
    }
}
