// SPDX-License-Identifier: Apache-2.0
//! Arguments that several programs take.

use clap::Args;

/// Which container. Holds the key, so it is not for printing.
#[derive(Args, Clone)]
pub struct ContainerArguments {
    /// Address of the account, such as https://name.documents.azure.com:443/.
    #[arg(long)]
    pub endpoint: String,
    /// The account's key; better given as the environment variable, which no list of processes shows.
    #[arg(long, env = "COSMOS_KEY", hide_env_values = true)]
    pub key: String,
    #[arg(long, default_value = "shop")]
    pub database: String,
    #[arg(long, default_value = "orders")]
    pub container: String,
}

/// How a container is drained.
#[derive(Args, Clone)]
pub struct DrainArguments {
    #[command(flatten)]
    pub target: ContainerArguments,
    /// Most documents of a page.
    #[arg(long, default_value_t = 1_000)]
    pub page_size: u32,
    /// How often everything is read; the figures are of the last time.
    #[arg(long, default_value_t = 2)]
    pub rounds: u32,
}
