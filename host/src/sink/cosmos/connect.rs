//! From settings to a container that was checked.
//!
//! Entra ID asks, in this order: a client secret (`AZURE_TENANT_ID`, `AZURE_CLIENT_ID`, `AZURE_CLIENT_SECRET`), a
//! workload's token file (`AZURE_FEDERATED_TOKEN_FILE`), a managed identity (`IDENTITY_ENDPOINT`, or
//! `AZURE_TOKEN_CREDENTIALS=ManagedIdentityCredential` on a virtual machine), and else who is logged in with `az` or `azd`.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use azure_core::credentials::{Secret, TokenCredential};
use azure_data_cosmos::clients::ContainerClient;
use azure_data_cosmos::options::{BinaryEncodingOptions, ConnectionPoolOptions, OperationOptions, ThrottlingRetryOptions};
use azure_data_cosmos::{AccountEndpoint, AccountReference, CosmosClient, CosmosError, CosmosRuntimeBuilder, RoutingStrategy};
use azure_identity::{
    ClientSecretCredential, DeveloperToolsCredential, ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId,
    WorkloadIdentityCredential,
};
use backon::{ExponentialBuilder, Retryable};
use base64::Engine;

use super::answer::{Answer, said};
use super::{CosmosSettings, Login};
use crate::fault::Fault;

/// How often a start tries to reach the account before it gives up, and the first wait between.
const ATTEMPTS: (usize, Duration) = (4, Duration::from_millis(250));

/// Runs a future to its end, also when the caller is on one of the runtime's own threads.
pub(super) fn wait_for<T: Send>(runtime: &Handle, future: impl Future<Output = Result<T, Fault>> + Send) -> Result<T, Fault> {
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| runtime.block_on(future));
        waiting.join().unwrap_or_else(|_| Err(Fault::internal("connecting to Cosmos DB panicked; please report it")))
    })
}
use tokio::runtime::Handle;

/// Connects to the account, and checks the container.
///
/// # Errors
/// When it cannot be reached, refuses, does not exist, or is partitioned by another column.
pub(super) async fn container(settings: &CosmosSettings, client: CosmosRuntimeBuilder) -> Result<ContainerClient, Fault> {
    let attempt = || async { client_of(settings, client.clone()).await };
    let (container, paths) = attempt
        .retry(ExponentialBuilder::default().with_min_delay(ATTEMPTS.1).with_max_times(ATTEMPTS.0))
        .when(|fault: &Fault| fault.retry == crate::fault::Retry::Backoff)
        .notify(|fault, wait| tracing::warn!(%fault, ?wait, "Cosmos DB does not answer; trying again."))
        .await?;
    let wanted = format!("/{}", settings.partition_key);
    match paths.as_slice() {
        [path] if unquoted(path) == wanted => Ok(container),
        _ => Err(settings.wrong(format!(
            "DocumentDbProperties.PartitionKey is '{}', the path '{wanted}', but container '{}' of database '{}' is partitioned by '{}'; \
             set PartitionKey to that column, or name a container that is partitioned by '{wanted}'",
            settings.partition_key,
            settings.container,
            settings.database,
            paths.join("', '"),
        ))),
    }
}

/// `/"my column"` is how Cosmos DB writes a name that is no identifier.
fn unquoted(path: &str) -> String {
    let name = path.strip_prefix('/').unwrap_or(path);
    let name = name.strip_prefix('"').and_then(|name| name.strip_suffix('"')).unwrap_or(name);
    format!("/{name}")
}

async fn client_of(settings: &CosmosSettings, runtime: CosmosRuntimeBuilder) -> Result<(ContainerClient, Vec<String>), Fault> {
    let failed = |error: &CosmosError| refused(settings, error);
    let endpoint: AccountEndpoint =
        settings.endpoint.parse().map_err(|_| settings.wrong(format!("Endpoint '{}' is no address", settings.endpoint)))?;
    let account = match &settings.login {
        Login::Key(key) => AccountReference::with_authentication_key(endpoint, usable(key, settings)?),
        Login::EntraId => {
            let credential = entra_id().map_err(|error| settings.wrong(format!("Entra ID cannot be asked for a token: {error}")))?;
            AccountReference::with_credential(endpoint, credential)
        }
    };
    // 429 is ours: the server's delay is honoured where the page and /health can tell of it.
    let mut throttling = ThrottlingRetryOptions::default();
    throttling.max_retry_count = Some(0);
    let mut operation = OperationOptions::default();
    operation.throttling_retry_options = Some(throttling);
    let mut runtime = runtime.with_default_operation_options(operation);
    let mut builder = CosmosClient::builder();
    if settings.endpoint.starts_with("http://") {
        // Plain HTTP is for servers on this machine; they speak HTTP/1.1 and JSON only.
        let pool = ConnectionPoolOptions::builder().with_is_http2_allowed(false).build().map_err(|error| failed(&error))?;
        runtime = runtime.with_connection_pool(pool);
        builder = builder.with_binary_encoding_options(BinaryEncodingOptions::new().with_enabled(false));
    }
    let connect = async {
        let runtime = runtime.build().await?;
        let client = builder.with_runtime(runtime).build(account, RoutingStrategy::PreferredRegions(Vec::new())).await?;
        let container = client.database_client(&settings.database).container_client(settings.container.clone(), None).await?;
        let properties = container.read(None).await?.into_model()?;
        Ok::<_, CosmosError>((container, properties.partition_key.paths().iter().map(|path| path.to_string()).collect()))
    };
    connect.await.map_err(|error| failed(&error))
}

/// Why a start cannot go on; what may pass is a fault that is tried again.
fn refused(settings: &CosmosSettings, error: &CosmosError) -> Fault {
    let (endpoint, database, container) = (&settings.endpoint, &settings.database, &settings.container);
    let status = u16::from(error.status().status_code());
    match Answer::of(error) {
        Answer::Again { why, .. } => Fault::outside(format!("Cosmos DB at {endpoint} cannot be reached: {why}")).at(settings.place()),
        _ => settings.wrong(match status {
            401 => format!("Cosmos DB at {endpoint} does not accept the login; check {}: {}", settings.login.source(), said(error)),
            403 => format!("Cosmos DB at {endpoint} forbids reading container '{container}' of database '{database}': {}", said(error)),
            404 => format!(
                "there is no container '{container}' in database '{database}' at {endpoint}; make it first, partitioned by '/{}'",
                settings.partition_key
            ),
            _ => format!("Cosmos DB at {endpoint} refuses: {}", said(error)),
        }),
    }
}

impl Login {
    fn source(&self) -> &'static str {
        match self {
            Self::Key(_) => "the account's key (TAMIS_COSMOS_KEY, or AccountKey in the file)",
            Self::EntraId => "the identity and its data-plane role on the account (AuthenticationMode 'Msi' in the file)",
        }
    }
}

/// A key is base64. One that is not would fail later, with a message that says less.
fn usable(key: &Secret, settings: &CosmosSettings) -> Result<Secret, Fault> {
    match base64::engine::general_purpose::STANDARD.decode(key.secret()) {
        Ok(bytes) if !bytes.is_empty() => Ok(key.clone()),
        _ => Err(settings.wrong(format!("{} is not base64: it was cut, or is something else", settings.login.source()))),
    }
}

fn entra_id() -> azure_core::Result<Arc<dyn TokenCredential>> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let (tenant, client) = (variable("AZURE_TENANT_ID"), variable("AZURE_CLIENT_ID"));
    if let (Some(tenant), Some(client), Some(secret)) = (&tenant, &client, variable("AZURE_CLIENT_SECRET")) {
        return Ok(ClientSecretCredential::new(tenant, client.clone(), Secret::from(secret), None)?);
    }
    if variable("AZURE_FEDERATED_TOKEN_FILE").is_some() {
        return Ok(WorkloadIdentityCredential::new(None)?);
    }
    let chosen = variable("AZURE_TOKEN_CREDENTIALS").is_some_and(|name| name.eq_ignore_ascii_case("ManagedIdentityCredential"));
    if chosen || variable("IDENTITY_ENDPOINT").is_some() {
        let options = ManagedIdentityCredentialOptions { user_assigned_id: client.map(UserAssignedId::ClientId), ..Default::default() };
        return Ok(ManagedIdentityCredential::new(Some(options))?);
    }
    Ok(DeveloperToolsCredential::new(None)?)
}
