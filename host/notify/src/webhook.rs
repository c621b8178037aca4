//! A webhook: one POST of the verdict, signed if there is a secret.

use hmac::{Hmac, KeyInit, Mac};
use reqwest::{Method, header::CONTENT_TYPE};
use sha2::Sha256;
use taster_config::NotificationTarget;
use taster_model::Notification;

use super::{
    NotifyError,
    client::{self, Client},
};

/// The signature, in the format of GitHub's webhooks.
const SIGNATURE: &str = "X-Taster-Signature-256";
/// The same for every attempt at one message, so that a receiver can drop duplicates.
const DELIVERY: &str = "X-Taster-Delivery";

/// Sends the verdict.
pub(super) async fn send(
    client: &Client,
    entry: &NotificationTarget,
    message: &Notification,
) -> Result<String, NotifyError> {
    let Some(webhook) = &entry.webhook else { return Ok("no webhook is configured".to_owned()) };
    let body = serde_json::to_vec(message).map_err(|error| NotifyError::Client {
        what: "cannot serialize the message".to_owned(),
        why: error.to_string(),
    })?;
    let signature = entry.secret.as_ref().map(|secret| signature(secret.expose().as_bytes(), &body));
    client::with_retries("sending the verdict", async || {
        let mut request = client
            .request(Method::POST, webhook.expose())
            .header(CONTENT_TYPE, "application/json")
            .header(DELIVERY, message.attempt.to_string())
            .body(body.clone());
        if let Some(signature) = &signature {
            request = request.header(SIGNATURE, signature);
        }
        if let Some(bearer) = &entry.bearer {
            request = request.bearer_auth(bearer.expose());
        }
        client.send(request).await
    })
    .await?;
    Ok(format!("sent the verdict `{}`", message.verdict))
}

/// `sha256=` and the HMAC of the body in hexadecimal.
fn signature(secret: &[u8], body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::signature;

    #[test]
    fn a_signature_is_the_one_of_rfc_4231() {
        let expected = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(signature(b"Jefe", b"what do ya want for nothing?"), expected);
    }
}
