//! Checks a server of Echo.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::codec::CompressionEncoding;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::{BinaryMetadataValue, MetadataMap};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Request, Status};

use crate::contract::echo_client::EchoClient;
use crate::contract::{
    self, EchoRequest, EchoResponse, EndedRequest, EndedResponse, Failure, WireRequest,
    WireResponse,
};

const TIMEOUT: Duration = Duration::from_secs(20);
const MEBIBYTE: usize = 1 << 20;

/// What went wrong in a check.
type Outcome = Result<(), String>;

macro_rules! expect {
    ($what:expr, $got:expr, $want:expr) => {{
        let (got, want) = (&$got, &$want);
        if got != want {
            return Err(format!(
                "{}: got {:.200}, want {:.200}",
                $what,
                format!("{got:?}"),
                format!("{want:?}")
            ));
        }
    }};
}

fn failed(status: Status) -> String {
    format!("{:?}: {:.200}", status.code(), status.message())
}

fn soon<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(TIMEOUT);
    request
}

fn all_bytes() -> Bytes {
    (0..=255).collect()
}

fn zeros(len: usize) -> Bytes {
    vec![0; len].into()
}

#[derive(Clone)]
struct Checks {
    channel: Channel,
    echo: EchoClient<Channel>,
}

impl Checks {
    async fn run(&mut self, name: &str) -> Outcome {
        match name {
            "unary" => self.unary().await,
            "empty message" => self.empty_message().await,
            "server stream" => self.server_stream(1000).await,
            "server stream of nothing" => self.server_stream(0).await,
            "server stream left early" => self.server_stream_left_early().await,
            "client stream" => self.client_stream().await,
            "bidi stream in lockstep" => self.bidi_stream_in_lockstep().await,
            "metadata" => self.metadata().await,
            "error with details" => self.failure("Grüße, 世界 🎶: 100 %\nsecond line").await,
            "large trailers" => self.failure(&"0123456789".repeat(800)).await,
            "unimplemented" => self.unimplemented().await,
            "gzip" => self.gzip().await,
            "mebibyte" => self.mebibyte().await,
            "request over the limit" => self.request_over_the_limit().await,
            "deadline" => self.deadline().await,
            "cancel" => self.cancel().await,
            "many at once" => self.many_at_once().await,
            _ => Err("there is no such check".into()),
        }
    }

    async fn say(&mut self, request: EchoRequest) -> Result<EchoResponse, String> {
        let response = self.echo.say(soon(request)).await.map_err(failed)?;
        Ok(response.into_inner())
    }

    async fn unary(&mut self) -> Outcome {
        let response = self
            .say(EchoRequest {
                text: "jodeln".into(),
                payload: all_bytes(),
                ..Default::default()
            })
            .await?;
        let want = EchoResponse {
            text: "jodeln".into(),
            payload: all_bytes(),
            index: 0,
        };
        expect!("response", response, want);
        Ok(())
    }

    async fn empty_message(&mut self) -> Outcome {
        expect!(
            "response",
            self.say(EchoRequest::default()).await?,
            EchoResponse::default()
        );
        Ok(())
    }

    async fn server_stream(&mut self, times: i32) -> Outcome {
        let request = EchoRequest {
            text: "x".into(),
            times,
            ..Default::default()
        };
        let mut responses = self
            .echo
            .count(soon(request))
            .await
            .map_err(failed)?
            .into_inner();
        let mut number = 0;
        while let Some(response) = responses.message().await.map_err(failed)? {
            expect!(
                "response",
                response,
                EchoResponse {
                    text: "x".into(),
                    payload: Bytes::new(),
                    index: number
                }
            );
            number += 1;
        }
        expect!("number of responses", number, times);
        Ok(())
    }

    /// Leaves more unread than flow control lets through, and calls again.
    async fn server_stream_left_early(&mut self) -> Outcome {
        for _ in 0..20 {
            let request = EchoRequest {
                payload: zeros(MEBIBYTE),
                times: 10,
                ..Default::default()
            };
            let mut responses = self
                .echo
                .count(soon(request))
                .await
                .map_err(failed)?
                .into_inner();
            let first = responses.message().await.map_err(failed)?;
            expect!("there is a response", first.is_some(), true);
        }
        self.unary().await
    }

    async fn client_stream(&mut self) -> Outcome {
        let requests = tokio_stream::iter(0..1000).map(|i| EchoRequest {
            text: (i % 10).to_string(),
            ..Default::default()
        });
        let response = self
            .echo
            .join(soon(requests))
            .await
            .map_err(failed)?
            .into_inner();
        expect!("number of requests", response.index, 1000);
        expect!("text", response.text, "0123456789".repeat(100));
        Ok(())
    }

    async fn bidi_stream_in_lockstep(&mut self) -> Outcome {
        let (out, requests) = mpsc::channel(1);
        let call = self.echo.chat(soon(ReceiverStream::new(requests)));
        let mut responses = call.await.map_err(failed)?.into_inner();
        for i in 0..100 {
            let request = EchoRequest {
                text: i.to_string(),
                ..Default::default()
            };
            out.send(request).await.map_err(|error| error.to_string())?;
            let response = responses.message().await.map_err(failed)?;
            let want = EchoResponse {
                text: i.to_string(),
                payload: Bytes::new(),
                index: i,
            };
            expect!("response", response, Some(want));
        }
        drop(out);
        expect!(
            "after the last response",
            responses.message().await.map_err(failed)?,
            None
        );
        Ok(())
    }

    async fn metadata(&mut self) -> Outcome {
        let texts = vec!["first".to_string(), "second, with a comma".to_string()];
        let binaries = vec![all_bytes(), Bytes::new()];
        // Of a unary call tonic mixes headers and trailers.
        let mut request = soon(EchoRequest {
            times: 1,
            ..Default::default()
        });
        for text in &texts {
            request
                .metadata_mut()
                .append("x-echo", text.parse().expect("a valid value"));
        }
        for binary in &binaries {
            request
                .metadata_mut()
                .append_bin("x-echo-bin", BinaryMetadataValue::from_bytes(binary));
        }
        let response = self.echo.count(request).await.map_err(failed)?;
        let header = response.metadata().clone();
        let mut responses = response.into_inner();
        while responses.message().await.map_err(failed)?.is_some() {}
        let trailer = responses
            .trailers()
            .await
            .map_err(failed)?
            .unwrap_or_default();
        expect!("header x-echo", values(&header, "x-echo"), texts);
        expect!("trailer x-trailer", values(&trailer, "x-trailer"), texts);
        expect!(
            "header x-echo-bin",
            binary_values(&header, "x-echo-bin"),
            binaries
        );
        expect!(
            "trailer x-trailer-bin",
            binary_values(&trailer, "x-trailer-bin"),
            binaries
        );
        Ok(())
    }

    /// Expects the status that a server is asked for, in all its parts.
    async fn failure(&mut self, message: &str) -> Outcome {
        let failure = Failure {
            code: Code::FailedPrecondition as i32,
            message: message.into(),
        };
        let request = EchoRequest {
            failure: Some(failure.clone()),
            ..Default::default()
        };
        let unary = self.echo.say(soon(request.clone())).await.err();
        let stream = match self.echo.count(soon(request)).await {
            Ok(response) => response.into_inner().message().await.err(),
            Err(status) => Some(status),
        };
        for (kind, status) in [("unary", unary), ("stream", stream)] {
            let status = status.ok_or(format!("{kind}: the call did not fail"))?;
            expect!(
                format!("{kind} code"),
                status.code(),
                Code::FailedPrecondition
            );
            expect!(format!("{kind} message"), status.message(), message);
            expect!(
                format!("{kind} detail"),
                contract::detail(&status),
                Some(failure.clone())
            );
        }
        Ok(())
    }

    async fn unimplemented(&mut self) -> Outcome {
        let mut client = tonic::client::Grpc::new(self.channel.clone());
        client.ready().await.map_err(|error| error.to_string())?;
        let codec = tonic_prost::ProstCodec::<EchoRequest, EchoResponse>::default();
        let path = PathAndQuery::from_static("/yodel.interop.Echo/Missing");
        let status = client
            .unary(soon(EchoRequest::default()), path, codec)
            .await
            .err();
        expect!(
            "code",
            status.map(|status| status.code()),
            Some(Code::Unimplemented)
        );
        Ok(())
    }

    async fn wire(&mut self) -> Result<WireResponse, String> {
        Ok(self
            .echo
            .wire(soon(WireRequest {}))
            .await
            .map_err(failed)?
            .into_inner())
    }

    async fn gzip(&mut self) -> Outcome {
        let mut echo = self
            .echo
            .clone()
            .send_compressed(CompressionEncoding::Gzip)
            .accept_compressed(CompressionEncoding::Gzip);
        let mut request = soon(EchoRequest {
            payload: zeros(MEBIBYTE),
            ..Default::default()
        });
        request
            .metadata_mut()
            .insert("x-compress", "gzip".parse().expect("a valid value"));
        let before = self.wire().await?;
        let response = echo.say(request).await.map_err(failed)?.into_inner();
        let after = self.wire().await?;
        let limit = MEBIBYTE as i64 / 16;
        expect!(
            "payload is the same",
            response.payload == zeros(MEBIBYTE),
            true
        );
        expect!(
            "request compressed",
            after.received - before.received < limit,
            true
        );
        expect!(
            "response compressed",
            after.sent - before.sent < limit,
            true
        );
        Ok(())
    }

    async fn mebibyte(&mut self) -> Outcome {
        let payload = Bytes::from(all_bytes().repeat(MEBIBYTE / 256));
        let response = self
            .say(EchoRequest {
                payload: payload.clone(),
                ..Default::default()
            })
            .await?;
        expect!("payload is the same", response.payload == payload, true);
        Ok(())
    }

    async fn request_over_the_limit(&mut self) -> Outcome {
        let request = EchoRequest {
            payload: zeros(5 * MEBIBYTE),
            ..Default::default()
        };
        let status = self.echo.say(soon(request)).await.err();
        expect!(
            "code",
            status.map(|status| status.code()),
            Some(Code::ResourceExhausted)
        );
        Ok(())
    }

    async fn deadline(&mut self) -> Outcome {
        let mut want = self.ended().await?;
        let began = Instant::now();
        let mut request = Request::new(EchoRequest {
            hang: true,
            ..Default::default()
        });
        request.set_timeout(Duration::from_millis(300));
        let status = self
            .echo
            .say(request)
            .await
            .err()
            .ok_or("the call did not fail")?;
        // tonic has a word of its own for the end of its timer.
        if status.message() != "Timeout expired" {
            expect!(
                format!("code of {:?}", status.message()),
                status.code(),
                Code::DeadlineExceeded
            );
        }
        expect!(
            "ended in time",
            began.elapsed() < Duration::from_secs(5),
            true
        );
        want.with_deadline += 1;
        self.await_ended(want).await
    }

    async fn cancel(&mut self) -> Outcome {
        let mut want = self.ended().await?;
        let (out, requests) = mpsc::channel(1);
        let call = self.echo.chat(Request::new(ReceiverStream::new(requests)));
        let mut responses = call.await.map_err(failed)?.into_inner();
        let request = EchoRequest {
            hang: true,
            ..Default::default()
        };
        out.send(request).await.map_err(|error| error.to_string())?;
        // The answer shows that the handler has the request.
        expect!(
            "there is a response",
            responses.message().await.map_err(failed)?.is_some(),
            true
        );
        // hyper resets the stream when both of its halves have gone.
        drop(responses);
        drop(out);
        want.without_deadline += 1;
        self.await_ended(want).await
    }

    async fn ended(&mut self) -> Result<EndedResponse, String> {
        Ok(self
            .echo
            .ended(soon(EndedRequest {}))
            .await
            .map_err(failed)?
            .into_inner())
    }

    async fn await_ended(&mut self, want: EndedResponse) -> Outcome {
        let began = Instant::now();
        loop {
            let got = self.ended().await?;
            if got == want {
                return Ok(());
            }
            if began.elapsed() > TIMEOUT {
                expect!("what the handlers saw", got, want);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn many_at_once(&mut self) -> Outcome {
        let mut calls = JoinSet::new();
        for i in 0..500 {
            let mut checks = self.clone();
            calls.spawn(async move {
                let text = i.to_string();
                let response = checks
                    .say(EchoRequest {
                        text: text.clone(),
                        ..Default::default()
                    })
                    .await?;
                expect!("text", response.text, text);
                Ok(())
            });
        }
        calls.join_all().await.into_iter().collect()
    }
}

fn values(metadata: &MetadataMap, key: &str) -> Vec<String> {
    let all = metadata.get_all(key).iter();
    all.map(|value| value.to_str().unwrap_or("not a text").to_string())
        .collect()
}

fn binary_values(metadata: &MetadataMap, key: &str) -> Vec<Bytes> {
    let all = metadata.get_all_bin(key).iter();
    all.map(|value| value.to_bytes().unwrap_or_else(|_| "not base64".into()))
        .collect()
}

const CHECKS: [&str; 17] = [
    "unary",
    "empty message",
    "server stream",
    "server stream of nothing",
    "server stream left early",
    "client stream",
    "bidi stream in lockstep",
    "metadata",
    "error with details",
    "large trailers",
    "unimplemented",
    "gzip",
    "mebibyte",
    "request over the limit",
    "deadline",
    "cancel",
    "many at once",
];

pub async fn check(
    address: &str,
    ca: Option<&str>,
) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let mut endpoint = Endpoint::from_shared(format!("http://{address}"))?;
    if let Some(ca) = ca {
        let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(std::fs::read(ca)?));
        endpoint = Endpoint::from_shared(format!("https://{address}"))?.tls_config(tls)?;
    }
    // Its default is 16 KiB.
    let channel = endpoint
        .http2_max_header_list_size(64 << 10)
        .connect()
        .await?;
    let mut checks = Checks {
        echo: EchoClient::new(channel.clone()),
        channel,
    };
    let (mut passed, mut failed) = (0, 0);
    for name in CHECKS {
        match checks.run(name).await {
            Ok(()) => {
                passed += 1;
                println!("ok\t{name}");
            }
            Err(reason) => {
                failed += 1;
                println!("FAIL\t{name}\t{}", reason.replace(['\n', '\t'], " "));
            }
        }
    }
    println!("{passed} passed, {failed} failed");
    Ok(if failed > 0 {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}
