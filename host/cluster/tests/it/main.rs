//! The room against a real control plane: etcd, API server, controller manager, no kubelet. See `control_plane.rs`.

mod control_plane;
mod inspect;
mod lock;
mod scale;
mod shop;
