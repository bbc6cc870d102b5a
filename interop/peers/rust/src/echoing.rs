//! Sends the x-echo metadata of requests back. This stands around tonic's
//! service, because a handler cannot set trailers.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::BodyExt;
use tonic::body::Body;
use tonic::codegen::http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use tower::Service;

#[derive(Clone)]
pub struct Echoing<S>(pub S);

impl<S> Service<Request<Body>> for Echoing<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let headers = renamed(request.headers(), "x-echo");
        let trailers = renamed(request.headers(), "x-trailer");
        let response = self.0.call(request);
        Box::pin(async move {
            let (mut parts, body) = response.await?.into_parts();
            parts.headers.extend(headers);
            let body = body.map_frame(move |frame| with_trailers(frame, &trailers));
            Ok(Response::from_parts(parts, Body::new(body)))
        })
    }
}

type Frame = http_body::Frame<Bytes>;

fn with_trailers(frame: Frame, more: &HeaderMap<HeaderValue>) -> Frame {
    match frame.into_trailers() {
        Ok(mut trailers) => {
            trailers.extend(more.clone());
            Frame::trailers(trailers)
        }
        Err(frame) => frame,
    }
}

/// The x-echo fields under another name.
fn renamed(from: &HeaderMap<HeaderValue>, name: &'static str) -> HeaderMap<HeaderValue> {
    let mut to = HeaderMap::new();
    for suffix in ["", "-bin"] {
        let name: HeaderName = format!("{name}{suffix}").parse().expect("a valid name");
        for value in from.get_all(format!("x-echo{suffix}")) {
            to.append(&name, value.clone());
        }
    }
    to
}
