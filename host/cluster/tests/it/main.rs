//! The room against a real control plane: etcd, API server, controller manager, no kubelet. See `control_plane.rs`.

mod control_plane;
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
