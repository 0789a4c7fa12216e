//! Bindings of the WIT packages, generated once for every component.

#![expect(missing_docs, reason = "generated code")]

wasmtime::component::bindgen!({
    path: "../../wit",
    inline: "
        package registration:host;
        /// What a component may import besides the platform, and export; `Exports` finds out what it does export.
        world component {
            import spin:redis/redis@3.0.0;
            import spin:variables/variables@3.0.0;
            export registration:workers/batch-worker@1.0.0;
            export registration:workers/request-worker@1.0.0;
        }
    ",
    world: "registration:host/component",
    imports: { default: async },
    exports: { default: async },
    with: {
        "registration:workers/events": host_adapters_event,
        "spin:redis/redis.connection": crate::imports::redis::Connection,
    },
});
