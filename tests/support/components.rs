//! The serving versions of components, and files to replace them with.

use crate::TestHost;
use crate::support::settings::root;
use serde_json::Value;

impl TestHost {
    /// Sends the gateway another file for a worker. Returns its response, or its refusal.
    pub async fn swap(&self, token: &str, worker: &str, wasm: Vec<u8>) -> Result<Value, Value> {
        let request = self.http().post(self.gateway_url(&format!("/operator/swap/{worker}"))).bearer_auth(token);
        outcome(self.send(request.body(wasm)).await.body)
    }

    /// The gateway's report on every worker's version, or its refusal.
    pub async fn serving(&self, token: &str) -> Result<Vec<Value>, Value> {
        let request = self.http().post(self.gateway_url("/operator/versions")).bearer_auth(token);
        let versions = outcome(self.send(request).await.body)?;
        Ok(versions["versions"].as_array().unwrap().clone())
    }
}

fn outcome(answer: Value) -> Result<Value, Value> {
    if answer["Err"].is_object() { Err(answer["Err"].clone()) } else { Ok(answer["Ok"].clone()) }
}

/// A component of spin.toml as it was built.
pub fn component(id: &str) -> Vec<u8> {
    std::fs::read(root().join("target/components").join(id).with_extension("wasm")).unwrap()
}

/// Another file with the same code: it has another custom section of the component's own.
pub fn stamped(wasm: &[u8], stamp: &str) -> Vec<u8> {
    [wasm, &custom_section(stamp)].concat()
}

/// Another file that has to be compiled: it has another custom section in its first module, which wasmtime does read.
pub fn stamped_inside(wasm: &[u8], stamp: &str) -> Vec<u8> {
    const HEAD: usize = 8;
    const MODULE: u8 = 1;
    let mut at = HEAD;
    while wasm[at] != MODULE {
        let (size, content) = number(wasm, at + 1);
        at = content + size;
    }
    let (size, content) = number(wasm, at + 1);
    let section = custom_section(stamp);
    let (module, rest) = wasm[content..].split_at(size);
    [&wasm[..=at], &bytes_of(size + section.len()), module, &section, rest].concat()
}

/// A custom section `stamp`.
fn custom_section(stamp: &str) -> Vec<u8> {
    let content = [&[5], b"stamp".as_slice(), stamp.as_bytes()].concat();
    [&[0], bytes_of(content.len()).as_slice(), &content].concat()
}

/// Reads a number in LEB128; also returns where it ends.
fn number(wasm: &[u8], mut at: usize) -> (usize, usize) {
    let (mut value, mut shift) = (0, 0);
    loop {
        let byte = wasm[at];
        value |= usize::from(byte & 0x7f) << shift;
        (at, shift) = (at + 1, shift + 7);
        if byte & 0x80 == 0 {
            return (value, at);
        }
    }
}

fn bytes_of(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}
