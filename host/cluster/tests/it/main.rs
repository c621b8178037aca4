//! Tests against a real control plane: etcd, API server and controller manager, but no kubelet. See `control_plane.rs`.

mod background_wait;
mod control_plane;
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
