//! `waybill user …`

use std::io::{self, Write};

use anyhow::Result;
use clap::Subcommand;
use waybill::contract::user::v1::{
    GetOrderStatsRequest, GetUserRequest, ListUsersRequest, OrderStats, RegisterUserRequest,
    UpdateUserRequest, User, user_service_client::UserServiceClient,
};

use super::{
    amount::Amount,
    connection::{Connection, call, request_id},
    output::{Output, time},
};

/// What to do with users.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Register a user.
    Register {
        /// Mail address.
        #[arg(long)]
        email: String,
        /// Name by which the user is addressed.
        #[arg(long)]
        name: String,
        /// UUID that makes a repeat of this command safe; made up if not given.
        #[arg(long)]
        request_id: Option<String>,
    },
    /// Change a user's address or name.
    Update {
        /// UUID of the user.
        user_id: String,
        /// New mail address.
        #[arg(long, default_value = "")]
        email: String,
        /// New name.
        #[arg(long, default_value = "")]
        name: String,
        /// UUID that makes a repeat of this command safe; made up if not given.
        #[arg(long)]
        request_id: Option<String>,
    },
    /// Show one user.
    Get {
        /// UUID of the user.
        user_id: String,
    },
    /// List users, newest first.
    List {
        /// Users to show.
        #[arg(long, default_value_t = 50)]
        limit: i32,
    },
    /// Show what a user's orders come to.
    Stats {
        /// UUID of the user.
        user_id: String,
    },
}

/// Runs the command.
pub(crate) async fn run(command: Command, connection: &Connection, output: &Output) -> Result<()> {
    let mut client = UserServiceClient::new(connection.channel());
    match command {
        Command::Register {
            email,
            name,
            request_id: id,
        } => {
            let body = RegisterUserRequest {
                request_id: request_id(id),
                email,
                display_name: name,
            };
            let answer = call(body, async |request| client.register_user(request).await).await?;
            show(output, &answer.user.unwrap_or_default())
        }
        Command::Update {
            user_id,
            email,
            name,
            request_id: id,
        } => {
            let body = UpdateUserRequest {
                request_id: request_id(id),
                user_id,
                email,
                display_name: name,
            };
            let answer = call(body, async |request| client.update_user(request).await).await?;
            show(output, &answer.user.unwrap_or_default())
        }
        Command::Get { user_id } => {
            let answer = call(GetUserRequest { user_id }, async |request| {
                client.get_user(request).await
            })
            .await?;
            show(output, &answer.user.unwrap_or_default())
        }
        Command::List { limit } => {
            let body = ListUsersRequest {
                page_size: limit,
                ..ListUsersRequest::default()
            };
            let answer = call(body, async |request| client.list_users(request).await).await?;
            answer.users.iter().try_for_each(|user| show(output, user))
        }
        Command::Stats { user_id } => {
            let body = GetOrderStatsRequest { user_id };
            let answer = call(body, async |request| client.get_order_stats(request).await).await?;
            let stats = answer.stats.unwrap_or_default();
            output.print(&stats, |out| write_stats(&stats, out))
        }
    }
}

fn show(output: &Output, user: &User) -> Result<()> {
    output.print(user, |out| {
        writeln!(out, "user {}", user.user_id)?;
        writeln!(out, "  email       {}", user.email)?;
        writeln!(out, "  name        {}", user.display_name)?;
        writeln!(out, "  version     {}", user.version)?;
        writeln!(out, "  registered  {}", time(user.create_time.as_ref()))
    })
}

fn write_stats(stats: &OrderStats, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "user {}", stats.user_id)?;
    writeln!(out, "  placed      {}", stats.orders_placed)?;
    writeln!(out, "  cancelled   {}", stats.orders_cancelled)?;
    for spent in &stats.total_spent {
        writeln!(out, "  spent       {}", Amount(spent))?;
    }
    writeln!(out, "  last order  {}", time(stats.last_order_time.as_ref()))
}
