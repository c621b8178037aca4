//! TLS with a private certificate authority, credentials of a service account, read-only users; and the headers of requests.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex},
    time::Duration,
};

use taster_model::{Diagnostic, Side};
use taster_store::{CommitPre, Encryption, Store};
use taster_testkit::s3::{Behaviour, ID, SECRET, Server};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    },
};

use crate::{child_process, s3_settings::settings, shop, test_store::TestStore};

/// A certificate authority and a certificate for this machine, made by `openssl`.
struct CertificateAuthority {
    folder: TempDir,
}

impl CertificateAuthority {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let script = "\
            openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ca.key -out ca.pem \
              -subj /CN=tests -days 2 -addext basicConstraints=critical,CA:TRUE &&\
            openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem -out csr.pem \
              -subj /CN=s3 &&\
            printf 'subjectAltName=IP:127.0.0.1\\nbasicConstraints=CA:FALSE\\n' > ext &&\
            openssl x509 -req -in csr.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out cert.pem";
        let output = Command::new("sh").args(["-c", script]).current_dir(folder.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Self { folder }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Takes the TLS off in proxy of a server, and keeps what the client said.
struct TlsProxy {
    endpoint: String,
    recorded: Arc<Mutex<Vec<u8>>>,
}

impl TlsProxy {
    async fn open(server: &Server, authority: &CertificateAuthority) -> Self {
        let to = server.endpoint().trim_start_matches("http://").to_owned();
        let certificates = CertificateDer::pem_file_iter(authority.file("cert.pem")).unwrap();
        let certificates = certificates.collect::<Result<Vec<_>, _>>().unwrap();
        let key = PrivateKeyDer::from_pem_file(authority.file("key.pem")).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let acceptor = TlsAcceptor::from(Arc::new(config.with_single_cert(certificates, key).unwrap()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("https://{}", listener.local_addr().unwrap());
        let recorded = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&recorded);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (acceptor, to, kept) = (acceptor.clone(), to.clone(), Arc::clone(&kept));
                tokio::spawn(async move {
                    // a client that does not trust the certificate closes the connection
                    let Ok(tls) = acceptor.accept(socket).await else { return };
                    let plain = TcpStream::connect(&to).await.unwrap();
                    let ((mut from, mut back), (mut answers, mut on)) = (tokio::io::split(tls), plain.into_split());
                    let asks = async move {
                        let mut piece = vec![0; 64 << 10];
                        while let Ok(length @ 1..) = from.read(&mut piece).await {
                            kept.lock().unwrap().extend_from_slice(&piece[..length]);
                            if on.write_all(&piece[..length]).await.is_err() {
                                break;
                            }
                        }
                    };
                    let _ = tokio::join!(asks, copy(&mut answers, &mut back));
                });
            }
        });
        Self { endpoint, recorded }
    }

    /// The heads of all requests with that method, in lower case.
    fn heads(&self, method: &str) -> Vec<String> {
        let text = String::from_utf8_lossy(&self.recorded.lock().unwrap()).to_ascii_lowercase();
        let begin = format!("{} /", method.to_ascii_lowercase());
        let heads = text.split("\r\n\r\n").filter_map(|head| head.rfind(&begin).map(|at| head[at..].to_owned()));
        heads.filter(|head| head.contains(" http/1.1\r\n")).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_certificate_authority_is_trusted_when_configured() {
    let (server, authority) = (Server::start().await, CertificateAuthority::new());
    let proxy = TlsProxy::open(&server, &authority).await;
    let mut wanted = settings(&proxy.endpoint);
    wanted.s3.retry_timeout = Some(Duration::from_millis(300));
    let error = Store::open_verified(wanted.clone()).await.err().unwrap();
    let chain = format!("{error}: {:?}", std::error::Error::source(&error).map(ToString::to_string));
    assert!(chain.to_lowercase().contains("certificate"), "{chain}");
    assert!(proxy.heads("put").is_empty(), "no request is sent to an untrusted server");

    wanted.s3.ca_file = Some(authority.file("ca.pem"));
    wanted.s3.retry_timeout = None;
    wanted.s3.encryption = Some(Encryption::Kms { key: Some("alias/taster".to_owned()) });
    let store = Store::open_verified(wanted).await.unwrap().app(&shop::app_name());
    let run = shop::run("one");
    let capture = shop::capture(&run, Side::Pre);
    assert!(matches!(store.run(&run).commit_pre(&capture).await.unwrap(), CommitPre::Committed(_)));
    assert_eq!(store.run(&run).pre().await.unwrap().unwrap().into_inner(), capture);
    // each object is encrypted as configured, and has a checksum, which buckets with object lock require
    let puts = proxy.heads("put");
    assert!(puts.len() >= 2, "{puts:?}");
    for head in &puts {
        for header in [
            "x-amz-server-side-encryption: aws:kms\r\n",
            "x-amz-server-side-encryption-aws-kms-key-id: alias/taster\r\n",
            "x-amz-checksum-crc32: ",
        ] {
            assert!(head.contains(header), "{header}: {head}");
        }
        assert!(head.contains("if-none-match: *") || head.contains("if-match: "), "{head}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_bucket_is_an_error_when_it_is_opened_for_writing() {
    let server = Server::with(Behaviour { read_only: true, ..Behaviour::default() }).await;
    let error = Store::open_verified(settings(&server.endpoint())).await.err().unwrap();
    let chain = format!("{error}: {:?}", std::error::Error::source(&error).map(ToString::to_string));
    assert_eq!(error.code(), "T0402", "{chain}");
    assert!(chain.contains("AccessDenied"), "{chain}");
    assert!(error.help().is_some());
    // opening it for reading works
    Store::open_unverified(settings(&server.endpoint())).await.unwrap().app(&shop::app_name()).runs().await.unwrap();
}

/// A security token service that exchanges a service account's token.
async fn token_service(token: &'static str) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut request = Vec::new();
            while !String::from_utf8_lossy(&request).contains(token) {
                let mut piece = [0; 4096];
                let Ok(length @ 1..) = socket.read(&mut piece).await else { break };
                request.extend_from_slice(&piece[..length]);
            }
            kept.lock().unwrap().push(String::from_utf8_lossy(&request).into_owned());
            let body = format!(
                "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
                 <AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>{ID}</AccessKeyId>\
                 <SecretAccessKey>{SECRET}</SecretAccessKey><SessionToken>session</SessionToken>\
                 <Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult>\
                 </AssumeRoleWithWebIdentityResponse>"
            );
            let head = format!("HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\ncontent-length: {}\r\n\r\n", body.len());
            let _ = socket.write_all((head + &body).as_bytes()).await;
        }
    });
    (endpoint, asked)
}

/// Runs in a child process with the environment of a pod with a service account.
pub(crate) async fn as_web_identity(folder: &Path) {
    let mut wanted = settings(&std::env::var("TASTER_STORE_TEST_ENDPOINT").unwrap());
    wanted.s3.access_key = None;
    let store = Store::open_verified(wanted).await.unwrap().app(&shop::app_name());
    let run = shop::run("one");
    store.run(&run).commit_pre(&shop::capture(&run, Side::Pre)).await.unwrap();
    std::fs::write(folder.join("done"), "").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_of_a_service_account_are_used() {
    let [_, backend] = TestStore::on_both_backends().await;
    let (sts, asked) = token_service("token-of-the-service-account").await;
    let token = backend.note("token");
    std::fs::write(&token, "token-of-the-service-account").unwrap();
    let mut child = child_process::command_for("web identity", &backend, "");
    child
        .env("AWS_WEB_IDENTITY_TOKEN_FILE", &token)
        .env("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/taster")
        .env("AWS_ENDPOINT_URL_STS", &sts)
        .env("AWS_REGION", "eu-central-1")
        .env("AWS_EC2_METADATA_DISABLED", "true");
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"] {
        child.env_remove(name);
    }
    let status = tokio::task::spawn_blocking(move || child.status()).await.unwrap().unwrap();
    let asked = asked.lock().unwrap().clone();
    assert!(status.success(), "{asked:?}");
    assert!(backend.note("done").exists() && backend.file("v1/pxbbq/one/pre/capture.json").exists());
    assert!(asked[0].contains("AssumeRoleWithWebIdentity") && asked[0].contains("role%2Ftaster"), "{asked:?}");
}
