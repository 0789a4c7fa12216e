//! Bindings of `/wit`, generated once for all workers.
//!
//! The imports of workers are generated once, their exports once per world. A component made of both has the world
//! `registration:workers/batch` or `request`. The records that workers are handed and answer, and the platform's
//! attributes in them, are those of `host-adapters-event`, which the host uses too. `pub_export_macro` keeps the
//! exports out of this crate's own custom section: only a worker that invokes `export!` claims to export anything.
#![allow(missing_docs, reason = "generated; the meanings are in /wit")]
#![allow(unused_imports, reason = "generated re-exports of the export macros")]

/// What every worker may import.
pub mod imports {
    spin_sdk::wit_bindgen::generate!({
        path: "../../wit",
        world: "registration:platform/imports",
        runtime_path: "::spin_sdk::wit_bindgen::rt",
        additional_derives: [Eq, Hash, Ord, PartialEq, PartialOrd, serde::Deserialize, serde::Serialize],
        with: {
            "registration:platform/types@1.0.0/error": crate::platform::Error,
            "registration:platform/types@1.0.0/attribute": host_adapters_event::Attribute,
            "registration:platform/types@1.0.0/attribute-value": host_adapters_event::AttributeValue,
        },
        generate_all,
    });
}

/// What a worker of the world `batch` exports: one fed by an asynchronous source.
pub mod batch {
    spin_sdk::wit_bindgen::generate!({
        path: "../../wit",
        inline: "package registration:worker-kit;
            world batch {
                export registration:workers/batch-worker@1.0.0;
                export wizer-initialize: func();
            }",
        world: "registration:worker-kit/batch",
        runtime_path: "::spin_sdk::wit_bindgen::rt",
        pub_export_macro: true,
        default_bindings_module: "worker_kit::bindings::batch",
        with: {
            "registration:platform/types@1.0.0": host_adapters_event,
            "registration:workers/events@1.0.0": host_adapters_event,
        },
    });
}

/// What a worker of the world `request` exports: one that answers one request.
pub mod request {
    spin_sdk::wit_bindgen::generate!({
        path: "../../wit",
        inline: "package registration:worker-kit;
            world request {
                export registration:workers/request-worker@1.0.0;
                export wizer-initialize: func();
            }",
        world: "registration:worker-kit/request",
        runtime_path: "::spin_sdk::wit_bindgen::rt",
        pub_export_macro: true,
        default_bindings_module: "worker_kit::bindings::request",
        with: {
            "registration:platform/types@1.0.0": host_adapters_event,
            "registration:workers/events@1.0.0": host_adapters_event,
        },
    });
}
