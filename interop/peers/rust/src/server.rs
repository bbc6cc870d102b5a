//! Serves Echo until the standard input ends.

use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::codec::CompressionEncoding;
use tonic::metadata::MetadataMap;
use tonic::transport::{Identity, Server, ServerTlsConfig};
use tonic::{Request, Response, Status, Streaming};

use crate::contract::echo_server::{Echo, EchoServer};
use crate::contract::{
    self, EchoRequest, EchoResponse, EndedRequest, EndedResponse, WireRequest, WireResponse,
};
use crate::echoing::Echoing;

pub async fn serve(
    address: &str,
    files: Option<(&str, &str)>,
) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?.port());
    let mut server = Server::builder();
    if let Some((cert, key)) = files {
        let identity = Identity::from_pem(std::fs::read(cert)?, std::fs::read(key)?);
        server = server.tls_config(ServerTlsConfig::new().identity(identity))?;
    }
    let echo = EchoServer::new(Service::default())
        .accept_compressed(CompressionEncoding::Gzip)
        .send_compressed(CompressionEncoding::Gzip);
    let served = server
        .layer(tower::layer::layer_fn(Echoing))
        .add_service(echo)
        .serve_with_incoming(TcpListenerStream::new(listener));
    let mut input = Vec::new();
    let mut stdin = tokio::io::stdin();
    tokio::select! {
        result = served => result?,
        result = stdin.read_to_end(&mut input) => { result?; }
    }
    Ok(ExitCode::SUCCESS)
}

#[derive(Clone, Default)]
struct Service {
    ended: Arc<Mutex<EndedResponse>>,
}

/// Counts a call that hangs when it is dropped.
struct Hanging {
    ended: Arc<Mutex<EndedResponse>>,
    with_deadline: bool,
}

impl Drop for Hanging {
    fn drop(&mut self) {
        let mut ended = self.ended.lock().unwrap();
        if self.with_deadline {
            ended.with_deadline += 1;
        } else {
            ended.without_deadline += 1;
        }
    }
}

type Sender = mpsc::Sender<Result<EchoResponse, Status>>;

impl Service {
    fn hanging(&self, metadata: &MetadataMap) -> Hanging {
        Hanging {
            ended: self.ended.clone(),
            with_deadline: metadata.contains_key("grpc-timeout"),
        }
    }

    /// Fails, or waits for the end of the call, if the request asks for it.
    async fn obey(&self, request: &EchoRequest, metadata: &MetadataMap) -> Result<(), Status> {
        fail(request)?;
        if request.hang {
            let _hanging = self.hanging(metadata);
            std::future::pending::<()>().await;
        }
        Ok(())
    }

    async fn answer_all(
        &self,
        metadata: &MetadataMap,
        mut requests: Streaming<EchoRequest>,
        out: &Sender,
    ) -> Result<(), Status> {
        let mut index = 0;
        while let Some(request) = requests.message().await? {
            fail(&request)?;
            if out.send(Ok(answer(&request, index))).await.is_err() {
                break;
            }
            index += 1;
            if request.hang {
                let _hanging = self.hanging(metadata);
                out.closed().await;
            }
        }
        Ok(())
    }
}

fn fail(request: &EchoRequest) -> Result<(), Status> {
    match &request.failure {
        Some(failure) => Err(contract::status(failure)),
        None => Ok(()),
    }
}

fn answer(request: &EchoRequest, index: i32) -> EchoResponse {
    EchoResponse {
        text: request.text.clone(),
        payload: request.payload.clone(),
        index,
    }
}

/// A response that is compressed if the request asks for it.
fn respond<T>(body: T, metadata: &MetadataMap) -> Response<T> {
    let mut response = Response::new(body);
    if metadata
        .get("x-compress")
        .is_none_or(|value| value != "gzip")
    {
        response.disable_compression();
    }
    response
}

#[tonic::async_trait]
impl Echo for Service {
    async fn say(&self, request: Request<EchoRequest>) -> Result<Response<EchoResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        self.obey(&request, &metadata).await?;
        Ok(respond(answer(&request, 0), &metadata))
    }

    type CountStream = ReceiverStream<Result<EchoResponse, Status>>;

    async fn count(
        &self,
        request: Request<EchoRequest>,
    ) -> Result<Response<Self::CountStream>, Status> {
        let (metadata, _, request) = request.into_parts();
        self.obey(&request, &metadata).await?;
        let (out, responses) = mpsc::channel(1);
        tokio::spawn(async move {
            for index in 0..request.times {
                if out.send(Ok(answer(&request, index))).await.is_err() {
                    return;
                }
            }
        });
        Ok(respond(ReceiverStream::new(responses), &metadata))
    }

    async fn join(
        &self,
        request: Request<Streaming<EchoRequest>>,
    ) -> Result<Response<EchoResponse>, Status> {
        let (metadata, _, mut requests) = request.into_parts();
        let mut text = String::new();
        let mut payload = Vec::new();
        let mut index = 0;
        while let Some(request) = requests.message().await? {
            self.obey(&request, &metadata).await?;
            text += &request.text;
            payload.extend_from_slice(&request.payload);
            index += 1;
        }
        let joined = EchoResponse {
            text,
            payload: payload.into(),
            index,
        };
        Ok(respond(joined, &metadata))
    }

    type ChatStream = ReceiverStream<Result<EchoResponse, Status>>;

    async fn chat(
        &self,
        request: Request<Streaming<EchoRequest>>,
    ) -> Result<Response<Self::ChatStream>, Status> {
        let (metadata, _, requests) = request.into_parts();
        let (out, responses) = mpsc::channel(1);
        let response = respond(ReceiverStream::new(responses), &metadata);
        let service = self.clone();
        tokio::spawn(async move {
            if let Err(status) = service.answer_all(&metadata, requests, &out).await {
                // It fails if the client has gone.
                let _ = out.send(Err(status)).await;
            }
        });
        Ok(response)
    }

    async fn ended(&self, _: Request<EndedRequest>) -> Result<Response<EndedResponse>, Status> {
        Ok(Response::new(*self.ended.lock().unwrap()))
    }

    async fn wire(&self, _: Request<WireRequest>) -> Result<Response<WireResponse>, Status> {
        Err(Status::unimplemented("a relay counts instead"))
    }
}
