//! The service stores under test, each opened twice, as by two processes.

use adjourn::store::ServiceStore;

/// A service store, and what it needs while it is used.
pub struct StoreUnderTest {
    pub store: ServiceStore,
    /// The same store, as another process has it.
    pub other: ServiceStore,
    _directory: Option<tempfile::TempDir>,
    #[cfg(all(unix, feature = "postgres"))]
    pub postgres: Option<adjourn_test::PostgresTestDatabase>,
}

/// An empty store in each database.
pub async fn every_store() -> Vec<StoreUnderTest> {
    let in_memory = ServiceStore::in_memory().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let open = || ServiceStore::open(directory.path()).unwrap();
    let (store, other) = (open(), open());
    let mut stores =
        vec![of_sqlite(in_memory.clone(), in_memory, None), of_sqlite(store, other, Some(directory))];
    #[cfg(all(unix, feature = "postgres"))]
    stores.extend(of_postgres().await);
    stores.shrink_to_fit();
    stores
}

fn of_sqlite(
    store: ServiceStore,
    other: ServiceStore,
    directory: Option<tempfile::TempDir>,
) -> StoreUnderTest {
    StoreUnderTest {
        store,
        other,
        _directory: directory,
        #[cfg(all(unix, feature = "postgres"))]
        postgres: None,
    }
}

/// A store in a new database of the shared server; `None` where PostgreSQL is not installed.
#[cfg(all(unix, feature = "postgres"))]
pub async fn of_postgres() -> Option<StoreUnderTest> {
    let database = adjourn_test::PostgresServer::shared()?.database();
    let url = database.url();
    let (store, other) = (open_postgres(&url).await.unwrap(), open_postgres(&url).await.unwrap());
    Some(StoreUnderTest { store, other, _directory: None, postgres: Some(database) })
}

/// The store in the database of this connection text.
#[cfg(all(unix, feature = "postgres"))]
pub async fn open_postgres(url: &str) -> Result<ServiceStore, adjourn::store::StoreError> {
    let url = adjourn::prelude::Secret::new(url.to_owned());
    let settings =
        adjourn::store::PostgresSettings { url, name: "test".to_owned(), ca_file: None, accept_loss: false };
    let database = adjourn::store::PostgresDatabase::new(&settings)?;
    ServiceStore::open_postgres(database).await
}
