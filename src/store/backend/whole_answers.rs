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

use super::away::Watch;

/// How often a removal is asked for whose answer is cut off: that objects are gone already is fine.
const MOST_REMOVALS: u32 = 4;

/// Connects as usual.
#[derive(Debug, Default)]
pub(super) struct WholeAnswers {
    /// Is told what each try meets.
    pub watch: Watch,
}

impl HttpConnector for WholeAnswers {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let inner = ReqwestConnector::default().connect(options)?;
        Ok(HttpClient::new(Whole { inner, watch: self.watch.clone() }))
    }
}

#[derive(Debug)]
struct Whole {
    inner: HttpClient,
    watch: Watch,
}

impl Whole {
    async fn tried(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let answer = self.inner.execute(request).await;
        match &answer {
            Ok(answer) if answer.status().is_server_error() => {
                self.watch.failed(format!("the store says {}", answer.status()));
            }
            Ok(_) => self.watch.answered(),
            Err(error) => self.watch.failed(innermost(error)),
        }
        answer
    }
}

/// What is at the bottom of an error: above it, libraries say that a request failed.
fn innermost(error: &HttpError) -> String {
    let mut error: &dyn std::error::Error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

#[async_trait]
impl HttpService for Whole {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let query = request.uri().query().unwrap_or_default();
        let is_list = query.contains("list-type=") || query.split('&').any(|part| part.starts_with("uploads"));
        let is_removal = request.method().as_str() == "POST" && query.split('&').any(|part| part.starts_with("delete"));
        let mut tries = 0;
        loop {
            let answer = self.tried(request.clone()).await?;
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
