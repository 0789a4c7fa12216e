//! As much of Redis as check-eligibility needs, which answers at once, late or never.

use anyhow::Result;
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// When it answers.
#[derive(Clone, Copy, Debug)]
pub enum Manner {
    /// At once.
    Prompt,
    /// So long after it has read the commands that have come.
    Late(Duration),
    /// Never: it accepts connections and reads.
    Hung,
}

/// What it keeps.
type Values = Mutex<HashMap<Vec<u8>, Vec<u8>>>;

/// Starts a server; returns its address. It ends with the process.
///
/// # Errors
/// When no port is free.
pub fn start(manner: Manner) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("redis://{}", listener.local_addr()?);
    let values = Arc::<Values>::default();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let values = values.clone();
            std::thread::spawn(move || serve(&stream, manner, &values));
        }
    });
    Ok(url)
}

/// Serves a connection until it is closed.
fn serve(mut stream: &TcpStream, manner: Manner, values: &Values) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut commands, mut answers) = (BufReader::new(stream), Vec::new());
    loop {
        let command = read(&mut commands)?;
        answers.extend(answer(&command, values));
        // Commands that have come together are answered together, as Redis does.
        if !commands.buffer().is_empty() {
            continue;
        }
        match manner {
            Manner::Prompt => {}
            Manner::Late(late) => std::thread::sleep(late),
            Manner::Hung => answers.clear(),
        }
        stream.write_all(&std::mem::take(&mut answers))?;
    }
}

fn answer(command: &[Vec<u8>], values: &Values) -> Vec<u8> {
    let mut values = values.lock().unwrap_or_else(PoisonError::into_inner);
    let is = |name: &str| command.first().is_some_and(|word| word.eq_ignore_ascii_case(name.as_bytes()));
    match command {
        [_, key, value, ..] if is("SET") => {
            values.insert(key.clone(), value.clone());
        }
        [_, key] if is("GET") => {
            let Some(value) = values.get(key) else { return b"$-1\r\n".to_vec() };
            return [format!("${}\r\n", value.len()).as_bytes(), value, b"\r\n"].concat();
        }
        _ => {}
    }
    b"+OK\r\n".to_vec()
}

/// The words of a command.
fn read(stream: &mut impl BufRead) -> std::io::Result<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    for _ in 0..number(stream, '*')? {
        let length = number(stream, '$')?;
        let mut word = vec![0; length + 2];
        stream.read_exact(&mut word)?;
        word.truncate(length);
        words.push(word);
    }
    Ok(words)
}

/// The number in a line that begins with a mark.
fn number(stream: &mut impl BufRead, mark: char) -> std::io::Result<usize> {
    let mut line = String::new();
    // The end of the connection is an empty line, which is not a number.
    stream.read_line(&mut line)?;
    let number = line.trim_end().strip_prefix(mark).and_then(|number| number.parse().ok());
    number.ok_or_else(|| std::io::ErrorKind::InvalidData.into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use std::io::Read;

    fn told(url: &str, commands: &str, answers: usize) -> String {
        let mut stream = TcpStream::connect(url.strip_prefix("redis://").unwrap()).unwrap();
        stream.write_all(commands.as_bytes()).unwrap();
        let mut told = vec![0; answers];
        stream.read_exact(&mut told).unwrap();
        String::from_utf8(told).unwrap()
    }

    #[test]
    fn it_keeps_what_it_is_told_and_answers_in_order() {
        let url = start(Manner::Prompt).unwrap();
        let get = "*2\r\n$3\r\nGET\r\n$1\r\na\r\n";
        let set = "*5\r\n$3\r\nSET\r\n$1\r\na\r\n$4\r\n1\r\n2\r\n$2\r\nEX\r\n$1\r\n9\r\n";
        let expected = "$-1\r\n+OK\r\n$4\r\n1\r\n2\r\n";
        assert_eq!(told(&url, &[get, set, get].concat(), expected.len()), expected);
        assert_eq!(told(&url, get, 10), "$4\r\n1\r\n2\r\n", "on another connection, too");
    }
}
