//! The client: each caller is a task with a stub of its own; all stubs share
//! one channel unless the workload asks for more.

use std::io;
use std::iter::repeat_n;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::transport::{Channel, Endpoint};

use crate::contract::echo_client::EchoClient;
use crate::contract::{DownRequest, Msg};
use crate::wire::{self, Answer, Command, Latency, Outcome, Spec, Usage, Workload};

type Failure = Box<dyn std::error::Error + Send + Sync>;
type Stub = EchoClient<Channel>;

/// A bidirectional stream that stays open.
struct Chat {
    out: mpsc::Sender<Msg>,
    answers: Streaming<Msg>,
}

impl Chat {
    /// Opens a stream with a first exchange: a server need not send a header
    /// before it has an answer.
    async fn open(mut stub: Stub, msg: Msg) -> Result<Self, Failure> {
        let (out, requests) = mpsc::channel(1);
        out.send(msg).await?;
        let mut answers = stub.chat(ReceiverStream::new(requests)).await?.into_inner();
        answers.message().await?;
        Ok(Self { out, answers })
    }

    async fn exchange(&mut self, msg: Msg) -> Result<Msg, Failure> {
        self.out.send(msg).await?;
        let answer = self.answers.message().await?;
        answer.ok_or_else(|| "the stream has ended".into())
    }
}

/// One caller, and what it has seen.
struct Worker {
    workload: Workload,
    endpoint: Endpoint,
    stub: Option<Stub>,
    chat: Option<Chat>,
    msg: Msg,
    calls: u64,
    times: Vec<Duration>,
}

impl Worker {
    /// Repeats steps. One look at the clock ends one and begins the next.
    async fn work(mut self, until: Instant, stop: Arc<AtomicBool>) -> Result<Self, Failure> {
        let mut began = Instant::now();
        while began < until && !stop.load(Ordering::Relaxed) {
            match self.step().await {
                Ok(calls) => self.calls += calls as u64,
                Err(failure) => {
                    stop.store(true, Ordering::Relaxed);
                    return Err(failure);
                }
            }
            let now = Instant::now();
            self.times.push(now - began);
            began = now;
        }
        Ok(self)
    }

    async fn step(&mut self) -> Result<usize, Failure> {
        match (self.workload.kind.as_str(), &mut self.stub, &mut self.chat) {
            ("say", Some(stub), _) => say(stub, &self.msg).await,
            ("chat", _, Some(chat)) => {
                let answer = chat.exchange(self.msg.clone()).await?;
                same_size(&self.msg, &answer)
            }
            ("down", Some(stub), _) => down(stub, &self.workload).await,
            ("up", Some(stub), _) => up(stub, &self.msg, self.workload.messages).await,
            ("cold", ..) => {
                let channel = self.endpoint.connect().await?;
                say(&mut EchoClient::new(channel), &self.msg).await
            }
            (kind, ..) => Err(format!("there is no workload {kind:?}").into()),
        }
    }
}

fn same_size(request: &Msg, answer: &Msg) -> Result<usize, Failure> {
    if request.body.len() != answer.body.len() {
        return Err("an answer has not the size of its request".into());
    }
    Ok(1)
}

async fn say(stub: &mut Stub, msg: &Msg) -> Result<usize, Failure> {
    let answer = stub.say(msg.clone()).await?.into_inner();
    same_size(msg, &answer)
}

async fn down(stub: &mut Stub, workload: &Workload) -> Result<usize, Failure> {
    let request = DownRequest {
        messages: workload.messages as i64,
        bytes: workload.bytes as i64,
    };
    let mut answers = stub.down(request).await?.into_inner();
    let (mut messages, mut bytes) = (0, 0);
    while let Some(msg) = answers.message().await? {
        messages += 1;
        bytes += msg.body.len();
    }
    if messages != workload.messages || bytes != messages * workload.bytes {
        return Err(format!("{messages} messages with {bytes} bytes came").into());
    }
    Ok(messages)
}

async fn up(stub: &mut Stub, msg: &Msg, n: usize) -> Result<usize, Failure> {
    let requests = tokio_stream::iter(repeat_n(msg.clone(), n));
    let answer = stub.up(requests).await?.into_inner();
    if answer.messages != n as i64 || answer.bytes != (n * msg.body.len()) as i64 {
        return Err(format!("{answer:?} arrived").into());
    }
    Ok(n)
}

/// What all callers of a run have seen.
struct Seen {
    calls: u64,
    seconds: f64,
    times: Vec<Duration>,
}

struct Client {
    endpoint: Endpoint,
    stubs: Vec<Stub>,
    /// Chats stay open from one run to the next.
    chats: Vec<Chat>,
}

impl Client {
    /// Returns the callers of a workload, with their connections and streams open.
    async fn workers(&mut self, workload: &Workload) -> Result<Vec<Worker>, Failure> {
        let n = workload.concurrency.max(1);
        if workload.kind != "cold" {
            while self.stubs.len() < workload.conns.max(1) {
                let channel = self.endpoint.connect().await?;
                self.stubs.push(EchoClient::new(channel));
            }
        }
        let msg = Msg {
            body: vec![0; workload.bytes].into(),
        };
        if workload.kind == "chat" {
            while self.chats.len() < n {
                let stub = &self.stubs[self.chats.len() % self.stubs.len()];
                self.chats
                    .push(Chat::open(stub.clone(), msg.clone()).await?);
            }
        }
        let mut chats = self.chats.drain(..);
        let worker = |i: usize| Worker {
            workload: workload.clone(),
            endpoint: self.endpoint.clone(),
            stub: (!self.stubs.is_empty()).then(|| self.stubs[i % self.stubs.len()].clone()),
            chat: chats.next(),
            msg: msg.clone(),
            calls: 0,
            times: Vec::new(),
        };
        Ok((0..n).map(worker).collect())
    }

    async fn run(&mut self, workload: &Workload, time: Duration) -> Result<Seen, Failure> {
        let workers = self.workers(workload).await?;
        let stop = Arc::new(AtomicBool::new(false));
        let began = Instant::now();
        let mut tasks = JoinSet::new();
        for worker in workers {
            tasks.spawn(worker.work(began + time, stop.clone()));
        }
        let ended = tasks.join_all().await;
        let seconds = began.elapsed().as_secs_f64();
        let (mut calls, mut times) = (0, Vec::new());
        for worker in ended {
            let worker = worker?;
            calls += worker.calls;
            times.extend(worker.times);
            self.chats.extend(worker.chat);
        }
        Ok(Seen {
            calls,
            seconds,
            times,
        })
    }
}

/// Runs a workload; the answer's usage is what it took.
fn measure(runtime: &Runtime, client: &mut Client, command: Command) -> io::Result<Answer> {
    if command.workload.deadline {
        return Ok(Answer::unsupported());
    }
    let time = Duration::from_nanos(command.time);
    let before = Usage::now()?;
    let result = runtime.block_on(client.run(&command.workload, time));
    let mut usage = Usage::now()?;
    usage.cpu -= before.cpu;
    Ok(match result {
        Ok(seen) => Answer {
            result: Outcome {
                calls: seen.calls,
                seconds: seen.seconds,
                latency: Latency::of(seen.times),
            },
            usage,
            ..Answer::default()
        },
        Err(failure) => Answer::failed(failure.to_string()),
    })
}

pub fn run(runtime: &Runtime, spec: &Spec) -> Result<(), Box<dyn std::error::Error>> {
    let scheme = if spec.unix() { "unix:" } else { "http://" };
    let mut client = Client {
        endpoint: Endpoint::from_shared(format!("{scheme}{}", spec.address))?,
        stubs: Vec::new(),
        chats: Vec::new(),
    };
    wire::answer(|command| match command.op.as_str() {
        "run" => measure(runtime, &mut client, command),
        "usage" => Answer::usage(),
        _ => Ok(Answer::unsupported()),
    })?;
    Ok(())
}
