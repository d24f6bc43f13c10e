//! One process of rez, and the conversation with it.

use std::{
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use crate::{RezError, question::Question};

const PROGRAM: &str = include_str!("worker.py");

/// How long a killed process may take to die before it counts as hanging in the kernel.
const GRACE: Duration = Duration::from_secs(1);

/// Longest answer that is read: a package has a few variants.
const LONGEST_ANSWER: u64 = 16 << 20;

#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

/// What a question came to.
#[derive(Debug)]
pub(crate) enum Reply {
    Answer(Value),
    /// What rez raised.
    Error(String),
}

#[derive(Serialize)]
struct Asked<'a> {
    id: u64,
    #[serde(flatten)]
    question: &'a Question,
}

#[derive(Deserialize)]
struct Greeting {
    rez: String,
}

#[derive(Deserialize)]
struct Answered {
    id: u64,
    #[serde(default)]
    answer: Value,
    error: Option<String>,
}

impl Process {
    /// Starts a process and waits for its greeting, the version of rez.
    pub(crate) async fn start(command: &[String]) -> Result<(Self, String), RezError> {
        let failed = |reason: String| RezError::Start { command: command.join(" "), reason };
        let [program, arguments @ ..] = command else {
            return Err(failed("rez.python_command is empty".to_owned()));
        };
        // A group of its own: rez-python starts Python as a child, and both go together.
        let mut child = Command::new(program)
            .args(arguments)
            .args(["-c", PROGRAM])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .current_dir("/")
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed(error.to_string()))?;
        let (Some(questions), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(failed("it has no pipes".to_owned()));
        };
        let mut process = Self { child, questions, answers: BufReader::new(answers) };
        let greeting = match process.line().await {
            Ok(greeting) => greeting,
            Err(_) => {
                return Err(failed("it ended; run it by hand with -c 'import rez'".to_owned()));
            }
        };
        let greeting: Greeting =
            serde_json::from_str(&greeting).map_err(|error| failed(error.to_string()))?;
        Ok((process, greeting.rez))
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Asks, and waits for the answer for as long as it takes.
    pub(crate) async fn ask(&mut self, id: u64, question: &Question) -> Result<Reply, RezError> {
        let mut line = serde_json::to_vec(&Asked { id, question })
            .map_err(|error| RezError::Answer(error.to_string()))?;
        line.push(b'\n');
        self.questions.write_all(&line).await.map_err(|_| RezError::Died)?;
        let answered: Answered = serde_json::from_str(&self.line().await?)
            .map_err(|error| RezError::Answer(error.to_string()))?;
        if answered.id != id {
            return Err(RezError::Answer("it belongs to another question".to_owned()));
        }
        Ok(answered.error.map_or(Reply::Answer(answered.answer), Reply::Error))
    }

    async fn line(&mut self) -> Result<String, RezError> {
        let mut line = String::new();
        let mut answers = (&mut self.answers).take(LONGEST_ANSWER);
        let read = answers.read_line(&mut line).await;
        match read {
            Ok(_) if line.ends_with('\n') => Ok(line),
            _ => Err(RezError::Died),
        }
    }

    /// Kills it with all that it started. One that does not die is counted until it does.
    pub(crate) async fn kill(mut self, left_behind: Arc<AtomicUsize>) {
        let group = self.child.id().and_then(|pid| i32::try_from(pid).ok());
        if let Some(group) = group.and_then(rustix::process::Pid::from_raw) {
            // It may have ended by itself.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        if tokio::time::timeout(GRACE, self.child.wait()).await.is_err() {
            tracing::warn!("a process of rez hangs in the kernel; it is left behind");
            left_behind.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(async move {
                let _ = self.child.wait().await;
                left_behind.fetch_sub(1, Ordering::Relaxed);
            });
        }
    }
}
