//! A scripted Redis, which answers at once, late or never.

use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// How it answers commands. It greets every connection at once, unless it is mute.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Manner {
    /// At once.
    Prompt,
    /// After so long.
    Slow(Duration),
    /// Never: it accepts connections and reads.
    Hung,
    /// Never, not even the first command of a connection.
    Mute,
}

/// The server. It ends with the test.
pub struct RedisServer {
    /// `redis://…`.
    pub url: String,
    state: Arc<Mutex<State>>,
}

struct State {
    manner: Manner,
    commands: Vec<String>,
}

impl RedisServer {
    pub async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("redis://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State { manner, commands: Vec::new() }));
        let server = state.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(server.clone(), stream));
            }
        });
        Self { url, state }
    }

    /// Answers like this from now on, on new connections; those that hang continue hanging.
    pub fn becomes(&self, manner: Manner) {
        self.state.lock().unwrap().manner = manner;
    }

    /// How many commands of this name have reached it.
    pub fn count(&self, name: &str) -> usize {
        self.state.lock().unwrap().commands.iter().filter(|it| *it == name).count()
    }
}

/// Serves a connection in the manner of its beginning.
async fn serve(state: Arc<Mutex<State>>, stream: TcpStream) {
    let manner = state.lock().unwrap().manner;
    let mut stream = BufReader::new(stream);
    while let Some(command) = read(&mut stream).await {
        let name = command[0].to_uppercase();
        state.lock().unwrap().commands.push(name.clone());
        let answer: &[u8] = match name.as_str() {
            "PING" => b"+PONG\r\n",
            "GET" if command[1] == "a-list" => {
                b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"
            }
            "GET" => b"$-1\r\n",
            "SMEMBERS" => b"*1\r\n$1\r\n\xff\r\n",
            _ => b"+OK\r\n",
        };
        let is_greeting = ["CLIENT", "PING"].contains(&name.as_str());
        match manner {
            Manner::Mute => continue,
            Manner::Hung if !is_greeting => continue,
            Manner::Slow(late) if !is_greeting => tokio::time::sleep(late).await,
            _ => {}
        }
        if stream.write_all(answer).await.is_err() {
            return;
        }
    }
}

/// The words of a command; `None` once the client has gone.
async fn read(stream: &mut BufReader<TcpStream>) -> Option<Vec<String>> {
    let mut words = Vec::new();
    for _ in 0..number(stream, '*').await? {
        let mut word = vec![0; number(stream, '$').await? + 2];
        stream.read_exact(&mut word).await.ok()?;
        words.push(String::from_utf8_lossy(&word[..word.len() - 2]).into_owned());
    }
    Some(words)
}

async fn number(stream: &mut BufReader<TcpStream>, mark: char) -> Option<usize> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
    line.trim_end().strip_prefix(mark)?.parse().ok()
}
