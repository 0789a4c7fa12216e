//! The embedded backend: tables with streams, queues, documents, cache, in one durable SQLite file.
