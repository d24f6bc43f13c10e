//! One process of rez, and the conversation with it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

use crate::{
    RezError,
    program::Manner,
    question::Question,
    sys::{self, Answers, Child, Questions, Started},
};

/// How long a process may take to end before it counts as hanging in the kernel.
const GRACE: Duration = Duration::from_secs(1);

/// How long rez may take to start: its installation may lie on slow storage, and no definition is
/// to blame for that.
const START: Duration = Duration::from_secs(30);

/// Longest answer that is read: a package has a few variants.
const LONGEST_ANSWER: u64 = 16 << 20;

#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    questions: Questions,
    answers: BufReader<Answers>,
    manner: Manner,
}

/// What a question came to.
#[derive(Debug)]
pub(crate) enum Reply {
    Answer(Value),
    /// What rez raised.
    Error(String),
    /// The definition was not done in time, and ended.
    Late,
    /// The definition ended the process that read it.
    Died,
}

#[derive(Serialize)]
struct Asked<'a> {
    id: u64,
    /// How long the answer may take.
    seconds: f64,
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
    #[serde(default)]
    late: bool,
    #[serde(default)]
    died: bool,
}

impl Process {
    /// Starts a process and waits for its greeting, the version of rez.
    pub(crate) async fn start(
        command: &[String],
        manner: Manner,
        left_behind: &Arc<AtomicUsize>,
    ) -> Result<(Self, String), RezError> {
        let failed = |reason: String| RezError::Start { command: command.join(" "), reason };
        let [program, arguments @ ..] = command else {
            return Err(failed("rez.python_command is empty".to_owned()));
        };
        let arguments = arguments.iter().map(|own| &**own).chain(manner.arguments());
        let Started { child, questions, answers } =
            sys::start(program, arguments).map_err(|error| failed(error.to_string()))?;
        let mut process = Self { child, questions, answers: BufReader::new(answers), manner };
        let reason = match tokio::time::timeout(START, process.line()).await {
            Ok(Ok(greeting)) => match serde_json::from_str::<Greeting>(&greeting) {
                Ok(greeting) => return Ok((process, greeting.rez)),
                Err(_) => "it is no Python that has rez".to_owned(),
            },
            Ok(Err(_)) => "it ended; run it by hand with -c 'import rez'".to_owned(),
            Err(_) => format!("it did not start within {} s", START.as_secs()),
        };
        process.kill(Arc::clone(left_behind)).await;
        Err(failed(reason))
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Asks, and waits for the answer, which the process ends by itself when it is late.
    pub(crate) async fn ask(
        &mut self,
        id: u64,
        question: &Question,
        deadline: Duration,
    ) -> Result<Reply, RezError> {
        let asked = Asked { id, seconds: deadline.as_secs_f64(), question };
        let mut line =
            serde_json::to_vec(&asked).map_err(|error| RezError::Answer(error.to_string()))?;
        line.push(b'\n');
        let patience = deadline + self.manner.readiness() + GRACE;
        let conversation = async {
            self.questions.write_all(&line).await.map_err(|_| RezError::Died)?;
            self.line().await
        };
        let answer = tokio::time::timeout(patience, conversation).await;
        let answer = answer.map_err(|_| RezError::TimedOut { after: deadline })??;
        let answered: Answered =
            serde_json::from_str(&answer).map_err(|error| RezError::Answer(error.to_string()))?;
        Ok(match answered {
            Answered { id: other, .. } if other != id => {
                return Err(RezError::Answer("it belongs to another question".to_owned()));
            }
            Answered { late: true, .. } => Reply::Late,
            Answered { died: true, .. } => Reply::Died,
            Answered { error: Some(raised), .. } => Reply::Error(raised),
            Answered { answer, .. } => Reply::Answer(answer),
        })
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

    /// Ends it with all that its definitions started, which it does itself when nobody can ask it
    /// any more.
    pub(crate) async fn end(self, left_behind: Arc<AtomicUsize>) {
        let Self { child, questions, .. } = self;
        drop(questions);
        wait(child, left_behind).await;
    }

    /// Kills one that has not shown yet that it would end by itself.
    async fn kill(self, left_behind: Arc<AtomicUsize>) {
        self.child.kill();
        wait(self.child, left_behind).await;
    }
}

/// Waits until a process has ended. One that does not is counted until it does.
async fn wait(mut child: Child, left_behind: Arc<AtomicUsize>) {
    if tokio::time::timeout(GRACE, child.wait()).await.is_err() {
        tracing::warn!("a process of rez hangs in the kernel; it is left behind");
        left_behind.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(async move {
            child.wait().await;
            left_behind.fetch_sub(1, Ordering::Relaxed);
        });
    }
}
