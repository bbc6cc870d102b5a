//! What the driver says and hears: one JSON object a line. See
//! bench/process/protocol.go.

use std::fs;
use std::io::{self, BufRead, Write};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What a process is started with.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Spec {
    pub address: String,
    pub options: Options,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Options {
    pub network: String,
    pub certificates: String,
    pub streams: u32,
    pub annotate: bool,
    pub work: Work,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Work {
    pub sleep_every: i64,
    pub steps: i64,
}

impl Spec {
    pub fn supported(&self) -> bool {
        let options = &self.options;
        options.certificates.is_empty()
            && !options.annotate
            && options.work.sleep_every == 0
            && options.work.steps == 0
    }

    pub fn unix(&self) -> bool {
        self.options.network == "unix"
    }
}

/// A command.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Command {
    pub op: String,
    pub workload: Workload,
    /// In nanoseconds.
    pub time: u64,
}

#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Workload {
    pub kind: String,
    pub bytes: usize,
    pub concurrency: usize,
    pub conns: usize,
    pub messages: usize,
    pub deadline: bool,
}

/// An answer.
#[derive(Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Answer {
    pub address: String,
    pub usage: Usage,
    pub result: Outcome,
    pub error: String,
    pub unsupported: bool,
}

#[derive(Default, Serialize)]
pub struct Usage {
    /// In nanoseconds.
    #[serde(rename = "CPU")]
    pub cpu: i64,
    #[serde(rename = "RSS")]
    pub rss: i64,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Outcome {
    pub calls: u64,
    pub seconds: f64,
    pub latency: Latency,
}

/// In microseconds.
#[derive(Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Latency {
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub p999: f64,
    pub max: f64,
}

impl Answer {
    pub fn unsupported() -> Self {
        Self {
            unsupported: true,
            ..Self::failed("unsupported".into())
        }
    }

    pub fn failed(error: String) -> Self {
        Self {
            error,
            ..Self::default()
        }
    }

    pub fn usage() -> io::Result<Self> {
        Ok(Self {
            usage: Usage::now()?,
            ..Self::default()
        })
    }
}

impl Usage {
    /// What this process has used until now.
    pub fn now() -> io::Result<Self> {
        // SAFETY: both calls only write to what they are given.
        let (used, page) = unsafe {
            let mut used: libc::rusage = std::mem::zeroed();
            if libc::getrusage(libc::RUSAGE_SELF, &mut used) != 0 {
                return Err(io::Error::last_os_error());
            }
            (used, libc::sysconf(libc::_SC_PAGESIZE))
        };
        let nanoseconds = |t: libc::timeval| t.tv_sec * 1_000_000_000 + t.tv_usec * 1000;
        let statm = fs::read_to_string("/proc/self/statm")?;
        let resident: i64 = statm
            .split_whitespace()
            .nth(1)
            .and_then(|pages| pages.parse().ok())
            .ok_or_else(|| io::Error::other("/proc/self/statm has another form"))?;
        Ok(Self {
            cpu: nanoseconds(used.ru_utime) + nanoseconds(used.ru_stime),
            rss: resident * page,
        })
    }
}

impl Latency {
    pub fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |share: f64| {
            let i = (share * times.len() as f64) as usize;
            let time = times.get(i).or(times.last()).copied().unwrap_or_default();
            time.as_nanos() as f64 / 1e3
        };
        Self {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: at(1.0),
        }
    }
}

pub fn say(answer: &Answer) -> io::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, answer)?;
    out.write_all(b"\n")?;
    out.flush()
}

/// Answers commands until the input ends.
pub fn answer(mut act: impl FnMut(Command) -> io::Result<Answer>) -> io::Result<()> {
    for line in io::stdin().lock().lines() {
        say(&act(serde_json::from_str(&line?)?)?)?;
    }
    Ok(())
}
