//! The device's end: a [`Port`](thread_mqtt_driver::Port) for a client.
use crate::world::World;

/// A [`Port`](thread_mqtt_driver::Port) on the simulated device. `wait` runs the world.
pub struct SimPort {
    #[allow(dead_code)]
    world: World,
}
