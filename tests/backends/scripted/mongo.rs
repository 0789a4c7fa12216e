//! A scripted server for MongoDB's wire protocol (OP_MSG).

use backend_mongodb::Mongo;
use mongodb::bson::{Document, doc};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The operation code of OP_MSG.
const OP_MSG: i32 = 2013;
/// The length of a header, and of the flags and the section's kind behind it.
const HEADER: usize = 16;
const BEFORE_BODY: usize = 5;

type Script = dyn Fn(&str, usize, &Document) -> Document + Send + Sync;

/// The server. It ends with the test.
pub struct Scripted {
    url: String,
    asked: Arc<Asked>,
}

struct Asked {
    script: Box<Script>,
    commands: Mutex<Vec<(String, Document)>>,
}

impl Scripted {
    /// Answers each command with the result of `script`, which gets its name, how many commands of that name came
    /// before, and its body.
    pub async fn start(script: impl Fn(&str, usize, &Document) -> Document + Send + Sync + 'static) -> Self {
        let asked = Arc::new(Asked { script: Box::new(script), commands: Mutex::default() });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("mongodb://{}", listener.local_addr().unwrap());
        let server = asked.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(server.clone(), stream));
            }
        });
        Self { url, asked }
    }

    /// A client of the server, with the collection `c`.
    pub async fn client(&self) -> Mongo {
        Mongo::new(&self.url, "d", "p-", ["c".to_owned()].into()).await.unwrap()
    }

    /// The bodies of a command, in order of arrival.
    pub fn commands(&self, name: &str) -> Vec<Document> {
        let commands = self.asked.commands.lock().unwrap();
        commands.iter().filter(|(of, _)| of == name).map(|(_, body)| body.clone()).collect()
    }
}

/// Serves until the client disconnects.
async fn serve(asked: Arc<Asked>, mut stream: TcpStream) {
    let mut header = [0; HEADER];
    while stream.read_exact(&mut header).await.is_ok() {
        let word = |at: usize| i32::from_le_bytes(header[at..at + 4].try_into().unwrap());
        let mut message = vec![0; usize::try_from(word(0)).unwrap() - HEADER];
        stream.read_exact(&mut message).await.unwrap();
        assert_eq!((word(12), message[BEFORE_BODY - 1]), (OP_MSG, 0), "a message whose body is one document");
        let body = Document::from_reader(&message[BEFORE_BODY..]).unwrap();
        let reply = answer(&asked, body).to_vec().unwrap();
        let length = i32::try_from(HEADER + BEFORE_BODY + reply.len()).unwrap();
        let mut out: Vec<u8> = [length, 0, word(4), OP_MSG, 0].into_iter().flat_map(i32::to_le_bytes).collect();
        out.push(0);
        out.extend(reply);
        if stream.write_all(&out).await.is_err() {
            return;
        }
    }
}

fn answer(asked: &Asked, body: Document) -> Document {
    let name = body.keys().next().unwrap().clone();
    if ["isMaster", "ismaster", "hello"].contains(&name.as_str()) {
        return doc! {
            "ok": 1, "isWritablePrimary": true, "ismaster": true, "helloOk": true, "minWireVersion": 0, "maxWireVersion": 21,
            "maxBsonObjectSize": 16 << 20, "maxMessageSizeBytes": 48 << 20, "maxWriteBatchSize": 1000,
        };
    }
    let before = {
        let mut commands = asked.commands.lock().unwrap();
        let before = commands.iter().filter(|(of, _)| *of == name).count();
        commands.push((name.clone(), body.clone()));
        before
    };
    (asked.script)(&name, before, &body)
}
