//! Streams of Kinesis.
