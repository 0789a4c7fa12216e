//! The table of servers.

use crate::probe::Probe;
use crate::server::{Install, Kind, Launcher, Server};
use anyhow::{Result, bail};

/// All servers, in the order in which they are shown.
pub const ALL: &[Server] = &[DYNAMODB, ELASTICMQ, MOTO, KINESALITE, MONGO, REDIS, LOCALSTACK, KAFKA];

/// The servers of these names; all if no names are given.
///
/// # Errors
/// When no server has one of these names.
pub fn named(names: &[impl AsRef<str>]) -> Result<Vec<&'static Server>> {
    if names.is_empty() {
        return Ok(ALL.iter().collect());
    }
    let find = |name: &str| match ALL.iter().find(|server| server.name == name) {
        Some(server) => Ok(server),
        None => bail!(
            "there is no server `{name}`; there are: {}",
            ALL.iter().map(|it| it.name).collect::<Vec<_>>().join(", ")
        ),
    };
    names.iter().map(|name| find(name.as_ref())).collect()
}

const DYNAMODB: Server = Server {
    name: "dynamodb",
    serves: "DynamoDB and its streams",
    kind: Kind::VendorLocal,
    install: Install::Maven {
        // Version 3.3.1 needs artifacts that Maven Central does not have.
        version: "2.6.1",
        artifacts: &["com.amazonaws:DynamoDBLocal:2.6.1"],
        launcher: Some(Launcher {
            class: "DynamoDbOnLoopback",
            source: include_str!("../files/DynamoDbOnLoopback.java"),
        }),
    },
    port: 18000,
    scheme: "http",
    config: None,
    command: &[
        "java",
        "-Xmx768m",
        "-XX:+UseSerialGC",
        // The path of its SQLite library, which is among the jars.
        "-Dsqlite4java.library.path=@program@/jars",
        "-cp",
        "@program@/classes:@program@/jars/*",
        "DynamoDbOnLoopback",
        "-port",
        "@port@",
        "-dbPath",
        "@data@",
        "-sharedDb",
        "-disableTelemetry",
    ],
    probe: Probe {
        request: concat!(
            "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Amz-Target: DynamoDB_20120810.ListTables\r\n",
            "Content-Type: application/x-amz-json-1.0\r\nAuthorization: AWS4-HMAC-SHA256 ",
            "Credential=probe/20200101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0\r\n",
            "Content-Length: 2\r\nConnection: close\r\n\r\n{}"
        )
        .as_bytes(),
        answer: b"\"TableNames\"",
    },
};

const ELASTICMQ: Server = Server {
    name: "elasticmq",
    serves: "SQS",
    kind: Kind::Emulator,
    install: Install::Maven {
        version: "1.7.1",
        artifacts: &["org.elasticmq:elasticmq-server_2.13:1.7.1"],
        launcher: None,
    },
    port: 19324,
    scheme: "http",
    config: Some(include_str!("../files/elasticmq.conf")),
    command: &[
        "java",
        "-Xmx512m",
        "-XX:+UseSerialGC",
        "-Dconfig.file=@config@",
        "-cp",
        "@program@/jars/*",
        "org.elasticmq.server.Main",
    ],
    probe: Probe {
        request: concat!(
            "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Amz-Target: AmazonSQS.ListQueues\r\n",
            "Content-Type: application/x-amz-json-1.0\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
        )
        .as_bytes(),
        answer: b"HTTP/1.1 200",
    },
};

/// In memory: what it holds ends with it.
const MOTO: Server = Server {
    name: "moto",
    serves: "S3",
    kind: Kind::Emulator,
    install: Install::Python {
        version: "5.2.5",
        // The server of moto runs on the other two, and takes any version of them.
        packages: &["moto[s3,server]==5.2.5", "flask==3.1.3", "werkzeug==3.1.9"],
    },
    port: 19000,
    scheme: "http",
    config: None,
    command: &["@program@/bin/moto_server", "-H", "127.0.0.1", "-p", "@port@"],
    probe: Probe {
        request: concat!(
            "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: AWS4-HMAC-SHA256 ",
            "Credential=probe/20200101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0\r\n",
            "Connection: close\r\n\r\n"
        )
        .as_bytes(),
        answer: b"ListAllMyBucketsResult",
    },
};

/// In memory: what it holds ends with it.
const KINESALITE: Server = Server {
    name: "kinesalite",
    serves: "Kinesis",
    kind: Kind::Emulator,
    install: Install::Npm { version: "3.3.3", package: "kinesalite@3.3.3" },
    port: 18700,
    scheme: "http",
    config: Some(include_str!("../files/kinesalite.js")),
    command: &["node", "@config@"],
    probe: Probe {
        request: concat!(
            "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Amz-Target: Kinesis_20131202.ListStreams\r\n",
            "Content-Type: application/x-amz-json-1.1\r\nX-Amz-Date: 20200101T000000Z\r\nAuthorization: AWS4-HMAC-SHA256 ",
            "Credential=probe/20200101/us-east-1/kinesis/aws4_request, SignedHeaders=host, Signature=0\r\n",
            "Content-Length: 2\r\nConnection: close\r\n\r\n{}"
        )
        .as_bytes(),
        answer: b"\"StreamNames\"",
    },
};

const MONGO: Server = Server {
    name: "mongo",
    serves: "MongoDB",
    kind: Kind::Emulator,
    install: Install::Maven {
        version: "1.47.0",
        artifacts: &["de.bwaldvogel:mongo-java-server:1.47.0", "de.bwaldvogel:mongo-java-server-h2-backend:1.47.0"],
        launcher: Some(Launcher { class: "MongoForDrivers", source: include_str!("../files/MongoForDrivers.java") }),
    },
    port: 27117,
    scheme: "mongodb",
    config: None,
    command: &[
        "java",
        "-Xmx512m",
        "-XX:+UseSerialGC",
        "-cp",
        "@program@/classes:@program@/jars/*",
        "MongoForDrivers",
        "@port@",
        "@data@/mongo.mv",
    ],
    probe: Probe {
        // An OP_MSG with {ping: 1, $db: "admin"}; the response is {ok: 1.0}.
        request: b"\x33\0\0\0\x01\0\0\0\0\0\0\0\xdd\x07\0\0\0\0\0\0\0\
            \x1e\0\0\0\x10ping\0\x01\0\0\0\x02$db\0\x06\0\0\0admin\0\0",
        answer: b"\x01ok\0\0\0\0\0\0\0\xf0\x3f",
    },
};

const REDIS: Server = Server {
    name: "redis",
    serves: "Redis",
    kind: Kind::Real,
    install: Install::Debian { program: "redis-server", package: "redis-server" },
    port: 16379,
    scheme: "redis",
    config: Some(include_str!("../files/redis.conf")),
    command: &["redis-server", "@config@"],
    probe: Probe { request: b"PING\r\n", answer: b"+PONG" },
};

/// Heavy (half a gigabyte of packages, as much memory in use), so only what needs it starts it.
const LOCALSTACK: Server = Server {
    name: "localstack",
    serves: "Step Functions",
    kind: Kind::Emulator,
    install: Install::Python {
        // Later versions do not import on Python 3.11; the other packages are those that this one works with.
        version: "4.9.2",
        packages: &["localstack-core[runtime]==4.9.2", "cbor2==5.6.5", "pyOpenSSL==25.1.0", "service-identity==24.2.0"],
    },
    port: 18500,
    scheme: "http",
    config: None,
    command: &[
        "env",
        // Its other server listens on all addresses.
        "GATEWAY_SERVER=hypercorn",
        "GATEWAY_LISTEN=127.0.0.1:@port@",
        "SERVICES=stepfunctions",
        "EAGER_SERVICE_LOADING=1",
        "DNS_ADDRESS=0",
        "DISABLE_EVENTS=1",
        "SKIP_SSL_CERT_DOWNLOAD=1",
        // Everything that it writes.
        "OVERRIDE_IN_DOCKER=0",
        "FILESYSTEM_ROOT=@data@",
        "TMPDIR=@data@",
        "HOME=@data@",
        "@program@/bin/python",
        "-m",
        "localstack.runtime.main",
    ],
    probe: Probe {
        request: concat!(
            "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Amz-Target: AWSStepFunctions.ListActivities\r\n",
            "Content-Type: application/x-amz-json-1.0\r\nAuthorization: AWS4-HMAC-SHA256 ",
            "Credential=probe/20200101/us-east-1/states/aws4_request, SignedHeaders=host, Signature=0\r\n",
            "Content-Length: 2\r\nConnection: close\r\n\r\n{}"
        )
        .as_bytes(),
        answer: b"\"activities\"",
    },
};

/// Three ports: without encryption, for the probe; the next one with certificates of both sides, which tests use; and the
/// controller's.
const KAFKA: Server = Server {
    name: "kafka",
    serves: "Kafka",
    kind: Kind::Real,
    install: Install::Maven {
        version: "3.9.1",
        // Without a binding of slf4j it logs nothing.
        artifacts: &["org.apache.kafka:kafka_2.13:3.9.1", "org.slf4j:slf4j-simple:1.7.36"],
        launcher: None,
    },
    port: 19100,
    scheme: "kafka",
    config: Some(include_str!("../files/kafka.properties")),
    command: &[
        "sh",
        "-c",
        // Its folder is to be formatted once. `exec` keeps the process, which `stop` knows by its id.
        "java -Xmx256m -cp '@program@/jars/*' kafka.tools.StorageTool format --ignore-formatted \
         -t MkU3OEVBNTcwNTJENDM2Qk -c '@config@' \
         && exec java -Xms128m -Xmx512m -XX:+UseSerialGC -Dorg.slf4j.simpleLogger.defaultLogLevel=warn \
         -cp '@program@/jars/*' kafka.Kafka '@config@'",
    ],
    probe: Probe {
        // ApiVersions, version 0, with the correlation id 7; the response repeats the id, without an error.
        request: b"\0\0\0\x0a\0\x12\0\0\0\0\0\x07\xff\xff",
        answer: b"\0\0\0\x07\0\0",
    },
};
