//! Bindings of Spin's interfaces. The platform's are linked in `imports::platform`, the workers' are called in `guest`.

wasmtime::component::bindgen!({
    path: "../../wit",
    inline: "
        package registration:host;
        /// What a component may import besides the platform.
        world component {
            import spin:redis/redis@3.0.0;
            import spin:variables/variables@3.0.0;
        }
    ",
    world: "registration:host/component",
    imports: { default: async },
    with: { "spin:redis/redis.connection": crate::imports::redis::Connection },
});
