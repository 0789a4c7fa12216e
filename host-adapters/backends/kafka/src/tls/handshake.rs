//! Tries a connection, to say in one sentence what is wrong with the certificates: librdkafka says only that the broker's
//! could not be verified, or that the connection was closed.

use super::Material;
use chrono::Utc;
use rustls::pki_types::ServerName;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, ClientConnection, Error, RootCertStore, Stream, crypto::aws_lc_rs,
};
use std::io::{ErrorKind, Read};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

/// How long to wait for a broker, and, once the handshake is done, for its refusal.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is wrong with the certificates, if something is. Blocks for some seconds.
pub(crate) fn fault_of_connection(brokers: &str, material: &Material) -> Option<String> {
    if let Some(fault) = material.fault_of_time(Utc::now()) {
        return Some(fault);
    }
    // Those of the system are not read here.
    let config = Arc::new(config(material)?);
    let has_certificate = material.own().ok().flatten().is_some();
    brokers.split(',').map(str::trim).find_map(|broker| match connect(broker, config.clone()) {
        Ok(()) => None,
        Err(error) => tls_error(&error).map(|error| said(broker, error, has_certificate)),
    })
}

/// The settings of a connection; none where no authority is configured.
fn config(material: &Material) -> Option<ClientConfig> {
    let mut authorities = RootCertStore::empty();
    let (added, _) = authorities.add_parsable_certificates(material.authorities().ok()?);
    if added == 0 {
        return None;
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().ok()?.with_root_certificates(authorities);
    match material.own().ok()? {
        Some((chain, key)) => builder.with_client_auth_cert(chain, key).ok(),
        None => Some(builder.with_no_client_auth()),
    }
}

/// Makes a connection, and waits a moment: with TLS 1.3 a broker refuses the host's certificate after the handshake.
fn connect(broker: &str, config: Arc<ClientConfig>) -> std::io::Result<()> {
    let wrong = |error: Error| std::io::Error::new(ErrorKind::InvalidData, error);
    let host = broker.rsplit_once(':').map_or(broker, |(host, _)| host).trim_matches(['[', ']']);
    let name = ServerName::try_from(host.to_owned()).map_err(|error| std::io::Error::other(error.to_string()))?;
    let mut tcp = tcp(broker)?;
    tcp.set_read_timeout(Some(PATIENCE))?;
    tcp.set_write_timeout(Some(PATIENCE))?;
    let mut tls = ClientConnection::new(config, name).map_err(wrong)?;
    while tls.is_handshaking() {
        tls.complete_io(&mut tcp)?;
    }
    let answer = Stream::new(&mut tls, &mut tcp).read(&mut [0]);
    match answer {
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(()),
        answer => answer.map(drop),
    }
}

/// A connection to the first address of a broker that takes one.
fn tcp(broker: &str) -> std::io::Result<TcpStream> {
    let mut last = ErrorKind::AddrNotAvailable.into();
    for address in broker.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(tcp) => return Ok(tcp),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn tls_error(error: &std::io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref::<Error>()
}

/// The sentence.
fn said(broker: &str, error: &Error, has_certificate: bool) -> String {
    match error {
        Error::InvalidCertificate(fault) => {
            let what = match fault {
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => "has expired",
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                    "is not valid yet; check the clock"
                }
                CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                    "is of another authority than those of `ca`"
                }
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                    "is for another host name"
                }
                other => return format!("the certificate of the broker {broker} cannot be accepted: {other}"),
            };
            format!("the certificate of the broker {broker} {what}")
        }
        Error::AlertReceived(alert) => refusal(broker, *alert, has_certificate),
        other => format!("the broker {broker} cannot be reached by TLS: {other}"),
    }
}

/// The sentence of a broker's alert. A broker may send the same one for different faults of a certificate.
fn refusal(broker: &str, alert: AlertDescription, has_certificate: bool) -> String {
    use AlertDescription as Alert;
    match alert {
        Alert::ProtocolVersion | Alert::InsufficientSecurity | Alert::InternalError | Alert::UnrecognisedName => {
            format!("the broker {broker} refuses the connection by TLS ({alert:?})")
        }
        _ if !has_certificate => {
            format!("the broker {broker} wants a certificate of the host's; set `certificate` and `key`")
        }
        Alert::CertificateExpired => {
            format!("the broker {broker} says that the host's certificate (`certificate`) has expired")
        }
        Alert::CertificateRevoked => {
            format!("the broker {broker} says that the host's certificate (`certificate`) is revoked")
        }
        Alert::UnknownCA | Alert::CertificateUnknown | Alert::BadCertificate => format!(
            "the broker {broker} does not accept the host's certificate (`certificate`): it is of an authority that the \
             broker does not know ({alert:?})"
        ),
        _ => format!("the broker {broker} does not accept the host's certificate (`certificate`) ({alert:?})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_is_one_sentence() {
        let broker = |fault| said("b:9093", &Error::InvalidCertificate(fault), true);
        assert_eq!(broker(CertificateError::Expired), "the certificate of the broker b:9093 has expired");
        assert_eq!(
            broker(CertificateError::UnknownIssuer),
            "the certificate of the broker b:9093 is of another authority than those of `ca`"
        );
        assert_eq!(
            broker(CertificateError::NotValidForName),
            "the certificate of the broker b:9093 is for another host name"
        );
        let refused = |alert, has_certificate| said("b:9093", &Error::AlertReceived(alert), has_certificate);
        assert_eq!(
            refused(AlertDescription::CertificateRequired, false),
            "the broker b:9093 wants a certificate of the host's; set `certificate` and `key`"
        );
        assert!(refused(AlertDescription::UnknownCA, true).contains("an authority that the broker does not know"));
        assert!(refused(AlertDescription::CertificateExpired, true).ends_with("has expired"));
        assert!(refused(AlertDescription::CertificateRevoked, true).ends_with("is revoked"));
        for has_certificate in [false, true] {
            let told = refused(AlertDescription::ProtocolVersion, has_certificate);
            assert_eq!(told, "the broker b:9093 refuses the connection by TLS (ProtocolVersion)");
        }
    }
}
