//! Bindings of `/wit`, generated once for all workers.
//!
//! Both worlds import the same platform, so `request` reuses what `batch` generated. The records that workers are handed
//! and answer are those of `host-adapters-event`, which the host uses too. `pub_export_macro` keeps the
//! exports out of this crate's own custom section: only a worker that invokes `export!` claims to export anything.
#![allow(missing_docs, reason = "generated; the meanings are in /wit")]
#![allow(unused_imports, reason = "generated re-exports of the export macros")]

/// World `batch`: workers fed by asynchronous sources.
pub mod batch {
    spin_sdk::wit_bindgen::generate!({
        path: "../../wit",
        world: "registration:workers/batch",
        runtime_path: "::spin_sdk::wit_bindgen::rt",
        pub_export_macro: true,
        default_bindings_module: "worker_kit::bindings::batch",
        additional_derives: [Eq, Hash, Ord, PartialEq, PartialOrd, serde::Deserialize, serde::Serialize],
        with: {
            "registration:platform/types@1.0.0/error": crate::platform::Error,
            "registration:platform/types@1.0.0/attribute": host_adapters_event::Attribute,
            "registration:platform/types@1.0.0/attribute-value": host_adapters_event::AttributeValue,
            "registration:workers/events@1.0.0": host_adapters_event,
        },
        generate_all,
    });
}

/// World `request`: workers that answer one request.
pub mod request {
    spin_sdk::wit_bindgen::generate!({
        path: "../../wit",
        world: "registration:workers/request",
        runtime_path: "::spin_sdk::wit_bindgen::rt",
        pub_export_macro: true,
        default_bindings_module: "worker_kit::bindings::request",
        with: {
            "registration:platform/types@1.0.0": crate::bindings::batch::registration::platform::types,
            "registration:platform/table@1.0.0": crate::bindings::batch::registration::platform::table,
            "registration:platform/queue@1.0.0": crate::bindings::batch::registration::platform::queue,
            "registration:platform/documents@1.0.0": crate::bindings::batch::registration::platform::documents,
            "registration:platform/identity@1.0.0": crate::bindings::batch::registration::platform::identity,
            "registration:platform/service@1.0.0": crate::bindings::batch::registration::platform::service,
            "registration:workers/events@1.0.0": host_adapters_event,
        },
    });
}
