//! Certificates for a server that wants them of its clients, and for these: good ones, and each kind of bad one.

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The last file that is written: with it, all are there.
const LAST: &str = "ca.pem";

/// Makes the certificates in a folder, unless they are there. Each client has `<name>.pem` and `<name>.key`:
///
/// - `client`: of the authority `ca.pem`, which the server trusts;
/// - `expired`: of the same authority, until 2021;
/// - `stranger`: of another authority, `other-ca.pem`.
///
/// The server's own, `broker.pem` with its key, is for `127.0.0.1` and no other name.
///
/// # Errors
/// When a file cannot be written.
pub fn make(folder: &Path) -> Result<()> {
    if folder.join(LAST).exists() {
        return Ok(());
    }
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let (ours, other) = (Authority::new("Authority of the tests")?, Authority::new("Another authority")?);
    let broker = ours.sign("broker", |_| {})?;
    write(folder, "broker.pem", &format!("{}{}", broker.key, broker.certificate))?;
    let expired = |params: &mut CertificateParams| {
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
    };
    let clients = [
        ("client", ours.sign("client", |_| {})?),
        ("expired", ours.sign("expired", expired)?),
        ("stranger", other.sign("stranger", |_| {})?),
    ];
    for (name, signed) in clients {
        write(folder, &format!("{name}.pem"), &signed.certificate)?;
        write(folder, &format!("{name}.key"), &signed.key)?;
    }
    write(folder, "other-ca.pem", &other.certificate)?;
    write(folder, LAST, &ours.certificate)
}

/// The port of a server that wants certificates: the one after that of its endpoint (`files/kafka.properties`).
///
/// # Errors
/// When the endpoint has no port.
pub fn port(endpoint: &str) -> Result<u16> {
    let (_, port) = endpoint.rsplit_once(':').with_context(|| format!("{endpoint} has no port"))?;
    let port: u16 = port.parse().with_context(|| format!("the port of {endpoint}"))?;
    Ok(port + 1)
}

/// Signs certificates.
struct Authority {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, PEM.
struct Signed {
    certificate: String,
    key: String,
}

impl Authority {
    fn new(name: &str) -> Result<Self> {
        let (key, mut params) = (KeyPair::generate()?, params(name, &[])?);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Ok(Self { certificate: params.self_signed(&key)?.pem(), issuer: Issuer::new(params, key) })
    }

    fn sign(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Result<Signed> {
        let (key, mut params) = (KeyPair::generate()?, params(name, &["127.0.0.1"])?);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer)?.pem();
        Ok(Signed { certificate, key: key.serialize_pem() })
    }
}

/// What a certificate says, valid for longer than any test runs.
fn params(name: &str, hosts: &[&str]) -> Result<CertificateParams> {
    let mut params = CertificateParams::new(hosts.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2100, 1, 1));
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    Ok(params)
}

/// Writes a file that only its owner may read: the host refuses any other key.
fn write(folder: &Path, name: &str, text: &str) -> Result<()> {
    let path = folder.join(name);
    let open = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path);
    let written = open.and_then(|mut file| file.write_all(text.as_bytes()));
    written.with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_made_once() {
        let folder = tempfile::tempdir().unwrap();
        make(folder.path()).unwrap();
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        let before = read("client.pem");
        make(folder.path()).unwrap();
        assert_eq!(read("client.pem"), before);
        for name in ["broker.pem", "client.key", "expired.key", "stranger.key"] {
            assert!(read(name).starts_with("-----BEGIN PRIVATE KEY-----"), "{name}");
        }
        assert_ne!(read("ca.pem"), read("other-ca.pem"));
    }
}
