//! A RabbitMQ node of one's own, on free ports and in a folder of its own.
//!
//! It runs as whoever runs the test, with a home of its own (that is where Erlang keeps its cookie)
//! and an Erlang port mapper of its own, so that nodes neither meet each other nor leave a port
//! mapper behind.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use url::Url;

use super::Management;
use crate::server::{Folder, Server, free_port};

const HOW_TO_GET_IT: &str = "RabbitMQ is not installed: run `apt-get install rabbitmq-server`, or set \
    WAYBILL_TEST_AMQP_URL to the URL of a server (with its management plugin on)";

/// Where packages keep the script that does not insist on a certain user.
const SCRIPTS: [&str; 2] = ["/usr/lib/rabbitmq/bin", "/opt/rabbitmq/sbin"];

/// How long a node may take to start: far above the eight seconds that it takes on a quiet machine.
const STARTING: Duration = Duration::from_mins(4);

/// Two schedulers that sleep when there is nothing to do: tests share a small machine.
const ERLANG_FLAGS: &str = "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none";

/// A node. Dropping it kills it and removes its folder.
#[derive(Debug)]
pub struct Node {
    // They end in this order.
    server: Option<Server>,
    _port_mapper: Server,
    folder: Folder,
    ports: Ports,
}

#[derive(Debug)]
struct Ports {
    amqp: u16,
    management: u16,
    distribution: u16,
    port_mapper: u16,
}

impl Node {
    /// Starts a node with nothing in it.
    pub async fn start() -> Self {
        let folder = Folder::new("waybill-rabbitmq-").expect("there is room for a folder");
        let ports = Ports {
            amqp: free_port(),
            management: free_port(),
            distribution: free_port(),
            port_mapper: free_port(),
        };
        configure(folder.path(), &ports).expect("the folder is writable");
        let mut port_mapper = Command::new("epmd");
        port_mapper.args(["-address", "127.0.0.1", "-port", &ports.port_mapper.to_string()]);
        let log = folder.path().join("epmd.log");
        let mut node = Self {
            server: None,
            _port_mapper: Server::start_logging(&port_mapper, &log).expect("sh is there"),
            folder,
            ports,
        };
        node.resume().await;
        node
    }

    /// Kills the node (`kill -9`). Its data stay.
    pub fn kill(&mut self) {
        self.server = None;
    }

    /// Starts it again after [`kill`](Self::kill), on the same ports and data.
    pub async fn resume(&mut self) {
        let mut command = self.command("rabbitmq-server");
        command.env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", ERLANG_FLAGS);
        // Makes the script become the node, instead of a parent that would outlive or orphan it.
        command.env("RUNNING_UNDER_SYSTEMD", "true");
        let log = self.folder.path().join("node.log");
        self.server = Some(Server::start_logging(&command, &log).expect("sh is there"));
        self.until_ready(&log).await;
    }

    /// URL of its default virtual host.
    pub fn url(&self) -> Url {
        let url = format!("amqp://guest:guest@127.0.0.1:{}", self.ports.amqp);
        Url::parse(&url).expect("a URL")
    }

    /// Its management API.
    pub fn management(&self) -> Management {
        let base = format!("http://127.0.0.1:{}", self.ports.management);
        Management::new(base, "guest", "guest")
    }

    /// Evaluates an Erlang expression in the node and answers what came out.
    pub async fn eval(&self, expression: &str) -> String {
        let mut command = self.command("rabbitmqctl");
        command.args(["--node", "waybill@localhost", "eval", expression]);
        let output = tokio::task::spawn_blocking(move || command.stdin(Stdio::null()).output())
            .await
            .expect("the call does not panic")
            .expect("rabbitmqctl stands beside rabbitmq-server");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{expression}: {text}");
        text
    }

    /// Waits until it is on disk which queues there are. A node writes that down up to half a second
    /// after it has confirmed a declaration; killed before, it forgets a new queue and its messages
    /// (`dets` with `auto_save` in `ra_directory`, seen with 3.10).
    pub async fn settle(&self) {
        self.eval("mnesia:sync_log(), [dets:sync(T) || T <- dets:all()].")
            .await;
    }

    /// Has the server close every channel of a virtual host that has a consumer, as it does when a
    /// client breaks the protocol. Their connections live on. Answers how many channels there were.
    pub async fn close_consuming_channels(&self, virtual_host: &str) -> usize {
        let expression = format!(
            "length([rabbit_channel:do(C, {{'basic.ack', 4000000000, false}}) || C <- rabbit_channel:list(), \
             [{{vhost, V}}, {{consumer_count, N}}] <- [rabbit_channel:info(C, [vhost, consumer_count])], \
             V =:= <<\"{virtual_host}\">>, N > 0])."
        );
        let text = self.eval(&expression).await;
        text.trim().parse().unwrap_or_else(|_| panic!("{text}"))
    }

    async fn until_ready(&self, log: &Path) {
        let management = self.management();
        let path = format!("health/checks/port-listener/{}", self.ports.amqp);
        let started = Instant::now();
        loop {
            let (management, path) = (management.clone(), path.clone());
            let asked = tokio::task::spawn_blocking(move || management.call("GET", &path, None)).await;
            if asked.is_ok_and(|answer| answer.is_ok()) {
                return;
            }
            let log = || fs::read_to_string(log).unwrap_or_default();
            assert!(started.elapsed() < STARTING, "RabbitMQ does not start: {}", log());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    fn command(&self, script: &str) -> Command {
        let folder = self.folder.path();
        let mut command = Command::new(installed(script));
        command
            .env("HOME", folder)
            .env("ERL_EPMD_PORT", self.ports.port_mapper.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODENAME", "waybill@localhost")
            .env("RABBITMQ_DIST_PORT", self.ports.distribution.to_string())
            .env("RABBITMQ_MNESIA_BASE", folder.join("data"))
            .env("RABBITMQ_LOG_BASE", folder.join("log"))
            .env("RABBITMQ_PID_FILE", folder.join("pid"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", folder.join("plugins"))
            .env("RABBITMQ_CONFIG_FILE", folder.join("rabbitmq.conf"))
            .env("RABBITMQ_CONF_ENV_FILE", "/dev/null")
            .current_dir(folder);
        command
    }
}

fn configure(folder: &Path, ports: &Ports) -> std::io::Result<()> {
    fs::write(folder.join("plugins"), "[rabbitmq_management].")?;
    let config = format!(
        "listeners.tcp.1 = 127.0.0.1:{}\n\
         management.tcp.ip = 127.0.0.1\n\
         management.tcp.port = {}\n\
         collect_statistics_interval = 500\n\
         disk_free_limit.absolute = 1MB\n\
         raft.wal_max_size_bytes = 33554432\n",
        ports.amqp, ports.management
    );
    fs::write(folder.join("rabbitmq.conf"), config)
}

fn installed(script: &str) -> PathBuf {
    let paths = SCRIPTS.map(Path::new).map(|folder| folder.join(script));
    paths.into_iter().find(|path| path.exists()).expect(HOW_TO_GET_IT)
}
