//! Connecting: the sign-in, a server that is away, and databases that are refused.

use adjourn::store::{PostgresDatabase, PostgresError, PostgresSettings};
use adjourn_test::PostgresServer;

use super::settings;

async fn check(url: &str) -> Result<(), PostgresError> {
    PostgresDatabase::new(&settings(url))?.check().await
}

#[tokio::test]
async fn a_database_is_reached_with_a_password_and_a_wrong_one_is_refused_without_showing_it() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database();
    check(&database.url()).await.unwrap();
    let error = check(&database.url().replace("open-sesame", "swordfish")).await.unwrap_err();
    assert!(matches!(error, PostgresError::ConnectionRefused(_)), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("swordfish"), "{error:?}");
    let error = check(&database.url().replace("/test_", "/absent_")).await.unwrap_err();
    assert!(matches!(error, PostgresError::ConnectionRefused(_)), "{error:?}");
}

#[tokio::test]
async fn a_server_that_is_away_is_named_as_such() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = check(&format!("postgres://ada:swordfish@{closed}/x")).await.unwrap_err();
    assert!(matches!(error, PostgresError::Unreachable(_)), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("swordfish"), "{error:?}");
}

/// The first host of the list is away.
#[tokio::test]
async fn the_next_host_is_tried() {
    let Some(server) = PostgresServer::shared() else { return };
    let url = server.database().url();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    check(&url.replace("@", &format!("@{closed},"))).await.unwrap();
}

/// The sign-in is bound to the connection (SCRAM-SHA-256-PLUS): both sides must have the same certificate in mind.
#[tokio::test]
async fn tls_is_verified_and_the_sign_in_is_bound_to_it() {
    let Some(server) = PostgresServer::start() else { return };
    let issued = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    server.restart_with_tls(&issued.cert.pem(), &issued.signing_key.serialize_pem());
    let ca_file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(ca_file.path(), issued.cert.pem()).unwrap();
    let url = server.database().url().replace("127.0.0.1", "localhost");
    let bound = settings(&format!("{url}?sslmode=require&channel_binding=require"));
    let trusting = PostgresSettings { ca_file: Some(ca_file.path().to_owned()), ..bound.clone() };
    PostgresDatabase::new(&trusting).unwrap().check().await.unwrap();
    // Nobody vouches for the certificate; and it names another host.
    let error = PostgresDatabase::new(&bound).unwrap().check().await.unwrap_err();
    assert!(matches!(&error, PostgresError::Unreachable(why) if why.contains("certificate")), "{error}");
    let elsewhere = PostgresSettings {
        url: settings(&format!("{}?sslmode=require", server.database().url())).url,
        ..trusting
    };
    let error = PostgresDatabase::new(&elsewhere).unwrap().check().await.unwrap_err();
    assert!(matches!(&error, PostgresError::Unreachable(why) if why.contains("certificate")), "{error}");
}
