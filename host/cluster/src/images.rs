//! The container images of a pod template.

use serde_json::Value;

/// The image of one container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerImage {
    /// Name of the container.
    pub container: String,
    /// `quay.io/px-tme/pxbbq:v4.3`.
    pub image: String,
}

/// The images of a pod template (`spec.template` of a workload), without those of init containers.
#[must_use]
pub fn container_images(template: &Value) -> Vec<ContainerImage> {
    let containers = template["spec"]["containers"].as_array();
    let images = containers.into_iter().flatten().filter_map(|container| {
        let text = |key: &str| container[key].as_str().map(str::to_owned);
        Some(ContainerImage { container: text("name")?, image: text("image")? })
    });
    images.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn images_of_init_containers_are_left_out() {
        let template = json!({"spec": {
            "initContainers": [{"name": "chown", "image": "busybox"}],
            "containers": [{"name": "web", "image": "pxbbq:v4.3"}, {"name": "log", "image": "fluent:3"}]}});
        let image = |container: &str, image: &str| ContainerImage { container: container.into(), image: image.into() };
        assert_eq!(container_images(&template), [image("web", "pxbbq:v4.3"), image("log", "fluent:3")]);
        assert_eq!(container_images(&json!(null)), []);
    }
}
