//! The cluster crate against a real control plane: etcd, API server, controller manager, no kubelet.

mod cluster_client;
mod fresh;
mod inspect;
mod lock;
mod proxy;
mod ready;
mod ready_limits;
mod records;
mod revision;
mod rights;
mod say;
mod scale;
mod shop;

use taster_testkit::control_plane;
