//! Tests against a real control plane: etcd, API server and controller manager, but no kubelet.

mod background_wait;
mod cluster_client;
mod events;
mod freshness;
mod inspect;
mod lock;
mod proxy;
mod rbac;
mod readiness;
mod readiness_limits;
mod records;
mod revision;
mod scale;
mod shop;

use taster_testkit::control_plane;
