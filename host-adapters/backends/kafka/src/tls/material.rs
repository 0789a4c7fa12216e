//! The certificates and the key as they are configured, read again from their files.

use crate::config::KafkaConfig;
use chrono::{DateTime, SecondsFormat, Utc};
use host_adapters_settings::Value;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

/// Certificates and key in PEM.
#[derive(Clone, Default, Eq, PartialEq)]
pub(crate) struct Material {
    ca: Option<String>,
    certificate: Option<String>,
    key: Option<String>,
}

/// A certificate with those of authorities in between behind it, and its key.
type Own = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// What is wrong with a setting.
pub(crate) struct Fault {
    pub(crate) key: &'static str,
    pub(crate) message: String,
}

impl Fault {
    fn new(key: &'static str, message: impl Into<String>) -> Self {
        Self { key, message: message.into() }
    }
}

impl Material {
    /// Reads what is configured.
    ///
    /// # Errors
    /// When a file cannot be read, is not PEM, or the key is another one's.
    pub(crate) fn read(config: &KafkaConfig) -> Result<Self, Fault> {
        let material = Self {
            ca: text("ca", config.ca.as_ref())?,
            certificate: text("certificate", config.certificate.as_ref())?,
            key: text("key", config.key.as_ref())?,
        };
        material.authorities()?;
        if let Some((chain, key)) = material.own()? {
            fault_of_key(chain, key).map_or(Ok(()), Err)?;
        }
        Ok(material)
    }

    /// The settings of librdkafka.
    pub(crate) fn pems(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let all = [("ssl.ca.pem", &self.ca), ("ssl.certificate.pem", &self.certificate), ("ssl.key.pem", &self.key)];
        all.into_iter().filter_map(|(key, pem)| Some((key, pem.as_deref()?)))
    }

    /// The authorities of the brokers' certificates; none where those of the system are meant.
    pub(super) fn authorities(&self) -> Result<Vec<CertificateDer<'static>>, Fault> {
        self.ca.as_deref().map_or_else(|| Ok(Vec::new()), |pem| certificates("ca", pem))
    }

    /// The host's own certificate with those behind it, and its key.
    pub(super) fn own(&self) -> Result<Option<Own>, Fault> {
        let (Some(certificate), Some(key)) = (&self.certificate, &self.key) else { return Ok(None) };
        let read = PrivateKeyDer::from_pem_slice(key.as_bytes());
        let key = read.map_err(|_| Fault::new("key", "key is not a key in PEM that is not encrypted"))?;
        Ok(Some((certificates("certificate", certificate)?, key)))
    }

    /// What is wrong with the time of the host's own certificate.
    pub(super) fn fault_of_time(&self, now: DateTime<Utc>) -> Option<String> {
        let (chain, _) = self.own().ok().flatten()?;
        let (_, certificate) = x509_parser::parse_x509_certificate(chain.first()?).ok()?;
        let validity = certificate.validity();
        let time = |seconds: i64| DateTime::from_timestamp(seconds, 0).unwrap_or_default();
        let shown = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Secs, true);
        let (begins, ends) = (time(validity.not_before.timestamp()), time(validity.not_after.timestamp()));
        if now > ends {
            return Some(format!("the host's certificate (`certificate`) expired at {}; renew it", shown(ends)));
        }
        (now < begins).then(|| {
            format!("the host's certificate (`certificate`) is valid from {} on; check the clock", shown(begins))
        })
    }
}

/// What is wrong with the key of a certificate.
fn fault_of_key(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Option<Fault> {
    match CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider()) {
        // Certificates that only OpenSSL can read, as those of version 1, are the broker's to judge.
        Ok(_) | Err(rustls::Error::InvalidCertificate(_)) => None,
        Err(rustls::Error::InconsistentKeys(_)) => Some(Fault::new("key", "key is not the one of certificate")),
        Err(other) => Some(Fault::new("key", format!("key cannot be used: {other}"))),
    }
}

fn text(key: &'static str, value: Option<&Value>) -> Result<Option<String>, Fault> {
    let Some(value) = value else { return Ok(None) };
    let current = value.current().map_err(|error| Fault::new(key, format!("{key} cannot be read again: {error}")))?;
    Ok(Some(current.expose().to_owned()))
}

fn certificates(key: &'static str, pem: &str) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match read {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(Fault::new(key, format!("{key} is not a certificate in PEM"))),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    /// A certificate for these years, and its key.
    fn certificate(from: i32, to: i32) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["host".to_owned()]).unwrap();
        (params.not_before, params.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(to, 1, 1));
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    }

    fn config(certificate: &str, key: &str) -> KafkaConfig {
        let value = |text: &str| Some(Value::secret(text.to_owned()));
        KafkaConfig { certificate: value(certificate), key: value(key), ..KafkaConfig::default() }
    }

    #[test]
    fn a_key_must_be_the_one_of_the_certificate() {
        let ((one, key), (_, other)) = (certificate(2020, 4000), certificate(2020, 4000));
        assert!(Material::read(&config(&one, &key)).is_ok());
        for (certificate, key, said) in [
            (one.as_str(), other.as_str(), ("key", "key is not the one of certificate")),
            (&one, "nonsense", ("key", "key is not a key in PEM that is not encrypted")),
            ("nonsense", &key, ("certificate", "certificate is not a certificate in PEM")),
        ] {
            let fault = Material::read(&config(certificate, key)).err().unwrap();
            assert_eq!((fault.key, fault.message.as_str()), said);
        }
    }

    #[test]
    fn the_time_of_the_certificate_is_told() {
        let now = DateTime::from_timestamp(1_705_312_800, 0).unwrap();
        let told = |from, to| {
            let (certificate, key) = certificate(from, to);
            Material::read(&config(&certificate, &key)).ok().unwrap().fault_of_time(now)
        };
        assert_eq!(told(2020, 2030), None);
        let expired = "the host's certificate (`certificate`) expired at 2021-01-01T00:00:00Z; renew it";
        assert_eq!(told(2020, 2021).as_deref(), Some(expired));
        let early = "the host's certificate (`certificate`) is valid from 2030-01-01T00:00:00Z on; check the clock";
        assert_eq!(told(2030, 2031).as_deref(), Some(early));
    }
}
