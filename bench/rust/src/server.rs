//! The server: tonic's default settings.

use std::io;
use std::iter::repeat_n;
use std::pin::Pin;

use tokio::net::UnixListener;
use tokio::runtime::Runtime;
use tokio_stream::wrappers::UnixListenerStream;
use tokio_stream::{Stream, StreamExt};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status, Streaming};

use crate::contract::echo_server::{Echo, EchoServer};
use crate::contract::{DownRequest, Msg, UpResponse};
use crate::wire::{self, Answer, Spec};

struct Service;

type Messages = Pin<Box<dyn Stream<Item = Result<Msg, Status>> + Send>>;

fn echo(msg: Msg) -> Msg {
    Msg { body: msg.body }
}

#[tonic::async_trait]
impl Echo for Service {
    async fn say(&self, request: Request<Msg>) -> Result<Response<Msg>, Status> {
        Ok(Response::new(echo(request.into_inner())))
    }

    type ChatStream = Messages;

    async fn chat(&self, request: Request<Streaming<Msg>>) -> Result<Response<Messages>, Status> {
        let answers = request.into_inner().map(|msg| msg.map(echo));
        Ok(Response::new(Box::pin(answers)))
    }

    type DownStream = Messages;

    async fn down(&self, request: Request<DownRequest>) -> Result<Response<Messages>, Status> {
        let request = request.into_inner();
        let msg = Msg {
            body: vec![0; request.bytes as usize].into(),
        };
        let all = repeat_n(msg, request.messages as usize).map(Ok);
        Ok(Response::new(Box::pin(tokio_stream::iter(all))))
    }

    async fn up(&self, request: Request<Streaming<Msg>>) -> Result<Response<UpResponse>, Status> {
        let mut requests = request.into_inner();
        let mut response = UpResponse::default();
        while let Some(msg) = requests.message().await? {
            response.messages += 1;
            response.bytes += msg.body.len() as i64;
        }
        Ok(Response::new(response))
    }
}

/// Serves until the input ends.
pub fn run(runtime: &Runtime, spec: &Spec) -> io::Result<()> {
    // Sockets need to know their runtime.
    let _inside = runtime.enter();
    let mut server = Server::builder();
    if spec.options.streams > 0 {
        server = server.max_concurrent_streams(spec.options.streams);
    }
    let router = server.add_service(EchoServer::new(Service));
    let address = if spec.unix() {
        let listener = UnixListener::bind(&spec.address)?;
        let incoming = UnixListenerStream::new(listener);
        runtime.spawn(async move { ended(router.serve_with_incoming(incoming).await) });
        spec.address.clone()
    } else {
        let loopback = "127.0.0.1:0".parse().expect("an address");
        // As serve does it, which does not tell its port.
        let incoming = TcpIncoming::bind(loopback)?.with_nodelay(Some(true));
        let address = incoming.local_addr()?.to_string();
        runtime.spawn(async move { ended(router.serve_with_incoming(incoming).await) });
        address
    };
    wire::say(&Answer {
        address,
        ..Answer::default()
    })?;
    wire::answer(|command| match command.op.as_str() {
        "usage" => Answer::usage(),
        _ => Ok(Answer::unsupported()),
    })
}

fn ended(result: Result<(), tonic::transport::Error>) {
    eprintln!("bench-rust: the server has ended: {result:?}");
    std::process::exit(1);
}
